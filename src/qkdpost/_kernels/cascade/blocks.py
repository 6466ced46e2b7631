"""The blocks of a pass of Cascade: their parities, and what the peer's tell of them."""

from __future__ import annotations

import numpy as np

from qkdpost._kernels.bits.counting import ones, trailing_zeros
from qkdpost._kernels.cascade.odd_ranges import range_word
from qkdpost._kernels.cascade.trees import (
    ASKED,
    BLOCK,
    BLOCKS,
    FIRST,
    KIND,
    LENGTH,
    PARITIES,
    PASSES,
    SPACE,
    STARTED,
    STRIDE,
    SUBSET,
    TREE,
    Integers,
    Words,
    bits_at,
    get_bit,
    mask_of,
    masked_parity,
    members,
    put_bit,
    range_parity,
    row_of,
    signed,
    start_tree,
)
from qkdpost._kernels.jit.decorators import inlined_kernel

__all__ = ["ask_blocks", "blocks_of", "learn_blocks"]


@inlined_kernel
def blocks_of(plan: Integers, index: int) -> int:
    """Return how many blocks pass `index` has."""
    block = plan[row_of(index) + BLOCK]
    return (plan[LENGTH] + block - 1) // block


@inlined_kernel
def asked_blocks(plan: Integers, index: int) -> int:
    """Return how many whole blocks of pass `index` are asked: all in the first, all but the last later."""
    return blocks_of(plan, index) if index == 0 else blocks_of(plan, index) - 1


@inlined_kernel
def block_parities(cells: Words, plan: Integers, tree: int, index: int, parities: Words, written: int) -> int:
    """Write the own parities of the blocks of pass `index` that are asked; return the parities written so far."""
    block = plan[row_of(index) + BLOCK]
    asked = asked_blocks(plan, index) * block
    if 64 % block != 0:
        for start in range(0, asked, block):
            put_bit(parities, written, range_parity(cells, tree, start, min(start + block, plan[LENGTH])))
            written += 1
        return written
    for base in range(0, asked, 64):
        # The lowest bit of each block becomes the parity of the block.
        word = cells[tree + STRIDE * (base >> 6)]
        folded = 1
        while folded < block:
            word ^= word >> np.uint64(folded)
            folded *= 2
        for shift in range(0, min(64, asked - base), block):
            put_bit(parities, written, (word >> np.uint64(shift)) & np.uint64(1))
            written += 1
    return written


@inlined_kernel
def ask_blocks(cells: Words, plan: Integers, columns: int, trees: int, parities: Words, written: int) -> int:
    """Start the next pass, or the whole row of subset passes that is next; return the parities written so far."""
    index = signed(cells[columns + STARTED])
    cells[columns + FIRST] = np.uint64(index)
    cells[columns + ASKED] = np.uint64(BLOCKS)
    before = written
    if plan[row_of(index) + KIND] != SUBSET:
        written = block_parities(cells, plan, trees + plan[row_of(index) + TREE], index, parities, written)
        cells[columns + SPACE] = np.uint64(blocks_of(plan, index))
        index += 1
    else:
        while index < plan[PASSES] and plan[row_of(index) + KIND] == SUBSET:
            put_bit(parities, written, masked_parity(cells, trees, mask_of(plan, index), 0, plan[LENGTH]))
            written += 1
            index += 1
        cells[columns + SPACE] = np.uint64(written - before)
    cells[columns + STARTED] = np.uint64(index)
    cells[columns + PARITIES] += np.uint64(written - before)
    return written


@inlined_kernel
def list_block(plan: Integers, ranges: Words, index: int, number: int, kept: int, found: int) -> tuple[int, int]:
    """List an odd block at `kept`, or if it has one place only, at `found`; return the ends of both lists."""
    block = plan[row_of(index) + BLOCK]
    start = number * block
    end = min(start + block, plan[LENGTH])
    ranges[kept] = range_word(index, start, end)
    ranges[found] = ranges[kept]
    single = signed(end - start == 1)
    return kept + 1 - single, found + single


@inlined_kernel
def learn_whole(
    cells: Words,
    plan: Integers,
    trees: int,
    index: int,
    ranges: Words,
    kept: int,
    found: int,
    told: Words,
    read: int,
) -> tuple[int, int, int]:
    """List the blocks of pass `index` whose parities differ, as `learn_blocks`."""
    start_tree(cells, trees + plan[row_of(index) + TREE], plan[row_of(index) + BLOCK], plan[LENGTH])
    asked = asked_blocks(plan, index)
    total = np.uint64(0)
    for base in range(0, asked, 64):
        count = min(64, asked - base)
        odd = bits_at(told, read, count)
        read += count
        total ^= odd
        while odd != np.uint64(0):
            kept, found = list_block(plan, ranges, index, base + trailing_zeros(odd), kept, found)
            odd &= odd - np.uint64(1)
    # No range of an earlier pass is odd by now, so the frame is even, and the last block is what the others are.
    if index > 0 and ones(total) & 1 == 1:
        kept, found = list_block(plan, ranges, index, asked, kept, found)
    return kept, found, read


@inlined_kernel
def learn_blocks(
    cells: Words,
    plan: Integers,
    columns: int,
    trees: int,
    ranges: Words,
    kept: int,
    found: int,
    told: Words,
    read: int,
) -> tuple[int, int, int]:
    """List at `kept` the blocks that are odd, at `found` those of a single member.

    Returns:
        The ends of both lists, and how many parities are read by now.
    """
    length = plan[LENGTH]
    for index in range(signed(cells[columns + FIRST]), signed(cells[columns + STARTED])):
        if plan[row_of(index) + KIND] != SUBSET:
            kept, found, read = learn_whole(cells, plan, trees, index, ranges, kept, found, told, read)
            continue
        odd = signed(get_bit(told, read))
        read += 1
        count = 2 if length > 64 else ones(members(cells, mask_of(plan, index), 0, length))
        ranges[kept] = range_word(index, 0, length)
        ranges[found] = ranges[kept]
        kept += odd * signed(count > 1)
        found += odd * signed(count == 1)
    return kept, found, read
