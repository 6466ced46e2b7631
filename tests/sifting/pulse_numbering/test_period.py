"""The clock of the clicks alone, beside the times at which pulses truly came."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from qkdpost.errors import InputError
from qkdpost.sifting.pulse_numbering.period import clock_from_clicks


@dataclass(frozen=True, kw_only=True)
class Light:
    period_ps: float = 1e4
    rate_hz: float = 1e5
    dark_hz: float = 400.0
    seconds: float = 3.0
    error_ppm: float = 80.0
    drift_ppm: float = 3.0
    jitter_ps: float = 100.0
    wander_ps: float = 0.0
    tick_ps: float = 1.0
    bins_ps: tuple[float, ...] = (0.0,)
    dark_from: float = 2.0
    dark_to: float = 2.0


def clicks(light: Light) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ticks of all clicks; pulses that were seen, and the ticks at which they came without jitter."""
    rng = np.random.default_rng(1)
    total = int(light.seconds * 1e12 / light.period_ps)
    pulses = np.sort(rng.integers(0, total, int(light.rate_hz * light.seconds)))
    share = pulses / total
    pulses = pulses[(share < light.dark_from) | (share > light.dark_to)]
    share = pulses / total
    times = pulses * light.period_ps * (1 + 1e-6 * (light.error_ppm + light.drift_ppm * share / 2))
    times += light.wander_ps * np.sin(4e-12 * np.pi * pulses * light.period_ps)
    seen = times + rng.normal(0, light.jitter_ps, pulses.size) + rng.choice(light.bins_ps, pulses.size)
    dark = rng.uniform(0, light.seconds * 1e12, int(light.dark_hz * light.seconds))
    ticks = np.sort(np.rint(np.concatenate([seen, dark]) / light.tick_ps).astype(np.int64))
    return ticks, pulses, np.rint(times / light.tick_ps).astype(np.int64)


@pytest.mark.parametrize(
    "light",
    [
        Light(),
        Light(error_ppm=-99.0, drift_ppm=-1.0),
        Light(rate_hz=1e3, seconds=20.0, drift_ppm=0.02),
        Light(rate_hz=1e3, dark_hz=1e3, seconds=20.0, drift_ppm=0.02),
        Light(period_ps=1e3, rate_hz=1e6, seconds=1.0, drift_ppm=0.5, jitter_ps=40.0),
        Light(period_ps=1e6),
        Light(dark_from=-1.0, dark_to=0.4),
        Light(dark_from=0.6, dark_to=2.0),
        Light(dark_from=0.5, dark_to=0.52, drift_ppm=0.2),
        Light(wander_ps=2e4),
        Light(tick_ps=1e3),
        Light(tick_ps=1e3, error_ppm=0.0, drift_ppm=0.0),
        Light(bins_ps=(0.0, 5e3)),
        Light(period_ps=9e3, bins_ps=(0.0, 3e3, 6e3)),
        Light(jitter_ps=1500.0),
        Light(rate_hz=2e4, dark_hz=1e5),
    ],
    ids=str,
)
def test_no_pulse_is_lost_count_of(light: Light) -> None:
    ticks, pulses, came = clicks(light)
    clock, since, until = clock_from_clicks(ticks, tick_ps=light.tick_ps, period_ps=light.period_ps)
    known = (came >= since) & (came <= until)
    assert known.mean() > 0.99
    deviation = clock.coordinates(came[known]) - pulses[known]
    deviation -= np.round(np.median(deviation))
    assert np.abs(deviation - np.median(deviation)).max() < 0.1


@pytest.mark.parametrize(
    ("light", "words"),
    [
        (Light(rate_hz=0.0, dark_hz=1e5), "the clicks show no period within 100 ppm of 10000 ps"),
        (Light(error_ppm=300.0), "the clicks show no period within 100 ppm of 10000 ps"),
        (Light(dark_from=0.5, dark_to=0.6, drift_ppm=30.0), "over which the pulses cannot be counted"),
        (Light(rate_hz=20.0, dark_hz=1.0, seconds=60.0), r"32 clicks take \d+ million periods"),
        (Light(rate_hz=100.0, seconds=1.0), "takes 1024 of them"),
    ],
    ids=str,
)
def test_what_cannot_be_followed_is_refused(light: Light, words: str) -> None:
    ticks, _, _ = clicks(light)
    with pytest.raises(InputError, match=words):
        clock_from_clicks(ticks, tick_ps=light.tick_ps, period_ps=light.period_ps)
