from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkdpost.errors import ConfigurationError, InputError
from qkdpost.security import bb84, bbm92
from qkdpost.security.epsilon import Epsilon
from qkdpost.security.qubits.both_bases import phase_error_bound_of_samples
from qkdpost.security.qubits.one_basis import phase_error_bound
from qkdpost.security.qubits.tally import SampledTally, Tally
from qkdpost.statistics.entropy import binary_entropy

EPSILONS = st.floats(-28.0, -2.0).map(lambda power: 10.0**power)
CONCENTRATIONS = st.sampled_from(["hypergeometric", "serfling"])


@st.composite
def tallies(draw: st.DrawFn, most: int = 10**7, worst: float = 0.6) -> SampledTally:
    key_bits = (draw(st.integers(0, most)), draw(st.integers(0, most)))
    test_bits = (draw(st.integers(0, most)), draw(st.integers(0, most)))
    errors = tuple(min(count, int(draw(st.floats(0.0, worst)) * count)) for count in test_bits)
    return SampledTally(key_counts=key_bits, test_counts=test_bits, test_errors=(errors[0], errors[1]))


def most_errors_exactly(key_bits: int, test_bits: int, test_errors: int, tail: Fraction) -> int:
    """Invert the hypergeometric law in whole numbers: the most marked rounds that are not excluded, less those seen."""
    population = key_bits + test_bits
    ways = math.comb(population, test_bits)

    def excluded(marked: int) -> bool:
        few = sum(
            math.comb(marked, seen) * math.comb(population - marked, test_bits - seen)
            for seen in range(test_errors + 1)
            if test_bits - seen <= population - marked
        )
        return few <= tail * ways

    low, high = test_errors, key_bits + test_errors + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if excluded(middle) else (middle, high)
    return low - test_errors


@pytest.mark.parametrize(
    ("key_bits", "test_bits", "test_errors", "leakage"),
    [
        ((4000, 3600), (1700, 1500), (17, 30), 700),
        ((5200, 900), (2100, 800), (3, 20), 400),
        ((900, 5200), (800, 2100), (20, 3), 400),
        ((6000, 40), (900, 600), (30, 2), 250),
    ],
)
def test_vectors_in_whole_numbers(
    key_bits: tuple[int, int], test_bits: tuple[int, int], test_errors: tuple[int, int], leakage: int
) -> None:
    tally = SampledTally(key_counts=key_bits, test_counts=test_bits, test_errors=test_errors)
    epsilon = Epsilon(secrecy=1e-9, correctness=1e-12, authentication=1e-12)
    result = bb84.secret_length(tally, leakage_bits=leakage, epsilon=epsilon)
    attempt, amplification = (term.value for term in result.epsilon.terms)
    assert 2 * attempt + amplification == pytest.approx(1e-9, rel=1e-12)
    half = Fraction(attempt) ** 2 / 2
    in_x = most_errors_exactly(key_bits[0], test_bits[1], test_errors[1], half)
    in_z = most_errors_exactly(key_bits[1], test_bits[0], test_errors[0], half)
    total = sum(key_bits)
    rate = (in_x + in_z) / total
    entropy = -rate * math.log2(rate) - (1 - rate) * math.log2(1 - rate)
    raw = total * (1 - entropy) - leakage - 2 * math.log2(1 / (2 * amplification)) - math.log2(2e12)
    assert result.phase_error_rate == rate
    assert result.bits == math.floor(raw) > 0
    assert (result.form, result.attacks, result.rigorous) == ("variable-length", "coherent", True)


def test_serfling_is_looser_and_as_written() -> None:
    tally = SampledTally(key_counts=(50_000, 20_000), test_counts=(5_000, 2_000), test_errors=(50, 60))
    tail = 1e-20 / 2

    def deviation(n: int, k: int) -> float:
        return math.sqrt((n + k) * (k + 1) / (2 * n * k * k) * math.log(1 / tail))

    errors = 50_000 * (60 / 2_000 + deviation(50_000, 2_000)) + 20_000 * (50 / 5_000 + deviation(20_000, 5_000))
    rate, explanation = phase_error_bound_of_samples(tally, 1e-10, "serfling")
    assert rate == pytest.approx(errors / 70_000, rel=1e-12)
    assert "serfling" in explanation
    assert phase_error_bound_of_samples(tally, 1e-10, "hypergeometric")[0] < rate


@settings(max_examples=1000)
@given(tallies(), st.integers(0, 10**6), EPSILONS, CONCENTRATIONS)
def test_never_above_the_asymptotic_length(
    tally: SampledTally, leakage: int, epsilon: float, concentration: str
) -> None:
    result = bb84.secret_length(tally, leakage_bits=leakage, epsilon=epsilon, concentration=concentration)
    assert 0 <= result.bits <= result.asymptotic_bits <= tally.key_bits
    assert (result.bits == 0) == bool(result.reason)
    assert result.bits <= max(0.0, math.fsum(term.bits for term in result.terms))
    assert result.epsilon.secrecy <= result.epsilon.budget.secrecy * (1 + 1e-12)


