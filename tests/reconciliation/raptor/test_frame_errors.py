"""Frame error curves in the manifest: what they hold, and that plans keep to them."""

from __future__ import annotations

import math

import pytest

from qkdpost.reconciliation.raptor.code import FAMILY, manifest
from qkdpost.reconciliation.raptor.plan import FramePlan, plan_frames

CURVES: dict[str, list[list[float]]] = manifest()["families"][FAMILY]["frame_errors"]


def planned_ratio(rows: int) -> float:
    """The lowest signal-to-noise ratio for which a plan takes these rows or fewer."""
    low, high = 0.011, 1.0
    for _ in range(40):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if plan_frames(middle).extension_rows <= rows else (middle, high)
    return high


@pytest.mark.parametrize("rows", CURVES)
def test_fewer_frames_fail_the_stronger_the_signal(rows: str) -> None:
    plan = FramePlan(int(rows))
    ratios, shares = [], []
    for ratio, frames, failed in CURVES[rows]:
        assert 0 <= failed <= frames >= 32
        assert 0.8 < plan.rate / (0.5 * math.log2(1.0 + ratio)) < 1.0
        ratios.append(ratio)
        shares.append(failed / frames)
    assert ratios == sorted(ratios, reverse=True)
    assert shares == sorted(shares)


@pytest.mark.parametrize("rows", CURVES)
def test_plans_stay_where_few_frames_fail(rows: str) -> None:
    least = planned_ratio(int(rows))
    above = [failed / frames for ratio, frames, failed in CURVES[rows] if ratio >= least * (1.0 - 1e-3)]
    # Where a plan is more careful than all that was measured, fewer frames fail than at the strongest signal of these.
    _, frames, failed = CURVES[rows][0]
    assert max(above or [failed / frames]) < 0.15
