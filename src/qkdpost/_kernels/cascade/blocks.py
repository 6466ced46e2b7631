"""The blocks of a pass of Cascade: their parities, what the peer's tell of them, and bits that are found at once.

`parity` tells what a frame holds; `cascade_round` takes a frame from its blocks to single errors.
"""

from __future__ import annotations

import numpy as np

from qkdpost._kernels.bits.counting import ones, trailing_zeros
from qkdpost._kernels.cascade.trees import (
    ASKED,
    BLOCK,
    BLOCKS,
    CORRECTING,
    COUNT,
    ERRORS,
    FIRST,
    KIND,
    LENGTH,
    MARKED,
    ODD,
    PARITIES,
    PASSES,
    PASSES_AT,
    PERMUTED,
    SHORTS,
    STARTED,
    STRIDE,
    SUBSET,
    WHICH,
    Integers,
    Orders,
    Words,
    get_bit,
    is_short,
    mask_of,
    masked_parity,
    members,
    note_marks,
    put_bit,
    range_parity,
    range_start,
    record_of,
    signed,
    start_tree,
    subset_tree,
    turn_mark,
)
from qkdpost._kernels.jit.decorators import lean_kernel

__all__ = ["ask_blocks", "correct_single", "learn_blocks"]


@lean_kernel
def correct_bit(cells: Words, plan: Integers, orders: Orders, columns: int, position: int) -> None:
    """Count an error at `position` of the frame as it stands, turn the ranges that hold it, flip the own bit."""
    cells[columns + ERRORS] += np.uint64(1)
    started = signed(cells[columns + STARTED])
    for index in range(plan[PASSES]):
        kind = plan[PASSES_AT + 3 * index + KIND]
        place = position
        if kind == SUBSET:
            mask = mask_of(plan, index)
            if index >= started:
                break
            if (cells[mask + (place >> 6)] >> np.uint64(place & 63)) & np.uint64(1) == np.uint64(0):
                continue
            tree = subset_tree(cells, plan, columns, index)
        else:
            if kind == PERMUTED:
                place = signed(orders[(2 * plan[PASSES_AT + 3 * index + WHICH] + 1) * plan[LENGTH] + position])
            tree = signed(cells[record_of(plan, columns, index)])
            if plan[CORRECTING] != 0:
                cells[tree + STRIDE * (place >> 6)] ^= np.uint64(1) << np.uint64(place & 63)
        if index < started:
            start = range_start(cells, tree, place)
            turn_mark(cells, plan, columns, index, tree, start)
            if is_short(cells, tree, start, plan[LENGTH]):
                cells[columns + SHORTS] |= np.uint64(1) << np.uint64(index)


@lean_kernel
def correct_single(
    cells: Words, plan: Integers, orders: Orders, columns: int, index: int, start: int, end: int
) -> None:
    """Correct the only member of a range of pass `index`, if the range is marked."""
    tree = signed(cells[record_of(plan, columns, index)])
    mark = cells[tree + STRIDE * (start >> 6) + ODD] >> np.uint64(start & 63)
    if mark & np.uint64(1) == np.uint64(0):
        return
    position = start
    if plan[PASSES_AT + 3 * index + KIND] == PERMUTED:
        position = signed(orders[2 * plan[PASSES_AT + 3 * index + WHICH] * plan[LENGTH] + start])
    elif plan[PASSES_AT + 3 * index + KIND] == SUBSET:
        position += trailing_zeros(members(cells, mask_of(plan, index), start, end))
    correct_bit(cells, plan, orders, columns, position)


@lean_kernel
def correct_single_blocks(cells: Words, plan: Integers, orders: Orders, columns: int, index: int) -> None:
    """Correct what the parities of whole blocks tell already: blocks of one member."""
    if (cells[columns + MARKED] >> np.uint64(index)) & np.uint64(1) == np.uint64(0):
        return
    length = plan[LENGTH]
    block = plan[PASSES_AT + 3 * index + BLOCK]
    if plan[PASSES_AT + 3 * index + KIND] == SUBSET:
        if length <= 64 and ones(members(cells, mask_of(plan, index), 0, length)) == 1:
            correct_single(cells, plan, orders, columns, index, 0, length)
        return
    last_single = (length - 1) // block * block
    for start in range(0 if block == 1 else last_single, length, block):
        if length - start == 1 or block == 1:
            correct_single(cells, plan, orders, columns, index, start, start + 1)


