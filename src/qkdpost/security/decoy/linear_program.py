"""Decoy bounds by linear program over all photon numbers and intensities, certified by the dual.

Variables, in units of the class's total T: N_0 ... N_c, the rounds with more than c photons G, and of these the ones
with each label R_k. Constraints: everything adds up to T; the R_k add up to G; E_k^- <= sum_n p(k|n) N_n + R_k <=
E_k^+; and R_k <= p(k|c+1) G for every label but the strongest, for which R_k >= p(k|c+1) G. The last two hold since
beyond c the posterior of the strongest label only grows and that of any other, whose ratio of two terms is unimodal
in n, only falls; c is chosen so that it has begun to. Nothing is cut off: the program is a relaxation, its minimum
a bound.

The answer of the solver is not believed. For any multipliers y <= 0 of the inequalities and z of the equations, and
any feasible x >= 0 with sum x <= 2 (which the constraints imply), c x >= y b + z b_eq + 2 min(0, least reduced
cost): that is what is returned, less a margin for rounding, so that a wrong answer of the solver could only make the
bound looser.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from qkdpost.errors import ConfigurationError
from qkdpost.security.decoy.analytic import Intervals
from qkdpost.security.decoy.photon_statistics import PhotonStatistics

__all__ = ["DecoyProgram", "IncompatibleCounts", "certified_minimum"]

FEWEST_PHOTONS = 6
MOST_PHOTONS = 60
_ROUNDING = 2e-14
"""Ten times what sums of some twenty products, each with coefficients good to a few last places, can be wrong by."""


_INFEASIBLE = 2


class IncompatibleCounts(Exception):
    """No photon numbers fit the intervals: one of the events that these rest on has failed, or a label is wrong."""


@dataclass(frozen=True, slots=True)
class DecoyProgram:
    """The feasible photon numbers of one class of rounds.

    Args:
        source: the intensities and their probabilities.
        total: T, the number of rounds in the class.
        intervals: of the mean count of each label.
        vacuum_at_most: a bound on the rounds without a photon from elsewhere, if there is one.
        strict: whether to raise also where the solver finds no answer for another reason; else the answer is then
            the trivial bound.

    Its methods raise `IncompatibleCounts` where no photon numbers fit the intervals.
    """

    source: PhotonStatistics
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
        """Return a lower bound on sign N_n / T by the dual of the solver's answer."""
        if self.total == 0:
            return 0.0
        cutoff = _cutoff(self.source)
        cost = np.zeros(cutoff + 2 + len(self.source.intensities))
        cost[photons] = sign
        constraints = self._constraints(cutoff)
        return certified_minimum(cost, *constraints, trivial=min(0.0, sign), strict=self.strict)

    def _constraints(
        self, cutoff: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
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
        low = np.array([low for low, _ in self.intervals]) / self.total
        high = np.array([high for _, high in self.intervals]) / self.total
        vacuum = 1.0 if self.vacuum_at_most is None else min(1.0, self.vacuum_at_most / self.total)
        limits = np.concatenate((high, -low, np.zeros(labels), [vacuum]))
        equations = np.zeros((2, matrix.shape[1]))
        equations[0, : beyond + 1] = 1.0
        equations[1, beyond] = -1.0
        equations[1, beyond + 1 :] = 1.0
        return matrix, limits, equations, np.array([1.0, 0.0])


def certified_minimum(
    cost: NDArray[np.float64],
    matrix: NDArray[np.float64],
    limits: NDArray[np.float64],
    equations: NDArray[np.float64],
    right: NDArray[np.float64],
    *,
    trivial: float,
    strict: bool,
    most: float = 2.0,
) -> float:
    """Return a lower bound on cost x over all x >= 0 within the constraints, by the dual of the solver's answer.

    Args:
        cost: c.
        matrix: of the inequalities.
        limits: their right-hand sides.
        equations: the matrix of the equations.
        right: their right-hand sides.
        trivial: a lower bound that holds anyhow, returned where the solver finds none.
        strict: whether to raise then.
        most: what all x add up to at most.

    Raises:
        IncompatibleCounts: nothing is within the constraints.
    """
    answer = _solve(cost, matrix, limits, equations, right)
    if answer.status != 0:
        if strict or answer.status == _INFEASIBLE:
            raise IncompatibleCounts
        return trivial
    upper = np.minimum(0.0, np.asarray(answer.ineqlin.marginals, dtype=np.float64))
    equal = np.asarray(answer.eqlin.marginals, dtype=np.float64)
    reduced = cost - upper @ matrix - equal @ equations
    value = float(upper @ limits + equal @ right) + most * min(0.0, float(reduced.min()))
    magnitude = float(np.abs(upper) @ (np.abs(matrix).sum(axis=1) + np.abs(limits))) + float(np.abs(equal).sum())
    return max(trivial, value - _ROUNDING * (1.0 + magnitude))


def _solve(
    cost: NDArray[np.float64],
    matrix: NDArray[np.float64],
    limits: NDArray[np.float64],
    equations: NDArray[np.float64],
    right: NDArray[np.float64],
) -> Any:
    return optimize.linprog(
        cost,
        A_ub=matrix,
        b_ub=limits,
        A_eq=equations,
        b_eq=right,
        method="highs-ds",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )


def _cutoff(source: PhotonStatistics) -> int:
    """Return the least c from `FEWEST_PHOTONS` on beyond which every weaker label's posterior falls.

    Raises:
        ConfigurationError: the intensities lie so close together that it is beyond 60 photons.
    """
    here = source.label_probabilities(FEWEST_PHOTONS + 1)
    for cutoff in range(FEWEST_PHOTONS, MOST_PHOTONS):
        following = source.label_probabilities(cutoff + 2)
        if all(after <= before for after, before in zip(following[1:], here[1:], strict=True)):
            return cutoff
        here = following
    raise ConfigurationError(
        f"the intensities {source.intensities} lie too close together, or the strongest is too rare, for a bound"
    )
