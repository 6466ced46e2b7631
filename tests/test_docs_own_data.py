"""What the page on own data shows runs, in order, each piece with the names of those before."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "own_data.md").read_text(encoding="utf-8")


def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    (table,) = re.findall(r"```\n(intensity.*?)```", PAGE, flags=re.DOTALL)
    (tmp_path / "counts.csv").write_text(table)
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL):
        exec(compile(block, "own_data.md", "exec"), names)
    assert "key delivered" in capsys.readouterr().out
    assert names["length"].bits > 5_000_000  # type: ignore[attr-defined]
