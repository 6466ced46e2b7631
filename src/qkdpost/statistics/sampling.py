"""From a random sample, drawn without replacement, to what was not drawn: exact inversion, and Serfling's inequality.

Two habits of the literature are kept apart by name. Most inequalities bound a probability by `tail` itself. A smoothing
parameter eps in a min-entropy proof belongs to a probability eps^2: the caller who has eps passes ``tail=eps**2``, and
`serfling_deviation_smoothing` is the one function that does so itself, because papers print it that way.
"""

from __future__ import annotations

import math

from qkdpost.errors import InputError
from qkdpost.statistics.concentration import check_count, check_tail, normal_deviations
from qkdpost.statistics.inversion import first_below
from qkdpost.statistics.log_tails import hypergeometric_log_tail

__all__ = [
    "hypergeometric_key_errors",
    "hypergeometric_key_errors_lower",
    "serfling_deviation",
    "serfling_deviation_smoothing",
]


def hypergeometric_key_errors(key_bits: int, test_bits: int, test_errors: int, tail: float) -> int:
    """Bound the errors in the bits that were not tested, by exact inversion of the hypergeometric distribution.

    `test_bits` of all key_bits + test_bits rounds were drawn at random and showed `test_errors`. With K_U the
    largest K for which P[Hyp(N = n + k, K, k draws) <= x] > tail, more than K_U - x errors among the n key bits
    occur together with this observation with probability at most `tail`, whatever the errors' pattern is.

    The statement is the inversion of an exact test and needs no approximation. Sums longer than
    `tails.MAX_TERMS` are bounded from above in blocks, and every logarithm carries `tails.MARGIN`, so that
    rounding can only raise the answer.

    Args:
        key_bits: n, bits that were not tested.
        test_bits: k, bits tested.
        test_errors: x, errors seen among them.
        tail: the probability of failure; for a smoothing parameter eps pass eps^2.

    Returns:
        The number of errors, 0 ... key_bits.

    Raises:
        InputError: counts that contradict each other, or a tail outside 0 ... 1.
    """
    key_bits, test_bits, test_errors = _sample(key_bits, test_bits, test_errors)
    target = math.log(check_tail(tail))
    population = key_bits + test_bits

    def log_tail(marked: int) -> float:
        return hypergeometric_log_tail(population, marked, test_bits, test_errors)

    if test_bits == 0:
        return key_bits
    near = round(population * _rate_by_normal_law(key_bits, test_bits, test_errors, normal_deviations(target)))
    mean = test_errors * (population / test_bits)
    return first_below(log_tail, target, test_errors, key_bits + test_errors, near, mean) - 1 - test_errors


def hypergeometric_key_errors_lower(key_bits: int, test_bits: int, test_errors: int, tail: float) -> int:
    """Bound the errors in the bits that were not tested from below; the mirror of `hypergeometric_key_errors`.

    The bits without error are as random a sample as those with one: the bound is n less the upper bound on them.

    Raises:
        InputError: counts that contradict each other, or a tail outside 0 ... 1.
    """
    key_bits, test_bits, test_errors = _sample(key_bits, test_bits, test_errors)
    return key_bits - hypergeometric_key_errors(key_bits, test_bits, test_bits - test_errors, tail)


def serfling_deviation(key_bits: int, test_bits: int, tail: float) -> float:
    """Return Serfling's g: P[key error rate >= test error rate + g] <= tail for a random sample.

    With n key bits and k test bits, exp(-2 g^2 n k^2 / ((n + k)(k + 1))) = tail (Serfling 1974, in the form of
    Tomamichel, Lim, Gisin and Renner, Nature Communications 3, 634, supplementary lemma).

    Returns:
        The deviation; infinity if nothing was tested.

    Raises:
        InputError: a count or tail out of range.
    """
    return _serfling(key_bits, test_bits, -math.log(check_tail(tail)))


def serfling_deviation_smoothing(key_bits: int, test_bits: int, smoothing: float) -> float:
    """Return Serfling's g at the probability `smoothing`^2, as papers print it for a smoothing parameter.

    The same as ``serfling_deviation(..., tail=smoothing**2)``: the factor one half under the root is gone.

    Raises:
        InputError: a count or parameter out of range.
    """
    return _serfling(key_bits, test_bits, -2.0 * math.log(check_tail(smoothing)))


def _serfling(key_bits: int, test_bits: int, log_inverse_tail: float) -> float:
    key_bits, test_bits = check_count("key_bits", key_bits), check_count("test_bits", test_bits)
    if key_bits == 0 or test_bits == 0:
        return math.inf
    scale = (key_bits + test_bits) / key_bits * (test_bits + 1) / test_bits / test_bits
    return math.sqrt(scale * log_inverse_tail / 2.0)


def _rate_by_normal_law(key_bits: int, test_bits: int, test_errors: int, deviations: float) -> float:
    """Return about the rate at which so few errors in a sample lie so far out; only shows a search where to look."""
    fresh = key_bits / (key_bits + test_bits)
    skewness = (1.0 - 2.0 * test_errors / test_bits) * (2.0 * fresh - 1.0)
    seen = max(0.0, test_errors + 0.5 - (deviations**2 - 1.0) / 6.0 * skewness)
    spread = deviations**2 * fresh
    root = math.sqrt(max(0.0, (2.0 * seen + spread) ** 2 - 4.0 * (1.0 + spread / test_bits) * seen**2))
    return (2.0 * seen + spread + root) / (2.0 * (test_bits + spread))


def _sample(key_bits: int, test_bits: int, test_errors: int) -> tuple[int, int, int]:
    key_bits, test_bits = check_count("key_bits", key_bits), check_count("test_bits", test_bits)
    test_errors = check_count("test_errors", test_errors)
    if test_errors > test_bits:
        raise InputError(f"test_errors must not exceed test_bits; found {test_errors} > {test_bits}")
    return key_bits, test_bits, test_errors
