"""The rows of held keys: keys that came together for the same applications stand in one row.

A row costs a few statements of the store, however many keys are in it, and an application mostly fetches together what
was asked for together. When one key of a row goes, the row is written anew without it, and what stood there before is
overwritten as that of any secret row: no byte of a key outlives it because of its neighbours. A row is small, so that
writing it anew for each of its keys does not cost much either.

Which row a key is in is known in memory, from the rows themselves; no row is named by a key ID, since another site
chooses these and may choose one again when it has been forgotten here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from qkdpost.errors import StoreDamaged
from qkdpost.network.deliveries.records import HELD, HeldKey, HeldRow, decode, encode
from qkdpost.network.store.protocol import KeyStore

__all__ = ["HeldRows"]

_PAGE_ROWS = 1024
_NAME_BYTES = 8
_ROW_BYTES = 8192


class HeldRows:
    """The rows, and in which of them each key is.

    What is read stays in memory, with the keys, until `write`: every action ends with it.

    Args:
        store: whose open transaction is read and written.
    """

    __slots__ = ("_changed", "_next", "_numbers", "_read", "_store")

    def __init__(self, store: KeyStore) -> None:
        self._store = store
        self._numbers: dict[bytes, int] = {}
        self._next = 0
        self._read: dict[int, tuple[HeldRow, dict[bytes, HeldKey]]] = {}
        self._changed: set[int] = set()

    def load(self) -> Iterator[tuple[HeldRow, HeldKey]]:
        """Yield all there is; once, before anything else."""
        start = b""
        while page := self._store.scan(HELD, start, b"\xff" * (_NAME_BYTES + 1), _PAGE_ROWS):
            for name, content in page:
                row, number = decode(HeldRow, content), int.from_bytes(name, "big")
                for key in row.keys:
                    if self._numbers.setdefault(key.key_id, number) != number:
                        raise StoreDamaged("a key is held twice: restore the store, or set up a new one")
                    yield row, key
                self._next = number + 1
            start = page[-1][0] + b"\0"

    def has(self, key_id: bytes) -> bool:
        """Tell whether anything is remembered of a key ID."""
        return key_id in self._numbers

    def add(self, row: HeldRow) -> None:
        """Write keys whose IDs are new, in one row or, if they are many or long, in some."""
        for keys in _pieces(row.keys):
            self._numbers.update((key.key_id, self._next) for key in keys)
            self._put(self._next, HeldRow(row.site, row.master, row.extension, keys))
            self._next += 1

    def find(self, key_id: bytes) -> tuple[HeldRow, HeldKey] | None:
        """Return a key and its row, or None. Secret."""
        number = self._numbers.get(key_id)
        if number is None:
            return None
        if number not in self._read:
            self._read[number] = self._get(number)
        row, keys = self._read[number]
        if key_id not in keys:
            raise _damaged()
        return row, keys[key_id]

    def changed(self, key_id: bytes) -> None:
        """Have a key that was found be written."""
        self._changed.add(self._numbers[key_id])

    def forget(self, key_id: bytes) -> None:
        """Erase a key that was found."""
        number = self._numbers.pop(key_id)
        del self._read[number][1][key_id]
        self._changed.add(number)

    def write(self) -> None:
        """Write what was changed, and let go of what was read."""
        for number in self._changed:
            row, keys = self._read[number]
            if keys:
                self._put(number, HeldRow(row.site, row.master, row.extension, list(keys.values())))
            else:
                self._store.take(HELD, _name(number))
        self._changed.clear()
        self._read.clear()

    def _get(self, number: int) -> tuple[HeldRow, dict[bytes, HeldKey]]:
        content = self._store.get(HELD, _name(number))
        if content is None:
            raise _damaged()
        row = decode(HeldRow, content)
        return row, {key.key_id: key for key in row.keys}

    def _put(self, number: int, row: HeldRow) -> None:
        content = encode(row)
        self._store.put(HELD, _name(number), content, secret=True)
        content[:] = bytes(len(content))


def _name(number: int) -> bytes:
    return number.to_bytes(_NAME_BYTES, "big")


def _pieces(keys: Sequence[HeldKey]) -> Iterator[list[HeldKey]]:
    """Yield the keys in order, some kilobytes at once and one at least."""
    piece: list[HeldKey] = []
    room = _ROW_BYTES
    for key in keys:
        room -= len(key.value) + sum(map(len, key.slaves))
        if piece and room < 0:
            yield piece
            piece, room = [], _ROW_BYTES
        piece.append(key)
    if piece:
        yield piece


def _damaged() -> StoreDamaged:
    return StoreDamaged("a row of held keys is missing or another one: restore the store, or set up a new one")
