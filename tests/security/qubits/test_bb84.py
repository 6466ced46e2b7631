from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkdpost.errors import ConfigurationError, InputError
from qkdpost.security import bb84, bbm92
from qkdpost.security.epsilon import Epsilon
from qkdpost.security.qubits.one_basis import phase_error_bound
from qkdpost.security.qubits.tally import Tally
from qkdpost.statistics.entropy import binary_entropy
from support.yardstick import least_seconds

EPSILONS = st.floats(-28.0, -2.0).map(lambda power: 10.0**power)


@st.composite
def tallies(draw: st.DrawFn, most: int = 10**7) -> Tally:
    key_bits = draw(st.integers(0, most))
    test_bits = draw(st.integers(0, most))
    test_errors = min(test_bits, int(draw(st.floats(0.0, 0.6)) * test_bits))
    return Tally(key_bits=key_bits, test_bits=test_bits, test_errors=test_errors)


@pytest.mark.parametrize(
    ("tally", "leakage", "eps", "serfling_rate", "serfling_bits", "errors", "exact_bits"),
    [
        (
            (100_000, 8_000, 160),
            15558.459679600277,
            1e-10,
            0.07575731733841222,
            45621.223956474285,
            3888,
            60612.94750819283,
        ),
        ((10_000, 2_000, 20), 937.2003763925698, 1e-10, 0.12756878120165768, 3440.2055659171, 501, 6079.316159281555),
        (
            (1_000_000, 50_000, 1_250),
            185527.02464633726,
            1e-12,
            0.04908864978497899,
            531831.4990564913,
            32998,
            605133.6883351514,
        ),
    ],
)
def test_vectors_of_the_variable_length_theorem(
    *,
    tally: tuple[int, int, int],
    leakage: float,
    eps: float,
    serfling_rate: float,
    serfling_bits: float,
    errors: int,
    exact_bits: float,
) -> None:
    """Q1 to Q3: eps_AT, eps_PA given, eps_EV = 1e-15."""
    counts = Tally(key_bits=tally[0], test_bits=tally[1], test_errors=tally[2])

    def bits(rate: float) -> float:
        costs = -leakage + 2 * math.log2(2 * eps) - math.log2(2 / 1e-15)
        return counts.key_bits * (1 - binary_entropy(rate)) + costs

    rate, _ = phase_error_bound(counts, eps, "serfling")
    assert rate == pytest.approx(serfling_rate, rel=1e-13)
    assert bits(rate) == pytest.approx(serfling_bits, rel=1e-12)
    rate, _ = phase_error_bound(counts, eps, "hypergeometric")
    assert rate == errors / counts.key_bits
    assert bits(rate) == pytest.approx(exact_bits, rel=1e-12)


@pytest.mark.parametrize("concentration", ["hypergeometric", "serfling"])
def test_the_length_is_the_theorem(concentration: str) -> None:
    """The formula, written out once more with the ledger's own epsilons."""
    tally = Tally(key_bits=100_000, test_bits=8_000, test_errors=160)
    epsilon = Epsilon(secrecy=1e-9, correctness=1e-12, authentication=1e-12)
    result = bb84.secret_length(tally, leakage_bits=15_600, epsilon=epsilon, concentration=concentration)
    attempt, amplification = (term.value for term in result.epsilon.terms)
    assert 2 * attempt + amplification == pytest.approx(1e-9, rel=1e-12)
    rate, _ = phase_error_bound(tally, attempt, concentration)
    raw = 100_000 * (1 - binary_entropy(rate)) - 15_600 - 2 * math.log2(1 / (2 * amplification)) - math.log2(2e12)
    assert result.bits == math.floor(raw)
    assert result.form == "variable-length"
    assert result.attacks == "coherent"
    assert result.rigorous


