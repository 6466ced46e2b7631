"""Toeplitz matrix times bit vector, on packed words: the wanted window of a product of two polynomials.

y[i] is coefficient n - 1 + i of seed times x. Products up to some ten thousand bits are formed by halves, larger ones
over transforms.
"""

from __future__ import annotations

import functools
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.gf2.toeplitz_halves import LEAF_WORDS, multiply_by_halves
from qkdpost._kernels.gf2.toeplitz_transform import (
    LEAST_POINTS_TO_SHARE,
    MIN_LEVELS,
    block_counts,
    multiply_by_transform,
)
from qkdpost.threads import threads_at_work

__all__ = ["Way", "choose_way", "toeplitz_product"]

Words: TypeAlias = NDArray[np.uint64]

MAX_DEPTH = 12
MAX_LEVELS = 20

# Costs in picoseconds, as measured on one core with 512-bit carry-less multiplication. They only choose a path.
LEAF_PRODUCT = 65_000
LEAF_SUMS = 7_000
FORWARD_POINT = 8_200
BACKWARD_POINT = 14_700
POINT_LEVEL = 420
POINT_PRODUCT = 900
POINT_PRODUCT_OF_OTHERS = 1_100
"""The same where other threads made the values: they come from another core's cache."""
CACHED_LEVELS = 13
UNCACHED_LEVEL = 400


class Way(NamedTuple):
    """How a product is formed: over transforms of 2^levels points, or with `levels` 0 by halves."""

    levels: int
    depth: int


def toeplitz_product(words: Words, input_bits: int, seed: Words, output: Words, output_bits: int) -> None:
    """Write y[i] = sum over GF(2) of seed[i - j + input_bits - 1] x[j] to `output`, bits past the end zero.

    Args:
        words: x, input_bits >= 1 bits.
        input_bits: the number n of columns.
        seed: n + output_bits - 1 bits.
        output: ceil(output_bits / 64) words, overwritten.
        output_bits: the number of rows, at least 1.
    """
    way = choose_way(input_bits, output_bits, threads_at_work())
    if way.levels:
        multiply_by_transform(way.levels, words, input_bits, seed, output, output_bits)
    else:
        multiply_by_halves(words, input_bits, seed, output, way.depth)
    if output_bits % 64:
        output[-1] &= np.uint64((1 << (output_bits % 64)) - 1)


@functools.lru_cache(maxsize=256)
def choose_way(input_bits: int, output_bits: int, threads: int = 1) -> Way:
    """Return the way that is estimated to be fastest; a transform alone is shared among threads."""
    ways = {_cost_of_halves(depth, input_bits, output_bits): Way(0, depth) for depth in range(MAX_DEPTH + 1)}
    for levels in range(MIN_LEVELS, MAX_LEVELS + 1):
        ways[_cost_of_transform(levels, input_bits, output_bits, threads)] = Way(levels, 0)
    return ways[min(ways)]


def _cost_of_halves(depth: int, input_bits: int, output_bits: int) -> int:
    tile_bits = 64 * LEAF_WORDS << depth
    columns, rows = -(-input_bits // tile_bits), -(-output_bits // tile_bits)
    summed = columns + rows + 2 * (columns + rows - 1)
    return int((columns * rows * LEAF_PRODUCT + summed * LEAF_SUMS) * 3**depth)


def _cost_of_transform(levels: int, input_bits: int, output_bits: int, threads: int) -> int:
    left, right, wanted, _ = block_counts(levels, input_bits, output_bits)
    threads = threads if (left + right) << levels >= LEAST_POINTS_TO_SHARE else 1
    point = POINT_LEVEL * levels + UNCACHED_LEVEL * max(0, levels - CACHED_LEVELS)
    forward = -(-(left + right) // threads) * (FORWARD_POINT + point)
    backward = -(-wanted // threads) * (BACKWARD_POINT + point)
    product = POINT_PRODUCT if threads == 1 else POINT_PRODUCT_OF_OTHERS
    return (forward + backward + wanted * left * product // threads) << levels
