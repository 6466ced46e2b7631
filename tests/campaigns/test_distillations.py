from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qkdpost as qp
from qkdpost.campaigns import InThisProcess, distillation_tasks, run

LINK = qp.LinkConfig(protocol=qp.BB84())


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, Path]]:
    folder = tmp_path_factory.mktemp("records")
    found = []
    for day in range(2):
        paths = folder / f"{day}-alice.npz", folder / f"{day}-bob.npz"
        records = qp.simulation.bb84(pulses=400_000, fibre_km=5, rng=np.random.default_rng(day))
        for path, record in zip(paths, records, strict=True):
            qp.save(path, record)
        found.append(paths)
    return found


def test_many_records_give_their_reports_and_no_key(pairs: list[tuple[Path, Path]], tmp_path: Path) -> None:
    work = list(distillation_tasks(pairs, LINK, seed=1))
    found = run(work, executor=InThisProcess(), file=tmp_path / "year.jsonl")
    for task, outcome, (alice, bob) in zip(work, found, pairs, strict=True):
        result: dict[str, Any] = outcome.result or {}
        assert result["key_bits"] > 0
        same_draws = qp.distill(qp.load(alice), qp.load(bob), LINK, random_source=task.generator().bytes)
        assert len(same_draws.key) == result["key_bits"]
        assert json.dumps(result)
    assert found == run(work, executor=InThisProcess())


def test_pairs_and_link_are_checked() -> None:
    with pytest.raises(qp.InputError, match="two paths"):
        list(distillation_tasks([("a.npz",)], LINK))  # type: ignore[list-item]
    with pytest.raises(qp.InputError, match="link"):
        list(distillation_tasks([], "bb84"))  # type: ignore[arg-type]
