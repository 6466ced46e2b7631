"""Simulated eavesdroppers: a length never exceeds what their Holevo information leaves.

With nothing disclosed, of m outcomes with one bit each an eavesdropper leaves at most m (1 - chi / q) bits, chi of a
symbol and q outcomes of it; of outcomes that were sliced the entropy of their labels given their places stands for
one bit each. Any length of a bound with less leakage than there was is below that, but with the bound's own epsilon,
1e-10.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from qkdpost import simulation
from qkdpost.errors import InputError
from qkdpost.reconciliation.slices.plan import plan_slices
from qkdpost.records import CoherentStates, QuadratureOutcomes
from qkdpost.security.disclosed import Disclosed
from qkdpost.security.epsilon import Epsilon
from qkdpost.security.gaussian.secret_length import apply_bound
from qkdpost.security.gaussian.settings import GaussianBoundSettings
from qkdpost.security.gaussian.slices.bound import SlicedTally
from qkdpost.security.gaussian.slices.bound import apply_bound as apply_bound_of_slices
from qkdpost.security.gaussian.tally import GaussianTally
from qkdpost.security.result import SecretLength
from qkdpost.simulation import CoherentImperfections
from qkdpost.statistics.gaussian.moments import Whitening
from qkdpost.statistics.gaussian.wrapped import cell_entropy
from support.continuous import tally_of
from support.eavesdropper import holevo_information, shannon_information

SYMBOLS = 1_200_000
EPSILON = Epsilon.split(1e-10)
LINE: dict[str, Any] = {
    "modulation_variance": 4.0,
    "transmittance": 0.3,
    "excess_noise": 0.02,
    "efficiency": 0.6,
    "electronic_noise": 0.1,
}


def records(seed: int, imperfections: CoherentImperfections | None = None, **change: Any) -> Any:
    flaws = {} if imperfections is None else {"imperfections": imperfections}
    return simulation.gaussian_cv(symbols=SYMBOLS, rng=seed, **(LINE | change), **flaws)


def bound_settings(**change: Any) -> GaussianBoundSettings:
    stated: dict[str, Any] = {
        "modulation_variance": 4.0,
        "modulation_tolerance": 0.0,
        "efficiency": 0.6,
        "efficiency_tolerance": 0.0,
        "detection": "heterodyne",
        "receiver": "trusted",
        "attacks": "gaussian-collective",
    }
    return GaussianBoundSettings(**(stated | change))


@pytest.fixture(params=["rotations", "slices"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How outcomes are corrected, for `length` and `left_to_the_hosts`."""
    monkeypatch.setitem(WAY, "way", request.param)
    return str(request.param)


WAY = {"way": "rotations"}


CELLS = plan_slices(outcome_variance=1.0, noise_variance=0.75)
"""About those that a session would choose on this line."""


def sliced(tally: GaussianTally) -> SlicedTally:
    """Return what the bound of slices counts of the same block."""
    alone = replace(tally, dimension=tally.outcomes_per_symbol)
    return SlicedTally(sums=alone, width=CELLS.width, levels=CELLS.levels)


def length(tally: GaussianTally, leakage_bits: int = 0, **change: Any) -> SecretLength:
    disclosed = Disclosed(leakage_bits=leakage_bits, verification_bits=None, two_way=False)
    settings = bound_settings(detection=tally.detection, **change)
    if WAY["way"] == "rotations":
        return apply_bound(tally, disclosed, EPSILON, settings)
    return apply_bound_of_slices(sliced(tally), disclosed, EPSILON, settings)


def bits_of_outcomes(tally: GaussianTally) -> float:
    """Return m, or the entropy of m labels given their places for variances 6 standard errors above those seen.

    That true variances are larger has a probability of 1e-9.
    """
    if WAY["way"] == "rotations":
        return float(tally.key_reals)
    sums = tally.moments
    return math.fsum(
        count * cell_entropy(squares / count * (1.0 + 6.0 * math.sqrt(2.0 / count)), CELLS.width, CELLS.labels)
        for count, squares in zip(sums.counts, sums.measured_squares, strict=False)
    )


