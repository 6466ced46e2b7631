"""Lists of odd ranges of a frame: one word for each, in the order of passes, then of places.

A word is 2^48 pass + 2^24 start + end, and ASKED_RANGE more if parities of it were asked; among what was found, LOCATED
more if it is not a range, but where in one the error must be if it is alone.
"""

from __future__ import annotations

import numpy as np

from qkdpost._kernels.cascade.trees import (
    KIND,
    LENGTH,
    PERMUTED,
    SUBSET,
    TREE,
    WHICH,
    Integers,
    Orders,
    Words,
    get_bit,
    mask_of,
    place_under,
    range_end,
    range_start,
    row_of,
    signed,
)
from qkdpost._kernels.jit.decorators import inlined_kernel

__all__ = [
    "ASKED_RANGE",
    "LOCATED",
    "end_of",
    "merge_turned",
    "pass_of",
    "range_holding",
    "range_word",
    "sort_ranges",
    "start_of",
]

ASKED_RANGE, LOCATED = np.uint64(1 << 63), np.uint64(1 << 62)


@inlined_kernel
def range_word(index: int, start: int, end: int) -> np.uint64:
    """Return the word of the range start ... end - 1 of pass `index`."""
    return np.uint64(index) << np.uint64(48) | np.uint64(start) << np.uint64(24) | np.uint64(end)


@inlined_kernel
def pass_of(word: np.uint64) -> int:
    """Return the pass of a range."""
    return signed((word >> np.uint64(48)) & np.uint64(63))


@inlined_kernel
def start_of(word: np.uint64) -> int:
    """Return where a range starts."""
    return signed((word >> np.uint64(24)) & np.uint64(0xFFFFFF))


@inlined_kernel
def end_of(word: np.uint64) -> int:
    """Return where a range ends."""
    return signed(word & np.uint64(0xFFFFFF))


@inlined_kernel
def range_holding(cells: Words, plan: Integers, orders: Orders, trees: int, index: int, position: int) -> np.uint64:
    """Return the range of pass `index` that holds a position of the frame; 0 where a subset does not."""
    place, tree, length = position, trees + plan[row_of(index) + TREE], plan[LENGTH]
    if plan[row_of(index) + KIND] == SUBSET:
        if get_bit(cells, 64 * mask_of(plan, index) + position) == np.uint64(0):
            return np.uint64(0)
        tree = signed(cells[tree])
        if tree == 0:
            return range_word(index, 0, length)
    elif plan[row_of(index) + KIND] == PERMUTED:
        place = place_under(plan, orders, plan[row_of(index) + WHICH], position)
    return range_word(index, range_start(cells, tree, place), range_end(cells, tree, place, length))


@inlined_kernel
def sort_ranges(ranges: Words, first: int, end: int) -> None:
    """Sort the words first ... end - 1: by insertion if they are few, else with wider gaps before (Shell)."""
    gap = 1
    while 3 * gap + 1 < end - first:
        gap = 3 * gap + 1
    while gap > 0:
        for at in range(first + gap, end):
            word = ranges[at]
            place = at
            while place >= first + gap and ranges[place - gap] > word:
                ranges[place] = ranges[place - gap]
                place -= gap
            ranges[place] = word
        gap = gap // 3


@inlined_kernel
def merge_turned(ranges: Words, listed: int, listed_end: int, turned: int, turned_end: int, target: int) -> int:
    """Write to `target` which ranges are odd after some were turned, both lists sorted; return the end of them.

    A range that is in both is even now, one that was turned twice is what it was.
    """
    while turned < turned_end:
        word = ranges[turned]
        turned += 1
        if turned < turned_end and ranges[turned] == word:
            turned += 1
            continue
        while listed < listed_end and ranges[listed] < word:
            ranges[target] = ranges[listed]
            listed += 1
            target += 1
        if listed < listed_end and ranges[listed] == word:
            listed += 1
        else:
            ranges[target] = word
            target += 1
    while listed < listed_end:
        ranges[target] = ranges[listed]
        listed += 1
        target += 1
    return target
