"""Locating the error of an odd range at once: its place in binary, as the syndrome of a Hamming code gives it.

To halve a range of n places takes log2(n) rounds and as many parities. The same number of parities, asked in one round,
tell the place of the error if there is one: first that of the left half, then, for each binary digit of a place within
a half, that of all places of either half with this digit. Of three errors or more they mostly tell a wrong place, or
one behind the end; but the halves are then ranges of known parity in any case, so that a wrong correction is an error
like others, which other passes show, and every search comes to its end.
"""

from __future__ import annotations

import numpy as np

from qkdpost._kernels.bits.counting import leading_zeros, ones
from qkdpost._kernels.cascade.odd_ranges import LOCATED, end_of, pass_of, range_holding, range_word, start_of
from qkdpost._kernels.cascade.trees import (
    BLOCK,
    EARLY_PLACES,
    HURRY_DOUBLES,
    HURRY_FROM,
    KIND,
    STARTED,
    SUBSET,
    TREE,
    Integers,
    Orders,
    Words,
    below,
    bits_at,
    mask_of,
    members,
    own_bits,
    put_bit,
    row_of,
    signed,
    start_range,
)
from qkdpost._kernels.jit.decorators import inlined_kernel

__all__ = [
    "LONGEST",
    "MOST_DIGITS",
    "ask_place",
    "is_located",
    "learn_place",
    "longest_located",
    "refuted",
]

LONGEST = 64
"""The longest range whose error is located: its own bits are one word. EARLY_PLACES of a plan must be no more."""
MOST_DIGITS = 6
"""Parities that are asked at most to locate an error."""
# Ones at the places of 32 whose digit 0, 1 ... is one.
DIGITS = tuple(np.uint64(word) for word in (0xAAAAAAAA, 0xCCCCCCCC, 0xF0F0F0F0, 0xFF00FF00, 0xFFFF0000))


@inlined_kernel
def longest_located(plan: Integers, number: int) -> int:
    """Return how long a range may be, in places, to be located at once in round `number`; 0 if none is.

    As the plan says before frames hurry; then half a block of the first pass, later all of it, then twice as much: the
    more errors are found, the likelier one is alone.
    """
    late = number - plan[HURRY_FROM]
    if plan[HURRY_FROM] < 0 or late < 0:
        return plan[EARLY_PLACES]
    return min(LONGEST, (plan[row_of(0) + BLOCK] << min(2, late // plan[HURRY_DOUBLES])) >> 1)


@inlined_kernel
def is_located(plan: Integers, index: int, start: int, end: int, longest: int) -> bool:
    """Return whether the error of an odd range is located at once. A range of two is halved, which is the same."""
    return 2 < end - start <= longest and plan[row_of(index) + KIND] != SUBSET


@inlined_kernel
def digits_of(half: int) -> int:
    """Return how many binary digits a place within a half has, 2 <= half <= 32."""
    return 64 - leading_zeros(np.uint64(half - 1))


@inlined_kernel
def ask_place(cells: Words, tree: int, start: int, end: int, parities: Words, written: int) -> int:
    """Ask where in a range of at most 64 places the error is; return the parities written so far."""
    half = (end - start + 1) >> 1
    word = own_bits(cells, tree, start, end)
    put_bit(parities, written, np.uint64(ones(word & below(half)) & 1))
    written += 1
    either = (word ^ (word >> np.uint64(half))) & below(half)
    for digit in range(digits_of(half)):
        put_bit(parities, written, np.uint64(ones(either & DIGITS[digit]) & 1))
        written += 1
    return written


@inlined_kernel
def learn_place(
    cells: Words,
    plan: Integers,
    trees: int,
    ranges: Words,
    asked: np.uint64,
    kept: int,
    found: int,
    told: Words,
    read: int,
) -> tuple[int, int, int]:
    """Halve a range whose error was asked for; list at `found` where it is, or at `kept` the half that is odd.

    Returns:
        The ends of both lists, and how many parities are read by now.
    """
    index, start, end = pass_of(asked), start_of(asked), end_of(asked)
    half = (end - start + 1) >> 1
    middle = start + half
    count = 1 + digits_of(half)
    word = signed(bits_at(told, read, count))
    tree = trees + plan[row_of(index) + TREE]
    start_range(cells, tree, middle)
    left = word & 1
    start += half * (1 - left)
    end -= (end - middle) * left
    place = start + (word >> 1)
    if end - start == 1:
        ranges[found] = range_word(index, start, end)
        found += 1
    elif place < end:
        ranges[found] = range_word(index, place, place + 1) | LOCATED
        found += 1
    else:
        ranges[kept] = range_word(index, start, end)
        kept += 1
    return kept, found, read + count


@inlined_kernel
def refuted(
    cells: Words, plan: Integers, orders: Orders, columns: int, trees: int, located: np.uint64, position: int
) -> bool:
    """Return whether another pass knows the bit by itself where an error was located.

    Then there is none, or that pass finds it in this very round.
    """
    for index in range(signed(cells[columns + STARTED])):
        if index != pass_of(located) and is_known(cells, plan, orders, trees, index, position):
            return True
    return False


@inlined_kernel
def is_known(cells: Words, plan: Integers, orders: Orders, trees: int, index: int, position: int) -> bool:
    """Return whether a position is the only member of a range of pass `index`."""
    held = range_holding(cells, plan, orders, trees, index, position)
    if held == np.uint64(0):
        return False
    start, end = start_of(held), end_of(held)
    if plan[row_of(index) + KIND] != SUBSET:
        return end - start == 1
    return end - start <= 64 and ones(members(cells, mask_of(plan, index), start, end)) == 1
