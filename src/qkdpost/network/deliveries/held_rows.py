"""The rows of held keys: keys that came together stand in one row.

A row costs a few statements of the store, however many keys are in it, and an application mostly fetches together what
was asked for together. When keys of a row go, the row is written anew without them, and what stood there before is
overwritten as that of any secret row: no byte of a key outlives it because of its neighbours. A row is small, so that
writing it anew for each of its keys does not cost much either.

Which row a key is in is known in memory, from the rows themselves; no row is named by a key ID, since another site
chooses these and may choose one again when it has been forgotten here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from qkdpost.errors import StoreDamaged
from qkdpost.network.deliveries.records import HELD, HeldKeys, HeldRow, decode_held, encode
from qkdpost.network.names import KEY_ID_BYTES, split_key_ids
from qkdpost.network.store.protocol import KeyStore

__all__ = ["Found", "HeldRows"]

_PAGE_ROWS = 1024
_NAME_BYTES = 8
_ROW_BYTES = 8192
_SHARED_ROW_BYTES = 2048
"""Of a row of several requests, whose applications fetch one by one: each time it is written anew."""


class Found(NamedTuple):
    """Keys that were found.

    Args:
        number: of their row.
        row: the row.
        keys: those of one request that were looked for, in the row by themselves.
    """

    number: int
    row: HeldRow
    keys: HeldKeys


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
        self._read: dict[int, HeldRow] = {}
        self._changed: set[int] = set()

    def load(self) -> Iterator[tuple[int, HeldRow]]:
        """Yield all there is; once, before anything else."""
        start = b""
        while page := self._store.scan(HELD, start, b"\xff" * (_NAME_BYTES + 1), _PAGE_ROWS):
            for name, content in page:
                row, number = decode_held(content), int.from_bytes(name, "big")
                for keys in row.requests:
                    ids = split_key_ids(keys.key_ids)
                    before = len(self._numbers)
                    self._numbers.update(dict.fromkeys(ids, number))
                    if len(self._numbers) != before + len(ids):
                        raise StoreDamaged("a key is held twice: restore the store, or set up a new one")
                self._next = number + 1
                yield number, row
            start = page[-1][0] + b"\0"

    def has(self, key_id: bytes) -> bool:
        """Tell whether anything is remembered of a key ID."""
        return key_id in self._numbers

    def has_any(self, key_ids: bytes) -> bool:
        """Tell whether anything is remembered of one of some key IDs."""
        return not self._numbers.keys().isdisjoint(split_key_ids(key_ids))

    def add(self, row: HeldRow) -> list[int]:
        """Write keys whose IDs are new, in one row or, if they are many or long, in some; return their numbers."""
        numbers = []
        for some in _pieces(row.requests):
            for keys in some:
                self._numbers.update(dict.fromkeys(split_key_ids(keys.key_ids), self._next))
            self._put(self._next, HeldRow(row.site, row.extension, some))
            numbers.append(self._next)
            self._next += 1
        return numbers

    def find(self, key_ids: Iterable[bytes]) -> list[Found]:
        """Return the keys of these IDs that there are, each once. Secret."""
        wanted: dict[int, set[bytes]] = {}
        for key_id in key_ids:
            number = self._numbers.get(key_id)
            if number is not None:
                wanted.setdefault(number, set()).add(key_id)
        return [found for number, names in wanted.items() for found in self._find(number, names)]

    def _find(self, number: int, names: set[bytes]) -> Iterator[Found]:
        row, missing = self.row(number), len(names)
        for place in range(len(row.requests)):
            keys = row.requests[place]
            here = [key_id in names for key_id in split_key_ids(keys.key_ids)]
            count = sum(here)
            if not count:
                continue
            missing -= count
            if count < len(here):
                rest, keys = _split(keys, here)
                row.requests[place] = rest
                row.requests.append(keys)
            yield Found(number, row, keys)
        if missing:
            raise _damaged()

    def row(self, number: int) -> HeldRow:
        """Return a row. Secret."""
        if number not in self._read:
            content = self._store.get(HELD, _name(number))
            if content is None:
                raise _damaged()
            self._read[number] = decode_held(content)
        return self._read[number]

    def changed(self, number: int) -> None:
        """Have a row be written whose keys were changed."""
        self._changed.add(number)

    def forget(self, number: int, keys: HeldKeys) -> None:
        """Erase keys of a row."""
        for key_id in split_key_ids(keys.key_ids):
            del self._numbers[key_id]
        self._read[number].requests.remove(keys)
        self._changed.add(number)

    def write(self) -> None:
        """Write what was changed, and let go of what was read."""
        for number in self._changed:
            row = self._read[number]
            if row.requests:
                self._put(number, row)
            else:
                self._store.erase(HELD, [_name(number)])
        self._changed.clear()
        self._read.clear()

    def _put(self, number: int, row: HeldRow) -> None:
        content = encode(row)
        self._store.put(HELD, _name(number), content, secret=True)
        content[:] = bytes(len(content))


def _name(number: int) -> bytes:
    return number.to_bytes(_NAME_BYTES, "big")


def _split(keys: HeldKeys, here: Sequence[bool]) -> tuple[HeldKeys, HeldKeys]:
    """Return two of one: the keys that are not here, and those that are."""
    return _those(keys, [not one for one in here]), _those(keys, here)


def _those(keys: HeldKeys, chosen: Sequence[bool]) -> HeldKeys:
    places = [place for place, one in enumerate(chosen) if one]
    size = len(keys.values) // len(chosen)
    return HeldKeys(
        b"".join(keys.key_ids[KEY_ID_BYTES * place : KEY_ID_BYTES * (place + 1)] for place in places),
        keys.master,
        dict(keys.slaves),
        keys.expires_seconds,
        b"".join(keys.values[size * place : size * (place + 1)] for place in places),
        dict(keys.fetched_seconds),
    )


def _pieces(requests: Sequence[HeldKeys]) -> Iterator[list[HeldKeys]]:
    """Yield the keys in order, some kilobytes at once and one key at least."""
    piece: list[HeldKeys] = []
    used = 0
    for keys in requests:
        names = 64 + sum(len(slave) + 2 for slave in keys.slaves)
        length = names + len(keys.key_ids) + len(keys.values)
        if piece and used + length > _SHARED_ROW_BYTES:
            yield piece
            piece, used = [], 0
        if length > _ROW_BYTES and keys.count > 1:
            each = KEY_ID_BYTES + len(keys.values) // keys.count
            yield from _cut(keys, max(1, (_ROW_BYTES - names) // each))
            continue
        piece.append(keys)
        used += length
    if piece:
        yield piece


def _cut(keys: HeldKeys, most: int) -> Iterator[list[HeldKeys]]:
    for start in range(0, keys.count, most):
        yield [_those(keys, [start <= place < start + most for place in range(keys.count)])]


def _damaged() -> StoreDamaged:
    return StoreDamaged("a row of held keys is missing or another one: restore the store, or set up a new one")
