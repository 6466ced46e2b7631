"""A clock that jumps in mid-record: corrected where the coincidences show it, told where they do not."""

from __future__ import annotations

import numpy as np
import pytest

import qkdpost as qp
from qkdpost import simulation
from qkdpost.records import TimeTags
from qkdpost.sifting.time_tags.calibration import Calibration, ChannelDelays, correct
from qkdpost.sifting.time_tags.clicks import test_basis_clicks as select_test_basis
from qkdpost.sifting.time_tags.clock import ClockJump, ClockModel
from qkdpost.sifting.time_tags.clock_jumps import _JumpSearch
from qkdpost.sifting.time_tags.matching import calibrate_to_test_clicks, corrected_events, pair_time_tags
from qkdpost.sifting.time_tags.work_budget import WorkBudget

ALICE = simulation.TaggingReceiver(transmittance=0.3, test_probability=0.3, delays_ps=(0, 3_000, -5_000, 8_000))
BOB = simulation.TaggingReceiver(transmittance=0.3, test_probability=0.3, delays_ps=(500, -3_000, 5_000, 0))
ROUNDS = 39_250
"""What the records have without a jump, less the few at one."""


def records(offset_ps: float = 0.0, drift_ppm: float = 0.0) -> tuple[TimeTags, TimeTags]:
    return simulation.bbm92_time_tags(
        duration_s=1.0,
        pair_rate_hz=4.4e5,
        rng=np.random.default_rng(3),
        alice=ALICE,
        bob=BOB,
        clock_offset_ps=offset_ps,
        clock_drift_ppm=drift_ppm,
    )


def jumped(tags: TimeTags, at: float, jump_ps: float) -> TimeTags:
    ticks = tags.ticks.copy()
    ticks[int(at * ticks.size) :] += int(jump_ps)
    order = np.argsort(ticks, kind="stable")
    return TimeTags(ticks=ticks[order], channels=tags.channels[order], tick_ps=tags.tick_ps)


JUMPS = [
    (0.5, 1e6),
    (0.9, 5e6),
    (0.5, 1e4),
    (0.3, -1e4),
    (0.5, 3e3),
    (0.5, -2e5),
    (0.5, 4e5),
    (0.5, -1e6),
    (0.7, 1e9),
    (0.5, 3e10),
    (0.5, 2e12),
]


@pytest.mark.parametrize(("at", "jump_ps"), JUMPS)
def test_a_jump_costs_hardly_a_round(at: float, jump_ps: float) -> None:
    """Halves of the rounds were lost, or the window grew over both places of the peak."""
    alice, bob = records()
    paired = pair_time_tags(alice, jumped(bob, at, jump_ps))
    clock = paired.reporting_calibration.clock
    assert clock is not None
    (jump,) = clock.jumps
    assert jump.ticks == pytest.approx(jump_ps, abs=100, rel=5e-9)
    assert at * 1e12 - 1e10 < jump.at_tick < at * 1e12 + max(0.0, jump_ps) + 1e10
    assert paired.answering.rounds > 0.998 * ROUNDS
    assert paired.window_ps < 1_000
    assert (paired.answering.key_bits ^ paired.reporting.key_bits).weight() < 0.015 * len(paired.answering.key_bits)
    own = paired.reporting_calibration.delays.own
    assert own - own[0] == pytest.approx(np.array(BOB.delays_ps) - BOB.delays_ps[0], abs=100)


def test_jumps_of_either_clock_and_several() -> None:
    alice, bob = records()
    assert pair_time_tags(jumped(alice, 0.4, 1e6), bob).answering.rounds > 0.998 * ROUNDS
    twice = pair_time_tags(alice, jumped(jumped(bob, 0.4, 1e6), 0.7, -3e7))
    assert twice.answering.rounds > 0.997 * ROUNDS
    assert twice.reporting_calibration.clock is not None
    assert [jump.ticks for jump in twice.reporting_calibration.clock.jumps] == pytest.approx([1e6, -3e7], abs=100)
    far = records(5e12, 50.0)
    assert pair_time_tags(far[0], jumped(far[1], 0.5, 1e6)).answering.rounds > 0.998 * ROUNDS


