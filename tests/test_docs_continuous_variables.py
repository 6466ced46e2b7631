"""What docs/continuous_variables.md shows runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parent.parent / "docs" / "continuous_variables.md"


def test_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(blocks) == 3
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    printed = capsys.readouterr().out
    assert "CoherentStates(modulation_variance=4.0, symbols=20000)" in printed
    assert "QuadratureOutcomes(symbols=20000, detection='heterodyne', efficiency=0.6, adc_step=None)" in printed
    assert "bits a symbol, at a modulation variance of" in printed
    assert "bits a symbol, for endless blocks" in printed
