from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkdpost import simulation
from qkdpost._kernels.sifting.time_tags import bins_from, collect_differences, count_differences
from qkdpost.errors import InputError
from qkdpost.records import TimeTags
from qkdpost.sifting.time_tags.calibration import calibrate, choose_window
from qkdpost.sifting.time_tags.clicks import suppress_echoes
from qkdpost.sifting.time_tags.clicks import test_basis_clicks as select_test_basis
from qkdpost.sifting.time_tags.clock import NoCoincidencePeak, check_peer_ticks, find_clock
from qkdpost.sifting.time_tags.matching import PairedTags, pair_time_tags

ALICE = simulation.TaggingReceiver(
    transmittance=0.1,
    delays_ps=(0, 6_000, -3_000, 12_000),
    dead_time_ps=25_000,
    echo_probability=0.4,
    echo_delay_ps=16_400,
)
BOB = simulation.TaggingReceiver(
    transmittance=0.05,
    delays_ps=(3_000, 0, 9_000, -7_000),
    dead_time_ps=25_000,
    echo_probability=0.4,
    test_probability=0.3,
)
ticks_lists = st.lists(st.integers(-200, 200), max_size=40).map(sorted)


@given(ticks_lists, ticks_lists, st.integers(-50, 50), st.integers(1, 9), st.integers(1, 30))
def test_differences_are_those_of_all_pairs(
    reference: list[int], ticks: list[int], lowest: int, bin_ticks: int, bins: int
) -> None:
    first, second = np.array(reference, dtype=np.int64), np.array(ticks, dtype=np.int64)
    lags = np.subtract.outer(second, first).T
    histogram = np.zeros(bins, dtype=np.int32)
    count_differences(first, second, lowest, bin_ticks, histogram)
    edges = lowest + bin_ticks * np.arange(bins + 1)
    assert histogram.tolist() == [int(((lags >= low) & (lags < high)).sum()) for low, high in pairwise(edges)]

    highest = lowest + bin_ticks * bins
    rows, columns = np.empty((2, 2000), dtype=np.int64)
    count = collect_differences(first, second, lowest, highest, rows, columns)
    expected = np.argwhere((lags >= lowest) & (lags <= highest))
    assert np.array_equal(np.stack([rows[:count], columns[:count]], axis=1), expected)

    sums = histogram[1:] + histogram[:-1]
    places, counts = np.empty((2, 50), dtype=np.int64)
    found = bins_from(histogram, 2, places, counts)
    assert places[:found].tolist() == np.flatnonzero(sums >= 2).tolist()
    assert counts[:found].tolist() == sums[sums >= 2].tolist()


def _paired(offset_ps: float, drift_ppm: float, seed: int) -> tuple[PairedTags, float]:
    alice, bob = simulation.bbm92_time_tags(
        duration_s=0.1,
        pair_rate_hz=5e6,
        rng=np.random.default_rng(seed),
        alice=ALICE,
        bob=BOB,
        clock_offset_ps=offset_ps,
        clock_drift_ppm=drift_ppm,
        tick_ps=10.0,
    )
    return pair_time_tags(alice, bob, dead_time_ps=20_000), 10.0


@settings(max_examples=5, derandomize=True)
@given(st.floats(-0.99e9, 0.99e9), st.floats(-9.5, 9.5), st.integers(0, 2**32))
def test_offset_drift_and_delays_are_found(offset_ps: float, drift_ppm: float, seed: int) -> None:
    paired, tick_ps = _paired(offset_ps, drift_ppm, seed)
    clock, delays = paired.reporting_calibration.clock, paired.reporting_calibration.delays
    assert clock is not None
    drift = drift_ppm * 1e-6
    assert clock.drift_ppm == pytest.approx(1e6 * drift / (1 + drift), abs=2e-3)
    since_ps = (clock.origin_tick * tick_ps - offset_ps) / (1 + drift)
    found = (clock.offset_ticks + delays.own) * tick_ps - (offset_ps + drift * since_ps)
    # Against the first channel of Alice's test basis, which is 3 ns early.
    assert found == pytest.approx(np.array(BOB.delays_ps) + 3_000, abs=60)
    assert delays.reference * tick_ps == pytest.approx([0, 15_000], abs=60)
    alice = paired.answering_calibration.delays.own * tick_ps
    assert alice - alice[2] == pytest.approx(np.array(ALICE.delays_ps) + 3_000, abs=60)

    pairs = 0.1 * 5e6 * ALICE.transmittance * BOB.transmittance
    assert paired.answering.rounds == pytest.approx(pairs, abs=6 * pairs**0.5)
    errors = (paired.answering.key_bits ^ paired.reporting.key_bits).weight()
    assert errors <= 0.01 * len(paired.answering.key_bits) + 25


