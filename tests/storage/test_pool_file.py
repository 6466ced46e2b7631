"""A pool in a file: what is refused, and what outlives what."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import stat
from pathlib import Path

import pytest

import qkdpost as qp
from qkdpost.errors import (
    ConfigurationError,
    InputError,
    LocalProtocolError,
    StoreDamaged,
    StoreInUse,
    StoreUnavailable,
)
from qkdpost.keys import KeyPool
from qkdpost.storage import PoolFile
from support.leaks import leaks
from support.stores import run, started

PRESHARED = bytes(range(256)) * 2


@pytest.fixture
def file(tmp_path: Path) -> PoolFile:
    return PoolFile.create(tmp_path / "pool", PRESHARED)


def spend(pool: KeyPool) -> bytes:
    """Use a pad, and return it."""
    return pool.pad(pool.reserve(16), 0, 16)


def test_what_was_saved_is_found_again(file: PoolFile) -> None:
    pads = []
    for _ in range(4):
        with file:
            pool = file.open()
            pads.append(spend(pool))
            file.save(pool.snapshot())
    assert pads == [PRESHARED[32 + 16 * n : 48 + 16 * n] for n in range(4)]
    assert file.open().spent_bytes == 64


def test_the_pool_of_a_session_is_saved_by_it(file: PoolFile) -> None:
    with file:
        session = qp.Session(
            role="bob", link=qp.LinkConfig(protocol=qp.BB84()), auth_key=file.open(), save_pool=file.save
        )
        assert session.data_to_send()


def test_files_are_the_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        PoolFile.create(tmp_path / "pool", PRESHARED)
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
    assert {path.name for path in tmp_path.iterdir()} == {"pool", "pool.lock"}


# Who may have it.

OPEN = """
from qkdpost.storage import PoolFile
try:
    PoolFile({path!r}).open()
    print("opened")
except Exception as error:
    print(type(error).__name__)
