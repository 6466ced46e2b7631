from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from qkdpost.errors import ConfigurationError, InputError
from qkdpost.security import bb84, bbm92
from qkdpost.security.epsilon import Epsilon
from qkdpost.security.qubits.published_formulas import (
    lim_2021_parameter_estimation,
    tlgr_2012_deviation,
    tomamichel_leverrier_deviation,
    tomamichel_leverrier_theorem_three,
)
from qkdpost.security.qubits.tally import Tally
from qkdpost.statistics.entropy import binary_entropy

FIXED = ("tomamichel-leverrier-2017", "lim-2021", "tlgr-2012")


@pytest.mark.parametrize(
    ("delta", "sifted", "test", "nu", "syndrome", "tag", "secret", "total"),
    [
        (0.010, 36_123, 5_911, 0.06943318811415392, 2_686, 41, 15_323, 9.778763272730244e-11),
        (0.025, 51_114, 8_484, 0.0580348064984291, 7_910, 42, 17_009, 9.698272881235974e-11),
        (0.050, 128_989, 20_941, 0.03685663259332777, 34_040, 42, 27_878, 9.872424026202253e-11),
        (0.075, 731_680, 104_258, 0.016324856748689963, 265_239, 43, 85_453, 9.9261091464143e-11),
    ],
)
def test_anchors_of_tomamichel_and_leverrier(
    *, delta: float, sifted: int, test: int, nu: float, syndrome: int, tag: int, secret: int, total: float
) -> None:
    """The authors' points: eps_ec and eps_pe get alpha and beta of 1e-10, and the rest is eps_pa."""
    alpha = sifted**-0.5
    beta = 0.9 * (1 - alpha)
    key = sifted - test
    deviation = tomamichel_leverrier_deviation(sifted, test, beta * 1e-10)
    assert deviation == pytest.approx(nu, rel=1e-15)
    assert math.ceil(1.1 * key * binary_entropy(delta)) == syndrome
    assert math.ceil(-math.log2(alpha * 1e-10)) == tag
    raw = key * (1 - binary_entropy(delta + deviation)) - syndrome - tag
    assert math.floor(raw + 2 * math.log2(2 * (1 - alpha - beta) * 1e-10)) == secret
    theorem = tomamichel_leverrier_theorem_three(
        sifted_bits=sifted,
        test_bits=test,
        tolerated_error_rate=delta,
        deviation=nu,
        syndrome_bits=syndrome,
        tag_bits=tag,
        secret_bits=secret,
    )
    assert theorem.total == pytest.approx(total, rel=1e-12)
    assert theorem.total < 1e-10


def test_parameter_estimation_of_lim_2021() -> None:
    found = lim_2021_parameter_estimation(
        sifted_bits=20_000, test_bits=8_000, tolerated_error_rate=0.01, middle=0.045, deviation=0.06
    )
    assert found == pytest.approx(1.88399939e-12, rel=1e-8)
    raw = 12_000 * (1 - binary_entropy(0.07)) - 1164 - 40
    amplification = 1e-10 - 2.0**-40 - 2 * found
    assert amplification == pytest.approx(9.53225065e-11, rel=1e-6)
    assert math.floor(raw + 2 * math.log2(2 * amplification)) == 6340


def test_lim_2021_is_optimised_and_within_its_budget() -> None:
    """Its own optimum beats the parameters of the vector, and no xi of a fine grid beats the optimum."""
    epsilon = Epsilon(secrecy=1e-10 - 2.0**-40, correctness=2.0**-40, authentication=1e-15)
    tally = Tally(key_bits=12_000, test_bits=8_000, test_errors=80)
    result = bb84.secret_length(
        tally,
        leakage_bits=1164 + 41,
        verification_bits=41,
        epsilon=epsilon,
        bound="lim-2021",
        tolerated_error_rate=0.01,
    )
    assert result.bits >= 6340
    deviation = result.phase_error_rate - 0.01
    estimation = result.epsilon.terms[0].value
    best = min(
        lim_2021_parameter_estimation(
            sifted_bits=20_000,
            test_bits=8_000,
            tolerated_error_rate=0.01,
            middle=deviation * i / 1000,
            deviation=deviation,
        )
        for i in range(1, 1000)
    )
    assert estimation * 0.98 < best <= estimation * 1.02


def test_vector_of_tlgr_2012() -> None:
    assert tlgr_2012_deviation(100_000, 8_000, 1e-10) == pytest.approx(0.0574112495008159, rel=1e-14)
    leakage = 1.1 * 1e5 * binary_entropy(0.02)
    epsilon = Epsilon(secrecy=1e-10, correctness=1e-15, authentication=1e-15)
    tally = Tally(key_bits=100_000, test_bits=8_000, test_errors=160)
    result = bb84.secret_length(
        tally, leakage_bits=math.floor(leakage), epsilon=epsilon, bound="tlgr-2012", tolerated_error_rate=0.02
    )
    exact = math.fsum(term.bits for term in result.terms) + math.floor(leakage) - leakage
    assert math.floor(exact) == 45025
    assert result.epsilon.secrecy == pytest.approx(1e-10)


