"""The round of Cascade: one call advances every frame by one exchange of parities.

`parity` tells what a frame holds; here is what it asks, and what it makes of the answer.
"""

from __future__ import annotations

import numpy as np

from qkdpost._kernels.bits.counting import trailing_zeros
from qkdpost._kernels.bits.prefetching import prefetch
from qkdpost._kernels.cascade.blocks import ask_blocks, correct_single, learn_blocks
from qkdpost._kernels.cascade.trees import (
    ASKED,
    BLOCKS,
    COUNT,
    DONE,
    FOUND,
    FRAME_WORDS,
    FRAMES,
    FRAMES_AT,
    HALVES,
    KIND,
    LENGTH,
    MARKED,
    ODD,
    PARITIES,
    PASSES,
    PASSES_AT,
    PERMUTED,
    SHORT,
    SHORTS,
    SPLIT,
    STARTED,
    STRIDE,
    SUBSET,
    SUMMARY_WORDS,
    WHICH,
    Integers,
    Orders,
    Words,
    get_bit,
    is_short,
    mask_of,
    masked_parity,
    middle_of,
    middle_of_subset,
    put_bit,
    range_end,
    range_parity,
    record_of,
    signed,
    turn_mark,
)
from qkdpost._kernels.jit.decorators import lean_kernel

__all__ = ["advance", "warm"]

# Frames whose steps are taken side by side, so that what one waits for comes while others work.
TOGETHER = 8


@lean_kernel
def ask_ranges(
    cells: Words,
    plan: Integers,
    columns: int,
    index: int,
    short_only: bool,
    limit: int,
    pending: Words,
    parities: Words,
    written: int,
) -> int:
    """Ask for the left halves of the marked ranges of pass `index`; return the parities written so far.

    All of them, or only the short ones; in any case until `limit` parities are written.
    """
    record = record_of(plan, columns, index)
    tree = signed(cells[record])
    own = signed(cells[record_of(plan, columns, 0)])
    subset = plan[PASSES_AT + 3 * index + KIND] == SUBSET
    mask = mask_of(plan, index)
    for word_index in range(plan[SUMMARY_WORDS]):
        flags = cells[record + 1 + word_index]
        while flags != np.uint64(0):
            group = (word_index << 6) + trailing_zeros(flags)
            flags &= flags - np.uint64(1)
            marks = cells[tree + STRIDE * group + ODD]
            while marks != np.uint64(0) and written < limit:
                start = (group << 6) + trailing_zeros(marks)
                marks &= marks - np.uint64(1)
                if short_only and not is_short(cells, tree, start, plan[LENGTH]):
                    continue
                end = range_end(cells, tree, start, plan[LENGTH])
                size = end - start
                middle = start + ((size + 1) >> 1) if size > 1 else start
                if subset:
                    middle = middle_of_subset(cells, mask, start, end)
                if middle == start:
                    # A single member at odds with another pass: only a peer that lies brings this about.
                    turn_mark(cells, plan, columns, index, tree, start)
                    continue
                pending[written] = (
                    np.uint64(index) << np.uint64(48) | np.uint64(start) << np.uint64(24) | np.uint64(end)
                )
                if subset:
                    put_bit(parities, written, masked_parity(cells, own, mask, start, middle))
                else:
                    put_bit(parities, written, range_parity(cells, tree, start, middle))
                written += 1
    return written


@lean_kernel
def prefetch_halves(cells: Words, plan: Integers, columns: int, asked: Words, read: int) -> None:
    """Bring near what `learn_halves` will touch."""
    for at in range(read, read + signed(cells[columns + COUNT])):
        entry = asked[at]
        tree = signed(cells[record_of(plan, columns, signed(entry >> np.uint64(48)))])
        prefetch(cells, tree + STRIDE * (signed((entry >> np.uint64(24)) & np.uint64(0xFFFFFF)) >> 6))


