"""The clock of one side against that of the other, from the times of their clicks alone."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.coincidence import mark_first_clicks
from qkdpost.errors import InputError, RemoteProtocolError
from qkdpost.sifting.clicks import LARGEST_TICK
from qkdpost.sifting.lag_search import Lag, LagSearch, TooSparse
from qkdpost.sifting.work import OutOfWork, WorkBudget

__all__ = ["ClockModel", "NoCoincidencePeak", "check_peer_clicks", "check_peer_ticks", "find_clock"]

FIRST_CLICKS = 64
MIDDLES = {0.5: 4, 0.25: 1, 0.75: 1}
"""Where in the record stretches are laid, one after another, and how many sixths of the work each may take."""


class NoCoincidencePeak(InputError):
    """Two records of time tags show no coincidences above those of chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockModel:
    """How a clock runs against a reference clock.

    A click at `tick` has the time tick - offset_ticks - drift_ppm 1e-6 (tick - origin_tick) on the reference clock.

    Args:
        offset_ticks: what the clock shows more than the reference, at `origin_tick`.
        drift_ppm: how much faster it runs, in parts per million.
        origin_tick: the tick at which the offset holds.
    """

    offset_ticks: float
    drift_ppm: float
    origin_tick: int

    def to_reference(self, ticks: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return what must be subtracted from `ticks` (shape (n,)) to have times of the reference clock."""
        since = (ticks - self.origin_tick).astype(np.float64)
        return self.offset_ticks + since * (self.drift_ppm * 1e-6)


def find_clock(
    reference_ticks: NDArray[np.int64],
    ticks: NDArray[np.int64],
    *,
    search_ticks: int,
    bin_ticks: int,
    spread_ticks: int,
    largest_drift_ppm: float = 10.0,
    work: WorkBudget | None = None,
) -> ClockModel:
    """Find offset and linear drift of `ticks` against `reference_ticks` from their coincidences.

    All differences of times in a short stretch go into a histogram, for every drift that would smear it; the stretch
    grows until a place stands out that chance explains with probability below 1e-6, counted over all places and
    drifts. Places that stand out less are followed to longer stretches, fewer each time, so that a peak is found
    which only a longer one shows. The stretch then grows to the whole record while drift and offset are followed.

    Args:
        reference_ticks: the peer's clicks in the order of time, checked by `check_peer_ticks`; shape (n,).
        ticks: own clicks in the order of time; shape (m,).
        search_ticks: the offset is looked for within +- this.
        bin_ticks: the width of a bin; a few times the jitter.
        spread_ticks: how far the delays of the channels may differ.
        largest_drift_ppm: the drift is looked for within +- this.
        work: what the search may cost; it takes seven eighths at most. By default a new budget for so many clicks.

    Returns:
        The clock, good to about `bin_ticks` over the whole record.

    Raises:
        NoCoincidencePeak: nothing stands out, or not within the work allowed.
    """
    if not reference_ticks.size or not ticks.size:
        raise NoCoincidencePeak("no coincidence peak: one of the records is empty")
    work = work or WorkBudget.for_clicks(ticks.size)
    allowed = 7 * work.left // 8
    for place, sixths in MIDDLES.items():
        share = WorkBudget(sixths * allowed // 6)
        middle = int(place * reference_ticks.size)
        search = LagSearch(reference_ticks, ticks, middle=middle, bin_ticks=bin_ticks, work=share)
        try:
            lag = _search(search, reference_ticks.size, search_ticks, spread_ticks, largest_drift_ppm * 1e-6)
        finally:
            work.spend(share.spent)
        if lag is not None:
            return _clock_of(lag, search.origin)
    raise NoCoincidencePeak(
        f"no coincidence peak within +-{search_ticks} ticks and +-{largest_drift_ppm} ppm between "
        f"{reference_ticks.size} and {ticks.size} clicks; check that the records overlap, or widen the search"
    )


def _search(
    search: LagSearch, most_clicks: int, search_ticks: int, spread_ticks: int, largest_drift: float
) -> Lag | None:
    """Return the lag that stands out in growing stretches around one place, or None."""
    clicks = min(FIRST_CLICKS, most_clicks)
    with suppress(TooSparse, OutOfWork):
        while True:
            lags = search.scan(clicks, search.drifts(clicks, 0.0, largest_drift), search_ticks)
            found = search.confirm(
                clicks, lags, largest_drift=largest_drift, reach_ticks=search_ticks, spread_ticks=spread_ticks
            )
            if found:
                return search.follow(*found, spread_ticks=spread_ticks)
            if clicks >= most_clicks:
                break
            clicks *= 2
    return None


def _clock_of(lag: Lag, origin: int) -> ClockModel:
    """Turn a drift of own time against the reference's into one that is taken off own time."""
    return ClockModel(
        offset_ticks=lag.ticks, drift_ppm=1e6 * lag.drift / (1 + lag.drift), origin_tick=origin + round(lag.ticks)
    )


def check_peer_ticks(ticks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return `ticks` that a peer sent, if they are in the order of time and within +-2^61.

    Raises:
        RemoteProtocolError: they are not.
    """
    if ticks.size and (int(ticks.min()) < -LARGEST_TICK or int(ticks.max()) > LARGEST_TICK):
        raise RemoteProtocolError("the peer's ticks leave the range of +-2^61")
    if ticks.size > 1 and bool((ticks[1:] < ticks[:-1]).any()):
        raise RemoteProtocolError("the peer's ticks are not in the order of time")
    return ticks


def check_peer_clicks(ticks: NDArray[np.int64], outcomes: NDArray[np.uint8], dead_time_ticks: int) -> NDArray[np.int64]:
    """Return `ticks` that a peer sent, if it can have recorded them and dropped its echoes as the link demands.

    Both hosts drop a detector's clicks within the dead time of the one before, in ticks of the same length: a peer
    that tells such clicks has not done so, and they are refused rather than dropped. At least a tick lies between
    two clicks of one detector, so that no tick holds more clicks than there are detectors.

    Args:
        ticks: times, shape (n,).
        outcomes: which detector clicked, 0 ... 3; shape (n,).
        dead_time_ticks: from `clicks.dead_time_ticks`.

    Raises:
        RemoteProtocolError: the ticks are out of order or range, or two of a detector are closer than that.
    """
    check_peer_ticks(ticks)
    kept = mark_first_clicks(ticks, outcomes, dead_time_ticks, np.empty(ticks.size, dtype=np.uint8))
    if kept != ticks.size:
        raise RemoteProtocolError(
            f"{ticks.size - kept} of the peer's {ticks.size} clicks follow another of their detector by less than "
            f"{dead_time_ticks} ticks, the dead time of the link"
        )
    return ticks