@settings(max_examples=1000)
@given(tallies(worst=0.2), EPSILONS, CONCENTRATIONS)
def test_the_pooled_count_is_the_safe_side(tally: SampledTally, smoothing: float, concentration: str) -> None:
    """Never more than both bases on their own, each by the bound for one basis at half of the tail."""
    rate, _ = phase_error_bound_of_samples(tally, smoothing, concentration)
    apart = 0.0
    for own, other in ((0, 1), (1, 0)):
        alone = Tally(
            key_bits=tally.key_counts[own], test_bits=tally.test_counts[other], test_errors=tally.test_errors[other]
        )
        worst, _ = phase_error_bound(alone, smoothing / math.sqrt(2), concentration)
        apart += alone.key_bits * (1 - binary_entropy(worst))
    assert tally.key_bits * (1 - binary_entropy(rate)) <= apart * (1 + 1e-12) + 1e-6


@settings(max_examples=1000)
@given(tallies(), st.integers(0, 10**6), EPSILONS, st.integers(0, 1), st.data())
def test_monotone_in_all_that_is_bad(
    tally: SampledTally, leakage: int, epsilon: float, basis: int, data: st.DataObject
) -> None:
    more = data.draw(st.integers(1, 1000))

    def plus(counts: tuple[int, int]) -> tuple[int, int]:
        return (counts[0] + more, counts[1]) if basis == 0 else (counts[0], counts[1] + more)

    def bits(test_bits: tuple[int, int], errors: tuple[int, int], leakage_bits: int, total: float) -> int:
        counts = SampledTally(
            key_counts=tally.key_counts,
            test_counts=test_bits,
            test_errors=(min(errors[0], test_bits[0]), min(errors[1], test_bits[1])),
        )
        return bb84.secret_length(counts, leakage_bits=leakage_bits, epsilon=total).bits

    here = bits(tally.test_counts, tally.test_errors, leakage, epsilon)
    assert bits(tally.test_counts, tally.test_errors, leakage + more, epsilon) <= here
    assert bits(tally.test_counts, tally.test_errors, leakage, epsilon / (1 + more)) <= here
    assert bits(tally.test_counts, plus(tally.test_errors), leakage, epsilon) <= here
    assert bits(plus(tally.test_counts), tally.test_errors, leakage, epsilon) >= here


@settings(max_examples=500)
@given(tallies(most=10**5), st.floats(0.0, 1.0), EPSILONS, st.integers(2, 50))
def test_monotone_in_the_size_of_the_block(tally: SampledTally, leaked: float, epsilon: float, times: int) -> None:
    leakage = int(leaked * tally.key_bits)
    larger = SampledTally(
        key_counts=(times * tally.key_counts[0], times * tally.key_counts[1]),
        test_counts=(times * tally.test_counts[0], times * tally.test_counts[1]),
        test_errors=(times * tally.test_errors[0], times * tally.test_errors[1]),
    )
    here = bb84.secret_length(tally, leakage_bits=leakage, epsilon=epsilon).bits
    assert bb84.secret_length(larger, leakage_bits=times * leakage, epsilon=epsilon).bits >= times * here


@given(tallies(worst=0.0), st.integers(0, 1), st.floats(0.5, 1.0), st.integers(1, 10**7))
def test_no_key_where_one_basis_shows_no_correlation(
    tally: SampledTally, basis: int, rate: float, other_key: int
) -> None:
    """Half of the rounds wrong, or none sampled, in one basis, with key of the other; whatever that other shows."""
    key_bits = (tally.key_counts[0], other_key) if basis == 0 else (other_key, tally.key_counts[1])
    wrong = math.ceil(rate * tally.test_counts[basis])
    for tested, errors in ((tally.test_counts[basis], wrong), (0, 0)):
        test_bits = (tested, tally.test_counts[1]) if basis == 0 else (tally.test_counts[0], tested)
        counts = SampledTally(
            key_counts=key_bits, test_counts=test_bits, test_errors=(errors, 0) if basis == 0 else (0, errors)
        )
        result = bb84.secret_length(counts, leakage_bits=0, epsilon=1e-2)
        assert result.bits == 0
        assert result.asymptotic_bits == 0
        assert result.phase_error_rate == 0.5
        assert "bound nothing" in result.terms[1].explanation