def test_a_clock_that_runs_evenly_has_no_jumps() -> None:
    for offset_ps, drift_ppm in ((0.0, 0.0), (-3e12, 70.0)):
        clock = pair_time_tags(*records(offset_ps, drift_ppm)).reporting_calibration.clock
        assert clock is not None
        assert clock.jumps == ()


def test_all_detectors_of_a_stretch_are_corrected_alike() -> None:
    """What is taken off a time is its detector's delay, which holds for the whole record, and the same for all."""
    alice, bob = records()
    bob = jumped(bob, 0.5, 1e6)
    disclosed = select_test_basis(alice)
    found, _ = calibrate_to_test_clicks(bob, disclosed.ticks, disclosed.channels - 2)
    assert found.clock is not None
    late = found.clock.to_reference(bob.ticks)
    for piece in (bob.ticks < found.clock.jumps[0].at_tick, bob.ticks >= found.clock.jumps[0].at_tick):
        for channel in range(4):
            assert np.ptp(late[piece & (bob.channels == channel)]) < 100
    assert np.array_equal(np.sort(correct(bob, found).channels), np.sort(bob.channels))


def test_the_model_adds_its_jumps() -> None:
    clock = ClockModel(
        offset_ticks=5.0, drift_ppm=0.0, origin_tick=0, jumps=(ClockJump(10, 100.0), ClockJump(20, -40.0))
    )
    assert clock.to_reference(np.array([0, 9, 10, 19, 20, 99])).tolist() == [5, 5, 105, 105, 65, 65]


@pytest.mark.parametrize("jump", [-2_000_000.0, -3_000.0, 3_000.0, 2_000_000.0])
def test_no_event_at_a_jump_tells_which_detector_was_ready(jump: float) -> None:
    """Clicks to both sides of a jump were moved apart, and their dead time was no longer seen.

    And where a later piece came to lie before the first one, it hid where the record began.
    """
    clock = ClockModel(offset_ticks=500.0, drift_ppm=0.0, origin_tick=0, jumps=(ClockJump(10_000_000, jump),))
    delays = ChannelDelays(own=np.array([0.0, 4_000.0, 0.0, -1_000.0]), reference=np.zeros(2))
    clicks = [(9_000_000, 0), (9_999_990, 0), (10_000_020, 1), (10_049_000, 1), (10_200_000, 2), (12_600_000, 3)]
    ticks, channels = (np.array(column) for column in zip(*clicks, strict=True))
    tags = TimeTags(ticks=ticks, channels=channels.astype(np.uint8), tick_ps=1.0)
    events = corrected_events(tags, Calibration(clock=clock, delays=delays), 1_000, 50_000.0)
    # The first of a record is never told; those 10 ticks before the jump and up to the dead time after it are not.
    told = [10_200_000 - 500 - int(jump), 12_600_000 - 500 - int(jump) + 1_000]
    assert events.ticks.tolist() == told
    assert np.asarray(events.bits).tolist() == [0, 1]


def test_the_edges_of_a_gap_do_not_tell_the_latest_detector() -> None:
    """Between the silence of the latest detector and that of the earliest, an event told that it was the latter."""
    rng = np.random.default_rng(5)
    ticks = np.sort(rng.integers(0, 20_000_000, 20_000))
    tags = TimeTags(ticks=ticks, channels=rng.integers(0, 4, ticks.size).astype(np.uint8), tick_ps=1.0)
    clock = ClockModel(offset_ticks=0.0, drift_ppm=0.0, origin_tick=0, jumps=(ClockJump(10_000_000, -1e6),))
    calibration = Calibration(
        clock=clock, delays=ChannelDelays(own=np.array([0.0, 40_000.0, 0.0, -20_000.0]), reference=np.zeros(2))
    )
    told = corrected_events(tags, calibration, 10, 0.0).ticks
    assert told[told < 10_500_000].max() < 10_000_000 - 40_000
    assert told[told >= 10_500_000].min() > 11_000_000 + 20_000


