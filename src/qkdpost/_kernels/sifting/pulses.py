"""Loops that turn clicks into pulses: following a sync signal, a clock between its knots, folding, gating.

Ticks are `int64` in the order of time, within +-2^61. A coordinate is a time in pulses: its whole part is the number of
a pulse, the rest the phase within the period.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.jit.decorators import kernel

__all__ = [
    "collect_pulses",
    "fold",
    "folding_power",
    "follow_sync",
    "pulse_coordinates",
    "shortest_intervals",
    "sort_by_coordinate",
    "warm",
]

Ticks = NDArray[np.int64]
Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]


@kernel
def follow_sync(
    ticks: Ticks, start: int, interval: float, tolerance: float, patience: int, counts: Ticks
) -> tuple[int, int]:
    """Count how many intervals after the tag at `start` every later sync tag came.

    A tag counts if it lies within `tolerance` of a whole number of intervals after the ones before; phase and interval
    follow what counts, a fifth and a fiftieth of what it deviates. All others get -1.

    Args:
        ticks: the sync tags.
        start: one that is known to be none of the spurious.
        interval: ticks between two syncs there.
        tolerance: in ticks, less than half an interval.
        patience: so many tags in a row that do not count end the search.
        counts: gets the number of each tag; those before `start` get -1.

    Returns:
        How many tags count, and the index of the tag at which patience ended, or -1.
    """
    for index in range(start):
        counts[index] = -1
    counts[start] = 0
    origin = ticks[start]
    phase = 0.0
    number = np.int64(0)
    accepted = 1
    refused = 0
    for index in range(start + 1, ticks.size):
        since = float(ticks[index] - origin) - phase
        steps = math.floor(since / interval + 0.5)
        deviation = since - steps * interval
        if steps >= 1 and abs(deviation) <= tolerance:
            number += np.int64(steps)
            counts[index] = number
            phase += steps * interval + 0.2 * deviation
            interval += 0.02 * deviation / steps
            accepted += 1
            refused = 0
        else:
            counts[index] = -1
            refused += 1
            if refused == patience:
                return accepted, index
    return accepted, -1


@kernel
def pulse_coordinates(ticks: Ticks, origin: int, knot_times: Floats, knot_pulses: Floats, coordinates: Floats) -> None:
    """Write the coordinate of each tick, on straight lines between knots, and on the outermost beyond them.

    Args:
        ticks: clicks.
        origin: the tick from which the times of knots count.
        knot_times: in ticks since `origin`, increasing; at least two.
        knot_pulses: the coordinates there.
        coordinates: the output, one for each click.
    """
    segment = 0
    slope = (knot_pulses[1] - knot_pulses[0]) / (knot_times[1] - knot_times[0])
    for index in range(ticks.size):
        time = float(ticks[index] - origin)
        moved = False
        while segment < knot_times.size - 2 and time >= knot_times[segment + 1]:
            segment += 1
            moved = True
        if moved:
            slope = (knot_pulses[segment + 1] - knot_pulses[segment]) / (knot_times[segment + 1] - knot_times[segment])
        coordinates[index] = knot_pulses[segment] + (time - knot_times[segment]) * slope


@kernel
def fold(coordinates: Floats, detectors: Bytes, histogram: NDArray[np.int64]) -> None:
    """Count clicks of each detector by their phase; `histogram` has a row for each detector, zeroed."""
    bins = histogram.shape[1]
    for index in range(coordinates.size):
        phase = coordinates[index] - math.floor(coordinates[index])
        place = int(phase * bins)
        histogram[detectors[index], place if place < bins else bins - 1] += 1


@kernel
def folding_power(times: Floats, group: int, frequencies: Floats, harmonics: int, powers: Floats) -> None:
    """Add the power of the first harmonics of every frequency, coherent within groups of clicks, to `powers`.

    Args:
        times: clicks, in any unit.
        group: how many clicks are summed as amplitudes; the squares of groups are added.
        frequencies: in turns for each unit of time.
        harmonics: how many, at most 8.
        powers: one for each frequency.
    """
    real = np.zeros(8)
    imaginary = np.zeros(8)
    for trial in range(frequencies.size):
        frequency = frequencies[trial]
        for first in range(0, times.size, group):
            real[:] = 0.0
            imaginary[:] = 0.0
            for index in range(first, min(first + group, times.size)):
                turns = (times[index] - times[first]) * frequency
                angle = 2 * math.pi * (turns - math.floor(turns))
                cosine, sine = math.cos(angle), math.sin(angle)
                c, s = cosine, sine
                for harmonic in range(harmonics):
                    real[harmonic] += c
                    imaginary[harmonic] += s
                    c, s = c * cosine - s * sine, s * cosine + c * sine
            for harmonic in range(harmonics):
                powers[trial] += real[harmonic] ** 2 + imaginary[harmonic] ** 2


@kernel
def shortest_intervals(ticks: Ticks, detectors: Bytes, last: Ticks, shortest: Ticks) -> None:
    """Lower `shortest` to the least interval between clicks of each detector.

    `last` has a tick for each detector from which its first click's interval counts.
    """
    for index in range(ticks.size):
        detector = detectors[index]
        interval = ticks[index] - last[detector]
        shortest[detector] = min(shortest[detector], interval)
        last[detector] = ticks[index]


@kernel
def sort_by_coordinate(coordinates: Floats, detectors: Bytes, moves: int) -> bool:
    """Sort clicks, in place, that are nearly in order; return False if it took more than `moves` moves, unfinished."""
    left = moves
    for index in range(1, coordinates.size):
        value = coordinates[index]
        detector = detectors[index]
        place = index
        while place > 0 and coordinates[place - 1] > value:
            coordinates[place] = coordinates[place - 1]
            detectors[place] = detectors[place - 1]
            place -= 1
        coordinates[place] = value
        detectors[place] = detector
        left -= index - place
        if left < 0:
            return False
    return True


@kernel
def collect_pulses(
    coordinates: Floats,
    detectors: Bytes,
    centres: Floats,
    symbols: Bytes,
    half_width: float,
    first: float,
    last: float,
    dead_time: float,
    blind_until: float,
    slots: Ticks,
    clicked: Bytes,
    in_gates: Ticks,
) -> tuple[int, int]:
    """Join the clicks of each pulse; return how many pulses are told, and how many were left out for dead time.

    A pulse begins at phase `first` and ends a period later. It is told if a click lies in a gate and if no click of
    any detector, in a gate or not, came less than `dead_time` before it began, nor in it outside of the gates before
    the last of these closed (at phase `last`). A click in a gate counts as one at phase `last`, whichever gate it was:
    else a pulse that is told, the dead time later, would tell that the gate was an early one.

    Args:
        coordinates: of the clicks, delays taken off, in order.
        detectors: their detectors, 0 ... d - 1.
        centres: phases of gates, shape (d, g).
        symbols: what a click in each gate stands for, 0 ... 7; above that, there is no gate. Shape (d, g).
        half_width: of every gate.
        first: where a pulse begins; no gate reaches further back.
        last: where the last gate closes, less than `first` + 1.
        dead_time: in pulses; 0 tells every pulse.
        blind_until: the coordinate before which nothing is known of detectors.
        slots: gets the numbers of pulses.
        clicked: gets one bit for each symbol that was seen.
        in_gates: gets added how many clicks of each detector fell in gates; shape (d,).
    """
    told = 0
    left_out = 0
    index = 0
    before = blind_until - dead_time
    while index < coordinates.size:
        slot = math.floor(coordinates[index] - first)
        begin = slot + first
        ready = dead_time <= 0.0 or begin - before >= dead_time
        mask = np.uint8(0)
        while index < coordinates.size and coordinates[index] - first < slot + 1:
            phase = coordinates[index] - slot
            detector = detectors[index]
            symbol = np.uint8(255)
            for gate in range(centres.shape[1]):
                if abs(phase - centres[detector, gate]) <= half_width and symbols[detector, gate] < 8:
                    symbol = symbols[detector, gate]
            if symbol < 8:
                mask |= np.uint8(1) << symbol
                in_gates[detector] += 1
                before = max(before, slot + last)
            else:
                before = max(before, coordinates[index])
                if phase < last and dead_time > 0.0:
                    ready = False
            index += 1
        if mask != 0:
            slots[told] = slot
            clicked[told] = mask
            told += 1 if ready else 0
            left_out += 0 if ready else 1
    return told, left_out


def warm() -> None:
    """Compile every kernel of this file."""
    ticks = np.arange(4, dtype=np.int64) * 10
    floats = np.arange(4, dtype=np.float64)
    marks = np.zeros(4, dtype=np.uint8)
    follow_sync(ticks, 0, 10.0, 1.0, 2, ticks.copy())
    pulse_coordinates(ticks, 0, floats, floats, floats.copy())
    fold(floats, marks, np.zeros((1, 8), dtype=np.int64))
    folding_power(floats, 2, floats, 1, floats.copy())
    shortest_intervals(ticks, marks, ticks.copy(), ticks.copy())
    sort_by_coordinate(floats.copy(), marks.copy(), 10)
    table = np.zeros((1, 1))
    collect_pulses(
        floats, marks, table, table.astype(np.uint8), 0.1, -0.1, 0.1, 0.0, 0.0, ticks.copy(), marks, ticks.copy()
    )
