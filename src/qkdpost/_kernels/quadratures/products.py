"""Products of real, complex, quaternion and octonion numbers, many at a time.

A number of dimension d = 1, 2, 4 or 8 is d reals. The product is Cayley and Dickson's, (a, b)(c, d) =
(a c - d* b, d a + b c*) on halves, with reals at the bottom. Its basis obeys e_k e_j = +-e_(k xor j), and the signs
of a smaller dimension are a corner of those of the largest. So one loop over signs serves all four, and where
numbers lie side by side in rows (a tile has component k of all its numbers in row k) it runs in vector registers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.jit.decorators import kernel

__all__ = [
    "FIRST_CONJUGATED",
    "PLAIN",
    "SECOND_CONJUGATED",
    "TILE",
    "load_numbers",
    "load_signs",
    "multiply_tiles",
    "store_scaled",
]

Tile = NDArray[np.float32]

TILE = 256
"""How many numbers are side by side in a tile: three of them, and what they are made of, stay in the first cache."""


def _signs(dimension: int) -> NDArray[np.float32]:
    """Return s with e_k e_j = s[k, j] e_(k xor j), built from the half of it as (a, b)(c, d) above."""
    if dimension == 1:
        return np.ones((1, 1), dtype=np.float32)
    half = _signs(dimension // 2)
    conjugated = np.where(np.arange(dimension // 2) == 0, 1, -1).astype(np.float32)
    # Of a c, d a, b c* and -d* b; a swapped product has the transposed signs.
    return np.block([[half, half.T], [half * conjugated, -(half * conjugated[:, None]).T]]).astype(np.float32)


def _read_only(table: NDArray[np.float32]) -> NDArray[np.float32]:
    table.flags.writeable = False
    return table


_CONJUGATED = np.array([1] + [-1] * 7, dtype=np.float32)
PLAIN = _read_only(_signs(8))
FIRST_CONJUGATED = _read_only(PLAIN * _CONJUGATED[:, None])
SECOND_CONJUGATED = _read_only(PLAIN * _CONJUGATED)
"""Signs of the products p q, p* q and p q* for `multiply_tiles`, float32, shape (8, 8)."""


@kernel
def multiply_tiles(
    signs: NDArray[np.float32], first: Tile, second: Tile, output: Tile, dimension: int, count: int
) -> None:
    """Write the products of `count` numbers in `first` by those in `second`, with one of the tables of signs."""
    for row in range(dimension):
        products = output[row]
        for place in range(count):
            products[place] = np.float32(0.0)
        for index in range(dimension):
            sign = signs[index, index ^ row]
            left = first[index]
            right = second[index ^ row]
            for place in range(count):
                products[place] += sign * left[place] * right[place]


@kernel
def load_numbers(values: NDArray[np.float32], start: int, dimension: int, count: int, tile: Tile) -> None:
    """Bring `count` numbers, whose reals lie one after another in `values` from `start` on, into a tile."""
    # Where an index might be negative, numba asks; those of a table of this shape cannot be.
    numbers = values[start : start + dimension * count].reshape((count, dimension))
    for place in range(count):
        for row in range(dimension):
            tile[row, place] = numbers[place, row]


@kernel
def load_signs(words: NDArray[np.uint64], start: int, dimension: int, count: int, tile: Tile) -> None:
    """Bring bits of packed `words` from bit `start` on into a tile, as 1 for a 0 and -1 for a 1."""
    one = np.uint64(1)
    for place in range(count):
        bit = np.uint64(start + dimension * place)
        word = words[bit >> np.uint64(6)] >> (bit & np.uint64(63))
        for row in range(dimension):
            tile[row, place] = np.float32(1.0) - np.float32(2.0) * np.float32((word >> np.uint64(row)) & one)


@kernel
def store_scaled(tile: Tile, scales: NDArray[np.float32], start: int, output: NDArray[np.float32]) -> None:
    """Write the numbers of a tile, each times its scale, one after another to `output` from real `start` on."""
    dimension, count = tile.shape[0], scales.size
    numbers = output[start : start + dimension * count].reshape((count, dimension))
    for place in range(count):
        for row in range(dimension):
            numbers[place, row] = scales[place] * tile[row, place]
