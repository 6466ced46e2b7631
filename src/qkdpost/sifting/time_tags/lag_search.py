"""The search for a common lag and drift in the differences of two lists of times.

Histograms of differences are taken over stretches of the reference, for drifts so close that none smears a peak by
more than half a bin. Differences rather than a Fourier transform, because the work then follows the clicks and not
the picoseconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from qkdpost._kernels.sifting.time_tags import bins_from, count_differences
from qkdpost.sifting.time_tags.work_budget import WorkBudget
from qkdpost.threads import each

__all__ = ["Lag", "LagSearch", "TooSparse", "count_by_chance"]

FALSE_PEAK_PROBABILITY = 1e-6 / 32
"""Of one look; 32 or fewer are taken at a pair of records."""
CANDIDATES = 256
"""How many places may be followed to a longer stretch although chance explains them."""
MAX_DRIFTS = 2**17
MAX_CLICKS = 2**17
"""Of a stretch with more clicks an even choice of this many is enough to follow a peak that has been found."""
UNITS_PER_HISTOGRAM = 10_000
UNITS_PER_PLACE = 500
UNITS_PER_CLICK_COUNTED = 25


class TooSparse(Exception):
    """So few clicks in so long a time that no drift can be followed."""


@dataclass(frozen=True, slots=True)
class Lag:
    """A place where differences pile up: how many, at which lag in ticks at the origin, for which drift."""

    count: int
    ticks: float
    drift: float


class LagSearch:
    """Two lists of times, looked at in stretches of `reference` around one of its clicks.

    Every method but `length` and `drifts` charges what it does to `work`, and raises `OutOfWork` rather than do it.
    """

    def __init__(
        self,
        reference: NDArray[np.int64],
        ticks: NDArray[np.int64],
        *,
        middle: int,
        bin_ticks: int,
        work: WorkBudget,
        places: float = 1.0,
    ) -> None:
        """Look at `reference` around its click number `middle`, in bins of `bin_ticks`.

        Where a coarser search has chosen what is looked at, it chose among `places` times as many lags and drifts.
        """
        self._work = work
        self._places = places
        self._reference = reference
        self._ticks = ticks
        self._middle = middle
        self._bin = bin_ticks
        self.origin = int(reference[middle])

    def drifts(self, clicks: int, around: float, reach: float) -> NDArray[np.float64]:
        """Return drifts within +-reach, so close that the ends of a stretch of `clicks` move by half a bin at most.

        Raises:
            TooSparse: they are too many.
        """
        length = self.length(clicks)
        steps = int(np.ceil(reach * length / self._bin))
        if steps > MAX_DRIFTS:
            raise TooSparse(f"{clicks} clicks in {length} ticks")
        return around + np.linspace(-reach, reach, 2 * steps + 1) if steps else np.array([around])

    def length(self, clicks: int) -> int:
        """Return how many ticks a stretch of this number of clicks takes."""
        stretch = self._stretch(clicks)
        return int(stretch[-1]) - int(stretch[0])

    def scan(self, clicks: int, drifts: NDArray[np.float64], reach_ticks: int) -> list[Lag]:
        """Return the places within +-reach_ticks that chance would hardly make, the fullest first.

        It takes three quarters of the work left at most, so that what it finds can be followed.
        """
        bins = 2 * reach_ticks // self._bin + 1
        self._charge(clicks, drifts, -reach_ticks, bins, most=3 * self._work.left // 4)
        mean = 2 * float(self._histogram(clicks, float(drifts[0]), -reach_ticks, bins).mean())
        least = max(3, count_by_chance(min(0.5, CANDIDATES / (bins * drifts.size)), mean))

        def fullest_bins(drift: float) -> list[Lag]:
            places, counts = np.empty((2, 4 * CANDIDATES), dtype=np.int64)
            size = bins_from(self._histogram(clicks, drift, -reach_ticks, bins), least, places, counts)
            full = zip(places[:size].tolist(), counts[:size].tolist(), strict=True)
            return [Lag(count, (place + 1.0) * self._bin - reach_ticks, drift) for place, count in full]

        found: list[Lag] = []
        for lags in each(fullest_bins, drifts.tolist()):
            self._work.spend(UNITS_PER_PLACE * len(lags))
            found += lags
        return sorted(found, key=lambda lag: -lag.count)[: 2 * CANDIDATES]

    def confirm(
        self, clicks: int, lags: list[Lag], *, max_drift: float, reach_ticks: int, spread_ticks: int
    ) -> tuple[int, Lag] | None:
        """Follow `lags` of a stretch to longer ones, fewer each time, until one stands out.

        Returns:
            The clicks of the stretch and the lag there, or None.
        """
        while lags:
            drifts = 2 * int(np.ceil(max_drift * self.length(clicks) / self._bin)) + 1
            if self._stands_out(clicks, lags[0], drifts, reach_ticks, spread_ticks):
                return clicks, lags[0]
            if clicks >= self._reference.size or clicks > MAX_CLICKS:
                return None
            reach = 2.0 * self._bin / max(1, self.length(clicks))
            clicks *= 2
            try:
                grown = [self._fullest(clicks, lag, reach) for lag in lags]
            except TooSparse:
                return None
            lags = sorted(grown, key=lambda lag: -lag.count)[: len(lags) // 4]
        return None

    def follow(
        self,
        clicks: int,
        lag: Lag,
        *,
        spread_ticks: int,
        moves_ticks: float | None = None,
        max_clicks: int | None = None,
    ) -> Lag:
        """Grow the stretch to the whole record, or to `max_clicks`, sharpening the drift.

        The peaks of several channels lie within the spread, and a wrong drift may join two of them: all together
        they are sharpest for the right one. A drift that may still be wrong moves the ends of the stretch by
        `moves_ticks` at most, by default twice the spread.

        Raises:
            TooSparse: there are gaps that leave the drift open.
        """
        reach = 2.0 * spread_ticks if moves_ticks is None else moves_ticks
        while True:
            drifts = self.drifts(clicks, lag.drift, min(1e-3, reach / max(1, self.length(clicks))))
            lag = self._sharpest(clicks, lag, drifts, spread_ticks)
            if clicks >= (max_clicks or self._reference.size):
                return lag
            reach = 4.0 * self._bin
            clicks *= 2

    def _fullest(self, clicks: int, lag: Lag, reach: float) -> Lag:
        lowest, bins = int(lag.ticks) - 3 * self._bin, 6
        best = Lag(-1, lag.ticks, lag.drift)
        drifts = self.drifts(clicks, lag.drift, reach)
        self._charge(clicks, drifts, lowest, bins)
        for drift, histogram in zip(drifts.tolist(), self._histograms(clicks, drifts, lowest, bins), strict=True):
            sums = histogram[1:] + histogram[:-1]
            place = int(np.argmax(sums))
            if sums[place] > best.count:
                best = Lag(int(sums[place]), lowest + (place + 1.0) * self._bin, drift)
        return best

    def _sharpest(self, clicks: int, lag: Lag, drifts: NDArray[np.float64], spread_ticks: int) -> Lag:
        bins = 2 * spread_ticks // self._bin + 2
        lowest = int(lag.ticks) - spread_ticks
        best, sharpness = lag, -1.0
        self._charge(clicks, drifts, lowest, bins, max_clicks=MAX_CLICKS)
        histograms = self._histograms(clicks, drifts, lowest, bins, MAX_CLICKS)
        for drift, histogram in zip(drifts.tolist(), histograms, strict=True):
            squares = float(np.square(histogram[1:] + histogram[:-1], dtype=np.float64).sum())
            if squares > sharpness:
                place = int(np.argmax(histogram))
                best, sharpness = Lag(int(histogram[place]), lowest + (place + 0.5) * self._bin, drift), squares
        return best

    def _stands_out(self, clicks: int, lag: Lag, drifts: int, reach_ticks: int, spread_ticks: int) -> bool:
        """Return whether chance explains `lag` with less than the probability of a false peak, over all that was tried.

        It must also stand half as high again above the mean as any place further away, which sets it apart from the
        comb of a pulsed source, whose teeth chance does not explain either.
        """
        bins = 2 * reach_ticks // self._bin + 1
        self._charge(clicks, np.array([lag.drift]), -reach_ticks, bins)
        histogram = self._histogram(clicks, lag.drift, -reach_ticks, bins)
        mean = 2 * float(histogram.mean())
        chance = (float(special.pdtrc(lag.count - 1, mean)) if lag.count else 1.0) * bins * drifts * self._places
        if chance > FALSE_PEAK_PROBABILITY:
            return False
        place = int(lag.ticks + reach_ticks) // self._bin
        near = spread_ticks // self._bin + 2
        histogram[max(0, place - near) : place + near] = 0
        highest = int((histogram[1:] + histogram[:-1]).max(initial=0))
        return lag.count - mean >= 1.5 * max(0.0, highest - mean)

    def _histogram(
        self, clicks: int, drift: float, lowest: int, bins: int, max_clicks: int | None = None
    ) -> NDArray[np.int32]:
        expected = self._expected(clicks, drift, max_clicks)
        ends = np.searchsorted(self._ticks, [expected[0] + lowest, expected[-1] + lowest + bins * self._bin])
        histogram = np.zeros(bins, dtype=np.int32)
        count_differences(expected, self._ticks[ends[0] : ends[1]], lowest, self._bin, histogram)
        return histogram

    def _histograms(
        self, clicks: int, drifts: NDArray[np.float64], lowest: int, bins: int, max_clicks: int | None = None
    ) -> list[NDArray[np.int32]]:
        return each(lambda drift: self._histogram(clicks, drift, lowest, bins, max_clicks), drifts.tolist())

    def _charge(
        self,
        clicks: int,
        drifts: NDArray[np.float64],
        lowest: int,
        bins: int,
        *,
        max_clicks: int | None = None,
        most: int | None = None,
    ) -> None:
        """Charge one histogram for each of `drifts`, which increase, and one more.

        The differences are counted for the drift in the middle, over as much more at both ends as the others move
        the clicks: no histogram holds more.
        """
        expected = self._expected(clicks, float(drifts[0] + drifts[-1]) / 2, max_clicks)
        self._work.spend(UNITS_PER_CLICK_COUNTED * expected.size, most=most)
        furthest = max(abs(int(expected[0]) - self.origin), abs(int(expected[-1]) - self.origin))
        more = 2 + int(1.01 * float(drifts[-1] - drifts[0]) / 2 * furthest)
        first = np.searchsorted(self._ticks, expected + (lowest - more))
        end = np.searchsorted(self._ticks, expected + (lowest + bins * self._bin + more))
        differences = int((end - first).sum())
        passed = expected.size + int(end[-1] - first[0]) // 2
        self._work.spend((drifts.size + 1) * (UNITS_PER_HISTOGRAM + differences + bins + passed), most=most)

    def _expected(self, clicks: int, drift: float, max_clicks: int | None) -> NDArray[np.int64]:
        """Return where own clicks of the same pairs are expected if the clocks differ by `drift` alone."""
        stretch = self._stretch(clicks)
        if max_clicks is not None:
            stretch = stretch[:: -(-stretch.size // max_clicks)]
        expected: NDArray[np.int64] = stretch + np.rint((stretch - self.origin) * drift).astype(np.int64)
        return expected

    def _stretch(self, clicks: int) -> NDArray[np.int64]:
        first = min(self._middle - clicks // 2, self._reference.size - clicks)
        return self._reference[max(0, first) : max(0, first) + clicks]


def count_by_chance(chance: float, mean: float) -> int:
    """Return the least count that a Poisson variable of this mean exceeds with a probability of `chance` at most.

    As `scipy.stats.poisson.isf` has it, whose import takes half a second.
    """
    count = max(0, math.ceil(special.pdtrik(1.0 - chance, mean)))
    below = max(0, count - 1)
    return below if special.pdtr(below, mean) >= 1.0 - chance else count
