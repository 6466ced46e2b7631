from __future__ import annotations

import pytest
from tests.campaigns import workers

import qkdpost as qp
from qkdpost.campaigns import InThisProcess, correction_curve, correction_tasks, run
from qkdpost.statistics.entropy import binary_entropy


@pytest.mark.parametrize("method", ["cascade", "ldpc"])
def test_a_curve_adds_up(method: str) -> None:
    work = list(
        correction_tasks(error_rates=[0.02, 0.05], bits=2**16, blocks=2, estimate_error=0.05, seed=3, method=method)
    )
    found = run(work, executor=InThisProcess())
    assert found == run(work, executor=InThisProcess())
    curve = correction_curve(found)
    assert [point.blocks for point in curve] == [2, 2]
    for point, blocks in zip(curve, (found[:2], found[2:]), strict=True):
        results = [outcome.result or {} for outcome in blocks]
        errors, leakage = (sum(result[name] for result in results) for name in ("errors", "leakage_bits"))  # type: ignore[misc]
        assert point.error_rate == errors / 2**17  # type: ignore[operator]
        assert point.efficiency == pytest.approx(leakage / 2**17 / binary_entropy(point.error_rate))  # type: ignore[operator]
        assert point.arguments["method"] == method


def test_other_outcomes_make_no_curve() -> None:
    others = run([qp.campaigns.Task(function=workers.drawn, arguments={"number": 1})], executor=InThisProcess())
    with pytest.raises(qp.InputError, match="correction_tasks"):
        correction_curve(others)


def test_arguments_are_checked_before_any_task() -> None:
    for wrong in ({"error_rates": [0.6]}, {"error_rates": [0.1], "bits": 0}, {"error_rates": [0.1], "blocks": 0}):
        with pytest.raises(qp.InputError):
            correction_tasks(**wrong)  # type: ignore[arg-type]
