"""Logarithms of tails: never below the exact ones, and close to them."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from qkdpost.errors import InputError
from qkdpost.statistics.log_tails import binomial_log_tail, hypergeometric_log_tail, relative_deviance
from reference.sampling import binomial_tail, hypergeometric_tail

ALLOWED = 1e-9
"""Ten times the margin that is added for rounding."""


def log_of(probability: Fraction) -> float:
    """The logarithm, also of fractions whose parts are no floating-point numbers."""
    return math.log(probability.numerator) - math.log(probability.denominator) if probability else -math.inf


def check(found: float, exact: Fraction) -> None:
    expected = log_of(exact)
    assert found <= 0.0
    if expected == -math.inf:
        assert found == -math.inf
    else:
        assert expected - 1e-13 <= found <= min(0.0, expected + ALLOWED)


@given(st.integers(0, 120).flatmap(lambda n: st.tuples(st.just(n), *[st.integers(0, n)] * 2, st.integers(-1, n))))
def test_hypergeometric_tails_are_those_of_the_exact_twin(case: tuple[int, int, int, int]) -> None:
    population, marked, draws, seen = case
    check(hypergeometric_log_tail(*case), hypergeometric_tail(population, marked, draws, seen))


@given(st.integers(0, 80), st.integers(0, 80), st.integers(0, 64))
def test_binomial_tails_are_those_of_the_exact_twin(seen: int, missed: int, sixty_fourths: int) -> None:
    success = Fraction(sixty_fourths, 64)
    found = binomial_log_tail(seen, missed, float(success), float(1 - success))
    check(found, binomial_tail(seen + missed, success, seen))


@pytest.mark.parametrize(
    ("population", "marked", "draws", "seen"),
    [(10**6, 10**4, 10**5, 800), (10**9, 3 * 10**7, 10**6, 29_000), (10**9, 10**7, 10**8, 999_000)],
)
def test_large_tables_are_those_of_scipy(population: int, marked: int, draws: int, seen: int) -> None:
    expected = stats.hypergeom.logcdf(seen, population, marked, draws)
    found = hypergeometric_log_tail(population, marked, draws, seen)
    assert expected - 1e-6 * abs(expected) <= found <= expected + 2e-3 * abs(expected)


def test_near_the_mean_a_long_sum_is_bounded_by_one() -> None:
    assert hypergeometric_log_tail(10**12, 5 * 10**11, 10**11, 5 * 10**10) == 0.0


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.floats(1e-6, 0.5))
def test_one_more_seen_never_lowers_a_tail(seen: int, missed: int, success: float) -> None:
    lower = binomial_log_tail(seen - 1, missed + 1, success, 1.0 - success)
    assert lower <= binomial_log_tail(seen, missed, success, 1.0 - success) + ALLOWED + 2e-3 * abs(lower)


def test_edges() -> None:
    assert hypergeometric_log_tail(10, 5, 5, -1) == -math.inf
    assert hypergeometric_log_tail(10, 8, 5, 2) == -math.inf  # three at least are marked
    assert hypergeometric_log_tail(10, 5, 5, 5) == 0.0
    assert hypergeometric_log_tail(0, 0, 0, 0) == 0.0
    assert binomial_log_tail(-1, 5, 0.5, 0.5) == -math.inf
    assert binomial_log_tail(5, 0, 0.5, 0.5) == 0.0
    assert binomial_log_tail(0, 5, 0.0, 1.0) == 0.0
    assert binomial_log_tail(4, 1, 1.0, 0.0) == -math.inf


def test_integers_of_numpy_do_not_wrap() -> None:
    large = (4 * 10**9, 2 * 10**9, 10**8, 49_000_000)
    assert hypergeometric_log_tail(*map(np.uint32, large)) == hypergeometric_log_tail(*large)
    assert binomial_log_tail(np.int32(2 * 10**9), np.int32(2 * 10**9), 0.6, 0.4) == binomial_log_tail(
        2 * 10**9, 2 * 10**9, 0.6, 0.4
    )


@pytest.mark.parametrize(
    "arguments", [(10, 11, 5, 1), (10, -1, 5, 1), (10, 5, 11, 1), (10, 5, 5, -2), (2**60, 5, 5, 1), (10.0, 5, 5, 1)]
)
def test_tables_that_cannot_be_are_refused(arguments: tuple[int, int, int, int]) -> None:
    with pytest.raises(InputError):
        hypergeometric_log_tail(*arguments)


@pytest.mark.parametrize(
    "arguments", [(-2, 5, 0.5, 0.5), (1, 5, 1.5, 0.5), (1, 5, 0.5, -0.1), (1, 5, math.nan, 0.5), (True, 5, 0.5, 0.5)]
)
def test_trials_that_cannot_be_are_refused(arguments: tuple[int, int, float, float]) -> None:
    with pytest.raises(InputError):
        binomial_log_tail(*arguments)


@given(st.floats(-1.0, 1e6))
def test_relative_deviance_keeps_its_digits(ratio: float) -> None:
    """(1 + r) ln(1 + r) - r is r^2 / 2 - r^3 / 6 + r^4 / 12 - ... where the difference has no digits left."""
    if abs(ratio) < 1e-4:
        expected = ratio * ratio * (1 / 2 - ratio * (1 / 6 - ratio * (1 / 12 - ratio / 20)))
        assert relative_deviance(ratio) == pytest.approx(expected, rel=1e-12)
    elif ratio == -1.0:
        assert relative_deviance(ratio) == 1.0
    else:
        expected = (1.0 + ratio) * math.log1p(ratio) - ratio
        assert relative_deviance(ratio) == pytest.approx(expected, rel=1e-12, abs=4e-16)


def test_relative_deviance_of_no_number_is_refused() -> None:
    assert relative_deviance(-2.0) == 1.0
    with pytest.raises(InputError, match="must be a number"):
        relative_deviance(math.nan)
