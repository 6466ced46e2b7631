"""The segments of a pool: by identifier, and those that have a number in its order."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator

from qkdpost.network.pool.segment import PooledSegment, SegmentStage, row_of, segment_of
from qkdpost.network.store.protocol import KeyStore

__all__ = ["SegmentOrder"]

_TABLE = "segments"
_PAGE = 4096
_GONE_TABLE = "gone"


class SegmentOrder:
    """The segments that are not gone, and their rows.

    A segment that is gone leaves one byte, so that its identifier is never taken again: the same key, imported twice,
    would be used twice.

    Args:
        pool: its identifier, the beginning of every key of a row.
    """

    __slots__ = ("_changed", "_longest", "_numbers", "_pool", "by_identifier", "by_number")

    def __init__(self, pool: bytes) -> None:
        self._pool = pool
        self.by_identifier: dict[bytes, PooledSegment] = {}
        self.by_number: dict[int, PooledSegment] = {}
        self._numbers: list[int] = []
        self._longest: int | None = None
        self._changed: dict[bytes, PooledSegment] = {}

    # Rows.

    def load(self, store: KeyStore) -> None:
        """Read all rows.

        Raises:
            StoreDamaged: one is none.
        """
        start, stop = self._pool, self._pool + b"\xff" * 17
        while True:
            rows = store.scan(_TABLE, start, stop, _PAGE)
            for key, row in rows:
                self._enter(segment_of(key[len(self._pool) :], row))
            if len(rows) < _PAGE:
                return
            start = rows[-1][0] + b"\0"

    def is_known(self, store: KeyStore, identifier: bytes) -> bool:
        """Tell whether a segment of this name is, or ever was, here."""
        return identifier in self.by_identifier or store.get(_GONE_TABLE, self._pool + identifier) is not None

    def write(self, store: KeyStore) -> None:
        """Write the rows of what has changed."""
        for identifier, segment in self._changed.items():
            if segment.stage is SegmentStage.GONE:
                store.erase(_TABLE, [self._pool + identifier])
                store.put(_GONE_TABLE, self._pool + identifier, b"")
            else:
                store.put(_TABLE, self._pool + identifier, row_of(segment))
        self._changed.clear()

    # Changes.

    def add(self, segment: PooledSegment) -> None:
        """Enter a new segment."""
        self._enter(segment)
        self.changed(segment)

    def changed(self, segment: PooledSegment) -> None:
        """Have the row of a segment written."""
        self._changed[segment.identifier] = segment

    def give_number(self, segment: PooledSegment, number: int) -> None:
        """Put a segment into the order."""
        self._longest = None
        segment.number = number
        self.by_number[number] = segment
        insort(self._numbers, number)
        self.changed(segment)

    def remove(self, segment: PooledSegment) -> None:
        """Forget a segment but for its name."""
        self._longest = None
        segment.stage = SegmentStage.GONE
        del self.by_identifier[segment.identifier]
        if segment.number:
            del self.by_number[segment.number]
            del self._numbers[bisect_left(self._numbers, segment.number)]
        self.changed(segment)

    def finished(self) -> list[PooledSegment]:
        """Return the segments among those that have changed that both directions have left."""
        return [
            segment
            for segment in self._changed.values()
            if segment.stage is not SegmentStage.GONE and None not in segment.left
        ]

    # Looking.

    @property
    def longest(self) -> int:
        """The length of the longest segment that has a number, 0 if none has."""
        if self._longest is None:
            self._longest = max((segment.length for segment in self.by_number.values()), default=0)
        return self._longest

    def __getitem__(self, number: int) -> PooledSegment:
        return self.by_number[number]

    def get(self, number: int) -> PooledSegment | None:
        """Return the segment of a number, or None."""
        return self.by_number.get(number)

    def since(self, number: int) -> Iterator[int]:
        """Yield the numbers from `number` on."""
        place = bisect_left(self._numbers, number)
        while place < len(self._numbers):
            yield self._numbers[place]
            place += 1

    def between(self, first: int, end: int) -> list[int]:
        """Return the numbers first ... end - 1 that are there."""
        return self._numbers[bisect_left(self._numbers, first) : bisect_left(self._numbers, end)]

    def _enter(self, segment: PooledSegment) -> None:
        self._longest = None
        self.by_identifier[segment.identifier] = segment
        if segment.number:
            self.by_number[segment.number] = segment
            insort(self._numbers, segment.number)