@lean_kernel
def asked_blocks(plan: Integers, index: int) -> int:
    """Return how many whole blocks of pass `index` are asked: all in the first, all but the last later."""
    block = plan[PASSES_AT + 3 * index + BLOCK]
    blocks = (plan[LENGTH] + block - 1) // block
    return blocks if index == 0 else blocks - 1


@lean_kernel
def block_parities(cells: Words, plan: Integers, tree: int, index: int, parities: Words, written: int) -> int:
    """Write the own parities of the blocks of pass `index` that are asked; return the parities written so far."""
    block = plan[PASSES_AT + 3 * index + BLOCK]
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


@lean_kernel
def ask_blocks(cells: Words, plan: Integers, columns: int, parities: Words, written: int) -> int:
    """Start the next pass, or the whole row of subset passes that is next; return the parities written so far."""
    index = signed(cells[columns + STARTED])
    cells[columns + FIRST] = np.uint64(index)
    cells[columns + ASKED] = np.uint64(BLOCKS)
    before = written
    if plan[PASSES_AT + 3 * index + KIND] != SUBSET:
        written = block_parities(cells, plan, signed(cells[record_of(plan, columns, index)]), index, parities, written)
        index += 1
    else:
        tree = signed(cells[record_of(plan, columns, 0)])
        while index < plan[PASSES] and plan[PASSES_AT + 3 * index + KIND] == SUBSET:
            put_bit(parities, written, masked_parity(cells, tree, mask_of(plan, index), 0, plan[LENGTH]))
            written += 1
            index += 1
    cells[columns + STARTED] = np.uint64(index)
    cells[columns + COUNT] = np.uint64(written - before)
    cells[columns + PARITIES] += np.uint64(written - before)
    return written


@lean_kernel
def mark_blocks(cells: Words, plan: Integers, columns: int, index: int, mismatch: Words, read: int) -> int:
    """Mark the blocks of pass `index` whose parities differ; return how many mismatch bits are read by now."""
    block = plan[PASSES_AT + 3 * index + BLOCK]
    tree = signed(cells[record_of(plan, columns, index)])
    start_tree(cells, tree, block, plan[LENGTH])
    total = np.uint64(0)
    asked = asked_blocks(plan, index)
    for start in range(0, asked * block, block):
        bit = get_bit(mismatch, read)
        read += 1
        total ^= bit
        cells[tree + STRIDE * (start >> 6) + ODD] |= bit << np.uint64(start & 63)
    # No range of an earlier pass is odd by now, so the frame is even, and the last block is what the others are.
    if index > 0:
        cells[tree + STRIDE * (asked * block >> 6) + ODD] |= total << np.uint64(asked * block & 63)
    for group in range((plan[LENGTH] + 63) >> 6):
        if cells[tree + STRIDE * group + ODD] != np.uint64(0):
            note_marks(cells, plan, columns, index, group)
    return read


@lean_kernel
def learn_blocks(cells: Words, plan: Integers, orders: Orders, columns: int, mismatch: Words, read: int) -> int:
    """Take in the parities of blocks; return how many mismatch bits are read by now."""
    first = signed(cells[columns + FIRST])
    started = signed(cells[columns + STARTED])
    for index in range(first, started):
        if plan[PASSES_AT + 3 * index + KIND] != SUBSET:
            read = mark_blocks(cells, plan, columns, index, mismatch, read)
            continue
        if get_bit(mismatch, read) != np.uint64(0):
            turn_mark(cells, plan, columns, index, subset_tree(cells, plan, columns, index), 0)
        read += 1
    for index in range(first, started):
        cells[columns + SHORTS] |= np.uint64(1) << np.uint64(index)
        correct_single_blocks(cells, plan, orders, columns, index)
    return read