def left_to_the_hosts(tally: GaussianTally, **change: Any) -> float:
    """Return m (1 - chi / q), or what the entropy of labels leaves."""
    chi = holevo_information(**(LINE | change), detection=tally.detection)
    return bits_of_outcomes(tally) - tally.key_reals * chi / tally.outcomes_per_symbol


@pytest.mark.parametrize("detection", ["heterodyne", "homodyne"])
@pytest.mark.parametrize("attacks", ["gaussian-collective", "phase-insensitive-gaussian-collective"])
def test_an_entangling_cloner(detection: str, attacks: str) -> None:
    tally = tally_of(*records(1, detection=detection))
    found, most = length(tally, attacks=attacks), left_to_the_hosts(tally)
    assert 0.75 * most < found.bits <= most
    untrusted = length(tally, attacks=attacks, receiver="untrusted")
    assert untrusted.bits < found.bits


@pytest.mark.parametrize("excess_noise", [0.1, 0.5])
@pytest.mark.parametrize("detection", ["heterodyne", "homodyne"])
def test_thermal_light_is_injected(excess_noise: float, detection: str) -> None:
    tally = tally_of(*records(2, excess_noise=excess_noise, detection=detection))
    assert length(tally).bits <= left_to_the_hosts(tally, excess_noise=excess_noise)


@pytest.mark.parametrize("detection", ["heterodyne", "homodyne"])
def test_all_is_measured_and_sent_again(detection: str) -> None:
    """An entangling cloner that reflects all, or measuring and preparing again: two units of noise, and no key."""
    tally = tally_of(*records(3, excess_noise=2.0, detection=detection))
    assert length(tally).bits <= left_to_the_hosts(tally, excess_noise=2.0)
    information = shannon_information(**(LINE | {"excess_noise": 2.0}), detection=detection)
    reals = 2.0 if detection == "heterodyne" else 1.0
    correction = math.floor(bits_of_outcomes(tally) - tally.key_reals * information / reals)
    assert length(tally, leakage_bits=correction).bits == 0


@pytest.mark.parametrize("excess_noise", [(0.12, -0.08), (0.5, -0.3), (-0.2, 0.3), (3.0, -0.7)])
@pytest.mark.parametrize("detection", ["heterodyne", "homodyne"])
def test_squeezed_light_is_injected(excess_noise: tuple[float, float], detection: str) -> None:
    tally = tally_of(*records(4, excess_noise=excess_noise, detection=detection))
    assert length(tally).bits <= left_to_the_hosts(tally, excess_noise=excess_noise)


@pytest.mark.parametrize("detection", ["heterodyne", "homodyne"])
def test_devices_off_by_their_tolerance(detection: str) -> None:
    for name, allowed, stated, tolerance in (
        ("efficiency", "efficiency_tolerance", 0.6, 0.05),
        ("modulation_variance", "modulation_tolerance", 4.0, 0.03),
    ):
        true = stated * (1.0 + tolerance)
        alice, bob = records(5, detection=detection, **{name: true})
        tally = tally_of(alice, bob)
        within = length(tally, **{allowed: tolerance})
        assert within.bits <= left_to_the_hosts(tally, **{name: true})
        # Symbols show a wrong variance, and give no key; an efficiency that nobody allows for is taken on trust.
        without = length(tally).bits
        assert without == 0 if name == "modulation_variance" else within.bits < without
        record: CoherentStates | QuadratureOutcomes = alice if name == "modulation_variance" else bob
        record.check_for(bound_settings(detection=detection, **{allowed: tolerance}))
        with pytest.raises(InputError, match="tolerance"):
            record.check_for(bound_settings(detection=detection, **{allowed: tolerance / 2.0}))


def test_a_calibration_too_loud_by_less_than_its_statistics_concede() -> None:
    """By 0.4 % in variance, where a million outcomes leave 0.9 % open at these probabilities."""
    flaws = CoherentImperfections(calibration_gain=math.sqrt(1.004))
    tally = tally_of(*records(6, flaws, excess_noise=0.05))
    assert 0 < length(tally).bits <= left_to_the_hosts(tally, excess_noise=0.05)


