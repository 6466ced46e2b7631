"""Search for column degrees whose decoder converges at the highest error rate: linear programs along the evolution.

The number of iterations is about the integral of -d ln(e) / ln(e / e') along the course of the error probability e,
e' being what an iteration makes of it (Smith, Ardakani, Yu and Kschischang, IEEE Trans. Commun. 58, 1624, 2010). With
the densities of the present degrees held fixed, each e' is linear in the numbers of columns (Chung, Forney, Richardson
and Urbanke, IEEE Commun. Lett. 5, 58, 2001). So each step solves a linear program for the change, within a trust
region, that saves most iterations; the evolution itself judges the step, and the efficiency follows downwards.
Nothing is drawn: the degrees are a function of the arguments, up to the last place of the machine's transforms.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from qkdpost.errors import InputError
from qkdpost.reconciliation.ldpc.decoders import Arithmetic
from qkdpost.reconciliation.ldpc_design.density_evolution import (
    FINE,
    Ensemble,
    Trace,
    error_rate_of_efficiency,
    trace,
)

__all__ = ["DegreeSearch", "search_degrees", "threshold_efficiency"]

_HIGHEST_EFFICIENCY = 6.0
_STEPS_DOWN = (0.05, 0.02, 0.005, 0.002, 0.0005, 0.0002)
_SMALL_STEPS = (0.004, 0.001, 0.0002)
_FINEST_STEP = 0.0002
_EASIER = 0.002
"""How much above the lowest efficiency single columns are compared."""
_MIN_GAP = 0.25
"""Of its logarithmic progress an iteration may lose at most 1 - this by one step."""
_MIN_TRUST = 0.25

Counts = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class DegreeSearch:
    """What is looked for.

    Args:
        rows: of the protograph.
        width: columns of the protograph.
        iterations: flooding iterations within which the decoder must converge.
        arithmetic: of the decoder.
        degrees: that columns may have, increasing from 2.
        max_of_degree_two: columns of degree 2 at most.
        layers: of the evolution.
        steps: linear programs at most.
        rounds: of moves of whole columns at most.
    """

    rows: int
    width: int
    iterations: int
    degrees: tuple[int, ...]
    max_of_degree_two: int
    arithmetic: Arithmetic = FINE
    layers: int = 1
    steps: int = 12
    rounds: int = 2

    def __post_init__(self) -> None:
        if self.degrees[0] != 2 or self.degrees[-1] > self.rows or list(self.degrees) != sorted(set(self.degrees)):
            raise InputError("degrees must increase from 2 to the number of rows at most")
        if not 0 <= self.max_of_degree_two <= self.width or self.rows >= self.width:
            raise InputError("more columns of degree 2, or more rows, than columns")

    def allows(self, counts: Counts) -> bool:
        """Return whether `counts` keep the limits."""
        return bool(counts.min() >= 0 and counts[0] <= self.max_of_degree_two)

    def counts_of(self, columns: Mapping[int, float]) -> Counts:
        """Return the number of columns of each degree, shape (degrees,)."""
        return np.array([float(columns.get(degree, 0)) for degree in self.degrees])

    def course(self, counts: Counts, efficiency: float, *, slopes: bool = False) -> Trace:
        """Return the evolution of `counts` columns of each degree at an efficiency."""
        columns = {degree: float(count) for degree, count in zip(self.degrees, counts, strict=True) if count > 0}
        ensemble = Ensemble(rows=self.rows, columns=columns)
        return trace(
            ensemble,
            error_rate_of_efficiency(self.rows / self.width, efficiency),
            self.iterations,
            self.arithmetic,
            in_order=self.arithmetic != FINE,
            degrees=self.degrees if slopes else (),
            layers=self.layers,
        )

    def min_efficiency(self, counts: Counts, start: float, steps: Sequence[float] = _STEPS_DOWN) -> float:
        """Return the least efficiency at which `counts` converge, looked for downwards from `start`, or upwards."""
        efficiency = start
        while not self.course(counts, efficiency).converged:
            efficiency += 0.1
            if efficiency > _HIGHEST_EFFICIENCY:
                raise InputError("the ensemble converges at no efficiency below 6; its degrees are of no use")
        for step in steps:
            while efficiency - step > 1.0 and self.course(counts, efficiency - step).converged:
                efficiency -= step
        return efficiency


def threshold_efficiency(
    ensemble: Ensemble, iterations: int, *, start: float = 2.0, arithmetic: Arithmetic = FINE, layers: int = 1
) -> float:
    """Return the least f = syndrome fraction / h(Q) at which the ensemble converges within `iterations`.

    Stepping down from `start`, or up where that fails; exact to 0.0002.

    Raises:
        InputError: no efficiency below 6 converges.
    """
    degrees = tuple(sorted({2, *ensemble.columns}))
    search = DegreeSearch(
        rows=ensemble.rows,
        width=round(ensemble.width),
        iterations=iterations,
        degrees=degrees,
        max_of_degree_two=0,
        arithmetic=arithmetic,
        layers=layers,
    )
    return search.min_efficiency(search.counts_of(ensemble.columns), start)


def search_degrees(search: DegreeSearch, start: Mapping[int, int] | None = None) -> tuple[dict[int, int], float]:
    """Return the best column degrees found, and the least efficiency at which they converge.

    Args:
        search: what is looked for.
        start: degree to number of columns, where to begin; by default a mixture of four degrees.

    Raises:
        InputError: the limits leave no degrees that converge.
    """
    counts = _starting_counts(search) if start is None else search.counts_of(start)
    efficiency = search.min_efficiency(counts, 2.0)
    trust = search.width / 16
    course = search.course(counts, efficiency, slopes=True)
    for _ in range(search.steps):
        moved = _step(search, counts, course, trust)
        found = search.course(moved, efficiency, slopes=True)
        if not found.converged or _iterations(found) >= _iterations(course):
            trust /= 2
            if trust < _MIN_TRUST:
                break
            continue
        counts = moved
        trust = min(1.5 * trust, search.width / 8)
        efficiency = search.min_efficiency(counts, efficiency, _SMALL_STEPS)
        course = search.course(counts, efficiency, slopes=True)
    whole = _polish(search, _round(search, counts), efficiency)
    columns = {degree: int(count) for degree, count in zip(search.degrees, whole, strict=True) if count}
    return columns, search.min_efficiency(whole, efficiency + 0.02)


def _iterations(course: Trace) -> float:
    """Return how many iterations it took to converge, with a fraction: the last counts less the farther it went."""
    before, after = np.log(course.errors[-2:])
    return float(len(course.errors) - (np.log(course.target) - after) / (before - after))


def _starting_counts(search: DegreeSearch) -> Counts:
    """Return a mixture of degree 2, 3, about 10 and the highest, with about as many edges on each of the last three."""
    counts = np.zeros(len(search.degrees))
    counts[0] = min(search.max_of_degree_two, 0.3 * search.width)
    middle = max(index for index, degree in enumerate(search.degrees) if degree <= max(3, min(10, search.rows // 2)))
    counts[middle] += search.width // 5
    counts[-1] += min(search.width // 5, round(2.5 * search.width / search.degrees[-1]))
    counts[search.degrees.index(3)] += search.width - counts.sum()
    return counts


def _step(search: DegreeSearch, counts: Counts, course: Trace, trust: float) -> Counts:
    """Return the counts that save most iterations by the linear picture, at most `trust` columns moved."""
    errors = course.errors
    gaps = np.log(errors[:-1] / errors[1:])
    used = gaps > 0
    relative = course.slopes[used] / errors[1:][used, None]
    gaps = gaps[used]
    most = np.full(counts.size, float(search.width))
    most[0] = search.max_of_degree_two
    cost = (relative / gaps[:, None]).sum(axis=0)
    size = counts.size
    found = linprog(
        np.concatenate([cost, -cost]),
        A_ub=np.vstack([np.hstack([relative, -relative]), np.ones((1, 2 * size))]),
        b_ub=np.concatenate([(1 - _MIN_GAP) * gaps, [2 * trust]]),
        A_eq=np.concatenate([np.ones((1, size)), -np.ones((1, size))], axis=1),
        b_eq=[0.0],
        bounds=[(0.0, float(room)) for room in np.concatenate([most - counts, counts])],
    )
    if not found.success or found.x is None:
        return counts
    moved: Counts = np.maximum(0.0, counts + found.x[:size] - found.x[size:])
    return moved


def _round(search: DegreeSearch, counts: Counts) -> Counts:
    """Return whole numbers of the same sum: all rounded down, then those up that lost most."""
    whole = np.floor(counts + 1e-6)
    for index in np.argsort(whole - counts, kind="stable")[: round(search.width - whole.sum())]:
        whole[index] += 1
    return whole


def _polish(search: DegreeSearch, counts: Counts, efficiency: float) -> Counts:
    """Move whole columns from one degree to another as long as that converges at a lower efficiency."""
    efficiency = search.min_efficiency(counts, efficiency + 0.02)
    for _ in range(search.rounds):
        for moved in _moves(search, counts, efficiency):
            if search.course(moved, efficiency - 2 * _FINEST_STEP).converged:
                counts = moved
                efficiency = search.min_efficiency(counts, efficiency - 2 * _FINEST_STEP, _SMALL_STEPS)
                break
        else:
            break
    return counts


def _moves(search: DegreeSearch, counts: Counts, efficiency: float) -> list[Counts]:
    """Return the counts with columns moved, the most first, between the degrees where it saves most iterations."""
    worth = np.full((2, counts.size), np.inf)
    for index in range(counts.size):
        for sign, columns in enumerate((-1, 1)):
            moved = counts.copy()
            moved[index] += columns
            moved[1] -= columns
            if search.allows(moved):
                found = search.course(moved, efficiency + _EASIER)
                worth[sign, index] = _iterations(found) if found.converged else np.inf
    pairs = itertools.permutations(range(counts.size), 2)
    best = sorted(pairs, key=lambda pair: (float(worth[0, pair[0]] + worth[1, pair[1]]), pair))[:3]
    candidates = []
    for columns, (source, target) in itertools.product((search.width // 32, search.width // 128, 1), best):
        moved = counts.copy()
        moved[source] -= columns
        moved[target] += columns
        if search.allows(moved):
            candidates.append(moved)
    return candidates
