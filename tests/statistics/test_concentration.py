from __future__ import annotations

import itertools
import math
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from qkdpost.errors import InputError
from qkdpost.statistics import log_tails as tails
from qkdpost.statistics.concentration import (
    binomial_at_most,
    clopper_pearson_lower,
    clopper_pearson_upper,
    hoeffding_deviation,
    kullback_leibler_lower,
    kullback_leibler_upper,
)
from qkdpost.statistics.log_tails import MARGIN, MAX_TERMS, binomial_log_tail, hypergeometric_log_tail
from qkdpost.statistics.sampling import (
    hypergeometric_key_errors,
    hypergeometric_key_errors_lower,
    serfling_deviation,
    serfling_deviation_smoothing,
)
from reference import sampling
from support.yardstick import least_seconds

TAILS = (1e-1, 1e-3, 1e-10, 1e-30)


def _log(fraction: Fraction) -> float:
    return math.log(fraction.numerator) - math.log(fraction.denominator)


def test_hypergeometric_tail_of_every_small_table() -> None:
    for population in range(1, 21):
        for marked in range(population + 1):
            for draws in range(population + 1):
                for seen in range(draws + 1):
                    exact = sampling.hypergeometric_tail(population, marked, draws, seen)
                    found = hypergeometric_log_tail(population, marked, draws, seen)
                    if exact == 0:
                        assert found == -math.inf
                    else:
                        assert _log(exact) - 1e-13 * abs(_log(exact)) <= found <= _log(exact) + 2 * MARGIN


def _check_inversion(key_bits: int, test_bits: int, test_errors: int, tail: float) -> None:
    """Exact, but where a probability lies within the rounding margin of the tail: there, one more at most."""
    found = hypergeometric_key_errors(key_bits, test_bits, test_errors, tail)
    exact = sampling.hypergeometric_key_errors(key_bits, test_bits, test_errors, Fraction(tail))
    if found != exact:
        with_margin = Fraction(tail) * (1 - Fraction(1, 10**9))
        assert exact < found == sampling.hypergeometric_key_errors(key_bits, test_bits, test_errors, with_margin)


@pytest.mark.parametrize("tail", TAILS)
def test_inversion_of_every_small_sample(tail: float) -> None:
    for key_bits in range(1, 27):
        for test_bits in range(1, 27):
            for test_errors in range(test_bits + 1):
                _check_inversion(key_bits, test_bits, test_errors, tail)


@pytest.mark.slow
@pytest.mark.parametrize("tail", [0.5, 0.1, 1e-2, 1e-5, 1e-10, 1e-20])
def test_inversion_of_every_sample_up_to_forty(tail: float) -> None:
    for key_bits in range(1, 41):
        for test_bits in range(1, 41):
            for test_errors in range(test_bits + 1):
                _check_inversion(key_bits, test_bits, test_errors, tail)


@given(st.data())
def test_tails_of_large_tables_in_whole_numbers(data: st.DataObject) -> None:
    population = data.draw(st.integers(100, 4000))
    draws = data.draw(st.integers(1, population))
    marked = data.draw(st.integers(1, population))
    seen = data.draw(st.integers(0, min(marked, draws)))
    exact = sampling.hypergeometric_tail(population, marked, draws, seen)
    found = hypergeometric_log_tail(population, marked, draws, seen)
    if exact == 0:
        assert found == -math.inf
    else:
        logarithm = _log(exact)
        assert logarithm <= found + 1e-12 * abs(logarithm)
        assert found <= logarithm + 2 * MARGIN + 3e-12 * abs(logarithm)


@pytest.mark.parametrize(
    ("key_bits", "test_bits", "test_errors", "tail", "errors"),
    [
        (9_000, 1_000, 10, 1e-10, 429),
        (10_000, 1_000, 10, 1e-12, 532),
        (100_000, 10_000, 100, 1e-10, 1_817),
        (1_000_000, 100_000, 3_000, 1e-10, 33_740),
        (10_000, 1_000, 10, 1e-10, 474),
        (388_474, 4_302_258, 0, 1e-20, 18),
        (100_000, 8_000, 160, 1e-20, 3_888),
        (10_000, 2_000, 20, 1e-20, 501),
        (1_000_000, 50_000, 1_250, 1e-24, 32_998),
    ],
)
def test_published_inversions(key_bits: int, test_bits: int, test_errors: int, tail: float, errors: int) -> None:
    assert hypergeometric_key_errors(key_bits, test_bits, test_errors, tail) == errors


