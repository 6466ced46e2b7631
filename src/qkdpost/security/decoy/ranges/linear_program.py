"""The linear program of `linear_program` where intensities are known to lie in intervals.

Variables, in units of the class's total T: E_kn for every label k and n = 0 ... c, and S_n (see `intensities`);
the rounds with more than c photons G, and of these the ones with each label R_k. Constraints: everything adds up to T;
the R_k add up to G; E_k^- <= sum_n E_kn + R_k <= E_k^+; the E_kn lie between S_n times the least and the largest weight
of label and photon number; and R_k <= (the largest p(k | c + 1)) G for every label but the strongest, for which R_k >=
(the least p(k | c + 1)) G. The last two hold for all n beyond c: there g(n, mu) rises with mu up to the strongest
intensity, c + 1 being no less, so that the largest p(k | n) has one over 1 + sum_j a_j (low_j / high_k)^n, a sum of
exponentials in n, which is convex: it falls for good once it has begun to, and c is chosen so that it has. The least
p(k | n) of the strongest grows, for each high_j / low_1 is below one.

The unit of S_n is such that the least weights of a photon number add up to one, and S_n is at most N_n. All variables
together are thus at most 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from qkdpost.security.decoy.certified import Constraints, PhotonNumberProgram
from qkdpost.security.decoy.ranges.intensities import IntensityRanges

__all__ = ["RangeProgram"]


@dataclass(frozen=True, slots=True)
class RangeProgram(PhotonNumberProgram[IntensityRanges]):
    """The program for intensities that are known to lie in intervals; see `certified.PhotonNumberProgram`."""

    max_sum: ClassVar[float] = 2.0 + 1e-9
    """With the rounding of the unit of S_n."""

    def check(self) -> None:
        """Check that the program can be stated for this source, whatever is counted.

        Raises:
            ConfigurationError: it cannot: the intervals are too wide, or lie too close together.
        """
        for photons in range(self._cutoff() + 1):
            self.source.weights(photons)

    def _weaker_posteriors(self, photons: int) -> tuple[float, ...]:
        return tuple(high for _, high in self.source.label_ranges(photons)[1:])

    def _rises_up_to(self) -> float:
        return self.source.highs[0]

    def _described(self) -> str:
        return f"intervals {self.source.described()}"

    def _cost(self, cutoff: int, photons: int, sign: float) -> NDArray[np.float64]:
        labels = len(self.source.lows)
        cost = np.zeros((cutoff + 1) * (labels + 1) + 1 + labels)
        start = photons * (labels + 1)
        cost[start : start + labels] = sign
        return cost

    def _constraints(self, cutoff: int) -> Constraints:
        labels = len(self.source.lows)
        beyond = (cutoff + 1) * (labels + 1)
        rows = self._weight_rows(cutoff)
        counts = np.zeros((labels, beyond + 1 + labels))
        for label in range(labels):
            counts[label, label : beyond : labels + 1] = 1.0
        rest = np.zeros((labels, beyond + 1 + labels))
        for label, (least, most) in enumerate(self.source.label_ranges(cutoff + 1)):
            counts[label, beyond + 1 + label] = 1.0
            sign = -1.0 if label == 0 else 1.0
            rest[label, beyond + 1 + label] = sign
            rest[label, beyond] = -sign * (least if label == 0 else most)
        vacuum = np.zeros((1, beyond + 1 + labels))
        vacuum[0, :labels] = 1.0
        low, high = self._ends()
        matrix = np.concatenate((counts, -counts, rest, vacuum, rows))
        limits = np.concatenate((high, -low, np.zeros(labels), [self._vacuum_limit()], np.zeros(len(rows))))
        equations = np.zeros((2, beyond + 1 + labels))
        equations[0, :beyond] = counts[:, :beyond].sum(axis=0)
        equations[0, beyond] = 1.0
        equations[1, beyond] = -1.0
        equations[1, beyond + 1 :] = 1.0
        return Constraints(matrix, limits, equations, np.array([1.0, 0.0]))

    def _weight_rows(self, cutoff: int) -> NDArray[np.float64]:
        """Return the rows that keep every E_kn between S_n times the least and the largest weight."""
        labels = len(self.source.lows)
        rows = np.zeros((2 * labels * (cutoff + 1), (cutoff + 1) * (labels + 1) + 1 + labels))
        for photons in range(cutoff + 1):
            low, high = self.source.weights(photons)
            unit, start = sum(low), photons * (labels + 1)
            for label in range(labels):
                place = 2 * (photons * labels + label)
                rows[place, start + label], rows[place, start + labels] = 1.0, -high[label] / unit
                rows[place + 1, start + label], rows[place + 1, start + labels] = -1.0, low[label] / unit
        return rows
