"""What sums tell of outcomes that are not as a proof takes them to be: alike in all directions, independent, normal.

Every test is of a length: that of a vector of k numbers which are 0 for an ideal device, and each estimated with the
same standard error s. A device whose true vector is no longer than what is tolerated shows one longer by more than c s
with probability Pr(chi_k > c) at most, by the triangle inequality, for normal errors. Where several vectors are looked
at for one thing, each has its share of the probability. So

- a *refusal* says that a device within what is tolerated would show this in one block of 2^40 at most;
- a *warning* says that an ideal device would in one of 1000.

Standard errors are those of many outcomes; fewer than 1000 are not judged. What passes a warning is not thereby
harmless: anisotropy and offset are charged by the bound whatever their size, and correlation in time is outside of what
"independent and identically distributed" covers.

Residual autocorrelation, of z = y - t x, is judged by the products of outcomes y apart. Alice draws symbols
independently, which she can test by herself, so that E[y y'] = t^2 E[x x'] + E[z z'] = E[z z'] but for signal that
spills over into later symbols; and that, which is no part of z, has to be seen as well: it makes y, whose direction is
announced, as far from independent. It costs little power: errors of y y' are larger than those of z z' by 1 + SNR, and
long links have SNR below 1/2. A correlation of r tells 0.72 r^2 bit for each pair that it links.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from qkdpost.checks import instance, whole_number
from qkdpost.sifting.quadratures.correlation import Correlation
from qkdpost.statistics.gaussian.moments import LAGS, CalibrationMoments, QuadratureMoments

__all__ = [
    "REFUSAL_PROBABILITY",
    "WARNING_PROBABILITY",
    "Diagnosis",
    "diagnose_drift",
    "diagnose_outcomes",
    "diagnose_parts",
]

REFUSAL_PROBABILITY = 2.0**-40
WARNING_PROBABILITY = 1e-3
MIN_OUTCOMES = 1000
TOLERATED_ANISOTROPY = 0.1
"""Of sqrt(delta^2 + rho^2), where 1 + delta and 1 - delta are the variances and rho is the correlation; a bound that
charges it, as 0.36 of its square a real, gives no key beyond."""
TOLERATED_OFFSET = 0.1
"""Of the mean, in standard deviations; as anisotropy."""
TOLERATED_CORRELATION = 0.05
"""Between outcomes one symbol apart, or two, over all pairs of quadratures: 0.002 bit a real."""
TOLERATED_APART = 0.01
"""As correlation, between outcomes further apart, which no bound charges: 1e-4 bit a real."""
TOLERATED_KURTOSIS = 0.2
"""Excess over that of a normal law; a uniform one has -1.2, a modulation by 16-QAM at high signal-to-noise -0.7."""
TOLERATED_DRIFT = 0.01
"""Of the logarithm of the shot noise between two calibrations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """One thing that is not as it should be.

    Args:
        name: of what: "anisotropy", "offset", "autocorrelation", "kurtosis" or "drift".
        severity: "refusal" if it is beyond what is tolerated, "warning" if it is beyond chance alone.
        value: what was found, a length as described above.
        standard_error: of each of its numbers.
        tolerated: the largest length that a device in order may have.
        false_alarm: with which probability a device in order would show it.
        distance: of correlated outcomes, how many symbols lie from one to the other; None of all else.
    """

    name: str
    severity: Literal["warning", "refusal"]
    value: float
    standard_error: float
    tolerated: float
    false_alarm: float
    distance: int | None = None

    def __str__(self) -> str:
        """Return it in a sentence, without any outcome."""
        where = "" if self.distance is None else f" {self.distance} apart"
        odds = "2^-40" if self.severity == "refusal" else "0.001"
        return (
            f"{self.name} of the outcomes{where} is {self.value:.3g} with a standard error of "
            f"{self.standard_error:.2g}; {self.tolerated:g} is tolerated (a {self.severity} with false alarms of "
            f"{odds})"
        )


