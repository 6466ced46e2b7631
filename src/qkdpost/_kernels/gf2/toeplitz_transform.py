"""Toeplitz products block by block, over transforms of the blocks.

What is multiplied is cut into blocks of B bits, whose transforms are taken once each: output block k is the sum of the
products of blocks j of x and k - j of the seed, and only the blocks that meet the window are transformed back. What is
held is the transforms, twice the packed size of x, seed and output. The seed is raised so that the window starts at the
start of a block. Blocks are transformed apart from each other, and the sums of products are formed place by place: both
are shared among threads.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.bits.packing import copy_bits
from qkdpost._kernels.gf2.additive_transform import (
    PIECE,
    collect_bits,
    evaluate,
    interpolate,
    multiply_sums,
    spread_bits,
)
from qkdpost._kernels.gf2.basis_conversion import conversion_steps, from_transform_basis, to_transform_basis
from qkdpost._kernels.gf2.cantor import transform_tables
from qkdpost._kernels.jit.decorators import kernel
from qkdpost.threads import Step, in_steps

__all__ = ["MIN_LEVELS", "block_counts", "multiply_by_transform"]

Words: TypeAlias = NDArray[np.uint64]

MIN_LEVELS = 9
LEAST_POINTS = 1 << 11
"""Points of a transform, some thirty microseconds of work, that make a piece for a thread that is at work already."""
LEAST_PRODUCTS = 1 << 14
"""Words of all products, likewise."""
LEAST_WORDS = 1 << 14
"""Words of the output, likewise."""
LEAST_POINTS_TO_SHARE = 1 << 14
"""Points of all transforms, some half millisecond of work, that are worth waking other threads."""


def block_counts(levels: int, input_bits: int, output_bits: int) -> tuple[int, int, int, int]:
    """Return the blocks of x, of the seed and of the output, and the bits by which the seed is raised."""
    block_bits = 64 << levels
    raised = -(input_bits - 1) % block_bits
    left = -(-input_bits // block_bits)
    right = -(-(input_bits + output_bits - 1 + raised) // block_bits)
    return left, right, -(-output_bits // block_bits) + 1, raised


def multiply_by_transform(
    levels: int, words: Words, input_bits: int, seed: Words, output: Words, output_bits: int
) -> None:
    """Write the product as `toeplitz_product` does, over transforms of 2^levels points; bits past the end are any."""
    tables = transform_tables(levels)
    shape = (levels, tables.bases, tables.blocks, tables.coarse, tables.fine)
    steps, steps_back = conversion_steps(levels + 6), conversion_steps(levels + 7)
    left_blocks, right_blocks, wanted, raised = block_counts(levels, input_bits, output_bits)
    size, block_bits = 2 << levels, 64 << levels
    values, products = _workspace((left_blocks + right_blocks) * size, wanted * size)
    left, right = values[: left_blocks * size], values[left_blocks * size :]
    first = (input_bits - 1 + raised) // block_bits - 1

    def transform(begin: int, end: int) -> None:
        scratch = np.empty(size // 2, dtype=np.uint64)
        middle = min(max(left_blocks, begin), end)
        for bits, start, part in (
            (words, begin * block_bits, values[begin * size : middle * size]),
            (seed, (middle - left_blocks) * block_bits - raised, values[middle * size : end * size]),
        ):
            _transform_blocks(bits, start, part, scratch, tables.spread, steps, *shape)

    def multiply(begin: int, end: int) -> None:
        multiply_sums(left, right, size, first, products, begin * PIECE, end * PIECE)

    def transform_back(begin: int, end: int) -> None:
        scratch = np.empty(size, dtype=np.uint64)
        _restore_blocks(products[begin * size : end * size], scratch, tables.collect, steps_back, *shape)

    def add(begin: int, end: int) -> None:
        _add_halves(products, size >> 1, output, begin, end)

    worth_it = (left_blocks + right_blocks) << levels >= LEAST_POINTS_TO_SHARE
    least = max(1, LEAST_POINTS >> levels)
    (in_steps if worth_it else _alone)(
        Step(transform, left_blocks + right_blocks, least),
        Step(multiply, size // PIECE, LEAST_PRODUCTS // (left_blocks * wanted * PIECE)),
        Step(transform_back, wanted, least),
        Step(add, output.size, LEAST_WORDS),
    )


def _alone(*steps: Step) -> None:
    """Do one step after another in this thread."""
    for step in steps:
        step.work(0, step.size)


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
def _restore_blocks(
    products: Words,
    scratch: Words,
    collect: NDArray[np.int32],
    steps: NDArray[np.int64],
    levels: int,
    bases: Words,
    blocks: Words,
    coarse: Words,
    fine: Words,
) -> None:
    """Transform `products` back, each where it is: two blocks of bits."""
    count = 1 << levels
    size = 2 * count
    for place in range(0, products.size, size):
        interpolate(products, place, levels, bases, blocks, coarse, fine)
        collect_bits(products, place, count >> 6, collect, scratch)
        from_transform_basis(scratch, 0, size, steps)
        products[place : place + size] = scratch


@kernel
def _add_halves(products: Words, count: int, output: Words, begin: int, end: int) -> None:
    """Write words `begin` ... `end` - 1 of `output`, the sum of `products` of two blocks of `count` words each.

    Each begins one block after the one before, and the first begins one block before `output` does.
    """
    for block in range(begin // count, (end - 1) // count + 1):
        offset = count * (block + 1)
        for place in range(max(begin, count * block), min(end, count * (block + 1))):
            output[place] = products[offset + place] ^ products[offset + count + place]


def warm() -> None:
    """Compile every kernel of this file and those below it."""
    words = np.zeros(1, dtype=np.uint64)
    words.flags.writeable = False
    multiply_by_transform(MIN_LEVELS, words, 1, words, np.zeros(1, dtype=np.uint64), 1)
