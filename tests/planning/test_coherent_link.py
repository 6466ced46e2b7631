"""A link of coherent states to be planned: it expects what a simulation counts, and its choices are good ones."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from qkdpost import planning, simulation
from qkdpost.errors import ConfigurationError, InputError
from qkdpost.planning import GaussianLink
from qkdpost.reconciliation.slices.codes import level_codes
from qkdpost.security.epsilon import Epsilon
from qkdpost.simulation import Fibre
from support.continuous import tally_of
from support.eavesdropper import holevo_information, shannon_information

LINK = GaussianLink(fibre=Fibre(length_km=25.0), excess_noise=0.02, reconciliation_efficiency=0.95)
DISCLOSED = 20_000
SYMBOLS = 1_000_000
DEVIATIONS = 6.5
"""A normal number is farther out with probability 1e-10."""


@pytest.mark.parametrize("detection", ["heterodyne", "homodyne"])
@pytest.mark.parametrize("phase_variance", [0.0, 0.01])
def test_expected_sums_are_those_of_a_simulation(detection: str, phase_variance: float) -> None:
    link = replace(LINK, detection=detection, phase_variance=phase_variance, disclosed_symbols=DISCLOSED)
    found = tally_of(
        *simulation.gaussian_cv(
            symbols=SYMBOLS,
            rng=1,
            fibre_km=25.0,
            excess_noise=0.02,
            detection=detection,  # type: ignore[arg-type]
            phase_variance=phase_variance,
        ),
        disclosed=DISCLOSED,
    )
    expected = link.expected_tally(SYMBOLS)
    assert abs(found.key_reals - expected.key_reals) <= DEVIATIONS * math.sqrt(SYMBOLS)
    pairs = []
    for tally in (found, expected):
        moments, gain = tally.moments, tally.whitening.matrix[0] * (100.0 if tally is found else 1.0)
        t = moments.products[0] / moments.sent_squares[0] / gain
        squares = moments.measured_squares[0] / moments.counts[0] / gain**2
        variance = squares - t * t * moments.sent_squares[0] / moments.counts[0]
        scale = 1e4 if tally is found else 1.0
        shot = tally.shot_electronic.measured_squares[0] / tally.shot_electronic.counts[0] / scale
        assert tally.electronic is not None
        electronic = tally.electronic.measured_squares[0] / tally.electronic.counts[0] / scale
        pairs.append((t, variance, shot, electronic))
    count = expected.moments.counts[0]
    (t, variance, shot, electronic), (mean_t, mean_variance, mean_shot, mean_electronic) = pairs
    assert abs(t - mean_t) <= 1.2 * DEVIATIONS * math.sqrt(mean_variance / (4.0 * count))
    for one, mean in ((variance, mean_variance), (shot, mean_shot), (electronic, mean_electronic)):
        assert abs(one / mean - 1.0) <= 1.2 * DEVIATIONS * math.sqrt(2.0 / min(count, SYMBOLS // 2))


@pytest.mark.parametrize("detection", ["heterodyne", "homodyne"])
@pytest.mark.parametrize(("correction", "variance"), [("multidimensional", 1.5), ("slices", 1.5), ("slices", 12.0)])
def test_endless_blocks_give_what_the_eavesdropper_leaves(detection: str, correction: str, variance: float) -> None:
    link = replace(LINK, detection=detection, modulation_variance=variance, correction=correction)
    devices = {
        "modulation_variance": variance,
        "transmittance": link.fibre.transmittance,
        "excess_noise": 0.02,
        "efficiency": 0.6,
        "electronic_noise": 0.1,
        "detection": detection,
    }
    reals = 2 if detection == "heterodyne" else 1
    information = shannon_information(**devices)  # type: ignore[arg-type]
    assert math.log2(1.0 + link.signal_to_noise_ratio) * reals / 2.0 == pytest.approx(information)
    left = reals * link.code_rate - holevo_information(**devices)  # type: ignore[arg-type]
    found = planning.expected_length(link, pulses=2**40)
    assert found.bits / 2**40 <= left
    assert found.bits / 2**40 == pytest.approx(left, abs=1e-3)


def test_length_falls_with_distance_and_noise() -> None:
    for changes in (
        [{"fibre": Fibre(length_km=km)} for km in (25.0, 35.0, 45.0)],
        [{"excess_noise": noise} for noise in (0.0, 0.01, 0.03)],
        [{"phase_variance": variance} for variance in (0.0, 0.002, 0.005)],
        [{"efficiency_tolerance": tolerance} for tolerance in (0.0, 0.02, 0.1)],
        [{"modulation_tolerance": tolerance} for tolerance in (0.0, 0.02, 0.1)],
        [{"reconciliation_efficiency": share} for share in (0.99, 0.95, 0.9)],
        [{"calibration_symbols": count} for count in (None, 10**8, 10**7)],
        [{"receiver": receiver} for receiver in ("trusted", "untrusted")],
        [{"attacks": attacks} for attacks in ("phase-insensitive-gaussian-collective", "gaussian-collective")],
    ):
        lengths = [planning.expected_length(replace(LINK, **change), pulses=10**9).bits for change in changes]  # type: ignore[arg-type]
        assert lengths == sorted(lengths, reverse=True)
        assert lengths[0] > lengths[-1]


def test_the_best_modulation_is_found() -> None:
    plan = planning.optimise(replace(LINK, modulation_variance=20.0), pulses=10**9)
    best = plan.link
    assert isinstance(best, GaussianLink)
    for factor in (0.8, 1.25):
        other = replace(best, modulation_variance=factor * best.modulation_variance)
        assert planning.expected_length(other, pulses=10**9).bits < plan.result.bits
    noisy = planning.optimise(replace(LINK, phase_variance=0.01), pulses=10**9).link
    assert isinstance(noisy, GaussianLink)
    assert noisy.modulation_variance < best.modulation_variance


def test_the_code_of_a_session_is_what_is_planned_with() -> None:
    for ratio, least in ((1.0, 0.28), (0.3, 0.16), (0.1, 0.06), (0.02, 0.0)):
        link = replace(LINK, reconciliation_efficiency=None)
        link = replace(link, modulation_variance=ratio * 1.104 / link.gain**2)
        shannon = 0.5 * math.log2(1.0 + link.signal_to_noise_ratio)
        assert least <= link.code_rate < 0.97 * shannon
    best = planning.optimise(replace(LINK, reconciliation_efficiency=None), pulses=10**9)
    assert (
        0 < best.result.bits < planning.optimise(replace(LINK, reconciliation_efficiency=1.0), pulses=10**9).result.bits
    )


def test_slices_are_for_short_links() -> None:
    for km, better in ((1.0, "slices"), (25.0, "multidimensional")):
        short = replace(LINK, fibre=Fibre(length_km=km), reconciliation_efficiency=None)
        found = {
            correction: planning.optimise(replace(short, correction=correction), pulses=10**9, max_evaluations=25)
            for correction in ("multidimensional", "slices")
        }
        assert max(found, key=lambda name: found[name].result.bits) == better
    strong = replace(short, correction="slices", modulation_variance=1000.0, fibre=Fibre(length_km=0.0), efficiency=1.0)
    assert planning.expected_length(replace(strong, detection="homodyne"), pulses=10**9).bits == 0


def test_what_slices_are_planned_to_disclose_is_what_a_session_does() -> None:
    link = GaussianLink(fibre=Fibre(length_km=1.0), modulation_variance=12.0, correction="slices")
    for reals in (2**18, 16 * 2**18):
        frames = reals >> 18
        told = link.expected_disclosure(reals, Epsilon.split(1e-10))
        syndromes = sum(level_codes(2**18).syndrome_bits)
        assert told.verification_bits is not None
        said = told.leakage_bits - told.verification_bits
        assert frames * syndromes < said < frames * (syndromes + 64) + 2**12
        assert link.code_rate < 0.5 * math.log2(1.0 + link.signal_to_noise_ratio)


@pytest.mark.slow
def test_the_first_key_of_a_link() -> None:
    plan = planning.time_to_collect(LINK, secret_bits=1, max_evaluations=15)
    assert 1e6 < plan.pulses < 1e8
    assert not planning.optimise(LINK, pulses=plan.pulses // 2, max_evaluations=15).result.bits
    with pytest.raises(ConfigurationError, match="max_pulses"):
        planning.time_to_collect(
            replace(LINK, fibre=Fibre(length_km=300.0)), secret_bits=1, max_pulses=10**9, max_evaluations=5
        )


def test_a_curve_ends_where_no_code_has_a_rate() -> None:
    curve = planning.rate_curve(LINK, distances_km=[0.0, 20.0, 40.0, 200.0], pulses=10**10, max_evaluations=15)
    rates = [plan.bits_per_pulse for plan in curve]
    assert rates == sorted(rates, reverse=True)
    assert rates[2] > 0.0
    assert rates[3] == 0.0
    for plan in curve:
        assert isinstance(plan.link, GaussianLink)
        assert plan.link.code_rate == 0.0 or 0.0099 <= plan.link.code_rate <= 0.29


@pytest.mark.parametrize(
    "change",
    [
        {"modulation_variance": 0.0},
        {"excess_noise": -0.01},
        {"phase_variance": math.nan},
        {"fibre": 25},
        {"efficiency": 1.1},
        {"electronic_noise": -1.0},
        {"detection": "both"},
        {"receiver": "half"},
        {"attacks": "coherent"},
        {"modulation_tolerance": 0.6},
        {"correction": "cascade"},
        {"dimension": 3},
        {"dimension": 1},
        {"reconciliation_efficiency": 0.0},
        {"calibration_symbols": 10},
        {"disclosed_symbols": -1},
        {"pulse_rate_hz": 0.0},
    ],
)
def test_devices_have_limits(change: dict[str, object]) -> None:
    with pytest.raises(InputError):
        GaussianLink(**change)  # type: ignore[arg-type]


def test_what_is_not_for_this_kind_is_refused() -> None:
    with pytest.raises(InputError, match="reconciliation_efficiency"):
        planning.expected_length(LINK, pulses=10**9, efficiency=1.1)
    with pytest.raises(ConfigurationError, match="no options"):
        planning.expected_length(LINK, pulses=10**9, method="analytic")
    with pytest.raises(InputError, match="pulses"):
        planning.expected_length(LINK, pulses=2**41)
    with pytest.raises(InputError, match="pulses"):
        planning.optimise(LINK, pulses=2**41)
