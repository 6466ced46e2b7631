"""The clock of one side against that of the other, from the times of their clicks alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.sifting.time_tags import mark_first_clicks
from qkdpost.errors import InputError
from qkdpost.records import MAX_TICK
from qkdpost.sifting.time_tags.clock_search import IN_TICKS, NEAR_PS, ClockSearch, SearchNames
from qkdpost.sifting.time_tags.work_budget import WorkBudget

__all__ = ["ClockJump", "ClockModel", "NoCoincidencePeak", "check_peer_clicks", "check_peer_ticks", "find_clock"]


class NoCoincidencePeak(InputError):
    """Two records of time tags show no coincidences above those of chance.

    >>> import qkdpost as qp
    >>> from qkdpost import sifting
    >>> alice, _ = qp.simulation.bbm92_time_tags(duration_s=0.02, pair_rate_hz=1e5, rng=1)
    >>> _, bob = qp.simulation.bbm92_time_tags(duration_s=0.02, pair_rate_hz=1e5, rng=2)
    >>> try:
    ...     sifting.pair_time_tags(alice, bob, search_ps=1e6)
    ... except sifting.NoCoincidencePeak:
    ...     print("these records do not belong together")
    these records do not belong together
    """


@dataclass(frozen=True, slots=True)
class ClockJump:
    """A jump of a clock against another.

    Args:
        at_tick: the first tick of the clock after it.
        ticks: what it shows more from then on.
    """

    at_tick: int
    ticks: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockModel:
    """How a clock runs against a reference clock.

    A click at `tick` has the time tick - offset_ticks - drift_ppm 1e-6 (tick - origin_tick) on the reference clock,
    less all jumps up to that tick.

    Args:
        offset_ticks: what the clock shows more than the reference, at `origin_tick`, but for the jumps.
        drift_ppm: how much faster it runs, in parts per million.
        origin_tick: the tick at which the offset holds.
        jumps: jumps of either clock, in the order of time.

    >>> from qkdpost import sifting
    >>> clock = sifting.ClockModel(offset_ticks=100.0, drift_ppm=0.0, origin_tick=0)
    >>> clock.drift_ppm, clock.jumps
    (0.0, ())
    """

    offset_ticks: float
    drift_ppm: float
    origin_tick: int
    jumps: tuple[ClockJump, ...] = ()

    def to_reference(self, ticks: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return what must be subtracted from `ticks` (shape (n,)) to have times of the reference clock."""
        since = (ticks - self.origin_tick).astype(np.float64)
        late = self.offset_ticks + since * (self.drift_ppm * 1e-6)
        if self.jumps:
            shown = np.cumsum([0.0, *(jump.ticks for jump in self.jumps)])
            late += shown[np.searchsorted([jump.at_tick for jump in self.jumps], ticks, side="right")]
        return late


def find_clock(
    reference_ticks: NDArray[np.int64],
    ticks: NDArray[np.int64],
    *,
    search_ticks: int,
    bin_ticks: int,
    spread_ticks: int,
    max_drift_ppm: float = 10.0,
    work: WorkBudget | None = None,
    names: SearchNames = IN_TICKS,
) -> ClockModel:
    """Find offset and linear drift of `ticks` against `reference_ticks` from their coincidences.

    1. Clocks that nearly agree, to `NEAR_PS` and `NEAR_DRIFT_PPM`, are found at once. All differences of times in a
       short stretch go into a histogram, for every drift that would smear it; the stretch grows until a place stands
       out. Places that stand out less are followed to longer stretches, fewer each time.
    2. All of the range is searched in coarse bins, stage by stage (`wide_search`), and what stands out there is looked
       at as in 1. This takes a tenth of a second to two seconds of one core, for any rate of clicks.
    3. What work is left goes to the first search again.

    A place is believed if chance explains it with a probability below 1e-6, counted over all lags and drifts of the
    range. The stretch then grows to the whole record while drift and offset are followed.

    With 10^5 clicks a second of which one in ten has a partner, offsets of 10 s and drifts of 100 ppm are found in
    records of a tenth of a second and longer; from half of a record if the two overlap in that. What share of
    clicks needs a partner depends on the range and on the work allowed; an error says what would have been seen.

    Args:
        reference_ticks: the peer's clicks in the order of time, checked by `check_peer_ticks`; shape (n,).
        ticks: own clicks in the order of time; shape (m,).
        search_ticks: the offset is looked for within +- this.
        bin_ticks: the width of a bin; a few times the jitter.
        spread_ticks: how far the delays of the channels may differ.
        max_drift_ppm: the drift is looked for within +- this.
        work: what the search may cost; seven eighths at most are taken. By default a new budget for the clicks.
        names: the units and settings that an error names.

    Returns:
        The clock, good to about `bin_ticks` over the whole record.

    Raises:
        NoCoincidencePeak: nothing stands out, or not within the work allowed; it says what was searched.
    """
    if not reference_ticks.size or not ticks.size:
        raise NoCoincidencePeak("no coincidence peak: one of the records is empty")
    work = work or WorkBudget.for_clicks(ticks.size)
    share = WorkBudget(7 * work.left // 8)
    search = ClockSearch(
        reference_ticks,
        ticks,
        search_ticks=search_ticks,
        bin_ticks=bin_ticks,
        spread_ticks=spread_ticks,
        max_drift=max_drift_ppm * 1e-6,
        near_ticks=round(NEAR_PS / names.tick_ps),
        work=share,
    )
    try:
        found = search.find()
    finally:
        work.spend(share.spent)
    if found is None:
        raise NoCoincidencePeak(search.in_words(names))
    lag, origin = found
    return ClockModel(
        offset_ticks=lag.ticks, drift_ppm=1e6 * lag.drift / (1 + lag.drift), origin_tick=origin + round(lag.ticks)
    )


def check_peer_ticks(ticks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return `ticks` that a peer sent, if they are in the order of time and within +-2^61.

    Raises:
        InputError: they are not.
    """
    if ticks.size and (int(ticks.min()) < -MAX_TICK or int(ticks.max()) > MAX_TICK):
        raise InputError(f"ticks must lie within +-2^61; found {int(ticks.min())} ... {int(ticks.max())}")
    if ticks.size > 1 and bool((ticks[1:] < ticks[:-1]).any()):
        raise InputError("ticks must be in the order of time")
    return ticks


def check_peer_clicks(ticks: NDArray[np.int64], outcomes: NDArray[np.uint8], dead_time_ticks: int) -> NDArray[np.int64]:
    """Return `ticks` that a peer sent, if it can have recorded them and dropped its echoes as the link demands.

    Both hosts drop a detector's clicks within the dead time of the one before, in ticks of the same length: a peer
    that announces such clicks has not done so, and they are refused rather than dropped. At least a tick lies between
    two clicks of one detector, so that no tick holds more clicks than there are detectors.

    Args:
        ticks: times, shape (n,).
        outcomes: which detector clicked, 0 ... 3; shape (n,).
        dead_time_ticks: from `clicks.dead_time_ticks`.

    Raises:
        InputError: the ticks are out of order or range, or two of a detector are closer than that.
    """
    check_peer_ticks(ticks)
    kept = mark_first_clicks(ticks, outcomes, dead_time_ticks, np.empty(ticks.size, dtype=np.uint8))
    if kept != ticks.size:
        raise InputError(
            f"{ticks.size - kept} of {ticks.size} clicks follow another of their detector by less than "
            f"{dead_time_ticks} ticks, the dead time of the link"
        )
    return ticks
