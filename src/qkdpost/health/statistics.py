"""How improbable a count is, as bits: -log2 of a bound on the probability of anything as extreme.

All are Chernoff's bounds: that more (or fewer) than a share x of n trials succeed, each with probability p at most (at
least), has probability at most 2^(-n D(x || p)), D the relative entropy in bits. They hold as well for draws without
replacement (Hoeffding, J. Am. Stat. Assoc. 58, 13 (1963), theorem 4).
"""

from __future__ import annotations

import math

__all__ = ["excess_bits", "relative_entropy", "share_interval", "shortfall_bits"]

_PRECISION = 1e-9


def relative_entropy(share: float, probability: float) -> float:
    """Return D(share || probability) of two coins in bits; infinity where the second rules the first out."""
    total, rest, other = 0.0, 1.0 - share, 1.0 - probability
    if share > 0.0:
        total += share * math.log2(share / probability) if probability > 0.0 else math.inf
    if rest > 0.0:
        total += rest * math.log2(rest / other) if other > 0.0 else math.inf
    return max(total, 0.0)


def excess_bits(count: float, trials: float, probability: float) -> float:
    """Return how improbable this number of successes is, or more, if each has at most this probability."""
    if not trials or count / trials <= probability:
        return 0.0
    return trials * relative_entropy(min(1.0, count / trials), probability)


def shortfall_bits(count: float, trials: float, probability: float) -> float:
    """Return how improbable so few successes are, or fewer, if each has at least this probability."""
    if not trials or count / trials >= probability:
        return 0.0
    return trials * relative_entropy(count / trials, probability)


def share_interval(count: int, trials: int, bits: float) -> tuple[float, float]:
    """Return the least and the largest probability for which `count` of `trials` is no rarer than 2^-bits on a side."""
    if not trials:
        return 0.0, 1.0
    share = count / trials
    return _edge(share, 0.0, trials, bits), _edge(share, 1.0, trials, bits)


def _edge(share: float, end: float, trials: int, bits: float) -> float:
    """Return, between `share` and `end`, the probability at which `share` becomes as rare as 2^-bits.

    By Newton's rule from where a normal law has the edge, and by halving where that leaves the interval.
    """
    if share == end:
        return end
    inside, outside = share, end
    middle = share + math.copysign(math.sqrt(2 * math.log(2) * bits * share * (1 - share) / trials), end - share)
    for _ in range(60):
        if not min(inside, outside) < middle < max(inside, outside):
            middle = (inside + outside) / 2.0
        excess = relative_entropy(share, middle) - bits / trials
        if excess > 0.0:
            outside = middle
        else:
            inside = middle
        distance, variance = middle - share, middle * (1.0 - middle)
        if not distance or not variance:
            continue
        step = excess * variance * math.log(2.0) / distance
        if abs(step) <= _PRECISION * abs(distance):
            return middle
        middle -= step
    return outside
