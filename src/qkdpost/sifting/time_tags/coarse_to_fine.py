"""From a place in coarse bins to a clock: in bins that hold the peaks of all channels, then in those that part them.

The delays of channels differ by less than the spread: in bins twice as wide the pairs of all channels lie in one place,
eight times as many as in any of the narrow peaks. There a place is believed or not.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qkdpost.sifting.time_tags.lag_search import MAX_CLICKS, Lag, LagSearch, TooSparse
from qkdpost.sifting.time_tags.wide_search import CoarseLag, CoarseStage, WideSearch
from qkdpost.sifting.time_tags.work_budget import OutOfWork, WorkBudget

__all__ = ["CoarseToFine", "LagRange", "Resolution"]

FIRST_CLICKS = 1024
MAX_PLACES = 8
"""How many of a stretch are followed to longer ones."""
CANDIDATE_WORK = 60_000_000
MIDDLES = (1 / 2, 1 / 4, 3 / 4)
"""Where stretches are laid, one after another: a clock may have jumped there."""
MIN_KEPT = 0.04
"""Of the pairs that a stretch showed, in a narrow bin where its line is followed to the end: a third of an eighth."""
MIN_PARTNERS = 16
"""Of clicks that all lie in one place each coincides with the same few: that is no clock."""
COMB_HEIGHT = 7.5
"""Standard deviations that chance does not reach a second time."""
COMB_TEETH = 4
"""This many places nearly as high as the highest are a comb; fewer may be a clock that has jumped."""
ENOUGH_TO_FOLLOW = 1_000
"""Clicks in a wide bin that show the peaks of all channels in narrow ones."""


@dataclass(frozen=True, slots=True)
class LagRange:
    """Lags from `lowest` to `highest` ticks and drifts within +-`drift`, a number."""

    lowest: int
    highest: int
    drift: float


@dataclass(frozen=True, slots=True)
class Resolution:
    """Widths in ticks: of a narrow bin, of the spread of the channels' delays, and the least of a coarse bin."""

    bin_ticks: int
    spread_ticks: int
    coarse_ticks: int


