"""How much entropy the labels of sliced outcomes have, given their places: a lower bound from a block's sums.

Labels are cells modulo n of a normal real y, places are where in its cell of width w it lies (`reconciliation/slices`).
For variance v the entropy is g(v) = h(y mod n w) - h(y mod w): it does not depend on the mean, and grows with v
(proven in `qkdpost.statistics.gaussian.wrapped`), so that a lower limit of the variance is the safe end. For the two
reals of a symbol, whose correlation is rho,

    H(K_x K_p | R_x R_p) = h(y_x mod n w, y_p mod n w) - h(R_x, R_p)
        >= g(v_x) + g(v_p) - I(y_x mod n w : y_p mod n w) >= g(v_x) + g(v_p) + log2(1 - rho^2) / 2,

by subadditivity of h(R_x, R_p), data processing, and the mutual information of two normal reals. With homodyne
detection, where one of both quadratures is measured and which one is announced, it is the one g or the other, of each
as many as there are outcomes of it.

Limits
    The covariance of a symbol's reals is (v_+ - v_-) / 2, with v_+ and v_- the variances of (y_x +- y_p) / sqrt 2, of
    which both limits are taken: six events with heterodyne detection, two with homodyne. What the statistics are made
    of are outcomes that were rebuilt, off by a place at most: the root of a sum of n squares about the mean moves by no
    more than sqrt(n) times that, which is conceded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from qkdpost.checks import choice, instance, real_number, whole_number
from qkdpost.records.bases import Detection
from qkdpost.statistics.gaussian.intervals import variance_limits
from qkdpost.statistics.gaussian.moments import QuadratureMoments
from qkdpost.statistics.gaussian.wrapped import cell_entropy

__all__ = ["EVENTS", "LabelEntropy", "label_entropy"]

EVENTS = {"heterodyne": 6, "homodyne": 2}
"""Statistical events of `label_entropy`, by detection."""

_PLACE = 2.0**-16
"""Of a cell: what an outcome that was rebuilt is off by at most; half of it, and less than that for float32."""
_ENTROPY_ERROR = 1e-9
"""By how much an entropy of a real may be too large as computed; far more than it is."""
_MAX_CORRELATION = 0.1
_WIDEST = 30.0
"""Cells wider than so many standard deviations have no entropy worth the name; beyond so many cells none is gained."""
_MOST_LEVELS = 8
_LEAST_OUTCOMES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelEntropy:
    """How much entropy the labels of a block have, given their places.

    Attributes:
        bits: of all labels together: a lower bound, but with a probability of `EVENTS` times that of each.
        likely_bits: the same without statistics, at the variances that were seen.
        symbols: units of the block.
        reals_per_symbol: 2 with heterodyne detection, 1 with homodyne.
        levels: bits of a label.
        variances: lower limits of the variance of the outcomes of either quadrature.
        correlation: an upper limit of the magnitude of the correlation of a symbol's two outcomes; 0 with homodyne
            detection.
        reason: why there is none, or "".
    """

    bits: float
    likely_bits: float
    symbols: int
    reals_per_symbol: int
    levels: int
    variances: tuple[float, float]
    correlation: float
    reason: str


def label_entropy(
    moments: QuadratureMoments, *, key_reals: int, detection: Detection, width: float, levels: int, probability: float
) -> LabelEntropy:
    """Return a lower bound on the entropy of a block's labels given their places.

    Args:
        moments: of all outcomes of the block, those of frames given up included, in the units of `width`.
        key_reals: of how many of them labels were taken.
        detection: of the receiver.
        width: of a cell.
        levels: bits of a label.
        probability: of each of `EVENTS[detection]` events.

    Raises:
        InputError: a number lies outside its range.
    """
    moments = instance("moments", moments, QuadratureMoments)
    heterodyne = choice("detection", detection, tuple(EVENTS)) == "heterodyne"
    width = real_number("width", width, above=0.0, most=1e12)
    levels = whole_number("levels", levels, least=1, most=_MOST_LEVELS)
    key_reals = whole_number("key_reals", key_reals, most=sum(moments.counts))
    low, correlation, reason = _limits(moments, heterodyne, width * _PLACE, probability)
    bits = likely = 0.0
    if not reason:
        bits = _of_reals(moments.counts, key_reals, low, correlation, width, 1 << levels)
        likely = _of_reals(moments.counts, key_reals, *_seen(moments), width, 1 << levels)
    return LabelEntropy(
        bits=bits,
        likely_bits=max(bits, likely),
        symbols=key_reals // 2 if heterodyne else key_reals,
        reals_per_symbol=2 if heterodyne else 1,
        levels=levels,
        variances=low,
        correlation=correlation,
        reason=reason,
    )


def _limits(
    moments: QuadratureMoments, heterodyne: bool, slack: float, probability: float
) -> tuple[tuple[float, float], float, str]:
    """Return lower limits of both variances, the upper one of the correlation, and what forbids their use."""
    counts, sums, squares = moments.counts, moments.measured, moments.measured_squares
    if min(counts) < _LEAST_OUTCOMES:
        return (0.0, 0.0), 0.0, f"{min(counts)} outcomes of one quadrature are too few to bound their variance"
    first, second = (_variance(squares[j], sums[j], counts[j], slack, probability)[0] for j in (0, 1))
    if min(first, second) <= 0.0:
        return (0.0, 0.0), 0.0, "outcomes of one quadrature do not certainly vary"
    if not heterodyne:
        return (first, second), 0.0, ""
    (plus_low, plus_high), (minus_low, minus_high) = (
        _variance(
            max(0.0, (squares[0] + squares[1]) / 2.0 + sign * squares[2]),
            (sums[0] + sign * sums[1]) / math.sqrt(2.0),
            counts[0],
            math.sqrt(2.0) * slack,
            probability,
        )
        for sign in (1.0, -1.0)
    )
    covariance = max(plus_high - minus_low, minus_high - plus_low) / 2.0
    correlation = min(1.0, covariance / math.sqrt(first * second)) if math.isfinite(covariance) else 1.0
    reason = ""
    if correlation > _MAX_CORRELATION:
        reason = f"the two outcomes of a symbol may be correlated by {correlation:.3g}, more than {_MAX_CORRELATION}"
    return (first, second), correlation, reason


def _seen(moments: QuadratureMoments) -> tuple[tuple[float, float], float]:
    """Return variances and correlation as they were seen."""
    counts, sums, squares = moments.counts, moments.measured, moments.measured_squares
    first, second = ((squares[j] - sums[j] * sums[j] / counts[j]) / (counts[j] - 1) for j in (0, 1))
    covariance = (squares[2] - sums[0] * sums[1] / counts[0]) / (counts[0] - 1) if squares[2] else 0.0
    return (first, second), covariance / math.sqrt(first * second)


def _of_reals(
    counts: tuple[int, int],
    key_reals: int,
    variances: tuple[float, float],
    correlation: float,
    width: float,
    labels: int,
) -> float:
    """Return the entropy of the labels of a block: of each quadrature as many as there are outcomes of it.

    Of how many were counted and are no key, which there need not be any, the more is taken off.
    """
    each = [_entropy_of_real(variance, width, labels) for variance in variances]
    kept = math.fsum(count * bits for count, bits in zip(counts, each, strict=True))
    shared = key_reals / 4.0 * math.log2(1.0 - correlation * correlation)
    return max(0.0, kept - (sum(counts) - key_reals) * max(each) + shared)


def _variance(squares: float, total: float, count: int, slack: float, probability: float) -> tuple[float, float]:
    """Return limits of a variance where outcomes are off by `slack` at most."""
    root, moved = math.sqrt(max(0.0, squares - total * total / count)), slack * math.sqrt(count)
    low = variance_limits(max(0.0, root - moved) ** 2, count - 1, probability)[0]
    return low, variance_limits((root + moved) ** 2, count - 1, probability)[1]


def _entropy_of_real(variance: float, width: float, labels: int) -> float:
    """Return a lower bound on the entropy of one label, also where cells and variance are worlds apart.

    It grows with the variance, so that a smaller one may stand for one that is large beyond use.
    """
    if width > _WIDEST * math.sqrt(variance):
        return 0.0
    usable = min(variance, (_WIDEST * width) ** 2)
    return max(0.0, cell_entropy(usable, width, labels) - _ENTROPY_ERROR)
