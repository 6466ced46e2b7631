"""What the suite itself does: recorded data are required only where somebody says so, and compiling is announced."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import conftest

ROOT = Path(__file__).resolve().parent.parent
RECORDED = "tests/sifting/symbol_files/test_loading.py::test_a_record_with_calibration"


def run_recorded(tmp_path: Path, **variables: str) -> str:
    """Run a test of recorded data in a place that has none, as in a fork on a code host."""
    kept = {name: value for name, value in os.environ.items() if name != "QKDPOST_REQUIRE_DATA"}
    environment = {**kept, "CI": "true", "QKDPOST_DATA": str(tmp_path / "none"), **variables}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", RECORDED]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return done.stdout


def test_a_fork_without_recorded_data_passes(tmp_path: Path) -> None:
    output = run_recorded(tmp_path)
    assert "1 skipped" in output
    assert "set QKDPOST_DATA" in output


def test_recorded_data_are_required_where_that_is_said(tmp_path: Path) -> None:
    assert "no recorded data at" in (output := run_recorded(tmp_path, QKDPOST_REQUIRE_DATA="1"))
    assert "1 error" in output


def test_compiling_is_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = conftest.cache_state()
    monkeypatch.setattr(conftest, "cache_state", lambda: type(whole)(whole.folders, 10, 10))
    assert conftest.pytest_report_header() is None
    monkeypatch.setattr(conftest, "cache_state", lambda: type(whole)(whole.folders, 10, 3))
    assert "7 of 10 are not compiled yet" in str(conftest.pytest_report_header())


@pytest.mark.parametrize("time", ["first", "second"])
def test_each_test_draws_the_same_from_the_system(time: str) -> None:
    assert secrets.token_bytes(4) == np.random.default_rng(conftest.SYSTEM_SEED).bytes(4), time
    assert np.random.default_rng().bytes(8) != np.random.default_rng().bytes(8)
