"""What every store of a key manager offers: rows of bytes in named tables, in one transaction at a time.

The rules of pools and deliveries stand above it and know no engine. So a store may be one file (`SqliteStore`), memory
(`MemoryStore`), or a database that an operator runs; each passes the same conformance tests.

What the rules rest on, and an engine must keep:

- *Durable*: when `commit` has returned, the transaction survives a power cut. What left the process before was not
  covered by it; so nothing leaves before.
- *All or nothing*: after a crash the store is as after some commit, never between two, and never before one that
  returned.
- *Unknown is said*: when `commit` raises, it may have happened or not. The store takes no transaction until `reopen`
  has read back what is there; whoever kept objects in memory drops them. A mark that is lowered in memory because "the
  commit failed", while it stands on the disk, is harmless; one that is lowered because the commit that failed was
  thought to have taken back an earlier one is key used twice.
- *Closed*: a store that is damaged, older than what it told, or open elsewhere refuses to open.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from qkdpost.checks import described, whole_number
from qkdpost.errors import InputError

__all__ = [
    "MAX_ROW_KEY_BYTES",
    "MAX_SCANNED_ROWS",
    "MAX_VALUE_BYTES",
    "KeyStore",
    "check_bound",
    "check_key",
    "check_limit",
    "check_table",
    "check_value",
]

MAX_ROW_KEY_BYTES = 255
"""Of the key of a row."""
MAX_VALUE_BYTES = 2**20
"""Of the value of a row; key material is kept in chunks of about 1 KiB, so that spending one rewrites little."""
MAX_SCANNED_ROWS = 2**20
"""The most rows that one `scan` returns."""

_TABLE = re.compile(r"[a-z][a-z_]{0,30}", re.ASCII)


@runtime_checkable
class KeyStore(Protocol):
    """Rows of bytes in named tables, ordered by key; one transaction at a time, durable when `commit` returns.

    Everything but `reopen` and `close` happens in a transaction, reading as well: what is read is then of one state.
    Tables need not be made; one without rows is empty. Names of tables are lower-case letters and underscores, at most
    31. Keys are 0 to 255 bytes, ordered as Python orders bytes; values at most 1 MiB.

    A store is used by one thread at a time, which may be another one for `commit`.

    Every method may raise `LocalProtocolError` when it is called at the wrong time, in a forked process, or after
    `close`; `InputError` for arguments that the rules above refuse; `StoreUnavailable` when the engine cannot do it,
    after which the transaction is over; and `StoreDamaged` when what it reads is not what was written, after which
    the transaction is over if it was a `put` or `take`.

    >>> from qkdpost import network
    >>> store: network.KeyStore = network.MemoryStore()
    >>> store.begin()
    >>> store.put("marks", b"pool", b"17")
    >>> store.commit()
    """

    def begin(self) -> None:
        """Begin a transaction.

        Raises:
            StoreUnavailable: the outcome of an earlier transaction is unknown; `reopen` first.
        """

    def get(self, table: str, key: bytes) -> bytes | None:
        """Return the value of a row, None if there is none. Secret if it was put so."""

    def put(self, table: str, key: bytes, value: bytes | bytearray, *, secret: bool = False) -> None:
        """Write a row, in place of the one that was there.

        Args:
            table: its name.
            key: of the row; never secret, engines show it.
            value: is copied.
            secret: seal it at rest, if the store can, and erase it so that no copy stays. Key material and pads always
                are secret; marks, states and what the peer or an operator sees anyway need not be. Whether a secret
                row is there must decide nothing about what may be used: that one is missing, or one that was taken is
                back, as after a write that a disk dropped, is seen of the other rows alone.
        """

    def take(self, table: str, key: bytes) -> bytes | None:
        """Return the value of a row and erase it, None if there is none."""

    def erase(self, table: str, keys: Sequence[bytes]) -> None:
        """Erase rows, those of them that are there, without a look at what is in them."""

    def scan(self, table: str, start: bytes, stop: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        """Return the first rows with start <= key < stop, at most `limit`, in the order of their keys."""

    def commit(self) -> None:
        """Make the transaction durable.

        Raises:
            StoreUnavailable: unknown whether it is. Call `reopen`, and build anew from the rows whatever was built.
        """

    def checkpoint(self) -> None:
        """Between transactions: see that what was erased stands in no file any more; for a timer.

        Raises:
            StoreUnavailable: it could not be done; what was committed stands all the same.
        """

    def rollback(self) -> None:
        """Undo the transaction; nothing happens if none is open."""

    def reopen(self) -> None:
        """Close without a commit, open again and read back what is there, with all checks of an opening.

        Raises:
            StoreUnavailable: it cannot be opened now; `reopen` may be tried again.
            StoreDamaged: it never will.
            StoreInUse: another one has opened it meanwhile.
        """

    def close(self) -> None:
        """Undo an open transaction, and leave the store so that the next opening finds it whole."""


def check_table(table: object) -> str:
    """Return the name of a table.

    Raises:
        InputError: it is none.
    """
    if not isinstance(table, str) or not _TABLE.fullmatch(table):
        raise InputError(f"table must be 1 to 31 lower-case letters or underscores; found {described(table)}")
    return table


def check_key(key: object) -> bytes:
    """Return the key of a row.

    Raises:
        InputError: not bytes, or too many.
    """
    if not isinstance(key, bytes) or len(key) > MAX_ROW_KEY_BYTES:
        raise InputError(f"key must be at most {MAX_ROW_KEY_BYTES} bytes; found {described(key)}")
    return key


def check_bound(name: str, bound: object) -> bytes:
    """Return a bound of a scan, which may be one byte longer than a key, so that no key lies above it.

    Raises:
        InputError: not bytes, or too many.
    """
    if not isinstance(bound, bytes) or len(bound) > MAX_ROW_KEY_BYTES + 1:
        raise InputError(f"{name} must be at most {MAX_ROW_KEY_BYTES + 1} bytes; found {described(bound)}")
    return bound


def check_limit(limit: object) -> int:
    """Return how many rows a scan may return.

    Raises:
        InputError: no whole number, or out of range.
    """
    return whole_number("limit", limit, least=1, most=MAX_SCANNED_ROWS)


def check_value(value: object) -> bytes | bytearray:
    """Return the value of a row, which no message shows.

    Raises:
        InputError: not bytes, or too many.
    """
    if isinstance(value, bytes | bytearray) and len(value) <= MAX_VALUE_BYTES:
        return value
    found = described(value)
    del value
    raise InputError(f"value must be at most {MAX_VALUE_BYTES} bytes; found {found}")
