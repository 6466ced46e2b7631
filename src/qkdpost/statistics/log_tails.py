"""Logarithms of exact tail probabilities, hypergeometric and binomial, as rigorous upper bounds.

Everything is a sum of probabilities of a two by two table. The largest one is taken in the form of Loader (2000):
the big parts of the factorials cancel on paper instead of in floating point, so that a table of 10^14 rounds keeps
its digits. The smaller ones follow by the exact ratio of neighbours, and what is cut off is bounded by a geometric
series, since these ratios only fall. `MARGIN` is then added for rounding: a result of this file is never below
the true logarithm.

Away from its mean the binomial sum is not added up but taken from a continued fraction. With x successes seen, m
trials left, odds r = failure / success and n = x + m, the sum in units of its leading term is the hypergeometric
function F(1, -x; m + 1; -r), whose fraction of Gauss has, in its even part, positive elements only:

    1 / (b_0 + a_1 / (b_1 + a_2 / (b_2 + ...))),   a_k = d_k e_k,   b_k = 1 - d_(k+1) + e_k,   e_0 = 0,
    d_k = r (x - k + 1)(m + k - 1) / ((m + 2 k - 2)(m + 2 k - 1)),   e_k = r k (n + k) / ((m + 2 k - 1)(m + 2 k)).

It ends at k = x. Cut before a_k with k odd it is too large, as is any fraction of positive elements: that is where
it is cut. With D = n success - x, the distance from the mean, 1 - d_(k+1) is the quotient of
(m + k) D + success (m (3 k + 1) + 2 k (2 k + 1)) + failure k (m + k) and success (m + 2 k)(m + 2 k + 1), so that
nothing cancels while x lies below the mean.

Counts are plain integers of any size inside; whatever integers are handed in are made so at the door.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from qkdpost.checks import MAX_COUNT, whole_number
from qkdpost.errors import InputError

__all__ = ["binomial_log_tail", "hypergeometric_log_tail", "relative_deviance"]

MARGIN = 1e-10
"""What is added to each logarithm of a probability for rounding; estimated rounding is below a tenth of it."""
RELATIVE_MARGIN = 1e-12
"""The same in proportion to the logarithm itself, for probabilities that are astronomically small."""
MAX_TERMS = 16_384
"""A sum with more terms is bounded in blocks."""
BLOCKS = 2_048
"""So many of them overstate a probability beyond two standard deviations by less than two in a thousand."""
_CUT = -28.0
"""Terms below exp(-28) of the leading one are not added but bounded together."""
_MAX_LEVELS = 120
"""Of a continued fraction; closer to the mean than that many levels allow, the sum is added up."""
_SMALL_LOG_FACTORIALS = tuple(math.log(math.factorial(n)) for n in range(16))


def hypergeometric_log_tail(population: int, marked: int, draws: int, seen: int) -> float:
    """Return an upper bound on ln P[X <= seen], X the marked ones among `draws` without replacement.

    Args:
        population: how many there are in all.
        marked: how many of them are marked, 0 ... population.
        draws: how many are drawn, 0 ... population.
        seen: the value whose lower tail is asked.

    Returns:
        The logarithm, at most 0; minus infinity where the tail is empty.

    Raises:
        InputError: numbers that are no counts.
    """
    if not type(population) is type(marked) is type(draws) is type(seen) is int:  # searches come here often
        numbers = {"population": population, "marked": marked, "draws": draws, "seen": seen}
        population, marked, draws, seen = (
            whole_number(name, value, least=-(2**63), most=2**64) for name, value in numbers.items()
        )
    if not (0 <= marked <= population <= 2 * MAX_COUNT and 0 <= draws <= population and seen >= -1):
        raise InputError(
            f"marked, draws and seen must fit the population; found {marked}, {draws}, {seen} of {population}"
        )
    unmarked = population - marked
    lowest = max(0, draws - unmarked)
    if seen >= min(marked, draws):
        return 0.0
    if seen < lowest:
        return -math.inf
    clean_left = unmarked - draws + seen

    def ratios(steps: NDArray[np.float64]) -> NDArray[np.float64]:
        top = (seen - steps) * (clean_left - steps)
        return np.asarray(top / ((marked - seen + 1.0 + steps) * (draws - seen + 1.0 + steps)))

    leading = _log_table_probability(population, marked, draws, seen)
    return _with_margin(leading + _log_sum(ratios, seen - lowest))


def binomial_log_tail(seen: int, missed: int, success: float, failure: float) -> float:
    """Return an upper bound on ln P[X <= seen] for X successes in seen + missed independent trials.

    Both probabilities are given, so that neither end loses digits; the answer belongs to a probability within
    four units in the last place of the smaller one.

    Args:
        seen: the value whose lower tail is asked.
        missed: the remaining trials.
        success: the probability of success of each trial.
        failure: 1 - success.

    Returns:
        The logarithm, at most 0; minus infinity where the tail is empty.

    Raises:
        InputError: numbers that are no counts or no probabilities.
    """
    if not type(seen) is type(missed) is int:  # searches come here often
        seen = whole_number("seen", seen, least=-(2**63), most=2**64)
        missed = whole_number("missed", missed, least=-(2**63), most=2**64)
    if not (0.0 <= success <= 1.0 and 0.0 <= failure <= 1.0):
        raise InputError(f"success and failure must be probabilities; found {success}, {failure}")
    if seen < 0:
        if seen < -1:
            raise InputError(f"seen must be at least -1; found {seen}")
        return -math.inf
    if missed <= 0 or success <= 0.0:
        return 0.0
    if failure <= 0.0:
        return -math.inf
    trials = seen + missed
    deviation = seen - trials * success if success <= failure else trials * failure - missed
    leading = _stirling(trials) - _stirling(seen) - _stirling(missed)
    leading -= _deviance(trials * success, deviation) + _deviance(trials * failure, -deviation)
    levels = _levels(-deviation, trials * success * failure)
    if levels <= _MAX_LEVELS:
        return _with_margin(leading - math.log(_continued_fraction(seen, missed, success, failure, -deviation, levels)))

    def ratios(steps: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((seen - steps) / (missed + 1.0 + steps) * (failure / success))

    return _with_margin(leading + _log_sum(ratios, seen))


def _levels(distance: float, variance: float) -> int:
    """Return how many levels of the continued fraction leave less than `MARGIN`; an even number.

    Its error falls as that of the fraction for the normal distribution does, like exp(-2 z sqrt(2 k)) at z standard
    deviations from the mean; too few levels could only make the sum too large.
    """
    if distance <= 0.0:
        return _MAX_LEVELS + 1
    return 2 * math.ceil(64.0 * variance / distance**2) + 8


def _continued_fraction(seen: int, missed: int, success: float, failure: float, distance: float, levels: int) -> float:
    """Return one over the sum of all terms in units of the leading one, from below; see the module."""
    trials, odds = seen + missed, failure / success
    fraction = even_above = 0.0
    for k in range(min(levels, seen), -1, -1):
        double = missed + 2.0 * k
        scale = double * (double + 1.0)
        even = odds * k * (trials + k) / ((double - 1.0) * double) if k else 0.0
        gap = (missed + k) * (distance + failure * k) + success * (missed * (3.0 * k + 1.0) + 2.0 * k * (2.0 * k + 1.0))
        rest = odds * (seen - k) * (missed + k) / scale * even_above / fraction if fraction else 0.0
        fraction, even_above = gap / (success * scale) + even + rest, even
    return fraction


def _with_margin(log_probability: float) -> float:
    return min(0.0, log_probability + MARGIN + RELATIVE_MARGIN * abs(log_probability))


def _log_table_probability(population: int, marked: int, draws: int, seen: int) -> float:
    """Return ln P[X = seen]; the deviation from the mean is an exact integer over `population`."""
    unmarked, undrawn = population - marked, population - draws
    deviation = seen * population - marked * draws
    total = _stirling(marked) + _stirling(unmarked) + _stirling(draws) + _stirling(undrawn) - _stirling(population)
    for cell, row, column, sign in (
        (seen, marked, draws, 1),
        (marked - seen, marked, undrawn, -1),
        (draws - seen, unmarked, draws, -1),
        (undrawn - marked + seen, unmarked, undrawn, 1),
    ):
        product = row * column
        if product:
            total -= _stirling(cell) + product / population * relative_deviance(sign * deviation / product)
    return total


def _stirling(count: int) -> float:
    """Return ln(n!) - n ln(n) + n, which is small, to full precision."""
    if count == 0:
        return 0.0
    if count < 16:
        return _SMALL_LOG_FACTORIALS[count] - count * math.log(count) + count
    inverse = 1.0 / count
    square = inverse * inverse
    series = inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680 - square / 1188))))
    return 0.5 * math.log(2.0 * math.pi * count) + series


def _deviance(mean: float, deviation: float) -> float:
    return mean * relative_deviance(deviation / mean)


def relative_deviance(ratio: float) -> float:
    """Return (1 + r) ln(1 + r) - r for r >= -1 without cancellation near zero.

    Raises:
        InputError: the ratio is not a number.
    """
    if not ratio > -1.0:
        if ratio <= -1.0:
            return 1.0
        raise InputError(f"ratio must be a number; found {ratio}")
    if abs(ratio) > 0.1:
        return (1.0 + ratio) * math.log1p(ratio) - ratio
    # With v = r / (2 + r): ln(1 + r) = 2 atanh(v), and the terms of first order cancel on paper.
    reduced = ratio / (2.0 + ratio)
    square = reduced * reduced
    series, power = 0.0, square
    for odd in range(3, 103, 2):  # a square of at most 1 / 19^2 needs seven terms
        grown = series + power / odd
        if grown == series:
            break
        series, power = grown, power * square
    return ratio * reduced + 2.0 * (1.0 + ratio) * reduced * series


def _log_sum(ratios: Callable[[NDArray[np.float64]], NDArray[np.float64]], terms_below: int) -> float:
    """Return ln(1 + t_1 + t_2 + ...), t_j the product of the first j ratios, from above.

    Args:
        ratios: t_(j+1) / t_j at the steps j given; falling in j, positive for j < terms_below.
        terms_below: how many terms there are after the leading one.
    """
    if terms_below == 0:
        return 0.0
    first = float(ratios(np.zeros(1))[0])
    needed = terms_below
    if first < 1.0:
        needed = min(terms_below, math.ceil(_CUT / math.log(first)))
    elif terms_below > MAX_TERMS:
        return math.inf  # the tail holds about half of all probability or more: it is bounded by one
    if needed > MAX_TERMS:
        return _log_sum_in_blocks(ratios, needed, -(-needed // BLOCKS))
    steps = ratios(np.arange(needed + 1, dtype=np.float64))
    with np.errstate(over="ignore"):
        terms = np.cumprod(steps[:needed])
        total = 1.0 + float(terms.sum())
    last = float(steps[needed])
    if needed < terms_below:
        total += float(terms[-1]) * last / (1.0 - last)
    return math.log(total) if total < math.inf else math.inf


def _log_sum_in_blocks(ratios: Callable[[NDArray[np.float64]], NDArray[np.float64]], needed: int, stride: int) -> float:
    """Bound the sum by taking the ratio at the start of each block for the whole block; ratios below one.

    With s standard deviations to where the terms are cut and z to the mean this overstates by exp(s / (2 z B)) at most.
    """
    starts = np.arange(0, needed, stride, dtype=np.float64)
    ratio = ratios(starts)
    whole_blocks = stride * np.log(ratio)
    heads = np.exp(np.concatenate(([0.0], np.cumsum(whole_blocks))))
    blocks = heads[:-1] * -np.expm1(whole_blocks) / (1.0 - ratio)
    return math.log(float(blocks.sum()) + float(heads[-1]) / (1.0 - float(ratio[-1])))
