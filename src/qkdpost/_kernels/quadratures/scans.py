"""One pass over a record's own values: what shows without the peer whether they can be as they are said to be."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.jit.decorators import kernel

__all__ = ["find_again", "scan_values", "warm"]


@kernel
def scan_values(
    values: NDArray[Any], sums: NDArray[np.float64], extremes: NDArray[np.float64], counts: NDArray[np.int64]
) -> float:
    """Sum up a piece of a record, column by column.

    Args:
        values: float32 or int16, shape (rows, 1 or 2), at least one row.
        sums: written whole, shape (columns, 4): of v, v v, and the products of v with the one 1 and 2 rows on.
        extremes: written whole, shape (columns, 2): the least and the largest.
        counts: written whole, shape (columns, 3): how often each of these occurs, and the longest run of equal values.

    Returns:
        The sum of the products of both columns, 0 if there is one.
    """
    across = 0.0
    for column in range(values.shape[1]):
        total = 0.0
        squares = 0.0
        first_lag = 0.0
        second_lag = 0.0
        before = 0.0
        earlier = 0.0
        low = np.float64(values[0, column])
        high = low
        lows = 0
        highs = 0
        run = 0
        longest = 0
        for row in range(values.shape[0]):
            value = np.float64(values[row, column])
            total += value
            squares += value * value
            first_lag += before * value
            second_lag += earlier * value
            run = run + 1 if row > 0 and value == before else 1
            longest = max(longest, run)
            earlier = before
            before = value
            if value <= low:
                lows = lows + 1 if value == low else 1
                low = value
            if value >= high:
                highs = highs + 1 if value == high else 1
                high = value
        sums[column, 0] = total
        sums[column, 1] = squares
        sums[column, 2] = first_lag
        sums[column, 3] = second_lag
        extremes[column, 0] = low
        extremes[column, 1] = high
        counts[column, 0] = lows
        counts[column, 1] = highs
        counts[column, 2] = longest
    if values.shape[1] == 2:
        for row in range(values.shape[0]):
            across += np.float64(values[row, 0]) * np.float64(values[row, 1])
    return across


@kernel
def find_again(values: NDArray[Any], length: int) -> int:
    """Return how many places after its start the first `length` entries of a vector come again; 0 if they do not."""
    for start in range(1, values.size - length + 1):
        place = 0
        while place < length and values[start + place] == values[place]:
            place += 1
        if place == length:
            return start
    return 0


def warm() -> None:
    """Compile every kernel of this file."""
    for dtype in (np.float32, np.int16):
        for columns in (1, 2):
            values = np.zeros((2, columns), dtype=dtype)
            values.flags.writeable = False
            scan_values(values, np.zeros((columns, 4)), np.zeros((columns, 2)), np.zeros((columns, 3), dtype=np.int64))
            find_again(values.reshape(values.size), 1)
