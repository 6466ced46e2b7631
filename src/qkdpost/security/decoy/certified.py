"""Linear programs over photon numbers: the minimum certified by the dual, and what all such programs share.

The answer of the solver is not believed. For any multipliers y <= 0 of the inequalities and z of the equations, and
any feasible x >= 0 with sum x <= s (which the constraints imply), c x >= y b + z b_eq + s min(0, least reduced cost):
that is what is returned, less a margin for rounding, so that a wrong answer of the solver could only make the bound
looser.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from qkdpost.errors import ConfigurationError
from qkdpost.security.decoy.analytic import Intervals

__all__ = ["Constraints", "IncompatibleCounts", "PhotonNumberProgram", "certified_minimum"]

MIN_CUTOFF = 6
MAX_CUTOFF = 60
"""Photon numbers up to a cutoff in this range have variables of their own."""
_ROUNDING = 2e-14
"""Ten times what sums of some twenty products, each with coefficients good to a few last places, can be wrong by."""
_INFEASIBLE = 2

Source = TypeVar("Source")


class IncompatibleCounts(Exception):
    """No photon numbers fit the intervals: one of the events that these rest on has failed, or a label is wrong."""


class Constraints(NamedTuple):
    """What x >= 0 must fulfil: matrix x <= limits, and equations x = right."""

    matrix: NDArray[np.float64]
    limits: NDArray[np.float64]
    equations: NDArray[np.float64]
    right: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PhotonNumberProgram(ABC, Generic[Source]):
    """The feasible photon numbers of one class of rounds, in units of the class's total.

    Args:
        source: what is known of the intensities and their probabilities.
        total: T, the number of rounds in the class.
        intervals: of the mean count of each label.
        vacuum_at_most: a bound on the rounds without a photon from elsewhere, if there is one.
        strict: whether to raise also where the solver finds no answer for another reason; else the answer is then
            the trivial bound.

    `least` and `most` raise `IncompatibleCounts` where no photon numbers fit the intervals.
    """

    source: Source
    total: int
    intervals: Intervals
    vacuum_at_most: float | None = None
    strict: bool = False

    max_sum: ClassVar[float]
    """What all variables add up to at most."""

    def least(self, photons: int) -> float:
        """Return a lower bound on N_n, at least 0."""
        return max(0.0, self._certified(photons, 1.0)) * self.total

    def most(self, photons: int) -> float:
        """Return an upper bound on N_n, at most T."""
        return min(1.0, -self._certified(photons, -1.0)) * self.total

    def check(self) -> None:
        """Check that the program can be stated for this source, whatever is counted.

        Raises:
            ConfigurationError: it cannot.
        """
        self._cutoff()

    def _certified(self, photons: int, sign: float) -> float:
        """Return a lower bound on sign N_n / T by the dual of the solver's answer."""
        if self.total == 0:
            return 0.0
        cutoff = self._cutoff()
        cost, constraints = self._cost(cutoff, photons, sign), self._constraints(cutoff)
        return certified_minimum(cost, constraints, trivial=min(0.0, sign), strict=self.strict, max_sum=self.max_sum)

    def _cutoff(self) -> int:
        """Return the least c from `MIN_CUTOFF` on beyond which every weaker label's posterior falls.

        Raises:
            ConfigurationError: the intensities lie so close together that it is beyond `MAX_CUTOFF`.
        """
        here = self._weaker_posteriors(MIN_CUTOFF + 1)
        for cutoff in range(MIN_CUTOFF, MAX_CUTOFF):
            following = self._weaker_posteriors(cutoff + 2)
            falls = all(after <= before for after, before in zip(following, here, strict=True))
            if falls and cutoff + 1 >= self._rises_up_to():
                return cutoff
            here = following
        raise ConfigurationError(
            f"the {self._described()} lie too close together, or the strongest is too rare, for a bound"
        )

    def _ends(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the lower and the upper ends of the intervals, in units of the total."""
        low = np.array([low for low, _ in self.intervals]) / self.total
        high = np.array([high for _, high in self.intervals]) / self.total
        return low, high

    def _vacuum_limit(self) -> float:
        return 1.0 if self.vacuum_at_most is None else min(1.0, self.vacuum_at_most / self.total)

    @abstractmethod
    def _weaker_posteriors(self, photons: int) -> tuple[float, ...]:
        """Return the largest p(k | n) of every label but the strongest."""

    @abstractmethod
    def _rises_up_to(self) -> float:
        """Return up to which photon number a posterior may yet rise for another reason."""

    @abstractmethod
    def _described(self) -> str:
        """Return the intensities as people write them."""

    @abstractmethod
    def _cost(self, cutoff: int, photons: int, sign: float) -> NDArray[np.float64]:
        """Return the objective sign N_n."""

    @abstractmethod
    def _constraints(self, cutoff: int) -> Constraints:
        """Return what the variables must fulfil."""


def certified_minimum(
    cost: NDArray[np.float64], constraints: Constraints, *, trivial: float, strict: bool, max_sum: float
) -> float:
    """Return a lower bound on cost x over all x >= 0 within the constraints, by the dual of the solver's answer.

    Args:
        cost: c.
        constraints: inequalities and equations.
        trivial: a lower bound that holds in any case, returned where the solver finds none.
        strict: whether to raise then.
        max_sum: what all x add up to at most.

    Raises:
        IncompatibleCounts: nothing is within the constraints.
    """
    matrix, limits, equations, right = constraints
    answer = _solve(cost, constraints)
    if answer.status != 0:
        if strict or answer.status == _INFEASIBLE:
            raise IncompatibleCounts
        return trivial
    upper = np.minimum(0.0, np.asarray(answer.ineqlin.marginals, dtype=np.float64))
    equal = np.asarray(answer.eqlin.marginals, dtype=np.float64)
    reduced = cost - upper @ matrix - equal @ equations
    value = float(upper @ limits + equal @ right) + max_sum * min(0.0, float(reduced.min()))
    magnitude = float(np.abs(upper) @ (np.abs(matrix).sum(axis=1) + np.abs(limits))) + float(np.abs(equal).sum())
    return max(trivial, value - _ROUNDING * (1.0 + magnitude))


def _solve(cost: NDArray[np.float64], constraints: Constraints) -> Any:
    from scipy import optimize  # noqa: PLC0415  (a third of a second, for links with decoy states alone)

    return optimize.linprog(
        cost,
        A_ub=constraints.matrix,
        b_ub=constraints.limits,
        A_eq=constraints.equations,
        b_eq=constraints.right,
        method="highs-ds",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
