"""Entropies of a normal law wrapped around a circle, and of what is left of a real once its place in a cell is known.

Let Y be normal with variance v, W_L = Y mod L, h differential entropy in bits. Cut the reals into cells of width w, let
R = Y mod w be the place in a cell, and K the number of the cell modulo n. Then (K, R) is Y mod n w, and

    H(K | R) = h(Y mod n w) - h(Y mod w),

whatever the mean of Y, for a shift of Y turns a circle, and that leaves h alone.

It grows with v. Write Y = Y_0 + sqrt(t) N with N standard normal; by de Bruijn's identity, which holds on the circle
for the heat flow there, d h(Y mod L) / dt = J(Y mod L) / (2 ln 2), J being the Fisher information of location. Since Y
mod w is a function of Y mod n w, of which a shift of Y is a shift of both, its score is the conditional expectation
of the other's, and J(Y mod w) <= J(Y mod n w). The same holds for vectors along any positive semidefinite direction of
growth: an entropy at a covariance that is nowhere greater, in the order of matrices, is a lower bound.

The densities are smooth and periodic, so that the trapezoidal rule on equal steps converges faster than any power; with
steps of at most an eighth of the standard deviation it is exact to 1e-12.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from qkdpost.checks import real_number, whole_number

__all__ = ["cell_entropy", "quantised_entropy", "wrapped_density", "wrapped_entropy"]

_LEAST_STEPS = 64
_STEPS_PER_DEVIATION = 16
_MOST_DEVIATIONS = 10_000.0
"""In a circle: with a narrower law there is no more to be said."""
_REACH = 9.0
"""Of the normal law, in standard deviations: beyond lies less than 1e-18."""


def wrapped_density(points: NDArray[np.float64], deviation: float, period: float) -> NDArray[np.float64]:
    """Return the density of a centred normal law, wrapped around a circle, at points of it.

    Args:
        points: any shape, between 0 and `period`.
        deviation: the standard deviation, above 0.
        period: length of the circle, above 0.
    """
    turns = math.ceil(_REACH * deviation / period) + 1
    density = np.zeros_like(points)
    for turn in range(-turns, turns + 1):
        scaled = (points + turn * period) / deviation
        density += np.exp(-0.5 * scaled * scaled)
    density /= deviation * math.sqrt(2.0 * math.pi)
    return density


def wrapped_entropy(variance: float, period: float) -> float:
    """Return h(Y mod period) in bits, Y being normal.

    Args:
        variance: of Y, above 0.
        period: length of the circle, at most 10^4 standard deviations.

    Raises:
        InputError: a number lies outside its range.
    """
    variance = real_number("variance", variance, above=0.0, most=1e12)
    deviation = math.sqrt(variance)
    period = real_number("period", period, least=1e-3 * deviation, most=_MOST_DEVIATIONS * deviation)
    steps = max(_LEAST_STEPS, math.ceil(_STEPS_PER_DEVIATION * period / deviation))
    points: NDArray[np.float64] = np.arange(steps, dtype=np.float64) * (period / steps)
    density = wrapped_density(points, deviation, period)
    # What is below 1e-300 contributes nothing, and its logarithm may be infinite.
    logarithms = np.log2(np.maximum(density, 1e-300))
    return -math.fsum(density * logarithms) * period / steps


def cell_entropy(variance: float, width: float, cells: int) -> float:
    """Return H(K | R) in bits: of the cell modulo `cells`, where the place in the cell is known.

    >>> round(cell_entropy(1.0, 1.365, 8), 6)
    1.598194

    Args:
        variance: of the normal law, above 0.
        width: of a cell.
        cells: n, 2 or more.

    Raises:
        InputError: a number lies outside its range.
    """
    cells = whole_number("cells", cells, least=2, most=1 << 16)
    return max(0.0, wrapped_entropy(variance, cells * width) - wrapped_entropy(variance, width))


def quantised_entropy(variance: float, reach: float, cells: int) -> float:
    """Return the entropy in bits of a normal real cut into equal cells on -reach ... reach, the outer ones open.

    Args:
        variance: of the normal law, above 0.
        reach: where the outer cells would end.
        cells: how many, 2 or more.

    Raises:
        InputError: a number lies outside its range.
    """
    variance = real_number("variance", variance, above=0.0, most=1e12)
    reach = real_number("reach", reach, above=0.0, most=1e12)
    cells = whole_number("cells", cells, least=2, most=1 << 16)
    edges = np.linspace(-reach, reach, cells + 1)[1:-1] / math.sqrt(2.0 * variance)
    below = [0.0, *(0.5 * math.erfc(-float(edge)) for edge in edges), 1.0]
    probabilities = np.diff(below)
    found = probabilities[probabilities > 0.0]
    return -math.fsum(found * np.log2(found))
