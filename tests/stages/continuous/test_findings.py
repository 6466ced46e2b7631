"""What is said of a signal that is too strong for the codes."""

from __future__ import annotations

import pytest

from qkdpost.reconciliation.raptor.plan import MIN_EXTENSION_ROWS, plan_frames
from qkdpost.reconciliation.slices.codes import frame_lengths
from qkdpost.reconciliation.slices.plan import SlicePlan, plan_slices
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


def _sliced(ratio: float, frame_reals: int) -> SlicePlan:
    return plan_slices(outcome_variance=1.0, noise_variance=1.0 / (1.0 + ratio), frame_reals=frame_reals)


def _left_by_slices(plan: SlicePlan) -> float:
    return cell_entropy(1.0, plan.width, plan.labels) - sum(plan.codes.syndrome_bits) / plan.frame_reals


@pytest.mark.parametrize("frame_reals", frame_lengths())
def test_each_method_names_the_other_where_that_leaves_more(frame_reals: int) -> None:
    weak = WEAK_SIGNAL[frame_reals]
    for ratio in (0.1, 0.3, weak - 1e-6):
        plan = _sliced(ratio, frame_reals)
        assert _left_by_rotations(ratio) > _left_by_slices(plan)
        (text,) = notices_of_slices(plan, ratio)
        assert "Multidimensional()" in text
    assert _left_by_slices(_sliced(weak * 1.06, frame_reals)) > _left_by_rotations(weak * 1.06)
    for ratio in (weak, STRONG_SIGNAL + 0.15, 1.0, 5.0, 30.0):
        assert notices_of_slices(_sliced(ratio, frame_reals), ratio) == ()


@pytest.mark.parametrize("ratio", [STRONG_SIGNAL, 1.0, 5.0, 30.0])
def test_slices_of_long_frames_leave_more_where_rotations_name_them(ratio: float) -> None:
    assert _left_by_slices(_sliced(ratio, 1 << 18)) > _left_by_rotations(ratio)
