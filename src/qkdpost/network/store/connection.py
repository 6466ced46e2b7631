"""One connection to one database, as a store of keys needs it; whatever SQLite raises, in the words of this library.

Every pragma is read back, since SQLite ignores what it cannot do, and some only at some times.

- `locking_mode=EXCLUSIVE` holds nothing before the first access; reading the journal's mode back is one. One connection
  alone also makes the corruption impossible that SQLite before 3.51.3 has when two connections checkpoint and write.
- `journal_mode=WAL` with `synchronous=FULL` syncs at each commit. NORMAL would lose the last commits in a power cut.
- `secure_delete=ON` overwrites what is deleted where it stands; FAST leaves most of it on free pages. Until a TRUNCATE
  checkpoint the old pages stand in the log as well. It is not enough alone, see `qkdpost.network.store.slots`.
- `timeout=0`: nobody else may be there, so there is nothing to wait for.
- No `executescript`: it commits an open transaction.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path

from qkdpost.errors import QkdpostError, StoreDamaged, StoreInUse, StoreUnavailable

__all__ = ["checkpoint", "connect", "is_full", "quick_check", "refusal"]

PAGE_BYTES = 8192
"""Rows of a chunk of 1 KiB with key, seal and check then stay in their page, also in tables without row numbers."""
CHECKPOINT_PAGES = 1000
_CACHE_KIB = 32 * 1024
_PRAGMAS: dict[str, tuple[str, str | int]] = {
    "locking_mode": ("EXCLUSIVE", "exclusive"),
    "journal_mode": ("WAL", "wal"),
    "synchronous": ("FULL", 2),
    "secure_delete": ("ON", 1),
    "temp_store": ("MEMORY", 2),
    "trusted_schema": ("OFF", 0),
    "cell_size_check": ("ON", 1),
    "mmap_size": ("0", 0),
    "wal_autocheckpoint": (str(CHECKPOINT_PAGES), CHECKPOINT_PAGES),
    "cache_size": (str(-_CACHE_KIB), -_CACHE_KIB),
}
_MAY_BE_SILENT = {"mmap_size"}
"""A SQLite built without it answers nothing."""


_WORDS = {word.encode(): word for word in ("exclusive", "wal", "ok")}
"""What pragmas answer that is no number."""


def connect(path: Path) -> sqlite3.Connection:
    """Open the database, alone, with the rules above.

    Raises:
        StoreInUse: another connection has it open.
        StoreDamaged: no database, or one whose pages contradict each other.
        StoreUnavailable: SQLite cannot open it, or not so.
    """
    connection = sqlite3.connect(path, isolation_level=None, timeout=0, check_same_thread=False, cached_statements=64)
    connection.text_factory = _no_text
    try:
        connection.execute(f"PRAGMA page_size={PAGE_BYTES}")
        for name, (wanted, read_back) in _PRAGMAS.items():
            _set(connection, name, wanted, read_back)
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("COMMIT")
    except (sqlite3.Error, UnicodeDecodeError) as error:  # SQLite cites a damaged schema, which may be no text
        _close(connection)
        raise refusal(error, f"open {path}") from error
    except StoreUnavailable:
        _close(connection)
        raise
    return connection


def _no_text(found: bytes) -> str | None:
    """Refuse text in the place of bytes: a flipped bit makes one of the other, and no search finds the row then."""
    return _WORDS.get(found)


def _set(connection: sqlite3.Connection, name: str, wanted: str, read_back: str | int) -> None:
    connection.execute(f"PRAGMA {name}={wanted}").fetchall()
    found = connection.execute(f"PRAGMA {name}").fetchone()
    if found is None and name in _MAY_BE_SILENT:
        return
    if found is None or found[0] != read_back:
        raise StoreUnavailable(
            f"SQLite {sqlite3.sqlite_version} did not set {name} to {wanted} here, without which a store of keys is "
            f"not safe; found {None if found is None else found[0]}"
        )


def _close(connection: sqlite3.Connection) -> None:
    with suppress(sqlite3.Error):
        connection.close()


def checkpoint(connection: sqlite3.Connection) -> None:
    """Write the log into the database and cut it to nothing: what was erased is then in no file.

    Raises:
        StoreUnavailable: SQLite did not do so wholly.
    """
    try:
        found = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error as error:
        raise refusal(error, "empty the log") from error
    if found != (0, 0, 0):
        raise StoreUnavailable(f"the log of the store was not emptied; SQLite answered {found}")


def quick_check(connection: sqlite3.Connection, path: Path) -> None:
    """Let SQLite check how its pages hang together; it does not see what they hold.

    Raises:
        StoreDamaged: they do not.
    """
    found = connection.execute("PRAGMA quick_check(1)").fetchall()
    if found != [("ok",)]:
        raise StoreDamaged(f"the pages of {path} contradict each other; restore a backup of the store")


def is_full(error: Exception) -> bool:
    """Tell whether there was no room, which is known to have changed nothing; unlike an error of input or output."""
    return _code(error) == sqlite3.SQLITE_FULL


def refusal(error: Exception, what: str) -> QkdpostError:
    """Return what to raise of an error of SQLite; its own words name no values.

    Args:
        error: what SQLite raised.
        what: could not be done, as in "cannot open the store".
    """
    code = _code(error)
    name = getattr(error, "sqlite_errorname", "an error")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR):  # no statement here has faults
        return StoreDamaged(f"cannot {what}: the database is damaged ({name}); restore a backup of the store")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreInUse(f"cannot {what}: another connection has it open ({name})")
    if code == sqlite3.SQLITE_FULL:
        return StoreUnavailable(f"cannot {what}: the disk is full, and nothing was stored ({name}); make room")
    return StoreUnavailable(f"cannot {what}: {name}; reopen the store, and look at the disk")


def _code(error: Exception) -> int:
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)) & 0xFF