@pytest.mark.parametrize("concentration", ["hypergeometric", "serfling"])
@pytest.mark.parametrize("size", [10**5, 10**8, 10**12])
@pytest.mark.parametrize("noise", [0.3, 0.5])
def test_reading_one_basis_leaves_nothing(concentration: str, size: int, noise: float) -> None:
    """3 % of choices in X, every round read in Z: pooled errors of 0.05 %, and no key, at any size."""
    sifted = (int(size * 0.97**2), int(size * 0.03**2))
    test = (sifted[0] // 10, sifted[1] // 10)
    errors = (0, math.ceil(noise * test[1]))
    assert sum(errors) / sum(test) < 1e-3
    tally = SampledTally(key_counts=(sifted[0] - test[0], sifted[1] - test[1]), test_counts=test, test_errors=errors)
    leakage = 0 if noise == 0.5 else sifted[0] // 5
    for module in (bb84, bbm92):
        result = module.secret_length(tally, leakage_bits=leakage, epsilon=1e-10, concentration=concentration)
        assert result.bits == 0
        assert "phase errors" in result.reason


def test_the_bound_holds_for_biased_bases_and_an_eavesdropper_in_one() -> None:
    """Frequency of failure at a large tail, counted on the measurement that nobody makes, for three attacks."""
    rng = np.random.default_rng(5)
    smoothing, runs, rounds = math.sqrt(0.2), 600, 4000
    for wrong_in_z, wrong_in_x in ((0.0, 0.25), (0.1, 0.02), (0.03, 0.03)):
        attacked = rng.random(rounds) < 0.5
        if_z = attacked & (rng.random(rounds) < wrong_in_z)
        if_x = attacked & (rng.random(rounds) < wrong_in_x)
        failures = pooled_failures = 0
        for _ in range(runs):
            in_x, sampled = rng.random(rounds) < 0.1, rng.random(rounds) < 0.2
            tally = SampledTally(
                key_counts=(int((~in_x & ~sampled).sum()), int((in_x & ~sampled).sum())),
                test_counts=(int((~in_x & sampled).sum()), int((in_x & sampled).sum())),
                test_errors=(int(if_z[~in_x & sampled].sum()), int(if_x[in_x & sampled].sum())),
            )
            real = int(if_x[~in_x & ~sampled].sum()) + int(if_z[in_x & ~sampled].sum())
            key = tally.key_bits
            rate, _ = phase_error_bound_of_samples(tally, smoothing, "hypergeometric")
            failures += real > rate * key * (1 + 1e-12)
            pooled = Tally(key_bits=key, test_bits=tally.test_bits, test_errors=sum(tally.test_errors))
            pooled_failures += real > phase_error_bound(pooled, smoothing, "hypergeometric")[0] * key * (1 + 1e-12)
        # 0.2 is allowed; 0.25 is three standard deviations above.
        assert failures <= 0.25 * runs
        if wrong_in_z == 0.0:
            assert pooled_failures == runs


def test_what_it_assumes_is_said() -> None:
    tally = SampledTally(key_counts=(9000, 9000), test_counts=(3000, 3000), test_errors=(30, 30))
    for module in (bb84, bbm92):
        result = module.secret_length(tally, leakage_bits=900, epsilon=1e-10)
        assert result.bits > 0
        assert set(module.ASSUMPTIONS) < set(result.assumptions)
        assert any("same in every round" in line for line in result.assumptions)


def test_nothing_to_make_key_of() -> None:
    tally = SampledTally(key_counts=(0, 0), test_counts=(10, 10), test_errors=(0, 0))
    result = bb84.secret_length(tally, leakage_bits=0, epsilon=1e-10)
    assert (result.bits, result.asymptotic_bits) == (0, 0.0)
    assert "nothing to make key of" in result.reason


@pytest.mark.parametrize("bound", ["tomamichel-leverrier-2017", "lim-2021", "tlgr-2012"])
def test_published_fixed_length_bounds_refuse_it(bound: str) -> None:
    tally = SampledTally(key_counts=(9000, 9000), test_counts=(3000, 3000), test_errors=(30, 30))
    for module in (bb84, bbm92):
        with pytest.raises(ConfigurationError, match="sample of both bases"):
            module.secret_length(tally, leakage_bits=0, epsilon=1e-10, bound=bound, tolerated_error_rate=0.02)


def test_unknown_concentration_is_refused() -> None:
    for tally in (
        SampledTally(key_counts=(9, 9), test_counts=(3, 3), test_errors=(0, 0)),
        SampledTally(key_counts=(0, 0), test_counts=(0, 0), test_errors=(0, 0)),
    ):
        with pytest.raises(ConfigurationError, match="gauss"):
            phase_error_bound_of_samples(tally, 1e-10, "gauss")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"key_counts": (1, -1)},
        {"key_counts": (2**53, 1)},
        {"test_counts": (5,)},
        {"test_errors": (0, 1, 2)},
        {"test_errors": (6, 0)},
        {"test_errors": (0, 6)},
        {"key_counts": (1.5, 0)},
    ],
)
def test_impossible_counts_are_refused(changes: dict[str, tuple[int, ...]]) -> None:
    counts: dict[str, tuple[int, ...]] = {"key_counts": (9, 9), "test_counts": (5, 5), "test_errors": (1, 1)}
    with pytest.raises(InputError):
        SampledTally(**counts | changes)  # type: ignore[arg-type]
