"""Single photons in a decoy-state block: the numbers that the bounds need, with every event that may fail counted.

Classes: key detections (by one photon, bounded from below), test detections (the same), test errors (by one photon,
bounded from above). The intervals of all labels of a class hold together except with the sum of their tails.

Events. With three or more intensities, the linear program uses both sides of every interval: 2 K in each of three
classes; the analytic bounds use 5 sides of the key class, 5 of the test class and 2 of the errors. With two
intensities the mean counts of a class add up to its total, so that the upper side of one label *is* the lower side
of the other: 2 events a class at most. There the rounds without a photon must be bounded from above too, by the
errors that they cause: such a round carries no information on the bit, whoever made the receiver click, and is
wrong with probability exactly 1/2, independently. That adds one event (a fair coin) for each of key and test class,
and the two sides of the key's errors, which are known after correction; without these the program leaves the empty
rounds of the key free, which is valid and gives little.

Intensities that are known to lie in intervals have bounds of their own (`ranges`), by the same events.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, get_args

from qkdpost.checks import choice, instance, whole_numbers
from qkdpost.errors import ConfigurationError
from qkdpost.security.decoy.analytic import INTERVALS, IntervalMethod, Intervals
from qkdpost.security.decoy.certified import IncompatibleCounts
from qkdpost.security.decoy.linear_program import DecoyProgram
from qkdpost.security.decoy.photon_statistics import PhotonStatistics
from qkdpost.security.decoy.point_bounds import PointRules
from qkdpost.security.decoy.ranges.bounds import RangeRules
from qkdpost.security.decoy.ranges.intensities import IntensityRanges
from qkdpost.security.decoy.ranges.linear_program import RangeProgram
from qkdpost.security.decoy.tally import DecoyTally, Intensity, ends_of_intensity
from qkdpost.statistics.concentration import trials_upper_bound

__all__ = [
    "DecoyMethod",
    "SinglePhotons",
    "check_method",
    "count_events",
    "counted",
    "estimate_single_photons",
    "point_estimate",
    "rules_of_source",
    "what_contradicts",
]

DecoyMethod = Literal["linear-program", "analytic"]
_WEAKER = 1


@dataclass(frozen=True, slots=True)
class Classes:
    """The intervals of all classes of rounds."""

    key: Intervals
    test: Intervals
    test_errors: Intervals
    key_errors: Intervals | None

    def within(self, others: Classes) -> Classes:
        """Return the part of each interval that lies in those of the others as well."""
        both = self.key_errors is not None and others.key_errors is not None
        return Classes(
            key=_intersection(self.key, others.key),
            test=_intersection(self.test, others.test),
            test_errors=_intersection(self.test_errors, others.test_errors),
            key_errors=_intersection(self.key_errors or (), others.key_errors or ()) if both else None,
        )


def _intersection(intervals: Intervals, others: Intervals) -> Intervals:
    pairs = zip(intervals, others, strict=True)
    return tuple((max(low, least), min(high, most)) for (low, high), (least, most) in pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class SinglePhotons:
    """Bounds on what single photons did in a block, or estimates of it.

    Args:
        key: detections by one photon in the key basis, from below.
        test: the same in the test basis.
        test_errors: errors among the latter, from above.
        intervals: of the mean counts, on which they rest; None for estimates, and where nothing is certified.
    """

    key: float
    test: float
    test_errors: float
    intervals: Classes | None = None

    @property
    def error_rate(self) -> float:
        """Test errors per test detection by one photon, at most 1/2."""
        return min(0.5, self.test_errors / self.test) if self.test > 0.0 else 0.5


def check_method(method: str) -> None:
    """Check the name of a method.

    Raises:
        ConfigurationError: it is unknown.
    """
    choice("method", method, get_args(DecoyMethod), error=ConfigurationError)


def count_events(tally: DecoyTally, method: DecoyMethod) -> int:
    """Return how many events, each of probability `tail`, `estimate_single_photons` may fail by.

    Raises:
        ConfigurationError: an unknown method.
    """
    check_method(method)
    if len(tally.intensities) > 2:
        return 6 * len(tally.intensities) if method == "linear-program" else 12
    by_key_errors = 0 if tally.key_errors is None else 3
    return 7 + by_key_errors


def estimate_single_photons(
    tally: DecoyTally, *, method: DecoyMethod, intervals: IntervalMethod, tail: float
) -> SinglePhotons:
    """Bound what single photons did; all bounds hold together but for `count_events` times `tail`.

    The linear program is never looser than the analytic bound, where there is one: both are valid under the same
    events, and the better is taken. Counts that no photon numbers explain, as of labels that were mixed up, certify
    nothing: the proof allows anything then, for one of the events has failed, but a length would rest on it alone.

    Raises:
        ConfigurationError: an unknown method or kind of intervals, or intensities without an analytic bound.
    """
    choice("intervals", intervals, INTERVALS, error=ConfigurationError)
    interval, tally = INTERVALS[intervals], counted(tally)
    classes = _classes(tally, lambda counts: interval(counts, tail))
    try:
        return replace(_bounds(tally, classes, method, tail), intervals=classes)
    except IncompatibleCounts:
        return SinglePhotons(key=0.0, test=0.0, test_errors=float(sum(tally.test_errors)))


def point_estimate(tally: DecoyTally, method: DecoyMethod, bound: SinglePhotons | None = None) -> SinglePhotons:
    """Estimate what single photons did, without any statistics; no bound.

    Intervals of a few standard deviations are widened only as far as some photon numbers are compatible with them. They
    are never wider than those that `bound` rests on, so that the estimate is not below it, for tails below one half:
    where counts contradict each other a little, the intervals of a bound may be the narrower ones. Where they do so
    within all of these, only the allowance for chance makes them compatible, and the bound is all that is known.
    """
    tally = counted(tally)
    within = None if bound is None else bound.intervals
    for deviations in (0.0, 0.5, 1.0, 2.0, 4.0, 8.0):
        classes = _classes(tally, partial(_narrow, deviations=deviations))
        try:
            return _bounds(tally, classes if within is None else classes.within(within), method, None)
        except IncompatibleCounts:
            continue
    if bound is not None and within is not None:
        return bound
    return SinglePhotons(key=0.0, test=0.0, test_errors=float(sum(tally.test_errors)))


def what_contradicts(tally: DecoyTally) -> str:
    """Say what may be wrong with counts that no photon numbers explain, from what is public of them.

    More light is never detected less often. Where a weaker intensity has more detections per pulse than a stronger
    one, by five standard deviations, labels were exchanged, or records and intensities do not belong together.
    """
    said = "no photon numbers explain these counts: are labels, their order and the intensities those of the source?"
    pulses = tally.probabilities
    seen = [key + test for key, test in zip(tally.key_counts, tally.test_counts, strict=True)]
    for weaker in range(1, len(seen)):
        strong, weak = seen[weaker - 1] / pulses[weaker - 1], seen[weaker] / pulses[weaker]
        spread = math.hypot(*(math.sqrt(seen[at] + 1.0) / pulses[at] for at in (weaker - 1, weaker)))
        if weak > strong + 5.0 * spread:
            return (
                "no photon numbers explain these counts; detections per pulse fall with intensity "
                f"({tally.intensities[weaker]} has {weak / strong if strong else math.inf:.3g} times those of "
                f"{tally.intensities[weaker - 1]}): are the labels exchanged?"
            )
    return said


def counted(tally: DecoyTally) -> DecoyTally:
    """Return the tally with plain integers, in tuples.

    Raises:
        InputError: it is no such tally, or its counts are none.
    """
    tally = instance("tally", tally, DecoyTally, hint="Blocks of one qubit each are judged by bb84 and bbm92")
    if type(tally.key_counts) is tuple and all(type(count) is int for counts in _vectors(tally) for count in counts):
        return tally
    labels = len(tally.intensities)
    changes = {
        name: whole_numbers(name, getattr(tally, name), count=labels, each="intensity")
        for name in ("key_counts", "test_counts", "test_errors", "key_errors")
        if getattr(tally, name) is not None
    }
    return replace(tally, **changes)


def _vectors(tally: DecoyTally) -> tuple[tuple[int, ...], ...]:
    return tally.key_counts, tally.test_counts, tally.test_errors, tally.key_errors or ()


def _classes(tally: DecoyTally, interval: Callable[[Sequence[int]], Intervals]) -> Classes:
    """Return all intervals; those of the key's errors where they are used, with two intensities."""
    key_errors = tally.key_errors if len(tally.intensities) == 2 else None
    return Classes(
        key=interval(tally.key_counts),
        test=interval(tally.test_counts),
        test_errors=interval(tally.test_errors),
        key_errors=None if key_errors is None else interval(key_errors),
    )


