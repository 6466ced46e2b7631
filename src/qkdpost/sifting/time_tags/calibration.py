"""Clock, detector delays and coincidence window of one side, from the other side's disclosed clicks.

A click of the key basis coincides with clicks of the other side's test basis as often as any, though sifting discards
such pairs: the key basis is calibrated on them, and no outcome of it is ever announced.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.sifting.time_tags import collect_differences
from qkdpost.checks import real_number
from qkdpost.records import TimeTags
from qkdpost.sifting.time_tags.clicks import in_order
from qkdpost.sifting.time_tags.clock import ClockModel, NoCoincidencePeak, find_clock
from qkdpost.sifting.time_tags.clock_jumps import follow_jumps
from qkdpost.sifting.time_tags.clock_search import SearchNames
from qkdpost.sifting.time_tags.work_budget import OutOfWork, WorkBudget

__all__ = [
    "Calibration",
    "ChannelDelays",
    "around_jumps",
    "calibrate",
    "choose_window",
    "correct",
    "find_channel_delays",
    "max_window_ticks",
]

BIN_PS = 2_000.0
FINE_BIN_PS = 25.0
PEAK_PS = 500.0
SPREAD_PS = 50_000.0
REFINEMENTS = 3
ENOUGH_CLICKS = 2**17
"""Of more disclosed clicks an even choice of about this number fixes delays and window."""
MAX_CHOSEN_WINDOW_PS = 10_000.0
"""No window that is chosen from the data is wider."""
UNITS_PER_PAIR = 40
SEARCH_PS = 1e13
"""The offset is looked for within +- this unless something else is said: ten seconds."""
DRIFT_PPM = 100.0
"""And the drift within this: more than any quartz is off."""
MAX_SEARCH_PS = 1e15
"""No longer search can be asked for; above a thousand seconds a double does not hold an offset to a fine tick."""
MAX_DRIFT_PPM = 1000.0
ARGUMENTS = SearchNames()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelDelays:
    """How late each detector's clicks come, in ticks.

    Args:
        own: of this side's channels against the reference's first channel; shape (4,).
        reference: of the reference's channels against its first; shape (channels of the reference,).
    """

    own: NDArray[np.float64]
    reference: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What must be taken off one side's times to compare them with the other side's.

    Args:
        clock: this side's clock against the reference, or None if it is known to be the same.
        delays: the delays of both sides' channels that remain.
    """

    clock: ClockModel | None
    delays: ChannelDelays


