"""Where a clock is looked for, one search after another, and what was searched if none finds it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qkdpost.sifting.time_tags.coarse_to_fine import CoarseToFine, LagRange, Resolution
from qkdpost.sifting.time_tags.lag_search import Lag, LagSearch, TooSparse
from qkdpost.sifting.time_tags.work_budget import OutOfWork, WorkBudget

__all__ = ["IN_TICKS", "NEAR_DRIFT_PPM", "NEAR_PS", "ClockSearch", "SearchNames"]

NEAR_PS = 1e9
NEAR_DRIFT_PPM = 10.0
NEAR_STAGES = 2
ALL_STAGES = 99
FIRST_CLICKS = 64
MIDDLES = {0.5: 4, 0.25: 1, 0.75: 1}
"""Where in the record stretches are laid, one after another, and how many sixths of the work each may take."""
LONGEST_STRETCH_PS = 2e13
"""Over a longer time no clock is sure to run evenly to a coarse bin."""
MIN_COARSE_BIN_PS = 2e5
"""Coarse bins are wider than the spread of delays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchNames:
    """How an error names what was searched.

    Args:
        tick_ps: the length of a tick in `unit`.
        unit: the unit of the setting.
        offset: what the setting of the offset is called where it can be changed.
        drift: what that of the drift is called.
    """

    tick_ps: float = 1.0
    unit: str = "ps"
    offset: str = "search_ps"
    drift: str = "max_drift_ppm"


IN_TICKS = SearchNames(unit="ticks", offset="search_ticks")


