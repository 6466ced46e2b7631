"""Write the vectors of the wire between key managers anew, for the version of the protocol that stands in the code.

    python -m tests.vectors.key_managers.record

What is on disk for the same version is never replaced by other bytes: raise PROTOCOL_VERSION in
`qkdpost/network/messages/greetings.py` first. Only while that version has not been released, `--replace` does it.
"""

from __future__ import annotations

import argparse
import json
import sys
from hashlib import shake_128
from pathlib import Path
from typing import Any, get_args

PATH = Path(__file__).resolve().parent / "wire.json"
sys.path.insert(0, str(PATH.parents[2]))

from qkdpost.network.messages.fields import RefusalReason, VoidReason  # noqa: E402
from qkdpost.network.messages.framed import (  # noqa: E402
    AssignAnswer,
    AssignedKeys,
    AssignKeys,
    CarryDone,
    CarrySegment,
    CarryVoid,
    Grant,
    KeysAnswer,
    Message,
    VoidKeys,
)
from qkdpost.network.messages.greetings import (  # noqa: E402
    PROTOCOL_VERSION,
    Greeting,
    ListedSegment,
    Mark,
    PeerHello,
    PeerReady,
    PeerSettled,
    PeerWindow,
    PeerWindowKept,
    SegmentList,
    SegmentOffer,
    SegmentTaken,
)
from qkdpost.network.names import pool_id  # noqa: E402
from qkdpost.network.peer import greeting_exchange  # noqa: E402
from qkdpost.network.peer.codec import encode_greeting, encode_messages  # noqa: E402
from support.key_manager_pair import Pair  # noqa: E402

RELEASE = "0.1.0"
"""What greetings say, so that a new release alone changes no bytes here."""
OCTETS_16 = bytes(range(16))
KEY_IDS = bytes(range(0x40, 0x50)), bytes(range(0x50, 0x60))
SEGMENT_BYTES = 2048
LISTED = ListedSegment(OCTETS_16, 3, True, 4096, 1024, 2048, False, OCTETS_16)
GREETINGS: tuple[Greeting, ...] = (
    PeerHello(
        2,
        pool_id("kbh-2", "kbh-3"),
        "kbh-2",
        Mark(3, 700),
        Mark(2, 0),
        16384,
        4,
        1,
        (OCTETS_16,),
        OCTETS_16,
        2,
        RELEASE,
    ),
    SegmentList((LISTED,)),
    PeerSettled(Mark(3, 17084), 16384),
    PeerReady(),
    SegmentOffer(LISTED),
    SegmentTaken(4),
    PeerWindow(16384),
    PeerWindowKept(16384),
)
MESSAGES: tuple[Message, ...] = (
    Grant(3, 65536, 4096),
    AssignKeys(
        (
            AssignedKeys(OCTETS_16 + KEY_IDS[0], 32, "SAE-A", ("SAE-B", "SAE-C")),
            AssignedKeys(KEY_IDS[1], 32, "SAE-A", ("SAE-B",), bytes(32)),
        ),
        86400,
        b'{"qkdpost_epsilon":1e-10}',
    ),
    AssignAnswer((KeysAnswer(OCTETS_16, RefusalReason.HELD), KeysAnswer(KEY_IDS[1], RefusalReason.QUOTA))),
    VoidKeys((OCTETS_16,), VoidReason.CONNECTION_LOST, 600),
    CarrySegment(
        OCTETS_16, "a", "c", (("a", "b", "c"), ("a", "d", "c")), 1, 64, KEY_IDS[0], 60, b"\x93\x90\x90\x90", bytes(64)
    ),
    CarryDone(OCTETS_16, 1, KEY_IDS[1], b"\x93\x90\x90\x90"),
    CarryVoid(OCTETS_16, 0, VoidReason.MANIPULATED),
)


def content() -> bytes:
    """Return the segment that both ends of the conversation hold."""
    return shake_128(b"qkdpost").digest(SEGMENT_BYTES)


def conversation() -> list[dict[str, str]]:
    """Return what "a" and "b" say while they greet each other, number a segment, and assign a key each."""
    pair = Pair()
    for end in pair.ends:
        end.add(OCTETS_16, content())
    release, greeting_exchange.VERSION = greeting_exchange.VERSION, RELEASE
    try:
        pair.connect()
    finally:
        greeting_exchange.VERSION = release
    for end, key_id in zip(pair.ends, KEY_IDS, strict=True):
        end.assign(key_id, length=32)
        pair.exchange()
    return [{"from": name, "bytes": data.hex()} for name, data in pair.sent]


def build() -> dict[str, Any]:
    """Return what the file must hold."""
    said = [
        {"type": type(one).__name__, "in": "a greeting", "bytes": encode_greeting(one).hex()} for one in GREETINGS
    ] + [{"type": type(one).__name__, "in": "a frame", "bytes": encode_messages([one]).hex()} for one in MESSAGES]
    return {"protocol_version": PROTOCOL_VERSION, "messages": said, "conversation": conversation()}


def all_types() -> set[str]:
    """Return the names of everything that key managers say."""
    return {kind.__name__ for kind in (*get_args(Greeting), *get_args(Message))}


def main() -> int:
    """Write the file if it has changed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replace", action="store_true", help="also bytes of this version, which is not released yet")
    replace = parser.parse_args().replace
    content = build()
    before = json.loads(PATH.read_text(encoding="utf-8")) if PATH.exists() else None
    if before is not None and before != content and before["protocol_version"] == PROTOCOL_VERSION and not replace:
        print(f"bytes of protocol version {PROTOCOL_VERSION} would change. Raise PROTOCOL_VERSION")
        return 1
    PATH.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
