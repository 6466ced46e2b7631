"""The power is cut: what is opened then is the state after some commit, and never one before what was told."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
from pathlib import Path

import pytest

from qkdpost.errors import ConfigurationError, StoreDamaged
from qkdpost.network.store import AesGcmSealer, SqliteStore
from qkdpost.network.store.connection import PAGE_BYTES
from qkdpost.network.store.files import CountFile
from support.stores import Rows, again, copy_of, rows_of, run, started

FRAME_BYTES = PAGE_BYTES + 24
HEAD_BYTES = 32
COMMITS = 14


def a_day(store: SqliteStore, first: int, count: int) -> dict[int, Rows]:
    """Commit some transactions, and return all rows after each, by the number of commits."""
    told = {store.commits: rows_of(store)}
    for number in range(first + 1, first + 1 + count):
        store.begin()
        store.put("marks", b"pool", number.to_bytes(4, "big"))
        store.put("held", number.to_bytes(4, "big"), random.Random(number).randbytes(32), secret=True)
        store.put("chunks", number.to_bytes(4, "big"), random.Random(number).randbytes(1024), secret=True)
        store.take("chunks", max(number - 3, 0).to_bytes(4, "big"))
        store.commit()
        told[store.commits] = rows_of(store)
    return told


@pytest.fixture
def copied(folder: Path) -> tuple[Path, dict[int, Rows]]:
    """Give a copy of a store in the middle of its day, with all commits in the log, and the states after each."""
    store = SqliteStore(folder / "store")
    told = a_day(store, 0, COMMITS)
    found = copy_of(folder / "store", folder / "copied")
    store.close()
    return found, told


def tell(folder: Path, commits: int) -> None:
    count = CountFile(folder / "store.count")
    count.write(commits)
    count.close()


def opened(folder: Path) -> tuple[int, Rows]:
    store = SqliteStore(folder)
    found = store.commits - 1, rows_of(store)
    store.close()
    return found


def offsets(size: int, count: int) -> list[int]:
    boundaries = list(range(HEAD_BYTES, size + 1, FRAME_BYTES))
    inside = random.Random(5).sample(range(size), count)
    return sorted({0, *boundaries, *inside, *(edge + near for edge in boundaries[:-1:5] for near in (-1, 1, 24))})


@pytest.mark.parametrize("inside", [10, pytest.param(400, marks=pytest.mark.slow)])
def test_a_log_cut_anywhere_opens_after_some_commit_and_never_before_what_was_told(
    copied: tuple[Path, dict[int, Rows]], folder: Path, inside: int
) -> None:
    whole, told = copied
    log = (whole / "store.db-wal").read_bytes()
    reached = set()
    for offset in offsets(len(log), inside):
        cut = again(whole, folder / "cut")
        tell(cut, min(told))
        (cut / "store.db-wal").write_bytes(log[:offset])
        commits, rows = opened(cut)
        assert rows == told[commits]
        reached.add(commits)
        if offset % FRAME_BYTES == HEAD_BYTES and commits < max(told):
            again(whole, cut)
            (cut / "store.db-wal").write_bytes(log[:offset])
            tell(cut, commits + 1)
            with pytest.raises(StoreDamaged, match="older"):
                SqliteStore(cut)
    assert reached == set(told)


def test_a_flipped_bit_in_the_log_never_takes_back_what_was_told(
    copied: tuple[Path, dict[int, Rows]], folder: Path
) -> None:
    whole, told = copied
    log = (whole / "store.db-wal").read_bytes()
    refused = 0
    for place in random.Random(6).sample(range(len(log) * 8), 60):
        flipped = bytearray(log)
        flipped[place // 8] ^= 1 << place % 8
        damaged = again(whole, folder / "damaged")
        (damaged / "store.db-wal").write_bytes(flipped)
        try:
            assert opened(damaged) == (max(told), told[max(told)])
        except StoreDamaged:
            refused += 1
    assert refused > 50


def test_a_log_that_is_gone_is_missed(copied: tuple[Path, dict[int, Rows]], folder: Path) -> None:
    whole, told = copied
    (whole / "store.db-wal").unlink()
    again(whole, folder / "untold")
    with pytest.raises(StoreDamaged, match="older"):
        SqliteStore(whole)
    tell(folder / "untold", min(told))
    with pytest.raises(StoreDamaged, match=r"log of .* is gone"):
        SqliteStore(folder / "untold")
    with pytest.raises(StoreDamaged, match=r"log of .* is gone"):
        SqliteStore(folder / "untold")


def test_an_empty_log_of_a_process_that_was_killed_is_none_that_is_gone(folder: Path) -> None:
    store = SqliteStore(folder / "store")
    told = a_day(store, 0, 2)
    store.checkpoint()
    copied = copy_of(folder / "store", folder / "copied")
    assert (copied / "store.db-wal").stat().st_size == 0
    store.close()
    assert opened(copied) == (max(told), told[max(told)])


def test_an_old_log_beside_a_newer_database_is_refused(folder: Path) -> None:
    store = SqliteStore(folder / "store")
    a_day(store, 0, 3)
    old = copy_of(folder / "store", folder / "old")
    store.checkpoint()
    a_day(store, 3, 6)
    store.close()
    log = (old / "store.db-wal").read_bytes()
    (folder / "store" / "store.db-wal").write_bytes(log)
    with pytest.raises(StoreDamaged):
        SqliteStore(folder / "store")


def test_an_old_database_beside_its_count_is_refused_unless_it_is_said_to_be_restored(folder: Path) -> None:
    store = SqliteStore(folder / "store")
    told = a_day(store, 0, 3)
    store.close()
    database = (folder / "store" / "store.db").read_bytes()
    store.reopen()
    a_day(store, 3, 3)
    store.close()
    (folder / "store" / "store.db").write_bytes(database)
    for _ in range(2):
        with pytest.raises(StoreDamaged, match="restored=True"):
            SqliteStore(folder / "store")
    store = SqliteStore(folder / "store", restored=True)
    assert rows_of(store) == told[max(told)]
    store.close()
    assert opened(folder / "store")[1] == told[max(told)]


@pytest.mark.parametrize("lost", ["store.count", "store.db"])
def test_a_file_that_is_gone_is_missed(folder: Path, lost: str) -> None:
    store = SqliteStore(folder / "store")
    a_day(store, 0, 2)
    store.close()
    (folder / "store" / lost).unlink()
    with pytest.raises(StoreDamaged, match="gone"):
        SqliteStore(folder / "store")


def test_a_flipped_bit_in_the_count_is_seen(folder: Path) -> None:
    SqliteStore(folder / "store").close()
    whole = (folder / "store" / "store.count").read_bytes()
    for place in range(0, len(whole) * 8, 7):
        flipped = bytearray(whole)
        flipped[place // 8] ^= 1 << place % 8
        (folder / "store" / "store.count").write_bytes(flipped)
        with pytest.raises(StoreDamaged):
            SqliteStore(folder / "store")


def closed_store(folder: Path, sealer: AesGcmSealer | None) -> Rows:
    """Make a store of some pages, and close it."""
    store = SqliteStore(folder, sealer=sealer)
    store.begin()
    for number in range(200):
        store.put("marks", number.to_bytes(4, "big"), random.Random(number).randbytes(60))
    for number in range(100):
        store.put("held", number.to_bytes(4, "big"), random.Random(number).randbytes(64), secret=True)
    for number in range(12):
        store.put("chunks", number.to_bytes(4, "big"), random.Random(number).randbytes(1024), secret=True)
    store.commit()
    rows = rows_of(store)
    store.close()
    return rows


def assert_nothing_is_believed_that_was_not_written(folder: Path, rows: Rows, sealer: AesGcmSealer | None) -> bool:
    """Open a damaged store; plain rows must all be right, secret ones right or missing. Tell whether it was refused."""
    try:
        store = SqliteStore(folder, sealer=sealer)
    except (StoreDamaged, ConfigurationError):
        return True
    try:
        found = rows_of(store)
    except StoreDamaged:
        return True
    finally:
        store.close()
    assert found.items() <= rows.items()
    assert {name for name in rows if name not in found and name[0] == "marks"} == set()
    return False


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("count", [60, pytest.param(2000, marks=pytest.mark.slow)])
def test_flipped_bits_in_the_database_change_no_row_unseen(folder: Path, sealed: bool, count: int) -> None:
    sealer = AesGcmSealer(bytes(32)) if sealed else None
    rows = closed_store(folder / "store", sealer)
    whole = (folder / "store" / "store.db").read_bytes()
    refused = 0
    for place in random.Random(7).sample(range(len(whole) * 8), count):
        flipped = bytearray(whole)
        flipped[place // 8] ^= 1 << place % 8
        damaged = again(folder / "store", folder / "damaged")
        (damaged / "store.db").write_bytes(flipped)
        refused += assert_nothing_is_believed_that_was_not_written(damaged, rows, sealer)
    assert refused > count // 4


def test_a_page_that_the_disk_did_not_write_is_seen(folder: Path) -> None:
    """Each row of an old page has a right check; the sum over all rows tells."""
    closed_store(folder / "store", None)
    old = (folder / "store" / "store.db").read_bytes()
    store = SqliteStore(folder / "store")
    for number in range(0, 200, 20):
        store.begin()
        store.put("marks", number.to_bytes(4, "big"), bytes(60))
        store.commit()
    rows = rows_of(store)
    store.close()
    new = (folder / "store" / "store.db").read_bytes()
    stale = [
        start
        for start in range(0, len(new), PAGE_BYTES)
        if new[start : start + PAGE_BYTES] != old[start : start + PAGE_BYTES]
    ]
    refused = 0
    for start in stale:
        damaged = again(folder / "store", folder / "damaged")
        (damaged / "store.db").write_bytes(new[:start] + old[start : start + PAGE_BYTES] + new[start + PAGE_BYTES :])
        refused += assert_nothing_is_believed_that_was_not_written(damaged, rows, None)
    assert refused >= len(stale) - 1 >= 2  # the first page has nothing but the number of changes


def test_a_row_that_is_deleted_behind_the_store_is_missed(folder: Path) -> None:
    closed_store(folder / "store", None)
    connection = sqlite3.connect(folder / "store" / "store.db")
    with connection:
        connection.execute("DELETE FROM plain WHERE name=?", (b"marks\0" + (7).to_bytes(4, "big"),))
    connection.close()
    with pytest.raises(StoreDamaged, match="rows that are not those of its last commit"):
        SqliteStore(folder / "store")


# Processes that end.

WORK = """
import os, sys
from qkdpost.network.store import SqliteStore
store = SqliteStore(sys.argv[1])
store.begin()
mark = int.from_bytes(store.get("marks", b"") or b"", "big")
store.rollback()
while True:
    mark += 1
    store.begin()
    store.put("marks", b"", mark.to_bytes(8, "big"))
    store.put("held", mark.to_bytes(8, "big"), os.urandom(32), secret=True)
    if mark > 5: store.take("held", (mark - 5).to_bytes(8, "big"))
    store.commit()
    os.write(1, b"%d\\n" % mark)
    if mark % 7 == 0: store.checkpoint()
