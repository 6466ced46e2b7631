r"""The unit that outcomes are counted in, with its limits, and the receiver's efficiency in that unit.

A trusted receiver: one calibration
    With S the variance of shot and electronic noise together, and v the electronic noise in units of shot noise, an
    outcome in units of the root of S is one that an ideal receiver finds behind a beam splitter of transmittance
    eta / (1 + v) (argued in `holevo`). So S is the unit, and all that is needed of the electronic noise, of variance
    N, is 1 / (1 + v) = 1 - N / S, of which the *upper* limit is taken, 1 - N_- / S_+: to overstate the efficiency is to
    let the eavesdropper have light that the receiver lost. (A consistent upper limit of N in the unit would do the
    opposite.) Without a record of the electronic noise none is credited: N_- = 0.

An untrusted receiver
    Then the electronic noise is the eavesdropper's and belongs to the noise. The unit is shot noise alone, S - N, with
    limits S_- - N_+ and S_+ - N_-, and the efficiency is 1. This needs the record of the electronic noise: with S for
    the unit, it would count as vacuum.

Two arms
    Heterodyne detection has a detector for each quadrature. Where 1 - N / S differs between them, outcomes of the one
    with less are scaled up to the efficiency of the other, by the ratio as measured: what it lost then shows as noise.
    That arms do not differ beyond that ratio is an assumption (`assumptions.ARMS_ALIKE`).

Calibration that is not white
    An estimate of a variance from n outcomes whose correlations at lags k are r_k varies as one from n divided by
    1 + 2 sum r_k^2 independent outcomes: the normal quantile is multiplied by the root of that divisor. Of each r_k the
    upper limit is taken. Only lags up to `LAGS` are summed; correlations beyond are assumed to vanish.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from qkdpost.security.gaussian.limits.regression import calibration_squares
from qkdpost.security.gaussian.settings import GaussianBoundSettings
from qkdpost.security.gaussian.tally import GaussianTally
from qkdpost.statistics.gaussian.intervals import normal_quantile, variance_limits
from qkdpost.statistics.gaussian.moments import LAGS, CalibrationMoments

__all__ = ["Contradiction", "Units", "receiver_units"]

_MOST_WIDENED = 2.0
"""More correlation than this allows is no noise of a detector, but a fault of the record."""


class Contradiction(Exception):
    """The sums contradict each other, or do not allow any limit: no key."""


@dataclass(frozen=True, slots=True)
class Units:
    """The unit of either quadrature, and what is known of it.

    Args:
        units: the estimates: outcomes are divided by their roots.
        low: a lower limit of the true unit over the estimate, the lower of both quadratures.
        high: an upper limit, likewise.
        efficiency: an upper limit of the receiver's efficiency in this unit.
        likely_efficiency: the estimate of it.
    """

    units: tuple[float, float]
    low: float
    high: float
    efficiency: float
    likely_efficiency: float


@dataclass(frozen=True, slots=True)
class _Variance:
    """Of one quadrature of a record: estimate and limits."""

    estimate: float
    low: float
    high: float


_NOTHING = _Variance(0.0, 0.0, 0.0)


def receiver_units(tally: GaussianTally, settings: GaussianBoundSettings, probability: float) -> Units:
    """Return the unit and the efficiency, each limit wrong with this probability at most.

    There are at most eight such events: two limits of S and of N for each quadrature.

    Raises:
        Contradiction: the records allow no unit.
    """
    shot = _variances(tally.shot_electronic, probability, "the calibration with local oscillator")
    if tally.electronic is None:
        if settings.receiver == "untrusted":
            raise Contradiction(
                "an untrusted receiver's electronic noise is the eavesdropper's, and no record tells how large it is: "
                "calibrate it, with the local oscillator off"
            )
        electronic = (_NOTHING, _NOTHING)
    else:
        electronic = _variances(tally.electronic, probability, "the calibration without local oscillator")
    pairs = tuple(zip(shot, electronic, strict=True))
    if any(both.low <= dark.high or both.estimate <= dark.estimate for both, dark in pairs):
        raise Contradiction(
            "the calibration shows no shot noise: with local oscillator there is not certainly more noise than without"
        )
    if settings.receiver == "untrusted":
        units = tuple(both.estimate - dark.estimate for both, dark in pairs)
        low = min((both.low - dark.high) / unit for (both, dark), unit in zip(pairs, units, strict=True))
        high = max((both.high - dark.low) / unit for (both, dark), unit in zip(pairs, units, strict=True))
        return Units((units[0], units[1]), low, high, 1.0, 1.0)
    shares = [1.0 - dark.estimate / both.estimate for both, dark in pairs]
    best = max(shares)
    return Units(
        units=(shot[0].estimate * shares[0] / best, shot[1].estimate * shares[1] / best),
        low=min(both.low / both.estimate for both in shot),
        high=max(both.high / both.estimate for both in shot),
        efficiency=settings.largest_efficiency * max(1.0 - dark.low / both.high for both, dark in pairs),
        likely_efficiency=settings.efficiency * best,
    )


def _variances(record: CalibrationMoments, probability: float, name: str) -> tuple[_Variance, _Variance]:
    squares = calibration_squares(record.counts, record.measured, record.measured_squares)
    found = []
    for quadrature in (0, 1):
        count, total = record.counts[quadrature], squares[quadrature]
        if total <= 0.0:
            raise Contradiction(f"{name} has no noise in it")
        widened = _widening(record, quadrature, total, probability)
        if widened > _MOST_WIDENED:
            raise Contradiction(
                f"outcomes of {name} are so correlated with their neighbours that they are no noise of a detector"
            )
        low, high = variance_limits(total, count - 1, probability, widened=widened)
        if not math.isfinite(high):
            raise Contradiction(f"{name} has too few outcomes, {count}, for limits of this confidence")
        found.append(_Variance(total / (count - 1), low, high))
    return found[0], found[1]


def _widening(record: CalibrationMoments, quadrature: int, squares: float, probability: float) -> float:
    """Return by what the normal quantile is multiplied where neighbours are correlated."""
    count, mean = record.counts[quadrature], record.measured[quadrature] / record.counts[quadrature]
    uncertain = normal_quantile(probability) / math.sqrt(count)
    total = 0.0
    for lag in range(LAGS):
        product = record.lagged[2 * lag + quadrature] - count * mean * mean
        correlation = abs(product) / squares + uncertain
        total += correlation * correlation
    return math.sqrt(1.0 + 2.0 * total)
