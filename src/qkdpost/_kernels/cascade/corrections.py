"""Correcting the errors that a round found, and turning the ranges that hold them."""

from __future__ import annotations

import numpy as np

from qkdpost._kernels.bits.counting import trailing_zeros
from qkdpost._kernels.bits.prefetching import prefetch
from qkdpost._kernels.cascade.locating import refuted
from qkdpost._kernels.cascade.odd_ranges import (
    LOCATED,
    end_of,
    pass_of,
    range_holding,
    range_word,
    sort_ranges,
    start_of,
)
from qkdpost._kernels.cascade.trees import (
    CORRECTING,
    ERRORS,
    FLIPPED_AT,
    FOUND,
    KIND,
    LENGTH,
    PERMUTED,
    PERMUTED_PASSES,
    SEEN_AT,
    STARTED,
    STRIDE,
    SUBSET,
    TREE,
    WHICH,
    Integers,
    Orders,
    Words,
    mask_of,
    members,
    place_under,
    position_under,
    range_end,
    row_of,
    signed,
)
from qkdpost._kernels.jit.decorators import inlined_kernel

__all__ = ["correct_found", "prefetch_found"]

# So many turned ranges, or in long frames one for so many places, are marked rather than sorted: to look through the
# marks of a frame of 2^16 takes as long as to sort a hundred.
MANY, PLACES_OF_ONE = 128, 1024


@inlined_kernel
def position_of(cells: Words, plan: Integers, orders: Orders, single: np.uint64) -> int:
    """Return the position in the frame of the only member of a range."""
    index = pass_of(single)
    start = start_of(single)
    kind = plan[row_of(index) + KIND]
    if kind == PERMUTED:
        return position_under(plan, orders, plan[row_of(index) + WHICH], start)
    if kind == SUBSET:
        return start + trailing_zeros(members(cells, mask_of(plan, index), start, end_of(single)))
    return start


@inlined_kernel
def prefetch_found(
    cells: Words, plan: Integers, orders: Orders, trees: int, ranges: Words, found: int, found_end: int
) -> None:
    """Bring near what `correct_found` will touch in the natural and the permuted passes."""
    groups = (plan[LENGTH] + 63) >> 6
    for at in range(found, found_end):
        position = position_of(cells, plan, orders, ranges[at])
        prefetch(cells, trees + STRIDE * (position >> 6))
        prefetch(cells, trees + plan[FLIPPED_AT] + (position >> 6))
        for which in range(plan[PERMUTED_PASSES]):
            place = place_under(plan, orders, which, position)
            prefetch(cells, trees + STRIDE * ((which + 1) * groups + (place >> 6)))


@inlined_kernel
def flip_own(cells: Words, plan: Integers, orders: Orders, trees: int, position: int) -> None:
    """Flip the own bit at `position` in the frame and its permuted copies, begun or not."""
    groups = (plan[LENGTH] + 63) >> 6
    cells[trees + STRIDE * (position >> 6)] ^= np.uint64(1) << np.uint64(position & 63)
    for which in range(plan[PERMUTED_PASSES]):
        place = place_under(plan, orders, which, position)
        cells[trees + STRIDE * ((which + 1) * groups + (place >> 6))] ^= np.uint64(1) << np.uint64(place & 63)


@inlined_kernel
def flipped(cells: Words, row: int, position: int) -> np.uint64:
    """Note that a bit is corrected; return 1, or if it was before, and is now as it was at first, -1 as a word."""
    cells[row + (position >> 6)] ^= np.uint64(1) << np.uint64(position & 63)
    now = (cells[row + (position >> 6)] >> np.uint64(position & 63)) & np.uint64(1)
    return np.uint64(2) * now - np.uint64(1)


@inlined_kernel
def turn_ranges(
    cells: Words,
    plan: Integers,
    orders: Orders,
    columns: int,
    trees: int,
    ranges: Words,
    single: np.uint64,
    position: int,
    turned: int,
) -> int:
    """List at `turned` the ranges that hold `position` in every pass but that of `single`; return the list's end."""
    for index in range(signed(cells[columns + STARTED])):
        if index == pass_of(single):
            continue
        word = range_holding(cells, plan, orders, trees, index, position)
        if word != np.uint64(0):
            ranges[turned] = word
            turned += 1
    return turned


@inlined_kernel
def order_turned(cells: Words, plan: Integers, columns: int, trees: int, ranges: Words, first: int, turned: int) -> int:
    """Sort the ranges listed from `first` on, in which any may stand twice; return the list's end.

    Where they are many, as after the first search of the second pass, marks in a row of each pass do it in a fifth of
    the time; what stands twice, and is as it was, is not listed then.
    """
    few = turned - first < max(MANY, plan[LENGTH] // PLACES_OF_ONE)
    if few or cells[columns + STARTED] != np.uint64(2) or plan[row_of(1) + KIND] == SUBSET:
        sort_ranges(ranges, first, turned)
        return turned
    groups = (plan[LENGTH] + 63) >> 6
    marks = plan[SEEN_AT] + groups
    for at in range(first, turned):
        start = start_of(ranges[at])
        cells[marks + groups * pass_of(ranges[at]) + (start >> 6)] ^= np.uint64(1) << np.uint64(start & 63)
    for row in range(2 * groups):
        word = cells[marks + row]
        cells[marks + row] = np.uint64(0)
        index, group = signed(row >= groups), row - groups * signed(row >= groups)
        while word != np.uint64(0):
            start = 64 * group + trailing_zeros(word)
            end = range_end(cells, trees + plan[row_of(index) + TREE], start, plan[LENGTH])
            ranges[first] = range_word(index, start, end)
            first += 1
            word &= word - np.uint64(1)
    return first


@inlined_kernel
def correct_found(
    cells: Words, plan: Integers, orders: Orders, columns: int, trees: int, ranges: Words, found: int, turned: int
) -> int:
    """Correct the errors found, and list at `turned`, sorted, the ranges that this turns; return the list's end.

    Where two passes found the same error, the first to be corrected turns the range of the second, which turns back.
    Where an error was located that cannot be, the range that it was in is odd as before.
    """
    found_end = found + signed(cells[columns + FOUND])
    first = turned
    alone = cells[columns + STARTED] == np.uint64(1)
    seen = plan[SEEN_AT]
    for at in range(found, found_end):
        position = position_of(cells, plan, orders, ranges[at])
        if not alone:
            flag = np.uint64(1) << np.uint64(position & 63)
            located = ranges[at] & LOCATED != np.uint64(0)
            if cells[seen + (position >> 6)] & flag != np.uint64(0) or (
                located and refuted(cells, plan, orders, columns, trees, ranges[at], position)
            ):
                ranges[turned] = range_holding(cells, plan, orders, trees, pass_of(ranges[at]), position)
                turned += 1
                continue
            cells[seen + (position >> 6)] |= flag
            turned = turn_ranges(cells, plan, orders, columns, trees, ranges, ranges[at], position, turned)
        cells[columns + ERRORS] += flipped(cells, trees + plan[FLIPPED_AT], position)
        if plan[CORRECTING] != 0:
            flip_own(cells, plan, orders, trees, position)
    if not alone:
        for at in range(found, found_end):
            cells[seen + (position_of(cells, plan, orders, ranges[at]) >> 6)] = np.uint64(0)
        turned = order_turned(cells, plan, columns, trees, ranges, first, turned)
    return turned
