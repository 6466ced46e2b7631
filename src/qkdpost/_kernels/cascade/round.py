"""The round of Cascade: one call advances every frame by one exchange of parities.

`trees` tells what a frame holds; here is what it asks, and what it makes of the answer.
"""

from __future__ import annotations

import numpy as np

from qkdpost._kernels.bits.counting import ones
from qkdpost._kernels.cascade.blocks import ask_blocks, blocks_of, learn_blocks
from qkdpost._kernels.cascade.corrections import correct_found, prefetch_found
from qkdpost._kernels.cascade.odd_ranges import ASKED_RANGE, end_of, merge_turned, pass_of, range_word, start_of
from qkdpost._kernels.cascade.trees import (
    ACTIVE,
    ACTIVE_AT,
    ASKED,
    BLOCKS,
    COLUMNS,
    DONE,
    FOUND,
    FRAME_WORDS,
    HALVES,
    HEADERS_AT,
    KIND,
    LENGTH,
    LIST,
    LISTED,
    PARITIES,
    PASSES,
    PASSES_AT,
    ROOM,
    SPLIT,
    STARTED,
    STRIDE,
    SUBSET,
    TREE,
    TREES_AT,
    Integers,
    Orders,
    Words,
    get_bit,
    mask_of,
    masked_parity,
    members,
    middle_of_subset,
    put_bit,
    range_parity,
    row_of,
    signed,
    tree_of_subset,
)
from qkdpost._kernels.jit.decorators import inlined_kernel, lean_kernel

__all__ = ["advance", "warm"]

# Frames whose steps are taken side by side, so that what one waits for comes while others work.
TOGETHER = 16
# An odd range up to this long is halved whatever else is asked: it seldom holds what another search is after.
SHORT = 16


@inlined_kernel
def learn_half_of_subset(
    cells: Words, plan: Integers, trees: int, asked: np.uint64, left_odd: np.uint64
) -> tuple[np.uint64, int]:
    """Divide a range of a subset; return its odd half, and how many members that has, 2 for any more."""
    index, start, end = pass_of(asked), start_of(asked), end_of(asked)
    mask = mask_of(plan, index)
    middle = middle_of_subset(cells, mask, start, end)
    tree = tree_of_subset(cells, plan, trees, index)
    cells[tree + STRIDE * (middle >> 6) + SPLIT] |= np.uint64(1) << np.uint64(middle & 63)
    if left_odd != np.uint64(0):
        end = middle
    else:
        start = middle
    count = 2 if end - start > 64 else min(2, ones(members(cells, mask, start, end)))
    return range_word(index, start, end), count


@inlined_kernel
def learn_halves(
    cells: Words,
    plan: Integers,
    columns: int,
    trees: int,
    ranges: Words,
    source: int,
    kept: int,
    found: int,
    own: Words,
    answer: Words,
    read: int,
) -> tuple[int, int, int]:
    """Divide the ranges that were asked; list what is odd at `kept`, at `found` what has a single member.

    Returns:
        The ends of both lists, and how many parities are read by now.
    """
    for at in range(source, source + signed(cells[columns + LISTED])):
        asked = ranges[at]
        if asked < ASKED_RANGE:
            ranges[kept] = asked
            kept += 1
            continue
        left_odd = get_bit(own, read) ^ get_bit(answer, read)
        read += 1
        index, start, end = pass_of(asked), start_of(asked), end_of(asked)
        if plan[row_of(index) + KIND] == SUBSET:
            half, count = learn_half_of_subset(cells, plan, trees, asked, left_odd)
            ranges[kept] = half
            ranges[found] = half
            kept += count >> 1
            found += count & 1
            continue
        middle = start + ((end - start + 1) >> 1)
        tree = trees + plan[row_of(index) + TREE]
        cells[tree + STRIDE * (middle >> 6) + SPLIT] |= np.uint64(1) << np.uint64(middle & 63)
        # Which half is odd is anybody's guess: to choose it must not be a branch.
        left = signed(left_odd)
        start += (middle - start) * (1 - left)
        end -= (end - middle) * left
        single = signed(end - start == 1)
        half = range_word(index, start, end)
        ranges[kept] = half
        ranges[found] = half
        kept += 1 - single
        found += single
    return kept, found, read


@inlined_kernel
def ask_ranges(
    cells: Words,
    plan: Integers,
    trees: int,
    ranges: Words,
    source: int,
    source_end: int,
    target: int,
    parities: Words,
    written: int,
) -> tuple[int, int]:
    """List at `target` what is odd, and ask for left halves; return the list's end and the parities written so far.

    Asked are all ranges of the earliest pass that has any, and the short ones of all passes, but no more than the frame
    has bits.
    """
    earliest = -1
    limit = written + plan[LENGTH]
    for at in range(source, source_end):
        word = ranges[at]
        index, start, end = pass_of(word), start_of(word), end_of(word)
        if (index != earliest and earliest >= 0 and end - start > SHORT) or written == limit:
            ranges[target] = word
            target += 1
            continue
        if plan[row_of(index) + KIND] == SUBSET:
            mask = mask_of(plan, index)
            middle = middle_of_subset(cells, mask, start, end)
            if middle == start:
                continue
            parity = masked_parity(cells, trees, mask, start, middle)
        else:
            # A single member at odds with another pass: only a peer that lies brings this about.
            if end - start == 1:
                continue
            middle = start + ((end - start + 1) >> 1)
            parity = range_parity(cells, trees + plan[row_of(index) + TREE], start, middle)
        earliest = index if earliest < 0 else earliest
        put_bit(parities, written, parity)
        written += 1
        ranges[target] = word | ASKED_RANGE
        target += 1
    return target, written


