"""Time tags to coincidences: the matching kernel and the whole way; numpy's binary search as the baseline.

Divide the tags of both sides (about 4 x 10^6) by the time for tags per second; `extra_info` has the number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qkdpost import simulation
from qkdpost.records import TimeTags
from qkdpost.sifting.time_tags.clicks import merge_clicks, suppress_echoes
from qkdpost.sifting.time_tags.matching import match_events, pair_time_tags

WINDOW_TICKS = 60
GROUP = "coincidences, 4 x 10^6 tags of both sides"


@pytest.fixture(scope="module")
def tags() -> tuple[TimeTags, TimeTags]:
    receiver = simulation.TaggingReceiver(transmittance=0.1)
    return simulation.bbm92_time_tags(
        duration_s=1.0, pair_rate_hz=2e7, rng=np.random.default_rng(1), alice=receiver, bob=receiver, tick_ps=10.0
    )


def _mutual_nearest_by_search(own: np.ndarray, peer: np.ndarray, window: int) -> np.ndarray:
    def nearest(times: np.ndarray, others: np.ndarray) -> np.ndarray:
        right = np.clip(np.searchsorted(others, times), 1, others.size - 1)
        return np.where(others[right] - times < times - others[right - 1], right, right - 1)

    forth, back = nearest(own, peer), nearest(peer, own)
    mutual = back[forth] == np.arange(own.size)
    return np.flatnonzero(mutual & (np.abs(peer[forth] - own) <= window))


@pytest.mark.benchmark(group=GROUP)
def test_match_events(benchmark: Any, tags: tuple[TimeTags, TimeTags]) -> None:
    own, peer = (merge_clicks(side, WINDOW_TICKS // 4) for side in tags)
    match = benchmark(match_events, own, peer.ticks, peer.bases, window_ticks=WINDOW_TICKS)
    benchmark.extra_info["tags"] = own.events + peer.events
    assert match.rounds > 190_000


@pytest.mark.benchmark(group=GROUP)
def test_match_by_numpy_search(benchmark: Any, tags: tuple[TimeTags, TimeTags]) -> None:
    own, peer = (merge_clicks(side, WINDOW_TICKS // 4) for side in tags)
    pairs = benchmark(_mutual_nearest_by_search, own.ticks, peer.ticks, WINDOW_TICKS)
    benchmark.extra_info["tags"] = own.events + peer.events
    rounds = match_events(own, peer.ticks, peer.bases, window_ticks=WINDOW_TICKS).rounds
    assert abs(pairs.size - rounds) <= 1e-4 * rounds


@pytest.mark.benchmark(group=GROUP)
def test_suppress_merge_and_match(benchmark: Any, tags: tuple[TimeTags, TimeTags]) -> None:
    def run() -> int:
        own, peer = (merge_clicks(suppress_echoes(side, 1e4), WINDOW_TICKS // 4) for side in tags)
        return match_events(own, peer.ticks, peer.bases, window_ticks=WINDOW_TICKS).rounds

    assert benchmark(run) > 190_000
    benchmark.extra_info["tags"] = sum(side.clicks for side in tags)


@pytest.mark.benchmark(group=GROUP)
def test_pair_time_tags_with_unknown_clock(benchmark: Any, tags: tuple[TimeTags, TimeTags]) -> None:
    paired = benchmark.pedantic(pair_time_tags, args=tags, rounds=3, warmup_rounds=1)
    benchmark.extra_info["tags"] = sum(side.clicks for side in tags)
    assert paired.answering.rounds > 190_000