def diagnose_outcomes(
    moments: QuadratureMoments, *, whitened_by: int | None = None, apart: Sequence[Correlation] = ()
) -> tuple[Diagnosis, ...]:
    """Return what sums over a block say against its outcomes; nothing, if they are in order.

    It knows nothing of excess noise, whose estimate may well be negative.

    Args:
        moments: of the block; the symbols sent are not looked at.
        whitened_by: from how many symbols the whitening was made, whose own errors show in outcomes that are in order;
            None if it is exact.
        apart: correlations of outcomes that lie further apart than those in the moments.

    Raises:
        InputError: no moments or correlations, or a number of symbols that is none.
    """
    far = [instance(f"apart[{place}]", one, Correlation) for place, one in enumerate(apart)]
    kept = instance("moments", moments, QuadratureMoments)
    spread = 0.0 if whitened_by is None else 1.0 / whole_number("whitened_by", whitened_by, least=1)
    if min(kept.counts) < MIN_OUTCOMES:
        return ()
    means = [total / count for total, count in zip(kept.measured, kept.counts, strict=True)]
    variances = [
        squares / count - mean * mean
        for squares, count, mean in zip(kept.measured_squares, kept.counts, means, strict=False)
    ]
    if min(variances) <= 0.0:
        return ()
    return (
        *_anisotropy(kept, means, variances, spread),
        *_offset(kept, means, variances, spread),
        *_autocorrelation(kept, means, variances, far),
        *_kurtosis(kept),
    )


def diagnose_drift(before: CalibrationMoments, after: CalibrationMoments) -> tuple[Diagnosis, ...]:
    """Return whether the noise of a receiver has changed between two calibrations.

    Drift between a calibration and its use is no matter of statistics: how much there is between consecutive ones is
    the evidence for how much there may be.

    Args:
        before: sums over one calibration record.
        after: over a later one of the same kind, dithered alike.

    Raises:
        InputError: no moments.
    """
    first, second = instance("before", before, CalibrationMoments), instance("after", after, CalibrationMoments)
    return _drift(first, second, 1)


def diagnose_parts(records: Sequence[Sequence[CalibrationMoments]], whole: CalibrationMoments) -> tuple[Diagnosis, ...]:
    """Return whether the noise of a receiver has changed during calibration: the worst that is seen, if anything is.

    Neighbours may each differ by less than what shows, and a short part shows less than a long one. So every part, and
    every pair, four, ... of neighbours up to the whole record, is held against all records. The probability of a false
    alarm is that of all these tests together.

    Args:
        records: of each calibration record, sums over its successive parts; all dithered alike.
        whole: the sums over all of them.

    Raises:
        InputError: no moments.
    """
    everything = instance("whole", whole, CalibrationMoments)
    stretches = [stretch for parts in records for stretch in _stretches(parts)]
    found = [one for stretch in stretches for one in _drift(everything, stretch, len(stretches))]
    return _worst(found)


def _stretches(parts: Sequence[CalibrationMoments]) -> list[CalibrationMoments]:
    """Return the parts, and the sums over pairs of neighbours, pairs of pairs, and so on."""
    level = [instance(f"parts[{place}]", part, CalibrationMoments) for place, part in enumerate(parts)]
    found = list(level)
    while len(level) > 1:
        pairs = [first + second for first, second in zip(level[::2], level[1::2], strict=False)]
        found += pairs
        level = pairs + level[2 * len(pairs) :]
    return found


def _drift(first: CalibrationMoments, second: CalibrationMoments, tests: int) -> tuple[Diagnosis, ...]:
    if min(*first.counts, *second.counts) < MIN_OUTCOMES:
        return ()
    old, new = _calibrated(first), _calibrated(second)
    if min(*old, *new) <= 0.0:
        return ()
    change = [math.log(late / early) for early, late in zip(old, new, strict=True)]
    error = math.sqrt(2.0 * _widened(first) / min(first.counts) + 2.0 * _widened(second) / min(second.counts))
    return tuple(_judged("drift", math.hypot(*change), error, TOLERATED_DRIFT, 2, tests))


def _anisotropy(
    moments: QuadratureMoments, means: list[float], variances: list[float], spread: float
) -> Iterator[Diagnosis]:
    whole = sum(variances)
    difference = (variances[0] - variances[1]) / whole
    # Where quadratures take turns there is no product of both.
    both = moments.measured_squares[2] / moments.counts[0] - means[0] * means[1]
    correlation = 2.0 * both / whole if moments.measured_squares[2] else 0.0
    error = math.sqrt(sum(0.5 / count for count in moments.counts) + spread)
    yield from _judged("anisotropy", math.hypot(difference, correlation), error, TOLERATED_ANISOTROPY, 2)


def _offset(
    moments: QuadratureMoments, means: list[float], variances: list[float], spread: float
) -> Iterator[Diagnosis]:
    lengths = [mean / math.sqrt(variance) for mean, variance in zip(means, variances, strict=True)]
    error = math.sqrt(1.0 / min(moments.counts) + spread)
    yield from _judged("offset", math.hypot(*lengths), error, TOLERATED_OFFSET, 2)


