"""Mismatched detectors: what a bound on their mismatch costs the phase-error rate.

After Tupkary et al., Quantum 9, 1937 (2025), "Phase error rate estimation in QKD with imperfect detectors": with
delta1 and delta2 bounding how far the receiver's measurement is from one whose detection does not depend on the basis,

    B_e = (e + delta1 + gamma(delta1)) / (1 - delta2 - gamma(delta2)),

e being the bound for matched detectors and gamma(delta) the excess of a binomial fraction over its mean delta. The
formulas for delta1 and delta2 are those of the authors' published program, for an active choice of basis with two
detectors of efficiencies and dark count probabilities that are known up to a relative deviation; they are properties
of `DetectorMismatch`, which the settings of decoy states carry.

Two things are not as published, and results say so
    Exact inversion stands in the place of Serfling's inequality. What is bounded there are the errors of a measurement
    that acts in the same way in both bases, on rounds of which the test is a uniformly random subset; for each pattern
    of them the law is hypergeometric, and any bound that it exceeds with the same probability at most will do. delta1
    and delta2 enter afterwards, as the excess of independent trials over their mean, and do not ask how e was found.
    The number of rounds in e and in gamma is floor(B_1), a bound on the single photons of the key, and not their true
    number n1, which is not known. For e, that is the virtual thinning of `bound`: a random floor(B_1) of the n1
    rounds are kept in thought. The trials behind gamma are independent of which rounds are kept, so that of those which
    are kept they are floor(B_1) trials of the same means, and gamma is that of floor(B_1) trials. Where the choice of
    rounds is not independent of errors (one decoy), mismatched detectors are refused.
    No referee has seen either step.
"""

from __future__ import annotations

import math

from qkdpost.checks import Settings, flag, keep, real_number
from qkdpost.errors import InputError
from qkdpost.statistics.concentration import binomial_at_most

__all__ = ["DetectorMismatch", "worse_phase_error_rate"]


class DetectorMismatch(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How different the receiver's two detectors may be.

    `delta1` and `delta2` bound how far its measurement is from one whose detection does not depend on the basis, by
    the formulas of the published program to Tupkary et al., Quantum 9, 1937 (2025), for an active choice of basis;
    the module explains what they cost.

    Args:
        dark_count_probability: per detector and gate.
        efficiency_deviation: the largest relative deviation of an efficiency from its nominal value.
        dark_count_deviation: the largest relative deviation of a dark count probability.
        random_swap: whether the two detectors are exchanged at random in every round.

    Raises:
        InputError: a value outside 0 ... 1, or dark counts that may be more likely than 1.

    >>> import qkdpost as qp
    >>> mismatch = qp.security.DetectorMismatch(
    ...     efficiency_deviation=0.01, dark_count_deviation=0.1, dark_count_probability=1e-6
    ... )
    >>> isinstance(mismatch, qp.security.DetectorMismatch)
    True
    """

    dark_count_probability: float
    efficiency_deviation: float
    dark_count_deviation: float
    random_swap: bool = False

    def __post_init__(self) -> None:
        for name in ("dark_count_probability", "efficiency_deviation", "dark_count_deviation"):
            keep(self, name, real_number(name, getattr(self, name), least=0.0, below=1.0))
        keep(self, "random_swap", flag("random_swap", self.random_swap))
        if self.dark_count_probability * (1.0 + self.dark_count_deviation) > 1.0:
            raise InputError("dark_count_probability with its deviation exceeds 1, which no probability can")

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
    """Return B_e for mismatched detectors; at most 1/2, which leaves no key.

    Args:
        rate: the bound for matched detectors.
        rounds: the key rounds that it is a rate of.
        mismatch: of the detectors.
        tail: the probability of failure of each of the two binomial excesses.
        exact: whether to take these from the binomial distribution, or from Hoeffding's inequality as published.
    """
    if rounds == 0:
        return 0.5
    delta1, delta2 = mismatch.delta1, mismatch.delta2
    above = rate + delta1 + _excess(delta1, rounds, tail, exact)
    below = 1.0 - delta2 - _excess(delta2, rounds, tail, exact)
    return min(0.5, above / below) if below > 0.0 else 0.5


def _excess(mean: float, rounds: int, tail: float, exact: bool) -> float:
    """Return the c with P[Bin(n, mean) >= n (mean + c)] <= tail; nothing exceeds a mean of zero."""
    if mean <= 0.0:
        return 0.0
    if not exact:
        return math.sqrt(-math.log(tail) / (2.0 * rounds))
    return max(0.0, (binomial_at_most(rounds, min(1.0, mean), tail) + 1) / rounds - mean)