@pytest.mark.slow
def test_one_pair_in_a_hundred_thousand_differences_is_found() -> None:
    """50 dB of accidental differences within the range that is searched, unknown drift."""
    receiver = simulation.TaggingReceiver(transmittance=10**-2.5, delays_ps=(0, 600, -300, 1_200))
    alice, bob = simulation.bbm92_time_tags(
        duration_s=1.0,
        pair_rate_hz=5e7,
        rng=np.random.default_rng(5),
        alice=receiver,
        bob=receiver,
        clock_offset_ps=7e8,
        clock_drift_ppm=8.0,
    )
    paired = pair_time_tags(alice, bob)
    pairs = alice.clicks * bob.clicks * 2e9 / 1e12
    assert pairs > 1e5 * 400
    assert 350 < paired.answering.rounds < 650
    errors = (paired.answering.key_bits ^ paired.reporting.key_bits).weight()
    assert errors < 0.1 * len(paired.answering.key_bits)


def test_records_without_coincidences_are_told_so() -> None:
    rng = np.random.default_rng(3)
    reference = np.sort(rng.integers(0, 10**11, 2_000))
    ticks = np.sort(rng.integers(0, 10**11, 4_000))
    with pytest.raises(NoCoincidencePeak, match="no coincidence peak"):
        find_clock(reference, ticks, search_ticks=10**7, bin_ticks=2_000, spread_ticks=50_000)
    tags = TimeTags(ticks=ticks, channels=rng.integers(0, 4, ticks.size), tick_ps=1.0)
    channels = np.zeros(reference.size, dtype=np.uint8)
    with pytest.raises(NoCoincidencePeak):
        calibrate(tags, reference, channels, search_ps=None)
    with pytest.raises(NoCoincidencePeak):
        choose_window(tags, reference)
    empty = np.zeros(0, dtype=np.int64)
    for first, second in ((empty, ticks), (reference, empty)):
        with pytest.raises(NoCoincidencePeak):
            find_clock(first, second, search_ticks=10**7, bin_ticks=2_000, spread_ticks=50_000)


def test_a_pulsed_source_without_common_events_is_no_peak() -> None:
    """Accidental coincidences of a pulsed source form a comb, which chance does not explain."""
    rng = np.random.default_rng(4)
    reference, ticks = (
        np.sort(rng.integers(0, 10**5, size) * 100_000 + np.rint(rng.normal(0, 100, size)).astype(np.int64))
        for size in (4_000, 8_000)
    )
    with pytest.raises(NoCoincidencePeak):
        find_clock(reference, ticks, search_ticks=10**7, bin_ticks=2_000, spread_ticks=20_000, max_drift_ppm=0.1)


@pytest.mark.parametrize(
    "hostile",
    [
        np.full(3_000, 5),
        np.array([-(2**61)] * 2_000 + [2**61] * 2_000),
        np.linspace(-(2**61), 2**61, 4_000).astype(np.int64),
        np.array([0]),
    ],
)
def test_hostile_ticks_end_in_the_named_error(hostile: np.ndarray) -> None:
    rng = np.random.default_rng(6)
    ticks = np.sort(rng.integers(0, 10**11, 10_000))
    tags = TimeTags(ticks=ticks, channels=rng.integers(0, 4, ticks.size), tick_ps=1.0)
    reference = check_peer_ticks(hostile.astype(np.int64))
    for search_ps in (1e9, None):
        with pytest.raises(NoCoincidencePeak):
            calibrate(tags, reference, np.zeros(reference.size, dtype=np.uint8), search_ps=search_ps)


def test_ticks_out_of_order_or_range() -> None:
    for ticks in ([3, 2], [2**61 + 1], [-(2**62)]):
        with pytest.raises(InputError):
            check_peer_ticks(np.array(ticks))
    with pytest.raises(InputError):
        calibrate(
            TimeTags(ticks=[2**62], channels=[0], tick_ps=1.0),
            np.array([0]),
            np.array([0], dtype=np.uint8),
            search_ps=None,
        )


def test_background_narrows_the_window() -> None:
    def window(dark_count_rate_hz: float) -> int:
        receiver = simulation.TaggingReceiver(transmittance=0.1, dark_count_rate_hz=dark_count_rate_hz)
        alice, bob = simulation.bbm92_time_tags(
            duration_s=0.2, pair_rate_hz=1e6, rng=np.random.default_rng(9), alice=receiver, bob=receiver
        )
        return choose_window(suppress_echoes(bob, 0.0), select_test_basis(alice).ticks)

    assert 350 < window(2e5) < window(100.0) < 1_500
