"""Quantiles far out in the tail, against digits of expansions by other means and against sums of probabilities."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkdpost.errors import InputError
from qkdpost.statistics.gaussian.intervals import (
    SERIES_FROM,
    chi_square_lower,
    chi_square_upper,
    normal_quantile,
    student_quantile,
    variance_limits,
    weighted_chi_square_lower,
)

LOWER = [  # outcomes, probability, nu / c_lo
    (10**5, 1e-10, 1.0290038540),
    (10**7, 1e-10, 1.0028503491),
    (10**9, 1e-10, 1.0002845424),
    (2 * 10**11, 1e-10, 1.0000201166),
    (10**9, 1e-12, 1.0003146583),
]


@pytest.mark.parametrize(("outcomes", "probability", "ratio"), LOWER)
def test_vectors_of_the_lower_quantile(outcomes: int, probability: float, ratio: float) -> None:
    degrees = outcomes - 1
    found = degrees / chi_square_lower(probability, degrees)
    assert found == pytest.approx(ratio, abs=4e-8 if outcomes < 10**6 else 1e-10)


def test_vectors_of_calibration() -> None:
    for variance, low, high in ((1.1, 1.099673861252, 1.100326269196), (0.1, 0.099970351023, 0.100029660836)):
        found = variance_limits(variance * (10**9 - 1), 10**9 - 1, 1e-10 / 6)
        assert found == (pytest.approx(low, abs=1e-12), pytest.approx(high, abs=1e-12))


def test_the_normal_tail_keeps_its_digits() -> None:
    assert normal_quantile(1e-10 / 24) == pytest.approx(6.8326961688, abs=1e-10)
    assert normal_quantile(1e-30) == pytest.approx(11.46402469, abs=1e-8)
    for z in (1.0, 6.0, 11.0, 15.0):
        assert normal_quantile(0.5 * math.erfc(z / math.sqrt(2))) == pytest.approx(z, rel=1e-12)


def log_upper_tail(degrees: int, value: float) -> float:
    """ln P[chi-square > value] of an even number of degrees of freedom: a Poisson sum, in logarithms."""
    mean, k = value / 2, degrees // 2
    logs = [-mean + j * math.log(mean) - math.lgamma(j + 1) for j in range(max(0, k - 4000), k)]
    top = max(logs)
    return top + math.log(math.fsum(math.exp(value - top) for value in logs))


def log_lower_tail(degrees: int, value: float) -> float:
    mean, k = value / 2, degrees // 2
    logs = [-mean + j * math.log(mean) - math.lgamma(j + 1) for j in range(k, k + 6000)]
    top = max(logs)
    return top + math.log(math.fsum(math.exp(value - top) for value in logs))


@pytest.mark.parametrize("degrees", [1_000, 40_000, SERIES_FROM, 400_000])
@pytest.mark.parametrize("probability", [1e-2, 1e-6, 1e-10, 1e-30])
def test_quantiles_against_sums(degrees: int, probability: float) -> None:
    """On the safe side, and by little: 1e-3 of the probability, where that is resolved."""
    wanted = math.log(probability)
    for found in (
        log_lower_tail(degrees, chi_square_lower(probability, degrees)),
        log_upper_tail(degrees, chi_square_upper(probability, degrees)),
    ):
        assert wanted - 2e-3 <= found <= wanted + 1e-7 * degrees**0.25


@settings(max_examples=200, deadline=None)
@given(st.floats(-40, -0.4).map(lambda power: 10.0**power), st.floats(0.4, 12).map(lambda power: round(10**power)))
def test_quantiles_are_ordered(probability: float, degrees: int) -> None:
    low, high = chi_square_lower(probability, degrees), chi_square_upper(probability, degrees)
    assert 0 <= low <= degrees
    assert high > low
    assert chi_square_lower(probability / 10, degrees) <= low
    assert chi_square_upper(probability / 10, degrees) >= high
    assert chi_square_lower(probability, degrees, widened=1.1) <= low
    assert chi_square_upper(probability, degrees, widened=1.1) >= high
    assert student_quantile(probability, degrees) >= normal_quantile(probability) * (1 - 1e-12)
    assert weighted_chi_square_lower(probability, degrees, 1.0) <= low + 1e-6 * degrees
    assert weighted_chi_square_lower(probability, degrees, 1.03) <= weighted_chi_square_lower(probability, degrees, 1.0)


def test_series_and_inverse_meet() -> None:
    for probability in (1e-2, 1e-10, 1e-30):
        below, above = chi_square_lower(probability, SERIES_FROM - 1), chi_square_lower(probability, SERIES_FROM)
        assert above - below == pytest.approx(1.0, abs=0.05)
        assert student_quantile(probability, SERIES_FROM - 1) == pytest.approx(
            student_quantile(probability, SERIES_FROM), rel=2e-6
        )


@pytest.mark.parametrize("probability", [0.0, 0.6, -1e-3, math.nan, 1e-90])
def test_probabilities_that_cannot_be(probability: float) -> None:
    for function in (normal_quantile, lambda p: chi_square_lower(p, 100), lambda p: variance_limits(1.0, 100, p)):
        with pytest.raises(InputError, match="probability"):
            function(probability)


def test_no_degrees_of_freedom() -> None:
    with pytest.raises(InputError, match="degrees"):
        chi_square_upper(0.1, 0)
    with pytest.raises(InputError, match="widened"):
        chi_square_upper(0.1, 10, widened=math.inf)
