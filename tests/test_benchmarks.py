"""What the benchmarks tell of themselves, and how two runs are compared."""

from __future__ import annotations

import argparse
import ast
import json
import struct
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from benchmarks import compare, peers, workers
from benchmarks.compare import lines, medians
from benchmarks.peer_cases import Case, Made, authentication

from qkdpost.campaigns import InThisProcess

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = sorted(
    path for path in (ROOT / "benchmarks").rglob("*.py") if "add_argument(" in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_every_option_says_what_it_means(path: Path) -> None:
    calls = [
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument"
    ]
    silent = [ast.unparse(call.args[0]) for call in calls if "help" not in {keyword.arg for keyword in call.keywords}]
    assert not silent


def test_help_shows_text_and_defaults() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.loopback", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "(default: 8)" in done.stdout
    assert "--blocks BLOCKS" in done.stdout


def _run(factor: float, *, bits: int = 1024) -> dict[str, Any]:
    return medians(
        {
            "machine_info": {
                "cpu": {"brand_raw": "a processor", "count": 2},
                "system": "Linux",
                "machine": "x86_64",
                "python_version": "3.11.7",
            },
            "datetime": "2026-01-02T03:04:05",
            "benchmarks": [
                {
                    "fullname": f"benchmarks/speed/test_hash.py::test_hash[{size}]",
                    "name": f"test_hash[{size}]",
                    "group": "hashing",
                    "extra_info": {"input_bits": bits},
                    "stats": {"median": factor * size * 1e-6},
                }
                for size in (1, 2)
            ],
        }
    )


def test_ratios_are_of_speed() -> None:
    shown = lines(_run(1.0), _run(3.0))
    assert sum("3.00x" in line for line in shown) == 2
    assert "2 benchmarks, on geometric mean 3.00 times as fast" in shown[-1]
    assert "a processor, 2 cores" in shown[0]


def test_other_work_is_not_compared() -> None:
    shown = lines(_run(1.0), _run(3.0, bits=2048))
    assert not any("x" in line.split()[-1:] and line.endswith("x") for line in shown)


def _options(**given: object) -> argparse.Namespace:
    return argparse.Namespace(**{"reference": None, "save": None, "run": None, "only": ""} | given)


def test_a_missing_reference_is_told_before_minutes_are_spent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "REFERENCES", tmp_path)
    with pytest.raises(SystemExit, match="name one with --reference, or make one with --save"):
        compare.reference_of(_options())
    assert compare.reference_of(_options(save=tmp_path / "new" / "machine.json")) == {}


def test_the_first_reference_is_made_by_the_command_that_compares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compare, "REFERENCES", tmp_path / "reference")
    monkeypatch.setattr(compare, "measured", lambda _: _run(1.0))
    monkeypatch.setattr(compare, "options", lambda: _options(save=tmp_path / "reference" / "machine.json"))
    compare.main()
    assert "reference: none" in capsys.readouterr().out
    monkeypatch.setattr(compare, "options", _options)
    compare.main()
    assert "2 benchmarks, on geometric mean 1.00 times as fast" in capsys.readouterr().out


def test_a_busy_machine_is_said_to_be_one(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(compare.os, "cpu_count", lambda: 4)
    for load, said in ((0.5, False), (4.5, True)):
        monkeypatch.setattr(compare.os, "getloadavg", lambda load=load: (load, 0.0, 0.0), raising=False)
        compare.warn_if_busy()
        assert ("with a load of 4.5: ratios will say little" in capsys.readouterr().err) == said


@pytest.mark.parametrize("content", ["", "[1, 2]", '{"machine": {}}', "\xff"])
def test_a_file_of_something_else_is_no_reference(content: str, tmp_path: Path) -> None:
    (tmp_path / "other.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(SystemExit, match=r"other\.json holds no medians"):
        compare.reference_of(_options(reference=tmp_path / "other.json"))


def test_a_campaign_is_timed_on_any_workers() -> None:
    tasks = workers.tasks_of(_options(block_bits=4096, tasks=4))
    took, processor, results = workers.timed(tasks, lambda _: nullcontext(InThisProcess()), 1)
    assert processor > 0.0
    assert took > 0.0
    assert [result["bits"] for result in results] == [4096] * 4


def test_references_name_their_machine() -> None:
    for path in (ROOT / "benchmarks" / "reference").glob("*.json"):
        document = json.loads(path.read_text(encoding="utf-8"))
        assert document["machine"]["processor"]
        assert document["machine"]["cores"]
        assert len(document["benchmarks"]) > 20
        assert lines(document, document)[-1].endswith("1.00 times as fast")


def _rows() -> list[peers.Row]:
    told = {"unit": "bit", "amount": 1e6, "floor": "bytes", "floor_seconds": 1e-5}
    return [
        peers.Row(step="a hash, 2^20", here_seconds=1e-3, peer="a peer 1.0", peer_seconds=0.0525, **told),
        peers.Row(step="a code", here_seconds=2e-3, peer="no peer installed", peer_seconds=None, **told),
    ]


def test_a_step_stands_beside_its_peer_and_its_floor() -> None:
    text = peers.table(_rows(), "a machine")
    assert "| a hash, 2^20 | **52x** | 100x | 1 Gbit/s | 19 Mbit/s, a peer 1.0 | bytes |" in text
    assert "| a code |  | 200x | 500 Mbit/s | no peer installed | bytes |" in text


def test_the_picture_of_all_steps_fits_a_screen(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    peers.picture(_rows(), "a machine", tmp_path / "speed.png")
    assert struct.unpack(">II", (tmp_path / "speed.png").read_bytes()[16:24]) == (1200, 700)
    kept = (ROOT / "benchmarks" / "speed.png").read_bytes()
    assert struct.unpack(">II", kept[16:24]) == (1200, 700)


def test_the_fastest_peer_is_told_for_equal_work() -> None:
    def made() -> Made:
        whole = authentication(1 << 10)
        slow = {"thirty times": lambda: [whole.here() for _ in range(30)], "of a thousandth": whole.here}
        return Made(here=whole.here, floor=whole.floor, amount=whole.amount, peers=slow, scale={"of a thousandth": 1e9})

    row = peers.measured(Case(step="a step", unit="byte", make=made), rounds=1)
    assert (row.peer, row.amount) == ("thirty times", 1 << 10)
    assert row.times_peer is not None
