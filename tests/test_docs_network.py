"""What docs/network.md shows runs as it stands."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

import qkdpost as qp
from qkdpost import errors

PAGE = Path(__file__).resolve().parent.parent / "docs" / "network.md"
TEXT = PAGE.read_text(encoding="utf-8")


def test_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    assert len(blocks) == 4
    names: dict[str, object] = {"asyncio": asyncio}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    printed = capsys.readouterr().out
    assert "equal: True" in printed
    assert "'qkdpost_kinds': ['decoy-bb84']" in printed
    assert "north, bits; 0 keys wait for slaves" in printed
    assert names["north"].account().pool("south").unaccounted_bits == 0  # type: ignore[attr-defined]


def test_errors_and_events_that_the_page_names_are_there() -> None:
    for name in re.findall(r"`(\w+)`", TEXT):
        if re.fullmatch(r"(Store|Peer|Pool|Transfer|Key)[A-Z]\w+|NotEnoughKey|NoRoute", name):
            assert any(hasattr(place, name) for place in (qp, qp.network, qp.transport.network, errors)), name
