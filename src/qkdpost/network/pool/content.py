"""The bytes of segments, in rows of a chunk each, erased as the directions pass them.

A segment is kept as two halves, each in the order in which its direction reads it: the leader's from the front, the
follower's from the back. A direction that was granted more than its half goes on in the other half, from its end. So
a row is read by one direction alone, as long as limits are at the borders of rows. It is written once, sealed once by
the store, and taken out when its last byte is passed; what is spent of a row that is not passed yet is a chunk at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from qkdpost.errors import StoreDamaged
from qkdpost.network.pool.segment import PooledSegment
from qkdpost.network.store.protocol import KeyStore
from qkdpost.single_use import SingleUse

__all__ = ["Content"]

_TABLE = "chunks"
_HASH_KEYS = 255


class Content(SingleUse):
    """The rows of one pool's segments. Secret.

    Args:
        store: with an open transaction whenever anything is called.
        pool: its identifier.
    """

    __slots__ = ("_ahead", "_behind", "_cached", "_pool", "_store")

    def __init__(self, store: KeyStore, pool: bytes) -> None:
        self._store = store
        self._pool = pool
        self._cached: dict[int, tuple[bytes, bytearray]] = {}
        self._ahead: dict[bytes, bytearray] = {}
        self._behind: list[bytes] = []

    def add(self, segment: PooledSegment, content: bytearray) -> None:
        """Write the rows of a new segment."""
        size = segment.chunk
        halves = content[: segment.split], content[segment.split : segment.length][::-1]
        for half, data in enumerate(halves):
            for index in range(-(-len(data) // size)):
                piece = data[index * size : (index + 1) * size]
                self._store.put(_TABLE, self._key(segment, half, index), piece, secret=True)
                piece[:] = bytes(len(piece))
            data[:] = bytes(len(data))

    def read(self, segment: PooledSegment, direction: int, start: int, count: int) -> bytearray:
        """Return `count` bytes of a direction from `start` on; rows that it has passed then go with `write`. Secret."""
        result = bytearray()
        pieces = list(self._pieces(segment, direction, start, count))
        self._look_ahead(segment, direction, pieces)
        for half, index, first, end, is_passed in pieces:
            row = self._row(segment, direction, half, index)
            if end > len(row):
                raise StoreDamaged("a row of key is shorter than it was; restore the store or set up a new one")
            piece = row[first:end]
            result += piece if half == direction else piece[::-1]
            row[first:end] = piece[:] = bytes(end - first)
            if is_passed:
                self._passed(segment, direction, half, index)
        return result

    def peek(self, segment: PooledSegment, direction: int, start: int, count: int) -> bytearray:
        """Return bytes and leave them, to verify a tag whose pad is spent only if it is right. Secret."""
        result = bytearray()
        for half, index, first, end, _ in self._pieces(segment, direction, start, count):
            piece = self._row(segment, direction, half, index)[first:end]
            result += piece if half == direction else piece[::-1]
            piece[:] = bytes(end - first)
        return result

    def skip(self, segment: PooledSegment, direction: int, start: int, count: int) -> None:
        """Pass `count` bytes of a direction without reading them."""
        for half, index, _, _, is_passed in self._pieces(segment, direction, start, count):
            if is_passed:
                self._passed(segment, direction, half, index)

    def erase(self, segment: PooledSegment) -> None:
        """Erase all rows of a segment, its hash keys apart."""
        self.forget()
        for half in (0, 1):
            chunks = range(-(-segment.half(half) // segment.chunk))
            self._store.erase(_TABLE, [self._key(segment, half, index) for index in chunks])

    def forget(self) -> None:
        """Zero the rows that are in memory."""
        for row in (*(row for _, row in self._cached.values()), *self._ahead.values()):
            row[:] = bytes(len(row))
        self._cached.clear()
        self._ahead.clear()

    # Hash keys.

    def write_hash_keys(self, identifier: bytes, keys: bytearray) -> None:
        """Keep what `hash_keys` returns: r of either end, and the two checks if there are any."""
        self._store.put(_TABLE, self._pool + identifier + bytes([_HASH_KEYS]), keys, secret=True)

    def hash_keys(self, identifier: bytes) -> bytes:
        """Return what was kept with a segment. Secret.

        Raises:
            StoreDamaged: nothing was.
        """
        keys = self._store.get(_TABLE, self._pool + identifier + bytes([_HASH_KEYS]))
        if keys is None or len(keys) < 32:
            raise StoreDamaged("the hash keys of a segment are missing; restore the store or set up a new one")
        return keys

    def erase_hash_keys(self, identifier: bytes) -> None:
        """Erase what was kept with a segment."""
        self._store.erase(_TABLE, [self._pool + identifier + bytes([_HASH_KEYS])])

    # Rows.

    def _pieces(
        self, segment: PooledSegment, direction: int, start: int, count: int
    ) -> Iterator[tuple[int, int, int, int, bool]]:
        """Yield half, chunk, first and last place in it, and whether it is passed, in the order of the direction."""
        size, own = segment.chunk, segment.half(direction)
        place, end = start, start + count
        while place < end:
            if place < own:
                index = place // size
                border = min((index + 1) * size, own)
                stop = min(end, border)
                yield direction, index, place - index * size, stop - index * size, stop == border
            else:
                last = segment.length - 1 - place
                index = last // size
                border = segment.length - index * size
                stop = min(end, border)
                low = segment.length - stop - index * size
                yield 1 - direction, index, low, last - index * size + 1, stop == border
            place = stop

    def _look_ahead(
        self, segment: PooledSegment, direction: int, pieces: Sequence[tuple[int, int, int, int, bool]]
    ) -> None:
        """Read several rows of a half by one look, which `_row` then finds in memory."""
        if len(pieces) <= 2:
            return  # the first is mostly there already
        cached = self._cached[direction][0] if direction in self._cached else None
        for half in (0, 1):
            keys = sorted(
                {self._key(segment, number, index) for number, index, *_ in pieces if number == half} - {cached}
            )
            if len(keys) > 1:
                found = self._store.scan(_TABLE, keys[0], keys[-1] + b"\0", len(keys))
                self._ahead.update((key, bytearray(value)) for key, value in found)

    def _row(self, segment: PooledSegment, direction: int, half: int, index: int) -> bytearray:
        key = self._key(segment, half, index)
        cached = self._cached.get(direction)
        if cached is not None and cached[0] == key:
            return cached[1]
        row = self._ahead.pop(key, None)
        if row is None:
            found = self._store.get(_TABLE, key)
            if found is None:
                raise StoreDamaged("a row of key is missing; restore the store or set up a new one")
            row = bytearray(found)
        self._cached[direction] = key, row
        return row

    def write(self) -> None:
        """Erase the rows that were passed in the turn; before its commit."""
        if self._behind:
            self._store.erase(_TABLE, self._behind)
            self._behind = []

    def _passed(self, segment: PooledSegment, direction: int, half: int, index: int) -> None:
        key = self._key(segment, half, index)
        self._behind.append(key)
        if direction in self._cached and self._cached[direction][0] == key:
            row = self._cached.pop(direction)[1]
            row[:] = bytes(len(row))

    def _key(self, segment: PooledSegment, half: int, index: int) -> bytes:
        return self._pool + segment.identifier + bytes([half]) + index.to_bytes(4, "big")
