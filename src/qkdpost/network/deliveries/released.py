"""What is remembered of released keys until the slaves' copies have expired, so that they can be taken back."""

from __future__ import annotations

import math
from collections.abc import Iterator
from hashlib import blake2b
from struct import Struct

from qkdpost.errors import InputError, StoreDamaged
from qkdpost.network.deliveries.records import (
    DELIVERIES,
    RESTS_ON,
    AssignmentRow,
    decode_assignments,
    encode,
    expiry_key,
    expiry_of,
)
from qkdpost.network.provenance import Provenance
from qkdpost.network.store.protocol import MAX_VALUE_BYTES, KeyStore

__all__ = ["ReleasedKeys", "rows_of"]

_PAGE_ROWS = 4096
_ENTRIES = 64
"""Of a row: it stays below a megabyte, whatever names there are."""
_UNTIL = Struct("<d")
_END = b"\xff" * 40
_LONGER = 1.0625


class ReleasedKeys:
    """Records of released keys, and what all assigned ones are made of.

    What keys are made of is written once, and kept until the last of them has expired; so long a time is written that
    it need not be written anew for each key. Counts of checks are left out: they grow with every frame, and nobody
    takes a check back.

    Args:
        store: whose open transaction is read and written.
    """

    __slots__ = ("_first_seconds", "_forget_at", "_fresh", "_last", "_store", "_until")

    def __init__(self, store: KeyStore) -> None:
        self._store = store
        self._fresh: list[AssignmentRow] = []
        self._first_seconds = self._earliest()
        self._last: tuple[Provenance, bytes, bytes] | None = None
        self._until: dict[bytes, float] = {}
        for name, content in rows_of(store, RESTS_ON):
            if len(content) < _UNTIL.size:
                raise StoreDamaged("a row of what keys are made of is none: restore the store, or set up a new one")
            (self._until[name],) = _UNTIL.unpack_from(content)
        self._forget_at = min(self._until.values(), default=math.inf)

    # What keys are made of.

    def remember(self, provenance: Provenance, now_seconds: float, until_seconds: float) -> bytes:
        """Return the name of a provenance, and keep it until then at least.

        Raises:
            InputError: it is longer than a row may be.
        """
        if self._last is None or self._last[0] is not provenance:
            content = Provenance(blocks=provenance.blocks, transfers=provenance.transfers).to_bytes()
            if len(content) > MAX_VALUE_BYTES - _UNTIL.size:
                raise InputError("the keys of one frame rest on more than a row can tell")
            self._last = provenance, blake2b(content, digest_size=16, person=b"qkdpost rests on").digest(), content
        _, name, content = self._last
        if self._until.get(name, 0.0) < until_seconds:
            until = self._until[name] = now_seconds + _LONGER * (until_seconds - now_seconds)
            self._forget_at = min(until, self._forget_at)
            self._store.put(RESTS_ON, name, _UNTIL.pack(until) + content)
        return name

    def naming(self, identifier: bytes) -> frozenset[bytes]:
        """Return the names of all provenances with a block or transfer of this identifier."""
        return frozenset(
            name
            for name, content in rows_of(self._store, RESTS_ON)
            if Provenance.from_bytes(content[_UNTIL.size :], error=StoreDamaged).has(identifier)
        )

    # Records.

    def add(self, row: AssignmentRow) -> None:
        """Remember released keys until they expire; written with the turn."""
        self._fresh.append(row)

    def write(self) -> None:
        """Write what was released in this turn; before its commit."""
        if not self._fresh:
            return
        for start in range(0, len(self._fresh), _ENTRIES):
            rows = self._fresh[start : start + _ENTRIES]
            key = expiry_key(max(row.expires_seconds for row in rows), rows[0].name)
            self._store.put(DELIVERIES, key, encode(rows))
            self._first_seconds = min(self._first_seconds, *(row.expires_seconds for row in rows))
        self._fresh.clear()

    def resting_on(self, provenances: frozenset[bytes]) -> Iterator[AssignmentRow]:
        """Yield the records of keys that are made of one of these."""
        self.write()
        for _, content in rows_of(self._store, DELIVERIES):
            for row in decode_assignments(content):
                if row.provenance in provenances:
                    yield row

    def expire(self, now_seconds: float, limit: int = 1024) -> bool:
        """Forget records whose keys have expired; a piece of the work, and tell whether more is left."""
        if now_seconds >= self._forget_at:
            self._forget_provenances(now_seconds)
        if now_seconds < self._first_seconds:
            return False  # as in almost every turn
        now = expiry_key(now_seconds, b"")
        page = self._store.scan(DELIVERIES, b"", now, limit)
        self._store.erase(DELIVERIES, [key for key, _ in page])
        self._first_seconds = self._earliest()
        return len(page) == limit

    def _forget_provenances(self, now_seconds: float) -> None:
        for name in [name for name, until in self._until.items() if until <= now_seconds]:
            self._store.erase(RESTS_ON, [name])
            del self._until[name]
        self._forget_at = min(self._until.values(), default=math.inf)

    def _earliest(self) -> float:
        """Return when the first record expires, or never."""
        first = self._store.scan(DELIVERIES, b"", _END, 1)
        return expiry_of(first[0][0]) if first else math.inf


def rows_of(store: KeyStore, table: str) -> Iterator[tuple[bytes, bytes]]:
    """Yield all rows of a table, some thousand at a time."""
    start = b""
    while page := store.scan(table, start, _END, _PAGE_ROWS):
        yield from page
        start = page[-1][0] + b"\0"
