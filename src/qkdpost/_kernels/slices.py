"""Cells of a line of reals: which cell, where within it, and what an expectation says of a cell's next label bit.

Cell c holds the reals from c w up to (c + 1) w, where w is the width. Its label is c modulo 2^levels, its turn how
often that wraps: c = label' + 2^levels turn, where label' is the label taken from -2^(levels - 1) to
2^(levels - 1) - 1. The place is where within its cell a real lies, in parts of 2^-16.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.jit.decorators import kernel

__all__ = ["MAX_TURN", "count_labels", "cut", "rebuild", "soft_values", "warm"]

MAX_TURN = 127


@kernel
def cut(
    outcomes: NDArray[np.float32],
    cells_per_unit: float,
    levels: int,
    labels: NDArray[np.uint8],
    places: NDArray[np.uint16],
    turns: NDArray[np.int8],
) -> bool:
    """Cut each real into label, place and turn, all of shape (reals,); return whether every turn could be held.

    Args:
        outcomes: finite reals.
        cells_per_unit: the inverse of the width of a cell.
        levels: bits of a label.
        labels: written.
        places: written.
        turns: written.
    """
    count = 1 << levels
    half = count >> 1
    most = float(count * MAX_TURN)
    fits = True
    for index in range(outcomes.size):
        scaled = np.float64(outcomes[index]) * cells_per_unit
        if abs(scaled) >= most:
            fits = False
            continue
        floor = math.floor(scaled)
        cell = int(floor)
        place = int((scaled - floor) * 65536.0)
        labels[index] = cell & (count - 1)
        places[index] = min(place, 65535)
        turns[index] = (cell + half) >> levels
    return fits


@kernel
def rebuild(
    labels: NDArray[np.uint8],
    places: NDArray[np.uint16],
    turned: NDArray[np.uint32],
    turns: NDArray[np.int8],
    width: float,
    levels: int,
    outcomes: NDArray[np.float32],
) -> None:
    """Write the middle of the interval that label, place and turn name.

    Args:
        labels: shape (reals,).
        places: shape (reals,).
        turned: which reals have a turn other than 0, increasing.
        turns: of these.
        width: of a cell.
        levels: bits of a label.
        outcomes: written, shape (reals,).
    """
    count = 1 << levels
    half = count >> 1
    following = 0
    for index in range(labels.size):
        cell = ((int(labels[index]) + half) & (count - 1)) - half
        if following < turned.size and int(turned[following]) == index:
            cell += int(turns[following]) * count
            following += 1
        outcomes[index] = np.float32((cell + (int(places[index]) + 0.5) / 65536.0) * width)


@kernel
def soft_values(
    expected: NDArray[np.float32],
    labels: NDArray[np.uint8],
    places: NDArray[np.uint16],
    cells_per_unit: float,
    level: int,
    table: NDArray[np.float32],
    values: NDArray[np.float32],
) -> None:
    """Write the log-likelihood ratio of bit `level` of each label, its lower bits being known.

    Among the cells with these lower bits, those with the bit 0 and those with the bit 1 take turns, 2^level cells
    apart. So the ratio hangs on where the expectation lies between two neighbours of the first kind, and there it is
    symmetric about the middle.

    Args:
        expected: what each real would be without noise, finite.
        labels: of which the bits below `level` are read.
        places: as `cut` has them.
        cells_per_unit: the inverse of the width of a cell.
        level: which bit, from 0.
        table: the ratio at equal steps from 0 to half a period, both ends included; read by linear interpolation.
        values: written, shape (reals,).
    """
    low = (1 << level) - 1
    periods_per_cell = 0.5 / (1 << level)
    steps = table.size - 1
    for index in range(expected.size):
        start = (int(labels[index]) & low) + (int(places[index]) + 0.5) / 65536.0
        phase = (np.float64(expected[index]) * cells_per_unit - start) * periods_per_cell
        phase = abs(phase - math.floor(phase + 0.5))
        scaled = 2.0 * phase * steps
        step = min(int(scaled), steps - 1)
        part = np.float32(scaled - step)
        values[index] = table[step] + part * (table[step + 1] - table[step])


@kernel
def count_labels(labels: NDArray[np.uint8], counts: NDArray[np.int64]) -> None:
    """Add to `counts`, one for each label, how often each occurs."""
    for index in range(labels.size):
        counts[labels[index]] += 1


def warm() -> None:
    """Compile every kernel of this file."""
    reals = np.array([0.25, -1.5], dtype=np.float32)
    reals.flags.writeable = False
    labels, places, turns = np.zeros(2, dtype=np.uint8), np.zeros(2, dtype=np.uint16), np.zeros(2, dtype=np.int8)
    cut(reals, 1.0, 3, labels, places, turns)
    rebuild(labels, places, np.zeros(0, dtype=np.uint32), turns[:0], 1.0, 3, np.zeros(2, dtype=np.float32))
    table = np.zeros(3, dtype=np.float32)
    table.flags.writeable = False
    soft_values(reals, labels, places, 1.0, 0, table, np.zeros(2, dtype=np.float32))
    count_labels(labels, np.zeros(8, dtype=np.int64))
