r"""What the messages of rotations tell of the key: a charge for vectors whose directions are not quite uniform.

Bob announces the norm N and the rotation M of each vector of his whitened outcomes, chosen so that M turns the
vector's direction into the key bits u. Were the directions uniform, M would tell nothing of u.

The charge
    I(u : M | N) is the relative entropy of the direction's law, given the norm, and the uniform one. By the chain rule
    it is at most the relative entropy of the law of the whole vector and any isotropic normal one. With outcomes normal
    of mean mu and covariance matrix C for the two reals of a symbol, and 2 s^2 = tr C + |mu|^2, that is, for a symbol,

        log2(s^4 / det C) / 2 = log2((1 + |mu|^2 / tr C)^2 / (1 - kappa)) / 2,   kappa = delta^2 + rho^2,

    where delta = (C_00 - C_11) / tr C and rho = 2 C_01 / tr C = (C_+ - C_-) / tr C, C_+ and C_- being the variances of
    (y_0 +- y_1) / sqrt(2). For m reals, two a symbol, that makes (m / 4) log2(...). With homodyne detection, where the
    quadrature is announced and drawn with probability 1/2 each, the average over x and p has the same form with
    rho = 0; it is multiplied by the weight of the quadrature that was measured more often (`GaussianTally.weight`). All
four variances have chi-square limits about their means, both means normal ones: twelve events.

Correlation in time
    is outside of what the bound assumes, and charged all the same where it shows: normal reals whose correlation is r
    have a mutual information of log2(1 / (1 - r^2)) / 2, 0.721 r^2 bits, and so many bits turns of later vectors may
    tell of earlier ones. A correlation counts if it is three standard errors from zero.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from qkdpost.security.gaussian.limits.calibration import Contradiction
from qkdpost.security.gaussian.limits.regression import centred_squares
from qkdpost.security.gaussian.tally import GaussianTally
from qkdpost.statistics.gaussian.intervals import normal_quantile, variance_limits

__all__ = ["DirectionLeak", "direction_leak"]

MOST_KAPPA = 0.01
"""Outcomes further from isotropic than this were not whitened."""
_STANDARD_ERRORS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectionLeak:
    """What rotations may tell.

    Args:
        bits: of the whole block, for directions.
        correlation_bits: of the whole block, for correlation in time.
        kappa: the limit of the anisotropy.
        offset: the limit of |mu|^2 / tr C.
        largest_correlation: the largest correlation in time that was seen, significant or not.
    """

    bits: float
    correlation_bits: float
    kappa: float
    offset: float
    largest_correlation: float


def direction_leak(tally: GaussianTally, probability: float) -> DirectionLeak:
    """Return the charge; each of its twelve events fails with this probability at most.

    Raises:
        Contradiction: outcomes were not whitened, or there are too few of them.
    """
    counts, sums = tally.moments.counts, tally.moments.measured
    squares = centred_squares(tally)
    limits = [variance_limits(float(squares[j, j]), counts[j] - 1, probability) for j in (0, 1)]
    if min(low for low, _ in limits) <= 0.0:
        raise Contradiction("outcomes do not vary")
    delta, rho = _apart(limits[0], limits[1]), 0.0
    if tally.detection == "heterodyne":
        total, across = float(squares[0, 0] + squares[1, 1]), float(squares[0, 1])
        turned = [max(0.0, total / 2.0 + sign * across) for sign in (1.0, -1.0)]
        plus, minus = (variance_limits(value, counts[0] - 1, probability) for value in turned)
        if min(plus[0], minus[0]) <= 0.0:
            raise Contradiction("outcomes of both quadratures are the same")
        rho = _apart(plus, minus)
    kappa = delta * delta + rho * rho
    z = normal_quantile(probability)
    means = [
        abs(total) / count + z * math.sqrt(high / count)
        for total, count, (_, high) in zip(sums, counts, limits, strict=True)
    ]
    offset = math.fsum(mean * mean for mean in means) / math.fsum(low for low, _ in limits)
    if not (kappa < MOST_KAPPA and offset < MOST_KAPPA):
        raise Contradiction(
            "outcomes that were rotated are too far from isotropic: the square of anisotropy may be "
            f"{kappa:.3g} and that of the offset {offset:.3g}, at most {MOST_KAPPA:g} is allowed. Whiten them anew, or "
            "use larger blocks"
        )
    bits = tally.weight * tally.key_reals / 4.0 * (2.0 * math.log1p(offset) - math.log1p(-kappa)) / math.log(2.0)
    charged, largest = _in_time(tally, [float(squares[j, j]) / counts[j] for j in (0, 1)])
    return DirectionLeak(bits=bits, correlation_bits=charged, kappa=kappa, offset=offset, largest_correlation=largest)


def _apart(first: tuple[float, float], second: tuple[float, float]) -> float:
    """Return the largest |a - b| / (a + b) of two variances within their limits."""
    return max(abs(first[1] - second[0]) / (first[1] + second[0]), abs(second[1] - first[0]) / (second[1] + first[0]))


def _in_time(tally: GaussianTally, variances: list[float]) -> tuple[float, float]:
    """Return the charge for correlations in time, and the largest."""
    moments = tally.moments
    means = [total / count for total, count in zip(moments.measured, moments.counts, strict=True)]
    charged = largest = 0.0
    for place, product in enumerate(moments.lagged):
        if tally.detection == "homodyne":
            if place % 4:
                continue  # quadratures take turns: all products of a lag are in its first sum
            pairs = sum(moments.counts)
            mean, scale = sum(means) ** 2 / 4.0, sum(variances) / 2.0
        else:
            first, second = ((0, 0), (1, 1), (0, 1), (1, 0))[place % 4]
            pairs = moments.counts[0]
            mean, scale = means[first] * means[second], math.sqrt(variances[first] * variances[second])
        r = min(0.999, abs(product / pairs - mean) / scale)
        largest = max(largest, r)
        if r * r * pairs > _STANDARD_ERRORS**2:
            share = tally.key_reals / sum(moments.counts)
            charged -= share * pairs * math.log2(1.0 - r * r) / 2.0
    return charged, largest
