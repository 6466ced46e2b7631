"""What docs/continuous_variables.md shows runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import qkdpost as qp

PAGE = Path(__file__).resolve().parent.parent / "docs" / "continuous_variables.md"


def test_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(blocks) == 6
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    printed = capsys.readouterr().out
    assert "CoherentStates(modulation_variance=4.0, symbols=20000)" in printed
    assert "QuadratureOutcomes(symbols=20000, detection='heterodyne', efficiency=0.6, adc_step=None)" in printed
    assert "no key" in printed
    assert "20000 symbols, of which 131072 would be disclosed" in printed
    assert "bits a symbol, at a modulation variance of" in printed
    assert "bits a symbol, for endless blocks" in printed


def test_the_link_of_the_page_is_one() -> None:
    text, more = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    link = qp.LinkConfig.from_toml(text)
    assert isinstance(link.protocol, qp.GaussianCV)
    assert link.protocol.detection == "homodyne"
    assert isinstance(link.correction, qp.Multidimensional)
    assert qp.LinkConfig.from_toml(text + more).correction == qp.Slices()
