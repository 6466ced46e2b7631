"""A store in one folder, by the SQLite of the standard library, see `SqliteStore`."""

from __future__ import annotations

import os
import sqlite3
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from qkdpost.checks import flag, instance, whole_number
from qkdpost.durable_files import sync_folder
from qkdpost.errors import InputError, LocalProtocolError, QkdpostError, StoreDamaged, StoreUnavailable
from qkdpost.network.store.connection import is_full, refusal
from qkdpost.network.store.database import Database
from qkdpost.network.store.files import RESERVE_BYTES, make_file, private_folder
from qkdpost.network.store.opening import DATABASE, OpenStore
from qkdpost.network.store.processes import this_process
from qkdpost.network.store.protocol import (
    MAX_ROW_KEY_BYTES,
    MAX_VALUE_BYTES,
    check_bound,
    check_limit,
    check_table,
    check_value,
)
from qkdpost.network.store.rows import RowNames, row_name
from qkdpost.network.store.sealing import NoSealer, Sealer
from qkdpost.single_use import SingleUse

__all__ = ["SqliteStore"]

_BYTES = frozenset((bytes, bytearray))
ERASED_TOGETHER: Mapping[str, int] = MappingProxyType({"chunks": 32})
"""The first 32 bytes of a chunk's key name its pool and segment."""


