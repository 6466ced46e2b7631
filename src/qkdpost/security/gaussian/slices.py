"""Secret bits of sliced outcomes: what replaces one bit a real where outcomes are sliced, and not rotated.

The outcome y of a real is cut into a label K, the key, a place R and a turn J, which are public
(`qkdpost.reconciliation.slices`): y = (cell(K, J) + place) w, with w the width of a cell and q_K = 2^levels labels. The
attack is collective: the joint state of the symbols' outcomes and the eavesdropper's systems E is a product over
symbols, and Gaussian. A unit is a whole symbol, two reals of one state with heterodyne detection, one with homodyne.

One symbol
    H(K | E R) = H(K) - I(K : R) - I(K : E | R) >= H(K | R) - I(K R : E) >= H(K | R) - chi(y : E),
    the last step since (K, R) is a function of y. With continuous places H(K | R) = h(y mod n w) - h(y mod w), n being
    the number of labels; places of 2^-16 of a cell are a function of these, and conditioning on less only adds. For a
    normal real of variance v it is g(v) = `cell_entropy(v, w, n)`: it does not depend on the mean, and grows with v
    (proven in `qkdpost.statistics.gaussian.wrapped`), so that a lower limit of the variance is the safe end. For the
    two reals of a symbol, whose correlation is rho,

        H(K_x K_p | R_x R_p) = h(y_x mod n w, y_p mod n w) - h(R_x, R_p)
            >= g(v_x) + g(v_p) - I(y_x mod n w : y_p mod n w) >= g(v_x) + g(v_p) + log2(1 - rho^2) / 2,

    by subadditivity of h(R_x, R_p), data processing, and the mutual information of two normal reals. No condition on
    means, isotropy or whitening is needed: what an offset or an imbalance of the quadratures tells, which with
    rotations must be charged, is here in the entropies themselves.

All symbols
    H_alpha^up (sandwiched) of products adds, at least, and for a classical key of d_A values a symbol

        H_alpha >= H - (alpha - 1) log2(1 + 2 d_A)^2,  1 < alpha < 1 + 1 / log2(1 + 2 d_A),

    whatever the dimension of E, which includes R (argued in `qkdpost.security.gaussian.secret_length` for rotations,
    where d_A = 2^d; nothing there asks the key to be uniform). Here d_A = 2^(levels reals of a symbol).

What is announced
    Let f be all that is announced apart from places: a function of both sides' data and of public seeds. Given the
    places r, which are classical, Q(rho) = 2^(-(s / alpha) H_alpha^up), s = alpha - 1, is sum_r p(r) Q(rho_r). For each
    r choose weights with sum_f 2^-l_r(f) <= 1: by Hoelder's inequality with exponents alpha / s and alpha, and
    sum_f Q(rho_(r, f))^alpha <= Q(rho_r)^alpha,

        sum_f 2^(-(s / alpha) l_r(f)) Q(rho_(r, f)) <= Q(rho_r).

    So l_r(f) bits are paid for by subtracting them from the length, once; l may depend on places. The ledger's charge
    is such an l: fixed numbers of bits for flags, syndromes and revealed bits, and for a frame that is given up the
    length of its labels in a prefix code that was fixed beforehand (`SlicePlan.lengths`, checked by Kraft's
    inequality), of which every syndrome of the frame is a function. Frames that were given up are part of the state, of
    the entropy and of the statistics, and not of what is hashed: a linear hash of the other frames, given these. Width,
    levels, lengths and alpha must not depend on the block's own outcomes: the plan is made from disclosed symbols that
    were removed, alpha from the number of symbols.

The length
    is the leftover hash lemma for H_alpha^up at the best alpha in closed form; with u symbols, V = log2(1 + 2 d_A) and
    L = log2(1 / eps_PA), where u >= L,

        ell = sum over symbols of H(K | R) - u chi - 2 V sqrt(u L) - (L - 2) - charges.

The limits of variance
    Outcomes are normal. With n of them S = sum y^2 - (sum y)^2 / n is v times a chi-square variable of n - 1 degrees of
    freedom, nu; by Laurent and Massart (Ann. Statist. 28, 1302, lemma 1), with x = ln(1 / e), each but with a
    probability of e,

        v >= S / (nu + 2 sqrt(nu x) + 2 x),   v <= S / (nu - 2 sqrt(nu x)).

    The covariance of a symbol's reals is (v_+ - v_-) / 2, with v_+ and v_- the variances of (y_x +- y_p) / sqrt 2, of
    which both limits are taken: six events with heterodyne detection, two with homodyne. What the statistics are made
    of are outcomes that were rebuilt, off by a place at most: sqrt(S) moves by no more than sqrt(n) times that, which
    is taken off.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from qkdpost.checks import choice, instance, real_number, whole_number
from qkdpost.security.result import Term
from qkdpost.statistics.gaussian.moments import QuadratureMoments
from qkdpost.statistics.gaussian.wrapped import cell_entropy

__all__ = ["EVENTS", "LabelEntropy", "label_entropy", "slice_terms"]

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

Detection = Literal["heterodyne", "homodyne"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelEntropy:
    """How much entropy the labels of a block have, given their places.

    Attributes:
        bits: of all labels together, a lower bound: no more than with a probability of `EVENTS` times epsilon.
        symbols: units of the block.
        reals_per_symbol: 2 with heterodyne detection, 1 with homodyne.
        levels: bits of a label.
        variances: lower limits of the variance of the outcomes of either quadrature.
        correlation: an upper limit of the magnitude of the correlation of a symbol's two outcomes; 0 with homodyne
            detection.
        reason: why there is none, or "".
    """

    bits: float
    symbols: int
    reals_per_symbol: int
    levels: int
    variances: tuple[float, float]
    correlation: float
    reason: str


def label_entropy(
    moments: QuadratureMoments, *, detection: Detection, width: float, levels: int, epsilon: float
) -> LabelEntropy:
    """Return a lower bound on the entropy of a block's labels given their places.

    Args:
        moments: of all outcomes of the block, those of frames given up included, in the units of `width`.
        detection: of the receiver.
        width: of a cell.
        levels: bits of a label.
        epsilon: the probability of each of `EVENTS[detection]` events.

    Raises:
        InputError: a number lies outside its range.
    """
    moments = instance("moments", moments, QuadratureMoments)
    heterodyne = choice("detection", detection, tuple(EVENTS)) == "heterodyne"
    width = real_number("width", width, above=0.0, most=1e12)
    levels = whole_number("levels", levels, least=1, most=_MOST_LEVELS)
    exponent = -math.log(real_number("epsilon", epsilon, above=0.0, below=1.0))
    counts, sums, squares = moments.counts, moments.measured, moments.measured_squares
    slack = width * _PLACE
    low = [_lower(squares[j], sums[j], counts[j], exponent, slack) for j in (0, 1)]
    correlation = _correlation(moments, low, exponent, math.sqrt(2.0) * slack) if heterodyne else 0.0
    reason = ""
    if min(low) <= 0.0:
        reason = "there are too few outcomes to bound their variance"
    elif correlation > _MAX_CORRELATION:
        reason = f"the two outcomes of a symbol may be correlated by {correlation:.3g}, more than {_MAX_CORRELATION}"
    bits = 0.0
    if not reason:
        each = [_entropy_of_real(variance, width, 1 << levels) for variance in low]
        bits = math.fsum(count * entropy for count, entropy in zip(counts, each, strict=True))
        bits += counts[0] * 0.5 * math.log2(1.0 - correlation * correlation) if heterodyne else 0.0
    return LabelEntropy(
        bits=max(0.0, bits),
        symbols=counts[0] if heterodyne else sum(counts),
        reals_per_symbol=2 if heterodyne else 1,
        levels=levels,
        variances=(low[0], low[1]),
        correlation=correlation,
        reason=reason,
    )


def slice_terms(
    entropy: LabelEntropy, *, holevo_bits: float, privacy: float, leakage_bits: int
) -> tuple[tuple[Term, ...], str]:
    """Return the terms of the length, and why there is no key, if there is none for a reason beyond their sum.

    Args:
        entropy: of the block's labels.
        holevo_bits: an upper bound on chi(y : E) of a symbol, in bits.
        privacy: eps_PA, the part of secrecy that hashing spends.
        leakage_bits: all that was charged.

    Raises:
        InputError: a number lies outside its range.
    """
    entropy = instance("entropy", entropy, LabelEntropy)
    chi = real_number("holevo_bits", holevo_bits, least=0.0, most=1e6)
    bits_of_failure = -math.log2(real_number("privacy", privacy, above=0.0, below=1.0))
    leakage = whole_number("leakage_bits", leakage_bits)
    symbols = entropy.symbols
    label_bits = entropy.levels * entropy.reals_per_symbol
    alphabet = math.log2(1.0 + 2.0 ** (label_bits + 1))
    spread = 2.0 * alphabet * math.sqrt(symbols * bits_of_failure)
    terms = (
        Term(
            name="entropy of labels",
            bits=entropy.bits,
            explanation=(
                f"of {symbols} symbols, {label_bits} bits of label each, given their places, at the lower limits of "
                f"the variances, {entropy.variances[0]:.6g} and {entropy.variances[1]:.6g}"
            ),
        ),
        Term(name="eavesdropper", bits=-symbols * chi, explanation=f"Holevo information, {chi:.9g} bits a symbol"),
        Term(
            name="finite number of symbols",
            bits=-spread,
            explanation=f"2 V sqrt(u L), V = {alphabet:.6g}, u = {symbols}, L = {bits_of_failure:.6g}",
        ),
        Term(
            name="privacy amplification",
            bits=2.0 - bits_of_failure,
            explanation="-(log2(1 / eps_PA) - 2)",
        ),
        Term(name="disclosed", bits=-float(leakage), explanation="all that the ledger charged"),
    )
    reason = entropy.reason
    if not reason and symbols < bits_of_failure:
        reason = f"a block needs {math.ceil(bits_of_failure)} symbols at the least; found {symbols}"
    return terms, reason


def _entropy_of_real(variance: float, width: float, labels: int) -> float:
    """Return a lower bound on the entropy of one label, also where cells and variance are worlds apart.

    It grows with the variance, so that a smaller one may stand for one that is large beyond use.
    """
    if width > _WIDEST * math.sqrt(variance):
        return 0.0
    usable = min(variance, (_WIDEST * width) ** 2)
    return max(0.0, cell_entropy(usable, width, labels) - _ENTROPY_ERROR)


def _lower(squares: float, total: float, count: int, exponent: float, slack: float) -> float:
    """Return the lower limit of a variance, or 0; outcomes are off by `slack` at most."""
    if count < 2:
        return 0.0
    freedom = count - 1
    root = math.sqrt(max(0.0, squares - total * total / count)) - slack * math.sqrt(count)
    return max(0.0, root) ** 2 / (freedom + 2.0 * math.sqrt(freedom * exponent) + 2.0 * exponent)


def _upper(squares: float, total: float, count: int, exponent: float, slack: float) -> float:
    """Return the upper limit of a variance, or infinity."""
    freedom = count - 1
    divisor = freedom - 2.0 * math.sqrt(freedom * exponent) if freedom > 0 else 0.0
    if divisor <= 0.0:
        return math.inf
    root = math.sqrt(max(0.0, squares - total * total / count)) + slack * math.sqrt(count)
    return root * root / divisor


def _correlation(moments: QuadratureMoments, low: list[float], exponent: float, slack: float) -> float:
    """Return an upper limit of the magnitude of the correlation of a symbol's outcomes, or 1."""
    count, sums, squares = moments.counts[0], moments.measured, moments.measured_squares
    limits = []
    for sign in (1.0, -1.0):
        square = max(0.0, (squares[0] + squares[1]) / 2.0 + sign * squares[2])
        total = (sums[0] + sign * sums[1]) / math.sqrt(2.0)
        limits.append([bound(square, total, count, exponent, slack) for bound in (_lower, _upper)])
    (plus_low, plus_high), (minus_low, minus_high) = limits
    covariance = max(plus_high - minus_low, minus_high - plus_low) / 2.0
    if min(low) <= 0.0 or not math.isfinite(covariance):
        return 1.0
    return min(1.0, max(0.0, covariance) / math.sqrt(low[0] * low[1]))
