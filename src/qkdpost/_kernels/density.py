"""Density evolution of check nodes: densities of magnitudes combined through the decoder's own arithmetic."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels._jit import kernel

__all__ = ["combine_densities", "warm"]

Density = NDArray[np.float64]
_NEGLIGIBLE = 1e-13


@kernel
def combine_densities(
    left: Density, right: Density, table: NDArray[np.uint8], negligible: float, output: Density
) -> None:
    """Write the density of table[a, b] for independent a and b to zeroed `output`.

    Densities have shape (2, levels): row 0 is the probability of each magnitude, row 1 that probability times the
    expected sign. Both rows combine by the same map, since signs multiply. Magnitudes rarer than `negligible` are
    left out.
    """
    for first in range(left.shape[1]):
        if left[0, first] < negligible:
            continue
        for second in range(right.shape[1]):
            if right[0, second] < negligible:
                continue
            level = table[first, second]
            output[0, level] += left[0, first] * right[0, second]
            output[1, level] += left[1, first] * right[1, second]


def warm() -> None:
    """Compile every kernel of this module by one tiny call each."""
    density = np.array([[0.5, 0.5], [0.0, 0.5]])
    table = np.zeros((2, 2), dtype=np.uint8)
    combine_densities(density, density, table, _NEGLIGIBLE, np.zeros((2, 2)))
