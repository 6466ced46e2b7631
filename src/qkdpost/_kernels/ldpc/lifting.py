"""Growing a quasi-cyclic graph edge by edge: where a new edge closes no short cycle.

Bits and checks come in blocks of `size`, a power of two. Base edge (column, row, shift) joins bit
``column * size + (i + shift) % size`` to check ``row * size + i``. By symmetry it is enough to look from the first bit
of a block.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.jit.decorators import kernel

__all__ = ["measure_distances", "warm"]

Table = NDArray[np.int32]


@kernel
def measure_distances(
    column: int,
    size: int,
    depth: int,
    column_degrees: Table,
    column_rows: Table,
    column_shifts: Table,
    row_degrees: Table,
    row_columns: Table,
    row_shifts: Table,
    distances: Table,
    seen_bits: NDArray[np.uint8],
    queue: Table,
) -> None:
    """Write for each check how many checks lie on the shortest path from bit 0 of `column`, or depth + 1.

    Args:
        column: a base column.
        size: bits of a block.
        depth: how far to look.
        column_degrees: base edges of each column so far, shape (columns,).
        column_rows: their rows, shape (columns, most).
        column_shifts: their shifts.
        row_degrees: base edges of each row so far, shape (rows,).
        row_columns: their columns, shape (rows, most).
        row_shifts: their shifts.
        distances: shape (checks,), written.
        seen_bits: scratch, shape (bits,).
        queue: scratch, shape (bits,).
    """
    distances[:] = depth + 1
    seen_bits[:] = 0
    start = column * size
    seen_bits[start] = 1
    queue[0] = start
    head = 0
    tail = 1
    for distance in range(1, depth + 1):
        end = tail
        while head < end:
            bit = queue[head]
            head += 1
            block = bit // size
            offset = bit - block * size
            for edge in range(column_degrees[block]):
                row = column_rows[block, edge]
                index = (offset - column_shifts[block, edge]) & (size - 1)
                check = row * size + index
                if distances[check] <= distance:
                    continue
                distances[check] = distance
                for other in range(row_degrees[row]):
                    neighbour = row_columns[row, other] * size + ((index + row_shifts[row, other]) & (size - 1))
                    if seen_bits[neighbour] == 0:
                        seen_bits[neighbour] = 1
                        queue[tail] = neighbour
                        tail += 1


def warm() -> None:
    """Compile every kernel of this module by one tiny call each."""
    table = np.zeros((1, 1), dtype=np.int32)
    degrees = np.ones(1, dtype=np.int32)
    measure_distances(
        0, 64, 1, degrees, table, table, degrees, table, table,
        np.zeros(64, dtype=np.int32), np.zeros(64, dtype=np.uint8), np.zeros(64, dtype=np.int32),
    )  # fmt: skip
