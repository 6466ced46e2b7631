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
from collections.abc import Collection, Iterable

from qkdpost.errors import StoreDamaged

__all__ = ["SLOT_TABLES", "Slots"]

SLOT_TABLES = (
    "CREATE TABLE slots(id INTEGER PRIMARY KEY, value BLOB NOT NULL)",
    "CREATE TABLE secret(name BLOB PRIMARY KEY, slot INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE free(size INTEGER, slot INTEGER, PRIMARY KEY(size, slot)) WITHOUT ROWID",
)
_FIND = "SELECT secret.slot, slots.value FROM secret LEFT JOIN slots ON slots.id=secret.slot WHERE name=?"
_ADD = (
    "INSERT INTO secret SELECT ?1, ?2 WHERE NOT EXISTS(SELECT 1 FROM plain WHERE name=?1) ON CONFLICT(name) DO NOTHING"
)
_FREE = "SELECT slot FROM free WHERE size=? ORDER BY slot LIMIT ?"
_ZERO = "UPDATE slots SET value=zeroblob(?2) WHERE id=?1 AND length(value)=?2"
_LOOKED_UP = 256
_MOST_KNOWN = 4096
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

    __slots__ = ("_connection", "_free", "_known")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._free: dict[int, list[int]] = {}
        self._known: dict[bytes, tuple[int, int]] = {}

    def rolled_back(self) -> None:
        """Look up anew which slots are free, and which rows have."""
        self._free.clear()
        self._known.clear()

    def find(self, name: bytes) -> tuple[int, object] | None:
        """Return the slot of a row and what is in it."""
        found = self._connection.execute(_FIND, (name,)).fetchall()
        if not found:
            return None
        slot, stored = found[0]
        self.know(name, slot, stored)
        return slot, content_of(stored)

    def know(self, name: bytes, slot: int, stored: object) -> None:
        """Remember where a row is that was read, so that it can be erased without a search."""
        if isinstance(stored, bytes):
            self._know(name, slot, len(stored))

    def _know(self, name: bytes, slot: int, size: int) -> None:
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[name] = slot, size

    def knows(self, name: bytes) -> bool:
        """Tell whether a row is there for certain."""
        return name in self._known

    def add(self, name: bytes, value: bytes | bytearray) -> bool:
        """Write a row if there is none of its name, of either kind; tell whether there was none."""
        content = _content(value)
        slot = self._filled(content)
        if self._connection.execute(_ADD, (name, slot)).rowcount == 1:
            self._know(name, slot, len(content))
            return True
        self._empty([(slot, len(content))])
        return False

    def write(self, name: bytes, value: bytes | bytearray) -> None:
        """Write a row in place of the secret one that is there."""
        place = self._place_of(name)
        if place is not None:
            self._empty([place])
        content = _content(value)
        slot = self._filled(content)
        if self._connection.execute("UPDATE secret SET slot=? WHERE name=?", (slot, name)).rowcount != 1:
            raise StoreDamaged("a secret row of the store is missing that was there before: restore a backup")
        self._know(name, slot, len(content))

    def erase(self, names: Iterable[bytes]) -> None:
        """Erase rows that are there."""
        places = {name: place for name in names if (place := self._place_of(name)) is not None}
        for name in places:
            del self._known[name]
        self._empty(places.values())
        done = self._connection.executemany("DELETE FROM secret WHERE name=?", [(name,) for name in places])
        if done.rowcount != len(places):
            raise StoreDamaged("a secret row of the store is missing that was there before: restore a backup")

    def _place_of(self, name: bytes) -> tuple[int, int] | None:
        if name not in self._known and self.find(name) is not None and name not in self._known:
            raise StoreDamaged("a slot of the store holds no bytes: restore a backup")
        return self._known.get(name)

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

    def _empty(self, places: Collection[tuple[int, int]]) -> None:
        """Overwrite slots of these sizes with zeros, and have them be used again."""
        done = self._connection.executemany(_ZERO, places)
        if done.rowcount != len(places):
            raise StoreDamaged("a slot of the store is missing, or has another size: restore a backup")
        self._connection.executemany("INSERT INTO free(slot, size) VALUES(?,?)", places)
        for slot, size in places:
            if size in self._free:
                self._free[size].append(slot)


def _content(value: bytes | bytearray) -> bytes:
    """Return what stands in the slot of a value."""
    return _LENGTH.pack(len(value)) + value + bytes(slot_bytes(len(value)) - _LENGTH.size - len(value))


def content_of(slot: object) -> object:
    """Return what is in a slot, None of one that is damaged so that even its length is none."""
    if not isinstance(slot, bytes) or len(slot) < _LENGTH.size:
        return None
    end = _LENGTH.size + _LENGTH.unpack_from(slot)[0]
    return slot[_LENGTH.size : end] if end <= len(slot) else None