"""


def kill_at_random(folder: Path, times: int) -> None:
    draw = random.Random(8)
    for _ in range(times):
        work = started("import sys; sys.argv[1:] = [" + repr(str(folder)) + "]\n" + WORK)
        assert work.stdout is not None
        told = [work.stdout.readline() for _ in range(draw.randrange(1, 40))]
        os.kill(work.pid, signal.SIGKILL)
        told += work.communicate()[0].splitlines()
        store = SqliteStore(folder)
        rows = rows_of(store)
        store.close()
        mark = int.from_bytes(rows["marks", b""], "big")
        assert mark - int(told[-1]) in (0, 1)
        held = sorted(int.from_bytes(key, "big") for table, key in rows if table == "held")
        assert held == list(range(max(1, mark - 4), mark + 1))


def test_a_killed_process_loses_nothing_that_it_told(folder: Path) -> None:
    kill_at_random(folder / "store", 3)


@pytest.mark.slow
def test_a_process_killed_sixty_times_loses_nothing_that_it_told(tmp_path: Path) -> None:
    kill_at_random(tmp_path / "store", 60)


@pytest.mark.parametrize("ending", ["", "store.begin(); store.put('marks', b'', b'2')", "raise SystemExit(3)"])
def test_a_process_that_ends_without_closing_leaves_a_whole_store(folder: Path, ending: str) -> None:
    run(
        f"from qkdpost.network.store import SqliteStore\nstore = SqliteStore({str(folder / 'store')!r})\n"
        f"store.begin(); store.put('marks', b'', b'1'); store.commit()\n{ending}"
    )
    assert opened(folder / "store")[1] == {("marks", b""): b"1"}


def test_a_store_that_nobody_refers_to_is_closed(folder: Path) -> None:
    store = SqliteStore(folder / "store")
    a_day(store, 0, 1)
    del store
    assert not (folder / "store" / "store.db-wal").exists()
    assert len(opened(folder / "store")[1]) == 3
