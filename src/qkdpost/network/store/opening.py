"""How the files of a store are opened, refused and left.

A store is refused that has fewer commits than were told, that lacks its log though nobody closed it, whose rows are not
those of its last commit, or that knows a lower counter than the sealer's. An operator who puts a backup back says so;
it is then taken as it is, and the pools skip on each direction what may have been sent since.

SQLite deletes the log when it closes the database. So before this library closes one that is not left clean, as after
a failed commit, it says in the count's file that the log may be missing; else the next opening would take that for
damage. A refused store is closed as well, whereby SQLite writes into the database what it could read of the log:
whoever wants to look at the damage copies the folder first.
"""

from __future__ import annotations

import ctypes
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from qkdpost.durable_files import sync_folder
from qkdpost.errors import QkdpostError, StoreDamaged, StoreUnavailable
from qkdpost.network.store.connection import checkpoint, connect, quick_check, refusal
from qkdpost.network.store.database import Database, is_made, make_tables
from qkdpost.network.store.files import CountFile, Reserve, lock, make_file, private_folder, unlock
from qkdpost.network.store.processes import this_process
from qkdpost.network.store.rows import State
from qkdpost.network.store.sealing import Sealer

__all__ = ["OpenStore"]

DATABASE = "store.db"
_REASON = "; restore a backup of the store, and say restored=True at its first opening"