def calibrate(
    tags: TimeTags,
    reference_ticks: NDArray[np.int64],
    reference_channels: NDArray[np.uint8],
    *,
    search_ps: float | None,
    max_drift_ppm: float = DRIFT_PPM,
    work: WorkBudget | None = None,
    names: SearchNames = ARGUMENTS,
) -> Calibration:
    """Find clock and delays of `tags` against clicks that the other side disclosed.

    Args:
        tags: own clicks of all four channels, without echoes.
        reference_ticks: the peer's clicks, in ticks of the same length, checked by `clock.check_peer_ticks`.
        reference_channels: small integers that separate detectors of different delay; shape as the ticks.
        search_ps: the clock's offset is looked for within +- this, at most 10^15; None if the clocks agree already.
        max_drift_ppm: its drift is looked for within +- this, at most 1000.
        work: what it may cost; by default a new budget for this number of clicks.
        names: what an error calls the two settings.

    Raises:
        NoCoincidencePeak: the records show no coincidences, or not within the work allowed.
        InputError: own times do not pass `TimeTags.check_times`, or a setting is out of range.
    """
    tags.check_times()
    if search_ps is not None:
        search_ps = real_number(names.offset, search_ps, least=0.0, most=MAX_SEARCH_PS, unit="ps")
    max_drift_ppm = real_number(names.drift, max_drift_ppm, least=0.0, most=MAX_DRIFT_PPM, unit="ppm")
    work = work or WorkBudget.for_clicks(tags.clicks)
    some = slice(None, None, 1 + reference_ticks.size // ENOUGH_CLICKS)
    some_ticks, some_channels = reference_ticks[some], reference_channels[some]
    if search_ps is None:
        return Calibration(clock=None, delays=find_channel_delays(tags, some_ticks, some_channels, work))
    clock = find_clock(
        reference_ticks,
        tags.ticks,
        search_ticks=round(search_ps / tags.tick_ps),
        bin_ticks=max(1, round(BIN_PS / tags.tick_ps)),
        spread_ticks=round(SPREAD_PS / tags.tick_ps),
        max_drift_ppm=max_drift_ppm,
        work=work,
        names=replace(names, tick_ps=tags.tick_ps),
    )
    moved, _ = _on_reference_clock(tags, clock)
    clock = follow_jumps(
        clock, tags.ticks, moved, some_ticks, some_channels, search_ticks=round(search_ps / tags.tick_ps), work=work
    )
    for _ in range(REFINEMENTS):
        moved, own_ticks = _on_reference_clock(tags, clock)
        delays = find_channel_delays(moved, some_ticks, some_channels, work)
        clock = _refine(clock, own_ticks, moved, delays, (some_ticks, delays.reference[some_channels]), work)
    moved, _ = _on_reference_clock(tags, clock)
    delays = find_channel_delays(moved, some_ticks, some_channels, work)
    return Calibration(clock=clock, delays=delays)


def correct(tags: TimeTags, calibration: Calibration) -> TimeTags:
    """Return the clicks with clock and delays taken off, in the order of the corrected times.

    To correct before publishing is what keeps the time of a click from telling its detector, and so its bit. What
    remains is the difference in shape of the detectors' jitter, within the width of the coincidence peak.
    """
    late = calibration.delays.own[tags.channels]
    if calibration.clock is not None:
        late = late + calibration.clock.to_reference(tags.ticks)
    return in_order(tags.ticks - np.rint(late).astype(np.int64), tags.channels, tags.tick_ps)


def around_jumps(calibration: Calibration, first_tick: int, dead_time: int) -> tuple[tuple[int, int], ...]:
    """Return first and last tick of the corrected times around jumps in which no event may be announced.

    Two clicks to both sides of a jump are moved apart by it, so that the second seems to find all detectors ready
    though it came while one recovered. And since detectors are late by different times, the one with the longest delay
    is the first to fall silent before a gap: the last times before it, and the first ones after, would show which. The
    beginning of the record, before which nothing is known of detectors, may come to lie behind a later piece.

    Args:
        calibration: as it is taken off.
        first_tick: the first click of the record, not corrected.
        dead_time: for how long a detector recovers at most, in ticks.
    """
    clock, own = calibration.clock, calibration.delays.own
    if clock is None or not clock.jumps:
        return ()
    earliest, latest = int(np.floor(-own.max())) - 1, int(np.ceil(-own.min())) + 1
    begins = np.array([first_tick, *(jump.at_tick for jump in clock.jumps)])
    unsure: list[tuple[int, int]] = []
    for begin, before, after in zip(begins, clock.to_reference(begins - 1), clock.to_reference(begins), strict=True):
        last, first = int(begin) - round(float(before)), int(begin) - round(float(after))
        unsure += [(last + earliest, last + latest), (first + earliest, first + latest + dead_time)]
    return tuple(unsure)


def find_channel_delays(
    tags: TimeTags, reference_ticks: NDArray[np.int64], reference_channels: NDArray[np.uint8], work: WorkBudget
) -> ChannelDelays:
    """Find the delay of each own channel against the reference, and of the reference's channels among themselves.

    The centre of the coincidence peak of each pair of channels gives one difference of delays; the delays are those
    that fit all differences best, weighted by the coincidences above chance. A channel without a peak gets the mean
    of the others, and takes no part in coincidences anyway.

    Args:
        tags: own clicks on the reference's clock.
        reference_ticks: the reference's clicks.
        reference_channels: their channels, small integers.
        work: is charged.

    Raises:
        NoCoincidencePeak: no pair of channels has a peak, or too little work is left.
    """
    first, second = _differences(reference_ticks, tags.ticks, round(SPREAD_PS / tags.tick_ps), work)
    channels = int(reference_channels.max(initial=0)) + 1
    lags = tags.ticks[second] - reference_ticks[first]
    pair = reference_channels[first].astype(np.int64) * 4 + tags.channels[second]
    rows: list[NDArray[np.float64]] = []
    values: list[float] = []
    for index in range(4 * channels):
        centre, excess = _peak(lags[pair == index], tags.tick_ps)
        if excess:
            row = np.zeros(4 + channels)
            row[index % 4], row[4 + index // 4] = 1.0, -1.0
            weight = np.sqrt(excess)
            rows.append(row * weight)
            values.append(centre * weight)
    if not rows:
        raise NoCoincidencePeak(
            f"no coincidence peak between {reference_ticks.size} and {tags.clicks} clicks in any pair of channels"
        )
    return _solve(np.array(rows), np.array(values))


def choose_window(
    tags: TimeTags,
    reference_ticks: NDArray[np.int64],
    *,
    other_errors: float = 0.02,
    work: WorkBudget | None = None,
) -> int:
    """Return the half width, in ticks, of the coincidence window that leaves most key.

    C(w) coincidences within +-w hold A(w) accidental ones, known from the differences far outside the peak; half of
    those are errors. Of the windows that hold clearly more, the one
    with the largest C (1 - 2 h(e + A / 2C)), h the binary entropy, is chosen.

    Args:
        tags: own clicks, corrected.
        reference_ticks: the peer's disclosed clicks, with their channels' delays taken off, in any order.
        other_errors: e, the error rate of true coincidences.
        work: what it may cost; by default a new budget for this number of clicks.

    Raises:
        NoCoincidencePeak: no window leaves any key, or too little work is left.
    """
    # Accidentals are counted from the largest window to five times as far.
    largest = max_window_ticks(tags.tick_ps)
    reference = np.sort(reference_ticks[:: 1 + reference_ticks.size // ENOUGH_CLICKS], kind="stable")
    first, second = _differences(reference, tags.ticks, 5 * largest, work or WorkBudget.for_clicks(tags.clicks))
    distances = np.abs(tags.ticks[second] - reference[first])
    counts = np.bincount(distances, minlength=5 * largest + 1)
    background = counts[largest + 1 :].sum() / (8 * largest)
    windows = np.arange(largest + 1)
    coincidences = np.maximum(np.cumsum(counts[: largest + 1]), 1)
    accidental = np.minimum(background * (2 * windows + 1), coincidences)
    errors = np.minimum(other_errors + accidental / (2 * coincidences), 0.5)
    gain = coincidences * (1 + 2 * (errors * np.log2(errors) + (1 - errors) * np.log2(1 - errors)))
    gain[coincidences < accidental + 5 * np.sqrt(accidental) + 5] = 0
    if gain.max() <= 0:
        raise NoCoincidencePeak("no coincidence peak: accidental coincidences drown the others in any window")
    return int(np.argmax(gain))


def max_window_ticks(tick_ps: float) -> int:
    """Return the largest half width of a coincidence window that is chosen from the data."""
    return max(2, round(MAX_CHOSEN_WINDOW_PS / tick_ps))


def _on_reference_clock(tags: TimeTags, clock: ClockModel) -> tuple[TimeTags, NDArray[np.int64]]:
    """Return the clicks with the clock taken off, but not the delays, in order; and what own ticks they had."""
    ticks = tags.ticks - np.rint(clock.to_reference(tags.ticks)).astype(np.int64)
    if not clock.jumps:
        return TimeTags(ticks=ticks, channels=tags.channels, tick_ps=tags.tick_ps), tags.ticks
    order = np.argsort(ticks, kind="stable")
    moved = TimeTags(ticks=ticks[order], channels=tags.channels[order], tick_ps=tags.tick_ps)
    return moved, tags.ticks[order]


def _differences(
    reference: NDArray[np.int64], ticks: NDArray[np.int64], reach: int, work: WorkBudget
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the indices of all pairs at most `reach` apart, the earliest if they are more than chance can make.

    Raises:
        NoCoincidencePeak: too little work is left to look at this many clicks.
    """
    room = 8 * reference.size + 2**16
    try:
        work.spend(reference.size + ticks.size // 2 + UNITS_PER_PAIR * min(room, _count_pairs(reference, ticks, reach)))
    except OutOfWork:
        raise NoCoincidencePeak("no coincidence peak within the work allowed: clicks lie too close together") from None
    first = np.empty(room, dtype=np.int64)
    second = np.empty(room, dtype=np.int64)
    count = collect_differences(reference, ticks, -reach, reach, first, second)
    return first[:count], second[:count]


def _count_pairs(reference: NDArray[np.int64], ticks: NDArray[np.int64], reach: int) -> int:
    ends = np.searchsorted(ticks, reference + reach, side="right")
    return int((ends - np.searchsorted(ticks, reference - reach)).sum())


def _peak(lags: NDArray[np.int64], tick_ps: float) -> tuple[float, float]:
    """Return the centre of the peak of `lags` and how many lie in it above chance, 0 if there is no peak."""
    unit = max(1, round(FINE_BIN_PS / tick_ps))
    reach = round(SPREAD_PS / tick_ps)
    counts = np.bincount((lags + reach) // unit, minlength=2 * reach // unit + 1)
    half = max(1, round(PEAK_PS / (tick_ps * unit)))
    width = 2 * half + 1
    sums = np.convolve(counts, np.ones(width, dtype=np.int64), mode="valid")
    place = int(np.argmax(sums)) + half
    background = lags.size / counts.size * width
    if sums[place - half] < background + 6 * np.sqrt(background) + 6:
        return 0.0, 0.0
    low = min(max(0, place - half), counts.size - width)
    for _ in range(8):
        above = np.cumsum(np.maximum(counts[low : low + 2 * width] - background / width, 0))
        # The median: peaks have tails to one side. Within its bin it is interpolated.
        middle = int(np.searchsorted(above, above[-1] / 2))
        before = above[middle - 1] if middle else 0.0
        centre = low + middle + float((above[-1] / 2 - before) / (above[middle] - before))
        low = min(max(0, round(centre) - width), max(0, counts.size - 2 * width))
    # Bin k holds the ticks k * unit - reach and the unit - 1 after it.
    return centre * unit - reach - 0.5, float(above[-1])


def _solve(rows: NDArray[np.float64], values: NDArray[np.float64]) -> ChannelDelays:
    """Solve for the channels that occur, with the first reference channel at 0; the others get their means."""
    occurs = np.any(rows != 0, axis=0)
    solved = np.full(rows.shape[1], np.nan)
    solved[occurs] = np.linalg.lstsq(rows[:, occurs], values, rcond=None)[0]
    own, reference = solved[:4], solved[4:]
    gauge = reference[0] if occurs[4] else float(np.nanmean(reference))
    own = np.where(np.isnan(own), np.nanmean(own), own) - gauge
    reference = np.where(np.isnan(reference), np.nanmean(reference), reference) - gauge
    return ChannelDelays(own=own, reference=reference)


def _refine(
    clock: ClockModel,
    own_ticks: NDArray[np.int64],
    moved: TimeTags,
    delays: ChannelDelays,
    reference: tuple[NDArray[np.int64], NDArray[np.float64]],
    work: WorkBudget,
) -> ClockModel:
    """Return the clock after a straight line was fitted to what the coincidences' differences still show.

    `moved` are the clicks of `own_ticks` on the reference's clock, in the same order, but rounded, which would hide a
    drift of less than a tick. `reference` are its times and how late each is.
    """
    reach = round(SPREAD_PS / moved.tick_ps)
    first, second = _differences(reference[0], moved.ticks, reach, work)
    late = delays.own[moved.channels[second]] - reference[1][first]
    own = own_ticks[second]
    rest = (own - reference[0][first] - round(clock.offset_ticks)).astype(np.float64)
    rest -= clock.to_reference(own) - round(clock.offset_ticks) + late
    times = (own - clock.origin_tick).astype(np.float64)
    slope, near = 0.0, 4 * PEAK_PS / moved.tick_ps
    for _ in range(REFINEMENTS):
        inside = np.abs(rest - slope * times) <= max(near, 2.0)
        if np.count_nonzero(inside) < 16:
            return clock
        since = times[inside] - times[inside].mean()
        slope = float(since @ rest[inside]) / max(float(since @ since), 1.0)
        near /= 2
    return replace(clock, drift_ppm=clock.drift_ppm + 1e6 * slope)
