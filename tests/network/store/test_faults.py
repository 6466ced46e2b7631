"""A disk that is full, or that fails: nothing is answered, nothing told is lost, and it works on when the disk does."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qkdpost.errors import StoreDamaged, StoreUnavailable
from qkdpost.network.store import SqliteStore
from support.leaks import leaks
from support.stores import again, rows_of, run

SECRET = bytes(range(100, 164))


class Failing:
    """A connection whose COMMIT raises an error of input and output, after or before it has happened."""

    def __init__(self, connection: sqlite3.Connection, *, happens: bool) -> None:
        self._connection = connection
        self._happens = happens

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, statement: str, *rest: Any) -> Any:
        if statement == "COMMIT":
            if self._happens:
                self._connection.execute(statement)
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_IOERR_FSYNC, "SQLITE_IOERR_FSYNC"
            raise error
        return self._connection.execute(statement, *rest)


@pytest.fixture
def store(folder: Path) -> Iterator[SqliteStore]:
    made = SqliteStore(folder / "store")
    made.begin()
    made.put("marks", b"", b"1")
    made.put("held", b"k", SECRET, secret=True)
    made.commit()
    yield made
    made.close()


@pytest.mark.parametrize("happens", [False, True])
def test_after_a_commit_that_failed_nothing_is_known_until_it_is_read_back(store: SqliteStore, happens: bool) -> None:
    store.begin()
    store.put("marks", b"", b"2")
    store._open._connection = Failing(store._open.connection, happens=happens)  # type: ignore[assignment]
    with pytest.raises(StoreUnavailable, match="SQLITE_IOERR_FSYNC"):
        store.commit()
    for act in (store.begin, store.commit, store.checkpoint, lambda: store.get("marks", b"")):
        with pytest.raises(StoreUnavailable, match="reopen"):
            act()
    store.rollback()
    store.reopen()
    assert rows_of(store)["marks", b""] == (b"2" if happens else b"1")
    store.begin()
    store.put("marks", b"", b"3")
    store.commit()
    store.close()
    store.reopen()
    assert rows_of(store)["marks", b""] == b"3"


def test_a_failed_commit_that_nobody_reads_back_leaves_a_store_that_opens(store: SqliteStore) -> None:
    store.begin()
    store.put("marks", b"", b"2")
    store._open._connection = Failing(store._open.connection, happens=True)  # type: ignore[assignment]
    with pytest.raises(StoreUnavailable):
        store.commit()
    store.close()
    store.reopen()
    assert rows_of(store)["marks", b""] == b"2"


def test_the_count_that_cannot_be_written_makes_a_commit_unknown(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.begin()
    store.put("marks", b"", b"2")
    with monkeypatch.context() as patched:
        patched.setattr("os.pwrite", _broken)
        with pytest.raises(StoreUnavailable, match="Input/output error"):
            store.commit()
        with pytest.raises(StoreUnavailable):
            store.reopen()
        with pytest.raises(StoreUnavailable, match="reopen"):
            store.begin()
    store.reopen()
    assert rows_of(store)["marks", b""] == b"2"


def _broken(*_: object) -> int:
    raise OSError(5, "Input/output error")


def fill(store: SqliteStore) -> None:
    """Let the database have no page more, as if the disk had none."""
    connection = store._open.connection
    connection.execute(f"PRAGMA max_page_count={connection.execute('PRAGMA page_count').fetchone()[0]}")


def test_a_full_disk_takes_the_transaction_back_and_leaves_the_store_usable(store: SqliteStore, folder: Path) -> None:
    fill(store)
    store.begin()
    store.put("marks", b"", b"2")
    with pytest.raises(StoreUnavailable, match="full"):
        store.put("chunks", b"c", bytes(2**20), secret=True)
    assert store.is_short_of_room
    assert not (folder / "store" / "store.reserve").exists()
    assert rows_of(store) == {("marks", b""): b"1", ("held", b"k"): SECRET}
    store.begin()
    assert store.take("held", b"k") == SECRET
    store.put("marks", b"", b"3")
    store.commit()
    store.checkpoint()
    assert not store.is_short_of_room
    store._open.connection.execute("PRAGMA max_page_count=1000000")
    store.begin()
    store.put("chunks", b"c", bytes(2**20), secret=True)
    store.commit()
    assert rows_of(store)["marks", b""] == b"3"


def test_no_key_is_taken_up_while_the_reserve_is_not_whole(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store)
    store.begin()
    with pytest.raises(StoreUnavailable):
        store.put("chunks", b"c", bytes(2**20), secret=True)
    with monkeypatch.context() as patched:
        patched.setattr("os.posix_fallocate", _broken)
        store.begin()
        store.put("marks", b"", b"2")
        with pytest.raises(StoreUnavailable, match="until there is room"):
            store.put("held", b"l", SECRET, secret=True)
        store.begin()
        store.put("marks", b"", b"3")
        store.take("held", b"k")
        store.commit()
        store.checkpoint()
        assert store.is_short_of_room
    store.begin()
    store.put("held", b"l", SECRET, secret=True)
    store.commit()
    assert rows_of(store) == {("marks", b""): b"3", ("held", b"l"): SECRET}


def test_errors_hold_no_values(store: SqliteStore, folder: Path) -> None:
    fill(store)
    store.begin()
    with pytest.raises(StoreUnavailable) as full:
        store.put("chunks", b"c", SECRET * 2000, secret=True)
    store.close()
    path = folder / "store" / "store.db"
    path.write_bytes(path.read_bytes().replace(SECRET, SECRET[:-1] + b"!"))
    store.reopen()
    store.begin()
    for act in (store.get, store.take):
        with pytest.raises(StoreDamaged) as damaged:
            act("held", b"k")
        assert leaks(damaged.value, SECRET[:-1], hidden=True) == []
    assert leaks(full.value, SECRET, hidden=True) == []


def test_a_damaged_secret_row_is_refused_when_it_is_read_and_the_others_are_not(
    store: SqliteStore, folder: Path
) -> None:
    store.begin()
    store.put("held", b"l", b"another", secret=True)
    store.commit()
    store.close()
    path = folder / "store" / "store.db"
    path.write_bytes(path.read_bytes().replace(SECRET, SECRET[:-1] + b"!"))
    store.reopen()
    store.begin()
    with pytest.raises(StoreDamaged, match="'held'"):
        store.get("held", b"k")
    assert store.get("held", b"l") == b"another"
    with pytest.raises(StoreDamaged, match="'held'"):
        store.scan("held", b"", b"z", 9)
    store.put("marks", b"", b"2")
    store.commit()


# The disk itself, played by a library that stands before the system's.

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
static int fails(const char *what) { const char *v = getenv("FAULT"); return v && v[0] == what[0]; }
int fdatasync(int d) { int (*f)(int) = dlsym(RTLD_NEXT, "fdatasync");
  if (fails("sync")) { errno = EIO; return -1; } return f(d); }
int fsync(int d) { int (*f)(int) = dlsym(RTLD_NEXT, "fsync");
  if (fails("sync")) { errno = EIO; return -1; } return f(d); }
ssize_t pwrite64(int d, const void *b, size_t n, off64_t o) {
  ssize_t (*f)(int, const void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pwrite64");
  if (fails("full") && n != 40) { errno = ENOSPC; return -1; } return f(d, b, n, o); }
int posix_fallocate64(int d, off64_t o, off64_t n) {
  int (*f)(int, off64_t, off64_t) = dlsym(RTLD_NEXT, "posix_fallocate64");
  if (fails("full")) return ENOSPC; return f(d, o, n); }
"""
DAY = """
import ctypes, sys
from qkdpost.errors import StoreUnavailable
from qkdpost.network.store import SqliteStore
libc = ctypes.CDLL(None)
def fault(what): libc.setenv(b"FAULT", what, 1)
store = SqliteStore(sys.argv[1])
def mark(value):
    try:
        store.begin(); store.put("marks", b"", value); store.commit()
    except StoreUnavailable as error:
        return str(error).split(";")[0]
    return "done"
def read():
    store.begin(); value = store.get("marks", b""); store.rollback()
    return value
print(mark(b"1"))
fault(sys.argv[2].encode()); print(mark(b"2")); print(mark(b"3"))
try:
    store.reopen()
except StoreUnavailable as error:
    print("no")
fault(b"-")
if sys.argv[3] == "reopen":
    store.reopen()
print(read().decode()); print(mark(b"4")); print(read().decode())
if sys.argv[4] == "close": store.close()
"""


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no compiler to build a failing disk with")
    source = tmp_path_factory.mktemp("shim") / "shim.c"
    source.write_text(SHIM)
    library = source.with_suffix(".so")
    done = subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=False, capture_output=True
    )
    if done.returncode:
        pytest.skip("the compiler cannot build a failing disk")
    return library


