"""A clock from the clicks alone: the period is searched for by folding, then the phase is followed through the record.

All detectors count the same, so that the clock reveals nothing of any of them.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.sifting.pulses import folding_power
from qkdpost.errors import InputError
from qkdpost.sifting.pulse_numbering.clock import PulseClock, check_gap

__all__ = ["MAX_PERIOD_ERROR_PPM", "MIN_CLICKS", "clock_from_clicks"]

MAX_PERIOD_ERROR_PPM = 100.0
MIN_CLICKS = 1024
_SEARCH_CLICKS = 2048
_COHERENT_CLICKS = 32
_SEARCH_HARMONICS = 4
_HARMONICS = 8
_ENOUGH_POWER = 120.0
"""Twice the power of four harmonics has a chi-squared distribution of eight degrees of freedom by chance: 120 or more
comes with probability 3e-22, and fewer than 10^8 periods and places are tried."""
MAX_TRIALS = 2**16
"""Periods tried on either side of the nominal one: some seconds. 32 clicks may come in 0.8 s at 100 MHz."""
_PLACES = (0.5, 0.25, 0.75, 0.1, 0.9)
_SEGMENT_CLICKS = 256
_SEGMENT_PS = 2e10
_SEGMENTS = 2048
_USED_CLICKS = 1024
_MIN_FIT_SIGMAS = 7.0
"""A dark group is taken for one with light with a probability below 10^-10: 33 phases at 7 standard deviations."""
_MAX_UNEVEN = 0.12
"""By chance 256 even clicks are more uneven than this once in a thousand groups, which costs no more than the group."""
_GRID = 64
_REMEMBERED = 8
_JOINED_KNOTS = 4

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]


@dataclass(frozen=True, slots=True)
class _Lock:
    """Where the search found the period: the frequency in periods a tick, and the shape of the folded clicks."""

    click: int
    frequency: float
    shape: Complexes


def clock_from_clicks(ticks: NDArray[np.int64], *, tick_ps: float, period_ps: float) -> tuple[PulseClock, int, int]:
    """Find the period of the clicks and follow it.

    Search: for every period within 100 ppm, the power of the first four harmonics of some two thousand clicks is summed
    over groups of 32 clicks, so short that few periods must be tried; around the best one groups are doubled until all
    clicks are one. Four harmonics, because early and late bins half a period apart have no first one.

    Following: groups of 256 clicks or more, at most 20 ms each where these are enough, are folded with the period of
    the eight before and compared with the shape that the search found. A group that shows no light is passed over.

    Args:
        ticks: of all detectors, in the order of time; shape (n,).
        tick_ps: the length of a tick.
        period_ps: the nominal period, good to 100 ppm.

    Returns:
        The clock, whose pulse 0 is near the first click with light, and the first and last tick for which it is known:
        a group before and after which all is dark.

    Raises:
        InputError: too few clicks, no period, or dark for longer than the pulses can be counted.
    """
    if ticks.size < MIN_CLICKS:
        raise InputError(
            f"to find the period from clicks takes {MIN_CLICKS} of them; found {ticks.size}. Record for longer, or use "
            "a sync channel"
        )
    times = (ticks - ticks[0]).astype(np.float64)
    if times[-1] * tick_ps < 2 * period_ps:
        raise InputError(f"all {ticks.size} clicks came within {times[-1] * tick_ps:.0f} ps, which is no record")
    lock = _search(times, tick_ps / period_ps, period_ps)
    edges = _segments(times, tick_ps)
    home = int(np.searchsorted(edges, lock.click, side="right")) - 1
    forward = _follow(times, edges, range(home, edges.size - 1), lock)
    backward = _follow(times, edges, range(home, -1, -1), lock)[1:]
    knots = np.array(backward[::-1] + forward)
    if len(knots) < 2:
        raise InputError("light came in less than two groups of clicks: record for longer, or use a sync channel")
    knots[:, 1] -= np.rint(knots[0, 1] - knots[0, 0] * lock.frequency)
    clock = PulseClock(origin_tick=int(ticks[0]), **_joined(knots), tick_ps=tick_ps)
    if len(knots) > 1:
        check_gap(clock, float(np.diff(knots[:, 0]).max()) * tick_ps, "light came")
    reach = 2 * float(np.median(np.diff(times[edges[:-1]])))
    since, until = (float(knots[0, 0]) - reach, float(knots[-1, 0]) + reach)
    for rest in (times[times < since], times[times > until]):
        _check_dark(rest, tick_ps, period_ps)
    return clock, int(ticks[0]) + int(since), int(ticks[0]) + int(until)


def _search(times: Floats, nominal: float, period_ps: float) -> _Lock:
    """Return the frequency around one of several places in the record."""
    most = 0.0
    for place in _PLACES:
        first = int(place * max(0, times.size - _SEARCH_CLICKS))
        some = times[first : first + _SEARCH_CLICKS]
        frequency = _refined(some, nominal)
        power = _power(some, frequency)
        most = max(most, power)
        if power >= _ENOUGH_POWER:
            middle = first + some.size // 2
            return _Lock(middle, frequency, _coefficients((some - times[middle]) * frequency))
    raise InputError(
        f"the clicks show no period within {MAX_PERIOD_ERROR_PPM:g} ppm of {period_ps:g} ps (the best has a power of "
        f"{most:.0f}, and {_ENOUGH_POWER:.0f} would be enough): check period_ps and tick_ps, and that there is light"
    )


def _check_dark(times: Floats, tick_ps: float, period_ps: float) -> None:
    """Refuse clicks that were not followed, before or after those that were, if they have the period, too."""
    if times.size < MIN_CLICKS:
        return
    for place in _PLACES:
        first = int(place * max(0, times.size - _SEARCH_CLICKS))
        some = times[first : first + _SEARCH_CLICKS]
        power = 0.0
        with suppress(InputError):  # clicks that are too rare to search in are no light
            power = _power(some, _refined(some, tick_ps / period_ps))
        if power >= _ENOUGH_POWER:
            raise InputError(
                f"light came in {(times[-1] - times[0]) * tick_ps * 1e-12:.3g} s before or after a gap, too, over "
                "which the pulses cannot be counted: submit the pieces before and after it apart"
            )


def _power(times: Floats, frequency: float) -> float:
    """Return twice the power of the first harmonics, for each click."""
    return 2 * float(_powers(times, np.array([frequency]), times.size)[0]) / times.size


def _refined(times: Floats, nominal: float) -> float:
    """Return the frequency of most power, groups doubled from step to step."""
    group = _COHERENT_CLICKS
    centre, reach = nominal, nominal * MAX_PERIOD_ERROR_PPM * 1e-6
    while True:
        # Over a group of typical length, a step moves the highest harmonic by half a turn.
        length = max(_typical_length(times, group), 1.0)
        step = 1 / (2 * _SEARCH_HARMONICS * length)
        # A group that spans no time shows no period; one that spans too many leaves too many frequencies to try.
        count = int(np.ceil(min(max(reach / step, 1.0), 2.0 * MAX_TRIALS)))
        if count > MAX_TRIALS:
            raise InputError(
                f"{group} clicks take {1e-6 * nominal * length:.3g} million periods, too many or too unevenly spread "
                "to find the period from clicks. Use a sync channel, or correct period_ps"
            )
        tried = centre + step * np.arange(-count, count + 1, dtype=np.float64)
        centre = float(tried[np.argmax(_powers(times, tried, group))])
        if group >= times.size:
            finer = centre + step / 8 * np.arange(-8, 9, dtype=np.float64)
            return float(finer[np.argmax(_powers(times, finer, group))])
        group, reach = 2 * group, 2 * step


def _typical_length(times: Floats, group: int) -> float:
    starts = times[::group]
    return float(np.median(np.diff(starts))) if starts.size > 2 else float(times[-1] - times[0])


def _powers(times: Floats, frequencies: Floats, group: int) -> Floats:
    powers = np.zeros(frequencies.size)
    folding_power(times, group, frequencies, _SEARCH_HARMONICS, powers)
    return powers


def _coefficients(coordinates: Floats) -> Complexes:
    """Return the means of exp(-2 pi i h x) over clicks, h = 1 ... 8; shape (8,)."""
    turned = np.exp(-2j * np.pi * coordinates)
    found = np.empty(_HARMONICS, dtype=np.complex128)
    power = np.ones_like(turned)
    for harmonic in range(_HARMONICS):
        power = power * turned
        found[harmonic] = power.mean()
    return found


def _segments(times: Floats, tick_ps: float) -> NDArray[np.int64]:
    """Return the first click of each group, and their number."""
    groups = max(_SEGMENTS, int(times[-1] * tick_ps / _SEGMENT_PS))
    groups = max(2, min(groups, times.size // _SEGMENT_CLICKS))
    return np.linspace(0, times.size, groups + 1).astype(np.int64)


def _follow(times: Floats, edges: NDArray[np.int64], order: range, lock: _Lock) -> list[tuple[float, float]]:
    """Return time and coordinate of each group that shows light, in the order in which they were visited."""
    harmonics = np.arange(1, _HARMONICS + 1)
    # Only a quarter of a period either way: early and late bins half a period apart must not be exchanged.
    lags = np.arange(-_GRID // 4, _GRID // 4 + 1) / _GRID
    turns = np.exp(2j * np.pi * np.outer(lags, harmonics))
    noise = float(np.sqrt((np.abs(lock.shape) ** 2).sum() / 2))
    known = [(float(times[lock.click]), 0.0)]
    knots: list[tuple[float, float]] = []
    frequency = lock.frequency
    for segment in order:
        first, last = int(edges[segment]), int(edges[segment + 1])
        some = times[first : last : 1 + (last - first) // _USED_CLICKS]
        if _uneven(some):
            continue
        middle = float(times[(first + last) // 2])
        time, coordinate = known[-1]
        guess = coordinate + (middle - time) * frequency
        found = _coefficients(guess + (some - middle) * frequency)
        fit = (turns * (found * np.conj(lock.shape))).sum(axis=1).real
        best = int(np.argmax(fit))
        if fit[best] < _MIN_FIT_SIGMAS * noise / some.size**0.5:
            continue
        late = float(lags[best] + _vertex(fit, best) / _GRID)
        knots.append((middle, guess - late))
        known = [*(known if len(knots) > 1 else [])[-_REMEMBERED:], knots[-1]]
        if len(known) > 2 and known[-1][0] != known[0][0]:
            frequency = (known[-1][1] - known[0][1]) / (known[-1][0] - known[0][0])
    return knots


def _uneven(times: Floats) -> bool:
    """Tell whether clicks came far from evenly, as where light begins or ends: they have no time in common."""
    share = (times - times[0]) / max(float(times[-1] - times[0]), 1.0)
    return bool(np.abs(share - np.arange(times.size) / times.size).max() > _MAX_UNEVEN)


def _vertex(values: Floats, at: int) -> float:
    """Return how far from `at` the parabola through three values has its vertex, at most half a step."""
    if not 0 < at < values.size - 1:
        return 0.0
    left, middle, right = (float(value) for value in values[at - 1 : at + 2])
    bend = left - 2 * middle + right
    return 0.5 * (left - right) / bend if bend < 0 else 0.0


def _joined(knots: Floats) -> dict[str, Floats]:
    """Return knots that are means of four, so that their noise does not widen the folded clicks."""
    whole = len(knots) // _JOINED_KNOTS * _JOINED_KNOTS
    if whole >= 8 * _JOINED_KNOTS:
        parts = np.split(knots, range(_JOINED_KNOTS, whole, _JOINED_KNOTS))
        knots = np.array([part.mean(axis=0) for part in parts])
    return {"knot_times": knots[:, 0].copy(), "knot_pulses": knots[:, 1].copy()}
