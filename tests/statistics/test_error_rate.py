from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qkdpost.errors import InputError
from qkdpost.statistics.error_rate import estimate_error_rate, sample_size, sampled_error_bounds
from reference import sampling


def test_interval_is_that_of_clopper_and_pearson() -> None:
    rate = estimate_error_rate(10, 1000, confidence=1 - 2e-3)
    assert rate.observed == 0.01
    assert rate.upper == pytest.approx(0.0239638128, abs=1e-9)
    assert rate.lower == pytest.approx(0.0029695009, abs=1e-9)
    assert "10 of 1000" in str(rate)


@given(st.integers(1, 200), st.data())
def test_interval_ends_are_exact(tested: int, data: st.DataObject) -> None:
    errors = data.draw(st.integers(0, tested))
    rate = estimate_error_rate(errors, tested, confidence=0.98)
    assert 0.0 <= rate.lower <= rate.observed <= rate.upper <= 1.0
    if rate.upper < 1.0:
        assert sampling.binomial_tail(tested, Fraction(rate.upper), errors) <= Fraction(1, 100) + Fraction(1, 10**12)


def test_nothing_compared_says_nothing() -> None:
    rate = estimate_error_rate(0, 0)
    assert (rate.lower, rate.observed, rate.upper) == (0.0, 0.5, 1.0)


def test_sampled_bounds_hold_as_often_as_they_say() -> None:
    """Draw samples of one error pattern: the true remainder lies outside at most as often as allowed."""
    rng = np.random.default_rng(20260)
    drawn = rng.hypergeometric(60, 940, 300, size=4000)
    bounds = {int(errors): sampled_error_bounds(700, 300, int(errors), confidence=0.9) for errors in np.unique(drawn)}
    outside = sum(not bounds[int(e)][0] <= 60 - e <= bounds[int(e)][1] for e in drawn)
    assert outside / 4000 <= 0.1 + 3 * math.sqrt(0.1 * 0.9 / 4000)
    assert outside > 0


@given(st.integers(0, 10**9))
def test_sample_size_leaves_the_key(key_bits: int) -> None:
    size = sample_size(key_bits)
    assert 0 <= size <= key_bits // 8
    assert size <= 16_384
    assert sample_size(key_bits + 1) >= size
    if key_bits >= 2048:
        assert size >= 256


@pytest.mark.parametrize(("errors", "tested"), [(2, 1), (-1, 5), (1, -5)])
def test_counts_that_cannot_be_are_refused(errors: int, tested: int) -> None:
    with pytest.raises(InputError):
        estimate_error_rate(errors, tested)


@pytest.mark.parametrize("confidence", [1.0, 1.5, -1.5, math.nan])
def test_confidence_out_of_range_is_refused(confidence: float) -> None:
    with pytest.raises(InputError):
        estimate_error_rate(1, 10, confidence=confidence)
    with pytest.raises(InputError):
        sampled_error_bounds(100, 10, 1, confidence=confidence)


def test_where_nothing_was_compared_no_rate_is_told() -> None:
    assert str(estimate_error_rate(0, 0)) == "not measured (0 of 0)"


@pytest.mark.parametrize("width", [np.int8, np.uint8, np.int32, np.uint32, np.int64, np.uint64])
def test_counts_of_any_width_give_the_interval_of_plain_ones(width: type) -> None:
    assert estimate_error_rate(width(3), width(100)) == estimate_error_rate(3, 100)
    assert sampled_error_bounds(width(100), width(50), width(3)) == sampled_error_bounds(100, 50, 3)
    assert sample_size(width(100)) == sample_size(100)


@pytest.mark.parametrize("value", [1.0, True, "1", None, np.nan, [1], 10**400])
def test_counts_and_confidences_that_are_none(value: object) -> None:
    for call in (
        lambda: estimate_error_rate(value, 2**53),  # type: ignore[arg-type]
        lambda: sampled_error_bounds(value, 3, 1),  # type: ignore[arg-type]
        lambda: sample_size(value),  # type: ignore[arg-type]
        lambda: estimate_error_rate(1, 2, confidence=value),  # type: ignore[arg-type]
    ):
        with pytest.raises(InputError):
            call()