@lean_kernel
def learn_halves(cells: Words, plan: Integers, columns: int, pending: Words, mismatch: Words, read: int) -> int:
    """Divide the ranges that were asked; return how many mismatch bits are read by now.

    What is left with a single member and a mark goes to the front of the frame's part of `pending`, and its number to
    FOUND: it is corrected when every range is divided.
    """
    low = np.uint64(0xFFFFFF)
    found = read
    for _ in range(signed(cells[columns + COUNT])):
        entry = pending[read]
        index = signed(entry >> np.uint64(48))
        start = signed((entry >> np.uint64(24)) & low)
        end = signed(entry & low)
        tree = signed(cells[record_of(plan, columns, index)])
        middle = middle_of(cells, plan, index, start, end)
        cells[tree + STRIDE * (middle >> 6) + SPLIT] |= np.uint64(1) << np.uint64(middle & 63)
        left_odd = get_bit(mismatch, read)
        if start >> 6 == middle >> 6:
            # Which half is odd is anybody's guess: moving the mark must not be a branch.
            both = np.uint64(1) << np.uint64(start & 63) | np.uint64(1) << np.uint64(middle & 63)
            cells[tree + STRIDE * (start >> 6) + ODD] ^= both * (np.uint64(1) - left_odd)
        elif left_odd == np.uint64(0):
            turn_mark(cells, plan, columns, index, tree, start)
            turn_mark(cells, plan, columns, index, tree, middle)
        end = middle if left_odd != np.uint64(0) else end
        start = start if left_odd != np.uint64(0) else middle
        cells[columns + SHORTS] |= np.uint64(end - start <= SHORT) << np.uint64(index)
        read += 1
        if middle_of(cells, plan, index, start, end) == start:
            pending[found] = np.uint64(index) << np.uint64(48) | np.uint64(start) << np.uint64(24) | np.uint64(end)
            found += 1
    cells[columns + FOUND] = np.uint64(found - read + signed(cells[columns + COUNT]))
    return read


@lean_kernel
def prefetch_corrections(
    cells: Words, plan: Integers, orders: Orders, columns: int, pending: Words, first: int
) -> None:
    """Bring near what `correct_found` will touch in the natural and the permuted passes."""
    for at in range(first, first + signed(cells[columns + FOUND])):
        index = signed(pending[at] >> np.uint64(48))
        position = signed((pending[at] >> np.uint64(24)) & np.uint64(0xFFFFFF))
        if plan[PASSES_AT + 3 * index + KIND] == PERMUTED:
            position = signed(orders[2 * plan[PASSES_AT + 3 * index + WHICH] * plan[LENGTH] + position])
        if index > 0:
            prefetch(cells, signed(cells[record_of(plan, columns, 0)]) + STRIDE * (position >> 6))
        for other in range(1, plan[PASSES]):
            if plan[PASSES_AT + 3 * other + KIND] != PERMUTED:
                break
            place = signed(orders[(2 * plan[PASSES_AT + 3 * other + WHICH] + 1) * plan[LENGTH] + position])
            prefetch(cells, signed(cells[record_of(plan, columns, other)]) + STRIDE * (place >> 6))


@lean_kernel
def correct_found(cells: Words, plan: Integers, orders: Orders, columns: int, pending: Words, first: int) -> None:
    """Correct what `learn_halves` found, unless another correction turned its mark."""
    for at in range(first, first + signed(cells[columns + FOUND])):
        entry = pending[at]
        start = signed((entry >> np.uint64(24)) & np.uint64(0xFFFFFF))
        end = signed(entry & np.uint64(0xFFFFFF))
        correct_single(cells, plan, orders, columns, signed(entry >> np.uint64(48)), start, end)


@lean_kernel
def learn(cells: Words, plan: Integers, orders: Orders, columns: int, asked: Words, mismatch: Words, read: int) -> int:
    """Take in what a frame was told; return how many mismatch bits are read by now."""
    said = signed(cells[columns + ASKED])
    cells[columns + FOUND] = np.uint64(0)
    if said == BLOCKS:
        return learn_blocks(cells, plan, orders, columns, mismatch, read)
    if said == HALVES:
        first = read
        read = learn_halves(cells, plan, columns, asked, mismatch, read)
        prefetch_corrections(cells, plan, orders, columns, asked, first)
    return read


