"""Counts of simulated links against what the model's probabilities say; every bound is 5 standard deviations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom, chi2

import qkdpost as qp
from qkdpost import simulation
from qkdpost.config import LinkConfig
from qkdpost.errors import ConfigurationError, InputError
from qkdpost.sifting.slots.coincident import match_detections
from qkdpost.sifting.slots.prepared import match_prepared, sift_detections, sift_prepared
from qkdpost.simulation.draws import biased_bits, live_after_dead_time, rare_slots, uniform_bits

ALPHA = 1e-6
NOISY = simulation.GatedDetectors(dark_count_probability=0.05)


def assert_binomial(count: int, trials: int, probability: float) -> None:
    low, high = binom.ppf([ALPHA, 1 - ALPHA], trials, probability)
    assert low <= count <= high, (count, trials * probability)


@pytest.mark.parametrize("probability", [1e-5, 0.003, 0.2, 0.97, 1.0])
def test_rare_slots_are_independent_draws(probability: float) -> None:
    rng = np.random.default_rng(1)
    slots = 300_000
    picked = rare_slots(rng, slots, probability)
    assert np.all(np.diff(picked) > 0)
    assert picked.size == 0 or 0 <= picked[0] <= picked[-1] < slots
    assert_binomial(picked.size, slots, probability)
    quarters = np.bincount(picked * 4 // slots, minlength=4)
    for quarter in quarters.tolist():
        assert_binomial(quarter, slots // 4, probability)
    adjacent = int((np.diff(picked) == 1).sum())
    assert_binomial(adjacent, slots - 1, probability**2) if probability != 1 else None


def test_rare_slots_at_the_ends() -> None:
    rng = np.random.default_rng(2)
    assert rare_slots(rng, 10, 0.0).size == 0
    assert rare_slots(rng, 0, 0.5).size == 0
    assert rare_slots(rng, 5, 1.0).tolist() == [0, 1, 2, 3, 4]
    assert rare_slots(rng, 10, 1e-18).size == 0


@pytest.mark.parametrize("probability", [0.0, 2**-24, 0.1, 0.5, 0.75, 0.9, 1.0])
def test_biased_bits_have_their_bias_at_every_place(probability: float) -> None:
    bits = biased_bits(np.random.default_rng(3), 640_037, probability)
    assert len(bits) == 640_037
    assert_binomial(bits.weight(), len(bits), probability)
    if 0.01 < probability < 0.99:
        columns = np.asarray(bits)[:640_000].reshape(-1, 64).sum(axis=0)
        spread = 10_000 * probability * (1 - probability)
        statistic = float((((columns - 10_000 * probability) ** 2) / spread).sum())
        assert chi2.ppf(ALPHA, 64) < statistic < chi2.ppf(1 - ALPHA, 64)


def test_uniform_bits_are_half_ones() -> None:
    bits = uniform_bits(np.random.default_rng(4), 100_003)
    assert_binomial(bits.weight(), 100_003, 0.5)


def test_dead_time_counts_from_the_last_seen() -> None:
    times = np.array([0, 1, 2, 3, 4, 9, 10])
    assert live_after_dead_time(times, 2).tolist() == [True, False, False, True, False, True, False]
    assert live_after_dead_time(times, 0).all()


@pytest.mark.parametrize("dark", [0.0, 0.002])
@pytest.mark.parametrize("test_probability", [0.1, 0.5])
def test_bb84_detects_and_errs_as_expected(dark: float, test_probability: float) -> None:
    source = simulation.SinglePhotonSource(efficiency=0.6, misalignment=0.02)
    detectors = simulation.GatedDetectors(efficiency=0.3, dark_count_probability=dark)
    fibre = simulation.Fibre(length_km=25.0, excess_loss_db=1.0)
    pulses = 3_000_000
    prepared, detections = simulation.bb84(
        pulses=pulses,
        fibre=fibre,
        source=source,
        detectors=detectors,
        test_probability=test_probability,
        rng=np.random.default_rng(7),
    )
    seen = 0.6 * 10 ** (-(25 * 0.2 + 1) / 10) * 0.3
    click = 1 - (1 - seen) * (1 - dark) ** 2
    assert detections.pulses == prepared.pulses == pulses
    assert_binomial(detections.slots.size, pulses, click)
    assert_binomial(prepared.bases.weight(), pulses, test_probability)
    assert_binomial(detections.bases.weight(), detections.slots.size, test_probability)
    double = seen * dark + (1 - seen) * dark**2
    assert_binomial(detections.double_clicks, pulses, double)

    matched = match_prepared(prepared, detections.slots, detections.bases)
    sent = sift_prepared(prepared, detections.slots, matched)
    received = sift_detections(detections, matched)
    single_wrong = seen * 0.02 * (1 - dark) + (1 - seen) * dark * (1 - dark)
    error = (single_wrong + double / 2) / click
    for basis in range(2):
        share = (1 - test_probability, test_probability)[basis] ** 2
        assert_binomial(len(sent[basis]), detections.slots.size, share)
        assert_binomial((sent[basis] ^ received[basis]).weight(), len(sent[basis]), error)
    mismatched = ~matched
    bits = prepared.bits.take(detections.slots).select(mismatched)
    assert_binomial((bits ^ detections.bits.select(mismatched)).weight(), len(bits), 0.5)


def test_bb84_dead_time_thins_detections() -> None:
    detectors = simulation.GatedDetectors(efficiency=0.5, dark_count_probability=0.0, dead_time_slots=20)
    source = simulation.SinglePhotonSource(efficiency=1.0)
    _, detections = simulation.bb84(pulses=2_000_000, detectors=detectors, source=source, rng=np.random.default_rng(8))
    assert np.diff(detections.slots).min() > 20
    # One detection takes a geometric wait of mean 1 / 0.5 and 20 blind slots; its variance is 2.
    mean = 2_000_000 / 22
    assert detections.slots.size == pytest.approx(mean, abs=5 * (2 * mean) ** 0.5 / 22 + 2)


@pytest.mark.parametrize(
    "simulate",
    [
        lambda: simulation.bb84(pulses=100_000, detectors=NOISY, rng=3),
        lambda: simulation.decoy_bb84(pulses=100_000, detectors=NOISY, rng=3),
        lambda: simulation.single_photon_bb84(pulses=100_000, detectors=NOISY, rng=3),
        lambda: simulation.bbm92(slots=100_000, alice_detectors=NOISY, bob_detectors=NOISY, rng=3),
    ],
)
def test_the_same_seed_gives_the_same_records(simulate: Callable[[], tuple[Any, Any]]) -> None:
    """The bits of double clicks among them."""
    records = simulate()
    assert records[1].double_clicks > 100
    assert records == simulate()


def test_bbm92_detects_and_errs_as_expected() -> None:
    slots, pairs = 2_000_000, 0.05
    alice_detectors = simulation.GatedDetectors(efficiency=0.4, dark_count_probability=1e-3)
    bob_detectors = simulation.GatedDetectors(efficiency=0.5, dark_count_probability=2e-3)
    alice, bob = simulation.bbm92(
        slots=slots,
        pairs_per_slot=pairs,
        fibre_km=10.0,
        alice_detectors=alice_detectors,
        bob_detectors=bob_detectors,
        misalignment=0.03,
        test_probability=0.25,
        rng=np.random.default_rng(11),
    )
    reach = (0.4, 0.5 * 10**-0.2)
    dark = (1e-3, 2e-3)
    quiet = [np.exp(-pairs * own) * (1 - own_dark) ** 2 for own, own_dark in zip(reach, dark, strict=True)]
    for record, silence in zip((alice, bob), quiet, strict=True):
        assert_binomial(record.slots.size, slots, 1 - silence)
        assert_binomial(record.bases.weight(), record.slots.size, 0.25)
    either = 1 - (1 - reach[0]) * (1 - reach[1])
    neither_clicks = np.exp(-pairs * either) * (1 - dark[0]) ** 2 * (1 - dark[1]) ** 2
    both = 1 - quiet[0] - quiet[1] + neither_clicks
    match = match_detections(alice, bob.slots, bob.bases)
    assert_binomial(match.rounds, slots, both)
    ours = sift_detections(alice, match.own_matched)
    theirs = sift_detections(bob, match.peer_matched)
    assert_binomial(len(ours[0]), match.rounds, 0.75**2)
    assert_binomial(len(ours[1]), match.rounds, 0.25**2)

    # By symmetry of outcomes: correlation of the two signs, over detectors that stay silent.
    def silent(which: tuple[bool, bool], photon: float) -> float:
        return float(np.exp(-pairs * photon)) * np.prod([(1 - dark[side]) for side in range(2) if which[side]])

    # P(bits differ) = 1/2 - E[sA sB] / 2; sA is the sign where one detector clicked, 0 where both did.
    # Inclusion and exclusion over silent detector a of Alice and b of Bob, a = b or not.
    same = (1 - 0.03) / 2
    other = 0.03 / 2
    joint = []
    for agree in (same, other):
        union = reach[0] / 2 + reach[1] / 2 - reach[0] * reach[1] * agree
        joint.append(silent((True, True), union))
    correlation = 2 * (joint[0] - joint[1])
    expected = (1 - correlation / both) / 2
    for basis in range(2):
        assert_binomial((ours[basis] ^ theirs[basis]).weight(), len(ours[basis]), expected)


def test_time_tags_have_their_rates() -> None:
    receiver = simulation.TaggingReceiver(
        transmittance=0.2, test_probability=0.3, dark_count_rate_hz=1e4, echo_probability=0.25
    )
    alice, bob = simulation.bbm92_time_tags(
        duration_s=0.5, pair_rate_hz=1e6, rng=np.random.default_rng(12), alice=receiver, bob=receiver, tick_ps=5.0
    )
    mean = 0.5 * (1e6 * 0.2 + 4e4) * 1.25
    for tags in (alice, bob):
        # An echo doubles a click: the variance is that of a compound Poisson process.
        assert tags.clicks == pytest.approx(mean, abs=5 * (mean * (1 + 0.25 / 1.25) * 1.25) ** 0.5)
        photons = 0.5 * 1e6 * 0.2 * 1.25
        test_clicks = int((tags.channels >= 2).sum())
        expected = 0.3 * photons + 0.5 * (mean - photons)
        assert test_clicks == pytest.approx(expected, abs=8 * expected**0.5)
    assert abs(int(alice.ticks[-1]) - 10**11) < 10**8


def test_what_cannot_be_simulated_is_refused() -> None:
    rng = np.random.default_rng(1)
    with pytest.raises(ConfigurationError):
        simulation.bb84(LinkConfig(protocol=qp.BBM92()), pulses=10, rng=rng)
    with pytest.raises(ConfigurationError):
        simulation.bbm92(LinkConfig(protocol=qp.BB84()), slots=10, rng=rng)
    with pytest.raises(InputError):
        simulation.bb84(pulses=10, rng=rng, test_probability=1.5)
    with pytest.raises(InputError):
        simulation.bb84(pulses=-5, rng=rng)
    with pytest.raises(InputError):
        simulation.bbm92(slots=-5, rng=rng)
    with pytest.raises(InputError):
        simulation.Fibre(length_km=-1.0)
    with pytest.raises(InputError):
        simulation.GatedDetectors(efficiency=2.0)
    with pytest.raises(InputError):
        simulation.TaggingReceiver(jitter_ps=-1.0)
    with pytest.raises(InputError):
        simulation.bbm92_time_tags(duration_s=0.0, pair_rate_hz=1.0, rng=rng)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: simulation.bb84(pulses=1e6 + 0.5, rng=1),
            r"pulses must be a whole number in 0 ... 2.36; found 1000000.5",
        ),
        (lambda: simulation.decoy_bb84(pulses=2**50, rng=1), r"pulses must be a whole number"),
        (lambda: simulation.single_photon_bb84(pulses=True, rng=1), r"pulses must be a whole number"),
        (lambda: simulation.bbm92(slots=0.5, rng=1), r"slots must be a whole number"),
        (lambda: simulation.bbm92(slots=2**53, rng=1), r"slots must be smaller: .* clicks are expected"),
        (lambda: simulation.bb84(pulses=10, rng="1"), r"rng must be .*Write rng=np.random.default_rng\(1\)"),  # type: ignore[arg-type]
        (lambda: simulation.bb84(pulses=10, rng=-1), r"rng, if it is a seed, must be an integer"),
        (lambda: simulation.bb84("bb84", pulses=10, rng=1), r"link must be a LinkConfig; found 'bb84'"),  # type: ignore[arg-type]
        (lambda: simulation.bb84(pulses=10, rng=1, fibre=20), r"fibre must be a Fibre; found 20"),  # type: ignore[arg-type]
        (lambda: simulation.bb84(pulses=10, rng=1, fibre_km="20"), r"fibre_km must be a number"),  # type: ignore[arg-type]
        (lambda: simulation.bb84(pulses=10, rng=1, source=None), r"source must be a SinglePhotonSource"),  # type: ignore[arg-type]
        (lambda: simulation.decoy_bb84(pulses=10, rng=1, detectors=0.2), r"detectors must be a GatedDetectors"),  # type: ignore[arg-type]
        (lambda: simulation.decoy_bb84(pulses=10, rng=1, test_probabilities=0.1), r"test_probabilities must be a seq"),  # type: ignore[arg-type]
        (lambda: simulation.bbm92_time_tags(duration_s=1e9, pair_rate_hz=1.0, rng=1), r"duration_s must be a number"),
        (lambda: simulation.bbm92_time_tags(duration_s=1.0, pair_rate_hz=1.0, rng=1, alice=3), r"alice must be a Tag"),  # type: ignore[arg-type]
        (lambda: simulation.Fibre(length_km=10**400), r"length_km must be a number at least 0"),
        (lambda: simulation.Fibre(length_km=np.array([1.0, 2.0])), r"length_km must be a number at least 0"),  # type: ignore[arg-type]
        (lambda: simulation.GatedDetectors(efficiency=np.array([0.1, 0.2])), r"efficiency must be a number"),  # type: ignore[arg-type]
        (lambda: simulation.GatedDetectors(dead_time_slots=0.5), r"dead_time_slots must be an integer"),  # type: ignore[arg-type]
        (lambda: simulation.TaggingReceiver(delays_ps=(0.0, 0.0)), r"one number for each channel, 4 in all; found 2"),  # type: ignore[arg-type]
        (lambda: simulation.ImperfectPhotonSource(g2="x"), r"g2 must be a number"),  # type: ignore[arg-type]
        (lambda: simulation.WeakCoherentSource(intensities=0.5), r"intensities must be a sequence"),  # type: ignore[arg-type]
    ],
)
def test_arguments_that_are_none_are_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()


def test_a_seed_is_a_generator_and_numbers_of_numpy_are_numbers() -> None:
    by_seed = simulation.bb84(pulses=np.uint16(1000), rng=np.int64(7), test_probability=np.float32(0.5))
    plain = simulation.bb84(pulses=1000, rng=np.random.default_rng(7), test_probability=0.5)
    assert by_seed[0] == plain[0]
    assert by_seed[1].slots.tolist() == plain[1].slots.tolist()
    assert simulation.Fibre(length_km=np.float32(20)) == simulation.Fibre(length_km=20)  # type: ignore[arg-type]
    assert simulation.GatedDetectors(dead_time_slots=np.uint8(3)) == simulation.GatedDetectors(dead_time_slots=3)
