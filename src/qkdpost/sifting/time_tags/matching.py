"""Time tags of both sides to pairs: who announces what, and the functions for each step.

1. Each side drops echoes for calibration (`clicks.suppress_echoes`).
2. The answering side announces the clicks of its test basis, times and detectors; that basis is disclosed whole.
3. The reporting side finds its clock and delays from them (`calibration.calibrate`), corrects its clicks, chooses the
   window, merges what it cannot separate and leaves out what came while a detector recovered (`corrected_events`), and
   announces times and bases of its events on a grid of `grid_ticks` (`to_detections`): corrected and rounded, so that
   the time of a click does not reveal its detector.
4. The answering side finds its delays from the reported events of the test basis, corrects and merges its clicks
   likewise, and answers which of the reported events are matched in the same basis (`match_events`).

No outcome of the key basis is announced by either side, and no time of the answering side's clicks in it.
"""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.sifting.time_tags import match_nearest
from qkdpost.bits import Bits
from qkdpost.checks import instance, real_number
from qkdpost.errors import InputError
from qkdpost.records import Detections, TimeTags
from qkdpost.sifting.sifted import SiftedKey
from qkdpost.sifting.slots.coding import MAX_SPAN
from qkdpost.sifting.slots.coincident import SlotMatch
from qkdpost.sifting.slots.prepared import split_by_basis
from qkdpost.sifting.time_tags.calibration import (
    ARGUMENTS,
    DRIFT_PPM,
    SEARCH_PS,
    Calibration,
    around_jumps,
    calibrate,
    choose_window,
    correct,
)
from qkdpost.sifting.time_tags.clicks import (
    ClickEvents,
    dead_time_ticks,
    merge_clicks,
    suppress_echoes,
    test_basis_clicks,
    to_tick_length,
)
from qkdpost.sifting.time_tags.clock_search import SearchNames
from qkdpost.sifting.time_tags.work_budget import WorkBudget
from qkdpost.threads import sharing

__all__ = [
    "PairedTags",
    "calibrate_to_events",
    "calibrate_to_test_clicks",
    "corrected_events",
    "from_grid",
    "grid_ticks",
    "match_events",
    "pair_time_tags",
    "to_detections",
]

MAX_DEAD_TIME_PS = 1e12
MAX_WINDOW_PS = 1e9


def calibrate_to_test_clicks(
    tags: TimeTags,
    peer_ticks: NDArray[np.int64],
    peer_channels: NDArray[np.uint8],
    *,
    search_ps: float | None = SEARCH_PS,
    max_drift_ppm: float = DRIFT_PPM,
    window_ticks: int | None = None,
    work: WorkBudget | None = None,
    names: SearchNames = ARGUMENTS,
) -> tuple[Calibration, int]:
    """Step 3, the beginning: find the reporting side's clock, delays and window from the disclosed test basis.

    Args:
        tags: the reporting side's clicks without echoes.
        peer_ticks: those disclosed, in ticks of the same length, in the order of time.
        peer_channels: 0 and 1 for the outcomes of their test basis.
        search_ps: the offset of the clocks is looked for within +- this.
        max_drift_ppm: their drift is looked for within +- this.
        window_ticks: half the width of the window, or None to choose it.
        work: what all of it may cost; by default a new budget for this number of clicks.
        names: what an error calls the two settings of the search.

    Returns:
        The calibration, and half the width of the window in ticks.

    Raises:
        NoCoincidencePeak: the records show no coincidences, or not within the work allowed.
        InputError: a setting is out of range.
    """
    work = work or WorkBudget.for_clicks(tags.clicks)
    calibration = calibrate(
        tags,
        peer_ticks,
        peer_channels,
        search_ps=search_ps,
        max_drift_ppm=max_drift_ppm,
        work=work,
        names=names,
    )
    if window_ticks is None:
        late = np.rint(calibration.delays.reference[peer_channels]).astype(np.int64)
        window_ticks = choose_window(correct(tags, calibration), peer_ticks - late, work=work)
    return calibration, window_ticks


def calibrate_to_events(tags: TimeTags, peer_ticks: NDArray[np.int64], peer_bases: Bits) -> Calibration:
    """Step 4, the beginning: find the answering side's delays from the reported events of the test basis.

    Raises:
        NoCoincidencePeak: the records show no coincidences.
        InputError: there is not one basis for each event.
    """
    if len(peer_bases) != peer_ticks.size:
        raise InputError(
            f"peer_bases must have one basis per event; found {len(peer_bases)} for {peer_ticks.size} events"
        )
    ticks = peer_ticks[np.asarray(peer_bases) == 1]
    return calibrate(tags, ticks, np.zeros(ticks.size, dtype=np.uint8), search_ps=None)


