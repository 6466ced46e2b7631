"""Segments of authentication key: what is said of them in public, and the bytes themselves."""

from __future__ import annotations

from dataclasses import dataclass

from qkdpost.checks import instance, listed, whole_number
from qkdpost.errors import InputError
from qkdpost.single_use import SingleUse

__all__ = [
    "HASH_KEY_BYTES",
    "IDENTIFIER_BYTES",
    "MAX_SEGMENTS",
    "PRESHARED_SEGMENT",
    "PadReference",
    "Segment",
    "SegmentState",
    "checked_inventory",
    "checked_reference",
]

HASH_KEY_BYTES = 32
IDENTIFIER_BYTES = 16
PRESHARED_SEGMENT = bytes(IDENTIFIER_BYTES)
"""The segment that a pool begins with."""
MAX_SEGMENTS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class PadReference:
    """Which bytes of the pool a block may use; public.

    Args:
        segment: the identifier of the segment, 16 bytes.
        offset: the first byte.
        length: the number of bytes.
    """

    segment: bytes
    offset: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentState:
    """Public description of a segment, as sent to the peer.

    Args:
        identifier: 16 bytes.
        next_offset: the first byte not yet spent.
        length: the length of the segment in bytes.
    """

    identifier: bytes
    next_offset: int
    length: int


class Segment(SingleUse):
    """Bytes of pads: those below `next_offset` are spent for ever, those up to `taken` are out of use for a connection.

    Args:
        key: the bytes, those that are spent already as zeros; kept and overwritten in place. Secret.
        next_offset: how many are spent.
    """

    __slots__ = ("key", "next_offset", "taken", "usable")

    def __init__(self, key: bytearray, next_offset: int = 0) -> None:
        self.key = key
        self.next_offset = next_offset
        self.taken = next_offset
        self.usable = True

    @property
    def left(self) -> int:
        """The bytes that this connection may still take."""
        return len(self.key) - self.taken

    @property
    def unspent(self) -> int:
        """The bytes that are not spent for ever."""
        return len(self.key) - self.next_offset

    def spend_to(self, end: int) -> None:
        """Erase up to `end`; what is reserved must have been copied before."""
        self.key[self.next_offset : end] = bytes(end - self.next_offset)
        self.next_offset = end
        self.taken = max(self.taken, end)

    def __repr__(self) -> str:
        return f"Segment(left={self.left}, unspent={self.unspent}, usable={self.usable})"


def checked_reference(reference: object) -> PadReference:
    """Return a reference with plain numbers in it.

    Raises:
        InputError: it is none.
    """
    given = instance("reference", reference, PadReference, hint="reserve() returns one")
    return PadReference(
        segment=instance("segment", given.segment, bytes),
        offset=whole_number("offset", given.offset, least=-(2**63), most=2**63),
        length=whole_number("length", given.length, least=-(2**63), most=2**63),
    )


def checked_inventory(peer_inventory: object) -> dict[bytes, SegmentState]:
    """Return what the peer says of each segment, as plain numbers that do not contradict each other.

    Raises:
        InputError: it is no list of segments, an identifier is named twice, or an offset is outside its segment.
    """
    peer: dict[bytes, SegmentState] = {}
    for entry in listed("peer_inventory", peer_inventory, "SegmentState"):
        state = instance("peer_inventory", entry, SegmentState)
        identifier = instance("identifier", state.identifier, bytes)
        length = whole_number("length", state.length)
        next_offset = whole_number("next_offset", state.next_offset)
        if identifier in peer:
            raise InputError("peer_inventory names a segment of authentication key twice")
        if next_offset > length:
            raise InputError(f"peer_inventory names byte {next_offset} of a segment of {length} bytes")
        peer[identifier] = SegmentState(identifier=identifier, next_offset=next_offset, length=length)
    return peer
