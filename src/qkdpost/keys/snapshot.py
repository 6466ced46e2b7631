"""A pool as bytes, to be stored: magic, format version, content, and a digest over all of that.

    "qkdppool" | version, 2 bytes little-endian | content, MessagePack | BLAKE2b-256 of all before, 32 bytes

The digest is looked at first, and stands at the end in every version: whatever was flipped, cut off or appended is
reported as damage, and not taken for another version. It is no tag: who can write the store can write a digest, too.
Nor does it show the age: an older snapshot of the same pool is as whole as the latest.
"""

from __future__ import annotations

import hashlib
import math

import msgspec

from qkdpost.errors import InputError
from qkdpost.keys.segments import HASH_KEY_BYTES, IDENTIFIER_BYTES, MAX_SEGMENTS, PRESHARED_SEGMENT

__all__ = ["Content", "pack", "unpack"]

MAGIC = b"qkdppool"
VERSION = 1
VERSION_BYTES = 2
DIGEST_BYTES = 32
_HEAD_BYTES = len(MAGIC) + VERSION_BYTES
_WITHOUT_DIGEST = b"\x83\xa8hash_key"
"""What snapshots began with before they had a digest."""


class Content(msgspec.Struct, frozen=True, array_like=True):
    """What a snapshot holds: each segment is its identifier, how much of it is spent, and its bytes. Secret."""

    hash_key: bytes
    spent_bytes: int
    accumulated_epsilon: float
    segments: list[tuple[bytes, int, bytes]]

    def __repr__(self) -> str:
        return f"Content(segments={len(self.segments)})"


def pack(content: Content) -> bytes:
    """Return the snapshot of `content`. Secret."""
    body = MAGIC + VERSION.to_bytes(VERSION_BYTES, "little") + msgspec.msgpack.encode(content)
    return body + _digest(body)


def unpack(snapshot: bytes) -> Content:
    """Return the content of a snapshot.

    Raises:
        InputError: damaged, of another format version, or such as no pool makes. Neither the error nor the frames that
            it came through hold any of the content.
    """
    found = _read(snapshot)
    del snapshot
    if isinstance(found, Content):
        return found
    raise InputError(found)


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=DIGEST_BYTES).digest()


def _read(snapshot: bytes) -> Content | str:
    """Return the content, or what is wrong with it."""
    body = snapshot[:-DIGEST_BYTES]
    if len(snapshot) < _HEAD_BYTES + DIGEST_BYTES or _digest(body) != snapshot[-DIGEST_BYTES:]:
        if snapshot.startswith(_WITHOUT_DIGEST):
            return (
                "this snapshot of a key pool is of another format version, one from before snapshots had a digest: "
                "make a new pool of new pre-shared key on both hosts"
            )
        return (
            "this snapshot is damaged, or it is none of a key pool: restore the latest one that is whole, and if that "
            "is older make a new pool of new pre-shared key on both hosts, for pads would be used twice"
        )
    if not body.startswith(MAGIC):
        return "this is no snapshot of a key pool"
    version = int.from_bytes(body[len(MAGIC) : _HEAD_BYTES], "little")
    if version != VERSION:
        return (
            f"this snapshot of a key pool is of another format version, {version}; this version of the library reads "
            f"{VERSION}: restore it with the one that wrote it"
        )
    return _decoded(body[_HEAD_BYTES:])


def _decoded(packed: bytes) -> Content | str:
    """Read what has a right digest: wrong all the same, it was not written by this library."""
    try:
        content = msgspec.msgpack.decode(packed, type=Content)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
        return "this snapshot of a key pool has a right digest, but holds no pool: something else wrote it"
    wrong = _contradiction(content)
    return f"this snapshot of a key pool contradicts itself: {wrong}; something else wrote it" if wrong else content


def _contradiction(content: Content) -> str:
    """Say what no pool would have written, or nothing."""
    if len(content.hash_key) != HASH_KEY_BYTES:
        return f"a hash key of {len(content.hash_key)} bytes, not {HASH_KEY_BYTES}"
    if content.spent_bytes < 0:
        return "a negative number of spent bytes"
    if not (math.isfinite(content.accumulated_epsilon) and content.accumulated_epsilon >= 0.0):
        return f"an accumulated epsilon of {content.accumulated_epsilon}"
    if len(content.segments) > MAX_SEGMENTS:
        return f"{len(content.segments)} segments, where a pool keeps {MAX_SEGMENTS}"
    if len({identifier for identifier, _, _ in content.segments}) != len(content.segments):
        return "a segment that is named twice"
    return next(filter(None, (_wrong_segment(*segment) for segment in content.segments)), "")


def _wrong_segment(identifier: bytes, next_offset: int, key: bytes) -> str:
    if len(identifier) != IDENTIFIER_BYTES:
        return f"a segment whose identifier has {len(identifier)} bytes, not {IDENTIFIER_BYTES}"
    if not 0 <= next_offset <= len(key):
        return f"a segment of {len(key)} bytes of which {next_offset} are spent"
    if next_offset == len(key) and (key or identifier != PRESHARED_SEGMENT):
        return "a segment that is spent whole"
    if key.count(0, 0, next_offset) != next_offset:
        return "a segment whose spent bytes are not erased"
    return ""
