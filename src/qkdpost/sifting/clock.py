"""The clock of one side against that of the other, from the times of their clicks alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import poisson

from qkdpost._kernels.coincidence import count_differences, strongest_bin
from qkdpost.errors import InputError, RemoteProtocolError
from qkdpost.sifting.clicks import LARGEST_TICK

__all__ = ["ClockModel", "NoCoincidencePeak", "check_peer_ticks", "find_clock"]

FALSE_PEAK_PROBABILITY = 1e-6
FIRST_CLICKS = 256
LARGEST_WORK = 4 * 10**9
MOST_DRIFTS = 2**17


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
    grows until a bin stands out that chance explains with probability below 1e-6, counted over all bins and drifts,
    and that holds half as much again as any other away from it, which tells it from the comb of a pulsed source. The
    stretch then grows to the whole record while drift and offset are followed. Differences rather than a Fourier
    transform, because the work then follows the clicks and not the picoseconds.

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
    search = _Search(reference_ticks, ticks, bin_ticks, spread_ticks)
    for clicks in search.stretches(FIRST_CLICKS):
        drifts = search.drifts(clicks, 0.0, largest_drift_ppm * 1e-6)
        pairs = clicks * (1 + 2 * search_ticks * ticks.size / (1 + int(ticks[-1]) - int(ticks[0])))
        if drifts.size * (pairs + 2 * search_ticks / bin_ticks) > LARGEST_WORK:
            break
        found = search.best(clicks, drifts, -search_ticks, 2 * search_ticks // bin_ticks + 1)
        if found.stands_out(drifts.size, spread_ticks // bin_ticks + 2):
            return search.follow(clicks, found)
    raise NoCoincidencePeak(
        f"no coincidence peak within +-{search_ticks} ticks and +-{largest_drift_ppm} ppm between "
        f"{reference_ticks.size} and {ticks.size} clicks; check that the records overlap, or widen the search"
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


@dataclass(frozen=True, slots=True)
class _Found:
    """The strongest place of the histogram for the best drift."""

    count: int
    lag_ticks: float
    drift: float
    place: int
    histogram: NDArray[np.int32]

    def stands_out(self, drifts: int, neighbours: int) -> bool:
        mean = 2 * float(self.histogram.mean())
        chance = float(poisson.sf(self.count - 1, mean)) * self.histogram.size * drifts
        others = self.histogram.copy()
        others[max(0, self.place - neighbours) : self.place + neighbours + 2] = 0
        return chance < FALSE_PEAK_PROBABILITY and self.count >= 1.5 * strongest_bin(others)[1]


class _Search:
    """Stretches of the reference around its middle, and their histograms against the other record."""

    def __init__(
        self, reference: NDArray[np.int64], ticks: NDArray[np.int64], bin_ticks: int, spread_ticks: int
    ) -> None:
        if not reference.size or not ticks.size:
            raise NoCoincidencePeak("no coincidence peak: one of the records is empty")
        self._reference = reference
        self._ticks = ticks
        self._bin = bin_ticks
        self._spread = spread_ticks
        self._origin = int(reference[reference.size // 2])

    def stretches(self, clicks: int) -> list[int]:
        """Return growing numbers of reference clicks, up to all."""
        total = int(self._reference.size)
        return [clicks << step for step in range(64) if clicks << step < total] + [total]

    def drifts(self, clicks: int, middle: float, reach: float) -> NDArray[np.float64]:
        """Return drifts so close that a stretch of so many clicks is smeared by at most half a bin at its ends."""
        stretch = self._stretch(clicks)
        length = int(stretch[-1]) - int(stretch[0])
        steps = int(np.ceil(reach * length / self._bin))
        if steps > MOST_DRIFTS:
            raise NoCoincidencePeak(f"no coincidence peak: {clicks} clicks in {length} ticks are too sparse to follow")
        return middle + np.linspace(-reach, reach, 2 * steps + 1) if steps else np.array([middle])

    def best(self, clicks: int, drifts: NDArray[np.float64], lowest: int, bins: int) -> _Found:
        """Return the strongest place over all drifts, for lags from `lowest` on."""
        best = _Found(-1, 0.0, 0.0, 0, np.zeros(bins, dtype=np.int32))
        stretch = self._stretch(clicks)
        for drift in drifts.tolist():
            expected = stretch + np.rint((stretch - self._origin) * drift).astype(np.int64)
            histogram = np.zeros(bins, dtype=np.int32)
            count_differences(expected, self._ticks, lowest, self._bin, histogram)
            place, count = strongest_bin(histogram)
            if count > best.count:
                best = _Found(count, lowest + (place + 1.0) * self._bin, drift, place, histogram)
        return best

    def follow(self, clicks: int, found: _Found) -> ClockModel:
        """Grow the stretch to the whole record, narrowing the drift and moving the offset."""
        for wider in self.stretches(clicks)[1:]:
            stretch = self._stretch(clicks)
            # Found on the shorter stretch to a bin at both its ends.
            reach = min(1e-3, 2.0 * self._bin / max(1, int(stretch[-1]) - int(stretch[0])))
            near = 2 * self._bin + self._spread
            lowest = int(found.lag_ticks) - near
            found = self.best(wider, self.drifts(wider, found.drift, reach), lowest, 2 * near // self._bin + 1)
            clicks = wider
        # Fitted as reference to own time; a click is corrected from own to reference time.
        return ClockModel(
            offset_ticks=found.lag_ticks,
            drift_ppm=1e6 * found.drift / (1 + found.drift),
            origin_tick=self._origin + round(found.lag_ticks),
        )

    def _stretch(self, clicks: int) -> NDArray[np.int64]:
        first = max(0, self._reference.size // 2 - clicks // 2)
        return self._reference[first : first + clicks]
