"""What is remembered of released keys until the slaves' copies have expired, so that they can be taken back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b

from qkdpost.errors import InputError, StoreDamaged
from qkdpost.network.deliveries.records import (
    ASSIGNMENTS,
    DELIVERIES,
    RESTS_ON,
    AssignmentRow,
    decode,
    encode,
    expiry_key,
)
from qkdpost.network.provenance import Provenance
from qkdpost.network.store.protocol import MAX_VALUE_BYTES, KeyStore

__all__ = ["ReleasedKeys", "rows_of", "unreleased_rows"]

_PAGE_ROWS = 4096
_NUMBER_BYTES = 8
_END = b"\xff" * 40


class ReleasedKeys:
    """Records of released keys, and what all assigned ones are made of.

    What keys are made of is written once, with the number of records that name it. Counts of checks are left out: they
    grow with every frame, and nobody takes a check back.

    Args:
        store: whose open transaction is read and written.
    """

    __slots__ = ("_changed", "_counts", "_first", "_last", "_store")

    def __init__(self, store: KeyStore) -> None:
        self._store = store
        self._counts: Counter[bytes] = Counter()
        self._changed: dict[bytes, bytes] = {}
        self._first = self._first_key()
        self._last: tuple[Provenance, bytes, bytes] | None = None
        for name, content in rows_of(store, RESTS_ON):
            self._counts[name] = int.from_bytes(content[:_NUMBER_BYTES], "big")

    # What keys are made of.

    def remember(self, provenance: Provenance) -> bytes:
        """Return the name of a provenance, for one more record.

        Raises:
            InputError: it is longer than a row may be.
        """
        if self._last is None or self._last[0] is not provenance:
            content = Provenance(blocks=provenance.blocks, transfers=provenance.transfers).to_bytes()
            if len(content) > MAX_VALUE_BYTES - _NUMBER_BYTES:
                raise InputError("the keys of one frame rest on more than a row can tell")
            self._last = provenance, blake2b(content, digest_size=16, person=b"qkdpost rests on").digest(), content
        _, name, content = self._last
        self._counts[name] += 1
        self._changed[name] = content
        return name

    def forget(self, name: bytes) -> None:
        """Take back one `remember`."""
        self._counts[name] -= 1
        self._changed.setdefault(name, b"")

    def write(self) -> None:
        """Write what changed; before the commit of the turn."""
        for name, content in self._changed.items():
            count = self._counts[name]
            if count <= 0:
                self._store.take(RESTS_ON, name)
                del self._counts[name]
            else:
                self._store.put(RESTS_ON, name, count.to_bytes(_NUMBER_BYTES, "big") + (content or self._content(name)))
        self._changed.clear()

    def naming(self, identifier: bytes) -> frozenset[bytes]:
        """Return the names of all provenances with a block or transfer of this identifier."""
        self.write()
        return frozenset(
            name
            for name, content in rows_of(self._store, RESTS_ON)
            if Provenance.from_bytes(content[_NUMBER_BYTES:], error=StoreDamaged).has(identifier)
        )

    def _content(self, name: bytes) -> bytes:
        row = self._store.get(RESTS_ON, name)
        if row is None:
            raise StoreDamaged("a row of what keys are made of is missing: restore the store, or set up a new one")
        return row[_NUMBER_BYTES:]

    # Records.

    def add(self, row: AssignmentRow) -> None:
        """Remember released keys until they expire."""
        key = expiry_key(row.expires_seconds, row.key_ids[0])
        self._store.put(DELIVERIES, key, encode(row))
        self._first = min(key, self._first)

    def resting_on(self, provenances: frozenset[bytes]) -> Iterator[AssignmentRow]:
        """Yield the records of keys that are made of one of these."""
        for _, content in rows_of(self._store, DELIVERIES):
            row = decode(AssignmentRow, content)
            if row.provenance in provenances:
                yield row

    def expire(self, now_seconds: float, limit: int = 1024) -> bool:
        """Forget records whose keys have expired; a piece of the work, and tell whether more is left."""
        if self._first >= expiry_key(now_seconds, b""):
            return False  # as in almost every turn
        page = self._store.scan(DELIVERIES, b"", expiry_key(now_seconds, b""), limit)
        for key, content in page:
            self._store.take(DELIVERIES, key)
            self.forget(decode(AssignmentRow, content).provenance)
        self._first = self._first_key()
        return len(page) == limit

    def _first_key(self) -> bytes:
        """Return the key of the record that expires first, or what lies behind every key."""
        first = self._store.scan(DELIVERIES, b"", _END, 1)
        return first[0][0] if first else _END


def rows_of(store: KeyStore, table: str) -> Iterator[tuple[bytes, bytes]]:
    """Yield all rows of a table, some thousand at a time."""
    start = b""
    while page := store.scan(table, start, _END, _PAGE_ROWS):
        yield from page
        start = page[-1][0] + b"\0"


def unreleased_rows(store: KeyStore) -> list[AssignmentRow]:
    """Return the keys that a process before this one assigned and did not release."""
    return [decode(AssignmentRow, content) for _, content in rows_of(store, ASSIGNMENTS)]
