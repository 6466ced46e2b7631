"""The command line: what it tells, in words and JSON, and its exit codes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import qkdpost as qp
from qkdpost import __main__ as command_line
from qkdpost.errors import ConfigurationError
from qkdpost.installation import inspection

PROJECT = Path(__file__).resolve().parent.parent


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    import os

    command = [sys.executable, "-m", "qkdpost", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=600, check=False, env=os.environ | environment
    )


def test_the_release_is_told_and_is_that_of_the_package() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+([a-z]+\d+)?", qp.__version__)
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" in settings["project"]["dynamic"]
    assert settings["tool"]["hatch"]["version"]["path"] == "src/qkdpost/version.py"
    assert run("--version").stdout.strip() == qp.__version__


def test_versions_path_cache_extras_and_health_are_told() -> None:
    done = run()
    assert done.returncode == 0, done.stderr
    for told in (
        "qkdpost ",
        "python ",
        "numba ",
        "numpy ",
        "scipy ",
        "processor path",
        "compiled code",
        "extra network",
    ):
        assert told in done.stdout
    assert re.search(r"^health +well$", done.stdout, re.M)


def test_the_same_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert command_line.main(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == first
    assert first["versions"]["qkdpost"] == qp.__version__
    assert first["healthy"] is True and first["problems"] == []
    assert first["cached_kernels"] <= first["kernels"]


def test_the_self_test_is_run_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["self-test"]) == 0
    assert "Toeplitz hashing" in capsys.readouterr().out
    assert command_line.main(["self-test", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["passed"] is True
    assert told["processor_path"] == qp.processor_path()
    assert told["families"]["Cascade"] > 1
    assert told["seconds"] > 0


def test_a_self_test_that_fails_has_exit_code_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing() -> None:
        raise qp.SelfTestFailed("Cascade gives a wrong answer")

    monkeypatch.setattr(command_line, "self_test", failing)
    assert command_line.main(["self-test"]) == 1
    assert "wrong answer" in capsys.readouterr().out
    assert command_line.main(["self-test", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {"passed": False, "failure": "Cascade gives a wrong answer"}


def test_warming_up_ends_with_what_is_installed(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["warmup", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["cached_kernels"] == told["kernels"]


def test_a_log_is_told_how_far_warming_up_has_got(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The build of an image, where no line can be overwritten."""
    monkeypatch.setattr(command_line, "SECONDS_BETWEEN_LINES", 0.0)
    assert command_line.main(["warmup"]) == 0
    told = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"compiling kernels: 0 of \d+", told[0])
    assert re.fullmatch(r"compiling kernels: (\d+) of \1", told[-1])


@pytest.mark.parametrize("command", ["status", "self-test", "warmup"])
def test_what_is_wrong_is_said_and_the_exit_code_is_1(command: str) -> None:
    done = run(command, QKDPOST_CLMUL="smoke")
    assert done.returncode == 1
    assert "QKDPOST_CLMUL must be one of" in done.stdout
    assert "NUMBA_DISABLE_JIT" not in done.stdout
    assert "Traceback" not in done.stderr


def test_a_damaged_table_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(name: str) -> None:
        raise ConfigurationError(f"the table of code {name!r} does not match its hash; reinstall the library")

    monkeypatch.setattr(inspection, "load_code", damaged)
    found = inspection.inspect_installation()
    assert not found.healthy
    assert "does not match its hash" in found.problems[0]
    assert "does not match its hash" in str(found)


@pytest.mark.parametrize("arguments", [("smoke",), ("--smoke",)])
def test_what_cannot_be_understood_has_exit_code_2(arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as caught:
        command_line.main(arguments)
    assert caught.value.code == 2


def test_a_cache_that_is_not_filled_is_said_and_is_no_fault(tmp_path: Path) -> None:
    done = run("status", "--json", NUMBA_CACHE_DIR=str(tmp_path))
    told = json.loads(done.stdout)
    assert done.returncode == 0
    assert told["cached_kernels"] == 0
    assert told["kernels"] == 0 or all(str(tmp_path) in folder for folder in told["cache_folders"])
