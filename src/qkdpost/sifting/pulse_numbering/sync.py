"""A clock from sync tags: every `divider`-th pulse, some missed, some tags spurious, all with jitter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.sifting.pulses import follow_sync
from qkdpost.errors import InputError
from qkdpost.sifting.pulse_numbering.clock import PulseClock

__all__ = ["SyncCount", "clock_from_sync"]

MIN_SYNC_TAGS = 16
MAX_PERIOD_ERROR = 0.01
"""How far the period may be from the nominal one, of which it is a share."""
MAX_MISSED = 32
"""Of more syncs missed in a row the count follows from the interval before and after the gap."""
_LOCK_TAGS = 256
_LOOK_AHEAD = 32
_PATIENCE = 64
_BLOCK_PS = 1e9
_MAX_REFUSED = 0.2

Ticks = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncCount:
    """What became of the sync tags.

    Args:
        tags: how many there were.
        missed: how many did not come, as the intervals between the others show.
        refused: how many lie where no pulse can have been.
        jitter_ps: standard deviation of the others, estimated from their intervals.
        first_tick: the first that counts; pulse 0 of the receiver's own count left then.
        last_tick: and the last.
        longest_gap_ps: between two that count.
    """

    tags: int
    missed: int
    refused: int
    jitter_ps: float
    first_tick: int
    last_tick: int
    longest_gap_ps: float


def clock_from_sync(ticks: Ticks, *, tick_ps: float, period_ps: float, divider: int) -> tuple[PulseClock, SyncCount]:
    """Number the sync tags and lay straight lines through them.

    Intervals are counted by rounding, each from the phase and the interval that the tags before it gave, so that a
    drifting laser is followed and a missed tag counts as what it is. A tag that is further than ten standard
    deviations of the jitter from a whole number of intervals is spurious and refused. Knots of the clock are means
    over a millisecond: jitter averages out, and no oscillator wanders in that time.

    Args:
        ticks: of the sync channel, in the order of time; shape (n,).
        tick_ps: the length of a tick.
        period_ps: the nominal period of pulses, good to 1 %.
        divider: every how many pulses a sync comes.

    Raises:
        InputError: too few tags, none at the given period, jitter that hides which pulse a tag belongs to, a jump of
            the laser's clock, or a gap over which the pulses cannot be counted.
    """
    if ticks.size < MIN_SYNC_TAGS:
        raise InputError(
            f"the sync channel has {ticks.size} tags, and {MIN_SYNC_TAGS} are needed; record for longer, or leave "
            "sync_channel away to number the pulses from the clicks alone"
        )
    interval, jitter = _interval(ticks, period_ps * divider / tick_ps, divider)
    tolerance = _tolerance(jitter, interval / divider, tick_ps)
    runs = [run for run in _runs(ticks, interval) if run.size >= MIN_SYNC_TAGS]
    followed = [_followed(run, interval, tolerance, tick_ps) for run in runs]
    followed = [run for run in followed if run[0].size >= MIN_SYNC_TAGS // 2]
    if not followed:
        raise InputError(
            f"nowhere do {MIN_SYNC_TAGS} syncs come with fewer than {MAX_MISSED} missed in a row: too few come. Set "
            "the tagger's threshold"
        )
    times, numbers = _joined(followed, interval / divider, tick_ps)
    refused = int(ticks.size - times.size)
    if refused > _MAX_REFUSED * ticks.size:
        raise InputError(
            f"{refused} of {ticks.size} syncs lie between pulses: the channel counts echoes or noise; set the tagger's "
            "threshold, or its dead time to less than the interval of syncs"
        )
    return _through(times, numbers.astype(np.float64) * divider, tick_ps), SyncCount(
        tags=int(ticks.size),
        missed=int(numbers[-1]) + 1 - int(numbers.size),
        refused=refused,
        jitter_ps=jitter * tick_ps,
        first_tick=int(times[0]),
        last_tick=int(times[-1]),
        longest_gap_ps=int(np.diff(times).max()) * tick_ps,
    )


def _tolerance(jitter: float, period: float, tick_ps: float) -> float:
    """Return how far a sync may be from where it should, in ticks: always less than half a pulse."""
    if 10 * jitter > period / 3:
        raise InputError(
            f"the sync jitters by {jitter * tick_ps:.0f} ps, and the period is {period * tick_ps:.0f} ps: a thirtieth "
            "of it is what may be. Set the tagger's threshold on the steepest part of the sync's edge"
        )
    return min(max(10 * jitter, 3.0), period / 3)


def _runs(ticks: Ticks, interval: float) -> list[Ticks]:
    """Return the tags between long gaps, over which the interval must be known better than one after another gives."""
    return np.split(ticks, np.flatnonzero(np.diff(ticks) > MAX_MISSED * interval) + 1)


def _followed(ticks: Ticks, interval: float, tolerance: float, tick_ps: float) -> tuple[Ticks, Ticks]:
    """Return those tags of a run that count, and their numbers within it."""
    singles = np.diff(ticks[: _LOCK_TAGS + 1])
    near = np.abs(singles - interval) < MAX_PERIOD_ERROR * interval
    if near.sum() >= 4:
        middle = float(np.median(singles[near]))
        interval = float(singles[np.abs(singles - middle) <= tolerance].mean())
    counts = np.empty(ticks.size, dtype=np.int64)
    start = _first_true(ticks, interval, tolerance)
    _, lost_at = follow_sync(ticks, start, interval, tolerance, _PATIENCE, counts)
    if lost_at >= 0:
        seconds = (int(ticks[lost_at]) - int(ticks[0])) * tick_ps * 1e-12
        raise InputError(
            f"{_PATIENCE} syncs in a row, up to {seconds:.6f} s after the first, do not continue those before: the "
            "laser's clock jumped, or another signal is on the channel. Submit the pieces apart"
        )
    good = counts >= 0
    return ticks[good], counts[good]


def _joined(runs: list[tuple[Ticks, Ticks]], period: float, tick_ps: float) -> tuple[Ticks, Ticks]:
    """Return the tags of all runs, and their numbers; over a gap the mean of both sides' intervals counts."""
    times, numbers = [runs[0][0]], [runs[0][1]]
    for run, own in runs[1:]:
        before, after = (
            _slope(times[-1][-_LOCK_TAGS:], numbers[-1][-_LOCK_TAGS:]),
            _slope(run[:_LOCK_TAGS], own[:_LOCK_TAGS]),
        )
        gap = int(run[0]) - int(times[-1][-1])
        steps = gap / ((before + after) / 2)
        whole = round(steps)
        # Between two tags the clock is a straight line; where the period changes, it errs by this at most.
        bent = gap * abs(after / before - 1) / 8
        if abs(steps - whole) * before > period / 3 or bent > period / 8:
            raise InputError(
                f"no sync came for {gap * tick_ps * 1e-12:.6f} s, over which the pulses cannot be counted: the period "
                f"before differs by {1e6 * abs(after / before - 1):.3g} ppm from that after, and the count by "
                f"{abs(steps - whole):.3g} from a whole number of syncs. Submit the pieces before and after it apart"
            )
        times.append(run)
        numbers.append(own + (int(numbers[-1][-1]) + whole))
    return np.concatenate(times), np.concatenate(numbers)


