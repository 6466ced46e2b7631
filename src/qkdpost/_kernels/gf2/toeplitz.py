"""Toeplitz matrix times bit vector, on packed words: the wanted window of a product of two polynomials.

y[i] is coefficient n - 1 + i of seed times x. Short products are formed lane by lane, longer ones over transforms.
"""

from __future__ import annotations

import functools
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.bits.packing import copy_bits
from qkdpost._kernels.gf2.clmul import GUARD_WORDS, convolve_window
from qkdpost._kernels.gf2.toeplitz_transform import MIN_LEVELS, block_counts, multiply_by_transform
from qkdpost.threads import threads_at_work

__all__ = ["choose_levels", "toeplitz_product"]

Words: TypeAlias = NDArray[np.uint64]

MAX_LEVELS = 20

# Costs in picoseconds, as measured on one core with 512-bit carry-less multiplication. They only choose a path.
DIRECT_LANES = 620
FORWARD_POINT = 8_200
BACKWARD_POINT = 14_700
POINT_LEVEL = 420
POINT_PRODUCT = 900
CACHED_LEVELS = 13
UNCACHED_LEVEL = 400


def toeplitz_product(words: Words, input_bits: int, seed: Words, output: Words, output_bits: int) -> None:
    """Write y[i] = sum over GF(2) of seed[i - j + input_bits - 1] x[j] to `output`, bits past the end zero.

    Args:
        words: x, input_bits >= 1 bits.
        input_bits: the number n of columns.
        seed: n + output_bits - 1 bits.
        output: ceil(output_bits / 64) words, overwritten.
        output_bits: the number of rows, at least 1.
    """
    levels = choose_levels(input_bits, output_bits, threads_at_work())
    if levels:
        multiply_by_transform(levels, words, input_bits, seed, output, output_bits)
    else:
        _directly(words, input_bits, seed, output)
    if output_bits % 64:
        output[-1] &= np.uint64((1 << (output_bits % 64)) - 1)


@functools.lru_cache(maxsize=256)
def choose_levels(input_bits: int, output_bits: int, threads: int = 1) -> int:
    """Return the levels of the transform that is estimated to be fastest on so many threads; 0 for no transform."""
    best = DIRECT_LANES * (input_bits // 128 + 4) * (output_bits // 128 + 4)
    chosen = 0
    for levels in range(MIN_LEVELS, MAX_LEVELS + 1):
        left, right, wanted, _ = block_counts(levels, input_bits, output_bits)
        point = POINT_LEVEL * levels + UNCACHED_LEVEL * max(0, levels - CACHED_LEVELS)
        forward = -(-(left + right) // threads) * (FORWARD_POINT + point)
        backward = -(-wanted // threads) * (BACKWARD_POINT + point)
        cost = (forward + backward + wanted * left * POINT_PRODUCT // threads) << levels
        if cost < best:
            best, chosen = cost, levels
    return chosen


def _directly(words: Words, input_bits: int, seed: Words, output: Words) -> None:
    """Multiply lane by lane."""
    raised = -(input_bits - 1) % 128
    left_lanes = (input_bits + raised + 127) // 128
    left = np.empty(2 * left_lanes, dtype=np.uint64)
    copy_bits(words, -raised, left)
    right_lanes = (seed.size + 1) // 2
    right = np.zeros(2 * right_lanes + 2 * GUARD_WORDS, dtype=np.uint64)
    right[GUARD_WORDS : GUARD_WORDS + seed.size] = seed
    window = np.empty((output.size + 7) // 8 * 8 + GUARD_WORDS, dtype=np.uint64)
    convolve_window(left, left_lanes, right, right_lanes, (input_bits - 1 + raised) // 128, window)
    output[:] = window[: output.size]


def warm() -> None:
    """Compile the kernels of the direct product; those of the transform have a `warm` of their own."""
    words = np.zeros(1, dtype=np.uint64)
    words.flags.writeable = False
    output = np.zeros(1, dtype=np.uint64)
    _directly(words, 1, words, output)
