"""How rows stand in the database: value, then a check over table, key and value; and the one row that sums them up.

A flipped bit of a disk or of a log is not seen by SQLite: of 300 such flips in a trial its `quick_check` found one, and
258 changed what rows said. So each row ends in BLAKE2b-128 over what it is and where it stands, keyed if the store is
sealed, and is looked at whenever it is read.

A check of its own does not show that a row is *missing*, as after a flip in its key, or *old*, as after a write to a
page that the disk dropped. So the state row has, besides the number of commits, how many plain rows there are and the
exclusive or of their checks; both follow each change and are compared with all plain rows at each opening. Plain rows
are those that decide (marks, limits, states of deliveries). Secret rows, which are many and large, are checked when
they are read; whether one is there must decide nothing, so that an old or missing one costs key and never uses it
twice.

The exclusive or is against accidents: who can write to the disk can put back all of it as it was, and for that there is
`Sealer.counter` alone.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import Literal

from qkdpost.errors import StoreDamaged
from qkdpost.network.store.protocol import MAX_ROW_KEY_BYTES, check_key, check_table

__all__ = ["CHECK_BYTES", "Checks", "Kind", "RowNames", "State", "row_name"]

CHECK_BYTES = 16
_MOST_TABLES = 256
_STATE = struct.Struct("<QQ16sQB")
_HEADS = [[struct.pack("<BH", kind, count) for count in range(320)] for kind in range(4)]
"""What stands before a name in a check: the kind of the row, and the length of the name."""

Kind = Literal[0, 1, 2, 3]
"""What a check is of: a plain row, a secret one, a wrapped key, the state."""


def row_name(table: str, key: bytes) -> bytes:
    """Return table and key as one; names of tables hold no zero, so that no two tables overlap."""
    return b"%b\0%b" % (table.encode("ascii"), key)


class RowNames:
    """Names of rows, of tables and keys that are checked; what was checked once is not again."""

    __slots__ = ("_begins",)

    def __init__(self) -> None:
        self._begins: dict[str, bytes] = {}

    def __call__(self, table: str, key: bytes) -> bytes:
        """Return the name of a row.

        Raises:
            InputError: table or key are none.
        """
        begin = self._begins.get(table) if type(table) is str else None
        if begin is None:
            begin = row_name(check_table(table), b"")
            if len(self._begins) < _MOST_TABLES:
                self._begins[table] = begin
        if type(key) is bytes and len(key) <= MAX_ROW_KEY_BYTES:
            return begin + key
        return begin + check_key(key)


class Checks:
    """The checks of all rows of a store.

    Args:
        key: of the checks, 32 bytes; none if anybody may compute them. Secret.
    """

    __slots__ = ("_began",)

    def __init__(self, key: bytes) -> None:
        self._began = hashlib.blake2b(key=key, digest_size=CHECK_BYTES, person=b"qkdpost row")

    def of(self, kind: Kind, name: bytes, value: bytes | bytearray) -> bytes:
        """Return the check of a row."""
        digest = self._began.copy()
        digest.update(b"".join((_HEADS[kind][len(name)], name, value)))
        return digest.digest()

    def value_of(self, kind: Kind, name: object, stored: object) -> bytes:
        """Return the value of a stored row; both come from the disk, where a flipped bit makes a number of a string.

        Raises:
            StoreDamaged: its check is wrong.
        """
        table = "an unreadable table"
        if isinstance(name, bytes) and isinstance(stored, bytes):
            value = stored[:-CHECK_BYTES]
            if len(stored) >= CHECK_BYTES and self.of(kind, name, value) == stored[-CHECK_BYTES:]:
                return value
            table = name.partition(b"\0")[0].decode("ascii", "replace")
            del value
        del stored
        raise StoreDamaged(f"a row of the store, of {table!r}, is not what was written: restore a backup")


@dataclass(slots=True)
class State:
    """What the state row says; it follows each change of a transaction.

    Attributes:
        commits: how many transactions were committed.
        rows: how many plain rows there are.
        fold: the exclusive or of their checks.
        counter: that of `Sealer.counter` when it was last raised.
        is_clean: the database was closed as it should be, and needs no log.
    """

    commits: int = 0
    rows: int = 0
    fold: int = 0
    counter: int = 0
    is_clean: bool = False

    def pack(self, checks: Checks) -> bytes:
        """Return it as it is stored."""
        body = _STATE.pack(
            self.commits,
            self.rows,
            self.fold.to_bytes(CHECK_BYTES, "little"),
            self.counter,
            self.is_clean,
        )
        return body + checks.of(3, b"", body)

    @classmethod
    def unpack(cls, stored: bytes, checks: Checks) -> State:
        """Read what is stored.

        Raises:
            StoreDamaged: its check is wrong.
        """
        body = checks.value_of(3, b"", stored)
        if len(body) != _STATE.size:
            raise StoreDamaged("the state row of the store has another length: something else wrote it")
        commits, rows, fold, counter, is_clean = _STATE.unpack(body)
        return cls(commits, rows, int.from_bytes(fold, "little"), counter, bool(is_clean))
