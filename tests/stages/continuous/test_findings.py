"""What is said of a signal that is too strong for the codes."""

from __future__ import annotations

import pytest

from qkdpost.reconciliation.raptor.plan import MIN_EXTENSION_ROWS, plan_frames
from qkdpost.reconciliation.slices.plan import plan_slices
from qkdpost.stages.continuous.findings import STRONG_SIGNAL, WEAK_SIGNAL, notices_of_rate, notices_of_slices
from qkdpost.statistics.gaussian.wrapped import cell_entropy


@pytest.mark.parametrize("ratio", [0.02, 0.2, 0.5, 0.59])
def test_signals_that_the_codes_are_for_are_no_news(ratio: float) -> None:
    assert notices_of_rate(plan_frames(ratio), ratio) == ()


@pytest.mark.parametrize("ratio", [STRONG_SIGNAL, 1.0, 30.0, 1e100])
def test_a_signal_that_is_too_strong_is_told(ratio: float) -> None:
    (text,) = notices_of_rate(plan_frames(min(ratio, 100.0)), ratio)
    assert f"signal-to-noise ratio of {ratio:.3g}" in text
    assert "0.286" in text
    assert "Slices()" in text
    assert "lower modulation variance" in text


def test_the_threshold_lies_above_what_the_highest_rate_is_chosen_for() -> None:
    assert plan_frames(0.5).extension_rows > MIN_EXTENSION_ROWS == plan_frames(STRONG_SIGNAL).extension_rows


def test_a_peer_that_asks_for_a_high_rate_at_a_low_ratio_is_no_news() -> None:
    assert notices_of_rate(plan_frames(1.0), 0.1) == ()


def _left_by_rotations(ratio: float) -> float:
    return plan_frames(ratio).rate


def _left_by_slices(ratio: float) -> float:
    plan = plan_slices(outcome_variance=1.0, noise_variance=1.0 / (1.0 + ratio))
    return cell_entropy(1.0, plan.width, plan.labels) - sum(plan.codes.syndrome_bits) / plan.frame_reals


def test_each_method_names_the_other_where_that_leaves_more() -> None:
    for ratio in (0.1, 0.3, WEAK_SIGNAL - 1e-6):
        assert _left_by_rotations(ratio) > _left_by_slices(ratio)
        plan = plan_slices(outcome_variance=1.0, noise_variance=1.0 / (1.0 + ratio))
        (text,) = notices_of_slices(plan, ratio)
        assert "Multidimensional()" in text
    for ratio in (STRONG_SIGNAL, 1.0, 5.0, 30.0):
        assert _left_by_slices(ratio) > _left_by_rotations(ratio)
        assert notices_of_slices(plan_slices(outcome_variance=1.0, noise_variance=1.0 / (1.0 + ratio)), ratio) == ()