def _autocorrelation(
    moments: QuadratureMoments, means: list[float], variances: list[float], apart: list[Correlation]
) -> tuple[Diagnosis, ...]:
    """Return what is worst of correlations at all distances."""
    near = _near(moments, means, variances)
    found: list[Diagnosis] = []
    for tolerated, correlations in ((TOLERATED_CORRELATION, near), (TOLERATED_APART, apart)):
        for one in correlations:  # of which one number is taken for two
            numbers, tests = max(2, len(one.values)), len(near) + len(apart)
            judged = _judged("autocorrelation", one.length, 1.0 / math.sqrt(one.pairs), tolerated, numbers, tests)
            found += (replace(finding, distance=one.distance) for finding in judged)
    return _worst(found)


def _near(moments: QuadratureMoments, means: list[float], variances: list[float]) -> list[Correlation]:
    """Return the correlations at the distances that the moments have."""
    one_series = not any(moments.lagged[place] for place in range(4 * LAGS) if place % 4)
    total = sum(moments.counts) if one_series else moments.counts[0]
    correlations = []
    for lag in range(LAGS):
        found = []
        for place, (one, other) in enumerate(((0, 0), (1, 1), (0, 1), (1, 0))):
            if one_series and place:
                continue
            if one_series:
                mean = sum(moments.measured) / total
                variance = sum(moments.measured_squares[:2]) / total - mean * mean
                found.append((moments.lagged[4 * lag] / total - mean * mean) / variance)
            else:
                product = moments.lagged[4 * lag + place] / total - means[one] * means[other]
                found.append(product / math.sqrt(variances[one]) / math.sqrt(variances[other]))
        correlations.append(Correlation(distance=lag + 1, pairs=total, values=tuple(found)))
    return correlations


def _worst(found: list[Diagnosis]) -> tuple[Diagnosis, ...]:
    """Return the one that says most against a device, if there is any."""
    return tuple(sorted(found, key=lambda one: (one.severity == "refusal", one.value / one.standard_error))[-1:])


def _kurtosis(moments: QuadratureMoments) -> Iterator[Diagnosis]:
    excess = [
        fourth / squares * (count / squares) - 3.0
        for fourth, squares, count in zip(moments.fourth_powers, moments.measured_squares, moments.counts, strict=False)
    ]
    error = math.sqrt(24.0 / min(moments.counts))
    yield from _judged("kurtosis", math.hypot(*excess), error, TOLERATED_KURTOSIS, 2)


def _calibrated(moments: CalibrationMoments) -> list[float]:
    """Return the variances of both quadratures."""
    triples = zip(moments.measured_squares, moments.measured, moments.counts, strict=False)
    return [squares / count - (total / count) * (total / count) for squares, total, count in triples]


def _widened(moments: CalibrationMoments) -> float:
    """Return by how much the variance of a sample variance grows where neighbours are alike: 1 + 2 sum r^2."""
    widest = 1.0
    for quadrature, variance in enumerate(_calibrated(moments)):
        mean = moments.measured[quadrature] / moments.counts[quadrature]
        squares = 0.0
        for lag in range(LAGS):
            product = moments.lagged[2 * lag + quadrature] / moments.counts[quadrature] - mean * mean
            squares += max(-1.0, min(1.0, product / variance)) ** 2
        widest = max(widest, 1.0 + 2.0 * squares)
    return widest


def _judged(
    name: str, value: float, error: float, tolerated: float, numbers: int, tests: int = 1
) -> Iterator[Diagnosis]:
    severity: Literal["warning", "refusal"]
    if value > tolerated + _quantile(REFUSAL_PROBABILITY / tests, numbers) * error:
        severity, odds = "refusal", REFUSAL_PROBABILITY
    elif value > _quantile(WARNING_PROBABILITY / tests, numbers) * error:
        severity, odds = "warning", WARNING_PROBABILITY
    else:
        return
    yield Diagnosis(
        name=name, severity=severity, value=value, standard_error=error, tolerated=tolerated, false_alarm=odds
    )


def _quantile(tail: float, numbers: int) -> float:
    """Return c with Pr(chi_k > c) = `tail`, for an even number k: exp(-c^2/2) sum_(j < k/2) (c^2/2)^j / j!."""
    low, high = 0.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2.0
        half = middle * middle / 2.0
        probability = math.exp(-half) * sum(half**power / math.factorial(power) for power in range(numbers // 2))
        low, high = (middle, high) if probability > tail else (low, middle)
    return high
