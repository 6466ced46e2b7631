"""Which checks the decisions of one frame miss, 64 at a time, by rotation of words as in `syndromes`.

Codes are quasi-cyclic as in `qkdpost._kernels.ldpc.layered`; decisions and syndrome are packed words of one frame.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.bits.counting import ones
from qkdpost._kernels.jit.decorators import kernel

__all__ = ["is_hopeless", "is_satisfied"]

Words = NDArray[np.uint64]

_ROWS_BETWEEN_COUNTS = 4
"""A count of every fourth base row is enough to tell whether a frame converges."""


@kernel
def _missed_in_row(
    row: int, row_starts: Words, edge_bits: Words, edge_shifts: Words, size: int, syndrome: Words, decisions: Words
) -> int:
    """Return how many checks of a base row are missed."""
    words = np.uint64(size >> 6)
    last = words - np.uint64(1)
    low = np.uint64(63)
    missed = 0
    for index in range(words):
        odd = syndrome[np.uint64(row) * words + np.uint64(index)]
        for edge in range(row_starts[row], row_starts[row + 1]):
            source = edge_bits[edge] >> np.uint64(6)
            place = np.uint64(index) + (edge_shifts[edge] >> np.uint64(6))
            right = edge_shifts[edge] & low
            # Two shifts, since one by 64 is not defined.
            high = (decisions[source + ((place + np.uint64(1)) & last)] << np.uint64(1)) << (low - right)
            odd ^= (decisions[source + (place & last)] >> right) | high
        missed += ones(odd)
    return missed


@kernel
def is_satisfied(
    row_starts: Words, edge_bits: Words, edge_shifts: Words, size: int, syndrome: Words, decisions: Words
) -> bool:
    """Return whether decisions have the syndrome; a frame that has not is mostly told by its first base row.

    Args:
        row_starts: the code, as the module says.
        edge_bits: the code.
        edge_shifts: the code.
        size: bits of a block.
        syndrome: packed, shape (checks / 64,).
        decisions: packed, shape (bits / 64,).
    """
    for row in range(row_starts.size - 1):
        if _missed_in_row(row, row_starts, edge_bits, edge_shifts, size, syndrome, decisions) > 0:
            return False
    return True


@kernel
def is_hopeless(
    row_starts: Words,
    edge_bits: Words,
    edge_shifts: Words,
    size: int,
    syndrome: Words,
    decisions: Words,
    allowed_permille: int,
) -> bool:
    """Return whether decisions miss more than so many of a thousand checks, by a count of every fourth base row.

    Arguments are otherwise those of `is_satisfied`; the first base row counts.
    """
    missed = checks = 0
    for row in range(0, row_starts.size - 1, _ROWS_BETWEEN_COUNTS):
        missed += _missed_in_row(row, row_starts, edge_bits, edge_shifts, size, syndrome, decisions)
        checks += size
    return 1000 * missed > allowed_permille * checks