def test_verification_is_charged_once_whoever_charges_it() -> None:
    tally = Tally(key_bits=100_000, test_bits=8_000, test_errors=160)
    epsilon = Epsilon(secrecy=1e-10, correctness=2.0**-50, authentication=1e-15)
    apart = bb84.secret_length(tally, leakage_bits=15_000, epsilon=epsilon)
    inside = bb84.secret_length(tally, leakage_bits=15_051, verification_bits=51, epsilon=epsilon)
    assert apart.bits == inside.bits
    with pytest.raises(ConfigurationError, match="at least 51"):
        bb84.secret_length(tally, leakage_bits=15_050, verification_bits=50, epsilon=epsilon)
    with pytest.raises(InputError, match="must not exceed"):
        bb84.secret_length(tally, leakage_bits=50, verification_bits=51, epsilon=epsilon)


@settings(max_examples=1500)
@given(tallies(), st.integers(0, 10**6), EPSILONS, st.sampled_from(["hypergeometric", "serfling"]))
def test_never_above_the_asymptotic_length(tally: Tally, leakage: int, epsilon: float, concentration: str) -> None:
    result = bb84.secret_length(tally, leakage_bits=leakage, epsilon=epsilon, concentration=concentration)
    assert 0 <= result.bits <= result.asymptotic_bits <= tally.key_bits
    assert (result.bits == 0) == bool(result.reason)
    assert result.bits <= max(0.0, math.fsum(term.bits for term in result.terms))
    assert result.epsilon.secrecy <= result.epsilon.budget.secrecy * (1 + 1e-12)


@settings(max_examples=1500)
@given(tallies(), st.integers(0, 10**6), EPSILONS, st.data())
def test_monotone_in_all_that_is_bad(tally: Tally, leakage: int, epsilon: float, data: st.DataObject) -> None:
    more = data.draw(st.integers(1, 1000))

    def bits(counts: Tally = tally, leakage_bits: int = leakage, total: float = epsilon) -> int:
        return bb84.secret_length(counts, leakage_bits=leakage_bits, epsilon=total).bits

    here = bits()
    assert bits(leakage_bits=leakage + more) <= here
    assert bits(total=epsilon / (1 + more)) <= here
    errors = min(tally.test_bits, tally.test_errors + more)
    assert bits(Tally(key_bits=tally.key_bits, test_bits=tally.test_bits, test_errors=errors)) <= here
    clean = Tally(key_bits=tally.key_bits, test_bits=tally.test_bits + more, test_errors=tally.test_errors)
    assert bits(clean) >= here


@settings(max_examples=1000)
@given(tallies(most=10**5), st.floats(0.0, 1.0), EPSILONS, st.integers(2, 50))
def test_monotone_in_the_size_of_the_block(tally: Tally, leaked: float, epsilon: float, times: int) -> None:
    """A block with all of its counts multiplied gives at least so many times as much."""
    leakage = int(leaked * tally.key_bits)
    larger = Tally(
        key_bits=times * tally.key_bits, test_bits=times * tally.test_bits, test_errors=times * tally.test_errors
    )
    here = bb84.secret_length(tally, leakage_bits=leakage, epsilon=epsilon).bits
    assert bb84.secret_length(larger, leakage_bits=times * leakage, epsilon=epsilon).bits >= times * here


@settings(max_examples=500)
@given(st.integers(0, 10**14), st.integers(0, 10**14), st.floats(0.11003, 1.0), EPSILONS)
def test_no_key_above_the_threshold(key_bits: int, test_bits: int, rate: float, epsilon: float) -> None:
    """At the same error rate in both bases, from 11 % on, with correction at the Shannon limit."""
    tally = Tally(key_bits=key_bits, test_bits=test_bits, test_errors=min(test_bits, math.ceil(rate * test_bits)))
    leakage = math.ceil(key_bits * binary_entropy(rate))
    for module in (bb84, bbm92):
        result = module.secret_length(tally, leakage_bits=leakage, epsilon=epsilon)
        assert result.bits == 0
        assert result.reason


