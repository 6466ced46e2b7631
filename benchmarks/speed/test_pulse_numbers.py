"""Raw tags of pulses to detections, by a sync and by the clicks alone; ten million tags, a million clicks a second."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qkdpost import sifting

CLICKS = 9_000_000
PULSES = 10**9
PERIOD_PS = 10_000.4
GROUP = "pulse numbers, 10^7 tags"


@pytest.fixture(scope="module")
def tags() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    channels = rng.choice(np.array([1, 2, 3, 4]), CLICKS, p=[0.45, 0.45, 0.05, 0.05])
    times = rng.integers(0, PULSES, CLICKS) * PERIOD_PS + rng.normal(0, 100, CLICKS) + 700.0 * channels
    syncs = np.arange(0, PULSES, 1000) * PERIOD_PS
    syncs = syncs[rng.random(syncs.size) > 0.05] + 0.0
    ticks = np.rint(np.concatenate([times, syncs])).astype(np.int64)
    order = np.argsort(ticks, kind="stable")
    return ticks[order], np.concatenate([channels, np.full(syncs.size, 5)])[order]


@pytest.mark.benchmark(group=GROUP)
@pytest.mark.parametrize("sync_channel", [5, None], ids=["sync", "clicks alone"])
def test_pulse_numbers(benchmark: Any, tags: tuple[np.ndarray, np.ndarray], sync_channel: int | None) -> None:
    record = benchmark.pedantic(
        sifting.pulse_numbers,
        args=tags,
        kwargs={
            "tick_ps": 1.0,
            "period_ps": 10_000,
            "dead_time_ps": 50_000,
            "sync_channel": sync_channel,
            "divider": 1000 if sync_channel else 1,
            "encoding": sifting.PulseEncoding.polarisation(key=(1, 2), test=(3, 4)),
        },
        rounds=3,
        warmup_rounds=1,
    )
    benchmark.extra_info["tags"] = tags[0].size
    assert record.detections.slots.size > 8_000_000
