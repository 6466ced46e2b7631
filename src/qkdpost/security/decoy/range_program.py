"""The linear program of `decoy_program` where intensities are known to lie in intervals.

Variables, in units of the class's total T: E_kn for every label k and n = 0 ... c, and S_n (see `intensity_ranges`);
the rounds with more than c photons G, and of these the ones with each label R_k. Constraints: everything adds up to T;
the R_k add up to G; E_k^- <= sum_n E_kn + R_k <= E_k^+; the E_kn lie between S_n times the least and the largest weight
of label and photon number; and R_k <= (the largest p(k | c + 1)) G for every label but the strongest, for which R_k >=
(the least p(k | c + 1)) G. The last two hold for all n beyond c: there g(n, mu) rises with mu up to the strongest
intensity, c + 1 being no less, so that the largest p(k | n) has one over 1 + sum_j a_j (low_j / high_k)^n, a sum of
exponentials in n, which is convex: it falls for good once it has begun to, and c is chosen so that it has. The least
p(k | n) of the strongest grows, for each high_j / low_1 is below one.

The unit of S_n is such that the least weights of a photon number add up to one, and S_n is at most N_n. All variables
together are thus at most 2, and the answer of the solver is certified as in `decoy_program`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qkdpost.errors import ConfigurationError
from qkdpost.security.decoy.analytic import Intervals
from qkdpost.security.decoy.intensity_ranges import IntensityRanges
from qkdpost.security.decoy.linear_program import FEWEST_PHOTONS, MOST_PHOTONS, certified_minimum

__all__ = ["RangeProgram"]

_MOST_SUM = 2.0 + 1e-9
"""What all variables can add up to, and the rounding of the unit of S_n."""


@dataclass(frozen=True, slots=True)
class RangeProgram:
    """The feasible photon numbers of one class of rounds; as `decoy_program.DecoyProgram`, and raises the same.

    Args:
        source: the intervals of the intensities and their probabilities.
        total: T, the number of rounds in the class.
        intervals: of the mean count of each label.
        vacuum_at_most: a bound on the rounds without a photon from elsewhere, if there is one.
        strict: see there.
    """

    source: IntensityRanges
    total: int
    intervals: Intervals
    vacuum_at_most: float | None = None
    strict: bool = False

    def least(self, photons: int) -> float:
        """Return a lower bound on N_n, at least 0."""
        return max(0.0, self._certified(photons, 1.0)) * self.total

    def most(self, photons: int) -> float:
        """Return an upper bound on N_n, at most T."""
        return min(1.0, -self._certified(photons, -1.0)) * self.total

    def _certified(self, photons: int, sign: float) -> float:
        if self.total == 0:
            return 0.0
        labels, cutoff = len(self.source.lows), _cutoff(self.source)
        cost = np.zeros((cutoff + 1) * (labels + 1) + 1 + labels)
        start = photons * (labels + 1)
        cost[start : start + labels] = sign
        return certified_minimum(
            cost, *self._constraints(cutoff), trivial=min(0.0, sign), strict=self.strict, most=_MOST_SUM
        )

    def _constraints(
        self, cutoff: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        labels = len(self.source.lows)
        width, beyond = labels + 1, (cutoff + 1) * (labels + 1)
        rows = np.zeros((2 * labels * (cutoff + 1), beyond + 1 + labels))
        counts = np.zeros((labels, beyond + 1 + labels))
        for photons in range(cutoff + 1):
            low, high = self.source.weights(photons)
            unit, start = sum(low), photons * width
            for label in range(labels):
                place = 2 * (photons * labels + label)
                rows[place, start + label], rows[place, start + labels] = 1.0, -high[label] / unit
                rows[place + 1, start + label], rows[place + 1, start + labels] = -1.0, low[label] / unit
                counts[label, start + label] = 1.0
        rest = np.zeros((labels, beyond + 1 + labels))
        for label, (least, most) in enumerate(self.source.label_ranges(cutoff + 1)):
            counts[label, beyond + 1 + label] = 1.0
            sign = -1.0 if label == 0 else 1.0
            rest[label, beyond + 1 + label] = sign
            rest[label, beyond] = -sign * (least if label == 0 else most)
        vacuum = np.zeros((1, beyond + 1 + labels))
        vacuum[0, :labels] = 1.0
        low_ends = np.array([low for low, _ in self.intervals]) / self.total
        high_ends = np.array([high for _, high in self.intervals]) / self.total
        cap = 1.0 if self.vacuum_at_most is None else min(1.0, self.vacuum_at_most / self.total)
        matrix = np.concatenate((counts, -counts, rest, vacuum, rows))
        limits = np.concatenate((high_ends, -low_ends, np.zeros(labels), [cap], np.zeros(len(rows))))
        equations = np.zeros((2, beyond + 1 + labels))
        equations[0, :beyond] = counts[:, :beyond].sum(axis=0)
        equations[0, beyond] = 1.0
        equations[1, beyond] = -1.0
        equations[1, beyond + 1 :] = 1.0
        return matrix, limits, equations, np.array([1.0, 0.0])


def _cutoff(source: IntensityRanges) -> int:
    """Return the least c from which on the argument of the module holds.

    Raises:
        ConfigurationError: the intervals lie so close together that it is beyond 60 photons.
    """
    here = source.label_ranges(FEWEST_PHOTONS + 1)
    for cutoff in range(FEWEST_PHOTONS, MOST_PHOTONS):
        following = source.label_ranges(cutoff + 2)
        falls = all(after[1] <= before[1] for after, before in zip(following[1:], here[1:], strict=True))
        if falls and cutoff + 1 >= source.highs[0]:
            return cutoff
        here = following
    raise ConfigurationError(
        f"the intervals {source.described()} lie too close together, or the strongest is too rare, for a bound"
    )
