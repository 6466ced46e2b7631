"""Bits to puncture: each keeps one check for itself when it is chosen.

Codes are quasi-cyclic as in `qkdpost._kernels.ldpc.layered`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.jit.decorators import kernel

__all__ = ["count_tainted", "select_pivoted", "warm"]

Words = NDArray[np.uint64]
Indices = NDArray[np.uint32]


@kernel
def count_tainted(
    bit: np.uint64,
    column_starts: Words,
    edge_rows: Words,
    edge_shifts: Words,
    width: np.uint64,
    tainted: NDArray[np.uint8],
    mark: np.uint8,
) -> int:
    """Return how many of the bit's checks are tainted, 0 or 1 each; arguments as for `select_pivoted`.

    Args:
        bit: the bit.
        column_starts: the code.
        edge_rows: the code.
        edge_shifts: the code.
        width: bits of a block.
        tainted: the checks in use; or-ed with `mark` at the bit's checks.
        mark: 1 to taint the bit's checks, 0 to leave them.
    """
    column = bit // width
    count = 0
    for edge in range(column_starts[column], column_starts[column + np.uint64(1)]):
        check = edge_rows[edge] * width + ((bit - edge_shifts[edge]) & (width - np.uint64(1)))
        count += int(tainted[check])
        tainted[check] |= mark
    return count


@kernel
def select_pivoted(
    candidates: Indices,
    column_starts: Words,
    edge_rows: Words,
    edge_shifts: Words,
    size: int,
    max_tainted: int,
    tainted: NDArray[np.uint8],
    used: NDArray[np.uint8],
    output: Indices,
) -> int:
    """Choose bits with a check that no bit chosen before takes part in, in the order of `candidates`; return how many.

    That ends when `output` is full.

    Args:
        candidates: bits to consider.
        column_starts: where each column's edges start, shape (columns + 1,).
        edge_rows: the row of each edge, in the order of columns.
        edge_shifts: the shift of each edge.
        size: bits of a block, a power of two.
        max_tainted: how many of a bit's checks may be in use already.
        tainted: 1 for checks in use, shape (checks,); updated.
        used: 1 for bits chosen before, shape (bits,); updated.
        output: room for as many as are wanted; the chosen ones come first.
    """
    width = np.uint64(size)
    chosen = 0
    for index in range(candidates.size):
        if chosen == output.size:
            break
        bit = np.uint64(candidates[index])
        if used[bit] != 0:
            continue
        column = bit // width
        degree = int(column_starts[column + np.uint64(1)] - column_starts[column])
        count = count_tainted(bit, column_starts, edge_rows, edge_shifts, width, tainted, np.uint8(0))
        if count <= max_tainted and count < degree:
            count_tainted(bit, column_starts, edge_rows, edge_shifts, width, tainted, np.uint8(1))
            used[bit] = 1
            output[chosen] = candidates[index]
            chosen += 1
    return chosen


def warm() -> None:
    """Compile every kernel of this module by one tiny call."""
    starts = np.array([0, 1], dtype=np.uint64)
    zeros = np.zeros(1, dtype=np.uint64)
    marks = np.zeros(64, dtype=np.uint8)
    indices = np.zeros(1, dtype=np.uint32)
    select_pivoted(indices, starts, zeros, zeros, 64, 0, marks, marks.copy(), indices.copy())
