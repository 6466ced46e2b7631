"""Analytic decoy bounds: detections by single photons, from below, and errors among them, from above.

Model. Pulses are phase-randomised and their intensities chosen independently, so that a pulse with n photons carries
label k with probability p(k | n), independent of all else that happened to it. For any class of rounds (key
detections, test detections, errors among these) let N_n be the number of members that held n photons. Given *all*
photon numbers, detections and error flags, the labels are independent, and the count x_k of label k is a sum of
independent trials with mean E_k = sum_n N_n p(k | n). The N_n may be whatever an attack makes them.

Intervals for the E_k: `clopper_pearson_intervals` (also valid for trials of different probabilities, by Hoeffding 1956,
and the tightest), `kullback_leibler_intervals`, `hoeffding_intervals`. Each side fails with probability `tail`.

Bounds, for two decoys those of Lim et al., Phys. Rev. A 89, 022307 (2014), Eqs. 2 to 4, for one decoy those of Rusca
et al., Appl. Phys. Lett. 112, 171104 (2018); they are exact inequalities in the E_k, so that any valid intervals
may be put in. Intensities mu1 > mu2 (> mu3); the two-decoy ones ask for mu1 > mu2 + mu3.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

from qkdpost.errors import ConfigurationError
from qkdpost.security.decoy.photon_statistics import PhotonStatistics
from qkdpost.statistics.concentration import (
    clopper_pearson_lower,
    clopper_pearson_upper,
    kullback_leibler_lower,
    kullback_leibler_upper,
)

__all__ = [
    "INTERVALS",
    "IntervalMethod",
    "Intervals",
    "check_analytic",
    "clopper_pearson_intervals",
    "has_analytic_bound",
    "hoeffding_intervals",
    "kullback_leibler_intervals",
    "max_rounds_with_photons",
    "rounding_error",
    "single_photon_errors_upper",
    "single_photons_lower",
    "vacuum_lower",
    "vacuum_upper_by_errors",
]

_ROUNDING = 1e-11
"""What the analytic bounds are moved by at least, in parts of the class, for floating point."""

Intervals: TypeAlias = tuple[tuple[float, float], ...]
"""Per intensity, the lower and upper end for the mean number of counts."""
IntervalMethod = Literal["clopper-pearson", "kullback-leibler", "hoeffding"]


def hoeffding_intervals(counts: Sequence[float], tail: float, *, clip: bool = True) -> Intervals:
    """Return x_k -+ sqrt(T ln(1 / tail) / 2), T the sum of all counts, clipped to 0 ... T unless `clip` is False."""
    total = math.fsum(counts)
    deviation = math.sqrt(total * -math.log(tail) / 2.0)
    if not clip:
        return tuple((count - deviation, count + deviation) for count in counts)
    return tuple((max(0.0, count - deviation), min(total, count + deviation)) for count in counts)


def clopper_pearson_intervals(counts: Sequence[int], tail: float) -> Intervals:
    """Return the limits of Clopper and Pearson for each label among all counts, as mean counts."""
    return _intervals(counts, tail, clopper_pearson_lower, clopper_pearson_upper)


def kullback_leibler_intervals(counts: Sequence[int], tail: float) -> Intervals:
    """Return Hoeffding's limits in the form of a relative entropy, as mean counts."""
    return _intervals(counts, tail, kullback_leibler_lower, kullback_leibler_upper)


INTERVALS: dict[IntervalMethod, Callable[[Sequence[int], float], Intervals]] = {
    "clopper-pearson": clopper_pearson_intervals,
    "kullback-leibler": kullback_leibler_intervals,
    "hoeffding": hoeffding_intervals,
}


def vacuum_lower(source: PhotonStatistics, intervals: Intervals) -> float:
    """Bound the rounds without a photon from below, from the two weakest intensities; at least 0.

    s_0 >= tau_0 (k a_l^- - l a_k^+) / (k - l) with a = e^k / p_k E_k and k > l the two weakest.
    """
    stronger, weaker = source.intensities[-2:]
    low, high = _scaled_ends(source, intervals)
    bound = source.photon_probability(0) * (stronger * low[-1] - weaker * high[-2]) / (stronger - weaker)
    return max(0.0, bound)


def vacuum_upper_by_errors(source: PhotonStatistics, error_intervals: Intervals, intensity: int) -> float:
    """Bound the *errors* among rounds without a photon from above: tau_0 e^k / p_k E_k^+ for one intensity k."""
    return source.photon_probability(0) * _scaled_ends(source, error_intervals)[1][intensity]