def corrected_events(tags: TimeTags, calibration: Calibration, window_ticks: int, dead_time_ps: float) -> ClickEvents:
    """Take clock and delays off all of one side's clicks, echoes too, and merge them (`clicks.merge_clicks`).

    Events so close to a jump of the clock that it is not known which detectors were ready are left out.
    """
    first_tick = int(tags.ticks[0]) if tags.clicks else 0
    unsure = around_jumps(calibration, first_tick, dead_time_ticks(dead_time_ps, tags.tick_ps))
    return merge_clicks(correct(tags, calibration), window_ticks, dead_time_ps, unsure=unsure)


def grid_ticks(window_ticks: int) -> int:
    """Return the step to which published times are rounded: an eighth of the half width, at least a tick.

    It is no longer than the window, within which clicks are merged, so that no two events share a slot.
    """
    return max(1, window_ticks // 8)


def to_detections(events: ClickEvents, *, origin_tick: int, span_steps: int, step_ticks: int) -> Detections:
    """Return events as detections in slots of `step_ticks` from `origin_tick` on, ready to be reported.

    Events outside of the `span_steps` slots are left out: the other side has no record of that time.

    Args:
        events: corrected, and merged within the window.
        origin_tick: where slot 0 begins.
        span_steps: how many slots there are.
        step_ticks: the length of a slot, `grid_ticks` of the window.

    Raises:
        InputError: the grid is outside its range, or two events share a slot.
    """
    if not 0 <= span_steps <= MAX_SPAN or step_ticks < 1:
        raise InputError(
            f"a grid must have 0 ... 2^61 steps of at least 1 tick; found {span_steps} steps of {step_ticks}"
        )
    steps = (events.ticks - origin_tick) // step_ticks
    low, high = (int(place) for place in np.searchsorted(steps, [0, span_steps]))
    return Detections(
        pulses=span_steps, slots=steps[low:high], bases=events.bases[low:high], outcomes=events.bits[low:high]
    )


def from_grid(slots: NDArray[np.integer[Any]], *, origin_tick: int, step_ticks: int) -> NDArray[np.int64]:
    """Return the ticks in the middle of the slots of `to_detections`.

    Raises:
        InputError: they leave the range of +-2^61.
    """
    if slots.size:
        ends = [origin_tick + int(slot) * step_ticks for slot in (slots[0], slots[-1])]
        if min(ends) < -MAX_SPAN or max(ends) > MAX_SPAN - step_ticks:
            raise InputError(f"times must lie within +-2^61 ticks; found {ends[0]} ... {ends[1]}")
    ticks: NDArray[np.int64] = origin_tick + slots.astype(np.int64) * step_ticks + step_ticks // 2
    return ticks


def match_events(own: ClickEvents, peer_ticks: NDArray[np.int64], peer_bases: Bits, *, window_ticks: int) -> SlotMatch:
    """Pair the events of both sides that are each other's nearest and at most `window_ticks` apart.

    Args:
        own: this side's events.
        peer_ticks: the peer's times on the same clock, strictly increasing, from `from_grid`.
        peer_bases: the peer's bases.
        window_ticks: half the width of the window.

    Returns:
        Masks of the pairs of equal basis over both sides' events, and how many pairs there are of any.

    Raises:
        InputError: there is not one basis for each time.
    """
    if len(peer_bases) != peer_ticks.size:
        raise InputError(
            f"peer_bases must have one basis per event; found {len(peer_bases)} for {peer_ticks.size} events"
        )
    own_matched = np.zeros((own.events + 63) // 64, dtype=np.uint64)
    peer_matched = np.zeros((peer_ticks.size + 63) // 64, dtype=np.uint64)
    ticks = np.ascontiguousarray(peer_ticks, dtype=np.int64).view()
    ticks.flags.writeable = False
    pairs = match_nearest(own.ticks, own.bases.words, ticks, peer_bases.words, window_ticks, own_matched, peer_matched)
    return SlotMatch(
        peer_matched=Bits(peer_matched, peer_ticks.size), own_matched=Bits(own_matched, own.events), rounds=pairs
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedTags:
    """What two records of time tags come to.

    Args:
        answering: the sifted bits of the side that discloses and answers; `rounds` counts coincidences in any bases.
        reporting: those of the side that reports.
        window_ps: half the width of the coincidence window.
        reporting_calibration: the reporting side's clock and delays against the disclosed test basis.
        answering_calibration: the answering side's delays against the reported events.
        double_clicks: events whose bit was drawn, of the answering and of the reporting side.
        cross_clicks: events whose basis and bit were drawn, likewise.

    >>> import qkdpost as qp
    >>> from qkdpost import sifting
    >>> tags = qp.simulation.bbm92_time_tags(duration_s=0.1, pair_rate_hz=1e6, rng=1)
    >>> paired = sifting.pair_time_tags(*tags)
    >>> len(paired.answering.key_bits) == len(paired.reporting.key_bits)
    True
    """

    answering: SiftedKey
    reporting: SiftedKey
    window_ps: float
    reporting_calibration: Calibration
    answering_calibration: Calibration
    double_clicks: tuple[int, int]
    cross_clicks: tuple[int, int]


def pair_time_tags(
    answering: TimeTags,
    reporting: TimeTags,
    *,
    dead_time_ps: float = 0.0,
    window_ps: float | None = None,
    search_ps: float | None = SEARCH_PS,
    max_drift_ppm: float = DRIFT_PPM,
    executor: Executor | None = None,
) -> PairedTags:
    """Run all steps for both sides in one process, with what each would have of the other.

    Args:
        answering: the clicks of the side that discloses its test basis and answers; outcomes are correlated with those
            of the other side in both bases.
        reporting: the clicks of the side that reports its events.
        dead_time_ps: for how long a detector recovers at most; events closer than this to any click are left out.
        window_ps: half the width of the coincidence window; None to choose it from the data.
        search_ps: the offset of the clocks is looked for within +- this, at most 10^15; by default 10 s. None if they
            are known to agree.
        max_drift_ppm: their drift is looked for within +- this, at most 1000.
        executor: in whose threads clocks are searched too, such as `concurrent.futures.ThreadPoolExecutor`; what is
            found is the same.

    Raises:
        NoCoincidencePeak: the records show no coincidences; it says what was searched.
        InputError: an argument is no number, or out of range.
        ConfigurationError: no executor of threads.

    >>> import qkdpost as qp
    >>> from qkdpost import sifting
    >>> tags = qp.simulation.bbm92_time_tags(duration_s=0.1, pair_rate_hz=1e6, clock_offset_ps=3e6, rng=1)
    >>> paired = sifting.pair_time_tags(*tags)
    >>> paired.answering.rounds == paired.reporting.rounds > 300
    True
    """
    for side, record in (("answering", answering), ("reporting", reporting)):
        instance(side, record, TimeTags)
    dead_time_ps = real_number("dead_time_ps", dead_time_ps, least=0.0, most=MAX_DEAD_TIME_PS, unit="ps")
    if window_ps is not None:
        window_ps = real_number("window_ps", window_ps, least=0.0, most=MAX_WINDOW_PS, unit="ps")
    with sharing(executor):
        return _paired(answering, reporting, dead_time_ps, window_ps, search_ps, max_drift_ppm)


def _paired(
    answering: TimeTags,
    reporting: TimeTags,
    dead_time_ps: float,
    window_ps: float | None,
    search_ps: float | None,
    max_drift_ppm: float,
) -> PairedTags:
    answering, reporting = to_tick_length(answering, answering.tick_ps), to_tick_length(reporting, answering.tick_ps)
    answering_quiet, reporting_quiet = (
        suppress_echoes(answering, dead_time_ps),
        suppress_echoes(reporting, dead_time_ps),
    )
    disclosed = test_basis_clicks(answering_quiet)
    reporting_calibration, window_ticks = calibrate_to_test_clicks(
        reporting_quiet,
        disclosed.ticks,
        disclosed.channels - 2,
        search_ps=search_ps,
        max_drift_ppm=max_drift_ppm,
        work=WorkBudget.for_both(answering.clicks, reporting.clicks),
        window_ticks=None if window_ps is None else round(window_ps / answering.tick_ps),
    )
    reporting_events = corrected_events(reporting, reporting_calibration, window_ticks, dead_time_ps)
    step_ticks = grid_ticks(window_ticks)
    origin_tick = int(disclosed.ticks[0])
    span_steps = (int(disclosed.ticks[-1]) - origin_tick) // step_ticks + 1
    report = to_detections(reporting_events, origin_tick=origin_tick, span_steps=span_steps, step_ticks=step_ticks)

    peer_ticks = from_grid(report.slots, origin_tick=origin_tick, step_ticks=step_ticks)
    answering_calibration = calibrate_to_events(answering_quiet, peer_ticks, report.bases)
    answering_events = corrected_events(answering, answering_calibration, window_ticks, dead_time_ps)
    match = match_events(answering_events, peer_ticks, report.bases, window_ticks=window_ticks)
    return PairedTags(
        answering=_sifted(answering_events.bases, answering_events.bits, match.own_matched, match.rounds),
        reporting=_sifted(report.bases, report.bits, match.peer_matched, match.rounds),
        window_ps=window_ticks * answering.tick_ps,
        reporting_calibration=reporting_calibration,
        answering_calibration=answering_calibration,
        double_clicks=(answering_events.double_clicks, reporting_events.double_clicks),
        cross_clicks=(answering_events.cross_clicks, reporting_events.cross_clicks),
    )


def _sifted(bases: Bits, bits: Bits, matched: Bits, rounds: int) -> SiftedKey:
    key_bits, test_bits = split_by_basis(bases, bits, matched)
    return SiftedKey(key_bits=key_bits, test_bits=test_bits, rounds=rounds)
