"""What docs/campaigns.md shows runs, on one day in place of a year."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qkdpost as qp

PAGE = Path(__file__).resolve().parent.parent / "docs" / "campaigns.md"


def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("records").mkdir()
    records = qp.simulation.bb84(pulses=400_000, fibre_km=5, rng=np.random.default_rng(1))
    for name, record in zip(("alice", "bob"), records, strict=True):
        qp.save(f"records/000-{name}.npz", record)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(blocks) == 3  # the last one needs a cluster: tests/campaigns/test_dask.py has one
    names: dict[str, Any] = {}
    for block in blocks[:2]:
        exec(compile(block.replace("range(365)", "range(1)"), str(PAGE), "exec"), names)
    assert names["table"]["key_bits"][0] > 0
