from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec import structs

from qkdpost.errors import ConfigurationError
from qkdpost.security import at_fixed_length, decoy_bb84
from qkdpost.security.decoy.detector_mismatch import DetectorMismatch, worse_phase_error_rate
from qkdpost.security.decoy.phase_errors import single_photon_phase_error_rate
from qkdpost.security.decoy.single_photons import SinglePhotons, estimate_single_photons
from qkdpost.security.decoy.tally import DecoyTally
from qkdpost.security.epsilon import Epsilon
from qkdpost.statistics.entropy import binary_entropy
from qkdpost.statistics.sampling import serfling_deviation
from reference.links import DecoyLink
from support.tallies import VECTOR_B1 as ONE_DECOY
from support.yardstick import in_yardsticks

STANDARD = DecoyTally(
    intensities=(0.5, 0.15, 2e-4),
    probabilities=(0.4, 0.45, 0.15),
    key_counts=(7_000_000, 2_700_000, 4_000),
    test_counts=(700_000, 270_000, 400),
    test_errors=(7_000, 2_900, 200),
)
T1 = SinglePhotons(key=11076372.700738952, test=11676174.585127302, test_errors=31803.80808893034)
T2 = SinglePhotons(key=7172349.89447704, test=658547.3215676426, test_errors=13260.839882795748)
LEAKAGE = {"T1": 520739.63195106894, "T2": 939777.0741206666}


def _bits(key: float, rate: float, leakage: float, correctness: float = 1e-12) -> float:
    return key * (1 - binary_entropy(rate)) - leakage + 2 + 2 * math.log2(1e-12) + math.log2(correctness) - 1


@pytest.mark.parametrize(
    ("photons", "leakage", "rate", "bits", "errors", "exact_bits"),
    [
        (T1, LEAKAGE["T1"], 0.00492859665134723, 10058532.37903943, 32689, 10233689.6410414),
        (T2, LEAKAGE["T2"], 0.026904814035671406, 4951301.661326678, 158036, 5137136.901335678),
    ],
)
def test_vectors_of_the_published_program(
    *, photons: SinglePhotons, leakage: float, rate: float, bits: float, errors: int, exact_bits: float
) -> None:
    """T1 and T2 of the authors' program, all epsilons 1e-12; which does not round single photons down."""
    found, _ = single_photon_phase_error_rate(photons, 1e-24, "serfling")
    assert found == pytest.approx(rate, rel=1e-6)
    assert _bits(photons.key, rate, leakage) == pytest.approx(bits, rel=1e-12)
    exact, explanation = single_photon_phase_error_rate(photons, 1e-24, "hypergeometric")
    assert f"at most {errors} in the key" in explanation
    assert _bits(math.floor(photons.key), exact, leakage) == pytest.approx(exact_bits, abs=2.0)


def test_the_standard_block_by_linear_program() -> None:
    photons = estimate_single_photons(STANDARD, method="linear-program", intervals="clopper-pearson", tail=1e-10 / 21)
    rate, explanation = single_photon_phase_error_rate(photons, 1e-24, "hypergeometric")
    assert rate == pytest.approx(0.013795562975195793, rel=1e-15)
    assert "102007" in explanation
    bits = 7_394_189 * (1 - binary_entropy(rate)) - 939777.0741206666 - 2 * math.log2(1 / 2e-12) - math.log2(2 / 1e-15)
    assert bits == pytest.approx(5677770.443, abs=1e-3)


@pytest.mark.parametrize(
    ("deviation", "swap", "rate"),
    [(0.01, False, 0.047321734907970044), (0.01, True, 0.006912433917533679), (0.001, False, 0.010543737595231467)],
)
def test_mismatched_detectors(deviation: float, swap: bool, rate: float) -> None:
    """T1 with delta1 and delta2; the excess by Hoeffding's inequality, as the authors' program has it."""
    mismatch = DetectorMismatch(
        dark_count_probability=1e-6, efficiency_deviation=deviation, dark_count_deviation=deviation, random_swap=swap
    )
    alike = T1.test_errors / T1.test + serfling_deviation(math.floor(T1.key), math.floor(T1.test), 1e-24)
    published = worse_phase_error_rate(alike, math.floor(T1.key), mismatch, 1e-24, exact=False)
    assert published == pytest.approx(rate, rel=1e-6)
    assert worse_phase_error_rate(alike, math.floor(T1.key), mismatch, 1e-24, exact=True) < published


