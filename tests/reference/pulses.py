"""Slow, obvious twins of the kernels that turn clicks into pulses."""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from itertools import pairwise


def followed(
    ticks: Sequence[int], start: int, interval: float, tolerance: float, patience: int
) -> tuple[list[int], int]:
    """The number of each tag, -1 for those refused, and where patience ended."""
    numbers = [-1] * len(ticks)
    numbers[start] = 0
    phase, last, refused = float(ticks[start]), 0, 0
    for at in range(start + 1, len(ticks)):
        steps = math.floor((ticks[at] - phase) / interval + 0.5)
        deviation = ticks[at] - (phase + steps * interval)
        if steps < 1 or abs(deviation) > tolerance:
            refused += 1
            if refused == patience:
                return numbers, at
            continue
        refused = 0
        last += steps
        numbers[at] = last
        phase += steps * interval + deviation / 5
        interval += deviation / steps / 50
    return numbers, -1


def coordinates(ticks: Sequence[int], origin: int, times: Sequence[float], pulses: Sequence[float]) -> list[float]:
    found = []
    for tick in ticks:
        time = tick - origin
        at = max([0] + [place for place in range(len(times) - 1) if times[place] <= time])
        slope = (pulses[at + 1] - pulses[at]) / (times[at + 1] - times[at])
        found.append(pulses[at] + (time - times[at]) * slope)
    return found


def folded(coordinates: Sequence[float], detectors: Sequence[int], count: int, bins: int) -> list[list[int]]:
    histogram = [[0] * bins for _ in range(count)]
    for coordinate, detector in zip(coordinates, detectors, strict=True):
        histogram[detector][min(bins - 1, int((coordinate - math.floor(coordinate)) * bins))] += 1
    return histogram


def powers(times: Sequence[float], group: int, frequencies: Sequence[float], harmonics: int) -> list[float]:
    groups = [times[first : first + group] for first in range(0, len(times), group)]
    return [
        sum(
            abs(sum(cmath.exp(2j * math.pi * harmonic * frequency * (time - some[0])) for time in some)) ** 2
            for some in groups
            for harmonic in range(1, harmonics + 1)
        )
        for frequency in frequencies
    ]


def shortest(ticks: Sequence[int], detectors: Sequence[int], count: int) -> list[float]:
    own = [[tick for tick, of in zip(ticks, detectors, strict=True) if of == detector] for detector in range(count)]
    return [min((late - early for early, late in pairwise(some)), default=math.inf) for some in own]


def told_pulses(
    clicks: Sequence[tuple[float, int]],
    gates: dict[int, list[tuple[float, int]]],
    half_width: float,
    dead_time: float,
    blind_until: float,
) -> tuple[dict[int, set[int]], int, dict[int, int]]:
    """Symbols of each pulse that is told, how many were left out, and clicks in gates of each detector.

    `gates` has (phase, symbol) for each detector.
    """
    centres = [phase for some in gates.values() for phase, _ in some]
    first, last = min(centres) - half_width, max(centres) + half_width
    pulses: dict[int, list[tuple[float, int]]] = {}
    for coordinate, detector in clicks:
        pulses.setdefault(math.floor(coordinate - first), []).append((coordinate, detector))

    def hits_of(pulse: int, coordinate: float, detector: int) -> list[int]:
        return [symbol for phase, symbol in gates[detector] if abs(coordinate - pulse - phase) <= half_width]

    # All clicks in gates of a pulse keep detectors busy from the same moment on.
    busy = [
        max(coordinate, pulse + last) if hits_of(pulse, coordinate, detector) else coordinate
        for pulse, own in pulses.items()
        for coordinate, detector in own
    ]
    told, left_out, inside = {}, 0, dict.fromkeys(gates, 0)
    for pulse, own in pulses.items():
        begin = pulse + first
        symbols = set()
        ready = dead_time == 0 or (
            begin >= blind_until and not any(begin - dead_time < other < begin for other in busy)
        )
        for coordinate, detector in own:
            hits = hits_of(pulse, coordinate, detector)
            inside[detector] += len(hits)
            symbols |= set(hits)
            if not hits and coordinate - pulse < last and dead_time > 0:
                ready = False
        if symbols and ready:
            told[pulse] = symbols
        left_out += bool(symbols) and not ready
    return told, left_out, inside
