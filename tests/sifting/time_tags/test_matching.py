from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qkdpost.bits import Bits
from qkdpost.errors import InputError
from qkdpost.sifting.slots.prepared import split_by_basis
from qkdpost.sifting.tag_files import load_time_tags
from qkdpost.sifting.time_tags.calibration import correct
from qkdpost.sifting.time_tags.clicks import ClickEvents, merge_clicks, suppress_echoes
from qkdpost.sifting.time_tags.matching import (
    PairedTags,
    from_grid,
    grid_ticks,
    match_events,
    pair_time_tags,
    to_detections,
)
from reference import coincidence as reference

TICK_PS = 78.125
RECORDED = "kwiat_bbm92_timetags/Alice1_Bob1_with_delays.txt"


def _events(ticks: list[int], bases: list[int]) -> ClickEvents:
    array = np.array(ticks, dtype=np.int64)
    array.flags.writeable = False
    return ClickEvents(
        ticks=array,
        bases=Bits.from_array(np.array(bases, dtype=np.uint8)),
        bits=Bits.zeros(len(ticks)),
        double_clicks=0,
        cross_clicks=0,
    )


times = st.sets(st.integers(-300, 300), max_size=70).map(sorted)


@given(times, times, st.integers(0, 40), st.integers(0, 2**32))
def test_mutual_nearest_neighbours_are_those_of_the_twin(
    own: list[int], peer: list[int], window: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    bases, peer_bases = rng.integers(0, 2, len(own)).tolist(), rng.integers(0, 2, len(peer)).tolist()
    match = match_events(
        _events(own, bases),
        np.array(peer, dtype=np.int64),
        Bits.from_array(np.array(peer_bases, dtype=np.uint8)),
        window_ticks=window,
    )
    pairs = reference.mutual_nearest(own, peer, window)
    same = [(i, j) for i, j in pairs if bases[i] == peer_bases[j]]
    assert match.rounds == len(pairs)
    assert np.flatnonzero(np.asarray(match.own_matched)).tolist() == [i for i, _ in same]
    assert np.flatnonzero(np.asarray(match.peer_matched)).tolist() == [j for _, j in same]


@given(st.sets(st.integers(0, 10_000), max_size=50), st.integers(1, 200), st.integers(-(2**60), 2**60))
def test_the_grid_keeps_times_to_half_a_step(values: set[int], window: int, origin: int) -> None:
    ticks: list[int] = []
    for value in sorted(values):
        if not ticks or value - ticks[-1] > window:
            ticks.append(value)
    step = grid_ticks(window)
    events = _events([tick + origin for tick in ticks], [0] * len(ticks))
    report = to_detections(events, origin_tick=origin, span_steps=10_001 // step + 1, step_ticks=step)
    back = from_grid(report.slots, origin_tick=origin, step_ticks=step)
    assert np.all(np.abs(back - events.ticks) <= step // 2 + 1)
    assert report.slots.size == len(ticks)


def test_events_outside_the_span_are_left_out() -> None:
    report = to_detections(_events([-5, 0, 9, 10], [0, 1, 0, 1]), origin_tick=0, span_steps=10, step_ticks=1)
    assert report.slots.tolist() == [0, 9]
    assert np.asarray(report.bases).tolist() == [1, 0]
    with pytest.raises(InputError):
        to_detections(_events([1], [0]), origin_tick=0, span_steps=10, step_ticks=0)


def test_what_the_peer_cannot_mean_is_refused() -> None:
    with pytest.raises(InputError):
        from_grid(np.array([0, 2**60]), origin_tick=0, step_ticks=4)
    with pytest.raises(InputError):
        match_events(_events([1], [0]), np.array([1, 2]), Bits.zeros(1), window_ticks=3)
    extreme = np.array([-(2**61), 2**61])
    match = match_events(_events([-(2**61), 2**61], [0, 0]), extreme, Bits.zeros(2), window_ticks=2**53)
    assert match.rounds == 2


def _counts(paired: PairedTags) -> np.ndarray:
    alice, bob = paired.answering, paired.reporting
    errors = [(alice.key_bits ^ bob.key_bits).weight(), (alice.test_bits ^ bob.test_bits).weight()]
    counts = [len(alice.key_bits), len(alice.test_bits)]
    return np.array([alice.rounds, *counts, *(100 * np.array(errors) / counts)])


def test_recorded_tags_give_the_known_coincidences(data_directory: Path) -> None:
    """The known figures pair every click with its nearest and know no double clicks: so are they counted here."""
    alice, bob = load_time_tags(data_directory / RECORDED, TICK_PS)
    paired = pair_time_tags(alice, bob, dead_time_ps=300 * TICK_PS, window_ps=8 * TICK_PS)
    own, peer = (
        merge_clicks(correct(suppress_echoes(tags, 300 * TICK_PS), calibration), 0)
        for tags, calibration in ((alice, paired.answering_calibration), (bob, paired.reporting_calibration))
    )
    match = match_events(own, peer.ticks, peer.bases, window_ticks=8)
    keys = split_by_basis(own.bases, own.bits, match.own_matched)
    peer_keys = split_by_basis(peer.bases, peer.bits, match.peer_matched)
    rates = [100 * (mine ^ theirs).weight() / len(mine) for mine, theirs in zip(keys, peer_keys, strict=True)]
    assert match.rounds == pytest.approx(17_487, rel=0.01)
    assert len(keys[0]) == pytest.approx(7_855, rel=0.01)
    assert len(keys[1]) == pytest.approx(1_911, rel=0.01)
    assert rates[0] == pytest.approx(4.95, abs=0.1)
    assert rates[1] == pytest.approx(1.20, abs=0.1)


def test_double_clicks_cost_errors_and_the_dead_time_rounds(data_directory: Path) -> None:
    """Some four in a hundred of the known coincidences follow another click by less than the dead time."""
    alice, bob = load_time_tags(data_directory / RECORDED, TICK_PS)
    paired = pair_time_tags(alice, bob, dead_time_ps=300 * TICK_PS, window_ps=8 * TICK_PS)
    pairs, key, test, key_errors, test_errors = _counts(paired)
    assert pairs == pytest.approx(0.96 * 17_487, rel=0.01)
    assert key == pytest.approx(0.96 * 7_855, rel=0.015)
    assert test == pytest.approx(0.96 * 1_911, rel=0.03)
    drawn = sum(paired.double_clicks) + sum(paired.cross_clicks)
    assert 4.85 < key_errors < 4.95 + 0.1 + 100 * drawn / key
    assert 1.10 < test_errors < 1.20 + 0.1 + 100 * drawn / test


def test_recorded_tags_choose_their_window(data_directory: Path) -> None:
    alice, bob = load_time_tags(data_directory / RECORDED, TICK_PS)
    paired = pair_time_tags(alice, bob, dead_time_ps=300 * TICK_PS)
    assert 4 <= paired.window_ps / TICK_PS <= 12
    assert _counts(paired)[1] > 7_000


def test_files_that_hold_something_else_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "tags.txt"
    for text in ("1 2 3\n", "a b\n", "1 2.5\n"):
        path.write_text(text)
        with pytest.raises(InputError):
            load_time_tags(path, 1.0)
    path.write_text("7 5\n0 5\n9 6\n4 8\n")
    alice, bob = load_time_tags(path, 1.0, bob=(5, 4, 6, 7), others="ignore", allow_silent=True)
    assert (alice.ticks.tolist(), alice.channels.tolist()) == ([5], [0])
    assert (bob.ticks.tolist(), bob.channels.tolist()) == ([5, 8], [3, 1])
    with pytest.raises(InputError):
        load_time_tags(path, 1.0, alice=(0, 1, 2))