def test_inversion_with_a_tail_of_1e_60_in_whole_numbers() -> None:
    key_bits, test_bits, test_errors, tail = 3_000, 1_200, 17, Fraction(1, 10**60)
    errors = hypergeometric_key_errors(key_bits, test_bits, test_errors, 1e-60)
    population = key_bits + test_bits
    at = sampling.hypergeometric_tail(population, errors + test_errors, test_bits, test_errors)
    above = sampling.hypergeometric_tail(population, errors + test_errors + 1, test_bits, test_errors)
    assert above <= tail < at


@pytest.mark.parametrize("scale", [10**6, 10**9, 10**12, 10**13])
def test_inversion_of_huge_blocks_is_tight_and_safe(scale: int) -> None:
    """The normal limit of the law is sharp there: the bound lies above it, and not far."""
    key_bits, test_bits, test_errors = 9 * scale, scale, scale // 100
    tail = 1e-20
    deviations = 9.262340089798408  # of the normal distribution, at 1e-20
    rate = test_errors / test_bits
    normal = deviations * math.sqrt(rate * (1 - rate) / test_bits * (1 + test_bits / key_bits))
    found = hypergeometric_key_errors(key_bits, test_bits, test_errors, tail) / key_bits - rate
    assert 0.999 * normal <= found <= normal * (1.002 + 3 / math.sqrt(test_errors) * deviations)


