"""Which frames miss which checks: parities of the decisions of 64 frames at a time, one bit for each frame.

Codes are quasi-cyclic as in `qkdpost._kernels.ldpc.layered`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.jit.decorators import kernel

__all__ = ["ROWS_BETWEEN_COUNTS", "count_unsatisfied", "unsatisfied_frames"]

Words = NDArray[np.uint64]

ROWS_BETWEEN_COUNTS = 4
"""A count of every fourth base row is enough to tell whether a frame converges."""


@kernel
def _parities_of_row(
    row: int, row_starts: Words, edge_bits: Words, edge_shifts: Words, syndromes: Words, decisions: Words, sums: Words
) -> np.uint64:
    """Set `sums`, shape (size,), to the masks of frames that miss the checks of a base row; return all of them."""
    size = sums.size
    for index in range(size):
        sums[index] = syndromes[row * size + index]
    for edge in range(int(row_starts[row]), int(row_starts[row + 1])):
        shift = int(edge_shifts[edge])
        bit = int(edge_bits[edge])
        for index in range(size - shift):
            sums[index] ^= decisions[bit + shift + index]
        for index in range(shift):
            sums[size - shift + index] ^= decisions[bit + index]
    found = np.uint64(0)
    for index in range(size):
        found |= sums[index]
    return found


@kernel
def unsatisfied_frames(
    active: np.uint64,
    row_starts: Words,
    edge_bits: Words,
    edge_shifts: Words,
    syndromes: Words,
    decisions: Words,
    sums: Words,
) -> np.uint64:
    """Return the mask of frames whose decisions miss their syndrome; exact in the frames of mask `active`.

    Args:
        active: the frames that matter.
        row_starts: the code, as the module says.
        edge_bits: the code.
        edge_shifts: the code.
        syndromes: for each check the mask of frames whose syndrome bit is 1.
        decisions: for each bit the mask of frames that decide for an error.
        sums: scratch, shape (size,).
    """
    found = np.uint64(0)
    for row in range(row_starts.size - 1):
        found |= _parities_of_row(row, row_starts, edge_bits, edge_shifts, syndromes, decisions, sums)
        if found & active == active:
            break
    return found


@kernel
def _add_to_counters(sums: Words, planes: Words) -> None:
    """Count, for each of 64 lanes, the ones in `sums`: bit i of plane p is digit p of the count of lane i."""
    for index in range(sums.size):
        carry = sums[index]
        for plane in range(planes.size):
            moved = planes[plane] & carry
            planes[plane] ^= carry
            carry = moved
            if carry == np.uint64(0):
                break


@kernel
def count_unsatisfied(
    row_starts: Words,
    edge_bits: Words,
    edge_shifts: Words,
    syndromes: Words,
    decisions: Words,
    sums: Words,
    missed: NDArray[np.int64],
) -> None:
    """Write to `missed`, shape (lanes,), how many checks of every fourth base row each frame's decisions miss.

    Arguments are those of `unsatisfied_frames`; the first base row counts.
    """
    planes = np.zeros(32, np.uint64)
    for row in range(0, row_starts.size - 1, ROWS_BETWEEN_COUNTS):
        _parities_of_row(row, row_starts, edge_bits, edge_shifts, syndromes, decisions, sums)
        _add_to_counters(sums, planes)
    for lane in range(missed.size):
        missed[lane] = 0
        for plane in range(planes.size):
            missed[lane] |= int((planes[plane] >> np.uint64(lane)) & np.uint64(1)) << plane
