"""A store in memory: the slow, obvious twin of those that last, which can lose power at any moment of a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from qkdpost.checks import whole_number
from qkdpost.errors import LocalProtocolError, StoreUnavailable
from qkdpost.network.store.protocol import check_bound, check_key, check_limit, check_table, check_value
from qkdpost.single_use import SingleUse

__all__ = ["MemoryStore"]

_Tables = dict[str, dict[bytes, bytes]]


class MemoryStore(SingleUse):
    """A `KeyStore` that is gone with its process: for tests and simulations, never for key that anybody waits for.

    A transaction works on a copy of all tables; `commit` puts the copy in their place. `lose_power_at` makes it fail
    as a host fails whose power is cut: only what was committed is there after `reopen`.

    >>> store = MemoryStore()
    >>> store.begin()
    >>> store.put("marks", b"pool", b"17")
    >>> store.commit()
    >>> store.lose_power_at(1)
    >>> store.begin()
    >>> store.put("marks", b"pool", b"18")
    Traceback (most recent call last):
        ...
    qkdpost.errors.StoreUnavailable: the power of this store was cut; reopen it
    >>> store.reopen()
    >>> store.begin(); store.get("marks", b"pool")
    b'17'
    """

    __slots__ = ("_committed", "_error", "_is_closed", "_lost", "_moments_left", "_open")

    instead: ClassVar[str] = "take its snapshot() and restore() that in another one"

    def __init__(self) -> None:
        self._committed: _Tables = {}
        self._open: _Tables | None = None
        self._moments_left: int | None = None
        self._error: type[BaseException] = StoreUnavailable
        self._lost = False
        self._is_closed = False

    def __repr__(self) -> str:
        return f"MemoryStore(rows={sum(map(len, self._committed.values()))})"

    # The transaction.

    def begin(self) -> None:
        """See `KeyStore.begin`."""
        self._check_power()
        if self._open is not None:
            raise LocalProtocolError("a transaction is open already: commit it or roll it back first")
        self._open = _copied(self._committed)

    def get(self, table: str, key: bytes) -> bytes | None:
        """See `KeyStore.get`."""
        return self._tables().get(check_table(table), {}).get(check_key(key))

    def put(self, table: str, key: bytes, value: bytes | bytearray, *, secret: bool = False) -> None:
        """See `KeyStore.put`."""
        rows = self._tables().setdefault(check_table(table), {})
        where, kept = check_key(key), bytes(check_value(value))
        self._moment()
        rows[where] = kept

    def take(self, table: str, key: bytes) -> bytes | None:
        """See `KeyStore.take`."""
        rows = self._tables().get(check_table(table), {})
        where = check_key(key)
        self._moment()
        return rows.pop(where, None)

    def erase(self, table: str, keys: Sequence[bytes]) -> None:
        """See `KeyStore.erase`."""
        for key in keys:
            self.take(table, key)

    def scan(self, table: str, start: bytes, stop: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        """See `KeyStore.scan`."""
        rows = self._tables().get(check_table(table), {})
        first, end, most = check_bound("start", start), check_bound("stop", stop), check_limit(limit)
        return sorted((key, value) for key, value in rows.items() if first <= key < end)[:most]

    def commit(self) -> None:
        """See `KeyStore.commit`."""
        tables = self._tables()
        self._moment()
        self._committed = tables
        self._moment()
        self._open = None

    def checkpoint(self) -> None:
        """See `KeyStore.checkpoint`: there is no file."""
        self._check_power()
        if self._open is not None:
            raise LocalProtocolError("a transaction is open: commit it or roll it back before a checkpoint")

    def rollback(self) -> None:
        """See `KeyStore.rollback`."""
        self._open = None

    def reopen(self) -> None:
        """See `KeyStore.reopen`; the power is back."""
        self._open = None
        self._lost = self._is_closed = False
        self._moments_left = None

    def close(self) -> None:
        """See `KeyStore.close`."""
        self._open = None
        self._is_closed = True

    # For tests.

    def lose_power_at(self, moment: int, error: type[BaseException] = StoreUnavailable) -> None:
        """Cut the power at the n-th moment from now on, counted from 1.

        Before a `put` or `take` is one moment each; a `commit` has two, before it is durable and after that.

        Args:
            moment: which.
            error: what is raised then; one that no manager catches plays a process that dies.

        Raises:
            InputError: no whole number above 0.
        """
        self._moments_left = whole_number("moment", moment, least=1)
        self._error = error

    def snapshot(self) -> Mapping[str, Mapping[bytes, bytes]]:
        """Return a copy of all that is committed, as a backup is one. Secret."""
        return _copied(self._committed)

    def restore(self, snapshot: Mapping[str, Mapping[bytes, bytes]]) -> None:
        """Put back what `snapshot` gave, as an operator restores a backup of a host that stands still.

        Raises:
            LocalProtocolError: a transaction is open.
        """
        if self._open is not None:
            raise LocalProtocolError("a transaction is open: commit it or roll it back before a restore")
        self._committed = _copied(snapshot)

    def _tables(self) -> _Tables:
        self._check_power()
        if self._open is None:
            raise LocalProtocolError("no transaction is open: begin one first")
        return self._open

    def _check_power(self) -> None:
        if self._is_closed:
            raise LocalProtocolError("this store is closed: reopen it, or make another one")
        if self._lost:
            raise StoreUnavailable("the power of this store was cut; reopen it")

    def _moment(self) -> None:
        if self._moments_left is None:
            return
        self._moments_left -= 1
        if self._moments_left == 0:
            self._lost, self._open, self._moments_left = True, None, None
            raise self._error("the power of this store was cut; reopen it")


def _copied(tables: Mapping[str, Mapping[bytes, bytes]]) -> _Tables:
    return {name: dict(rows) for name, rows in tables.items()}
