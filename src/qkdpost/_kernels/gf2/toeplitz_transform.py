"""Toeplitz products block by block, over transforms of the blocks.

What is multiplied is cut into blocks of B bits, whose transforms are taken once each: output block k is the sum of the
products of blocks j of x and k - j of the seed, and only the blocks that meet the window are transformed back. What is
held is the transforms, twice the packed size of x, seed and output. The seed is raised so that the window starts at the
start of a block. Blocks are transformed apart from each other, and the sums of products are formed place by place: both
are shared among threads, all of which go through the whole product in one call of a kernel.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.bits.packing import copy_bits, copy_words
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
from qkdpost._kernels.shared_steps import do_steps, end_piece, next_piece, others_done

__all__ = ["LEAST_POINTS_TO_SHARE", "MIN_LEVELS", "block_counts", "multiply_by_transform"]

Words: TypeAlias = NDArray[np.uint64]

MIN_LEVELS = 9
LEAST_POINTS_TO_SHARE = 1 << 14
"""Points of all transforms, some half millisecond of work, that are worth waking other threads."""
COLUMNS = 4 * PIECE
"""Words of each set that are multiplied as one piece, some ten microseconds of work."""
OUTPUT_WORDS = 1 << 12
"""Words of the output that are added as one piece."""
_STEPS = 4
_TRANSFORM, _MULTIPLY, _TRANSFORM_BACK, _ADD = range(_STEPS)


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

    def work(counters: NDArray[np.int64], helping: bool, step: int) -> int:
        return _work(
            counters, helping, step, words, seed, raised, left, right, first, products, output,
            tables.spread, steps, tables.collect, steps_back, *shape,
        )  # fmt: skip

    pieces = (left_blocks + right_blocks, -(-size // COLUMNS), wanted, -(-output.size // OUTPUT_WORDS))
    worth_it = (left_blocks + right_blocks) << levels >= LEAST_POINTS_TO_SHARE
    do_steps(work, pieces, share=worth_it)


def _workspace(*sizes: int) -> list[Words]:
    """Return arrays of so many words, each at the start of a cache line, in one piece of memory.

    One piece, since the system maps a large one by large pages, which costs far less than page by page.
    """
    whole = np.empty(sum(sizes) + 8 * len(sizes), dtype=np.uint64)
    start = -(whole.__array_interface__["data"][0] // 8) % 8
    arrays = []
    for size in sizes:
        arrays.append(whole[start : start + size])
        start += size + -size % 8
    return arrays


@kernel
def _work(
    counters: NDArray[np.int64],
    helping: bool,
    step: int,
    words: Words,
    seed: Words,
    raised: int,
    left: Words,
    right: Words,
    first: int,
    products: Words,
    output: Words,
    spread: NDArray[np.int32],
    steps: NDArray[np.int64],
    collect: NDArray[np.int32],
    steps_back: NDArray[np.int64],
    levels: int,
    bases: Words,
    blocks: Words,
    coarse: Words,
    fine: Words,
) -> int:
    """Take pieces of one step after another, from `step` on, as `shared_steps` has it."""
    size = 2 << levels
    block_bits = 64 << levels
    left_blocks = left.size // size
    scratch = np.empty(size, np.uint64)
    for at in range(step, _STEPS - 1 if helping else _STEPS):
        piece = next_piece(counters, at)
        while piece >= 0:
            if at == _TRANSFORM:
                of_left = piece < left_blocks
                block = piece if of_left else piece - left_blocks
                source, start, values = (words, 0, left) if of_left else (seed, -raised, right)
                copy_bits(source, start + block * block_bits, scratch[: size >> 1])
                to_transform_basis(scratch, 0, size >> 1, steps)
                spread_bits(scratch, size >> 7, spread, values, block * size)
                evaluate(values, block * size, levels, bases, blocks, coarse, fine)
            elif at == _MULTIPLY:
                column = piece * COLUMNS
                multiply_sums(left, right, size, first, products, column, min(column + COLUMNS, size))
            elif at == _TRANSFORM_BACK:
                place = piece * size
                interpolate(products, place, levels, bases, blocks, coarse, fine)
                collect_bits(products, place, size >> 7, collect, scratch)
                from_transform_basis(scratch, 0, size, steps_back)
                copy_words(scratch, products[place : place + size])
            else:
                word = piece * OUTPUT_WORDS
                _add_halves(products, size >> 1, output, word, min(word + OUTPUT_WORDS, output.size))
            end_piece(counters, at)
            piece = next_piece(counters, at)
        if helping and at == _STEPS - 2:
            break
        if not others_done(counters, at):
            return at
    return _STEPS


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