def single_photons_lower(source: PhotonStatistics, intervals: Intervals, vacuum: float) -> float:
    """Bound the rounds with one photon from below; may be negative.

    Args:
        source: the intensities and their probabilities.
        intervals: of the mean counts.
        vacuum: the rounds without a photon, bounded from *below* with two decoys and from *above* with one.

    Raises:
        ConfigurationError: intensities for which there is no analytic bound.
    """
    low, high = _scaled_ends(source, intervals)
    scale, empty = source.photon_probability(1), vacuum / source.photon_probability(0)
    if len(source.intensities) == 2:
        strong, weak = _two(source)
        ratio = (weak / strong) ** 2
        bracket = low[1] - ratio * high[0] - (1.0 - ratio) * empty
        return scale * strong / (weak * (strong - weak)) * bracket
    strong, weak, weakest = _three(source)
    difference = (weak**2 - weakest**2) / strong**2
    bracket = low[1] - high[2] - difference * (high[0] - empty)
    return scale * strong * bracket / (strong * (weak - weakest) - weak**2 + weakest**2)


def single_photon_errors_upper(source: PhotonStatistics, error_intervals: Intervals) -> float:
    """Bound the errors among rounds with one photon from above; at least 0.

    v_1 <= tau_1 (a_k^+ - a_l^-) / (k - l), k > l the two weakest intensities.
    """
    stronger, weaker = source.intensities[-2:]
    low, high = _scaled_ends(source, error_intervals)
    return max(0.0, source.photon_probability(1) * (high[-2] - low[-1]) / (stronger - weaker))


def max_rounds_with_photons(source: PhotonStatistics, intervals: Intervals, photons: int) -> float:
    """Return an upper bound on the rounds with that number of photons: the least E_k^+ / p(k | n) of all labels.

    A lower bound above it shows that the intervals contradict each other: labels were mixed up, or an event failed.
    """
    shares = source.label_probabilities(photons)
    return min(high / share for (_, high), share in zip(intervals, shares, strict=True) if share > 0.0)


def rounding_error(source: PhotonStatistics, total: float, intervals: Intervals) -> float:
    """Return more than the bounds above can be wrong by in floating point, for the same intervals of `total` counts.

    At least 10^-11 of the total. Their terms are products that are good to a few units in the last place; what they are
    multiplied by grows as intensities come close to each other, and so do the digits lost in the differences of these.

    Raises:
        ConfigurationError: intensities for which there is no analytic bound.
    """
    if len(source.intensities) == 2:
        strong, weak = _two(source)
        denominator = weak * (strong - weak)
    else:
        strong, weak, weakest = _three(source)
        denominator = (weak - weakest) * (strong - weak - weakest)
    size = math.fsum(source.scaled([high for _, high in intervals]))
    factor = strong / denominator * max(1.0, strong**2 / denominator)
    return _ROUNDING * total + 1e-14 * source.photon_probability(1) * factor * size


def _intervals(
    counts: Sequence[int],
    tail: float,
    lower: Callable[[int, int, float], float],
    upper: Callable[[int, int, float], float],
) -> Intervals:
    total = sum(counts)
    if total == 0:
        return tuple((0.0, 0.0) for _ in counts)
    if len(counts) == 2:  # the two means add up to the total: each interval is the mirror of the other
        low, high = total * lower(total, counts[0], tail), total * upper(total, counts[0], tail)
        return (low, high), (total - high, total - low)
    return tuple((total * lower(total, count, tail), total * upper(total, count, tail)) for count in counts)


def _scaled_ends(source: PhotonStatistics, intervals: Intervals) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return source.scaled([low for low, _ in intervals]), source.scaled([high for _, high in intervals])


def has_analytic_bound(intensities: Sequence[float]) -> bool:
    """Return whether there is an analytic bound for these intensities; see `check_analytic`."""
    if len(intensities) == 3:
        return intensities[0] > intensities[1] + intensities[2]
    return len(intensities) == 2 and intensities[1] > 0.0


def check_analytic(intensities: Sequence[float]) -> None:
    """Check that there is an analytic bound for these intensities.

    Raises:
        ConfigurationError: there is none.
    """
    if has_analytic_bound(intensities):
        return
    if len(intensities) == 2:
        raise ConfigurationError(f"with one decoy its intensity must be above zero; found {tuple(intensities)}")
    if len(intensities) != 3:
        raise ConfigurationError(
            f"the analytic bounds are for two or three intensities; found {len(intensities)}: use the linear program"
        )
    raise ConfigurationError(
        "the analytic two-decoy bound needs the strongest intensity above the sum of the others; found "
        f"{tuple(intensities)}: use the linear program"
    )


def _two(source: PhotonStatistics) -> tuple[float, float]:
    check_analytic(source.intensities)
    strong, weak = source.intensities
    return strong, weak


def _three(source: PhotonStatistics) -> tuple[float, float, float]:
    check_analytic(source.intensities)
    strong, weak, weakest = source.intensities
    return strong, weak, weakest
