"""What the README shows runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import qkdpost as qp

README = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")
LINK = qp.LinkConfig(protocol=qp.BB84())
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def test_the_notebook_lines_give_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = [block for block in BLOCKS if "qp.simulation" in block]
    exec(compile(block, "README.md", "exec"), {})
    assert "key delivered" in capsys.readouterr().out


def test_own_arrays_give_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = [block for block in BLOCKS if "PreparedPulses" in block]
    alice, bob = qp.simulation.bb84(pulses=1_000_000, rng=1)
    names = {"sent_bases": alice.bases, "sent_bits": alice.bits, "clicked": bob.slots, "his_bases": bob.bases}
    exec(compile(block, "README.md", "exec"), {**names, "his_outcomes": bob.bits, "qp": qp, "link": LINK})
    assert "key delivered" in capsys.readouterr().out


def test_every_name_of_the_readme_exists() -> None:
    for name in set(re.findall(r"\bqp\.(\w+)", README)):
        assert hasattr(qp, name), name


def test_the_page_is_short() -> None:
    assert README.count("\n") <= 110
