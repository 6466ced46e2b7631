"""How a store in files is opened, shut out, copied and left."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from qkdpost.errors import ConfigurationError, InputError, LocalProtocolError, StoreDamaged, StoreInUse
from qkdpost.network.store import AesGcmSealer, NoSealer, SqliteStore
from support.stores import copy_of, rows_of, run

OPEN_ELSEWHERE = """
from qkdpost.errors import StoreInUse
from qkdpost.network.store import SqliteStore
try:
    SqliteStore({path!r})
except StoreInUse:
    print("in use")
else:
    print("opened")
"""
RAW_ELSEWHERE = """
import sqlite3
connection = sqlite3.connect({path!r}, timeout=0)
try:
    connection.execute("BEGIN IMMEDIATE")
except sqlite3.OperationalError as error:
    print(error)
"""


def mark(store: SqliteStore, value: bytes) -> None:
    store.begin()
    store.put("marks", b"", value)
    store.commit()


# Alone.


def test_a_second_opener_is_refused_here_and_elsewhere(folder: Path) -> None:
    store = SqliteStore(folder / "store")
    with pytest.raises(StoreInUse, match="open already"):
        SqliteStore(folder / "store")
    elsewhere = OPEN_ELSEWHERE.format(path=str(folder / "store"))
    assert run(elsewhere) == "in use\n"
    mark(store, b"1")
    store.close()
    assert run(elsewhere) == "opened\n"


def test_reading_the_database_as_a_file_lets_nobody_in(folder: Path) -> None:
    """SQLite's own locks are gone then: they belong to the process, and any close of the file drops them."""
    store = SqliteStore(folder / "store")
    with (folder / "store" / "store.db").open("rb") as file:
        file.read(16)
    assert run(OPEN_ELSEWHERE.format(path=str(folder / "store"))) == "in use\n"
    with pytest.raises(StoreInUse):
        SqliteStore(folder / "store")
    mark(store, b"1")
    store.close()


def test_the_database_itself_is_locked_from_the_start(folder: Path) -> None:
    store = SqliteStore(folder / "store")
    assert run(RAW_ELSEWHERE.format(path=str(folder / "store" / "store.db"))) == "database is locked\n"
    assert not (folder / "store" / "store.db-shm").exists()
    store.close()


def test_a_refused_opener_disturbs_nothing(folder: Path) -> None:
    store = SqliteStore(folder / "store")
    for number in range(3):
        with pytest.raises(StoreInUse):
            SqliteStore(folder / "store")
        mark(store, bytes([number]))
    store.close()
    assert rows_of(SqliteStore(folder / "store")) == {("marks", b""): b"\x02"}


FORK = """
import os, sys
from qkdpost.errors import LocalProtocolError
from qkdpost.network.store import SqliteStore
store = SqliteStore(sys.argv[1])
store.begin(); store.put("marks", b"", b"1"); store.commit()
child = os.fork()
if not child:
    for act in (store.begin, store.commit, store.reopen, store.close, store.checkpoint):
        try:
            act()
        except LocalProtocolError:
            print("refused", flush=True)
    del store
    sys.exit()
os.waitpid(child, 0)
store.begin(); store.put("marks", b"", b"2"); store.commit()
os._exit(0)
"""


def test_a_fork_is_refused_and_takes_nothing_from_its_parent(folder: Path) -> None:
    """When a child ends, its copy of the connection would empty and delete the log of the parent."""
    assert run(f"import sys; sys.argv[1:] = [{str(folder / 'store')!r}]\n{FORK}") == "refused\n" * 5
    store = SqliteStore(folder / "store")
    assert rows_of(store) == {("marks", b""): b"2"}
    store.close()


def test_a_commit_may_run_in_another_thread(folder: Path) -> None:
    store = SqliteStore(folder / "store")
    store.begin()
    store.put("marks", b"", b"1")
    thread = threading.Thread(target=store.commit)
    thread.start()
    thread.join()
    assert rows_of(store) == {("marks", b""): b"1"}
    store.close()


# Files.


def test_files_are_the_owners_alone_whatever_the_umask(folder: Path) -> None:
    before = os.umask(0)
    try:
        store = SqliteStore(folder / "store")
        mark(store, b"1")
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder / "store").iterdir()}
    assert modes == dict.fromkeys(("store.db", "store.db-wal", "store.lock", "store.count", "store.reserve"), 0o600)
    assert stat.S_IMODE((folder / "store").stat().st_mode) == 0o700
    store.close()


def test_a_folder_open_to_others_is_refused(folder: Path) -> None:
    (folder / "store").mkdir()
    (folder / "store").chmod(0o750)
    with pytest.raises(ConfigurationError, match="mode 700"):
        SqliteStore(folder / "store")
    (folder / "store").chmod(0o700)
    SqliteStore(folder / "store").close()


def test_a_path_that_is_no_folder_is_refused(folder: Path) -> None:
    (folder / "store").write_bytes(b"")
    with pytest.raises(ConfigurationError, match="folder"):
        SqliteStore(folder / "store")


