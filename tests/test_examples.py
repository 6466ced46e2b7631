"""Every example runs as it stands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def run(name: str, *arguments: str) -> str:
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("kind", "pulses", "fibre_km"),
    [
        ("bb84", 4_000_000, 20),
        ("bbm92", 40_000_000, 0),
        ("decoy-bb84", 40_000_000, 20),
        ("one-decoy", 40_000_000, 20),
        ("single-photon-bb84", 20_000_000, 20),
    ],
)
def test_two_hosts(kind: str, pulses: int, fibre_km: int) -> None:
    output = run("two_hosts.py", "--kind", kind, "--pulses", str(pulses), "--fibre-km", str(fibre_km))
    assert "both hosts hold the same key" in output
    assert output.count("leakage charged") == 2


def test_time_tags(data_directory: Path) -> None:
    output = run(
        "timetags_bbm92.py",
        str(data_directory / "kwiat_bbm92_timetags" / "Alice1_Bob1_with_delays.txt"),
        "--window-ps",
        "625",
    )
    assert "both hosts hold the same key" in output


def test_notebook_in_five_lines() -> None:
    assert "key delivered" in run("notebook_five_lines.py")
