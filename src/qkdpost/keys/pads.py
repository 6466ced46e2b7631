"""The pads of a pool: segments of key, which pieces of them are reserved, and what is handed out and erased.

Nothing here raises: a method says what is wrong in words, without any key, and the pool raises in a frame that holds
none either.
"""

from __future__ import annotations

from collections.abc import Mapping

from qkdpost.keys.segments import MAX_SEGMENTS, PRESHARED_SEGMENT, PadReference, Segment, SegmentState
from qkdpost.single_use import SingleUse

__all__ = ["Pads"]


class Pads(SingleUse):
    """Segments by their identifiers, spent from the front of each. Secret.

    Args:
        segments: those to begin with.
        spent_bytes: what was spent before, skipped bytes among it.
    """

    __slots__ = ("_reserved", "changes", "segments", "spent_bytes")

    def __init__(self, segments: dict[bytes, Segment], spent_bytes: int = 0) -> None:
        self.segments = segments
        self.spent_bytes = spent_bytes
        self.changes = 0
        """Grows whenever a snapshot would differ."""
        self._reserved: dict[PadReference, list[bytes | None]] = {}

    @property
    def available_bytes(self) -> int:
        """The bytes that this connection may still take."""
        # A copy, made at once: another thread may ask while a key comes in.
        return sum(segment.left for segment in tuple(self.segments.values()) if segment.usable)

    @property
    def resting_bytes(self) -> int:
        """The bytes in segments that the peer does not hold, by what it says."""
        return sum(segment.left for segment in tuple(self.segments.values()) if not segment.usable)

    def inventory(self) -> tuple[SegmentState, ...]:
        """Return the segments that are not spent; public."""
        return tuple(
            SegmentState(identifier=identifier, next_offset=segment.next_offset, length=len(segment.key))
            for identifier, segment in self.segments.items()
        )

    def settle(self, peer: Mapping[bytes, SegmentState]) -> None:
        """Begin a connection: nothing is reserved, and usable is what the peer holds as well, `KeyPool.synchronise`."""
        self._reserved.clear()
        for identifier, segment in self.segments.items():
            other = peer.get(identifier)
            segment.usable = other is not None and other.length == len(segment.key)
            peer_offset = other.next_offset if other is not None and segment.usable else 0
            segment.taken = max(segment.next_offset, peer_offset)

    # Pieces.

    def next_piece(self, length: int) -> PadReference | None:
        """Return the next piece of `length` bytes, if some usable segment has one."""
        # Slices of new keys first: each is spent by the next block, so that segments do not pile up.
        for identifier, segment in reversed(self.segments.items()):
            if segment.usable and segment.left >= length:
                return PadReference(segment=identifier, offset=segment.taken, length=length)
        return None

    def refused_claim(self, reference: PadReference) -> str:
        """Say why a piece is not the next of its segment, or nothing."""
        segment = self.segments.get(reference.segment)
        if segment is None or not segment.usable:
            return "the hosts do not share the segment of authentication key that was named"
        end = reference.offset + reference.length
        if reference.length < 1 or reference.offset != segment.taken or end > len(segment.key):
            return (
                f"bytes {reference.offset} ... {end - 1} of authentication key were named; "
                f"the next are {segment.taken} ... {len(segment.key) - 1}"
            )
        return ""

    def reserve(self, reference: PadReference) -> None:
        """Take a piece that `next_piece` gave or `refused_claim` did not refuse."""
        segment = self.segments[reference.segment]
        end = reference.offset + reference.length
        piece = bytes(segment.key[reference.offset : end])
        self._reserved[reference] = [piece[index : index + 1] for index in range(len(piece))]
        segment.taken = end

    def refused_pad(self, reference: PadReference, first: int, end: int) -> str:
        """Say why bytes first ... end - 1 of a piece are not handed out, or nothing."""
        piece = self._reserved.get(reference)
        if piece is None or not 0 <= first < end <= len(piece):
            return f"bytes {first} ... {end - 1} are not of a piece that is reserved"
        if any(byte is None for byte in piece[first:end]):
            return "a byte of authentication key is handed out once; this one was before"
        return ""

    def hand_out(self, reference: PadReference, first: int, end: int) -> bytes:
        """Return bytes that `refused_pad` did not refuse; the whole piece is spent with the first. Secret."""
        self.spend(reference.segment, reference.offset + reference.length)
        piece = self._reserved[reference]
        handed = b"".join(byte for byte in piece[first:end] if byte is not None)
        piece[first:end] = [None] * (end - first)
        if not any(byte is not None for byte in piece):
            del self._reserved[reference]
        return handed

    def release(self, reference: PadReference) -> None:
        """Forget what was not handed out of a piece."""
        self._reserved.pop(reference, None)

    # Segments.

    def spend(self, identifier: bytes, end: int) -> None:
        """Spend a segment up to `end`, if it is not yet; one that is spent whole is forgotten."""
        segment = self.segments.get(identifier)
        if segment is None or end <= segment.next_offset:
            return
        self.changes += 1
        self.spent_bytes += end - segment.next_offset
        segment.spend_to(end)
        if not segment.unspent:
            del self.segments[identifier]

    def add(self, identifier: bytes, content: bytearray) -> None:
        """Add a segment, and spend the shortest unused if there are too many."""
        self.changes += 1
        if content:
            self.segments[identifier] = Segment(content)
        if len(self.segments) > MAX_SEGMENTS:
            others = [name for name in self.segments if name != PRESHARED_SEGMENT]
            shortest = min(others, key=lambda name: (self.segments[name].unspent, self.segments[name].usable))
            self.spend(shortest, len(self.segments[shortest].key))

    def __repr__(self) -> str:
        return f"Pads(segments={len(self.segments)}, available_bytes={self.available_bytes})"