def test_blocks_of_terms_overstate_little(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = hypergeometric_log_tail(2_000_000, 1_010_000, 1_000_000, 500_000)
    monkeypatch.setattr("qkdpost.statistics.log_tails.MAX_TERMS", 256)
    monkeypatch.setattr("qkdpost.statistics.log_tails.BLOCKS", 256)
    blocks = hypergeometric_log_tail(2_000_000, 1_010_000, 1_000_000, 500_000)
    assert exact < blocks < exact + 0.05
    assert MAX_TERMS > 256


@given(st.integers(1, 300), st.integers(1, 300), st.data())
def test_inversion_is_monotone_in_the_sample(key_bits: int, test_bits: int, data: st.DataObject) -> None:
    test_errors = data.draw(st.integers(0, test_bits - 1))
    tail = data.draw(st.sampled_from(TAILS))
    here = hypergeometric_key_errors(key_bits, test_bits, test_errors, tail)
    assert hypergeometric_key_errors(key_bits, test_bits, test_errors + 1, tail) >= here
    assert hypergeometric_key_errors(key_bits, test_bits + 1, test_errors, tail) <= here
    assert hypergeometric_key_errors(key_bits + 1, test_bits, test_errors, tail) >= here
    assert hypergeometric_key_errors(key_bits, test_bits, test_errors, tail / 10) >= here
    assert hypergeometric_key_errors_lower(key_bits, test_bits, test_errors, tail) <= here


def test_nothing_tested_bounds_nothing() -> None:
    assert hypergeometric_key_errors(1000, 0, 0, 1e-10) == 1000
    assert hypergeometric_key_errors(1000, 5, 5, 1e-10) == 1000
    assert hypergeometric_key_errors(0, 100, 5, 1e-10) == 0
    assert hypergeometric_key_errors_lower(1000, 0, 0, 1e-10) == 0


def test_binomial_tails_of_every_small_case() -> None:
    for trials in range(1, 30):
        for seen in range(trials):
            for probability in (Fraction(1, 64), Fraction(1, 4), Fraction(1, 2), Fraction(31, 32)):
                exact = _log(sampling.binomial_tail(trials, probability, seen))
                found = binomial_log_tail(seen, trials - seen, float(probability), float(1 - probability))
                assert exact - 1e-13 * abs(exact) <= found <= exact + 2 * MARGIN + 2e-12 * abs(exact)


@settings(max_examples=150)
@given(st.integers(2, 400), st.data())
def test_a_continued_fraction_cut_anywhere_overstates_the_sum(trials: int, data: st.DataObject) -> None:
    success = Fraction(data.draw(st.integers(1, 1023)), 1024)
    seen = data.draw(st.integers(0, min(trials - 1, math.floor(trials * success))))
    assume(seen < trials * success)
    ratio, term, total = (1 - success) / success, Fraction(1), Fraction(1)
    for step in range(seen):
        term *= ratio * Fraction(seen - step, trials - seen + 1 + step)
        total += term
    distance = float(trials * success - seen)
    found = [
        1.0 / tails._continued_fraction(seen, trials - seen, float(success), float(1 - success), distance, levels)
        for levels in (0, 2, 4, 10, 2 * seen)
    ]
    assert found[-1] == pytest.approx(float(total), rel=1e-12)
    assert all(cut >= float(total) * (1 - 1e-12) for cut in found)
    assert all(rough >= fine * (1 - 1e-12) for rough, fine in itertools.pairwise(found))


@pytest.mark.parametrize("trials", [10**3, 10**6, 10**9, 10**12, 10**15])
@pytest.mark.parametrize("deviations", [1.1, 2.5, 6.0, 12.0])
@pytest.mark.parametrize("success", [1e-9, 3e-5, 0.02, 0.6, 0.999])
def test_a_binomial_tail_is_the_same_by_fraction_and_by_sum(
    monkeypatch: pytest.MonkeyPatch, trials: int, deviations: float, success: float
) -> None:
    seen = max(0, math.floor(trials * success - deviations * math.sqrt(trials * success * (1 - success))))
    by_fraction = binomial_log_tail(seen, trials - seen, success, 1 - success)
    monkeypatch.setattr("qkdpost.statistics.log_tails._MAX_LEVELS", -1)
    by_sum = binomial_log_tail(seen, trials - seen, success, 1 - success)
    few = 28 / deviations * math.sqrt(trials * success * (1 - success)) < MAX_TERMS
    assert by_fraction - 1e-10 <= by_sum <= by_fraction + (1e-10 if few else 0.02)


@pytest.mark.parametrize("tail", [1e-200, 0.5, 0.9, 1 - 1e-9, math.nextafter(1.0, 0.0)])
def test_inversions_answer_at_both_ends_of_every_range(tail: float) -> None:
    """Limits that only rounding keeps from one, and counts of which neighbours are equal as floats."""
    most = 2**53
    for trials, seen in itertools.product((1, 10, 10**9, most), (0, 1, 10**9 - 1, most - 1, most)):
        if seen <= trials:
            assert 0.0 <= clopper_pearson_lower(trials, seen, tail) <= seen / trials
            assert seen / trials <= clopper_pearson_upper(trials, seen, tail) <= 1.0
            assert 0 <= hypergeometric_key_errors(most, trials, seen, tail) <= most


def test_clopper_pearson_vectors() -> None:
    assert clopper_pearson_upper(1000, 10, 1e-3) == pytest.approx(0.0239638128, abs=1e-10)
    assert clopper_pearson_lower(1000, 10, 1e-3) == pytest.approx(0.0029695009, abs=1e-10)
    assert clopper_pearson_upper(1000, 10, 1e-10) == pytest.approx(0.0457215441, abs=1e-10)
    assert clopper_pearson_lower(1000, 10, 1e-10) == pytest.approx(0.0004747483, abs=1e-10)


@settings(max_examples=200)
@given(st.integers(2, 60), st.data())
def test_clopper_pearson_limits_are_certified_by_exact_sums(trials: int, data: st.DataObject) -> None:
    seen = data.draw(st.integers(0, trials))
    tail = data.draw(st.sampled_from((0.3, 1e-2, 1e-9, 1e-30)))
    upper = Fraction(clopper_pearson_upper(trials, seen, tail))
    lower = Fraction(clopper_pearson_lower(trials, seen, tail))
    assert lower <= Fraction(seen, trials) <= upper
    if seen < trials:
        assert sampling.binomial_tail(trials, upper, seen) <= Fraction(tail) or upper == 1
    if seen > 0:
        assert 1 - sampling.binomial_tail(trials, lower, seen - 1) <= Fraction(tail)
        loose = kullback_leibler_lower(trials, seen, tail)
        assert loose <= float(lower) * (1 + 1e-8) or lower == Fraction(max(0.0, (seen - 1) / trials))
    if seen < trials:
        assert kullback_leibler_upper(trials, seen, tail) >= float(upper) * (1 - 1e-9) or seen + 1 >= trials * upper


@settings(max_examples=100)
@given(st.lists(st.integers(0, 64).map(lambda n: Fraction(n, 64)), min_size=2, max_size=24), st.data())
def test_clopper_pearson_holds_for_trials_that_are_not_alike(
    probabilities: list[Fraction], data: st.DataObject
) -> None:
    """Hoeffding 1956: the chance to see so few that the limit falls below the true mean is at most the tail."""
    tail = data.draw(st.sampled_from((0.3, 1e-1, 1e-2)))
    trials, mean = len(probabilities), sum(probabilities, start=Fraction(0)) / len(probabilities)
    misses = [seen for seen in range(trials + 1) if clopper_pearson_upper(trials, seen, tail) < mean]
    if misses:
        assert sampling.poisson_binomial_tail(probabilities, max(misses)) <= Fraction(tail)


def test_serfling_has_two_conventions() -> None:
    exponent = 2.0 * serfling_deviation(10_000, 1_000, 1e-10) ** 2 * 10_000 * 1_000**2 / (11_000 * 1_001)
    assert math.exp(-exponent) == pytest.approx(1e-10, rel=1e-10)
    assert serfling_deviation_smoothing(10_000, 1_000, 1e-10) == pytest.approx(serfling_deviation(10_000, 1_000, 1e-20))
    assert serfling_deviation(9_000, 1_000, 1e-10) == pytest.approx(0.11316, abs=1e-5)
    assert serfling_deviation(10_000, 1_000, 1e-12) == pytest.approx(0.12334, abs=1e-5)
    assert serfling_deviation(100_000, 10_000, 1e-10) == pytest.approx(0.03559, abs=1e-5)
    assert serfling_deviation(10, 0, 1e-10) == math.inf


@given(st.integers(1, 3000), st.integers(1, 3000), st.data())
def test_exact_inversion_is_never_worse_than_serfling(key_bits: int, test_bits: int, data: st.DataObject) -> None:
    test_errors = data.draw(st.integers(0, test_bits))
    tail = data.draw(st.sampled_from(TAILS))
    serfling = test_errors / test_bits + serfling_deviation(key_bits, test_bits, tail)
    assert hypergeometric_key_errors(key_bits, test_bits, test_errors, tail) <= serfling * key_bits + 1e-6


def test_hoeffding() -> None:
    assert hoeffding_deviation(1000, 1e-6) == pytest.approx(83.11290681, rel=1e-9)


def test_largest_binomial_count() -> None:
    for trials, probability, tail in (
        (40, Fraction(1, 8), 1e-3),
        (60, Fraction(1, 2), 1e-6),
        (25, Fraction(1, 64), 0.2),
    ):
        most = binomial_at_most(trials, float(probability), tail)
        assert 1 - sampling.binomial_tail(trials, probability, most) <= Fraction(tail)
        assert most == 0 or 1 - sampling.binomial_tail(trials, probability, most - 1) > Fraction(tail)
    assert binomial_at_most(56_250_000, 7.2e-6, 1e-20 / 3) == 608
    assert binomial_at_most(6_250_000, 7.2e-6, 1e-20 / 3) == 121
    assert binomial_at_most(10, 0.0, 1e-9) == 0
    assert binomial_at_most(10, 1.0, 1e-9) == 10


@pytest.mark.parametrize(
    "arguments",
    [(-1, 10, 1, 1e-3), (10, -1, 0, 1e-3), (10, 10, 11, 1e-3), (2**53 + 2, 1, 0, 1e-3), (10, 10, -1, 1e-3)],
)
def test_samples_that_cannot_be_are_refused(arguments: tuple[int, int, int, float]) -> None:
    with pytest.raises(InputError):
        hypergeometric_key_errors(*arguments)
    with pytest.raises(InputError):
        hypergeometric_key_errors_lower(*arguments)


@pytest.mark.parametrize("tail", [0.0, 1.0, -1e-9, math.nan, 2.0, 1e-300])
def test_tails_out_of_range_are_refused(tail: float) -> None:
    for bound in (clopper_pearson_upper, clopper_pearson_lower, kullback_leibler_upper, serfling_deviation):
        with pytest.raises(InputError):
            bound(100, 10, tail)
    with pytest.raises(InputError):
        hypergeometric_key_errors(100, 10, 1, tail)


def test_inversions_take_milliseconds() -> None:
    assert least_seconds(lambda: hypergeometric_key_errors(1_000_000, 50_000, 1_250, 1e-24)) < 5e-3
