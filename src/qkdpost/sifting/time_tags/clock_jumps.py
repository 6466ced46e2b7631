"""A clock that jumps in the middle of a record, found in the coincidences of its stretches.

The reference is cut into stretches of as many clicks each. In each of them the differences of times show one peak for
every pair of channels, at the delays of these; a jump moves the whole pattern. So the pattern of one stretch is laid
over that of the next, and its move is measured. Where a stretch shows no pattern, its offset is searched for again,
ever further away. Stretches with no jump between them make a piece; where one piece ends and the next
begins is shown by the coincidences of either. All of a piece is corrected by one number, whatever the detector.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.sifting.time_tags import collect_differences
from qkdpost.records import TimeTags
from qkdpost.sifting.time_tags.clock import ClockJump, ClockModel
from qkdpost.sifting.time_tags.coarse_to_fine import CoarseToFine, LagRange, Resolution
from qkdpost.sifting.time_tags.work_budget import OutOfWork, WorkBudget

__all__ = ["JUMP_PS", "follow_jumps"]

REACH_PS = 50_000.0
BIN_PS = 125.0
JUMP_PS = 1_500.0
"""Smaller jumps widen the window a little, and are left."""
MAX_STRETCHES = 64
MIN_PAIRS = 60
"""Coincidences that a stretch should have."""
MIN_STRETCHES = 2
"""A piece is at least this many stretches long: one alone may be chance."""
MIN_HEIGHT = 6.0
"""Standard deviations by which a pattern must fit."""
MIN_COUNTS = 10
"""And at least this many clicks in the highest peak of the pattern: of few clicks one is many deviations."""
MAX_SEARCHES = 8
SEARCH_REACHES_PS = (2e6, 1e9, 1e11, 1e13)
SEARCH_DRIFT = 1e-7
"""What the clock is still believed to run faster or slower after a jump."""
MAX_SLOPE = 2e-5
"""A line through the offsets that is steeper is no clock: the search would have found its drift."""
NARROW_PS, COARSE_PS = 2_000.0, 2e5
UNITS_PER_PAIR = 40


@dataclass(frozen=True, slots=True)
class _Piece:
    """Stretches `first` ... `last` with one offset, in ticks beyond that of the clock."""

    first: int
    last: int
    ticks: float


def follow_jumps(
    clock: ClockModel,
    own_ticks: NDArray[np.int64],
    moved: TimeTags,
    reference_ticks: NDArray[np.int64],
    reference_channels: NDArray[np.uint8],
    *,
    search_ticks: int,
    work: WorkBudget,
) -> ClockModel:
    """Return the clock with its jumps, if it has any that the records show.

    Args:
        clock: as found for some of the record at least, without jumps.
        own_ticks: own clicks, shape (n,).
        moved: the same with the clock taken off, in the same order.
        reference_ticks: the peer's clicks, shape (m,).
        reference_channels: their channels, small integers.
        search_ticks: a jump is looked for within +- this.
        work: is charged; if too little is left, the clock is returned as it is known by then.
    """
    try:
        search = _JumpSearch(moved, reference_ticks, reference_channels, search_ticks, work)
    except OutOfWork:
        return clock
    with suppress(OutOfWork):
        search.run()
    pieces, slope = search.pieces()
    if len(pieces) < 2:
        return clock
    jumps = []
    for before, after in pairwise(pieces):
        place = search.boundary(before, after)
        jumps.append(ClockJump(int(own_ticks[min(place, own_ticks.size - 1)]), after.ticks - before.ticks))
    middle = search.middle + round(clock.offset_ticks)
    return replace(
        clock,
        offset_ticks=clock.offset_ticks + pieces[0].ticks + slope * (clock.origin_tick - middle),
        drift_ppm=clock.drift_ppm + 1e6 * slope,
        jumps=tuple(jumps),
    )


class _JumpSearch:
    def __init__(
        self,
        moved: TimeTags,
        reference: NDArray[np.int64],
        channels: NDArray[np.uint8],
        search_ticks: int,
        work: WorkBudget,
    ) -> None:
        self._moved, self._reference, self._channels = moved, reference, channels
        self._search, self._work = search_ticks, work
        self._bin = max(1, round(BIN_PS / moved.tick_ps))
        self._reach = round(REACH_PS / moved.tick_ps)
        self._bins = 2 * self._reach // self._bin + 1
        self._pairs = 4 * (int(channels.max(initial=0)) + 1)
        first, second = self._differences(0, reference.size, 0)
        span = max(1, int(moved.ticks[-1]) - int(moved.ticks[0]))
        chance = reference.size * moved.clicks / span * (2 * self._reach + 1)
        count = int(np.clip((first.size - chance) // MIN_PAIRS, 1, MAX_STRETCHES))
        self._ends = np.linspace(0, reference.size, count + 1).astype(np.int64)
        self._template = np.zeros((self._pairs, self._bins))
        self.offsets = np.full(count, np.nan)
        if count > 1:
            self._start(self._patterns(first, second, np.zeros(count), np.arange(count)))

    def _differences(self, low: int, high: int, shift: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the indices of pairs of clicks of the reference from `low` to `high` with own ones `shift` later."""
        reference = self._reference[low:high] + round(shift)
        own = self._moved.ticks
        begin, end = np.searchsorted(own, [int(reference[0]) - self._reach, int(reference[-1]) + self._reach + 1])
        room = 8 * reference.size + 2**12
        self._work.spend(UNITS_PER_PAIR * room + int(end - begin))
        first, second = np.empty((2, room), dtype=np.int64)
        count = collect_differences(reference, own[begin:end], -self._reach, self._reach, first, second)
        return first[:count] + low, second[:count] + begin

    def _patterns(
        self,
        first: NDArray[np.int64],
        second: NDArray[np.int64],
        shifts: NDArray[np.float64],
        stretches: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """Return histograms of differences, less their mean: shape (stretches, pairs of channels, bins)."""
        place = np.searchsorted(self._ends, first, side="right") - 1 - stretches[0]
        lags = self._moved.ticks[second] - self._reference[first] - np.rint(shifts[place]).astype(np.int64)
        pair = self._channels[first].astype(np.int64) * 4 + self._moved.channels[second]
        index = (place * self._pairs + pair) * self._bins + np.clip(
            (lags + self._reach) // self._bin, 0, self._bins - 1
        )
        size = stretches.size * self._pairs * self._bins
        counts = np.bincount(index, minlength=size).reshape(stretches.size, self._pairs, self._bins)
        patterns: NDArray[np.float64] = counts - counts.mean(axis=2, keepdims=True)
        return patterns

    # Offsets of the stretches.

    def _start(self, patterns: NDArray[np.float64]) -> None:
        """Take the stretch with the sharpest pattern as the first of the template, and go on to both sides."""
        sharpness = np.square(_smooth(patterns)).sum(axis=(1, 2))
        anchor = int(np.argmax(sharpness))
        self._template = patterns[anchor].copy()
        self.offsets[anchor] = 0.0
        for place in [*range(anchor + 1, self.offsets.size), *range(anchor - 1, -1, -1)]:
            self._fit(place, patterns[place], 0.0)
        # The template of all says more than that of the first few.
        for place in range(self.offsets.size):
            if np.isnan(self.offsets[place]):
                self._fit(place, patterns[place], 0.0)

    def _fit(self, place: int, pattern: NDArray[np.float64], shift: float) -> None:
        moved_by = self._how_far(pattern)
        if moved_by is None:
            return
        self.offsets[place] = shift + moved_by * self._bin
        self._template += np.roll(pattern, -round(moved_by), axis=1)

    def _how_far(self, pattern: NDArray[np.float64]) -> float | None:
        """Return by how many bins the template must be moved to fit the pattern, if it does anywhere."""
        size = 2 * self._bins
        template = _smooth(self._template)
        spectrum = np.fft.rfft(_smooth(pattern), size) * np.conj(np.fft.rfft(template, size))
        fits = np.fft.irfft(spectrum.sum(axis=0), size)
        best = int(np.argmax(fits))
        away = np.abs((np.arange(size) - best + size // 2) % size - size // 2) > 4000 // BIN_PS
        height = fits[best] - float(np.median(fits))
        if height < max(MIN_HEIGHT * float(fits[away].std()), MIN_COUNTS * float(template.max())):
            return None
        near = np.array([fits[(best + step) % size] for step in (-1, 0, 1)])
        bend = near[0] - 2 * near[1] + near[2]
        part = float(np.clip(0.5 * (near[0] - near[2]) / bend, -0.5, 0.5)) if bend < 0 else 0.0
        return (best - size if best > size // 2 else best) + part

    # Stretches that were lost.

    def run(self) -> None:
        """Search for the offsets of stretches that show no pattern.

        Raises:
            OutOfWork: too little is left; what was found stays.
        """
        if self.offsets.size < 2 * MIN_STRETCHES:
            return
        tried: set[int] = set()
        for _ in range(MAX_SEARCHES):
            runs = [run for run in self._lost() if run[0] not in tried]
            if not runs:
                return
            first, last = max(runs, key=lambda run: run[1] - run[0])
            tried.add(first)
            shift = self._search_again(first, last)
            if shift is not None:
                self._fit_again(first, last, shift)

    def _lost(self) -> list[tuple[int, int]]:
        """Return runs of stretches without an offset for which there are own clicks, as first and last number."""
        lost = np.isnan(self.offsets)
        edges = np.flatnonzero(np.diff(np.concatenate([[False], lost, [False]]).astype(np.int8)))
        runs = zip(edges[::2].tolist(), (edges[1::2] - 1).tolist(), strict=True)
        return [(first, last) for first, last in runs if last - first + 1 >= MIN_STRETCHES]

    def _search_again(self, first: int, last: int) -> float | None:
        """Return the offset of some of a run, searched ever further from that of the clock."""
        reference = self._reference[self._ends[first] : self._ends[last + 1]]
        tick_ps = self._moved.tick_ps
        resolution = Resolution(max(1, round(NARROW_PS / tick_ps)), self._reach, max(1, round(COARSE_PS / tick_ps)))
        for reach_ps in SEARCH_REACHES_PS:
            reach = min(round(reach_ps / tick_ps), self._search)
            share = WorkBudget(self._work.left // 6)
            begin, end = np.searchsorted(self._moved.ticks, [int(reference[0]) - reach, int(reference[-1]) + reach + 1])
            if end - begin < MIN_PAIRS:
                continue
            lowest = max(-reach, int(self._moved.ticks[begin]) - int(reference[-1]))
            highest = min(reach, int(self._moved.ticks[end - 1]) - int(reference[0]))
            limits = LagRange(lowest, max(lowest, highest), SEARCH_DRIFT)
            search = CoarseToFine(reference, self._moved.ticks[begin:end], limits, resolution, share)
            try:
                found = search.find(reference, 3)
            finally:
                self._work.spend(share.spent)
            if found is not None:
                return found[0].ticks
            if reach == self._search:
                break
        return None

    def _fit_again(self, first: int, last: int, shift: float) -> None:
        """Fit the patterns of lost stretches around a new offset."""
        pairs = self._differences(int(self._ends[first]), int(self._ends[last + 1]), shift)
        stretches = np.arange(first, last + 1)
        patterns = self._patterns(*pairs, np.full(stretches.size, shift), stretches)
        for place in stretches.tolist():
            self._fit(place, patterns[place - first], shift)

    # Pieces.

    @property
    def middle(self) -> int:
        """The time of the reference at which the offsets of pieces hold."""
        return int(self._reference[self._reference.size // 2])

    def pieces(self) -> tuple[list[_Piece], float]:
        """Return runs of stretches of one offset, in the order of time, those apart that a jump parts; and a slope.

        Within pieces the offsets may follow a straight line, the same for all: what the drift still is.
        """
        jump = JUMP_PS / self._moved.tick_ps
        groups: list[list[int]] = []
        for place in np.flatnonzero(~np.isnan(self.offsets)).tolist():
            if groups and abs(self.offsets[place] - np.median(self.offsets[groups[-1][-3:]])) <= jump:
                groups[-1].append(place)
            else:
                groups.append([place])
        groups = [group for group in groups if len(group) >= MIN_STRETCHES]
        merged: list[list[int]] = []
        for group in groups:
            if merged and abs(np.median(self.offsets[group[:3]]) - np.median(self.offsets[merged[-1][-3:]])) <= jump:
                merged[-1] += group
            else:
                merged.append(group)
        if len(merged) < 2:
            return [], 0.0
        *levels, slope = self._levels(merged)
        if abs(slope) > MAX_SLOPE:
            return [], 0.0
        return [_Piece(group[0], group[-1], level) for group, level in zip(merged, levels, strict=True)], slope

    def _levels(self, groups: list[list[int]]) -> list[float]:
        """Return the offset of each piece at `middle` and the slope of all."""
        places = np.concatenate(groups)
        span = max(1, int(self._reference[-1]) - int(self._reference[0]))
        centres = self._reference[(self._ends[places] + self._ends[places + 1]) // 2]
        columns = np.zeros((places.size, len(groups) + 1))
        columns[:, -1] = (centres - self.middle) / span
        for number, group in enumerate(groups):
            columns[np.isin(places, group), number] = 1.0
        solved = np.linalg.lstsq(columns, self.offsets[places], rcond=None)[0]
        return [*(float(level) for level in solved[:-1]), float(solved[-1]) / span]

    def boundary(self, before: _Piece, after: _Piece) -> int:
        """Return the index of the first own click after the jump between two pieces.

        It lies where most coincidences of the first piece come before, and of the second one after.
        """
        low, high = int(self._ends[before.last]), int(self._ends[after.first + 1])
        gain = np.zeros(high - low + 1)
        for piece, sign in ((before, 1.0), (after, -1.0)):
            first, second = self._differences(low, high, piece.ticks)
            lags = self._moved.ticks[second] - self._reference[first] - round(piece.ticks)
            pair = self._channels[first].astype(np.int64) * 4 + self._moved.channels[second]
            weights = self._weights()[pair, np.clip((lags + self._reach) // self._bin, 0, self._bins - 1)]
            np.add.at(gain, first - low + 1, sign * weights)
        last = low + int(np.argmax(np.cumsum(gain)))
        at = int(self._reference[min(last, self._reference.size - 1)]) + round(min(before.ticks, after.ticks))
        return int(np.searchsorted(self._moved.ticks, at - self._reach))

    def _weights(self) -> NDArray[np.float64]:
        """Return how much each difference speaks for a coincidence."""
        pattern = np.maximum(_smooth(self._template), 0.0)
        floor = max(1e-9, 3.0 * _robust_deviation(self._template.ravel()))
        weights: NDArray[np.float64] = np.log1p(np.where(pattern > floor, pattern / floor, 0.0))
        return weights


def _smooth(pattern: NDArray[np.float64]) -> NDArray[np.float64]:
    """Add neighbouring bins, over half a nanosecond as the jitter spreads the peaks."""
    smooth = pattern.copy()
    for step in (1, 2):
        smooth[..., step:] += pattern[..., :-step]
        smooth[..., :-step] += pattern[..., step:]
    return smooth


def _robust_deviation(values: NDArray[np.float64]) -> float:
    """Return the standard deviation of most of the values, whatever the few largest are."""
    return float(np.median(np.abs(values - np.median(values)))) * 1.4826