def _slope(times: Ticks, numbers: Ticks) -> float:
    """Return the interval of syncs over some, from the means of their halves, so that jitter averages out."""
    half = times.size // 2
    late, early = times[half:] - times[0], times[:half] - times[0]
    return float((late.mean() - early.mean()) / (numbers[half:].mean() - numbers[:half].mean()))


def _interval(ticks: Ticks, nominal: float, divider: int) -> tuple[float, float]:
    """Return the interval of syncs at the beginning, and their jitter, in ticks."""
    steps = np.diff(ticks[: _LOCK_TAGS + 1]).astype(np.float64)
    ratios = steps / nominal
    whole = np.rint(ratios)
    near = (whole >= 1) & (np.abs(ratios - whole) <= 2 * MAX_PERIOD_ERROR * np.maximum(whole, 1))
    singles = steps[near & (whole == 1)]
    typical = float(np.median(steps))
    if near.mean() < 0.6 or singles.size < 4:
        found = f"syncs come every {typical / nominal * divider:.6g} pulses of period_ps, in the median"
        why = (
            f"but divider is {divider}: check divider and period_ps"
            if near.mean() < 0.6
            else f"and never every {divider}, the divider given: check it, and how many syncs are missed"
        )
        raise InputError(f"{found}, {why}")
    middle = float(np.median(singles))
    deviation = float(np.median(np.abs(singles - middle))) * 1.4826
    close = singles[np.abs(singles - middle) <= 4 * deviation + 1.0]
    # Whole ticks hide what is smaller: rounding alone makes a third of a tick.
    jitter = max(float(close.std()) / 2**0.5, 0.3)
    return float(close.mean()), jitter


def _first_true(ticks: Ticks, interval: float, tolerance: float) -> int:
    """Return the first tag from which most of the next ones lie whole intervals away."""
    agree = []
    for start in range(min(64, ticks.size // 2)):
        ratios = (ticks[start + 1 : start + 1 + _LOOK_AHEAD] - ticks[start]) / interval
        agree.append(int((np.abs(ratios - np.rint(ratios)) * interval <= 1.5 * tolerance).sum()))
    return int(np.argmax(np.array(agree) >= 0.75 * max(agree)))


def _through(ticks: Ticks, pulses: NDArray[np.float64], tick_ps: float) -> PulseClock:
    """Return the clock whose knots are means over equal stretches of time."""
    origin = int(ticks[0])
    times = (ticks - origin).astype(np.float64)
    stretches = max(2, round(times[-1] * tick_ps / _BLOCK_PS))
    at = np.minimum((times * (stretches / times[-1])).astype(np.int64), stretches - 1)
    first = np.flatnonzero(np.diff(at, prepend=-1))
    sizes = np.diff(first, append=at.size)
    # Times are summed from the first of each stretch, in which they are small.
    base, base_pulses = times[first], pulses[first]
    mean_times = base + np.add.reduceat(times - np.repeat(base, sizes), first) / sizes
    mean_pulses = base_pulses + np.add.reduceat(pulses - np.repeat(base_pulses, sizes), first) / sizes
    return PulseClock(origin_tick=origin, knot_times=mean_times, knot_pulses=mean_pulses, tick_ps=tick_ps)
