"""What a laboratory gets wrong is refused, and the message says what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import qkdpost as qp
from qkdpost.errors import InputError
from qkdpost.sifting import PulseEncoding

POLARISATION = PulseEncoding.polarisation(key=(1, 2), test=(3, 4))


@pytest.fixture(scope="module")
def tagged() -> qp.simulation.PulsedTimeTags:
    return qp.simulation.pulsed_time_tags(pulses=1_000_000, fibre_km=5, rng=np.random.default_rng(1))


def number(ticks: Any, channels: Any, **settings: Any) -> qp.sifting.PulseRecord:
    usual = {
        "tick_ps": 1.0,
        "encoding": POLARISATION,
        "period_ps": 10_000,
        "dead_time_ps": 50_000,
        "sync_channel": 5,
        "divider": 1000,
    }
    return qp.sifting.pulse_numbers(ticks, channels, **(usual | settings))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"divider": 100}, r"syncs come every 1000 pulses .* never every 100"),
        ({"divider": 1024}, r"syncs come every 1000 pulses .* but divider is 1024"),
        ({"divider": 0}, "divider must be"),
        ({"divider": True}, "divider must be"),
        ({"period_ps": 10_300}, "check divider and period_ps"),
        ({"period_ps": -1}, "period_ps must be"),
        ({"tick_ps": 0}, "tick_ps must be"),
        ({"tick_ps": 10.0}, "syncs come every 10000 pulses of period_ps"),
        (
            {"sync_channel": 9},
            r"sync_channel 9 has no tag; the channels of this record are 1 \(\S+\), 2 .* 5 \(1,000\)",
        ),
        ({"sync_channel": 1}, "sync_channel 1 is a detector"),
        ({"encoding": PulseEncoding.polarisation(key=(1, 2), test=(3, 6))}, r"detector 6 has no tag; the channels"),
        ({"encoding": "polarisation"}, r"Write PulseEncoding\.polarisation"),
        ({"gate_ps": 20_000}, "windows of 20000 ps overlap"),
        ({"gate_ps": 0}, "gate_ps must be"),
        ({"dead_time_ps": -1}, "dead_time_ps must be"),
        ({"dead_time_ps": None}, "dead_time_ps must be"),
        ({"delays_ps": {1: 0}}, r"delays_ps must name the detectors \(1, 2, 3, 4\)"),
        ({"delays_ps": [0, 0, 0, 0]}, r"delays_ps must be a Mapping.*Write \{channel"),
        (
            {"encoding": PulseEncoding(outcomes=dict(POLARISATION.outcomes) | {(1, 1): (0, 1)}, bins_ps=(0, 9_990))},
            "over",
        ),
        ({"sync_channel": None, "period_ps": 10_500}, r"no period within 100 ppm of 10500 ps"),
        ({"offset": 0.5}, "offset must be"),
    ],
)
def test_arguments_that_do_not_fit(tagged: qp.simulation.PulsedTimeTags, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        number(tagged.ticks, tagged.channels, **settings)


def test_tags_that_cannot_be(tagged: qp.simulation.PulsedTimeTags) -> None:
    ticks, channels = tagged.ticks, tagged.channels
    late = ticks.copy()
    late[1000] = late[1001] + 5
    with pytest.raises(InputError, match="entry 1001 is 5 ticks before the one before it, and there are 1 such"):
        number(late, channels)
    with pytest.raises(InputError, match="ticks must be integers"):
        number(ticks * 1.0, channels)
    with pytest.raises(InputError, match="every tag has one channel"):
        number(ticks, channels[:-1])
    with pytest.raises(InputError, match="there are no tags"):
        number([], [])
    with pytest.raises(InputError, match=r"must span less than 2\^53"):
        number([0, 2**54], [1, 2])
    few = channels != 5
    few[np.flatnonzero(~few)[:5]] = True
    with pytest.raises(InputError, match="the sync channel has 5 tags, and 16 are needed"):
        number(ticks[few], channels[few])
    with pytest.raises(InputError, match="takes 1024 of them; found"):
        number(
            ticks[:800],
            channels[:800],
            sync_channel=None,
        )


def test_a_sync_that_says_nothing(tagged: qp.simulation.PulsedTimeTags) -> None:
    ticks, channels = tagged.ticks.copy(), tagged.channels
    sync = np.flatnonzero(channels == 5)
    rng = np.random.default_rng(1)
    noisy = ticks.copy()
    noisy[sync] = np.sort(rng.integers(0, ticks[-1], sync.size))
    order = np.argsort(noisy, kind="stable")
    with pytest.raises(InputError, match=r"check divider and period_ps|lie between pulses|do not continue"):
        number(noisy[order], channels[order])
    jittering = ticks.copy()
    jittering[sync] += rng.normal(0, 1000, sync.size).astype(np.int64)
    order = np.argsort(jittering, kind="stable")
    with pytest.raises(InputError, match=r"the sync jitters by \d+ ps, and the period is 10000 ps"):
        number(jittering[order], channels[order])
    jump = ticks + 3_333 * (ticks > ticks[-1] // 2)
    with pytest.raises(InputError, match="the laser's clock jumped"):
        number(jump, channels)
    early = (channels != 5) | (ticks < ticks[-1] // 4)
    with pytest.raises(InputError, match="clicks came while there was no sync"):
        number(ticks[early], channels[early])


def test_a_detector_without_light(tagged: qp.simulation.PulsedTimeTags) -> None:
    rng = np.random.default_rng(2)
    ticks = tagged.ticks.copy()
    of_four = tagged.channels == 4
    ticks[of_four] = np.sort(rng.integers(0, ticks[-1], of_four.sum()))
    order = np.argsort(ticks, kind="stable")
    with pytest.raises(InputError, match=r"clicks of detector 4 show no peak at the period"):
        number(ticks[order], tagged.channels[order])


def test_over_a_long_gap_pulses_are_counted_or_refused() -> None:
    for drift_ppm, gap in ((0.5, 0.3), (20.0, 0.05), (300.0, 0.5)):
        tagged = qp.simulation.pulsed_time_tags(
            pulses=4_000_000,
            fibre_km=20,
            laser=qp.simulation.LaserClock(drift_ppm=drift_ppm),
            rng=np.random.default_rng(1),
        )
        kept = (tagged.channels != 5) | (np.abs(tagged.ticks / tagged.ticks[-1] - 0.5) > gap / 2)
        if (drift_ppm, gap) == (300.0, 0.5):
            with pytest.raises(InputError, match=r"no sync came for 0\.0\d+ s, over which the pulses"):
                number(tagged.ticks[kept], tagged.channels[kept])
        else:
            record = number(tagged.ticks[kept], tagged.channels[kept])
            assert np.isin(tagged.detections.slots, record.detections.slots).mean() > 0.99