"""


def test_one_process_at_a_time_has_the_pool(file: PoolFile) -> None:
    elsewhere = OPEN.format(path=str(file.path))
    pool = file.open()
    assert run(elsewhere) == "StoreInUse\n"
    with pytest.raises(StoreInUse, match="in use"):
        PoolFile(file.path).open()
    with pytest.raises(LocalProtocolError, match="open already"):
        file.open()
    file.save(pool.snapshot())
    file.close()
    file.close()
    assert run(elsewhere) == "opened\n"


def test_a_file_that_nobody_refers_to_is_let_go(file: PoolFile) -> None:
    other = PoolFile(file.path)
    other.open()
    del other
    file.open()


def test_a_killed_process_lets_go(file: PoolFile) -> None:
    other = started(
        f"from qkdpost.storage import PoolFile\nfile = PoolFile({str(file.path)!r})\nfile.open()\n"
        "print('open', flush=True); import time; time.sleep(60)"
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "open\n"
    with pytest.raises(StoreInUse):
        file.open()
    other.send_signal(signal.SIGKILL)
    other.communicate()
    file.open()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_is_refused_and_takes_nothing_from_its_parent(file: PoolFile) -> None:
    said = run(
        "import os, warnings\nfrom qkdpost.errors import LocalProtocolError, StoreInUse\n"
        f"from qkdpost.storage import PoolFile\nfile = PoolFile({str(file.path)!r})\npool = file.open()\n"
        "snapshot = pool.snapshot()\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    for act in (lambda: file.save(snapshot), file.open):\n"
        "        try: act()\n"
        "        except LocalProtocolError: os.write(1, b'refused\\n')\n"
        "    file.close()\n"
        "    os._exit(0)\n"
        "os.waitpid(child, 0)\n"
        "try: PoolFile(file.path).open()\n"
        "except StoreInUse: os.write(1, b'held\\n')\n"
        "file.save(pool.snapshot()); os.write(1, b'saved\\n')"
    )
    assert said == "refused\nrefused\nheld\nsaved\n"


def test_a_link_is_refused(file: PoolFile, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(file.path)
    with pytest.raises(ConfigurationError, match="no link"):
        PoolFile(tmp_path / "link").open()
    shutil.copy(tmp_path / "pool.lock", tmp_path / "elsewhere")
    (tmp_path / "pool.lock").unlink()
    (tmp_path / "pool.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigurationError, match="no link"):
        file.open()


@pytest.mark.parametrize("name", ["pool", "pool.lock"])
def test_a_file_open_to_others_is_refused(file: PoolFile, tmp_path: Path, name: str) -> None:
    (tmp_path / name).chmod(0o640)
    with pytest.raises(ConfigurationError, match="mode 640"):
        file.open()


def test_a_folder_open_to_others_is_refused(file: PoolFile, tmp_path: Path) -> None:
    tmp_path.chmod(0o770)
    with pytest.raises(ConfigurationError, match="mode 770"):
        file.open()
    tmp_path.chmod(0o1777)
    file.open()


def test_a_file_of_somebody_else_is_refused(file: PoolFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(ConfigurationError, match="belongs to user"):
        file.open()


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere" / "pool", tmp_path / "file" / "pool"):
        (tmp_path / "file").touch()
        with pytest.raises(ConfigurationError, match="folder"):
            PoolFile(path).open()


# What is not believed.


def test_a_second_pool_is_not_made_in_the_place_of_one(file: PoolFile) -> None:
    with pytest.raises(InputError, match="there already"):
        PoolFile.create(file.path, PRESHARED)
    file.path.unlink()
    with pytest.raises(StoreDamaged, match="is gone"):
        PoolFile.create(file.path, PRESHARED)
    with pytest.raises(StoreDamaged, match="is gone"):
        file.open()


def test_every_flipped_bit_is_seen(file: PoolFile, tmp_path: Path) -> None:
    for path in (file.path, tmp_path / "pool.lock"):
        whole = path.read_bytes()
        for place in range(0, 8 * len(whole), 11):
            flipped = bytearray(whole)
            flipped[place // 8] ^= 1 << place % 8
            path.write_bytes(flipped)
            with pytest.raises(StoreDamaged):
                file.open()
        path.write_bytes(whole)
    file.open()


@pytest.mark.parametrize("length", [0, 1, 49, 50, 51, -1])
def test_a_file_that_is_cut_short_is_seen(file: PoolFile, length: int) -> None:
    file.path.write_bytes(file.path.read_bytes()[:length])
    with pytest.raises(StoreDamaged, match="new pool"):
        file.open()


def test_bytes_behind_the_end_are_seen(file: PoolFile) -> None:
    with file.path.open("ab") as more:
        more.write(b"\0")
    with pytest.raises(StoreDamaged):
        file.open()


def test_a_copy_that_was_put_back_is_refused_unless_it_is_said_to_be_one(file: PoolFile, tmp_path: Path) -> None:
    with file:
        pool = file.open()
        file.save(pool.snapshot())
        shutil.copy2(file.path, tmp_path / "copy")
        spend(pool)
        file.save(pool.snapshot())
    shutil.copy2(tmp_path / "copy", file.path)
    with pytest.raises(StoreDamaged, match="older"):
        file.open()
    with file:
        assert file.open(restored=True).spent_bytes == 0
    file.open()


def test_a_count_that_is_gone_is_missed(file: PoolFile, tmp_path: Path) -> None:
    with file:
        file.save(file.open().snapshot())
    (tmp_path / "pool.lock").unlink()
    with pytest.raises(StoreDamaged, match="is gone"):
        file.open()
    with file:
        file.open(restored=True)
    file.open()


def test_a_backup_of_the_first_save_without_its_count_is_refused(file: PoolFile, tmp_path: Path) -> None:
    shutil.copy2(file.path, tmp_path / "backup")
    with file:
        pool = file.open()
        pad = spend(pool)
        file.save(pool.snapshot())
    (tmp_path / "new").mkdir(mode=0o700)
    shutil.copy2(tmp_path / "backup", tmp_path / "new" / "pool")
    os.link(file.path, tmp_path / "other name")
    for path in (tmp_path / "backup", tmp_path / "new" / "pool", tmp_path / "other name"):
        for _ in range(2):
            with pytest.raises(StoreDamaged, match=r"open\(restored=True\)"):
                PoolFile(path).open()
    assert spend(file.open()) != pad


def test_the_pool_of_a_file_that_was_closed_hands_out_no_pad(file: PoolFile) -> None:
    before = file.open()
    piece = before.reserve(16)
    file.close()
    pool = file.open()
    for act in (
        lambda: before.reserve(16),
        lambda: before.pad(piece, 0, 16),
        lambda: before.claim(piece),
        lambda: qp.Session(role="bob", link=qp.LinkConfig(protocol=qp.BB84()), auth_key=before),
    ):
        with pytest.raises(LocalProtocolError, match="retired"):
            act()
    spend(pool)
    file.save(pool.snapshot())


def test_the_working_folder_may_change(file: PoolFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    relative = PoolFile("pool")
    pool = relative.open()
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    monkeypatch.chdir(tmp_path / "elsewhere")
    spend(pool)
    relative.save(pool.snapshot())
    relative.close()
    assert file.open().spent_bytes == 16


def test_another_folder_in_the_place_of_the_first_is_not_written_to(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir(mode=0o700)
        PoolFile.create(tmp_path / name / "pool", os.urandom(64))
    file = PoolFile(tmp_path / "one" / "pool")
    pool = file.open()
    (tmp_path / "one").rename(tmp_path / "away")
    with pytest.raises(StoreUnavailable, match="as it was"):
        file.save(pool.snapshot())
    (tmp_path / "two").rename(tmp_path / "one")
    there = (tmp_path / "one" / "pool").read_bytes()
    with pytest.raises(StoreUnavailable, match="as it was"):
        file.save(pool.snapshot())
    assert (tmp_path / "one" / "pool").read_bytes() == there


def test_a_snapshot_of_another_pool_or_of_an_earlier_time_is_not_saved(file: PoolFile) -> None:
    pool = file.open()
    early = pool.snapshot()
    spend(pool)
    file.save(pool.snapshot())
    for snapshot in (early, KeyPool(bytes(300)).snapshot(), b"", bytes(100)):
        with pytest.raises(InputError):
            file.save(snapshot)
    with pytest.raises(InputError):
        file.save("snapshot")  # type: ignore[arg-type]
    file.save(pool.snapshot())
    file.close()
    with pytest.raises(LocalProtocolError, match=r"open\(\)"):
        file.save(pool.snapshot())


def test_arguments_are_checked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="path"):
        PoolFile(3)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="preshared"):
        PoolFile.create(tmp_path / "pool", b"short")
    with pytest.raises(InputError, match="restored"):
        PoolFile.create(tmp_path / "pool", PRESHARED).open(restored="no")  # type: ignore[arg-type]


def test_errors_and_representations_hold_no_key(file: PoolFile, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = file.open()
    snapshot, secret = pool.snapshot(), PRESHARED[40:72]
    errors: list[BaseException] = []

    def fails(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fails)
        with pytest.raises(StoreUnavailable) as full:
            file.save(snapshot)
        errors.append(full.value)
    with pytest.raises(InputError) as wrong:
        file.save(KeyPool(PRESHARED[::-1]).snapshot())
    errors.append(wrong.value)
    file.close()
    with pytest.raises(LocalProtocolError) as closed:
        file.save(snapshot)
    file.path.write_bytes(file.path.read_bytes()[:-1])
    with pytest.raises(StoreDamaged) as damaged:
        file.open()
    for error in (*errors, closed.value, damaged.value):
        assert leaks(error, secret, hidden=True) == []
        assert leaks(error, secret[::-1], hidden=True) == []
    assert repr(file) == f"PoolFile({str(file.path)!r})"


# A process that ends.

WORK = """
import os, sys
from qkdpost.storage import PoolFile
file = PoolFile({path!r})
pool = file.open()
while pool.available_bytes >= 16:
    pad = pool.pad(pool.reserve(16), 0, 16)
    file.save(pool.snapshot())
    os.write(1, pad.hex().encode() + b"\\n")
"""


def kill_at_random(folder: Path, times: int, seed: int) -> None:
    draw = random.Random(seed)
    file = PoolFile.create(folder / "pool", draw.randbytes(32 + 16 * 200 * times))
    told: list[str] = []
    for _ in range(times):
        work = started(WORK.format(path=str(file.path)))
        assert work.stdout is not None
        told += [work.stdout.readline() for _ in range(draw.randrange(1, 40))]
        work.send_signal(signal.SIGKILL)
        told += [line for line in work.communicate()[0].splitlines(keepends=True) if line.endswith("\n")]
    assert len(told) == len(set(told))
    assert file.open().spent_bytes - 16 * len(told) in range(0, 16 * times + 1, 16)


def test_a_killed_process_has_told_of_no_pad_that_comes_again(tmp_path: Path) -> None:
    kill_at_random(tmp_path, 3, seed=1)


@pytest.mark.slow
def test_a_process_killed_sixty_times_has_told_of_no_pad_that_comes_again(tmp_path: Path) -> None:
    kill_at_random(tmp_path, 60, seed=2)