def _worst_failure(key_bits: int, test_bits: int, tolerated: float, rate: float) -> float:
    """The probability of being accepted with more key errors than n times `rate`, for the worst number of errors."""
    allowed = math.floor(test_bits * tolerated)
    errors = range(math.floor(key_bits * rate) + 1, key_bits + test_bits + 1)
    seen = [min(allowed, total - math.floor(key_bits * rate) - 1) for total in errors]
    return float(max(stats.hypergeom.cdf(seen, key_bits + test_bits, list(errors), test_bits)))


@pytest.mark.parametrize("estimation", [1e-1, 1e-2, 1e-3, 1e-5])
@pytest.mark.parametrize(
    ("key_bits", "test_bits", "tolerated"), [(300, 100, 0.05), (2000, 200, 0.02), (500, 1500, 0.1)]
)
@pytest.mark.parametrize(("bound", "scale"), [(FIXED[0], 2.0), (FIXED[1], 1.0), (FIXED[2], 1.0)])
def test_parameter_estimation_fails_as_seldom_as_is_claimed(
    *, bound: str, scale: float, key_bits: int, test_bits: int, tolerated: float, estimation: float
) -> None:
    """Exactly, over every number of errors in the block: what the proofs call eps_pe^2, in Theorem 3 (eps_pe / 2)^2.

    With a quarter of the deviation the same check fails.
    """
    result = bb84.secret_length(
        Tally(key_bits=key_bits, test_bits=test_bits, test_errors=0),
        leakage_bits=0,
        epsilon=Epsilon(secrecy=2.5 * estimation, correctness=1e-3, authentication=1e-3),
        bound=bound,
        tolerated_error_rate=tolerated,
    )
    claimed = (result.epsilon.terms[0].value / scale) ** 2
    rate = result.phase_error_rate
    assert tolerated < rate < 0.5
    assert _worst_failure(key_bits, test_bits, tolerated, rate) <= claimed
    assert _worst_failure(key_bits, test_bits, tolerated, tolerated + (rate - tolerated) / 4) > claimed


@pytest.mark.parametrize("bound", FIXED)
def test_a_block_above_the_tolerated_rate_is_not_accepted(bound: str) -> None:
    tally = Tally(key_bits=100_000, test_bits=10_000, test_errors=201)
    accepted = Tally(key_bits=100_000, test_bits=10_000, test_errors=200)
    arguments = {"leakage_bits": 16_000, "epsilon": 1e-10, "bound": bound, "tolerated_error_rate": 0.02}
    refused = bb84.secret_length(tally, **arguments)
    assert refused.bits == 0
    assert "exceeds the tolerated" in refused.reason
    assert bb84.secret_length(accepted, **arguments).bits > 30_000
    assert bb84.secret_length(accepted, **arguments).form == "fixed-length"
    assert bbm92.secret_length(accepted, **arguments).bits == bb84.secret_length(accepted, **arguments).bits


@pytest.mark.parametrize("bound", FIXED)
def test_a_fixed_length_depends_on_thresholds_alone(bound: str) -> None:
    lengths = {
        bb84.secret_length(
            Tally(key_bits=100_000, test_bits=10_000, test_errors=errors),
            leakage_bits=16_000,
            epsilon=1e-10,
            bound=bound,
            tolerated_error_rate=0.02,
        ).bits
        for errors in (0, 17, 200)
    }
    assert len(lengths) == 1


@settings(max_examples=300)
@given(st.sampled_from(FIXED), st.integers(0, 10**6), st.integers(0, 10**6), st.floats(0, 0.49), st.integers(0, 10**5))
def test_fixed_lengths_never_exceed_the_asymptotic_one(
    bound: str, key_bits: int, test_bits: int, rate: float, leakage: int
) -> None:
    tally = Tally(key_bits=key_bits, test_bits=test_bits, test_errors=int(rate * test_bits))
    result = bb84.secret_length(tally, leakage_bits=leakage, epsilon=1e-10, bound=bound, tolerated_error_rate=rate)
    assert 0 <= result.bits <= result.asymptotic_bits
    assert (result.bits == 0) == bool(result.reason)
    assert result.epsilon.secrecy <= result.epsilon.budget.secrecy * (1 + 1e-12)


def test_what_contradicts_itself_is_refused() -> None:
    tally = Tally(key_bits=1000, test_bits=100, test_errors=1)
    with pytest.raises(ConfigurationError, match="tolerated_error_rate"):
        bb84.secret_length(tally, leakage_bits=0, epsilon=1e-10, bound="lim-2021")
    with pytest.raises(ConfigurationError, match="takes no thresholds"):
        bb84.secret_length(tally, leakage_bits=0, epsilon=1e-10, tolerated_error_rate=0.02)
    with pytest.raises(ConfigurationError, match="bound must be one of 'variable-length'"):
        bb84.secret_length(tally, leakage_bits=0, epsilon=1e-10, bound="asymptotic")
    with pytest.raises(InputError):
        bb84.secret_length(tally, leakage_bits=0, epsilon=1e-10, bound="lim-2021", tolerated_error_rate=0.5)
    with pytest.raises(InputError):
        tomamichel_leverrier_theorem_three(
            sifted_bits=100,
            test_bits=10,
            tolerated_error_rate=0.1,
            deviation=0.4,
            syndrome_bits=0,
            tag_bits=1,
            secret_bits=1,
        )