@pytest.mark.parametrize(
    ("deviation", "swap", "delta1", "delta2"),
    [
        (0.01, False, 0.03980190594484201, 0.019801970401801317),
        (0.01, True, 0.0003921368647836765, 0.00019605882168434113),
        (0.05, False, 0.19524069467893979, 0.09523804997571372),
        (0.05, True, 0.009080584678291093, 0.004535138775514307),
        (0.0, False, 0.0, 0.0),
    ],
)
def test_deltas(deviation: float, swap: bool, delta1: float, delta2: float) -> None:
    mismatch = DetectorMismatch(
        dark_count_probability=1e-6, efficiency_deviation=deviation, dark_count_deviation=deviation, random_swap=swap
    )
    assert mismatch.delta1 == pytest.approx(delta1, rel=1e-9, abs=1e-15)
    assert mismatch.delta2 == pytest.approx(delta2, rel=1e-9, abs=1e-15)
    if deviation == 0.0:
        assert worse_phase_error_rate(0.03, 1000, mismatch, 1e-24, exact=False) == 0.03


def test_mismatch_costs_and_needs_one_way_correction() -> None:
    mismatch = DetectorMismatch(dark_count_probability=1e-6, efficiency_deviation=0.01, dark_count_deviation=0.01)
    arguments = {"leakage_bits": 939_778, "epsilon": 1e-10}
    with pytest.raises(ConfigurationError, match="two-way"):
        decoy_bb84.secret_length(STANDARD, detectors=mismatch, **arguments)
    worse = decoy_bb84.secret_length(STANDARD, detectors=mismatch, two_way=False, **arguments)
    alike = decoy_bb84.secret_length(STANDARD, two_way=False, **arguments)
    assert 0 < worse.bits < alike.bits
    assert any("differ by no more than stated" in line for line in worse.assumptions)
    assert "detector events" in str(worse)
    assert "detector events" not in str(alike)
    hopeless = structs.replace(mismatch, efficiency_deviation=0.6)
    nothing = decoy_bb84.secret_length(STANDARD, detectors=hopeless, two_way=False, **arguments)
    assert nothing.bits == 0
    with pytest.raises(ConfigurationError, match="matched detectors only"):
        decoy_bb84.secret_length(STANDARD, detectors=mismatch, two_way=False, bound="lim-2014", **arguments)
    with pytest.raises(ConfigurationError, match="errors of the key"):
        decoy_bb84.secret_length(ONE_DECOY, detectors=mismatch, two_way=False, **arguments)


@pytest.mark.parametrize("accounting", ["published", "partial-states"])
@pytest.mark.parametrize("method", ["linear-program", "analytic"])
def test_the_ledger_spends_the_budget_and_no_more(accounting: str, method: str) -> None:
    result = decoy_bb84.secret_length(
        STANDARD, leakage_bits=939_778, epsilon=1e-10, accounting=accounting, method=method
    )
    assert result.epsilon.secrecy == pytest.approx(Epsilon.split(1e-10).secrecy, rel=1e-12)
    weights = {term.name: term.weight for term in result.epsilon.terms}
    assert weights["eps_AT"] == 2
    assert weights["eps_PA"] == 1
    if accounting == "partial-states":
        assert weights["eps_decoy"] == (18 if method == "linear-program" else 12)


def test_what_is_tighter_is_longer() -> None:
    def bits(**options: str) -> int:
        return decoy_bb84.secret_length(STANDARD, leakage_bits=939_778, epsilon=1e-10, **options).bits

    default = bits()
    assert default >= bits(method="analytic")
    assert default > bits(intervals="kullback-leibler") > bits(intervals="hoeffding")
    assert default > bits(concentration="serfling")
    assert bits(accounting="partial-states") > default
    assert default > bits(bound="wiesemann-2026")


def test_announcing_the_errors_of_the_key_is_charged_one_way() -> None:
    link = DecoyLink(intensities=(0.5, 0.12), probabilities=(0.7, 0.3), transmittance=0.05)
    tally = link.expected_tally(1e9)
    leakage = int(1.1 * tally.key_bits * binary_entropy(0.012))
    two_way, one_way = (
        decoy_bb84.secret_length(tally, leakage_bits=leakage, epsilon=1e-10, two_way=two_way)
        for two_way in (True, False)
    )
    assert two_way.bits - one_way.bits in (sum(c.bit_length() for c in tally.key_counts) + i for i in (-1, 0, 1))
    without = dataclasses.replace(tally, key_errors=None)
    assert decoy_bb84.secret_length(without, leakage_bits=leakage, epsilon=1e-10).bits < two_way.bits