@pytest.mark.parametrize("step", [0.0, 740.0])
def test_no_line_is_fitted_that_no_clock_runs_along(step: float) -> None:
    """Through two stretches of a burst a steep line fits, and would move the rest of the record out of 64 bits."""
    ticks = np.cumsum(np.random.default_rng(6).integers(1, 200_000, 4_000))
    tags = TimeTags(ticks=ticks, channels=np.zeros(ticks.size, dtype=np.uint8), tick_ps=1.0)
    search = _JumpSearch(tags, ticks, np.zeros(ticks.size, dtype=np.uint8), 10**6, WorkBudget(10**9))
    count = search.offsets.size
    assert count > 30
    search.offsets = step * np.arange(count)
    search.offsets[count // 2 :] += 1e5
    pieces, slope = search.pieces()
    assert len(pieces) == (0 if step else 2)
    assert slope == pytest.approx(0.0, abs=1e-9)


def test_jumps_are_followed_within_the_work_of_a_session() -> None:
    alice, bob = records()
    bob = jumped(bob, 0.9, 5e6)
    disclosed = select_test_basis(alice)
    work = WorkBudget.for_clicks(bob.clicks)
    found, _ = calibrate_to_test_clicks(bob, disclosed.ticks, disclosed.channels - 2, work=work)
    assert found.clock is not None
    assert len(found.clock.jumps) == 1
    assert work.spent <= work.limit


def test_a_session_keeps_the_rounds_and_says_so() -> None:
    alice, bob = records()
    link = qp.LinkConfig(protocol=qp.BBM92TimeTags(), security=qp.Security(epsilon=1e-6))
    clean, broken = qp.distill(alice, bob, link), qp.distill(alice, jumped(bob, 0.5, 1e6), link)
    assert broken.report.rounds > 0.95 * clean.report.rounds
    assert len(broken.key) > 0.9 * len(clean.key)
    assert clean.report.notices == clean.peer_reports[0].notices == ()
    (notice,) = broken.peer_reports[0].notices
    assert "jump" in notice
    assert notice in str(broken.peer_reports[0])
    assert broken.peer_reports[0].to_dict()["notices"] == [notice]


def test_stretches_without_coincidences_are_told() -> None:
    alice, bob = records()
    some = np.flatnonzero((bob.ticks < 0.62e12) | (bob.ticks > 0.91e12))
    silent = TimeTags(ticks=bob.ticks[some], channels=bob.channels[some], tick_ps=1.0)
    # Clicks that have nothing to do with Alice's: the fibre was out, the lamp was on.
    ticks = bob.ticks.copy()
    stray = np.flatnonzero((ticks > 0.62e12) & (ticks < 0.91e12))
    ticks[stray] = np.sort(np.random.default_rng(1).integers(int(0.62e12), int(0.91e12), stray.size))
    lit = TimeTags(ticks=ticks, channels=bob.channels, tick_ps=1.0)
    link = qp.LinkConfig(protocol=qp.BBM92TimeTags(), security=qp.Security(epsilon=1e-6))
    for record, words in ((silent, "no events"), (lit, "coincidences")):
        result = qp.distill(alice, record, link)
        for report in (result.report, result.peer_reports[0]):
            (notice,) = report.notices
            assert "tenths 8 and 9" in notice
            assert words in notice
            assert len(report.matched_by_tenth) == 10
            events, matched = zip(*report.matched_by_tenth, strict=True)
            assert sum(matched) == report.sifted_key_bits + report.sifted_test_bits
            assert min(matched[:6]) > 0.15 * min(events[:6])
        assert result.report.matched_by_tenth == result.peer_reports[0].matched_by_tenth
        assert result.report.to_dict()["matched_by_tenth"][0] == list(result.report.matched_by_tenth[0])