class ClockSearch:
    """One search for a clock.

    Args:
        reference: as `clock.find_clock`.
        ticks: likewise.
        search_ticks: likewise.
        bin_ticks: likewise.
        spread_ticks: likewise.
        max_drift: a number, not ppm.
        near_ticks: `NEAR_PS` in ticks.
        work: what all of it may cost.
    """

    def __init__(
        self,
        reference: NDArray[np.int64],
        ticks: NDArray[np.int64],
        *,
        search_ticks: int,
        bin_ticks: int,
        spread_ticks: int,
        max_drift: float,
        near_ticks: int,
        work: WorkBudget,
    ) -> None:
        self._reference = reference
        self._ticks = ticks
        self._search = search_ticks
        self._drift = max_drift
        self._near = min(search_ticks, near_ticks)
        self._near_drift = min(max_drift, NEAR_DRIFT_PPM * 1e-6)
        tick_ps = NEAR_PS / max(1, near_ticks)
        self._resolution = Resolution(bin_ticks, spread_ticks, max(1, round(MIN_COARSE_BIN_PS / tick_ps)))
        self._longest = round(LONGEST_STRETCH_PS / tick_ps)
        self._work = work
        self._near_finished = False
        self._overlaps = False
        self._share_seen: float | None = None
        self._needed = 0

    def find(self) -> tuple[Lag, int] | None:
        """Return the lag, and the tick of the reference at which it holds; or None.

        A third of the work is kept for clocks that nearly agree, which are found in the rarest of pairs.
        """
        coarse = WorkBudget(2 * self._work.left // 3)
        found = self._find_coarse(self._near, self._near_drift, NEAR_STAGES, coarse)
        if found is None and (self._search > self._near or self._drift > self._near_drift):
            found = self._find_coarse(self._search, self._drift, ALL_STAGES, coarse)
        self._work.spend(coarse.spent)
        return found or self._find_near()

    def _overlap(self, reach: int) -> tuple[NDArray[np.int64], LagRange] | None:
        """Return what of the reference can have a partner within lags of +-reach, and which lags do that; or None."""
        start, end = int(self._ticks[0]), int(self._ticks[-1])
        slack = self._resolution.spread_ticks + int(self._drift * (end - start)) + 1
        low, high = np.searchsorted(self._reference, [start - reach - slack, end + reach + slack + 1])
        reference = self._reference[low:high]
        if not reference.size:
            return None
        lowest = max(-reach, start - slack - int(reference[-1]))
        highest = min(reach, end + slack - int(reference[0]))
        return (reference, LagRange(lowest, highest, self._drift)) if lowest <= highest else None

    def _find_coarse(self, reach: int, drift: float, stages: int, work: WorkBudget) -> tuple[Lag, int] | None:
        """Search a range in coarse bins, over stretches in the middle and at the quarters of a long record."""
        overlap = self._overlap(reach)
        if overlap is None:
            return None
        self._overlaps = True
        reference, limits = overlap
        limits = LagRange(limits.lowest, limits.highest, drift)
        for stretch in self._stretches(reference):
            search = CoarseToFine(stretch, self._ticks, limits, self._resolution, work)
            found = search.find(reference, stages)
            if found is not None:
                return found
            if (reach, drift) == (self._search, self._drift):
                self._share_seen = max(search.share_seen or 0.0, self._share_seen or 0.0) or None
                self._needed = max(self._needed, search.needed)
        return None

    def _stretches(self, reference: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        if int(reference[-1]) - int(reference[0]) <= self._longest:
            return [reference]
        stretches = []
        for place in MIDDLES:
            middle = int(reference[int(place * reference.size)])
            low, high = np.searchsorted(reference, [middle - self._longest // 2, middle + self._longest // 2])
            stretches.append(reference[low : max(high, low + 1)])
        return stretches

    def _find_near(self) -> tuple[Lag, int] | None:
        """Search for clocks that nearly agree in narrow bins."""
        overlap = self._overlap(self._near)
        self._near_finished = overlap is None
        if overlap is None:
            return None
        reference, _ = overlap
        finished, allowed = True, self._work.left
        for place, sixths in MIDDLES.items():
            work = WorkBudget(sixths * allowed // 6)
            middle = int(place * reference.size)
            search = LagSearch(reference, self._ticks, middle=middle, bin_ticks=self._resolution.bin_ticks, work=work)
            lag, whole = self._grow(search, reference.size)
            self._work.spend(work.spent)
            if lag is not None:
                return lag, search.origin
            finished &= whole
        self._near_finished = finished
        return None

    def _grow(self, search: LagSearch, max_clicks: int) -> tuple[Lag | None, bool]:
        """Return the lag that stands out in growing stretches around one place; and whether all was looked at."""
        clicks, spread = min(FIRST_CLICKS, max_clicks), self._resolution.spread_ticks
        with suppress(TooSparse, OutOfWork):
            while True:
                lags = search.scan(clicks, search.drifts(clicks, 0.0, self._near_drift), self._near)
                found = search.confirm(
                    clicks, lags, max_drift=self._near_drift, reach_ticks=self._near, spread_ticks=spread
                )
                if found:
                    return search.follow(*found, spread_ticks=spread), True
                if clicks >= max_clicks:
                    return None, True
                clicks *= 2
        return None, False

    # What to say.

    def in_words(self, names: SearchNames) -> str:
        """Say what was searched without a find, what was not, and what to do."""
        near, wide = (f"+-{ticks * names.tick_ps:g} {names.unit}" for ticks in (self._near, self._search))
        head = f"no coincidence peak between {self._reference.size} and {self._ticks.size} clicks"
        if not self._overlaps:
            return (
                f"{head}: for no offset within {wide} do the records overlap; check that both are of the same time, "
                f"or widen {names.offset}"
            )
        searched = []
        if self._near_finished:
            searched.append(f"{near} with +-{1e6 * self._near_drift:g} ppm")
        if self._share_seen is not None:
            searched.append(
                f"{wide} with +-{1e6 * self._drift:g} ppm, where {100 * self._share_seen:.2g} % of the peer's clicks "
                "or more would have to have a partner"
            )
        head += f"; searched were {'; and '.join(searched)}" if searched else ""
        if self._needed or not searched:
            return f"{head}; {self._unfinished(names)}"
        return f"{head}; check that the records are of the same time, or widen {names.offset} or {names.drift}"

    def _unfinished(self, names: SearchNames) -> str:
        """Say what was left out for want of work, and which narrower range would fit."""
        times = max(2.0, self._needed / max(1, self._work.limit))
        setting = self._search * names.tick_ps
        state = "not begun" if self._share_seen is None else "not made any finer"
        return (
            f"the search of {names.offset} = {setting:g} with {names.drift} = {1e6 * self._drift:g} was {state}: it "
            f"takes about {times:.0f} times the work that is allowed for this number of clicks; check that the records "
            f"are of the same time, narrow {names.offset} to about {setting / times:.1g}, or submit longer records"
        )