@pytest.mark.parametrize("content", [b"no database at all" * 1000, b"SQLite format 3\0" + bytes(5000)])
def test_what_is_no_database_is_refused(folder: Path, content: bytes) -> None:
    SqliteStore(folder / "store").close()
    (folder / "store" / "store.db").write_bytes(content)
    with pytest.raises(StoreDamaged):
        SqliteStore(folder / "store")


def test_the_database_of_something_else_is_refused(folder: Path) -> None:
    (folder / "store").mkdir(mode=0o700)
    connection = sqlite3.connect(folder / "store" / "store.db")
    connection.execute("CREATE TABLE plain(name, value)")
    connection.close()
    with pytest.raises(StoreDamaged, match="none of a store of keys"):
        SqliteStore(folder / "store")


def test_another_format_version_is_said(folder: Path) -> None:
    SqliteStore(folder / "store").close()
    connection = sqlite3.connect(folder / "store" / "store.db")
    connection.execute("PRAGMA user_version=7")
    connection.close()
    with pytest.raises(ConfigurationError, match="version 7"):
        SqliteStore(folder / "store")


@pytest.mark.parametrize("left", ["store.lock", "store.db", "store.db and its first bytes"])
def test_a_store_whose_making_was_interrupted_is_made_again(folder: Path, left: str) -> None:
    (folder / "store").mkdir(mode=0o700)
    (folder / "store" / left.split(maxsplit=1)[0]).touch(mode=0o600)
    if "bytes" in left:
        (folder / "store" / "store.count").touch(mode=0o600)
    store = SqliteStore(folder / "store")
    mark(store, b"1")
    store.close()
    assert rows_of(SqliteStore(folder / "store")) == {("marks", b""): b"1"}


def test_the_pragmas_are_set(folder: Path) -> None:
    store = SqliteStore(folder / "store")
    names = ("locking_mode", "journal_mode", "synchronous", "secure_delete", "temp_store")
    found = [store._open.connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]
    assert found == ["exclusive", "wal", 2, 1, 2]
    assert store._open.connection.execute("PRAGMA wal_autocheckpoint").fetchone()[0] > 0
    store.close()


@pytest.mark.parametrize(
    "arguments",
    [
        {"path": 7},
        {"path": None},
        {"restored": 1},
        {"erased_together": {"Chunks": 1}},
        {"erased_together": {"chunks": 0}},
        {"erased_together": [("chunks", 1)]},
        {"reserve_bytes": 0},
    ],
)
def test_arguments_are_checked(folder: Path, arguments: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="must"):
        SqliteStore(**{"path": folder / "store"} | arguments)


# What grows.


def test_the_log_is_bounded(folder: Path) -> None:
    """Each commit writes at least two pages, so that unbounded it would have 24 MB."""
    store = SqliteStore(folder / "store")
    for number in range(1500):
        mark(store, number.to_bytes(4, "big"))
    assert store.log_bytes < 12e6
    store.checkpoint()
    assert store.log_bytes == 0
    mark(store, b"more")
    assert store.log_bytes > 0
    store.close()


def test_reading_alone_writes_nothing(folder: Path) -> None:
    store = SqliteStore(folder / "store")
    before = store.commits
    store.begin()
    assert store.take("held", b"none") is None
    store.commit()
    assert (store.log_bytes, store.commits) == (0, before)
    store.close()


# Backups.


@pytest.mark.parametrize("key", [None, bytes(32)])
def test_a_backup_of_an_open_store_opens_as_of_then_if_it_is_said_to_be_one(folder: Path, key: bytes | None) -> None:
    sealer = AesGcmSealer(key) if key else NoSealer()
    store = SqliteStore(folder / "store", sealer=sealer)
    store.begin()
    store.put("held", b"k", b"a key", secret=True)
    store.commit()
    mark(store, b"1")
    store.backup(folder / "backup")
    mark(store, b"2")
    store.close()
    assert {stat.S_IMODE(path.stat().st_mode) for path in (folder / "backup").iterdir()} == {0o600}
    with pytest.raises(StoreDamaged):
        SqliteStore(folder / "backup", sealer=sealer)
    restored = SqliteStore(folder / "backup", sealer=sealer, restored=True)
    assert rows_of(restored) == {("marks", b""): b"1", ("held", b"k"): b"a key"}
    restored.close()
    SqliteStore(folder / "backup", sealer=sealer).close()


def test_a_backup_is_taken_between_transactions_and_into_a_new_folder(folder: Path) -> None:
    store = SqliteStore(folder / "store")
    with pytest.raises(InputError, match="new"):
        store.backup(folder)
    store.begin()
    for act in (store.checkpoint, lambda: store.backup(folder / "backup")):
        with pytest.raises(LocalProtocolError, match="transaction is open"):
            act()
    store.close()


def test_a_damaged_backup_is_refused_all_the_same(folder: Path) -> None:
    store = SqliteStore(folder / "store")
    for number in range(100):
        mark(store, bytes([number]) * 200)
    copied = copy_of(folder / "store", folder / "copied")
    store.close()
    log = bytearray((copied / "store.db-wal").read_bytes())
    (copied / "store.db-wal").unlink()
    database = bytearray((copied / "store.db").read_bytes())
    assert log
    database[-100:] = bytes(100)
    (copied / "store.db").write_bytes(database[:-50])
    with pytest.raises(StoreDamaged):
        SqliteStore(copied, restored=True)
