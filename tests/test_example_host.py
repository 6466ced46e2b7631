"""`examples/host.py`: two hosts that are killed and cut off, and go on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support.soak import EXAMPLES, LINK, check, soak


def test_hosts_go_on_after_a_kill_and_a_cut(tmp_path: Path) -> None:
    hosts = soak(tmp_path, keys=16, kills=1, cuts=1, every_seconds=0.1, seed=3)
    counted = check(hosts)
    assert counted["both"] >= 4  # and at most 4 at each fault, and at the end, are with one host alone
    assert {path.stat().st_mode & 0o777 for path in hosts.keys("bob")} == {0o600}
    assert "INFO host: kernels are loaded, after" in (tmp_path / "bob.log").read_text()


@pytest.mark.slow
def test_ten_thousand_blocks_with_kills_and_cuts(tmp_path: Path) -> None:
    hosts = soak(tmp_path, keys=9_800, kills=24, cuts=120, every_seconds=0.04, seed=4)
    counted = check(hosts)
    print(counted, hosts.kills, hosts.line.cuts, {role: max(sizes) >> 20 for role, sizes in hosts.memory.items()})
    assert counted["blocks"] >= 10_000
    for sizes in hosts.memory.values():
        assert max(sizes) < 600 * 2**20


def settings(folder: Path) -> Path:
    (folder / "link.toml").write_text(LINK)
    (folder / "preshared.key").write_bytes(bytes(range(256)))
    path = folder / "host.toml"
    path.write_text((EXAMPLES / "host.toml").read_text())
    return path


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EXAMPLES / "host.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_settings_that_are_wrong_are_told_without_a_traceback(tmp_path: Path) -> None:
    path = settings(tmp_path)
    text = path.read_text()
    for wrong, words in (
        (text.replace("connect =", "conect ="), "no setting conect"),
        (text.replace('role = "bob"', ""), "must have role"),
        (text.replace("threads = 2", "threads = two"), "line 7"),
    ):
        path.write_text(wrong)
        refused = run(path)
        assert refused.returncode == 2
        assert words in refused.stderr
        assert "Traceback" not in refused.stderr
    absent = run(tmp_path / "absent.toml")
    assert absent.returncode == 2
    assert "Traceback" not in absent.stderr


def test_a_host_does_not_start_on_a_pool_that_is_damaged_or_not_there(tmp_path: Path) -> None:
    path = settings(tmp_path)
    missing = run(path)
    assert missing.returncode == 3
    assert "create" in missing.stderr
    assert run(path, "--create-pool", tmp_path / "preshared.key").returncode == 0
    again = run(path, "--create-pool", tmp_path / "preshared.key")
    assert again.returncode == 2
    assert "there already" in again.stderr
    pool = tmp_path / "pool"
    pool.write_bytes(pool.read_bytes()[:-1])
    damaged = run(path)
    assert damaged.returncode == 3
    assert "this host does not start" in damaged.stderr
    assert "new pool of new pre-shared key on both hosts" in damaged.stderr
    assert "Traceback" not in damaged.stderr
