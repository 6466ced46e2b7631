"""What docs/extending.md shows runs, block after block, and adds what it says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qkdpost.protocols.table import PROTOCOLS
from qkdpost.reconciliation.ldpc.decoders import DECODERS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "extending.md"


@pytest.fixture
def tables_as_they_were() -> Iterator[None]:
    """What the page adds is gone again afterwards."""
    tables: tuple[dict[str, Any], ...] = (PROTOCOLS, DECODERS)
    before = [dict(table) for table in tables]
    yield
    for table, content in zip(tables, before, strict=True):
        table.clear()
        table.update(content)


@pytest.mark.usefixtures("tables_as_they_were")
def test_the_additions_of_the_page_give_keys(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {"__name__": "page"}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL):
        exec(compile(block, str(PAGE), "exec"), names)
    first, stages, reserved, decoded = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"[1-9]\d{3,} bits by reverse-bb84", first)
    assert "'estimation', 'counting', 'reconciliation'" in stages
    assert re.fullmatch(r"[1-9]\d{3,} bits by .+, with a reserve", reserved)
    assert re.fullmatch(r"[1-9]\d* frames decoded, [1-9]\d{3,} bits", decoded)