@given(st.integers(0, 10**14), st.integers(0, 10**14), st.floats(0.5, 1.0))
def test_no_key_where_the_test_says_nothing(key_bits: int, test_bits: int, rate: float) -> None:
    tally = Tally(key_bits=key_bits, test_bits=test_bits, test_errors=min(test_bits, math.ceil(rate * test_bits)))
    assert bb84.secret_length(tally, leakage_bits=0, epsilon=0.9).bits == 0


@pytest.mark.parametrize("size", [10**3, 10**6, 10**9, 10**12, 10**14])
@pytest.mark.parametrize("total", [1e-2, 1e-10, 1e-30])
def test_all_sizes_and_epsilons(size: int, total: float) -> None:
    tally = Tally(key_bits=size, test_bits=size // 4, test_errors=size // 400)
    result = bb84.secret_length(tally, leakage_bits=size // 10, epsilon=total)
    assert 0 <= result.bits < result.asymptotic_bits
    if size >= 10**9:
        assert result.bits > 0.99 * result.asymptotic_bits


def test_the_reason_names_the_term_that_took_the_key() -> None:
    few = bb84.secret_length(Tally(key_bits=1000, test_bits=20, test_errors=0), leakage_bits=100, epsilon=1e-10)
    assert "phase errors" in few.reason
    leaky = bb84.secret_length(
        Tally(key_bits=10_000, test_bits=9_000, test_errors=9), leakage_bits=9_999, epsilon=1e-10
    )
    assert "correction" in leaky.reason
    tiny = bb84.secret_length(Tally(key_bits=60, test_bits=10**6, test_errors=0), leakage_bits=1, epsilon=1e-10)
    assert "amplification" in tiny.reason
    empty = bb84.secret_length(Tally(key_bits=0, test_bits=0, test_errors=0), leakage_bits=0, epsilon=1e-10)
    assert "nothing to make key of" in empty.reason


def test_the_result_says_everything() -> None:
    result = bb84.secret_length(
        Tally(key_bits=50_000, test_bits=9_000, test_errors=90), leakage_bits=5_000, epsilon=1e-10
    )
    text = str(result)
    for piece in (*result.assumptions, "variable-length", "coherent", "eps_AT", "eps_PA", f"{result.bits} bits"):
        assert piece in text
    for term in result.terms:
        assert term.name in text
    assert json.loads(json.dumps(result.to_dict()))["bits"] == result.bits


def test_the_two_kinds_differ_in_what_they_assume() -> None:
    tally = Tally(key_bits=50_000, test_bits=9_000, test_errors=90)
    prepared = bb84.secret_length(tally, leakage_bits=5_000, epsilon=1e-10)
    entangled = bbm92.secret_length(tally, leakage_bits=5_000, epsilon=1e-10)
    assert prepared.bits == entangled.bits
    assert any("source sends single photons" in line for line in prepared.assumptions)
    assert any("nothing is assumed of the source" in line for line in entangled.assumptions)


@pytest.mark.parametrize("leakage", [-1, 2**53 + 2, 1.5])
def test_leakage_that_cannot_be_is_refused(leakage: int) -> None:
    with pytest.raises(InputError):
        bb84.secret_length(Tally(key_bits=10, test_bits=10, test_errors=1), leakage_bits=leakage, epsilon=1e-10)


def test_unknown_concentration_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="gauss"):
        bb84.secret_length(
            Tally(key_bits=10, test_bits=10, test_errors=1),
            leakage_bits=0,
            epsilon=1e-10,
            concentration="gauss",  # type: ignore[arg-type]
        )


def test_a_length_takes_less_than_a_millisecond() -> None:
    tally = Tally(key_bits=1_000_000, test_bits=50_000, test_errors=1_250)
    assert least_seconds(lambda: bb84.secret_length(tally, leakage_bits=185_000, epsilon=1e-10), times=30) < 1e-3
