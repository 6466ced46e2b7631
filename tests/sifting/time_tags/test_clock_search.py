"""Clocks of taggers that nobody started together: seconds and a hundred parts per million apart."""

from __future__ import annotations

import time

import numpy as np
import pytest

import qkdpost as qp
from qkdpost import simulation
from qkdpost.errors import InputError
from qkdpost.records import TimeTags
from qkdpost.sifting.time_tags.calibration import calibrate
from qkdpost.sifting.time_tags.clicks import test_basis_clicks as select_test_basis
from qkdpost.sifting.time_tags.clock import NoCoincidencePeak, find_clock
from qkdpost.sifting.time_tags.matching import calibrate_to_test_clicks, pair_time_tags
from qkdpost.sifting.time_tags.work_budget import MAX_WORK, WorkBudget
from support.yardstick import takes_less_than

SLOWER_MACHINES = 3.0
"""Times of one core are asked for at so many times the bar: other machines are slower, and shared."""


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """Compile first: in a fresh checkout that takes longer than what is timed here."""
    qp.warmup()


def records(
    duration_s: float,
    offset_ps: float,
    drift_ppm: float,
    *,
    pair_rate_hz: float = 1e6,
    transmittance: float = 0.1,
    dark_count_rate_hz: float = 200.0,
    test_probability: float = 0.5,
    seed: int = 1,
) -> tuple[TimeTags, TimeTags]:
    receiver = simulation.TaggingReceiver(
        transmittance=transmittance, dark_count_rate_hz=dark_count_rate_hz, test_probability=test_probability
    )
    return simulation.bbm92_time_tags(
        duration_s=duration_s,
        pair_rate_hz=pair_rate_hz,
        rng=np.random.default_rng(seed),
        alice=receiver,
        bob=receiver,
        clock_offset_ps=offset_ps,
        clock_drift_ppm=drift_ppm,
    )


CASES: dict[str, dict[str, float]] = {
    "1e5/s": {"duration_s": 1.0, "offset_ps": 7e12, "drift_ppm": 80.0},
    "1e5/s, ends of the range": {"duration_s": 2.0, "offset_ps": -9.99e12, "drift_ppm": -99.9},
    "1e5/s, rare test basis": {"duration_s": 2.0, "offset_ps": 9e12, "drift_ppm": 50.0, "test_probability": 0.1},
    "1e5/s, half of the clicks dark": {
        "duration_s": 2.0,
        "offset_ps": 5e12,
        "drift_ppm": -100.0,
        "pair_rate_hz": 5e5,
        "dark_count_rate_hz": 12_500.0,
    },
    "1e6/s, a tenth of a second": {"duration_s": 0.1, "offset_ps": 1e9, "drift_ppm": 100.0, "pair_rate_hz": 1e7},
    "1e6/s": {"duration_s": 0.5, "offset_ps": 9e12, "drift_ppm": 50.0, "pair_rate_hz": 1e7},
    "1e4/s": {"duration_s": 3.0, "offset_ps": -3e12, "drift_ppm": -70.0, "pair_rate_hz": 1e5},
    "3e3/s": {"duration_s": 5.0, "offset_ps": 3e12, "drift_ppm": -50.0, "pair_rate_hz": 2e4},
}


@pytest.mark.parametrize("name", CASES)
def test_free_running_clocks_are_found(name: str) -> None:
    """The share of clicks with a partner is that of the recorded data, a tenth, and half of it in the darker one."""
    case = CASES[name]
    alice, bob = records(**case)  # type: ignore[arg-type]
    disclosed = select_test_basis(alice)
    work = WorkBudget.for_clicks(bob.clicks)
    found, window = calibrate_to_test_clicks(bob, disclosed.ticks, disclosed.channels - 2, work=work)
    assert found.clock is not None
    drift = case["drift_ppm"] * 1e-6
    since = (found.clock.origin_tick - case["offset_ps"]) / (1 + drift)
    late = found.clock.offset_ticks + found.delays.own.mean()
    assert late == pytest.approx(case["offset_ps"] + drift * since, abs=100)
    assert found.clock.drift_ppm == pytest.approx(1e6 * drift / (1 + drift), abs=1e-3)
    assert 300 < window < 2_500
    assert work.spent <= work.limit


@pytest.mark.parametrize("offset_ps", [1e10, -10e12])
def test_a_session_finds_free_running_clocks(offset_ps: float) -> None:
    """At 10^5 clicks a second within ten seconds of one core, for both hosts and all that comes after."""
    alice, bob = records(3.0, offset_ps, 100.0)
    begin = time.process_time()
    result = qp.distill(alice, bob, qp.LinkConfig(protocol=qp.BBM92TimeTags(), security=qp.Security(epsilon=1e-6)))
    assert time.process_time() - begin < 10.0 * SLOWER_MACHINES
    assert result.report.rounds == pytest.approx(3e4, rel=0.05)
    assert len(result.key) > 2_000


@pytest.mark.parametrize("seed", [3, 12, 15, 22, 25])
def test_a_slant_line_through_the_peak_is_not_followed(seed: int) -> None:
    """With a wrong drift a short stretch of these records stands out as well, and is lost in the next longer one."""
    rng = np.random.default_rng(seed)
    alice, bob = simulation.bbm92_time_tags(duration_s=2.0, pair_rate_hz=1e6, clock_drift_ppm=50.0, rng=rng)
    pair_time_tags(alice, bob)  # raised NoCoincidencePeak