@dataclass(frozen=True, slots=True)
class _Line:
    """Where own clicks are expected: that of a reference click at `origin` is `lag` later, and the clocks drift."""

    origin: int
    lag: float
    drift: float

    def of(self, reference: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the own times that belong to times of the reference."""
        drifted = np.rint((reference - self.origin) * self.drift).astype(np.int64)
        expected: NDArray[np.int64] = reference + round(self.lag) + drifted
        return expected

    def then(self, found: Lag, at: int) -> _Line:
        """Return the line after another was found on top of it, whose lag holds at the own time `at`."""
        since = round((at - self.origin - self.lag) / (1 + self.drift))
        lag = float(at - self.origin - since + found.ticks)
        return _Line(self.origin + since, lag, (1 + self.drift) * (1 + found.drift) - 1)


class CoarseToFine:
    """A search of a range in coarse bins, each place that stands out looked at in finer ones.

    Args:
        reference: the clicks that coarse bins count, in the order of time.
        ticks: own clicks.
        limits: where to search.
        resolution: the bins.
        work: is charged.
    """

    def __init__(
        self,
        reference: NDArray[np.int64],
        ticks: NDArray[np.int64],
        limits: LagRange,
        resolution: Resolution,
        work: WorkBudget,
    ) -> None:
        self._ticks = ticks
        self._limits = limits
        self._narrow = resolution.bin_ticks
        self._wide = 2 * resolution.spread_ticks
        self._work = work
        self._search = WideSearch(
            reference,
            ticks,
            lowest=limits.lowest,
            highest=limits.highest,
            max_drift=limits.drift,
            min_bin_ticks=resolution.coarse_ticks,
            work=work,
        )
        self.share_seen: float | None = None
        """The least share of the reference's clicks with a partner that would have been found so far."""
        self.needed = 0
        """The units of work that were not there for a further stage."""

    def find(self, every: NDArray[np.int64], max_stages: int) -> tuple[Lag, int] | None:
        """Return a lag and the tick of the reference where it holds, or None.

        Args:
            every: all of the reference, over which the clock is followed.
            max_stages: no more widths of coarse bins are tried.
        """
        try:
            for stage, _ in zip(self._search.stages(), range(max_stages), strict=False):
                if stage.share < 1.0:
                    self.share_seen = stage.share
                for candidate in stage.lags:
                    found = None if _in_a_comb(candidate, stage) else self._confirm(candidate, stage, every)
                    if found is not None:
                        return found
        except OutOfWork:
            self.needed = self._search.needed
        return None

    def _confirm(self, candidate: CoarseLag, stage: CoarseStage, every: NDArray[np.int64]) -> tuple[Lag, int] | None:
        """Follow a coarse place to ever longer stretches until chance does not explain it, and then to the end."""
        reach, drift = 2 * stage.bin_ticks, stage.drift_step
        line = _Line(self._search.origin, round(candidate.ticks), candidate.drift)
        low, moved = self._moved(every, line, reach)
        if not moved.size:
            return None
        places = max(1.0, (self._limits.highest - self._limits.lowest) / (2 * reach))
        places *= max(1.0, self._limits.drift / drift) if drift else 1.0
        for part in MIDDLES:
            work = WorkBudget(min(CANDIDATE_WORK, self._work.left) // 2)
            middle = int(part * moved.size)
            search = LagSearch(moved, self._ticks, middle=middle, bin_ticks=self._wide, work=work, places=places)
            found = self._stands_out(search, moved.size, reach, drift)
            self._work.spend(work.spent)
            with suppress(TooSparse, OutOfWork):
                lag = self._follow(line, every, low + middle, *found) if found is not None else None
                if lag is not None:
                    return lag
        return None

    def _stands_out(self, search: LagSearch, max_clicks: int, reach: int, drift: float) -> tuple[int, Lag] | None:
        """Return in how many clicks a lag within +-reach stands out, and that lag; or None."""
        clicks = min(FIRST_CLICKS, max_clicks)
        with suppress(TooSparse, OutOfWork):
            while True:
                lags = search.scan(clicks, search.drifts(clicks, 0.0, drift), reach)[:MAX_PLACES]
                found = search.confirm(clicks, lags, max_drift=drift, reach_ticks=reach, spread_ticks=self._wide)
                if found is not None or clicks >= max_clicks:
                    return found
                clicks *= 2
        return None

    def _follow(
        self, line: _Line, every: NDArray[np.int64], middle: int, clicks: int, lag: Lag
    ) -> tuple[Lag, int] | None:
        """Follow what was found on top of `line` around a click, in wide bins, then to the whole record in narrow ones.

        Wide bins are left as soon as the narrow ones show the peaks: in these a clock that jumps is lost, and in wide
        ones it would be followed along a drift that it does not have.
        """
        low, moved = self._moved(every, line, 2 * self._wide)
        search = LagSearch(moved, self._ticks, middle=middle - low, bin_ticks=self._wide, work=self._work)
        clicks = min(clicks, moved.size)
        most = min(moved.size, clicks * max(1, -(-ENOUGH_TO_FOLLOW // max(1, lag.count))))
        shown = lag.count / max(1, clicks)
        found = search.follow(clicks, lag, spread_ticks=2 * self._wide, max_clicks=most)
        line = line.then(found, search.origin)
        low, moved = self._moved(every, line, self._wide)
        if not low <= middle < low + moved.size or _partners(moved, self._ticks, self._wide) < MIN_PARTNERS:
            return None
        search = LagSearch(moved, self._ticks, middle=middle - low, bin_ticks=self._narrow, work=self._work)
        clicks = min(2 * most, moved.size)
        sharp = search.follow(clicks, Lag(0, 0.0, 0.0), spread_ticks=2 * self._wide, moves_ticks=4.0 * self._wide)
        line = line.then(sharp, search.origin)
        chance = 2 * self._wide * self._ticks.size / max(1, int(self._ticks[-1]) - int(self._ticks[0]))
        # What the first stretch showed counts as well: a slant line through the peak is lost in the longer one.
        pairs = (max(shown, found.count / most) - chance) * min(moved.size, MAX_CLICKS)
        return (Lag(sharp.count, line.lag, line.drift), line.origin) if sharp.count >= MIN_KEPT * pairs else None

    def _moved(self, reference: NDArray[np.int64], line: _Line, reach: int) -> tuple[int, NDArray[np.int64]]:
        """Return where own clicks are expected along a line, as far as the own record goes, and which is the first."""
        moved = line.of(reference)
        low, high = np.searchsorted(moved, [int(self._ticks[0]) - reach, int(self._ticks[-1]) + reach + 1])
        return int(low), moved[low:high]


def _partners(moved: NDArray[np.int64], ticks: NDArray[np.int64], within: int) -> int:
    """Return how many own clicks have one of an even choice of `moved` at most `within` away, each counted once."""
    some = moved[:: 1 + moved.size // MAX_CLICKS]
    places = np.searchsorted(ticks, some - within)
    places = places[ticks[np.minimum(places, ticks.size - 1)] <= some + within]
    return 1 + int(np.count_nonzero(np.diff(places))) if places.size else 0


def _in_a_comb(candidate: CoarseLag, stage: CoarseStage) -> bool:
    """Return whether many other places are nearly as high, as with the comb of a pulsed source, or copied clicks."""
    least = max(COMB_HEIGHT, 2 / 3 * candidate.height)
    return sum(other.height >= least for other in stage.lags if other is not candidate) >= COMB_TEETH