@lean_kernel
def ask_next(cells: Words, plan: Integers, columns: int, pending: Words, parities: Words, written: int) -> int:
    """Choose what a frame asks next; return the parities written so far.

    All marked ranges of the earliest pass that has any, and the short ones of all passes, but no more ranges than the
    frame has bits. If none is marked, the blocks of the next pass.
    """
    before = written
    marked = cells[columns + MARKED]
    limit = before + plan[LENGTH]
    while marked != np.uint64(0):
        index = trailing_zeros(marked)
        marked &= marked - np.uint64(1)
        short_only = written > before
        so_far = written
        written = ask_ranges(cells, plan, columns, index, short_only, limit, pending, parities, written)
        if short_only and written == so_far and written < limit:
            cells[columns + SHORTS] &= ~(np.uint64(1) << np.uint64(index))
        if written > before:
            marked &= cells[columns + SHORTS]
    if written > before:
        cells[columns + ASKED] = np.uint64(HALVES)
        cells[columns + COUNT] = np.uint64(written - before)
        cells[columns + PARITIES] += np.uint64(written - before)
        return written
    if signed(cells[columns + STARTED]) < plan[PASSES]:
        return ask_blocks(cells, plan, columns, parities, written)
    cells[columns + ASKED] = np.uint64(DONE)
    cells[columns + COUNT] = np.uint64(0)
    return written


@lean_kernel
def advance(
    cells: Words, plan: Integers, orders: Orders, mismatch: Words, asked: Words, pending: Words, parities: Words
) -> int:
    """Take every frame through one round.

    Args:
        cells: what the module says; changed in place.
        plan: what the module says.
        orders: what the module says.
        mismatch: own parities of the last round XOR the peer's, in their order; empty in the first round.
        asked: the halved ranges behind `mismatch`: 2^48 pass + 2^24 start + end; `pending` of the last round.
        pending: takes the ranges of this round, at their number in the list.
        parities: takes the own parities of this round, packed.

    Returns:
        The number of parities written; 0 once every frame is done.
    """
    read = 0
    written = 0
    for group in range(0, plan[FRAMES], TOGETHER):
        size = min(TOGETHER, plan[FRAMES] - group)
        first = plan[FRAMES_AT] + group * plan[FRAME_WORDS]
        end = first + size * plan[FRAME_WORDS]
        corrected = read
        for columns in range(first, end, plan[FRAME_WORDS]):
            prefetch(cells, columns + TOGETHER * plan[FRAME_WORDS])
            prefetch(cells, columns + TOGETHER * plan[FRAME_WORDS] + 8)
            prefetch(cells, columns + TOGETHER * plan[FRAME_WORDS] + 16)
            read = learn(cells, plan, orders, columns, asked, mismatch, read)
        for columns in range(first, end, plan[FRAME_WORDS]):
            if signed(cells[columns + ASKED]) == HALVES:
                correct_found(cells, plan, orders, columns, asked, corrected)
            corrected += signed(cells[columns + COUNT])
        for columns in range(first, end, plan[FRAME_WORDS]):
            if signed(cells[columns + ASKED]) != DONE:
                written = ask_next(cells, plan, columns, pending, parities, written)
        next_end = end + min(TOGETHER, plan[FRAMES] - group - size) * plan[FRAME_WORDS]
        ahead = read
        for columns in range(end, next_end, plan[FRAME_WORDS]):
            if signed(cells[columns + ASKED]) == HALVES:
                prefetch_halves(cells, plan, columns, asked, ahead)
            ahead += signed(cells[columns + COUNT])
    return written


def warm() -> None:
    """Compile every kernel of this file."""
    plan = np.zeros(PASSES_AT + 6, dtype=np.int64)
    plan[[LENGTH, PASSES]] = 1, 2
    cells, stream = np.zeros(64, dtype=np.uint64), np.zeros(1, dtype=np.uint64)
    mismatch = stream.copy()
    mismatch.flags.writeable = False
    advance(cells, plan, np.zeros(2, dtype=np.uint32), mismatch, stream, stream, stream)