def test_the_search_of_a_link_can_be_set() -> None:
    alice, bob = records(0.5, 2e11, 0.0)
    narrow = qp.LinkConfig(protocol=qp.BBM92TimeTags(clock_search_ps=1e11), security=qp.Security(epsilon=1e-6))
    report = qp.distill(alice, bob, narrow).peer_reports[0]
    assert report.abort_reason == "no_coincidences"
    assert "clock_search_ps" in str(report.abort_detail)
    assert "1e+11 ps" in str(report.abort_detail)
    slow = qp.distill(*records(0.5, 0.0, 80.0), qp.LinkConfig(protocol=qp.BBM92TimeTags(max_drift_ppm=5.0)))
    assert "max_drift_ppm of the LinkConfig" in str(slow.peer_reports[0].abort_detail)


@pytest.mark.parametrize("part", [0.6, 0.8])
def test_records_that_overlap_in_part_are_enough(part: float) -> None:
    alice, bob = records(2.0, 7e12, 50.0)
    some = slice(0, int(part * alice.clicks)), slice(int((1 - part) * bob.clicks), None)
    first, second = (
        TimeTags(ticks=tags.ticks[place], channels=tags.channels[place], tick_ps=tags.tick_ps)
        for tags, place in zip((alice, bob), some, strict=True)
    )
    assert pair_time_tags(first, second).answering.rounds == pytest.approx((2 * part - 1) * 2e4, rel=0.1)


def test_no_peak_is_said_of_what_was_searched() -> None:
    rng = np.random.default_rng(3)
    reference, ticks = (np.sort(rng.integers(0, 10**12, size)) for size in (20_000, 40_000))
    tags = TimeTags(ticks=ticks, channels=rng.integers(0, 4, ticks.size), tick_ps=2.0)
    channels = np.zeros(reference.size, dtype=np.uint8)
    with pytest.raises(NoCoincidencePeak) as refused:
        calibrate(tags, reference, channels, search_ps=3e12, work=WorkBudget(10**9))
    words = str(refused.value)
    assert "searched were +-1e+09 ps" not in words or "+-10 ppm" in words
    assert "+-3e+12 ps with +-100 ppm, where " in words
    with pytest.raises(NoCoincidencePeak, match=r"search_ps = 3e\+12 .* was not begun") as refused:
        calibrate(tags, reference, channels, search_ps=3e12, work=WorkBudget(10**6))
    assert "searched were" not in str(refused.value)
    assert "times the work" in str(refused.value)
    far = TimeTags(ticks=ticks + 10**13, channels=tags.channels, tick_ps=1.0)
    with pytest.raises(NoCoincidencePeak, match=r"for no offset within \+-1e\+12 ps do the records overlap"):
        calibrate(far, reference, channels, search_ps=1e12)


def test_a_session_names_its_own_settings() -> None:
    rng = np.random.default_rng(4)
    sides = [
        TimeTags(ticks=np.sort(rng.integers(0, 10**12, 30_000)), channels=rng.integers(0, 4, 30_000), tick_ps=1.0)
        for _ in range(2)
    ]
    report = qp.distill(*sides, qp.LinkConfig(protocol=qp.BBM92TimeTags())).peer_reports[0]
    assert "clock_search_ps of the LinkConfig" in str(report.abort_detail)
    with pytest.raises(NoCoincidencePeak) as refused:
        calibrate_to_test_clicks(sides[1], sides[0].ticks, sides[0].channels // 2)
    assert "LinkConfig" not in str(refused.value)
    assert "search_ps" in str(refused.value)


@pytest.mark.parametrize("own_clicks", [8_000, 100_000])
@pytest.mark.parametrize("peer_clicks", [6_000, 300_000])
def test_uniform_clicks_of_a_stranger_cost_a_second(own_clicks: int, peer_clicks: int) -> None:
    rng = np.random.default_rng(5)
    own, peer = (np.sort(rng.integers(0, 5 * 10**11, size)) for size in (own_clicks, peer_clicks))
    wide = {"search_ticks": 10**13, "bin_ticks": 2_000, "spread_ticks": 50_000, "max_drift_ppm": 100.0}

    def search() -> None:
        work = WorkBudget.for_clicks(own_clicks)
        assert work.limit <= MAX_WORK + 1_000 * own_clicks
        with pytest.raises(NoCoincidencePeak):
            find_clock(peer, own, **wide, work=work)  # type: ignore[arg-type]
        assert work.spent <= work.limit

    assert takes_less_than(1.2 * SLOWER_MACHINES, search)


NO_NUMBERS = [float("nan"), float("inf"), -float("inf"), 10**400, -1.0, 1e300, "1e9", True, None, [1.0, 2.0]]


@pytest.mark.parametrize("value", NO_NUMBERS, ids=repr)
@pytest.mark.parametrize("name", ["dead_time_ps", "window_ps", "search_ps", "max_drift_ppm"])
def test_arguments_that_are_no_numbers_are_refused_by_name(name: str, value: object) -> None:
    tags = TimeTags(ticks=[1, 2, 3], channels=[0, 2, 3], tick_ps=1.0)
    if name in ("window_ps", "search_ps") and value is None:
        return
    with pytest.raises(InputError, match=name):
        pair_time_tags(tags, tags, **{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("clicks", [0, 1, 2])
def test_hardly_any_clicks_are_no_peak(clicks: int) -> None:
    tags = TimeTags(ticks=list(range(clicks)), channels=[2] * clicks, tick_ps=1.0)
    with pytest.raises(NoCoincidencePeak):
        pair_time_tags(tags, tags)
