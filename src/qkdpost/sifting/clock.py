"""The clock of one side against that of the other, from the times of their clicks alone."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qkdpost.errors import InputError, RemoteProtocolError
from qkdpost.sifting.clicks import LARGEST_TICK
from qkdpost.sifting.lag_search import Lag, LagSearch, TooSparse

__all__ = ["ClockModel", "NoCoincidencePeak", "check_peer_ticks", "find_clock"]

FIRST_CLICKS = 256
LARGEST_WORK = 10**9
"""Differences and bins to be counted for one stretch; seconds."""
MIDDLES = (0.5, 0.25, 0.75)
"""Where in the record stretches are laid, one after another."""


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

    Returns:
        The clock, good to about `bin_ticks` over the whole record.

    Raises:
        NoCoincidencePeak: nothing stands out.
    """
    if not reference_ticks.size or not ticks.size:
        raise NoCoincidencePeak("no coincidence peak: one of the records is empty")
    density = ticks.size / (1 + int(ticks[-1]) - int(ticks[0]))
    for place in MIDDLES:
        middle = int(place * reference_ticks.size)
        search = LagSearch(reference_ticks, ticks, middle=middle, bin_ticks=bin_ticks)
        clicks = min(FIRST_CLICKS, reference_ticks.size)
        with suppress(TooSparse):
            while True:
                drifts = search.drifts(clicks, 0.0, largest_drift_ppm * 1e-6)
                if drifts.size * 2 * search_ticks * (clicks * density + 1 / bin_ticks) > LARGEST_WORK:
                    break
                lags = search.scan(clicks, drifts, search_ticks)
                found = search.confirm(
                    clicks,
                    lags,
                    largest_drift=largest_drift_ppm * 1e-6,
                    reach_ticks=search_ticks,
                    spread_ticks=spread_ticks,
                )
                if found:
                    lag = search.follow(*found, spread_ticks=spread_ticks)
                    return _clock_of(lag, search.origin)
                if clicks >= reference_ticks.size:
                    break
                clicks *= 2
    raise NoCoincidencePeak(
        f"no coincidence peak within +-{search_ticks} ticks and +-{largest_drift_ppm} ppm between "
        f"{reference_ticks.size} and {ticks.size} clicks; check that the records overlap, or widen the search"
    )


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
