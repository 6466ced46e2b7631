"""The last line of defence: no length above what the same counts give without statistics, nor above the key's bits."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkdpost.errors import ConfigurationError
from qkdpost.security import at_fixed_length, bb84, bbm92, decoy_bb84
from qkdpost.security.decoy.single_photons import estimate_single_photons, point_estimate
from qkdpost.security.decoy.tally import DecoyTally
from qkdpost.security.epsilon import Epsilon, EpsilonLedger, EpsilonTerm
from qkdpost.security.qubits.tally import SampledTally, Tally
from qkdpost.security.result import SecretLength, Term, secret_length_of_terms

LEDGER = EpsilonLedger(
    proof="none", budget=Epsilon.split(1e-10), terms=(EpsilonTerm(name="e", value=1e-12, weight=1.0, meaning="none"),)
)


def result_of(bits: float, *, asymptotic: float, key_bits: int, rigorous: bool = True, abort: str = "") -> SecretLength:
    return secret_length_of_terms(
        (Term(name="gain", bits=bits, explanation="made up"),),
        bound="made up",
        form="variable-length",
        rigorous=rigorous,
        assumptions=(),
        epsilon=LEDGER,
        evidence=(("phase_error_rate", 0.0),),
        asymptotic_bits=asymptotic,
        key_bits=key_bits,
        abort=abort,
    )


@pytest.mark.parametrize(
    ("bits", "asymptotic", "key_bits"),
    [(256_026.0, 72_820.0, 256_140), (4_999_886.0, 10**9, 130_677), (math.nan, 10.0, 10), (100.0, math.nan, 100)],
    ids=["above its asymptotic value", "above the key", "not a number", "nothing to compare with"],
)
def test_an_impossible_length_gives_no_key(bits: float, asymptotic: float, key_bits: int) -> None:
    result = result_of(bits, asymptotic=asymptotic, key_bits=key_bits)
    assert result.bits == 0
    assert "a fault of this library or of what it was given" in result.reason
    assert f"no key: {result.reason}" in str(result)
    assert result.asymptotic_bits <= key_bits


def test_what_floating_point_explains_is_rounded_down() -> None:
    assert result_of(100.9, asymptotic=100.2, key_bits=1000).bits == 100
    assert result_of(1e12 + 5.0, asymptotic=1e12, key_bits=10**13).bits == 10**12
    assert result_of(99.5, asymptotic=100.0, key_bits=1000).bits == 99
    assert result_of(0.9, asymptotic=0.0, key_bits=0).bits == 0


def test_formulas_for_comparison_are_cut_off() -> None:
    result = result_of(9_256_595_137.0, asymptotic=2e10, key_bits=1_000_000_100, rigorous=False)
    assert result.bits == 1_000_000_100 - 0
    assert result.terms[-1].name == "cut off"
    assert math.fsum(term.bits for term in result.terms) == pytest.approx(result.bits, abs=1e-3)
    assert result_of(math.nan, asymptotic=10.0, key_bits=10, rigorous=False).bits == 0


@pytest.mark.parametrize(
    ("bound", "intensities", "counts"),
    [("rusca-2018", (0.5, 0.1), (100, 10**9)), ("lim-2014", (0.5, 0.1, 0.0), (100, 10**9, 5))],
)
def test_counts_that_made_more_key_than_there_were_bits(
    bound: str, intensities: tuple[float, ...], counts: tuple[int, ...]
) -> None:
    labels = len(intensities)
    tally = DecoyTally(
        intensities=intensities,
        probabilities=(0.5, 0.5) if labels == 2 else (0.5, 0.25, 0.25),
        key_counts=counts,
        test_counts=counts,
        test_errors=(0,) * labels,
        key_errors=(0,) * labels,
    )
    for two_way in (False, True):
        result = decoy_bb84.secret_length(tally, leakage_bits=0, epsilon=1e-10, bound=bound, two_way=two_way)
        assert result.bits <= min(sum(counts), result.asymptotic_bits)
        assert not result.rigorous


NUMBERS = st.one_of(st.integers(0, 40), st.integers(0, 10**5), st.integers(0, 2**50))
EPSILONS = st.floats(-30, -0.05).map(lambda power: 10.0**power)


@settings(max_examples=400, deadline=None)
@given(st.data(), EPSILONS)
def test_qubits_never_exceed_their_asymptotic_value(data: st.DataObject, epsilon: float) -> None:
    def counts(test: int) -> tuple[int, int]:
        return test, min(test, data.draw(st.one_of(st.integers(0, 3), st.integers(0, test))))

    (test, wrong), (other_test, other_wrong) = counts(data.draw(NUMBERS)), counts(data.draw(NUMBERS))
    plain = Tally(key_bits=data.draw(NUMBERS), test_bits=test, test_errors=wrong)
    both = SampledTally(
        key_counts=(plain.key_bits, data.draw(NUMBERS)),
        test_counts=(test, other_test),
        test_errors=(wrong, other_wrong),
    )
    leakage = data.draw(st.one_of(st.just(0), st.integers(0, plain.key_bits // 2)))
    for concentration in ("hypergeometric", "serfling"):
        for tally in (plain, both):
            result = bbm92.secret_length(tally, leakage_bits=leakage, epsilon=epsilon, concentration=concentration)  # type: ignore[arg-type]
            check(result)
    for bound in ("tomamichel-leverrier-2017", "lim-2021", "tlgr-2012"):
        tolerated = data.draw(st.floats(0.0, 0.2))
        check(bb84.secret_length(plain, leakage_bits=0, epsilon=epsilon, bound=bound, tolerated_error_rate=tolerated))


def check(result: SecretLength) -> None:
    assert 0 <= result.bits <= result.asymptotic_bits
    assert "fault" not in result.reason


@st.composite
def decoy_tallies(draw: st.DrawFn) -> DecoyTally:
    """Counts of a lossy line, moved by up to six standard deviations each: they need not fit together well."""
    intensities = draw(
        st.sampled_from([(0.5, 0.15, 2e-4), (0.6, 0.2, 0.0), (0.45, 0.12), (0.5, 0.1), (0.7, 0.4, 0.1, 0)])
    )
    labels = len(intensities)
    scale, loss = 10.0 ** draw(st.floats(2, 13)), 10.0 ** draw(st.floats(-3, -0.5))
    wrong_rate, dark = draw(st.floats(0, 0.08)), 10.0 ** draw(st.floats(-8, -4))

    def moved(mean: float, most: int | None = None) -> int:
        count = max(0, round(mean + draw(st.floats(-6, 6)) * math.sqrt(mean)))
        return count if most is None else min(count, most)

    def basis(share: float) -> tuple[tuple[int, ...], tuple[int, ...]]:
        means = [scale * share * (1 - math.exp(-mu * loss) + dark) for mu in intensities]
        wrong = [scale * share * (wrong_rate * (1 - math.exp(-mu * loss)) + dark / 2) for mu in intensities]
        counts = tuple(moved(mean) for mean in means)
        return counts, tuple(moved(mean, count) for mean, count in zip(wrong, counts, strict=True))

    (key, key_wrong), (test, wrong) = basis(0.8), basis(draw(st.floats(0.01, 0.5)))
    return DecoyTally(
        intensities=intensities,
        probabilities=(1 / labels,) * labels,
        key_counts=key,
        test_counts=test,
        test_errors=wrong,
        key_errors=key_wrong if labels == 2 else None,
    )


@settings(max_examples=150, deadline=None)
@given(decoy_tallies(), EPSILONS, st.booleans(), st.sampled_from(["published", "partial-states"]))
def test_decoys_never_exceed_their_asymptotic_value(
    tally: DecoyTally, epsilon: float, two_way: bool, accounting: str
) -> None:
    options: list[dict[str, Any]] = [
        {"method": "analytic", "accounting": accounting},
        {"method": "analytic", "intervals": "hoeffding"},
        {"bound": "wiesemann-2026"},
        {"bound": "rusca-2018" if len(tally.intensities) == 2 else "lim-2014"},
    ]
    for option in options if len(tally.intensities) < 4 else []:
        check(decoy_bb84.secret_length(tally, leakage_bits=0, epsilon=epsilon, two_way=two_way, **option))
    check(decoy_bb84.secret_length(tally, leakage_bits=0, epsilon=epsilon, two_way=two_way, accounting=accounting))  # type: ignore[arg-type]


@settings(max_examples=100, deadline=None)
@given(
    decoy_tallies(),
    st.one_of(st.floats(-12, -3), st.floats(-3, -0.31)).map(lambda power: 10.0**power),
    st.sampled_from(["analytic", "linear-program"]),
)
def test_the_estimate_without_statistics_is_never_below_the_bound(tally: DecoyTally, tail: float, method: Any) -> None:
    """However badly counts fit together, for every tail below one half; no budget gives an event more."""
    if method == "analytic" and len(tally.intensities) > 3:
        return
    bound = estimate_single_photons(tally, method=method, intervals="clopper-pearson", tail=tail)
    point = point_estimate(tally, method, bound)
    slack = 1e-7 * (1 + tally.key_bits + tally.test_bits)
    assert point.key >= bound.key - slack
    assert point.test >= bound.test - slack
    if bound.intervals is not None:
        assert point.test_errors <= bound.test_errors + slack


def test_a_planned_length_is_a_whole_number() -> None:
    result = bb84.secret_length(Tally(key_bits=10**6, test_bits=10**5, test_errors=1000), leakage_bits=0, epsilon=1e-10)
    for wrong in (-1, 1.5, math.nan, "5", True):
        with pytest.raises(ConfigurationError, match="planned_bits"):
            at_fixed_length(result, wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="must be a SecretLength"):
        at_fixed_length(5, 5)  # type: ignore[arg-type]


def test_a_ledger_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="needs nan"):
        EpsilonLedger(
            proof="none",
            budget=Epsilon.split(1e-10),
            terms=(EpsilonTerm(name="e", value=math.nan, weight=1.0, meaning="none"),),
        )
