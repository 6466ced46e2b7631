"""Density evolution of check nodes: densities of magnitudes combined through the decoder's own arithmetic."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.jit.decorators import kernel

__all__ = ["combine_densities", "warm"]

Density = NDArray[np.float64]


@kernel
def combine_densities(
    left: Density, right: Density, table: NDArray[np.uint8], reach: int, tails: Density, output: Density
) -> None:
    """Write the density of table[a, b] for independent a and b to `output`.

    Densities have shape (2, levels): row 0 is the probability of each magnitude, row 1 that probability times the
    expected sign. Both rows combine by the same map, since signs multiply.

    Args:
        left: of a.
        right: of b.
        table: the combination, shape (levels, levels).
        reach: table[a, b] is the lesser of a and b wherever they differ by `reach` or more; such pairs are summed by
            tails. The number of levels if nothing is known.
        tails: scratch, shape (4, levels + 1).
        output: shape (2, levels); overwritten.
    """
    levels = left.shape[1]
    for part in range(2):
        tails[part, levels] = 0.0
        tails[2 + part, levels] = 0.0
        for level in range(levels - 1, -1, -1):
            tails[part, level] = tails[part, level + 1] + left[part, level]
            tails[2 + part, level] = tails[2 + part, level + 1] + right[part, level]
            output[part, level] = 0.0
    for first in range(levels):
        far = min(levels, first + reach)
        for part in range(2):
            output[part, first] += left[part, first] * tails[2 + part, far] + right[part, first] * tails[part, far]
        if left[0, first] != 0.0:
            for second in range(max(0, first - reach + 1), far):
                level = table[first, second]
                output[0, level] += left[0, first] * right[0, second]
                output[1, level] += left[1, first] * right[1, second]


def warm() -> None:
    """Compile every kernel of this module by one tiny call each."""
    density = np.array([[0.5, 0.5], [0.0, 0.5]])
    table = np.zeros((2, 2), dtype=np.uint8)
    combine_densities(density, density, table, 2, np.zeros((4, 3)), np.zeros((2, 2)))
