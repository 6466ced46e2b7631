"""The tables of the database and what is done with them, inside of a transaction that somebody else opens and ends.

    plain    name -> value, check     rows that decide; summed up in the state
    secret   name -> slot             key material, and wrapped keys; see `slots`
    slots    number -> sealed, check
    free     size, slot
    state    one row, see `rows.State`

`name` is table and key; that of a wrapped key is a zero and the name of its group. `plain` is a table without row
numbers: one tree, in whose inner nodes the rows themselves stand. If reading it from one end to the other gives names
that only rise, as is checked at each opening, then each search for a name goes the right way at every node, so that no
row that is there is missed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence

from qkdpost.errors import ConfigurationError, StoreDamaged
from qkdpost.network.store.rows import CHECK_BYTES, Checks, State, row_name
from qkdpost.network.store.sealing import Sealer
from qkdpost.network.store.slots import SLOT_TABLES, Slots, content_of

__all__ = ["Database", "is_made", "make_tables"]

APPLICATION = int.from_bytes(b"qkds", "big")
VERSION = 1
_STORE_KEY = b"\0"
_PLAIN = 0
_FETCHED = 4096
_MOST_KNOWN = 4096
_LONGEST_KNOWN = 1024
"""Of rows that are remembered, none of them secret."""
_TABLES = (
    "CREATE TABLE plain(name BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    *SLOT_TABLES,
    "CREATE TABLE state(id INTEGER PRIMARY KEY, value BLOB NOT NULL)",
)
_FIND = (
    "SELECT 0, value FROM plain WHERE name=?1 UNION ALL SELECT slot, slots.value FROM secret "
    "LEFT JOIN slots ON slots.id=slot WHERE name=?1"
)
_PUT = "INSERT INTO plain VALUES(?,?) ON CONFLICT(name) DO UPDATE SET value=excluded.value"
_INSERT = (
    "INSERT INTO plain SELECT ?1, ?2 WHERE NOT EXISTS(SELECT 1 FROM secret WHERE name=?1) ON CONFLICT(name) DO NOTHING"
)
_UPDATE = "UPDATE plain SET value=?2 WHERE name=?1"
_DELETE = "DELETE FROM plain WHERE name=?"
_SCAN = (
    "SELECT name, value, 0 FROM plain WHERE name>=?1 AND name<?2 UNION ALL SELECT name, slots.value, slot FROM secret "
    "LEFT JOIN slots ON slots.id=secret.slot WHERE name>=?1 AND name<?2 ORDER BY 1 LIMIT ?3"
)


def make_tables(connection: sqlite3.Connection, sealer: Sealer) -> None:
    """Make an empty store, in an open transaction."""
    for statement in (f"PRAGMA application_id={APPLICATION}", f"PRAGMA user_version={VERSION}", *_TABLES):
        connection.execute(statement)
    wrapped = sealer.new_key()
    checks = Checks(sealer.check_key(wrapped))
    Slots(connection).add(_STORE_KEY, wrapped + Checks(b"").of(2, _STORE_KEY, wrapped))
    connection.execute("INSERT INTO state VALUES(1, ?)", (State().pack(checks),))


def is_made(connection: sqlite3.Connection) -> bool:
    """Tell whether a store is there; an empty database is none yet.

    Raises:
        StoreDamaged: it is the database of something else.
        ConfigurationError: of another version of this library.
    """
    pragmas: list[object] = [
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
    ]
    if pragmas == [0, 0] and not connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall():
        return False
    if pragmas[0] != APPLICATION:
        raise StoreDamaged("the database is none of a store of keys, or its first page is damaged")
    if pragmas[1] != VERSION:
        raise ConfigurationError(
            f"the store is of format version {pragmas[1]}, and this version of the library reads {VERSION}: open it "
            "with the one that wrote it"
        )
    found = connection.execute("SELECT CAST(sql AS BLOB) FROM sqlite_schema ORDER BY rowid").fetchall()
    if found != [(statement.encode(),) for statement in _TABLES]:
        raise StoreDamaged("the schema of the store is not what was written: restore a backup")
    return True


class Database:
    """The rows of a store.

    Args:
        connection: to it.
        sealer: of its secret rows.
        groups: of which tables how many first bytes of the key name what is erased together, as a segment.

    Raises:
        StoreDamaged: the rows that sum up the others are damaged, or of another sealer.
        ConfigurationError: the store is sealed and this sealer seals not, or the reverse.
    """

    __slots__ = (
        "_changed",
        "_checks",
        "_forgotten",
        "_groups",
        "_known",
        "_sealer",
        "_slots",
        "_store_key",
        "connection",
        "state",
    )

    def __init__(self, connection: sqlite3.Connection, sealer: Sealer, groups: Mapping[str, int]) -> None:
        self.connection = connection
        self._slots = Slots(connection)
        self._sealer = sealer
        self._groups = {row_name(table, b""): count for table, count in groups.items()}
        self._changed = False
        self._forgotten: list[bytes] = []
        self._known: dict[bytes, bytes] = {}
        wrapped = self._wrapped(_STORE_KEY)
        if wrapped is None:
            raise StoreDamaged("the store has lost its wrapped key; restore a backup")
        if bool(wrapped) != sealer.seals:
            raise ConfigurationError(
                "the store is sealed: give the sealer of its key"
                if wrapped
                else "the store is not sealed: give no sealer, or move its rows to a new store with one"
            )
        self._store_key = wrapped
        self._checks = Checks(sealer.check_key(wrapped))
        self.state = self._read_state()

    # The transaction as a whole.

    @property
    def is_changed(self) -> bool:
        """Whether this transaction has written."""
        return self._changed

    def write_state(self) -> None:
        """Count the commit that is to come, and write the state as it is then."""
        self.state.commits += 1
        self.connection.execute("UPDATE state SET value=? WHERE id=1", (self.state.pack(self._checks),))

    def committed(self) -> None:
        """Forget the keys whose wrapped forms were erased, now that this is durable."""
        forgotten, self._forgotten, self._changed = self._forgotten, [], False
        for wrapped in forgotten:
            self._sealer.forget_key(wrapped)

    def rolled_back(self) -> None:
        """Take up the state that stands in the database again."""
        self._forgotten, self._changed = [], False
        self._known.clear()
        self._slots.rolled_back()
        self.state = self._read_state()

    # Rows.

    def get(self, name: bytes) -> bytes | None:
        """Return the value of a row."""
        found = self._find(name)
        return None if found is None else self._value(name, *found)

    def put_secret(self, name: bytes, value: bytes | bytearray) -> None:
        """Write a secret row."""
        self._changed = True
        sealed = self._sealed(name, value)
        content = sealed + self._checks.of(1, name, sealed)
        if not self._slots.knows(name):
            if self._slots.add(name, content):
                return
            slot, stored = self._there(name)
            if slot == _PLAIN:
                self._drop(name, slot, stored)
                self._slots.add(name, content)
                return
        self._slots.write(name, content)

    def put(self, name: bytes, value: bytes | bytearray) -> None:
        """Write a plain row with one statement, if it is new or was written lately, so that it is known.

        The old check is taken from the sum as it went in. Were the old row damaged meanwhile, it would not be after.
        """
        self._changed = True
        check, known = self._checks.of(0, name, value), self._known.get(name)
        stored = b"".join((value, check))
        if known is not None:
            if self.connection.execute(_UPDATE, (name, stored)).rowcount != 1:
                raise _missing()
            self._fold(known)
        else:
            if self.connection.execute(_INSERT, (name, stored)).rowcount != 1:
                self._drop(name, *self._there(name), stays=True)
                self.connection.execute(_PUT, (name, stored))
            self.state.rows += 1
        self._fold(check)
        if known is not None and len(stored) == len(known):
            self._known[name] = stored
        else:
            self._know(name, stored)

    def _there(self, name: bytes) -> tuple[int, object]:
        found = self._find(name)
        if found is None:
            raise StoreDamaged("a row of the store is there and cannot be found: restore a backup")
        return found

    def _know(self, name: bytes, stored: bytes) -> None:
        if len(stored) > _LONGEST_KNOWN:
            self._known.pop(name, None)
            return
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[name] = stored

    def take(self, name: bytes) -> bytes | None:
        """Return the value of a row and erase it; of a plain one that was written lately as it went in."""
        known = self._known.get(name)
        if known is not None:
            self._drop_known(name, known)
            return known[:-CHECK_BYTES]
        found = self._find(name)
        if found is None:
            return None
        value = self._value(name, *found)
        self._changed = True
        self._drop(name, *found)
        return value

    def erase(self, names: Sequence[bytes]) -> None:
        """Erase rows, those that are there; secret ones of which it is known where they stand all together."""
        slotted = []
        for name in names:
            if self._slots.knows(name):
                slotted.append(name)
            elif (known := self._known.get(name)) is not None:
                self._drop_known(name, known)
            elif (found := self._find(name)) is not None:
                self._changed = True
                self._drop(name, *found)
        if slotted:
            self._changed = True
            self._slots.erase(dict.fromkeys(slotted))
            for name in slotted if self._store_key else ():
                self._erase_group_if_empty(name)

    def _drop_known(self, name: bytes, stored: bytes) -> None:
        self._changed = True
        if self.connection.execute(_DELETE, (name,)).rowcount != 1:
            raise _missing()
        del self._known[name]
        self.state.rows -= 1
        self._fold(stored)

    def scan(self, start: bytes, stop: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        """Return rows in the order of their names; the cursor is finished, for an open one forbids checkpoints."""
        found = self.connection.execute(_SCAN, (start, stop, limit)).fetchall()
        for name, stored, slot in found:
            if slot != _PLAIN and isinstance(slot, int) and isinstance(name, bytes):
                self._slots.know(name, slot, stored)
        return [(name, self._value(name, slot, stored)) for name, stored, slot in found]

    def verify(self) -> None:
        """Read all plain rows and compare them with the state.

        Raises:
            StoreDamaged: one is damaged, missing, old, or out of order.
        """
        rows, fold, last = 0, 0, None
        cursor = self.connection.execute("SELECT name, value FROM plain ORDER BY name")
        for some in iter(lambda: cursor.fetchmany(_FETCHED), []):
            for name, stored in some:
                self._checks.value_of(0, name, stored)
                if last is not None and name <= last:
                    raise StoreDamaged("rows of the store are out of order: restore a backup")
                fold ^= int.from_bytes(stored[-CHECK_BYTES:], "little")
                last = name
            rows += len(some)
        if (rows, fold) != (self.state.rows, self.state.fold):
            raise StoreDamaged(
                f"the store has {rows} rows that are not those of its last commit, which had {self.state.rows}: "
                "restore a backup"
            )

    # Parts of these.

    def _find(self, name: bytes) -> tuple[int, object] | None:
        """Return where a row is, and what stands there: `_PLAIN`, or the number of a slot."""
        found = self.connection.execute(_FIND, (name,)).fetchall()
        if len(found) > 1 or (found and not isinstance(found[0][0], int)):
            raise StoreDamaged("a row of the store stands there twice, or nowhere: restore a backup")
        if not found:
            return None
        slot, stored = found[0]
        if slot != _PLAIN:
            self._slots.know(name, slot, stored)
        return slot, stored

    def _value(self, name: bytes, slot: int, stored: object) -> bytes:
        if slot == _PLAIN:
            return self._checks.value_of(0, name, stored)
        return self._opened(name, content_of(stored))

    def _drop(self, name: bytes, slot: int, stored: object, *, stays: bool = False) -> None:
        """Erase a row; of a plain one whose place is taken at once only its part of the sum."""
        if slot != _PLAIN:
            self._slots.erase([name])
            self._erase_group_if_empty(name)
            return
        self._known.pop(name, None)
        self._checks.value_of(0, name, stored)
        self.state.rows -= 1
        self._fold(bytes(stored))  # type: ignore[call-overload]  # they are the right bytes
        if not stays:
            self.connection.execute(_DELETE, (name,))

    def _fold(self, stored: bytes | bytearray) -> None:
        """Put the check at the end of a row into the sum, or take it out."""
        self.state.fold ^= int.from_bytes(stored[-CHECK_BYTES:], "little")

    def _read_state(self) -> State:
        found = self.connection.execute("SELECT value FROM state WHERE id=1").fetchall()
        if not found:
            raise StoreDamaged("the store has lost its state row: restore a backup")
        return State.unpack(found[0][0], self._checks)

    # Seals.

    def _sealed(self, name: bytes, value: bytes | bytearray) -> bytes | bytearray:
        return self._sealer.seal(self._key_of(name, self._make_key), value, name) if self._store_key else value

    def _opened(self, name: bytes, stored: object) -> bytes:
        sealed = self._checks.value_of(1, name, stored)
        return self._sealer.open(self._key_of(name, _lost_key), sealed, name) if self._store_key else sealed

    def _key_of(self, name: bytes, otherwise: Callable[[bytes], bytes]) -> bytes:
        group = self._group_of(name)
        return (self._wrapped(b"\0" + group) or otherwise(b"\0" + group)) if group else self._store_key

    def _group_of(self, name: bytes) -> bytes:
        """Return what names the group of a row: the table and the first bytes of its key; nothing if it has none."""
        table_bytes = name.index(0) + 1
        count = self._groups.get(name[:table_bytes], 0)
        return name[: table_bytes + count] if count else b""

    def _wrapped(self, name: bytes) -> bytes | None:
        found = self._slots.find(name)
        return Checks(b"").value_of(2, name, found[1]) if found else None

    def _make_key(self, name: bytes) -> bytes:
        wrapped = self._sealer.new_key()
        self._slots.add(name, wrapped + Checks(b"").of(2, name, wrapped))
        return wrapped

    def _erase_group_if_empty(self, name: bytes) -> None:
        group = self._group_of(name) if self._store_key else b""
        if not group or self._slots.has_any(group):
            return
        found = self._slots.find(b"\0" + group)
        if found is not None:
            self._forgotten.append(Checks(b"").value_of(2, b"\0" + group, found[1]))
            self._slots.erase([b"\0" + group])


def _missing() -> StoreDamaged:
    return StoreDamaged("a row of the store is missing that was there before: restore a backup")


def _lost_key(group: bytes) -> bytes:
    raise StoreDamaged("the key of a sealed row is gone, and the row is not: restore a backup")