def _bounds(tally: DecoyTally, classes: Classes, method: DecoyMethod, tail: float | None) -> SinglePhotons:
    rules = rules_of_source(tally.intensities, tally.probabilities)
    bounds = _Bounds(rules, method == "linear-program", tail)
    key_cap = test_cap = None
    if len(tally.intensities) == 2:
        key_cap = bounds.vacuum_cap(tally.key_bits, tally.key_errors, classes.key_errors)
        test_cap = bounds.vacuum_cap(tally.test_bits, tally.test_errors, classes.test_errors)
    return SinglePhotons(
        key=bounds.single_photons(tally.key_bits, classes.key, key_cap),
        test=bounds.single_photons(tally.test_bits, classes.test, test_cap),
        test_errors=bounds.errors(sum(tally.test_errors), classes.test_errors),
    )


def rules_of_source(intensities: tuple[Intensity, ...], probabilities: tuple[float, ...]) -> PointRules | RangeRules:
    """Return what is known of photon numbers with these intensities, points or intervals."""
    lows, highs = zip(*map(ends_of_intensity, intensities), strict=True)
    if lows == highs:
        return PointRules(PhotonStatistics(lows, probabilities))
    return RangeRules(IntensityRanges(lows, highs, probabilities))


@dataclass(frozen=True, slots=True)
class _Bounds:
    """Bounds for one class of rounds at a time: the analytic ones, and the better of these and the program's.

    Without a tail they are point estimates: mean counts that contradict each other are then an error.
    """

    rules: PointRules | RangeRules
    linear: bool
    tail: float | None

    def single_photons(self, total: int, intervals: Intervals, vacuum_cap: float | None) -> float:
        bound = 0.0
        if not self.linear or self.rules.analytic:
            bound = self.rules.single_photons_lower(total, intervals, vacuum_cap)
        if self.linear:
            bound = max(bound, self._program(total, intervals, vacuum_cap).least(1))
        if self.tail is not None and bound > min(total, self.rules.max_rounds_with_photons(intervals, 1)):
            raise IncompatibleCounts
        return min(float(total), max(0.0, bound))

    def errors(self, total: int, intervals: Intervals) -> float:
        bound = float(total)
        if not self.linear or self.rules.analytic:
            bound = min(bound, self.rules.single_photon_errors_upper(total, intervals))
        return min(bound, self._program(total, intervals).most(1)) if self.linear else bound

    def vacuum_cap(self, total: int, errors: Sequence[int] | None, intervals: Intervals | None) -> float:
        """Bound the rounds without a photon by the errors that they cause."""
        if errors is None or intervals is None:
            return float(total)
        wrong = self.rules.vacuum_upper_by_errors(intervals, _WEAKER)
        if self.linear:
            wrong = min(wrong, self._program(sum(errors), intervals).most(0))
        errors_at_most = min(total, math.floor(max(0.0, wrong)))
        if self.tail is None:
            return float(min(total, 2 * errors_at_most))
        return float(trials_upper_bound(errors_at_most, total, self.tail))

    def _program(
        self, total: int, intervals: Intervals, vacuum_cap: float | None = None
    ) -> DecoyProgram | RangeProgram:
        return self.rules.program(total, intervals, vacuum_cap, strict=self.tail is None)


def _narrow(counts: Sequence[int], deviations: float) -> Intervals:
    total = float(sum(counts))
    widths = [1.0 + deviations * math.sqrt(count + 1.0) for count in counts]
    return tuple(
        (max(0.0, count - width), min(total, count + width)) for count, width in zip(counts, widths, strict=True)
    )