@st.composite
def links(draw: st.DrawFn) -> DecoyLink:
    count = draw(st.sampled_from([2, 3]))
    return DecoyLink(
        intensities={2: (0.5, 0.12), 3: (0.5, 0.15, draw(st.sampled_from([0.0, 2e-4, 1e-2])))}[count],
        probabilities={2: (0.6, 0.4), 3: (0.5, 0.3, 0.2)}[count],
        transmittance=10.0 ** draw(st.floats(-4, -0.5)),
        dark=10.0 ** draw(st.floats(-8, -5)),
        misalignment=draw(st.floats(0.0, 0.2)),
    )


METHODS = st.sampled_from(["linear-program", "analytic"])
SIZES = st.floats(5, 13).map(lambda power: 10.0**power)
EPSILONS = st.floats(-28, -2).map(lambda power: 10.0**power)


def _leakage(tally: DecoyTally, factor: float) -> int:
    errors = sum(tally.key_errors or (0,))
    return math.ceil(factor * tally.key_bits * binary_entropy(min(0.5, errors / max(1, tally.key_bits))))


def _never_above_the_truth(link: DecoyLink, pulses: float, epsilon: float, method: str) -> None:
    """Below the point estimate of the same counts, and below what the single photons really held."""
    tally, truth = link.expected_tally(pulses), link.expected(pulses)
    leakage = _leakage(tally, 1.0)
    result = decoy_bb84.secret_length(tally, leakage_bits=leakage, epsilon=epsilon, method=method)
    single, wrong = truth["test"][:, 1].sum(), truth["test_errors"][:, 1].sum()
    held = truth["key"][:, 1].sum() * (1 - binary_entropy(min(0.5, wrong / single))) - leakage
    assert result.bits <= max(0.0, held + 1)
    assert result.bits <= result.asymptotic_bits
    assert (result.bits == 0) == bool(result.reason)


@settings(max_examples=120, deadline=None)
@given(links(), SIZES, EPSILONS, METHODS)
def test_never_above_the_truth_without_statistics(link: DecoyLink, pulses: float, epsilon: float, method: str) -> None:
    _never_above_the_truth(link, pulses, epsilon, method)


@pytest.mark.slow
@settings(max_examples=4000, deadline=None)
@given(links(), SIZES, EPSILONS, METHODS)
def test_never_above_the_truth_in_thousands_of_cases(
    link: DecoyLink, pulses: float, epsilon: float, method: str
) -> None:
    _never_above_the_truth(link, pulses, epsilon, method)


def _monotone(link: DecoyLink, pulses: float, epsilon: float, method: str) -> None:
    def bits(of: DecoyLink = link, size: float = pulses, total: float = epsilon, leaked: int = 0) -> int:
        tally = of.expected_tally(size)
        return decoy_bb84.secret_length(
            tally, leakage_bits=_leakage(tally, 1.1) + leaked, epsilon=total, method=method
        ).bits

    here = bits()
    assert bits(leaked=100) <= here
    assert bits(total=epsilon / 10) <= here
    assert bits(size=pulses * 4) >= here
    worse = dataclasses.replace(link, misalignment=link.misalignment + 0.02)
    assert bits(of=worse) <= here
    lossier = dataclasses.replace(link, transmittance=link.transmittance / 2)
    assert bits(of=lossier) <= here


@settings(max_examples=40, deadline=None)
@given(links(), SIZES, EPSILONS, METHODS)
def test_monotone_in_all_that_is_bad(link: DecoyLink, pulses: float, epsilon: float, method: str) -> None:
    _monotone(link, pulses, epsilon, method)


@pytest.mark.slow
@settings(max_examples=2000, deadline=None)
@given(links(), SIZES, EPSILONS, METHODS)
def test_monotone_in_thousands_of_cases(link: DecoyLink, pulses: float, epsilon: float, method: str) -> None:
    _monotone(link, pulses, epsilon, method)


