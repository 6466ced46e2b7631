"""Raw tags of pulses, against what their devices say; every bound is at 1e-6 or beyond."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

import qkdpost as qp
from qkdpost import simulation
from qkdpost.config import LinkConfig
from qkdpost.errors import ConfigurationError, InputError

PULSES = 1_000_000


def tags(**receiver: object) -> simulation.PulsedTimeTags:
    return simulation.pulsed_time_tags(
        pulses=PULSES,
        receiver=simulation.PulsedReceiver(**receiver),  # type: ignore[arg-type]
        laser=simulation.LaserClock(divider=10, missed_syncs=0.1, lead_pulses=500),
        rng=np.random.default_rng(1),
    )


def assert_binomial(count: int, trials: int, probability: float) -> None:
    low, high = binom.ppf([5e-7, 1 - 5e-7], trials, probability)
    assert low <= count <= high, (count, trials * probability)


@pytest.mark.parametrize("encoding", ["polarisation", "time-bin", "active"])
def test_the_true_record_errs_as_the_devices_do(encoding: str) -> None:
    tagged = tags(encoding=encoding, test_probability=0.3)
    assert np.all(np.diff(tagged.ticks) >= 0)
    assert_binomial(int((tagged.channels == 5).sum()), (PULSES + 500) // 10, 0.9)
    slots = tagged.detections.slots
    same = np.asarray(tagged.prepared.bases.take(slots)) == np.asarray(tagged.detections.bases)
    wrong = np.asarray(tagged.prepared.bits.take(slots)) != np.asarray(tagged.detections.bits)
    assert 0.008 < wrong[same].mean() < 0.03
    assert 0.45 < wrong[~same].mean() < 0.55


def test_detectors_are_blind_after_a_click() -> None:
    tagged = tags(dead_time_ps=200_000.0)
    for channel in range(1, 5):
        assert np.diff(tagged.ticks[tagged.channels == channel]).min() >= 200_000
    assert np.diff(tagged.detections.slots).min() >= 20


def test_the_gain_is_that_of_coherent_light() -> None:
    tagged = tags(dead_time_ps=0.0, dark_count_rate_hz=0.0)
    gain = 0.7 * -np.expm1(-0.5 * 0.2) + 0.2 * -np.expm1(-0.1 * 0.2)
    # Of four standard deviations of jitter on either side 6e-5 are cut.
    assert_binomial(tagged.detections.slots.size, PULSES, gain)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        simulation.pulsed_time_tags(LinkConfig(protocol=qp.BB84()), pulses=10, rng=np.random.default_rng(1))
    for settings in ({"encoding": "phase"}, {"efficiency": 2.0}, {"tick_ps": 0.0}, {"delays_ps": (0.0,) * 5}):
        with pytest.raises(InputError):
            simulation.PulsedReceiver(**settings)  # type: ignore[arg-type]
    for laser in ({"period_ps": 0.0}, {"divider": -1}, {"missed_syncs": 1.5}):
        with pytest.raises(InputError):
            simulation.LaserClock(**laser)  # type: ignore[arg-type]
