"""One direction of a pool: how far it is spent, and what comes next.

A direction is one stream of bytes. It goes through the segments that are READY in the order of their numbers, in each
from its own end up to its limit there. Its *mark* is a place in the stream: a number and how many bytes of that segment
are passed. All before it is spent for ever; marks never go back. A frame takes the next stretch of the stream, and
says which ranges of which segments that is, since the limit at which it leaves one may have moved meanwhile.

The mark is written before anything made of the bytes leaves (`write` before the commit of the turn).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from qkdpost.errors import StoreDamaged
from qkdpost.network.pool.content import Content
from qkdpost.network.pool.order import SegmentOrder
from qkdpost.network.pool.segment import PooledSegment
from qkdpost.network.store.protocol import KeyStore

__all__ = ["MAX_RANGES", "Direction", "Place", "Range"]

MAX_RANGES = 255
"""What one frame names at most, so that it takes no more than what so many segments have left."""

_TABLE = "marks"
_ROW = struct.Struct("<III")


class Place(NamedTuple):
    """A place in a direction: a segment's number, and how many bytes of it are passed."""

    segment: int
    offset: int


class Range(NamedTuple):
    """A piece of a direction within one segment, counted from the direction's end of it."""

    segment: int
    offset: int
    length: int


class Direction:
    """The mark of one direction, and the segments before it.

    Args:
        number: 0 for the leader's direction, 1 for the follower's.
        key: of its row.
        order: the segments of the pool by number.
        content: their bytes.
    """

    __slots__ = ("_content", "_is_written", "_key", "_order", "mark", "number", "rest", "window")

    def __init__(self, number: int, key: bytes, order: SegmentOrder, content: Content) -> None:
        self.number = number
        self.mark = Place(0, 0)
        self.window = 0
        """How far it may run ahead of the receiver, as the receiver has stored."""
        self.rest = 0
        """Bytes between the mark and the end."""
        self._key = key
        self._order = order
        self._content = content
        self._is_written = True

    # The row.

    def load(self, store: KeyStore) -> None:
        """Read the mark.

        Raises:
            StoreDamaged: what is there is none.
        """
        row = store.get(_TABLE, self._key)
        if row is not None:
            if len(row) != _ROW.size:
                raise StoreDamaged("a row of marks has another length; restore the store or set up a new one")
            segment, offset, self.window = _ROW.unpack(row)
            self.mark = Place(segment, offset)
        self.recount()

    def write(self, store: KeyStore) -> None:
        """Write the mark, if it has moved."""
        if not self._is_written:
            store.put(_TABLE, self._key, _ROW.pack(*self.mark, self.window))
            self._is_written = True

    def keep_window(self, window: int) -> None:
        """Store how far the sender may run ahead."""
        if window != self.window:
            self.window = window
            self._is_written = False

    # What is there.

    def passed(self, segment: PooledSegment) -> int:
        """Return how many bytes of a segment the direction has passed."""
        left: int | None = segment.left[self.number]
        if left is not None:
            return left
        return (
            self.mark.offset if segment.number and segment.number == self.mark.segment else segment.begin(self.number)
        )

    def left_by(self, segment: PooledSegment) -> int:
        """Return how much of a segment the other direction could have: what is neither before the limit nor passed."""
        return segment.length - max(segment.limits[self.number], self.passed(segment))

    def recount(self) -> None:
        """Sum up what is left, after limits or segments have changed."""
        self.rest = sum(length for _, _, length in self._ahead())

    def reachable(self, blocked: int | None, enough: int) -> int:
        """Return what a frame may take: up to the end of segment `blocked`, if any, and in `MAX_RANGES` ranges.

        It may be less than there is where it is `enough`.
        """
        if blocked is None and len(self._order.by_number) <= MAX_RANGES:
            return self.rest
        found = 0
        for count, (segment, _, length) in enumerate(self._ahead()):
            if count == MAX_RANGES or found >= enough or (blocked is not None and segment.number > blocked):
                break
            found += length
        return found

    def place_after(self, start: Place, count: int) -> Place:
        """Return where `count` bytes after `start` end, or the end of the stream if it has fewer."""
        place, wanted = start, count
        for segment, first, length in self._ahead(start):
            if not wanted:
                break
            step = min(wanted, length)
            place = Place(segment.number, first + step)
            wanted -= step
        return place

    # Spending.

    def next_ranges(self, count: int) -> list[Range]:
        """Return the next `count` bytes, of which there are enough, as ranges."""
        mark = self.mark
        current = self._order.get(mark.segment)
        if current is not None and current.in_use and current.limits[self.number] - mark.offset >= count:
            return [Range(mark.segment, mark.offset, count)]
        ranges: list[Range] = []
        for segment, first, length in self._ahead():
            step = min(count, length)
            ranges.append(Range(segment.number, first, step))
            count -= step
            if not count:
                break
        return ranges

    def refusal(self, ranges: Sequence[Range], *, but: Direction | None) -> str:
        """Say why ranges that the other end named are not next in this direction, or nothing.

        Args:
            ranges: what it named.
            but: this end's own direction: hold the other end only to what is not of that, as before it is known that a
                grant was taken. None: hold it to its limits.
        """
        place = self.mark
        for number, offset, length in ranges:
            segment = self._order.get(number)
            if segment is None or not segment.in_use:
                return f"segment {number} is not in use here"
            first = place.offset if number == place.segment else segment.begin(self.number)
            if number < place.segment or offset != first:
                return f"byte {offset} of segment {number} was named; byte {place.offset} of {place.segment} is next"
            limit = segment.limits[self.number] if but is None else but.left_by(segment)
            if not 0 < length <= limit - offset:
                return f"{length} bytes of segment {number} were named, which are not of this direction"
            place = Place(number, offset + length)
        return ""

    def peek(self, ranges: Sequence[Range], count: int) -> bytearray:
        """Return the first bytes of ranges that are next, and leave them. Secret."""
        found = bytearray()
        for number, offset, length in ranges:
            step = min(length, count - len(found))
            found += self._content.peek(self._order[number], self.number, offset, step)
        return found

    def take(self, ranges: Sequence[Range]) -> bytearray:
        """Return the bytes of ranges that are next, and move the mark past them. Secret."""
        taken = bytearray()
        for number, offset, length in ranges:
            if number != self.mark.segment:
                self._leave_up_to(number)
            taken += self._content.read(self._order[number], self.number, offset, length)
            self.mark = Place(number, offset + length)
            self.rest -= length
        self._is_written = False
        return taken

    def jump(self, place: Place) -> int:
        """Pass everything up to `place`, if it is after the mark; return how much of its segment is lost by that.

        What is lost of segments before it is told when these are given up.
        """
        if place <= self.mark:
            return 0
        self._leave_up_to(place.segment)
        lost = 0
        target = self._order.get(place.segment)
        if target is not None:
            start, limit = self.passed(target), target.limits[self.number]
            # No further than the other direction's share, whatever the other end says.
            offset = min(place.offset, target.length - target.limits[1 - self.number])
            place = Place(place.segment, max(offset, start))
            lost = place.offset - start
            usable = max(0, min(place.offset, limit) - start)
            self._content.skip(target, self.number, start, usable)
            self.rest -= usable if target.in_use else 0
        self.mark = place
        self._is_written = False
        return lost

    def _leave_up_to(self, end: int) -> None:
        """Tell the segments before number `end` how much of them was passed."""
        for number in self._order.between(self.mark.segment, end):
            segment = self._order[number]
            if segment.left[self.number] is None:
                passed = self.passed(segment)
                self.rest -= max(0, segment.limits[self.number] - passed) if segment.in_use else 0
                segment.left[self.number] = passed
                self._order.changed(segment)

    def _ahead(self, start: Place | None = None) -> Iterator[tuple[PooledSegment, int, int]]:
        """Yield the segments from a place on, with where the direction goes on in each and how much it has there."""
        place = self.mark if start is None else start
        for number in self._order.since(place.segment):
            segment = self._order[number]
            first = place.offset if number == place.segment else segment.begin(self.number)
            length = segment.limits[self.number] - first
            if segment.in_use and length > 0:
                yield segment, first, length