@settings(max_examples=60, deadline=None)
@given(links(), SIZES, EPSILONS, st.sampled_from(["variable-length", "wiesemann-2026"]))
def test_no_key_above_the_threshold(link: DecoyLink, pulses: float, epsilon: float, bound: str) -> None:
    noisy = dataclasses.replace(link, misalignment=max(0.1101, link.misalignment))
    tally = noisy.expected_tally(pulses)
    result = decoy_bb84.secret_length(tally, leakage_bits=_leakage(tally, 1.0), epsilon=epsilon, bound=bound)
    assert result.bits == 0
    assert result.reason


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(0, 10**6), min_size=3, max_size=3),
    st.lists(st.integers(0, 10**5), min_size=3, max_size=3),
    st.data(),
)
def test_counts_from_nowhere_never_break_it(key: list[int], test: list[int], data: st.DataObject) -> None:
    errors = tuple(data.draw(st.integers(0, count)) for count in test)
    tally = DecoyTally(
        intensities=(0.5, 0.15, 1e-3),
        probabilities=(0.4, 0.4, 0.2),
        key_counts=tuple(key),
        test_counts=tuple(test),
        test_errors=errors,
    )
    result = decoy_bb84.secret_length(tally, leakage_bits=0, epsilon=1e-10, method=data.draw(METHODS))
    assert 0 <= result.bits <= tally.key_bits
    assert (result.bits == 0) == bool(result.reason)


@settings(max_examples=30, deadline=None)
@given(links(), SIZES)
def test_equal_under_a_scale_of_probabilities_that_is_only_rounding(link: DecoyLink, pulses: float) -> None:
    """Counts decide; the last digit of a probability does not."""
    assume(len(link.intensities) == 3)
    tally = link.expected_tally(pulses)
    nudged = dataclasses.replace(tally, probabilities=tuple(math.nextafter(p, 1.0) for p in tally.probabilities))
    leakage = _leakage(tally, 1.1)
    here, there = (decoy_bb84.secret_length(t, leakage_bits=leakage, epsilon=1e-10) for t in (tally, nudged))
    assert abs(here.bits - there.bits) <= 1e-7 * tally.key_bits + 8


def test_an_unused_label_changes_little() -> None:
    """Four intensities, of which one hardly occurs, go through the program like three."""
    three = DecoyLink(intensities=(0.5, 0.15, 1e-3), probabilities=(0.5, 0.3, 0.2), transmittance=0.02)
    four = DecoyLink(intensities=(0.5, 0.3, 0.15, 1e-3), probabilities=(0.5, 1e-4, 0.3 - 1e-4, 0.2), transmittance=0.02)
    lengths = []
    for link in (three, four):
        tally = link.expected_tally(1e10)
        lengths.append(decoy_bb84.secret_length(tally, leakage_bits=_leakage(tally, 1.1), epsilon=1e-10).bits)
    assert lengths[1] == pytest.approx(lengths[0], rel=0.01)


def test_the_result_says_everything() -> None:
    result = decoy_bb84.secret_length(STANDARD, leakage_bits=939_778, epsilon=1e-10)
    text = str(result)
    for piece in ("linear-program", "clopper-pearson", "hypergeometric", "18 decoy events", *result.assumptions):
        assert piece in text
    assert json.loads(json.dumps(result.to_dict()))["form"] == "variable-length"
    assert result.rigorous


def test_a_planned_length_is_that_or_nothing() -> None:
    result = decoy_bb84.secret_length(STANDARD, leakage_bits=939_778, epsilon=1e-10)
    fixed = at_fixed_length(result, 5_000_000)
    assert (fixed.bits, fixed.form, fixed.reason) == (5_000_000, "fixed-length", "")
    refused = at_fixed_length(result, result.bits + 1)
    assert refused.bits == 0
    assert "planned" in refused.reason
    with pytest.raises(ConfigurationError):
        at_fixed_length(fixed, 10)
    with pytest.raises(ConfigurationError):
        at_fixed_length(result, -1)


@pytest.mark.parametrize("option", ["method", "intervals", "concentration", "accounting", "bound"])
def test_unknown_names_are_refused(option: str) -> None:
    for name in ("guess", None, np.array(["published"]), np.array(["a", "b"]), ["analytic"]):
        with pytest.raises(ConfigurationError, match=f"^{option} must be one of"):
            decoy_bb84.secret_length(STANDARD, leakage_bits=0, epsilon=1e-10, **{option: name})


@pytest.mark.parametrize("tally", [STANDARD, ONE_DECOY], ids=["two decoys", "one decoy"])
@pytest.mark.parametrize(
    ("options", "most"),
    [
        ({}, 50.0),
        ({"method": "analytic"}, 2.0),
        ({"method": "analytic", "intervals": "hoeffding"}, 2.0),
        ({"bound": "wiesemann-2026"}, 1.0),
    ],
)
def test_time(tally: DecoyTally, options: dict[str, str], most: float) -> None:
    def length() -> object:
        return decoy_bb84.secret_length(tally, leakage_bits=939_778, epsilon=1e-10, **options)

    # The best of five: a machine that is busy with something else for a moment makes one of them twice as long.
    assert min(in_yardsticks(length) for _ in range(5)) < most