def test_a_calibration_louder_than_the_outcomes_is_refused() -> None:
    """A local oscillator that is brighter while it is calibrated hides excess noise; at long distance that shows."""
    with pytest.raises(InputError, match="below that of electronic_shot"):
        records(6, CoherentImperfections(calibration_gain=1.05), transmittance=0.02)


def test_a_calibration_slightly_too_loud_contradicts_the_outcomes() -> None:
    """Where outcomes have less noise than shot noise, there is no key, whatever the calibration seems to say."""
    tally = tally_of(*records(7, CoherentImperfections(calibration_gain=1.05), excess_noise=0.0))
    assert length(tally).bits == 0


@pytest.mark.parametrize("offset", [0.05, 0.2])
def test_an_offset_is_taken_off_or_charged(offset: float, way: str) -> None:
    """Norms and rotations of outcomes off centre by mu tell mu^2 / (2 ln 2) bit of each; slices tell nothing more."""
    alice, bob = records(8, CoherentImperfections(offset=(offset, -offset)))
    centred = tally_of(alice, bob)
    assert 0.75 * left_to_the_hosts(centred) < length(centred).bits <= left_to_the_hosts(centred)
    matrix = centred.whitening.matrix
    left = tally_of(alice, bob, whitening=Whitening(centre=(0.0, 0.0), matrix=matrix))
    told = left.key_reals * 0.7213 * (100.0 * offset * matrix[0]) ** 2
    assert length(left).bits <= left_to_the_hosts(centred) - (told if way == "rotations" else 0.0)


@pytest.mark.parametrize("imbalance", [0.02, 0.1])
def test_unequal_gains_are_taken_off_or_charged(imbalance: float, way: str) -> None:
    """Directions of outcomes with variances 1 + d and 1 - d tell 0.361 d^2 bit of each real, with their norms known."""
    alice, bob = records(9, CoherentImperfections(imbalance=imbalance))
    white = tally_of(alice, bob)
    assert 0.75 * left_to_the_hosts(white) < length(white).bits <= left_to_the_hosts(white)
    one = math.sqrt(abs(white.whitening.determinant))
    left = tally_of(alice, bob, whitening=replace(white.whitening, matrix=(one, 0.0, 0.0, one)))
    told = left.key_reals * 0.361 * imbalance**2 if way == "rotations" else 0.0
    assert length(left).bits <= left_to_the_hosts(left) - told


def test_integers_with_dither_keep_what_is_left() -> None:
    """A coarse converter's rounding and the dither are noise of the receiver, in the calibration as in use."""
    alice, bob = records(10, CoherentImperfections(adc_bits=8), counts_per_shot_noise=8.0)
    tally = tally_of(alice, bob)
    found = length(tally)
    most = left_to_the_hosts(tally, electronic_noise=0.1 + (1.0 + 1.0 / 12.0) / 64.0)
    assert 0.75 * most < found.bits <= most


def test_outcomes_that_hang_together_lose_key() -> None:
    """A receiver with memory: neighbours of correlation r tell r^2 / (2 ln 2) bit of each, and are charged."""
    memory = 0.05
    plain = length(tally_of(*records(11)))
    tally = tally_of(*records(11, CoherentImperfections(intersymbol=memory)))
    correlation = memory / (1.0 + memory * memory)
    assert length(tally).bits <= plain.bits - tally.key_reals * 0.72 * correlation**2 * 0.9


def test_drift_and_phase_noise_are_noise() -> None:
    for flaws, change in (
        (CoherentImperfections(transmittance_drift=0.2), {}),
        (CoherentImperfections(phase_correlation=0.99, rotation_rad=0.2), {"phase_variance": 0.01}),
    ):
        tally = tally_of(*records(12, flaws, **change))
        clean = tally_of(*records(12))
        assert length(tally).bits - bits_of_outcomes(tally) < length(clean).bits - bits_of_outcomes(clean)
