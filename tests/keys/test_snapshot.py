"""A snapshot is read whole, or refused with the reason."""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkdpost.errors import InputError
from qkdpost.keys import KeyPool
from qkdpost.keys.segments import MAX_SEGMENTS
from qkdpost.keys.snapshot import MAGIC, Content, _digest, pack
from support.names import steady_name

KEY = bytes(range(1, 33))
PADS = bytes(range(100, 200))
DAMAGED = "this snapshot is damaged"


def pool_with_a_history() -> KeyPool:
    pool = KeyPool(KEY + PADS)
    pool.refill(b"a new segment 16", bytes(range(60, 100)))
    pool.pad(pool.reserve(20), 0, 1)
    pool.charge_block(1e-10)
    return pool


SNAPSHOT = pool_with_a_history().snapshot()


def test_every_flipped_bit_is_found() -> None:
    flips = 0
    for place in range(len(SNAPSHOT)):
        for bit in range(8):
            flipped = bytearray(SNAPSHOT)
            flipped[place] ^= 1 << bit
            with pytest.raises(InputError, match=DAMAGED):
                KeyPool.restore(bytes(flipped))
            flips += 1
    assert flips == 8 * len(SNAPSHOT) > 1500


def test_every_truncation_and_extension_is_found() -> None:
    for length in range(len(SNAPSHOT)):
        with pytest.raises(InputError, match=DAMAGED):
            KeyPool.restore(SNAPSHOT[:length])
        with pytest.raises(InputError, match=DAMAGED):
            KeyPool.restore(SNAPSHOT[length:] if length else b"")
    for more in (b"\0", b"\n", bytes(32), SNAPSHOT):
        with pytest.raises(InputError, match=DAMAGED):
            KeyPool.restore(SNAPSHOT + more)
        with pytest.raises(InputError, match=DAMAGED):
            KeyPool.restore(more + SNAPSHOT)


@given(st.binary(max_size=400))
def test_any_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        KeyPool.restore(data)


@given(st.integers(0, 2**31), st.binary(min_size=1, max_size=8))
@settings(max_examples=500)
def test_bytes_that_were_overwritten_are_found(place: int, burst: bytes) -> None:
    start = place % (len(SNAPSHOT) - len(burst))
    changed = SNAPSHOT[:start] + burst + SNAPSHOT[start + len(burst) :]
    with contextlib.nullcontext() if changed == SNAPSHOT else pytest.raises(InputError, match=DAMAGED):
        KeyPool.restore(changed)


def test_other_format_versions_are_told_as_such() -> None:
    body = MAGIC + b"\x02\0" + b"whatever the next version holds"
    with pytest.raises(InputError, match="of another format version, 2"):
        KeyPool.restore(body + _digest(body))
    before = msgspec.msgpack.encode({"hash_key": KEY, "spent_bytes": 0, "segments": [(bytes(16), 0, PADS)]})
    with pytest.raises(InputError, match="of another format version, one from before"):
        KeyPool.restore(before)
    with pytest.raises(InputError, match="no snapshot of a key pool"):
        KeyPool.restore(bytes(64) + _digest(bytes(64)))


def written(**changes: Any) -> bytes:
    content = Content(hash_key=KEY, spent_bytes=0, accumulated_epsilon=0.0, segments=[(bytes(16), 0, PADS)])
    return pack(msgspec.structs.replace(content, **changes))


def test_a_right_snapshot_of_that_kind_is_taken() -> None:
    assert KeyPool.restore(written()).available_bytes == 100
    assert KeyPool.restore(written(segments=[(bytes(16), 0, b"")])).available_bytes == 0
    assert KeyPool.restore(bytearray(written())).available_bytes == 100
    assert KeyPool.restore(memoryview(written())).available_bytes == 100


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"hash_key": KEY + b"\0"}, "a hash key of 33 bytes"),
        ({"hash_key": KEY[:31]}, "a hash key of 31 bytes"),
        ({"spent_bytes": -1}, "negative"),
        ({"accumulated_epsilon": float("nan")}, "accumulated epsilon"),
        ({"accumulated_epsilon": float("inf")}, "accumulated epsilon"),
        ({"accumulated_epsilon": -1e-9}, "accumulated epsilon"),
        ({"segments": [(bytes(16), 0, PADS), (bytes(16), 0, PADS)]}, "named twice"),
        ({"segments": [(b"short", 0, PADS)]}, "5 bytes"),
        ({"segments": [(b"too long a name of a segment", 0, PADS)]}, "28 bytes"),
        ({"segments": [(bytes(16), -1, PADS)]}, "of which -1 are spent"),
        ({"segments": [(bytes(16), 101, PADS)]}, "of which 101 are spent"),
        ({"segments": [(bytes(16), 100, bytes(100))]}, "spent whole"),
        ({"segments": [(b"x" * 16, 0, b"")]}, "spent whole"),
        ({"segments": [(bytes(16), 5, PADS)]}, "not erased"),
        ({"segments": [(b"%016d" % n, 0, b"k") for n in range(MAX_SEGMENTS + 1)]}, "1025 segments"),
    ],
    ids=str,
)
def test_what_no_pool_makes_is_refused(changes: dict[str, Any], match: str) -> None:
    with pytest.raises(InputError, match=match):
        KeyPool.restore(written(**changes))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xc0",
        b"\x81\xa1\x78" + b"\x91" * 5000 + b"\xc0",
        b"\x91" * 5000 + b"\xc0",
        b"\x94" + b"\x91" * 100_000,
        msgspec.msgpack.encode([KEY, 0, 0.0, [[bytes(16), 0]]]),
        msgspec.msgpack.encode([KEY, 0, 0.0, [[bytes(16), "0", PADS]]]),
        msgspec.msgpack.encode([KEY, 0, 0.0]),
        msgspec.msgpack.encode({"hash_key": KEY}),
    ],
)
def test_a_right_digest_over_anything_else_is_refused(content: bytes) -> None:
    body = MAGIC + b"\x01\0" + content
    with pytest.raises(InputError, match="holds no pool"):
        KeyPool.restore(body + _digest(body))


@pytest.mark.parametrize("snapshot", [None, "text", 5, [1, 2], object(), bytearray], ids=steady_name)
def test_what_is_no_bytes_is_refused(snapshot: Any) -> None:
    with pytest.raises(InputError, match="snapshot must be bytes"):
        KeyPool.restore(snapshot)


def test_content_shows_no_key() -> None:
    shown = repr(Content(hash_key=KEY, spent_bytes=0, accumulated_epsilon=0.0, segments=[(bytes(16), 0, PADS)]))
    assert shown == "Content(segments=1)"