@inlined_kernel
def learn(
    cells: Words,
    plan: Integers,
    orders: Orders,
    frame: int,
    ranges: Words,
    source: int,
    kept: int,
    found: int,
    own: Words,
    answer: Words,
    read: int,
) -> tuple[int, int, int]:
    """Take in what a frame was told; list what is odd, and what was found, as `learn_halves` does."""
    columns = plan[HEADERS_AT] + COLUMNS * frame
    trees = plan[TREES_AT] + plan[FRAME_WORDS] * frame
    said = signed(cells[columns + ASKED])
    first_kept, first_found = kept, found
    if said == BLOCKS:
        kept, found, read = learn_blocks(cells, plan, columns, trees, ranges, kept, found, own, answer, read)
    elif said == HALVES:
        kept, found, read = learn_halves(cells, plan, columns, trees, ranges, source, kept, found, own, answer, read)
    cells[columns + LISTED] = np.uint64(kept - first_kept)
    cells[columns + FOUND] = np.uint64(found - first_found)
    prefetch_found(cells, plan, orders, trees, ranges, first_found, found)
    return kept, found, read


@inlined_kernel
def ask(
    cells: Words,
    plan: Integers,
    columns: int,
    trees: int,
    ranges: Words,
    source: int,
    source_end: int,
    target: int,
    parities: Words,
    written: int,
) -> tuple[int, int]:
    """Choose what a frame asks next: halves of odd ranges, or if none is odd, the blocks of the next pass.

    Returns:
        The end of the frame's list, or of the room that it needs for what blocks tell; the parities written so far.
    """
    before = written
    end, written = ask_ranges(cells, plan, trees, ranges, source, source_end, target, parities, written)
    cells[columns + LISTED] = np.uint64(end - target)
    if written > before:
        cells[columns + ASKED] = np.uint64(HALVES)
        cells[columns + PARITIES] += np.uint64(written - before)
    elif signed(cells[columns + STARTED]) < plan[PASSES]:
        written = ask_blocks(cells, plan, columns, trees, parities, written)
        end = target + signed(cells[columns + LISTED])
    else:
        cells[columns + ASKED] = np.uint64(DONE)
    return end, written


@inlined_kernel
def room_after(cells: Words, plan: Integers, columns: int, asked: int) -> int:
    """Return how many ranges a frame may have in any list of the next round, given how many parities it asked."""
    started = signed(cells[columns + STARTED])
    following = 0
    if started < plan[PASSES]:
        following = plan[PASSES] if plan[row_of(started) + KIND] == SUBSET else blocks_of(plan, started)
    return signed(cells[columns + LISTED]) + (asked + 1) * started + following


@lean_kernel
def advance(
    cells: Words,
    plan: Integers,
    orders: Orders,
    ranges: Words,
    own: Words,
    answer: Words,
    read: int,
    written: int,
    parities: Words,
) -> int:
    """Take every frame through one round.

    Args:
        cells: what `trees` says; changed in place.
        plan: what `trees` says.
        orders: what `trees` says.
        ranges: four lists of odd ranges, of `cells[ROOM]` words or more each: two by turns for all frames, what was
            found, and what was turned.
        own: `parities` of the last round; empty in the first round.
        answer: the peer's, in the same order; empty in the first round.
        read: where in `own` and `answer` the parities of these frames start.
        written: where in `parities` they go.
        parities: takes the own parities of this round, packed.

    Returns:
        The end of the parities written; `written` once every frame is done.
    """
    capacity = ranges.size // 4
    source = capacity * signed(cells[LIST])
    target = capacity - source
    cells[LIST] ^= np.uint64(1)
    active = signed(cells[ACTIVE])
    still_active = plan[ACTIVE_AT]
    room = 0
    for first in range(plan[ACTIVE_AT], plan[ACTIVE_AT] + active, TOGETHER):
        end = min(first + TOGETHER, plan[ACTIVE_AT] + active)
        kept, kept_end, found = source, source, 2 * capacity
        for at in range(first, end):
            listed = signed(cells[plan[HEADERS_AT] + COLUMNS * signed(cells[at]) + LISTED])
            kept_end, found, read = learn(
                cells, plan, orders, signed(cells[at]), ranges, source, kept_end, found, own, answer, read
            )
            source += listed
        found = 2 * capacity
        for at in range(first, end):
            frame = signed(cells[at])
            columns = plan[HEADERS_AT] + COLUMNS * frame
            trees = plan[TREES_AT] + plan[FRAME_WORDS] * frame
            kept_end = kept + signed(cells[columns + LISTED])
            odd, odd_end = kept, kept_end
            if cells[columns + FOUND] != np.uint64(0):
                turned = correct_found(cells, plan, orders, columns, trees, ranges, found, 3 * capacity)
                found += signed(cells[columns + FOUND])
                if turned > 3 * capacity:
                    odd, odd_end = target, merge_turned(ranges, kept, kept_end, 3 * capacity, turned, target)
            asked = written
            target, written = ask(cells, plan, columns, trees, ranges, odd, odd_end, target, parities, written)
            kept = kept_end
            if written > asked:
                cells[still_active] = np.uint64(frame)
                still_active += 1
                room += room_after(cells, plan, columns, written - asked)
    cells[ACTIVE] = np.uint64(still_active - plan[ACTIVE_AT])
    cells[ROOM] = np.uint64(room)
    return written


def warm() -> None:
    """Compile every kernel of this file."""
    plan = np.zeros(PASSES_AT + 8, dtype=np.int64)
    plan[[LENGTH, PASSES]] = 1, 2
    cells, stream = np.zeros(64, dtype=np.uint64), np.zeros(1, dtype=np.uint64)
    own = stream.copy()
    own.flags.writeable = False
    advance(cells, plan, np.zeros(2, dtype=np.uint32), stream.repeat(8), own, own, 0, 0, stream)
