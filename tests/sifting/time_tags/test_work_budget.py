"""What a peer's clicks can make a host do, counted in differences and bins that the kernels really looked at."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from qkdpost import simulation
from qkdpost.errors import InputError
from qkdpost.records import TimeTags
from qkdpost.sifting.tag_files import load_time_tags
from qkdpost.sifting.time_tags import calibration, lag_search
from qkdpost.sifting.time_tags.clicks import suppress_echoes
from qkdpost.sifting.time_tags.clicks import test_basis_clicks as select_test_basis
from qkdpost.sifting.time_tags.clock import NoCoincidencePeak, check_peer_clicks
from qkdpost.sifting.time_tags.matching import calibrate_to_test_clicks
from qkdpost.sifting.time_tags.work_budget import MAX_WORK, OutOfWork, WorkBudget

OWN_CLICKS = 200_000
Counter = dict[str, int]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter:
    """Count what the kernels do, apart from the account that is tested."""
    counter = {"units": 0, "histograms": 0, "pairs": 0}
    count, collect = lag_search.count_differences, calibration.collect_differences

    def count_differences(
        reference: Any, ticks: Any, lowest: int, bin_ticks: int, histogram: NDArray[np.int32]
    ) -> None:
        count(reference, ticks, lowest, bin_ticks, histogram)
        counter["units"] += int(histogram.sum(dtype=np.int64)) + histogram.size + reference.size + ticks.size // 2
        counter["histograms"] += 1

    def collect_differences(reference: Any, ticks: Any, low: int, high: int, first: Any, second: Any) -> int:
        found = int(collect(reference, ticks, low, high, first, second))
        counter["pairs"] += found
        counter["units"] += found + reference.size + ticks.size // 2
        return found

    monkeypatch.setattr(lag_search, "count_differences", count_differences)
    monkeypatch.setattr(calibration, "collect_differences", collect_differences)
    return counter


def own_tags() -> TimeTags:
    rng = np.random.default_rng(8)
    return TimeTags(
        ticks=np.sort(rng.integers(0, 10**11, OWN_CLICKS)), channels=rng.integers(0, 4, OWN_CLICKS), tick_ps=1.0
    )


def hostile(name: str) -> NDArray[np.int64]:
    rng = np.random.default_rng(9)
    own, middle, many = own_tags().ticks, 5 * 10**10, np.arange(60_000)
    match name:
        case "unrelated":
            ticks = rng.integers(0, 10**11, 60_000)
        case "equal":
            ticks = np.full(60_000, middle)
        case "every tick":
            ticks = middle + many
        case "every dead time":
            ticks = middle + 25_000 * many
        case "copied at ten offsets":
            ticks = np.concatenate([own[::40] + offset for offset in rng.integers(-(10**9), 10**9, 10)])
        case "copied every 50 ns":
            ticks = np.concatenate([own[::7] + 50_000 * copy for copy in range(5)])
        case "copied side by side":
            ticks = np.concatenate([own[:1_000] + 4_000 * copy for copy in range(60)])
        case "heaps":
            ticks = rng.integers(0, 200, 60_000) * 5 * 10**8 + rng.integers(0, 10**5, 60_000)
        case _:
            ticks = np.linspace(-(2**60), 2**60, 60_000)
    return np.sort(ticks).astype(np.int64)


@pytest.mark.parametrize(
    "name",
    [
        "unrelated",
        "equal",
        "every tick",
        "every dead time",
        "copied at ten offsets",
        "copied every 50 ns",
        "copied side by side",
        "heaps",
        "spread over years",
    ],
)
def test_hostile_clicks_cost_no_more_than_is_allowed(name: str, counted: Counter) -> None:
    ticks = hostile(name)
    work = WorkBudget(200_000_000)
    with suppress(NoCoincidencePeak):  # copies of own clicks may be taken for common photons, and cost no more
        calibrate_to_test_clicks(own_tags(), ticks, np.zeros(ticks.size, dtype=np.uint8), work=work)
    assert counted["units"] <= work.spent <= work.limit
    assert counted["histograms"] * lag_search.UNITS_PER_HISTOGRAM <= work.limit


def test_copied_clicks_cost_no_more_than_honest_ones(counted: Counter) -> None:
    """They are found, as they would be if the peer had seen the same photons."""
    ticks = own_tags().ticks[::3] + 12_345
    work = WorkBudget()
    found, _ = calibrate_to_test_clicks(own_tags(), ticks, np.zeros(ticks.size, dtype=np.uint8), work=work)
    assert found.clock is not None
    assert found.clock.offset_ticks + found.delays.own == pytest.approx(-12_345, abs=30)
    assert counted["units"] <= work.spent <= work.limit // 4


def test_pairs_are_charged_before_they_are_held(counted: Counter) -> None:
    """A peer whose events are all in one place gets no list of pairs longer than honest ones."""
    ticks = np.full(60_000, int(own_tags().ticks[1_000]))
    tags = own_tags()
    with pytest.raises(NoCoincidencePeak):
        calibration.calibrate(tags, ticks, np.zeros(ticks.size, dtype=np.uint8), search_ps=None, work=WorkBudget(10**6))
    assert counted["pairs"] == 0
    dense = np.sort(np.repeat(tags.ticks[::2_000], 10_000)[:60_000])
    close = TimeTags(
        ticks=np.sort(np.repeat(dense[::10_000], 1_000)), channels=np.zeros(6_000, dtype=np.uint8), tick_ps=1.0
    )
    calibration.calibrate(close, dense, np.zeros(dense.size, dtype=np.uint8), search_ps=None)
    assert 0 < counted["pairs"] <= 8 * dense.size + 2**16


def test_recorded_tags_need_a_third_of_what_is_allowed(data_directory: Path, counted: Counter) -> None:
    tick_ps = 78.125
    alice, bob = load_time_tags(data_directory / "kwiat_bbm92_timetags/Alice1_Bob1_with_delays.txt", tick_ps)
    disclosed = select_test_basis(suppress_echoes(alice, 300 * tick_ps))
    work = WorkBudget()
    calibrate_to_test_clicks(suppress_echoes(bob, 300 * tick_ps), disclosed.ticks, disclosed.channels - 2, work=work)
    assert counted["units"] <= work.spent <= MAX_WORK // 3


@pytest.mark.parametrize(("offset_ps", "drift_ppm"), [(0.9e9, 9.5), (-0.9e9, -9.5)])
def test_few_pairs_in_a_long_time_are_found(offset_ps: float, drift_ppm: float, counted: Counter) -> None:
    """Two hundred pairs a second, anywhere within +-1 ms and +-10 ppm."""
    receiver = simulation.TaggingReceiver(transmittance=0.1, dark_count_rate_hz=200.0)
    alice, bob = simulation.bbm92_time_tags(
        duration_s=5.0,
        pair_rate_hz=2e4,
        rng=np.random.default_rng(5),
        alice=receiver,
        bob=receiver,
        clock_offset_ps=offset_ps,
        clock_drift_ppm=drift_ppm,
    )
    disclosed = select_test_basis(alice)
    work = WorkBudget()
    found, _ = calibrate_to_test_clicks(bob, disclosed.ticks, disclosed.channels - 2, work=work)
    assert found.clock is not None
    assert found.clock.drift_ppm == pytest.approx(drift_ppm, abs=0.01)
    assert counted["units"] <= work.spent <= MAX_WORK // 2


def test_clicks_within_the_dead_time_are_refused() -> None:
    ticks, outcomes = np.array([10, 10, 15, 20]), np.array([0, 1, 0, 1], dtype=np.uint8)
    assert check_peer_clicks(ticks, outcomes, 5) is ticks
    with pytest.raises(InputError, match="1 of 4 clicks"):
        check_peer_clicks(ticks, outcomes, 6)
    for equal in (np.array([7, 7]), np.array([3, 2])):
        with pytest.raises(InputError):
            check_peer_clicks(equal, np.zeros(2, dtype=np.uint8), 1)


def test_differences_that_only_the_steepest_drift_shows_are_charged(counted: Counter) -> None:
    """Own clicks lie where the last of the drifts expects them, and far from where the others do."""
    reference = np.concatenate([np.zeros(1), np.full(20_000, 10**9)]).astype(np.int64)
    ticks = np.full(2_000, 10**9 + 10_000)
    work = WorkBudget(10**11)
    search = lag_search.LagSearch(reference, ticks, middle=0, bin_ticks=100, work=work)
    search.scan(reference.size, np.linspace(-1e-5, 1e-5, 201), 100)
    assert 20_000 * 2_000 < counted["units"] <= work.spent


def test_the_account() -> None:
    work = WorkBudget(100)
    work.spend(60)
    for units, most in ((41, None), (20, 19)):
        with pytest.raises(OutOfWork):
            work.spend(units, most=most)
    work.spend(40, most=40)
    assert (work.spent, work.left) == (100, 0)
    assert WorkBudget.for_clicks(10).limit > MAX_WORK
