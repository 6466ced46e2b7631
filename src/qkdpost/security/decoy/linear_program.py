"""Decoy bounds by linear program over all photon numbers and intensities, certified by the dual.

Variables, in units of the class's total T: N_0 ... N_c, the rounds with more than c photons G, and of these the ones
with each label R_k. Constraints: everything adds up to T; the R_k add up to G; E_k^- <= sum_n p(k|n) N_n + R_k <=
E_k^+; and R_k <= p(k|c+1) G for every label but the strongest, for which R_k >= p(k|c+1) G. The last two hold since
beyond c the posterior of the strongest label only grows and that of any other, whose ratio of two terms is unimodal
in n, only falls; c is chosen so that it has begun to. Nothing is cut off: the program is a relaxation, its minimum
a bound.

All variables together are at most 2. `certified` explains how the answer of the solver is certified.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from qkdpost.security.decoy.certified import Constraints, PhotonNumberProgram
from qkdpost.security.decoy.photon_statistics import PhotonStatistics

__all__ = ["DecoyProgram"]


@dataclass(frozen=True, slots=True)
class DecoyProgram(PhotonNumberProgram[PhotonStatistics]):
    """The program for intensities that are known exactly; see `certified.PhotonNumberProgram`."""

    max_sum: ClassVar[float] = 2.0

    def _weaker_posteriors(self, photons: int) -> tuple[float, ...]:
        return self.source.label_probabilities(photons)[1:]

    def _rises_up_to(self) -> float:
        return 0.0

    def _described(self) -> str:
        return f"intensities {self.source.intensities}"

    def _cost(self, cutoff: int, photons: int, sign: float) -> NDArray[np.float64]:
        cost = np.zeros(cutoff + 2 + len(self.source.intensities))
        cost[photons] = sign
        return cost

    def _constraints(self, cutoff: int) -> Constraints:
        labels = len(self.source.intensities)
        beyond = cutoff + 1
        matrix = np.zeros((3 * labels + 1, beyond + 1 + labels))
        for photons in range(cutoff + 1):
            matrix[:labels, photons] = self.source.label_probabilities(photons)
        rest = beyond + 1 + np.arange(labels)
        matrix[np.arange(labels), rest] = 1.0
        matrix[labels : 2 * labels] = -matrix[:labels]
        tail = self.source.label_probabilities(beyond)
        signs = np.where(np.arange(labels) == 0, -1.0, 1.0)
        matrix[2 * labels + np.arange(labels), rest] = signs
        matrix[2 * labels : 3 * labels, beyond] = -signs * np.asarray(tail)
        matrix[3 * labels, 0] = 1.0
        low, high = self._ends()
        limits = np.concatenate((high, -low, np.zeros(labels), [self._vacuum_limit()]))
        equations = np.zeros((2, matrix.shape[1]))
        equations[0, : beyond + 1] = 1.0
        equations[1, beyond] = -1.0
        equations[1, beyond + 1 :] = 1.0
        return Constraints(matrix, limits, equations, np.array([1.0, 0.0]))