class OpenStore:
    """The files of a store between its opening and its end, which also comes when nobody refers to it any more.

    Args:
        folder: of the store; it is made if it is missing.
        sealer: of its secret rows.
        groups: see `Database`.
        reserve_bytes: that are given back when the disk is full.

    Raises:
        StoreInUse: it is open elsewhere.
        ConfigurationError: the folder is not the owner's alone.
    """

    def __init__(self, folder: Path, sealer: Sealer, groups: Mapping[str, int], reserve_bytes: int) -> None:
        self.process = this_process()
        self.is_closed = False
        self.file = folder / DATABASE
        self.log = folder / f"{DATABASE}-wal"
        self._sealer = sealer
        self._groups = groups
        self._connection: sqlite3.Connection | None = None
        self._database: Database | None = None
        self._was_checked = False  # since the lock is held: if the log is gone then, this process closed it
        private_folder(folder)
        self._lock = lock(folder / "store.lock")
        try:
            self.count = CountFile(folder / "store.count")
        except OSError:
            unlock(self._lock)
            raise
        self.reserve = Reserve(folder / "store.reserve", reserve_bytes)
        sync_folder(folder)

    @property
    def connection(self) -> sqlite3.Connection:
        """To the database.

        Raises:
            StoreUnavailable: it is not open.
        """
        if self._connection is None:
            raise StoreUnavailable("the store is not open: reopen it")
        return self._connection

    @property
    def database(self) -> Database:
        """What stands in it.

        Raises:
            StoreUnavailable: it is not open.
        """
        if self._database is None:
            raise StoreUnavailable("the store is not open: reopen it")
        return self._database

    def open(self, *, restored: bool) -> None:
        """Open the database and check it.

        Args:
            restored: a backup was put in its place, and may be older than what was told.

        Raises:
            StoreDamaged: it must not be used.
            StoreUnavailable: it cannot be used now.
        """
        had_log = self.log.exists() or self._was_checked
        try:
            told = None if restored else self.count.read()
            self._make_if_missing(told, restored=restored)
            self._connection = connect(self.file)
            self._read(told, restored=restored)
            self._check(told, had_log=had_log, restored=restored)
            self._was_checked = True
            self._enter()
        except (sqlite3.Error, UnicodeDecodeError) as error:
            self._abandon()
            raise refusal(error, f"open {self.file}") from error
        except (OSError, QkdpostError) as error:
            self._abandon()
            if isinstance(error, QkdpostError):
                raise
            raise StoreUnavailable(f"cannot open {self.file}: {error.strerror}") from error

    def _make_if_missing(self, told: tuple[int, bool] | None, *, restored: bool) -> None:
        if self.file.exists():
            return
        if told is not None or restored:
            raise StoreDamaged(f"{self.file} is gone{_REASON}")
        make_file(self.file)
        sync_folder(self.file.parent)

    def _read(self, told: tuple[int, bool] | None, *, restored: bool) -> None:
        if not is_made(self.connection):
            if told is not None or restored:
                raise StoreDamaged(f"{self.file} is empty{_REASON}")
            self.connection.execute("BEGIN IMMEDIATE")
            make_tables(self.connection, self._sealer)
            self.connection.execute("COMMIT")
        self._database = Database(self.connection, self._sealer, self._groups)

    def _check(self, told: tuple[int, bool] | None, *, had_log: bool, restored: bool) -> None:
        state = self.database.state
        if not restored:
            self._check_age(state, told, had_log=had_log)
        if not state.is_clean:
            quick_check(self.connection, self.file)
        self.database.verify()

    def _check_age(self, state: State, told: tuple[int, bool] | None, *, had_log: bool) -> None:
        if told is None and state.commits:
            raise StoreDamaged(f"the count of commits beside {self.file} is gone{_REASON}")
        if told is not None and state.commits < told[0]:
            raise StoreDamaged(
                f"{self.file} has {state.commits} commits, and {told[0]} were told: it is older, or its log is "
                f"damaged{_REASON}"
            )
        if state.commits and not state.is_clean and not had_log and not (told and told[1]):
            raise StoreDamaged(f"the log of {self.file} is gone, and with it commits that were told{_REASON}")
        counter = self._sealer.counter()
        if counter is not None and state.counter < counter:
            raise StoreDamaged(
                f"{self.file} knows counter {state.counter}, and the sealer's is {counter}: the store is a copy that "
                f"was made earlier{_REASON}"
            )

    def _enter(self) -> None:
        """Write down that the store is open, so that the log must be there from now on."""
        state = self.database.state
        self.count.write(state.commits, may_lack_log=True, durable=True)
        state.is_clean = False
        counter = self._raised_counter()
        self._write_state()
        checkpoint(self.connection)
        self.count.write(state.commits, durable=True)
        if counter is not None:
            self._sealer.raise_counter(counter)
        self.reserve.fill()

    def _raised_counter(self) -> int | None:
        found = self._sealer.counter()
        if found is None:
            return None
        self.database.state.counter = max(found, self.database.state.counter) + 1
        return self.database.state.counter

    def _write_state(self) -> None:
        self.connection.execute("BEGIN IMMEDIATE")
        self.database.write_state()
        self.connection.execute("COMMIT")

    def empty_log(self) -> None:
        """Write the log into the database and cut it, raise the counter, and make the count durable.

        Raises:
            sqlite3.Error, OSError, StoreUnavailable: it was not done.
        """
        counter = self._raised_counter()
        if counter is not None:
            self._write_state()
            self.count.write(self.database.state.commits)
        checkpoint(self.connection)
        self.count.write(self.database.state.commits, durable=True)
        if counter is not None:
            self._sealer.raise_counter(counter)

    def leave(self) -> None:
        """Close the database without another commit, as after one of unknown outcome."""
        if self._database is not None:
            with suppress(OSError, StoreDamaged):
                told = self.count.read()
                if told is not None:
                    self.count.write(told[0], may_lack_log=True, durable=True)
        self._abandon()

    def _abandon(self) -> None:
        connection, self._connection, self._database = self._connection, None, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def close(self) -> None:
        """Close everything, and clean if that can be; only the process that opened the store does so."""
        if self.process != this_process():
            self._keep_for_ever()
            return
        if self._database is not None:
            with suppress(sqlite3.Error, OSError, QkdpostError):
                self._close_clean()
        self.leave()
        if self._lock >= 0:
            self.count.close()
            unlock(self._lock)
            self._lock = -1
        self.is_closed = True

    def _close_clean(self) -> None:
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")
            self.database.rolled_back()
        self.database.state.is_clean = True
        self._write_state()
        self.empty_log()

    def _keep_for_ever(self) -> None:
        """Never let a forked process close what its parent has open: SQLite would empty and delete the parent's log."""
        if self._connection is not None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._connection))