class SqliteStore(SingleUse):
    """A `KeyStore` in a folder of its own: database, log, lock, count of commits, and a reserve of room.

    One process opens it, once. Commits are durable when they return; gather requests into one transaction to make many
    durable at once. Call `checkpoint` every few seconds or minutes: what was erased stays in the log until then, and is
    in no file afterwards; what a flash disk keeps of old blocks is for sealing to make useless. Call `close` at last;
    a process that dies without loses nothing, but its store is checked for longer when it comes back.

    Never on a network file system, whose locks and syncs are not to be relied on. Never read the files by other
    programs while the store is open: copy it by `backup`. Never fork with it open: the child can only refuse.

    After `StoreUnavailable` the transaction is over. If the disk was full, nothing of it was stored; otherwise its
    outcome is unknown, and `begin` refuses until `reopen`.

    Backups: a folder that `backup` made, or a copy of the folder of a closed store, is put in the place of the store,
    and opened with `restored=True` once. Erased keys come back with it, until they are erased again; marks go back, and
    the pools skip what may have been used since. A backup is as secret as the store.

    Args:
        path: of the folder; it is made if it is not there.
        sealer: seals secret rows, see `qkdpost.network.store.sealing`; by default they rest as they are.
        erased_together: tables whose secret rows have keys of their own, by group: for each the number of first bytes
            of a row's key that name its group. When the last row of a group is taken its key is erased.
        restored: a backup was put in the place of the store. It is then not compared with what was told.
        reserve_bytes: of room that is given back when the disk is full, so that erasing goes on. As long as it is not
            whole again, secret rows are refused.

    Raises:
        InputError: an argument is not what it should be.
        ConfigurationError: the folder is open to others; or the store was made with another kind of sealer.
        StoreInUse: it is open already.
        StoreDamaged: it is damaged, or older than what was told.
        StoreUnavailable: it cannot be opened now.

    >>> import pathlib, tempfile
    >>> from qkdpost import network
    >>> store = network.SqliteStore(pathlib.Path(tempfile.mkdtemp(), "store"))
    >>> store.begin()
    >>> store.put("marks", b"pool", b"17")
    >>> store.commit()
    >>> store.begin()
    >>> store.get("marks", b"pool")
    b'17'
    >>> store.rollback()
    >>> store.close()
    """

    __slots__ = (
        "__weakref__",
        "_end",
        "_folder",
        "_groups",
        "_is_short_of_room",
        "_is_unknown",
        "_names",
        "_open",
        "_reserve_bytes",
        "_sealer",
        "_turn",
    )

    instead: ClassVar[str] = "close it there and open it here, or make a backup()"

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        sealer: Sealer | None = None,
        erased_together: Mapping[str, int] = ERASED_TOGETHER,
        restored: bool = False,
        reserve_bytes: int = RESERVE_BYTES,
    ) -> None:
        if not isinstance(path, str | os.PathLike):
            raise InputError(f"path must name a folder; found a {type(path).__name__}")
        self._folder = Path(path)
        self._sealer: Sealer = NoSealer() if sealer is None else sealer
        self._groups = {
            check_table(table): whole_number("erased_together", count, least=1, most=MAX_ROW_KEY_BYTES)
            for table, count in instance("erased_together", erased_together, Mapping).items()  # type: ignore[type-abstract]
        }
        self._reserve_bytes = whole_number("reserve_bytes", reserve_bytes, least=1, most=2**40)
        self._is_short_of_room = self._is_unknown = False
        self._names = RowNames()
        self._turn: Database | None = None
        self._open = self._opened(restored=flag("restored", restored))

    def _opened(self, *, restored: bool) -> OpenStore:
        try:
            found = OpenStore(self._folder, self._sealer, self._groups, self._reserve_bytes)
        except OSError as error:
            raise StoreUnavailable(f"cannot open the store in {self._folder}: {error.strerror}") from error
        try:
            found.open(restored=restored)
        except BaseException:
            found.close()
            raise
        self._end = weakref.finalize(self, found.close)
        self._is_short_of_room = not found.reserve.is_whole
        return found

    def __repr__(self) -> str:
        return f"SqliteStore({str(self._folder)!r})"

    @property
    def is_short_of_room(self) -> bool:
        """The disk was full, and the reserve is not whole again; an alarm for the operator."""
        return self._is_short_of_room

    @property
    def commits(self) -> int:
        """How many transactions were committed since the store was made, its openings and checkpoints among them."""
        return self._usable().database.state.commits

    @property
    def log_bytes(self) -> int:
        """The size of the log; it grows between checkpoints to about 8 MB, or to that of the largest transaction."""
        try:
            return self._open.log.stat().st_size
        except FileNotFoundError:
            return 0

    # The transaction.

    def begin(self) -> None:
        """See `KeyStore.begin`."""
        database = self._usable().database
        if database.connection.in_transaction:
            raise LocalProtocolError("a transaction is open already: commit it or roll it back first")
        try:
            database.connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise self._failure(error, "begin a transaction") from error
        self._turn = database

    def get(self, table: str, key: bytes) -> bytes | None:
        """See `KeyStore.get`."""
        name = self._names(table, key)
        database, failure = self._transaction(), None
        try:
            return database.get(name)
        except (sqlite3.Error, StoreDamaged) as error:
            failure = self._failure(error, "read a row")
        raise failure

    def put(self, table: str, key: bytes, value: bytes | bytearray, *, secret: bool = False) -> None:
        """See `KeyStore.put`."""
        name = self._names(table, key)
        if type(value) not in _BYTES or len(value) > MAX_VALUE_BYTES:
            check_value(value)
        database, failure = self._transaction(), None
        try:
            if not secret:
                return database.put(name, value)
            if self._is_short_of_room:
                self._find_room()
            return database.put_secret(name, value)
        except (sqlite3.Error, StoreDamaged, StoreUnavailable) as error:
            failure = self._failure(error, "write a row", writes=True)
        del value
        raise failure

    def take(self, table: str, key: bytes) -> bytes | None:
        """See `KeyStore.take`."""
        name = self._names(table, key)
        database, failure = self._transaction(), None
        try:
            return database.take(name)
        except (sqlite3.Error, StoreDamaged) as error:
            failure = self._failure(error, "erase a row", writes=True)
        raise failure

    def erase(self, table: str, keys: Sequence[bytes]) -> None:
        """See `KeyStore.erase`."""
        names = [self._names(table, key) for key in keys]
        database, failure = self._transaction(), None
        try:
            return database.erase(names)
        except (sqlite3.Error, StoreDamaged) as error:
            failure = self._failure(error, "erase rows", writes=True)
        raise failure

    def scan(self, table: str, start: bytes, stop: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        """See `KeyStore.scan`."""
        whole = check_table(table)
        first, end, most = check_bound("start", start), check_bound("stop", stop), check_limit(limit)
        database, failure = self._transaction(), None
        try:
            found = database.scan(row_name(whole, first), row_name(whole, end), most)
            return [(name[len(whole) + 1 :], value) for name, value in found]
        except (sqlite3.Error, StoreDamaged) as error:
            failure = self._failure(error, "read rows")
        raise failure

    def commit(self) -> None:
        """See `KeyStore.commit`. What has written nothing costs nothing."""
        database, connection, failure = self._transaction(), self._open.connection, None
        is_changed = database.is_changed
        try:
            if is_changed:
                database.write_state()
            connection.execute("COMMIT")
            if is_changed:
                self._open.count.write(database.state.commits)
            database.committed()
            self._turn = None
        except (sqlite3.Error, OSError) as error:
            failure = self._failure(error, "commit")
        if failure is not None:
            raise failure

    def rollback(self) -> None:
        """See `KeyStore.rollback`."""
        if not self._is_unknown and self._alive().connection.in_transaction:
            self._undo()

    # The store as a whole.

    def checkpoint(self) -> None:
        """Empty the log, so that what was erased is in no file; for a timer.

        Raises:
            LocalProtocolError: a transaction is open.
            StoreUnavailable: it could not be emptied; what was committed stands all the same.
        """
        opened = self._between_transactions("a checkpoint")
        try:
            opened.empty_log()
        except (sqlite3.Error, OSError) as error:
            raise self._failure(error, "empty the log") from error
        self._is_short_of_room = not opened.reserve.fill()

    def backup(self, path: str | os.PathLike[str]) -> None:
        """Copy the store, as of its last commit, into a folder that is made for it, to be opened with `restored=True`.

        Raises:
            InputError: the folder is there.
            LocalProtocolError: a transaction is open.
            StoreUnavailable: it could not be written.
        """
        folder = Path(path)
        if folder.exists():
            raise InputError(f"path of a backup must be new; {folder} is there")
        opened = self._between_transactions("a backup")
        try:
            private_folder(folder)
            make_file(folder / DATABASE)
            target = sqlite3.connect(folder / DATABASE, isolation_level=None)
            try:
                opened.connection.backup(target)
            finally:
                target.close()
            sync_folder(folder)
        except (sqlite3.Error, OSError) as error:
            raise StoreUnavailable(f"cannot write a backup to {folder}: {type(error).__name__}") from error

    def reopen(self) -> None:
        """See `KeyStore.reopen`."""
        self._check_process()
        self._is_unknown, self._turn = True, None
        if not self._open.is_closed:
            self._open.leave()
            self._open.open(restored=False)
        else:
            self._open = self._opened(restored=False)
        self._is_unknown = False
        self._is_short_of_room = not self._open.reserve.is_whole

    def close(self) -> None:
        """See `KeyStore.close`."""
        self._check_process()
        self._turn = None
        self._end()

    # What went wrong, and what may be done.

    def _failure(self, error: Exception, what: str, *, writes: bool = False) -> QkdpostError:
        """Return what to raise, without the frames that hold values, and leave the transaction as it must be left."""
        if isinstance(error, StoreDamaged):
            if writes:
                self._undo()
            return StoreDamaged(str(error))
        if isinstance(error, sqlite3.Error) and is_full(error):
            self._make_room()
            return refusal(error, what)
        if isinstance(error, StoreUnavailable):
            self._undo()
            return StoreUnavailable(str(error))
        self._is_unknown, self._turn = True, None
        if isinstance(error, sqlite3.Error):
            return refusal(error, what)
        return StoreUnavailable(f"cannot {what}: {getattr(error, 'strerror', None) or type(error).__name__}; reopen it")

    def _make_room(self) -> None:
        """Give back the reserve: SQLite has taken the transaction back, and nothing of it is stored."""
        self._is_short_of_room = True
        self._undo()
        with suppress(OSError):
            self._open.reserve.free()
        with suppress(sqlite3.Error, OSError, StoreUnavailable):
            self._open.empty_log()

    def _find_room(self) -> None:
        if not self._open.reserve.fill():
            raise StoreUnavailable("the disk is full: no key is taken up until there is room")
        self._is_short_of_room = False

    def _undo(self) -> None:
        """Roll back; SQLite may have done so already, and refuses it then."""
        self._turn = None
        try:
            if self._open.connection.in_transaction:
                self._open.connection.execute("ROLLBACK")
            self._open.database.rolled_back()
        except (sqlite3.Error, QkdpostError):
            self._is_unknown = True

    def _transaction(self) -> Database:
        database = self._turn
        if database is None or self._open.process != this_process() or not database.connection.in_transaction:
            self._usable()
            raise LocalProtocolError("no transaction is open: begin one first")
        return database

    def _between_transactions(self, what: str) -> OpenStore:
        opened = self._usable()
        if opened.connection.in_transaction:
            raise LocalProtocolError(f"a transaction is open: commit it or roll it back before {what}")
        return opened

    def _usable(self) -> OpenStore:
        if self._is_unknown:
            raise StoreUnavailable("it is unknown what the store holds, since something failed: reopen it")
        return self._alive()

    def _alive(self) -> OpenStore:
        opened = self._open
        if opened.process != this_process():
            self._check_process()
        if opened.is_closed:
            raise LocalProtocolError("this store is closed: reopen it, or make another one")
        return opened

    def _check_process(self) -> None:
        if self._open.process != this_process():
            raise LocalProtocolError(
                "this process is a fork of the one that opened the store: two writers would use keys twice; open the "
                "store after the fork, in one of them"
            )
