"""Search for column degrees whose decoder converges at the highest error rate: a seeded climb by density evolution.

Columns of degree 2 are kept below the number of rows, so that the lifted graph can hold them as one chain without a
cycle: that costs little threshold and avoids the low-weight words of cycles of degree-2 columns.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from qkdpost.errors import InputError
from qkdpost.reconciliation.density_evolution import FINE, Ensemble, error_rate_of_efficiency, evolve
from qkdpost.reconciliation.ldpc_decoders import Arithmetic

__all__ = ["DEGREES", "search_degrees", "threshold_efficiency"]

DEGREES = (2, 3, 4, 5, 6, 8, 10, 12, 15, 18, 22, 27, 33, 40)
_STEPS = (0.05, 0.02, 0.005, 0.0015)
_IMPROVEMENT = 0.0008
_HIGHEST_EFFICIENCY = 6.0


def threshold_efficiency(
    ensemble: Ensemble, iterations: int, *, start: float = 2.0, arithmetic: Arithmetic = FINE
) -> float:
    """Return the least f = syndrome fraction / h(Q) at which the ensemble converges within `iterations`.

    Stepping down from `start`, or up where that fails; exact to 0.0015.

    Raises:
        InputError: no efficiency below 6 converges.
    """
    efficiency = start
    while not _converges(ensemble, efficiency, iterations, arithmetic):
        efficiency += 0.1
        if efficiency > _HIGHEST_EFFICIENCY:
            raise InputError("the ensemble converges at no efficiency below 6; its degrees are of no use")
    for step in _STEPS:
        while _converges(ensemble, efficiency - step, iterations, arithmetic):
            efficiency -= step
    return efficiency


def search_degrees(
    rows: int, width: int, *, iterations: int, trials: int, seed: int, start: Mapping[int, int] | None = None
) -> tuple[dict[int, int], float]:
    """Return the best column degrees found, and their threshold as an efficiency.

    Each trial moves some columns from one degree to another and is kept if the decoder then converges at a lower
    efficiency. The climb is a function of the arguments, up to the last place of the machine's transforms.

    Args:
        rows: rows of the protograph.
        width: columns of the protograph.
        iterations: flooding iterations within which the decoder must converge.
        trials: how many moves to try.
        seed: of the moves.
        start: where to begin: degree to number of columns; by default mostly columns of degree 3.
    """
    generator = np.random.default_rng(seed)
    degrees = [degree for degree in DEGREES if degree <= max(3, (7 * rows) // 8)]
    counts = _starting_counts(degrees, rows, width, start)
    best = threshold_efficiency(_ensemble(rows, degrees, counts), iterations)
    for _ in range(trials):
        moved = _move(generator, counts)
        if moved[0] >= rows:
            continue
        ensemble = _ensemble(rows, degrees, moved)
        if _converges(ensemble, best - _IMPROVEMENT, iterations, FINE):
            counts = moved
            best = threshold_efficiency(ensemble, iterations, start=best - _IMPROVEMENT)
    return {degree: int(count) for degree, count in zip(degrees, counts, strict=True) if count}, best


def _converges(ensemble: Ensemble, efficiency: float, iterations: int, arithmetic: Arithmetic) -> bool:
    if efficiency <= 1.0:
        return False
    error_rate = error_rate_of_efficiency(ensemble.syndrome_fraction, efficiency)
    return evolve(ensemble, error_rate, iterations, arithmetic, in_order=arithmetic != FINE) is not None


def _ensemble(rows: int, degrees: list[int], counts: NDArray[np.int64]) -> Ensemble:
    columns = {degree: int(count) for degree, count in zip(degrees, counts, strict=True) if count}
    return Ensemble(rows=rows, columns=columns)


def _starting_counts(degrees: list[int], rows: int, width: int, start: Mapping[int, int] | None) -> NDArray[np.int64]:
    counts = np.zeros(len(degrees), dtype=np.int64)
    if start is None:
        counts[0] = min(rows - 1, width // 4)
        counts[max(index for index, degree in enumerate(degrees) if degree <= 15)] = width // 8
    else:
        for degree, count in start.items():
            counts[max(index for index, known in enumerate(degrees) if known <= degree)] += count
        counts[0] = min(counts[0], rows - 1)
    counts[1] += width - counts.sum()
    if counts.min() < 0:
        raise InputError(f"the starting degrees do not fit {width} columns")
    return counts


def _move(generator: np.random.Generator, counts: NDArray[np.int64]) -> NDArray[np.int64]:
    moved = counts.copy()
    for _ in range(int(generator.integers(1, 3))):
        source, target = generator.integers(0, counts.size, 2)
        count = min(int(generator.choice((1, 2, 3, 5, 8, 16))), int(moved[source]))
        moved[source] -= count
        moved[target] += count
    return moved
