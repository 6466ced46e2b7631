"""Toeplitz matrix times bit vector, on packed words: the wanted window of a product of two polynomials.

y[i] is coefficient n - 1 + i of seed times x. Short products are formed lane by lane. Longer ones are cut into blocks
of B bits, whose transforms are taken once each: output block k is the sum of the products of blocks j of x and k - j
of the seed, and only the blocks that meet the window are transformed back. What is held is the transforms, twice the
packed size of x, seed and output. The seed is raised so that the window starts at the start of a block.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.gf2.additive_transform import collect_bits, evaluate, interpolate, multiply_sums, spread_bits
from qkdpost._kernels.gf2.basis_conversion import conversion_steps, from_transform_basis, to_transform_basis
from qkdpost._kernels.gf2.cantor import transform_tables
from qkdpost._kernels.gf2.clmul import GUARD_WORDS, convolve_window
from qkdpost._kernels.jit.decorators import kernel

__all__ = ["choose_levels", "copy_bits", "toeplitz_product"]

Words: TypeAlias = NDArray[np.uint64]

MIN_LEVELS = 9
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
    levels = choose_levels(input_bits, output_bits)
    if levels:
        _by_transform(levels, words, input_bits, seed, output, output_bits)
    else:
        _directly(words, input_bits, seed, output)
    if output_bits % 64:
        output[-1] &= np.uint64((1 << (output_bits % 64)) - 1)


def choose_levels(input_bits: int, output_bits: int) -> int:
    """Return the levels of the transform that is estimated to be fastest; 0 for no transform."""
    best = DIRECT_LANES * (input_bits // 128 + 4) * (output_bits // 128 + 4)
    chosen = 0
    for levels in range(MIN_LEVELS, MAX_LEVELS + 1):
        left, right, wanted, _ = _block_counts(levels, input_bits, output_bits)
        point = POINT_LEVEL * levels + UNCACHED_LEVEL * max(0, levels - CACHED_LEVELS)
        forward = (left + right) * (FORWARD_POINT + point)
        backward = wanted * (BACKWARD_POINT + point)
        cost = (forward + backward + wanted * left * POINT_PRODUCT) << levels
        if cost < best:
            best, chosen = cost, levels
    return chosen


def _block_counts(levels: int, input_bits: int, output_bits: int) -> tuple[int, int, int, int]:
    """Return the blocks of x, of the seed and of the output, and the bits by which the seed is raised."""
    block_bits = 64 << levels
    raised = -(input_bits - 1) % block_bits
    left = -(-input_bits // block_bits)
    right = -(-(input_bits + output_bits - 1 + raised) // block_bits)
    return left, right, -(-output_bits // block_bits) + 1, raised


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


def _by_transform(levels: int, words: Words, input_bits: int, seed: Words, output: Words, output_bits: int) -> None:
    """Multiply block by block."""
    tables = transform_tables(levels)
    left_blocks, right_blocks, wanted, raised = _block_counts(levels, input_bits, output_bits)
    size = 2 << levels
    left, right, products, scratch = _workspace(left_blocks * size, right_blocks * size, wanted * size, size)
    shape = (levels, tables.bases, tables.blocks, tables.coarse, tables.fine)
    steps = conversion_steps(levels + 6)
    _transform_blocks(words, 0, left, scratch, tables.spread, steps, *shape)
    _transform_blocks(seed, -raised, right, scratch, tables.spread, steps, *shape)
    first = (input_bits - 1 + raised) // (64 << levels) - 1
    output[:] = 0
    multiply_sums(left, right, size, first, products)
    _add_blocks(products, scratch, output, tables.collect, conversion_steps(levels + 7), *shape)


def _workspace(*sizes: int) -> list[Words]:
    """Return arrays of so many words, each at the start of a cache line, in one piece of memory.

    One piece, since the system maps a large one by large pages, which costs far less than page by page.
    """
    whole = np.empty(sum(sizes) + 8 * len(sizes), dtype=np.uint64)
    start = -(whole.ctypes.data // 8) % 8
    arrays = []
    for size in sizes:
        arrays.append(whole[start : start + size])
        start += size + -size % 8
    return arrays


@kernel
def _transform_blocks(
    words: Words,
    start: int,
    values: Words,
    scratch: Words,
    spread: NDArray[np.int32],
    steps: NDArray[np.int64],
    levels: int,
    bases: Words,
    blocks: Words,
    coarse: Words,
    fine: Words,
) -> None:
    """Transform the bits of `words` from bit `start` on, block by block, until `values` is full."""
    count = 1 << levels
    for block in range(values.size // (2 * count)):
        copy_bits(words, start + block * 64 * count, scratch[:count])
        to_transform_basis(scratch, 0, count, steps)
        spread_bits(scratch, count >> 6, spread, values, 2 * count * block)
        evaluate(values, 2 * count * block, levels, bases, blocks, coarse, fine)


@kernel
def _add_blocks(
    products: Words,
    scratch: Words,
    output: Words,
    collect: NDArray[np.int32],
    steps: NDArray[np.int64],
    levels: int,
    bases: Words,
    blocks: Words,
    coarse: Words,
    fine: Words,
) -> None:
    """Transform `products` back and add them, two blocks each, to `output`.

    Each begins one block after the one before, and the first begins one block before `output` does.
    """
    count = 1 << levels
    size = 2 * count
    for index in range(products.size // size):
        interpolate(products, index * size, levels, bases, blocks, coarse, fine)
        collect_bits(products, index * size, count >> 6, collect, scratch)
        from_transform_basis(scratch, 0, size, steps)
        offset = (index - 1) * count
        for place in range(max(0, -offset), min(size, output.size - offset)):
            output[offset + place] ^= scratch[place]


@kernel
def copy_bits(words: Words, start: int, output: Words) -> None:
    """Write the bits of `words` from bit `start` on to all of `output`; bits outside `words` are zero."""
    first = start >> 6
    down = np.uint64(start & 63)
    up = np.uint64(63) - down
    for index in range(output.size):
        source = first + index
        low = words[source] if 0 <= source < words.size else np.uint64(0)
        high = words[source + 1] if 0 <= source + 1 < words.size else np.uint64(0)
        output[index] = (low >> down) | ((high << np.uint64(1)) << up)


def warm() -> None:
    """Compile every kernel of this file and those below it."""
    words = np.zeros(1, dtype=np.uint64)
    words.flags.writeable = False
    output = np.zeros(1, dtype=np.uint64)
    _directly(words, 1, words, output)
    _by_transform(MIN_LEVELS, words, 1, words, output, 1)
