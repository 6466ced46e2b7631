"""Sources that send none or several photons, against what their statistics say; every bound is at 1e-6."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, chisquare, poisson

import qkdpost as qp
from qkdpost import simulation
from qkdpost.bits import Bits
from qkdpost.config import LinkConfig
from qkdpost.errors import ConfigurationError, InputError
from qkdpost.records import Detections, PreparedPulses
from qkdpost.sifting.slots.prepared import match_prepared, sift_detections, sift_prepared
from qkdpost.simulation.draws import random_labels, truncated_poisson
from qkdpost.simulation.receiver import detect

ALPHA = 1e-6


def assert_binomial(count: int, trials: int, probability: float) -> None:
    low, high = binom.ppf([ALPHA, 1 - ALPHA], trials, probability)
    assert low <= count <= high, (count, trials * probability)


@pytest.mark.parametrize("probabilities", [(0.7, 0.3), (0.6, 0.3, 0.1), (0.3, 0.3, 0.2, 0.1, 0.05, 0.03, 0.015, 0.005)])
def test_labels_have_their_probabilities(probabilities: tuple[float, ...]) -> None:
    labels = random_labels(np.random.default_rng(1), 500_001, probabilities)
    counts = [labels.where(label).weight() for label in range(8)]
    assert sum(counts) == 500_001
    for count, probability in zip(counts, (*probabilities, *[0.0] * 8), strict=False):
        assert_binomial(count, 500_001, probability)


@pytest.mark.parametrize("mean", [1e-6, 0.1, 1.0, 6.0])
def test_truncated_poisson_has_its_distribution(mean: float) -> None:
    drawn = truncated_poisson(np.random.default_rng(2), np.full(100_000, mean))
    assert drawn.min() >= 1
    largest = 1 + int(poisson.isf(1e-4, mean))
    observed = np.bincount(np.minimum(drawn, largest), minlength=largest + 1)[1:]
    expected = poisson.pmf(np.arange(1, largest + 1), mean) / -np.expm1(-mean)
    expected[-1] = 1 - expected[:-1].sum()
    common = expected * drawn.size > 10
    assert observed[~common].sum() <= 10 + 10 * (~common).sum()
    if common.sum() > 1:
        scaled = expected[common] * observed[common].sum() / expected[common].sum()
        assert chisquare(observed[common], scaled).pvalue > ALPHA


def _click_probabilities(right: float, wrong: float, dark: float) -> tuple[float, float]:
    """P(any click) and P(recorded bit is wrong) for independent Poisson light of these means on the two detectors."""
    hit, miss = 1 - (1 - dark) * np.exp(-right), 1 - (1 - dark) * np.exp(-wrong)
    return 1 - (1 - hit) * (1 - miss), miss * (1 - hit) + miss * hit / 2


def test_decoy_gains_and_errors_are_those_of_coherent_light() -> None:
    source = simulation.WeakCoherentSource(
        intensities=(0.6, 0.2, 0.0), probabilities=(0.5, 0.3, 0.2), misalignment=0.03
    )
    detectors = simulation.GatedDetectors(efficiency=0.5, dark_count_probability=1e-3)
    pulses, tests = 3_000_000, (0.3, 0.4)
    prepared, detections = simulation.decoy_bb84(
        pulses=pulses,
        fibre_km=10.0,
        source=source,
        detectors=detectors,
        test_probabilities=tests,
        rng=np.random.default_rng(3),
    )
    labels = prepared.intensities
    assert labels is not None
    matched = match_prepared(prepared, detections.slots, detections.bases)
    sent, received = sift_prepared(prepared, detections.slots, matched), sift_detections(detections, matched)
    seen_labels = labels.take(detections.slots).select(matched)
    in_test = detections.bases.select(matched)
    for label, (intensity, probability) in enumerate(zip(source.intensities, source.probabilities, strict=True)):
        mean = intensity * 0.5 * 10**-0.2
        gain, wrong = _click_probabilities(mean * 0.97, mean * 0.03, 1e-3)
        assert_binomial(labels.where(label).weight(), pulses, probability)
        for basis, mask in enumerate((~in_test, in_test)):
            chosen = (1 - tests[0]) * (1 - tests[1]) if basis == 0 else tests[0] * tests[1]
            here = seen_labels.select(mask).where(label)
            assert_binomial(here.weight(), pulses, chosen * probability * gain)
            errors = ((sent[basis] ^ received[basis]) & here).weight()
            assert_binomial(errors, here.weight(), wrong / gain)


def test_a_link_gives_its_intensities() -> None:
    link = LinkConfig(protocol=qp.DecoyBB84(intensities=(0.5, 0.1), probabilities=(0.9, 0.1)))
    prepared, _ = simulation.decoy_bb84(link, pulses=200_000, rng=np.random.default_rng(4))
    assert prepared.intensities is not None
    assert_binomial(prepared.intensities.where(1).weight(), 200_000, 0.1)
    with pytest.raises(ConfigurationError):
        simulation.bb84(link, pulses=10, rng=np.random.default_rng(4))
    with pytest.raises(ConfigurationError):
        simulation.single_photon_bb84(link, pulses=10, rng=np.random.default_rng(4))


def test_two_photons_come_as_often_as_g2_says() -> None:
    source = simulation.ImperfectPhotonSource(mean_photons=0.6, g2=0.5, misalignment=0.0)
    one, two = source.photon_probabilities
    assert one + 2 * two == pytest.approx(0.6)
    assert 2 * two / 0.6**2 == pytest.approx(0.5)
    detectors = simulation.GatedDetectors(efficiency=0.4, dark_count_probability=0.0)
    prepared, detections = simulation.single_photon_bb84(
        pulses=2_000_000,
        source=source,
        detectors=detectors,
        test_probabilities=(0.5, 0.5),
        rng=np.random.default_rng(5),
    )
    assert_binomial(detections.slots.size, 2_000_000, one * 0.4 + two * (1 - 0.6**2))
    # Two photons in the wrong basis go to different detectors half of the time, in the right one never.
    assert_binomial(detections.double_clicks, 2_000_000, 0.5 * two * 0.4**2 / 2)
    matched = match_prepared(prepared, detections.slots, detections.bases)
    sent, received = sift_prepared(prepared, detections.slots, matched), sift_detections(detections, matched)
    assert sent == received
    with pytest.raises(InputError, match="at most two photons"):
        simulation.ImperfectPhotonSource(mean_photons=0.5, g2=5.0)


def _detect_singles(slots: np.ndarray, pulses: int, detectors: simulation.GatedDetectors) -> Detections:
    prepared = PreparedPulses(bases=Bits.zeros(pulses), bits=Bits.zeros(pulses))
    return detect(
        np.random.default_rng(6),
        prepared,
        slots,
        np.ones(slots.size, dtype=np.int64),
        detectors=detectors,
        misalignment=0.0,
        test_probability=0.0,
    )


def test_afterpulses_follow_their_click() -> None:
    detectors = simulation.GatedDetectors(
        dark_count_probability=0.0, dead_time_slots=5, afterpulse_probability=0.3, afterpulse_slots=8.0
    )
    causes = np.arange(0, 2_000_000, 1_000)
    found = _detect_singles(causes, 2_000_000, detectors)
    delays = found.slots[~np.isin(found.slots, causes)] % 1_000
    assert_binomial(delays.size, causes.size, 0.3)
    assert delays.min() > 5
    assert delays.mean() - 5 == pytest.approx(8.0, abs=5 * 8.0 / delays.size**0.5)
    assert found.bits.weight() == 0


def test_afterpulses_respect_the_dead_time() -> None:
    detectors = simulation.GatedDetectors(
        dark_count_probability=0.0, dead_time_slots=50, afterpulse_probability=0.5, afterpulse_slots=3.0
    )
    found = _detect_singles(np.arange(0, 100_000, 60), 100_000, detectors)
    assert np.diff(found.slots).min() > 50
