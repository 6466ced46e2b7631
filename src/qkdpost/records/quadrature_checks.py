"""What records of continuous variables can be held to when they are made: variances, and steps of a converter."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.quadratures.scans import scan_values

__all__ = [
    "FALSE_ALARM_BITS",
    "Variances",
    "distance_from_normal",
    "in_columns",
    "lattice_step",
    "same_content",
    "variance_range",
    "variances",
]

FALSE_ALARM_BITS = 40
"""What is refused by its statistics would be so with probability 2^-40 at most, were it in order."""
_DEPENDENCE = 2.0
"""Filters of a receiver make neighbours alike: variances are taken to be as uncertain as those of half the values."""
_SAMPLE = 2**13
_NORMAL_SAMPLE = 2**16
_FEWEST = 32
_MAX_STEPS = 2.0**16
"""Values are on a lattice if it has at most this number of steps within their standard deviation. On a finer one the
rounding of rotations to int16 is a dither of more than a step; the lattice of float32 itself has some 2^23."""
_NEAR = 8.0
_ON_LATTICE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Variances:
    """Sample variances of a record, by quadrature.

    Args:
        count: of values of each.
        values: the variances.
        means: the sample means.
    """

    count: int
    values: tuple[float, ...]
    means: tuple[float, ...]


def in_columns(values: NDArray[Any]) -> NDArray[Any]:
    """Return an array of shape (n,) as one of shape (n, 1), and one of shape (n, 2) as it is."""
    return values.reshape(len(values), 1 if values.ndim == 1 else values.shape[1])


def variances(values: NDArray[Any]) -> Variances:
    """Return the sample variances of the columns of a record, float32 or int16, shape (n,) or (n, 2)."""
    table = in_columns(values)
    count, columns = table.shape
    if not count:
        return Variances(count=0, values=(0.0,) * columns, means=(0.0,) * columns)
    sums = np.zeros((columns, 4))
    scan_values(table, sums, np.zeros((columns, 2)), np.zeros((columns, 3), dtype=np.int64))
    centred = sums[:, 1] - sums[:, 0] * sums[:, 0] / count
    return Variances(
        count=count,
        values=tuple(max(0.0, float(value)) / max(1, count - 1) for value in centred),
        means=tuple(float(total) / count for total in sums[:, 0]),
    )


def variance_range(sample: float, count: int) -> tuple[float, float]:
    """Return limits of a variance by that of a normal sample, each wrong with probability 2^-40 at most.

    By Laurent and Massart, Ann. Stat. 28, 1302 (2000), lemma 1: chi^2 with n degrees of freedom lies within
    n - 2 sqrt(n x) and n + 2 sqrt(n x) + 2 x, but with probability e^-x on either side.
    """
    degrees = max(1.0, (count - 1) / _DEPENDENCE)
    root = math.sqrt(FALSE_ALARM_BITS * math.log(2.0) / degrees)
    below = 1.0 - 2.0 * root
    return sample / (1.0 + 2.0 * root + 2.0 * root * root), sample / below if below > 0.0 else math.inf


def distance_from_normal(values: NDArray[Any], variance: float) -> tuple[float, float]:
    """Return how far the distribution of values is from the normal one of mean 0, and how far chance takes it.

    The largest difference of the distribution functions at points 1/8 of a standard deviation apart, over up to 2^16
    values spread over the record. By Dvoretzky, Kiefer, Wolfowitz and Massart, Ann. Probab. 18, 1269 (1990), it exceeds
    sqrt(ln(2 / p) / (2 n)) for n independent normal values with probability p at most; here p = 2^-40.
    """
    sample = np.sort(values[:: max(1, len(values) // _NORMAL_SAMPLE)][:_NORMAL_SAMPLE])
    points = np.arange(-24, 25) / 8.0
    expected = [0.5 * (1.0 + math.erf(point / math.sqrt(2.0))) for point in points]
    found = np.searchsorted(sample, points * math.sqrt(variance), side="right") / len(sample)
    chance = math.sqrt((FALSE_ALARM_BITS + 1) * math.log(2.0) / (2.0 * len(sample)))
    return float(np.abs(found - expected).max()), chance


def lattice_step(values: NDArray[Any]) -> float | None:
    """Return the step of the lattice on which values lie, as those of a converter do; None if they lie on none.

    Looks at some thousands of values of either quadrature; where both lie on one, the wider step counts. Values drawn
    from a continuous law lie on none: their smallest distance is no divisor of the others.
    """
    steps = [_step_of(column) for column in in_columns(values).T]
    return max((step for step in steps if step is not None), default=None)


def _step_of(column: NDArray[Any]) -> float | None:
    sample = np.concatenate([column[:_SAMPLE], column[-_SAMPLE:]]).astype(np.float64)
    gaps = np.diff(np.unique(sample))
    if sample.size < _FEWEST or not gaps.size:
        return None
    # The smallest gap is rounded; those near to it tell the step well enough to count the steps of all.
    near = gaps[gaps < _NEAR * gaps.min()]
    rough = float(near.sum() / np.rint(near / gaps.min()).sum())
    steps = np.rint(gaps / rough)
    step = float(gaps.sum() / steps.sum())
    if step * _MAX_STEPS < float(sample.std()):
        return None
    on_it = np.abs(gaps - steps * step) < _ON_LATTICE * step
    return step if on_it.all() else None


def same_content(first: Any, second: Any) -> bool:
    """Tell whether two contiguous arrays hold the same bytes; or two of anything else are equal."""
    if not (isinstance(first, np.ndarray) and isinstance(second, np.ndarray)):
        return first is second or (type(first) is type(second) and bool(first == second))
    if first.dtype != second.dtype or first.shape != second.shape:
        return False
    return bool(np.array_equal(first.reshape(-1).view(np.uint8), second.reshape(-1).view(np.uint8)))