@pytest.mark.parametrize("ending", ["close", "end"])
def test_a_failed_sync_is_said_and_whatever_it_left_is_read_back(folder: Path, shim: Path, ending: str) -> None:
    """The kernel may have kept the pages: the refused mark is there when the store is read back."""
    said = day(folder / "store", shim, "sync", "reopen", ending)
    assert said[0] == "done"
    assert "IOERR_FSYNC" in said[1]
    assert "unknown" in said[2]
    assert said[3] == "no"
    assert said[4] in ("1", "2")
    assert said[5:] == ["done", "4"]
    store = SqliteStore(folder / "store")
    assert rows_of(store) == {("marks", b""): b"4"}
    store.close()


def test_a_disk_without_room_refuses_and_goes_on_when_there_is_some(folder: Path, shim: Path) -> None:
    said = day(folder / "store", shim, "full", "reopen", "close")
    assert said[0] == "done"
    assert "full" in said[1]
    assert said[4:] == ["1", "done", "4"]
    copied = again(folder / "store", folder / "again")
    store = SqliteStore(copied)
    assert rows_of(store) == {("marks", b""): b"4"}
    store.close()


def day(folder: Path, shim: Path, *arguments: str) -> list[str]:
    script = f"import sys; sys.argv[1:] = {[str(folder), *arguments]!r}\n{DAY}"
    return run(script, environment={"LD_PRELOAD": str(shim)}).splitlines()
