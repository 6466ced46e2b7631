"""What the README shows runs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import qkdpost as qp

README = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def test_the_notebook_lines_give_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = [block for block in BLOCKS if "qp.distill" in block]
    exec(compile(block, "README.md", "exec"), {})
    assert "key delivered" in capsys.readouterr().out


def test_the_planning_lines_answer(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = [block for block in BLOCKS if "time_to_collect" in block]
    exec(compile(block, "README.md", "exec"), {"qp": qp, "np": np})
    assert float(capsys.readouterr().out.split()[0]) > 0


def test_the_fixed_length_lines_plan_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = [block for block in BLOCKS if "plan_fixed_length" in block]
    names: dict[str, object] = {"qp": qp}
    exec(compile(block, "README.md", "exec"), names)
    assert names["plan"].result.bits > 10**5  # type: ignore[attr-defined]
    assert "fixed-length" in capsys.readouterr().out


def test_every_name_of_the_readme_exists() -> None:
    for name in set(re.findall(r"\bqp\.(\w+)", README)):
        assert hasattr(qp, name), name
