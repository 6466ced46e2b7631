"""The search for a clock that may be seconds and a hundred parts per million away.

Clicks are counted in coarse bins, and the counts of a long stretch of the reference are correlated with the other
side's by Fourier transform, once for each drift that would smear a peak over more than a bin. The work follows the
number of bins alone, neither the clicks nor what they are: a peer cannot make it longer.

How much is seen: of a stretch of T with r_A clicks a second, a share s of which have a partner among the r_B of the
other side, s r_A T pairs lie in two adjacent bins of width b, above chance that varies by sqrt(2 r_A r_B T b): the peak
stands s sqrt(r_A T / (2 r_B b)) standard deviations high. A drift within +-d takes d T / b + 1 transforms of
(T + L) / b points for lags within a range of L. The bins are halved, at four times the work, until a peak is found that
`lag_search` confirms in bins as fine as the jitter, or the work allowed is spent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, rfft

from qkdpost.sifting.time_tags.work_budget import WorkBudget

__all__ = ["CoarseLag", "CoarseStage", "WideSearch"]

MIN_POINTS = 2**17
MAX_POINTS = 2**20
MIN_HEIGHT = 5.0
"""Standard deviations below which no place is worth a closer look: chance makes such ones by the dozen."""
SEEN_HEIGHT = 8.0
"""Standard deviations of a peak that no other place will hide, and the smearing within bins has not lowered too far."""
MAX_CANDIDATES = 6
_PER_DRIFT = 3
_SMOOTH_BINS = 64
_MIN_LAGS = 1024
_SPARE_BINS = 2 * _SMOOTH_BINS + 2 * _MIN_LAGS
_VARIANCE_BINS = 4096
_FINE_PER_BIN = 4
UNITS_PER_POINT = 28
"""Of one transform forth and back with what belongs to it."""


@dataclass(frozen=True, slots=True)
class CoarseLag:
    """A place that may be a peak: standard deviations above chance, lag in ticks at the origin, drift."""

    height: float
    ticks: float
    drift: float


@dataclass(frozen=True, slots=True)
class CoarseStage:
    """What one width of bins has shown.

    Args:
        lags: places to look at more closely, the highest first.
        bin_ticks: the width of the bins; a lag is good to two of them.
        drift_step: between two drifts that were tried.
        share: the least share of the reference's clicks with a partner that would have been seen.
    """

    lags: list[CoarseLag]
    bin_ticks: int
    drift_step: float
    share: float


class WideSearch:
    """Two lists of times, of which `reference` is a stretch; lags from `lowest` to `highest`, drifts within +-.

    Args:
        reference: in the order of time, not empty, shape (n,).
        ticks: in the order of time, shape (m,).
        lowest: the lowest lag, in ticks, at the middle of the stretch.
        highest: the highest.
        max_drift: a number, not ppm.
        min_bin_ticks: bins are not made narrower.
        work: is charged.
    """

    def __init__(
        self,
        reference: NDArray[np.int64],
        ticks: NDArray[np.int64],
        *,
        lowest: int,
        highest: int,
        max_drift: float,
        min_bin_ticks: int,
        work: WorkBudget,
    ) -> None:
        self._work = work
        self._reference = reference
        self._ticks = ticks
        self._start = int(reference[0])
        self._length = int(reference[-1]) - self._start + 1
        self._lowest = lowest
        self._lags = max(1, highest - lowest)
        self._max_drift = max_drift
        self._min_bin = max(1, min_bin_ticks)
        self.origin = self._start + self._length // 2
        self.needed = 0

    def stages(self) -> Iterator[CoarseStage]:
        """Look in ever narrower bins.

        Raises:
            OutOfWork: the next stage takes more than is left: `needed` units.
        """
        points = MIN_POINTS
        while True:
            bin_ticks = max(self._min_bin, -(-(self._length + self._lags) // (points - _SPARE_BINS)))
            yield self._look(bin_ticks, points)
            if points >= MAX_POINTS or bin_ticks <= self._min_bin:
                return
            points *= 2

    def _look(self, bin_ticks: int, points: int) -> CoarseStage:
        steps = int(np.ceil(self._max_drift * self._length / (2 * bin_ticks)))
        drifts = np.linspace(-self._max_drift, self._max_drift, 2 * steps + 1) if steps else np.zeros(1)
        self.needed = (drifts.size + 2) * points * UNITS_PER_POINT + 2 * (self._reference.size + self._ticks.size)
        self._work.spend(self.needed)
        # Of few lags the deviation is not known: so more are looked at, of which none is taken.
        lags = self._lags // bin_ticks + 1
        beyond = max(0, _MIN_LAGS - lags) // 2
        lowest = self._lowest - beyond * bin_ticks
        own = self._own_spectrum(lowest, bin_ticks, points)
        widths = (self._positions(bin_ticks), bin_ticks, points)
        scale: NDArray[np.float32] | None = None
        found: list[CoarseLag] = []
        for drift in drifts.tolist():
            sums = _pair_sums(own, self._reference_counts(drift, *widths), points, lags + 2 * beyond)
            if scale is None:
                scale = _inverse_deviation(sums)
            sums *= scale
            for place, height in _highest(sums[beyond : beyond + lags]):
                found.append(CoarseLag(height, self._lowest + (place + 0.5) * bin_ticks, drift))
        return CoarseStage(
            lags=_distinct(found, 4 * bin_ticks)[:MAX_CANDIDATES],
            bin_ticks=bin_ticks,
            drift_step=float(drifts[1] - drifts[0]) if steps else 0.0,
            share=self._share_seen(bin_ticks),
        )

    def _share_seen(self, bin_ticks: int) -> float:
        span = max(1, int(self._ticks[-1] - self._ticks[0]))
        chance = self._reference.size * self._ticks.size / span * bin_ticks
        return min(1.0, SEEN_HEIGHT * float(np.sqrt(2 * max(chance, 1.0))) / self._reference.size)

    def _own_spectrum(self, lowest: int, bin_ticks: int, points: int) -> NDArray[np.complex64]:
        """Transform own counts less their running mean, so that slow changes of rate correlate with nothing."""
        begin = self._start + lowest - _SMOOTH_BINS * bin_ticks
        low, high = np.searchsorted(self._ticks, [begin, begin + points * bin_ticks])
        counts = np.bincount((self._ticks[low:high] - begin) // bin_ticks, minlength=points).astype(np.float32)
        counts -= _running_mean(counts, _SMOOTH_BINS)
        spectrum: NDArray[np.complex64] = rfft(counts)
        return spectrum

    def _positions(self, bin_ticks: int) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """Return times since the origin, each with its clicks; of many clicks, those of narrower bins."""
        since = self._reference - self.origin
        bins = _FINE_PER_BIN * (self._length // bin_ticks + 1)
        if since.size <= bins:
            return since.astype(np.float64), None
        width = bin_ticks / _FINE_PER_BIN
        counts = np.bincount(((self._reference - self._start) / width).astype(np.int64), minlength=bins)
        times = (np.arange(counts.size, dtype=np.float64) + 0.5) * width + (self._start - self.origin)
        return times.astype(np.float64, copy=False), counts.astype(np.float64)

    def _reference_counts(
        self,
        drift: float,
        positions: tuple[NDArray[np.float64], NDArray[np.float64] | None],
        bin_ticks: int,
        points: int,
    ) -> NDArray[np.float32]:
        since, weights = positions
        places = ((since * (1 + drift) + (self.origin - self._start)) / bin_ticks + _SMOOTH_BINS).astype(np.int64)
        return np.bincount(np.clip(places, 0, points - 1), weights, minlength=points).astype(np.float32)


def _pair_sums(own: NDArray[np.complex64], counts: NDArray[np.float32], points: int, lags: int) -> NDArray[np.float32]:
    """Return for every lag the correlation in its bin and the next, where all pairs of one difference lie."""
    correlation = irfft(own * np.conj(rfft(counts)), points)[: lags + 1]
    sums: NDArray[np.float32] = correlation[1:] + correlation[:-1]
    return sums


def _running_mean(values: NDArray[np.float32], places: int) -> NDArray[np.float32]:
    from scipy.ndimage import uniform_filter1d  # noqa: PLC0415  (a fifth of a second, for clocks far apart alone)

    mean: NDArray[np.float32] = uniform_filter1d(values, places)
    return mean


def _inverse_deviation(sums: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return one over the local standard deviation; where the records hardly overlap it is no less than a tenth."""
    variance = _running_mean(np.square(sums), min(_VARIANCE_BINS, sums.size))
    floor = np.float32(0.01) * variance.max() + np.float32(1e-6)
    inverse: NDArray[np.float32] = 1 / np.sqrt(np.maximum(variance, floor))
    return inverse


def _highest(heights: NDArray[np.float32]) -> Iterator[tuple[int, float]]:
    for _ in range(_PER_DRIFT):
        place = int(np.argmax(heights))
        if heights[place] < MIN_HEIGHT:
            return
        yield place, float(heights[place])
        heights[max(0, place - 2) : place + 3] = 0.0


def _distinct(lags: list[CoarseLag], apart: int) -> list[CoarseLag]:
    """Return the lags, the highest first, less those close to a higher one."""
    kept: list[CoarseLag] = []
    for lag in sorted(lags, key=lambda lag: -lag.height):
        if all(abs(lag.ticks - other.ticks) > apart for other in kept):
            kept.append(lag)
    return kept
