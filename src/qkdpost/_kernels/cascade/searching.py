"""Searching odd ranges: the parities that are asked of them, and what the peer's tell.

A range that is asked is halved, or, once a frame has taken many rounds, cut in four: then the left quarters of both
halves are asked at once with the left half, so that a search takes half the rounds and discloses half as much again.
"""

from __future__ import annotations

import numpy as np

from qkdpost._kernels.bits.counting import ones
from qkdpost._kernels.cascade.odd_ranges import ASKED_RANGE, end_of, pass_of, range_word, start_of
from qkdpost._kernels.cascade.trees import (
    KIND,
    LENGTH,
    LISTED,
    SPLIT,
    STRIDE,
    SUBSET,
    TREE,
    Integers,
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
from qkdpost._kernels.jit.decorators import inlined_kernel

__all__ = ["ask_ranges", "learn_halves", "learn_quarters"]

# An odd range up to this long is searched whatever else is asked: it seldom holds what another search is after.
SHORT = 16


@inlined_kernel
def middle_of(cells: Words, plan: Integers, index: int, start: int, end: int) -> int:
    """Return where a range is divided, the left half the longer, or `start` if it has one member (or none)."""
    if plan[row_of(index) + KIND] == SUBSET:
        return middle_of_subset(cells, mask_of(plan, index), start, end)
    return start + ((end - start + 1) >> 1) if end - start > 1 else start


@inlined_kernel
def ask_half(
    cells: Words, plan: Integers, trees: int, index: int, start: int, end: int, parities: Words, written: int
) -> tuple[int, int]:
    """Ask for the left half of a range that can be divided; return its middle, and the parities written so far."""
    middle = middle_of(cells, plan, index, start, end)
    if middle == start:
        return middle, written
    if plan[row_of(index) + KIND] == SUBSET:
        parity = masked_parity(cells, trees, mask_of(plan, index), start, middle)
    else:
        parity = range_parity(cells, trees + plan[row_of(index) + TREE], start, middle)
    put_bit(parities, written, parity)
    return middle, written + 1


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
    quartering: bool,
) -> tuple[int, int]:
    """List at `target` what is odd, and ask for halves or quarters; return the list's end and the parities so far.

    Asked are all ranges of the earliest pass that has any, and the short ones of all passes, but no more than the frame
    has bits.
    """
    earliest = -1
    limit = written + max(0, plan[LENGTH] - (3 if quartering else 1))
    for at in range(source, source_end):
        word = ranges[at]
        index, start, end = pass_of(word), start_of(word), end_of(word)
        if (index != earliest and earliest >= 0 and end - start > SHORT) or written > limit:
            ranges[target] = word
            target += 1
            continue
        before = written
        middle, written = ask_half(cells, plan, trees, index, start, end, parities, written)
        # A single member at odds with another pass: only a peer that lies brings this about.
        if written == before:
            continue
        if quartering:
            _, written = ask_half(cells, plan, trees, index, start, middle, parities, written)
            _, written = ask_half(cells, plan, trees, index, middle, end, parities, written)
        earliest = index if earliest < 0 else earliest
        ranges[target] = word | ASKED_RANGE
        target += 1
    return target, written


@inlined_kernel
def divide(cells: Words, plan: Integers, trees: int, index: int, middle: int) -> None:
    """Let a range start at `middle`."""
    tree = trees + plan[row_of(index) + TREE]
    if plan[row_of(index) + KIND] == SUBSET:
        tree = tree_of_subset(cells, plan, trees, index)
    cells[tree + STRIDE * (middle >> 6) + SPLIT] |= np.uint64(1) << np.uint64(middle & 63)


@inlined_kernel
def list_odd(
    cells: Words, plan: Integers, ranges: Words, index: int, start: int, end: int, odd: np.uint64, kept: int, found: int
) -> tuple[int, int]:
    """List a range, if it is odd, at `kept`, or if it has one member, at `found`; return the ends of both lists."""
    if odd == np.uint64(0):
        return kept, found
    count = min(2, end - start)
    if plan[row_of(index) + KIND] == SUBSET and end - start <= 64:
        count = min(2, ones(members(cells, mask_of(plan, index), start, end)))
    ranges[kept] = range_word(index, start, end)
    ranges[found] = ranges[kept]
    return kept + (count >> 1), found + (count & 1)


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
            middle = middle_of(cells, plan, index, start, end)
            divide(cells, plan, trees, index, middle)
            first, last = (start, middle) if left_odd else (middle, end)
            kept, found = list_odd(cells, plan, ranges, index, first, last, np.uint64(1), kept, found)
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
def learn_half(
    cells: Words,
    plan: Integers,
    trees: int,
    ranges: Words,
    index: int,
    start: int,
    end: int,
    odd: np.uint64,
    kept: int,
    found: int,
    own: Words,
    answer: Words,
    read: int,
) -> tuple[int, int, int]:
    """Divide a half of known parity into quarters, and list those that are odd, or the half, as `learn_quarters`."""
    middle = middle_of(cells, plan, index, start, end)
    if middle > start:
        left_odd = get_bit(own, read) ^ get_bit(answer, read)
        read += 1
        divide(cells, plan, trees, index, middle)
        kept, found = list_odd(cells, plan, ranges, index, start, middle, left_odd, kept, found)
        start = middle
        odd ^= left_odd
    kept, found = list_odd(cells, plan, ranges, index, start, end, odd, kept, found)
    return kept, found, read


@inlined_kernel
def learn_quarters(
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
    """Cut the ranges that were asked in four; list what is odd at `kept`, at `found` what has a single member.

    Of one range up to three are odd: the list is moved out of their way before.

    Returns:
        The ends of both lists, and how many parities are read by now.
    """
    moved = 3 * (ranges.size // 4)
    listed = signed(cells[columns + LISTED])
    for at in range(listed):
        ranges[moved + at] = ranges[source + at]
    for at in range(moved, moved + listed):
        asked = ranges[at]
        if asked < ASKED_RANGE:
            ranges[kept] = asked
            kept += 1
            continue
        index, start, end = pass_of(asked), start_of(asked), end_of(asked)
        left_odd = get_bit(own, read) ^ get_bit(answer, read)
        read += 1
        middle = middle_of(cells, plan, index, start, end)
        divide(cells, plan, trees, index, middle)
        for half in range(2):
            first, last = (middle, end) if half else (start, middle)
            odd = left_odd ^ np.uint64(half)
            kept, found, read = learn_half(
                cells, plan, trees, ranges, index, first, last, odd, kept, found, own, answer, read
            )
    return kept, found, read
