"""The power is cut between any two calls, or the disk fails in one: what was told is there, and nothing older."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from qkdpost.errors import StoreDamaged, StoreUnavailable
from qkdpost.storage import PoolFile
from support.played_disk import PlayedDisk, PowerCut

PRESHARED = bytes(range(256))
SAVES = 3
TOLD_BYTES = 32


def a_day(path: Path, told: list[int]) -> None:
    """Make a pool and spend it; write down how much was spent, each time when it is told."""
    told.append(-1)
    file = PoolFile.create(path, PRESHARED)
    told[:] = [0]
    pool = file.open()
    for _ in range(SAVES):
        pool.pad(pool.reserve(16), 0, 16)
        file.save(pool.snapshot())
        told.append(pool.spent_bytes)


def calls_of(day: Callable[[Path, list[int]], None], folder: Path, patched: pytest.MonkeyPatch) -> int:
    disk = PlayedDisk(folder)
    disk.install(patched)
    day(folder / "pool", [])
    return len(disk.calls)


def test_after_a_cut_at_any_place_the_pool_is_no_older_than_was_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "whole").mkdir(mode=0o700)
    with monkeypatch.context() as patched:
        calls = calls_of(a_day, tmp_path / "whole", patched)
    assert calls > 8 * SAVES
    for cut in range(calls):
        folder = tmp_path / f"cut-{cut}"
        found_in = tmp_path / f"found-{cut}"
        folder.mkdir(mode=0o700)
        found_in.mkdir()
        told: list[int] = []
        disk = PlayedDisk(folder, cut_before=cut)
        with monkeypatch.context() as patched:
            disk.install(patched)
            with pytest.raises(PowerCut):
                a_day(folder / "pool", told)
        for found in disk.found_after_the_cut(found_in):
            assert spent_in(found / "pool") in ({told[-1], told[-1] + 16} if told[-1] >= 0 else {-1, 0}), disk.calls


def spent_in(path: Path) -> int:
    """Return how much is spent, -1 of a pool that is not there; then it can be made.

    A pool whose making was cut short before its saves could be counted is refused, as a copy of it would be.
    """
    file = PoolFile(path)
    if not path.exists():
        with pytest.raises(StoreDamaged, match="never made"):
            file.open()
        PoolFile.create(path, PRESHARED)
        return -1
    lock = path.with_name("pool.lock")
    if not lock.exists() or lock.stat().st_size < TOLD_BYTES:
        with pytest.raises(StoreDamaged, match=r"create\(\) never returned"):
            file.open()
        path.unlink()
        lock.unlink()
        PoolFile.create(path, PRESHARED)
        return -1
    with file:
        pool = file.open()
        file.save(pool.snapshot())
    return pool.spent_bytes


@pytest.mark.parametrize("call", ["open", "write", "fsync", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_fails_is_told_of_and_works_on_when_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    file = PoolFile.create(tmp_path / "pool", PRESHARED)
    pool = file.open()
    disk = PlayedDisk(tmp_path)
    for _ in range(2):
        pool.pad(pool.reserve(16), 0, 16)
        with monkeypatch.context() as patched:
            disk.install(patched)
            disk.fails = {call: OSError(number, "Input/output error")}
            with pytest.raises(StoreUnavailable, match="cannot write"):
                file.save(pool.snapshot())
        assert {path.name for path in tmp_path.iterdir()} == {"pool", "pool.lock"}
    file.save(pool.snapshot())
    file.close()
    assert file.open().spent_bytes == 32


def test_writes_that_are_cut_short_by_a_signal_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, bytes(data)[:40]))
    file = PoolFile.create(tmp_path / "pool", PRESHARED)
    assert file.open().available_bytes == len(PRESHARED) - 32


def test_what_an_attempt_left_behind_is_removed(tmp_path: Path) -> None:
    (tmp_path / "pool.new").write_bytes(b"half of a pool")
    file = PoolFile.create(tmp_path / "pool", PRESHARED)
    (tmp_path / "pool.new").write_bytes(b"half of a pool")
    file.save(file.open().snapshot())
    assert {path.name for path in tmp_path.iterdir()} == {"pool", "pool.lock"}
