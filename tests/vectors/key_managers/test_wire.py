"""The wire between key managers, byte for byte, and read anew from what `docs/network_wire.md` says of it.

Where a test here fails and the change was meant: raise PROTOCOL_VERSION in `qkdpost/network/messages/greetings.py`,
record again with `python -m tests.vectors.key_managers.record`, and write it under "Wire format" in CHANGELOG.md.
"""

from __future__ import annotations

import json
import struct
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
import pytest

from qkdpost.network.messages.framed import Message
from qkdpost.network.messages.greetings import PROTOCOL_VERSION
from qkdpost.network.peer.codec import decode_greeting
from reference.polynomials import message_blocks, polynomial_hash
from vectors.key_managers import record

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "network_wire.md").read_text(encoding="utf-8")
RECORDED: dict[str, Any] = json.loads(record.PATH.read_text(encoding="utf-8"))
CONTENT = record.content()
BODY, RESERVED = CONTENT[:-64], CONTENT[-64:]
HASH_KEYS = RESERVED[:16], RESERVED[16:32]
POOL = blake2b(b"\x01a\x01b", digest_size=16, person=b"qkdpost pool").digest()
CHECK_PADS = RESERVED[32:48], RESERVED[48:]


def test_the_bytes_change_with_the_version_alone() -> None:
    assert record.build() == RECORDED, "raise PROTOCOL_VERSION, record again, and write it in CHANGELOG.md"


def test_everything_that_is_said_is_recorded() -> None:
    assert {one["type"] for one in RECORDED["messages"]} == record.all_types()
    assert f"protocol version {PROTOCOL_VERSION}" in PAGE


@pytest.mark.parametrize("one", RECORDED["messages"], ids=lambda one: one["type"])
def test_recorded_messages_are_read(one: dict[str, str]) -> None:
    data = bytes.fromhex(one["bytes"])
    if one["in"] == "a greeting":
        assert int.from_bytes(data[:4], "little") == len(data) - 4
        found, plain = decode_greeting(data), msgspec.msgpack.decode(data[5:])
    else:
        (found,), (plain,) = msgspec.msgpack.decode(data, type=list[Message]), msgspec.msgpack.decode(data)
    assert type(found).__name__ == one["type"]
    assert f"`{one['type']}` ({plain[0]})" in PAGE


# A second reading of the conversation, by the page alone.


def hashed(key: bytes, text: bytes) -> int:
    return polynomial_hash(message_blocks(int.from_bytes(text, "little"), 8 * len(text)), int.from_bytes(key, "little"))


def under_pad(key: bytes, text: bytes, pad: bytes) -> bytes:
    return (hashed(key, text) ^ int.from_bytes(pad, "little")).to_bytes(16, "little")


def stretch(direction: int, offset: int, length: int) -> bytes:
    """Bytes of a direction: the leader's from the front of the segment, the follower's from its back."""
    return (BODY[::-1] if direction else BODY)[offset : offset + length]


def pieces() -> list[tuple[str, bytes]]:
    """Everything that was said, cut by the lengths."""
    found = []
    for part in RECORDED["conversation"]:
        data = bytes.fromhex(part["bytes"])
        while data:
            end = 4 + int.from_bytes(data[:4], "little")
            found.append((part["from"], data[:end]))
            data = data[end:]
    return found


def test_the_greeting_names_the_pool_and_checks_show_that_both_hold_the_segment() -> None:
    said = [(name, msgspec.msgpack.decode(data[5:])) for name, data in pieces() if data[4] == 0]
    assert [(name, body[:4]) for name, body in said if body[0] == 101] == [
        ("a", [101, 2, POOL, "a"]),
        ("b", [101, 2, POOL, "b"]),
    ]
    (offered,) = [body[1] for name, body in said if body[0] == 105]
    (listed,) = [body[1][0] for name, body in said if (name, body[0]) == ("b", 102)]
    for direction, entry in ((0, offered), (1, listed)):
        text = b"qkdpost segment" + bytes([direction]) + record.OCTETS_16 + len(BODY).to_bytes(8, "little") + BODY
        assert entry[7] == under_pad(HASH_KEYS[direction], text, CHECK_PADS[direction])


def test_frames_are_tagged_by_the_pads_that_they_name_and_keys_are_what_follows() -> None:
    frames = [(name, data) for name, data in pieces() if data[4] == 1]
    assert [name for name, _ in frames] == ["a", "b", "b", "a"]
    keys = []
    for name, data in frames:
        _, _, pool, direction, _, _, count = struct.unpack_from("<IB16sBIIB", data)
        assert (pool, direction, count) == (POOL, "ab".index(name), 1)
        segment, offset, length = struct.unpack_from("<III", data, 31)
        assert segment == 1
        material = stretch(direction, offset, length)
        assert data[-16:] == under_pad(HASH_KEYS[direction], data[:-16], material[:16])
        (message,) = msgspec.msgpack.decode(data[43:-16])
        if message[0] == 2:
            keys.append((message[1][0][0], material[16:]))
    assert keys == [(record.KEY_IDS[0], BODY[16:48]), (record.KEY_IDS[1], BODY[::-1][32:64])]
