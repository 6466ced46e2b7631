"""Where secret rows stand: in slots that are overwritten in place, so that what is erased leaves no copy.

`secure_delete` of SQLite overwrites what it deletes where it stands. But when pages are split or merged, cells move,
and what lay in the space between them stays there: an older copy of a row that is alive, which nobody overwrites when
the row is deleted at last. In a trial with 60 rows of half a kilobyte one in 120 erased values was found in the
database after a checkpoint.

So nothing secret is ever moved here:

- A slot is a row of a table with row numbers, and new ones are only appended. SQLite then puts a new page beside a full
  one and moves no cell. Slots are never deleted.
- A value is written over zeros of equal length, and zeros over the value; SQLite overwrites a row of equal size in
  place. So slots have sizes of some classes, at most an eighth larger than what is in them, and are used again.

The file therefore keeps the size of the most that was ever in it. Which name has which slot stands in a table of its
own, that holds nothing secret; so do the numbers of free slots.
"""

from __future__ import annotations

import sqlite3
import struct

from qkdpost.errors import StoreDamaged

__all__ = ["SLOT_TABLES", "Slots"]

SLOT_TABLES = (
    "CREATE TABLE slots(id INTEGER PRIMARY KEY, value BLOB NOT NULL)",
    "CREATE TABLE secret(name BLOB PRIMARY KEY, slot INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE free(size INTEGER, slot INTEGER, PRIMARY KEY(size, slot)) WITHOUT ROWID",
)
_FREE = "SELECT slot FROM free WHERE size=? ORDER BY slot LIMIT ?"
_LOOKED_UP = 256
_LENGTH = struct.Struct("<I")
_LEAST_BYTES = 64


def slot_bytes(count: int) -> int:
    """Return the size of the slot of a value: at most an eighth more, or the least there is."""
    size = max(_LEAST_BYTES, count + _LENGTH.size)
    step = 1 << max(0, size.bit_length() - 4)
    return -(-size // step) * step


class Slots:
    """The slots of a store, in a transaction that somebody else opens and ends.

    Args:
        connection: to the database.
    """

    __slots__ = ("_connection", "_free")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._free: dict[int, list[int]] = {}

    def rolled_back(self) -> None:
        """Look up anew which slots are free."""
        self._free.clear()

    def find(self, name: bytes) -> tuple[int, object] | None:
        """Return the slot of a row and what is in it."""
        found = self._connection.execute(
            "SELECT secret.slot, slots.value FROM secret LEFT JOIN slots ON slots.id=secret.slot WHERE name=?", (name,)
        ).fetchall()
        return (found[0][0], content_of(found[0][1])) if found else None

    def write(self, name: bytes, value: bytes | bytearray, old_slot: int | None) -> None:
        """Write a row, and erase the slot that it has so far."""
        if old_slot is not None:
            self._empty(old_slot)
        content = _LENGTH.pack(len(value)) + value
        content += bytes(slot_bytes(len(value)) - len(content))
        slot = self._filled(content)
        self._connection.execute(
            "INSERT INTO secret VALUES(?,?) ON CONFLICT(name) DO UPDATE SET slot=excluded.slot", (name, slot)
        )

    def erase(self, name: bytes, slot: int) -> None:
        """Erase a row."""
        self._empty(slot)
        self._connection.execute("DELETE FROM secret WHERE name=?", (name,))

    def has_any(self, prefix: bytes) -> bool:
        """Tell whether there is a row whose name begins so."""
        after = self._connection.execute("SELECT name FROM secret WHERE name>=? LIMIT 1", (prefix,)).fetchall()
        return bool(after) and (not isinstance(after[0][0], bytes) or after[0][0].startswith(prefix))

    def _filled(self, content: bytes) -> int:
        size = len(content)
        slot = self._next_free(size)
        if slot is None:
            number = self._connection.execute("INSERT INTO slots(value) VALUES(?)", (content,)).lastrowid
            return int(number or 0)
        done = self._connection.execute(
            "UPDATE slots SET value=? WHERE id=? AND value=zeroblob(?)", (content, slot, size)
        )
        if done.rowcount != 1:
            raise StoreDamaged("a free slot of the store is not empty: restore a backup")
        self._connection.execute("DELETE FROM free WHERE size=? AND slot=?", (size, slot))
        return slot

    def _next_free(self, size: int) -> int | None:
        """Return a free slot of some that were looked up together; an empty list says that there was none."""
        if size not in self._free:
            found = self._connection.execute(_FREE, (size, _LOOKED_UP)).fetchall()
            self._free[size] = [int(slot) for (slot,) in reversed(found)]
        slots = self._free[size]
        if not slots:
            return None
        slot = slots.pop()
        if not slots:
            del self._free[size]
        return slot

    def _empty(self, slot: int) -> None:
        self._free.clear()
        self._connection.execute("UPDATE slots SET value=zeroblob(length(value)) WHERE id=?", (slot,))
        self._connection.execute("INSERT INTO free SELECT length(value), id FROM slots WHERE id=?", (slot,))


def content_of(slot: object) -> object:
    """Return what is in a slot, None of one that is damaged so that even its length is none."""
    if not isinstance(slot, bytes) or len(slot) < _LENGTH.size:
        return None
    end = _LENGTH.size + _LENGTH.unpack_from(slot)[0]
    return slot[_LENGTH.size : end] if end <= len(slot) else None
