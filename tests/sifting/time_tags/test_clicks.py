from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qkdpost.errors import InputError
from qkdpost.records import TimeTags
from qkdpost.sifting.time_tags.clicks import merge_clicks, suppress_echoes, to_tick_length
from qkdpost.sifting.time_tags.clicks import test_basis_clicks as select_test_basis
from reference import coincidence as reference

tag_lists = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 3)), max_size=60)


def _tags(clicks: list[tuple[int, int]], tick_ps: float = 10.0) -> TimeTags:
    clicks = sorted(clicks, key=lambda click: click[0])
    return TimeTags(ticks=[tick for tick, _ in clicks], channels=[channel for _, channel in clicks], tick_ps=tick_ps)


@given(tag_lists, st.integers(0, 60))
def test_echoes_are_dropped_as_by_the_twin(clicks: list[tuple[int, int]], dead_time: int) -> None:
    tags = _tags(clicks)
    kept = suppress_echoes(tags, dead_time * 10.0)
    expected = reference.first_clicks(tags.ticks.tolist(), tags.channels.tolist(), max(1, dead_time))
    assert np.array_equal(kept.ticks, tags.ticks[expected])
    assert np.array_equal(kept.channels, tags.channels[expected])


@given(tag_lists, st.integers(0, 60), st.integers(0, 60))
def test_events_are_those_of_the_twin(clicks: list[tuple[int, int]], within: int, dead_time: int) -> None:
    tags = _tags(clicks)
    events = merge_clicks(tags, within, dead_time * 10.0)
    expected = reference.merged(tags.ticks.tolist(), tags.channels.tolist(), within, max(1, dead_time))
    assert events.ticks.tolist() == [tick for tick, _ in expected]
    double = cross = 0
    for (_, channels), basis, bit in zip(expected, np.asarray(events.bases), np.asarray(events.bits), strict=True):
        bases = {channel // 2 for channel in channels}
        cross += len(bases) == 2
        double += len(bases) == 1 and len(channels) == 2
        assert len(bases) == 2 or basis in bases
        assert len(channels) > 1 or bit == next(iter(channels)) % 2
    assert (events.double_clicks, events.cross_clicks) == (double, cross)


def test_drawn_bits_and_bases_are_balanced() -> None:
    count = 20_000
    double = merge_clicks(_tags([(10 * at, channel) for at in range(count) for channel in (0, 1)]), 0)
    assert double.double_clicks == double.events == count
    assert double.bases.weight() == 0
    assert abs(double.bits.weight() - count / 2) < 5 * (count / 4) ** 0.5
    singles = [(10 * at + 5, 2 if at % 4 == 0 else 0) for at in range(count)]
    mixed = merge_clicks(_tags(singles + [(10 * at, channel) for at in range(count) for channel in (0, 2)]), 0)
    assert mixed.cross_clicks == count
    drawn = np.asarray(mixed.bases)[mixed.ticks % 10 == 0]
    assert abs(drawn.sum() - count / 4) < 5 * (count * 3 / 16) ** 0.5


def test_the_test_basis_is_picked_whole() -> None:
    picked = select_test_basis(_tags([(1, 0), (2, 2), (3, 1), (4, 3), (5, 2)]))
    assert picked.ticks.tolist() == [2, 4, 5]
    assert picked.channels.tolist() == [2, 3, 2]


@pytest.mark.parametrize("tick_ps", [100.0, 4.0, 1.0, 0.5])
def test_no_time_tells_on_which_comb_it_was(tick_ps: float) -> None:
    """A tagger of 100 ps, whatever the ticks it is told in: with delays off, no detector has a comb of its own."""
    rng = np.random.default_rng(3)
    ticks = np.sort(rng.integers(0, 10**9, 200_000))
    channels = rng.integers(0, 2, ticks.size)
    told = TimeTags(ticks=ticks * int(100 / tick_ps), channels=channels, tick_ps=tick_ps)
    finer = to_tick_length(told, 1.0)
    assert np.abs(np.sort(finer.ticks - 100 * ticks)).max() <= 50
    corrected = finer.ticks - 50 * finer.channels.astype(np.int64)
    for channel in (0, 1):
        seen = np.bincount(corrected[finer.channels == channel] % 100, minlength=100)
        expected = seen.sum() / 100
        assert ((seen - expected) ** 2 / expected).sum() < 99 + 6 * (2 * 99) ** 0.5
    assert np.bincount((100 * ticks - 50 * channels) % 100, minlength=100)[[0, 50]].sum() == ticks.size


def test_ticks_without_a_comb_are_left() -> None:
    rng = np.random.default_rng(4)
    odd = TimeTags(ticks=np.sort(rng.integers(0, 10**9, 1000)), channels=rng.integers(0, 4, 1000), tick_ps=1.0)
    few = TimeTags(ticks=[0, 100, 300], channels=[0, 1, 2], tick_ps=1.0)
    slow = TimeTags(ticks=5000 * np.arange(1000), channels=np.zeros(1000, np.uint8), tick_ps=1.0)
    for tags in (odd, few, slow):
        assert to_tick_length(tags, 1.0) is tags


def test_while_a_detector_recovers_nothing_is_told() -> None:
    """Couples of clicks closer than the dead time: of detectors that recover one at a time, the second is the other."""
    rng = np.random.default_rng(5)
    first = np.cumsum(rng.integers(3000, 9000, 10_000))
    channel = rng.integers(0, 2, first.size)
    second = zip((first + 800).tolist(), (1 - channel).tolist(), strict=True)
    couples = [*zip(first.tolist(), channel.tolist(), strict=True), *second]
    told = merge_clicks(_tags(couples, 100.0), 5)
    bits = np.asarray(told.bits)
    assert told.events == 20_000
    assert np.all(bits[1::2] != bits[::2])
    alone = merge_clicks(_tags(couples, 100.0), 5, dead_time_ps=100_000.0)
    assert np.array_equal(alone.ticks, first[1:])  # of the first it is not known what was before
    assert np.array_equal(np.asarray(alone.bits), channel[1:])


def test_ticks_of_another_length() -> None:
    tags = TimeTags(ticks=[10**15, 10**15 + 3, 10**15 + 1000], channels=[0, 1, 2], tick_ps=78.125)
    assert to_tick_length(tags, 78.125) is tags
    finer = to_tick_length(tags, 1.0)
    off = finer.ticks - np.array([0, 234, 78125]) - 78125 * 10**12
    assert np.all(np.abs(off) <= 41)
    coarser = to_tick_length(tags, 781.25)
    assert (coarser.ticks - 10**14).tolist() == [0, 0, 100]
    with pytest.raises(InputError):
        to_tick_length(TimeTags(ticks=[2**60], channels=[0], tick_ps=100.0), 1.0)
    for tick_ps in (0.0, -1.0, float("nan"), float("inf"), 1e-9):
        with pytest.raises(InputError):
            to_tick_length(tags, tick_ps)
    with pytest.raises(InputError):
        merge_clicks(tags, -1)
