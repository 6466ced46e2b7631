"""Detectors that are not alike: what a bound on their mismatch costs the phase-error rate.

After Tupkary et al., Quantum 9, 1937 (2025), "Phase error rate estimation in QKD with imperfect detectors": with
delta1 and delta2 bounding how far the receiver's measurement is from one whose detection does not depend on the basis,

    B_e = (e + delta1 + gamma(delta1)) / (1 - delta2 - gamma(delta2)),

e being the bound for alike detectors and gamma(delta) the excess of a binomial fraction over its mean delta. The
formulas for delta1 and delta2 are those of the authors' published program, for an active choice of basis with two
detectors of efficiencies and dark count probabilities that are known up to a relative deviation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from qkdpost.errors import InputError
from qkdpost.security.concentration import binomial_at_most

__all__ = ["DetectorMismatch", "worse_phase_error_rate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorMismatch:
    """How different the receiver's two detectors may be.

    Args:
        dark_count_probability: per detector and gate.
        efficiency_deviation: the largest relative deviation of an efficiency from its nominal value.
        dark_count_deviation: the largest relative deviation of a dark count probability.
        random_swap: whether the two detectors are exchanged at random in every round.

    Raises:
        InputError: a value outside 0 ... 1.
    """

    dark_count_probability: float
    efficiency_deviation: float
    dark_count_deviation: float
    random_swap: bool = False

    def __post_init__(self) -> None:
        for name in ("dark_count_probability", "efficiency_deviation", "dark_count_deviation"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise InputError(f"{name} must lie in 0 ... 1; found {getattr(self, name)}")

    @property
    def delta1(self) -> float:
        """How much the mismatch may add to an error rate."""
        low, _, spread, ratio = self._parts()
        if self.random_swap:
            return 4.0 * (1.0 - math.sqrt(1.0 - (1.0 - low) ** 2 * spread**2 / 2.0))
        by_loss = 4.0 * (1.0 - math.sqrt(1.0 - (1.0 - low) ** 2 * spread))
        high = self.dark_count_probability * (1.0 + self.dark_count_deviation)
        none = 1.0 - (1.0 - low) ** 2
        by_dark_counts = (1.0 - ratio) * high * (2.0 - low) / none if none > 0.0 else 0.0
        return max(by_dark_counts, by_loss)

    @property
    def delta2(self) -> float:
        """How much of the rounds the mismatch may hide."""
        low, _, spread, ratio = self._parts()
        if self.random_swap:
            return (1.0 - low) ** 2 * spread**2 / 2.0
        return max(1.0 - ratio, (1.0 - low) ** 2 * spread)

    def _parts(self) -> tuple[float, float, float, float]:
        low = self.dark_count_probability * (1.0 - self.dark_count_deviation)
        high = self.dark_count_probability * (1.0 + self.dark_count_deviation)
        spread = 1.0 - (1.0 - self.efficiency_deviation) / (1.0 + self.efficiency_deviation)
        both = 1.0 - (1.0 - high) ** 2
        ratio = (1.0 - (1.0 - low) ** 2) / both if both > 0.0 else 1.0
        return low, high, spread, ratio


def worse_phase_error_rate(rate: float, rounds: int, mismatch: DetectorMismatch, tail: float, *, exact: bool) -> float:
    """Return B_e for detectors that are not alike; at most 1/2, which leaves no key.

    Args:
        rate: the bound for detectors that are alike.
        rounds: the key rounds that it is a rate of.
        mismatch: of the detectors.
        tail: the probability of failure of each of the two binomial excesses.
        exact: whether to take these from the binomial distribution, or from Hoeffding's inequality as published.
    """
    if rounds == 0:
        return 0.5
    above = rate + mismatch.delta1 + _excess(mismatch.delta1, rounds, tail, exact)
    below = 1.0 - mismatch.delta2 - _excess(mismatch.delta2, rounds, tail, exact)
    return min(0.5, above / below) if below > 0.0 else 0.5


def _excess(mean: float, rounds: int, tail: float, exact: bool) -> float:
    """Return the c with P[Bin(n, mean) >= n (mean + c)] <= tail; nothing exceeds a mean of zero."""
    if mean <= 0.0:
        return 0.0
    if not exact:
        return math.sqrt(-math.log(tail) / (2.0 * rounds))
    return max(0.0, (binomial_at_most(rounds, min(1.0, mean), tail) + 1) / rounds - mean)
