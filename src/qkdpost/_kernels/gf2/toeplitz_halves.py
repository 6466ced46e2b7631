"""Toeplitz products by halves: three of half the size for one, down to leaves that are multiplied lane by lane.

With a Toeplitz matrix of s rows and columns cut into quarters, y_0 = B x_0 + A x_1 and y_1 = C x_0 + B x_1, and

    y_0 = (A + B) x_1 + B (x_0 + x_1),    y_1 = (B + C) x_0 + B (x_0 + x_1)

(Fan and Hasan, IEEE Trans. Comput. 56, 224). The matrix is kept as 2 s bits t with y[i] = sum of t[i - j + s] x[j], of
which A, B and C are the bits from 0, s / 2 and s on, s bits each. Larger matrices are tiled by squares: halves of x and
of t are summed once for each tile of theirs, and products of a row of tiles are added before they are joined.

The lanes of x stand in reverse order, so that lane k of y is the sum of lanes k + r of t times lane r of x.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.bits.packing import copy_bits, copy_words
from qkdpost._kernels.gf2.clmul_lanes import (
    broadcast,
    broadcast_lane,
    load,
    lower_high,
    multiply_high,
    multiply_low,
    raise_low,
    store,
    swap_words,
    xor,
)
from qkdpost._kernels.jit.decorators import kernel

__all__ = ["LEAF_WORDS", "multiply_by_halves"]

Words: TypeAlias = NDArray[np.uint64]

LEAF_LANES = 8
LEAF_WORDS = 2 * LEAF_LANES
"""Words of a leaf of x and of y, a multiple of eight; one of t has twice as many."""


@kernel
def multiply_by_halves(words: Words, input_bits: int, seed: Words, output: Words, depth: int) -> None:
    """Write the product as `toeplitz_product` does, in tiles halved `depth` times; bits past the end are any."""
    size = LEAF_WORDS << depth
    leaves = 3**depth
    columns = (input_bits + 64 * size - 1) // (64 * size)
    rows = (output.size + size - 1) // size
    left = np.zeros(columns * LEAF_WORDS * leaves, np.uint64)
    for column in range(columns):
        _copy_reversed(words, (columns - 1 - column) * size, size, left, column * LEAF_WORDS * leaves)
        _halve_left(left, column * LEAF_WORDS * leaves, size, depth)
    right = np.empty((columns + rows - 1) * 2 * LEAF_WORDS * leaves, np.uint64)
    for tile in range(columns + rows - 1):
        start = tile * 2 * LEAF_WORDS * leaves
        copy_bits(seed, input_bits - 1 + (tile - columns) * 64 * size, right[start : start + 2 * size])
        _halve_right(right, start, 2 * size, depth)
    products = np.empty(LEAF_WORDS * leaves, np.uint64)
    window = np.empty(LEAF_WORDS + 2, np.uint64)
    for row in range(rows):
        for leaf in range(leaves):
            start = 2 * LEAF_WORDS * (row * leaves + leaf)
            _multiply_leaves(left, leaf * LEAF_WORDS, right, start, LEAF_WORDS * leaves, columns, window)
            copy_words(window[2:], products[leaf * LEAF_WORDS : (leaf + 1) * LEAF_WORDS])
        _join(products, LEAF_WORDS, depth)
        count = min(size, output.size - row * size)
        copy_words(products[:count], output[row * size : row * size + count])


@kernel
def _copy_reversed(words: Words, first: int, count: int, output: Words, start: int) -> None:
    """Write lanes of `words` from word `first` on, the last of `count` words first, to zeroed `output`."""
    for index in range(first, min(first + count, words.size)):
        output[start + count - 2 - (index - first - index % 2) + index % 2] = words[index]


@kernel
def _halve_left(values: Words, start: int, size: int, depth: int) -> None:
    """Replace `size` words from `start` on by x_1, x_0 and x_0 + x_1, and each of these likewise, `depth` times.

    What is replaced takes one and a half times as much room: the last go first.
    """
    items = 1
    for _ in range(depth):
        half = size // 2
        for item in range(items - 1, -1, -1):
            source = start + item * size
            target = start + 3 * item * half
            for place in range(0, half, 8):
                store(
                    values,
                    target + size + place,
                    xor(load(values, source + place), load(values, source + half + place)),
                )
            for place in range(half - 8, -1, -8):
                store(values, target + half + place, load(values, source + half + place))
            for place in range(half - 8, -1, -8):
                store(values, target + place, load(values, source + place))
        items *= 3
        size = half


@kernel
def _halve_right(values: Words, start: int, size: int, depth: int) -> None:
    """Replace `size` words from `start` on by A + B, B + C and B, and each of these likewise, as `_halve_left` does."""
    items = 1
    for _ in range(depth):
        half = size // 2
        quarter = size // 4
        for item in range(items - 1, -1, -1):
            source = start + item * size
            target = start + 3 * item * half
            middle = target + size
            for place in range(0, half, 8):
                store(values, middle + place, load(values, source + quarter + place))
            for place in range(half - 8, -1, -8):
                store(
                    values,
                    target + half + place,
                    xor(load(values, source + half + place), load(values, middle + place)),
                )
            for place in range(half - 8, -1, -8):
                store(values, target + place, xor(load(values, source + place), load(values, middle + place)))
        items *= 3
        size = half


@kernel
def _join(products: Words, half: int, depth: int) -> None:
    """Replace every three products of `half` words by y_0 and y_1, and so on, `depth` times."""
    for _ in range(depth):
        for item in range(products.size // (3 * half)):
            source = 3 * half * item
            target = 2 * half * item
            for place in range(0, half, 8):
                third = load(products, source + 2 * half + place)
                first = xor(load(products, source + place), third)
                second = xor(load(products, source + half + place), third)
                store(products, target + place, first)
                store(products, target + half + place, second)
        products = products[: products.size // 3 * 2]
        half *= 2


@kernel
def _multiply_leaves(
    left: Words, left_start: int, right: Words, right_start: int, step: int, columns: int, window: Words
) -> None:
    """Write the sum of products of leaves to `window`, from its second lane on.

    Leaf c of x begins at left_start + c step, that of t at right_start + 2 c step. Of the 256 bits of a product of
    lanes k + r and r the lower half belongs to lane k - 1 of y, and the upper to lane k.
    """
    zero = broadcast(np.uint64(0), np.uint64(0))
    window[:] = np.uint64(0)
    for block in range(0, LEAF_WORDS, 8):
        low = middle = high = zero
        for column in range(columns):
            for place in range(0, LEAF_WORDS, 2):
                one = broadcast_lane(left, left_start + column * step + place)
                four = load(right, right_start + 2 * column * step + block + place)
                low = xor(low, multiply_low(one, four))
                high = xor(high, multiply_high(one, four))
                middle = xor(middle, multiply_low(xor(one, swap_words(one)), xor(four, swap_words(four))))
        middle = xor(middle, xor(low, high))
        store(window, block, xor(load(window, block), xor(low, raise_low(middle))))
        store(window, block + 2, xor(load(window, block + 2), xor(high, lower_high(middle))))
    low = middle = high = zero
    for column in range(columns):
        for place in range(0, LEAF_WORDS, 8):
            one = load(left, left_start + column * step + place)
            four = load(right, right_start + 2 * column * step + LEAF_WORDS + place)
            low = xor(low, multiply_low(one, four))
            high = xor(high, multiply_high(one, four))
            middle = xor(middle, multiply_low(xor(one, swap_words(one)), xor(four, swap_words(four))))
    folded = np.empty(8, np.uint64)
    store(folded, 0, xor(low, raise_low(xor(middle, xor(low, high)))))
    for word in range(8):
        window[LEAF_WORDS + word % 2] ^= folded[word]


def warm() -> None:
    """Compile every kernel of this file."""
    words = np.zeros(1, dtype=np.uint64)
    words.flags.writeable = False
    multiply_by_halves(words, 1, words, np.zeros(1, dtype=np.uint64), 0)
