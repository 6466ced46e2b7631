"""Searching odd ranges: the parities that are asked of them, and what the peer's tell.

A range that is asked is halved, or, once a frame has taken many rounds, cut in 4, 8 ... `MOST_PARTS` parts of equal
length at once. The parity of the last part is not asked: it follows. A short range is asked where its error is
(`locating`).
"""

from __future__ import annotations

import numpy as np

from qkdpost._kernels.bits.counting import ones, trailing_zeros
from qkdpost._kernels.bits.prefetching import prefetch
from qkdpost._kernels.cascade.locating import MOST_DIGITS, ask_place, is_located, learn_place
from qkdpost._kernels.cascade.odd_ranges import ASKED_RANGE, end_of, pass_of, range_word, start_of
from qkdpost._kernels.cascade.trees import (
    COLUMNS,
    FRAME_WORDS,
    HEADERS_AT,
    KIND,
    LENGTH,
    LISTED,
    MOST_PARTS,
    SPACE,
    STRIDE,
    SUBSET,
    TREE,
    TREES_AT,
    Integers,
    Words,
    get_bit,
    mask_of,
    masked_parity,
    members,
    put_bit,
    range_parity,
    row_of,
    signed,
    start_range,
    tree_of_subset,
)
from qkdpost._kernels.jit.decorators import inlined_kernel

__all__ = ["ask_ranges", "learn_ranges", "prefetch_first"]

# An odd range up to this long is searched whatever else is asked: it seldom holds what another search is after.
SHORT = 16
# So many ranges before its turn a range is brought near: about what memory takes to answer.
AHEAD = 8


@inlined_kernel
def parts_for(ranges: Words, source: int, source_end: int, most: int) -> int:
    """Return into how many parts the ranges that are asked are cut: two, or more if these are `most` at most in all."""
    if most == 0:
        return 2
    asked = 0
    for at in range(source, source_end):
        short = end_of(ranges[at]) - start_of(ranges[at]) <= SHORT
        asked += signed(short | (pass_of(ranges[at]) == pass_of(ranges[source])))
    parts = 2
    while parts < MOST_PARTS and asked > 0 and 2 * parts * asked <= most:
        parts *= 2
    return parts


@inlined_kernel
def parts_of(cells: Words, plan: Integers, index: int, start: int, end: int, parts: int) -> int:
    """Return into how many parts a range is cut: `parts`, or fewer, so that none is empty.

    A range of a subset is cut by length, into parts of some twenty places or more; within 64 places, by members.
    """
    if plan[row_of(index) + KIND] != SUBSET:
        return min(parts, end - start)
    if end - start > 64:
        return min(parts, (end - start + 31) >> 5)
    return min(parts, ones(members(cells, mask_of(plan, index), start, end)))


@inlined_kernel
def part_end(cells: Words, plan: Integers, index: int, start: int, end: int, count: int, number: int) -> int:
    """Return where part `number` of `count`, 1 <= number < count, of a range ends; the first parts are the longer."""
    if plan[row_of(index) + KIND] != SUBSET or end - start > 64:
        return start + ((end - start) * number + count - 1) // count
    word = members(cells, mask_of(plan, index), start, end)
    for _ in range((ones(word) * number - 1) // count):
        word &= word - np.uint64(1)
    return start + trailing_zeros(word) + 1


@inlined_kernel
def ask_parts(
    cells: Words,
    plan: Integers,
    trees: int,
    index: int,
    start: int,
    end: int,
    parts: int,
    parities: Words,
    written: int,
) -> int:
    """Ask for all parts of a range but the last; return the parities written so far."""
    count = parts_of(cells, plan, index, start, end, parts)
    first = start
    for number in range(1, count):
        last = part_end(cells, plan, index, start, end, count, number)
        if plan[row_of(index) + KIND] == SUBSET:
            parity = masked_parity(cells, trees, mask_of(plan, index), first, last)
        else:
            parity = range_parity(cells, trees + plan[row_of(index) + TREE], first, last)
        put_bit(parities, written, parity)
        written += 1
        first = last
    return written


@inlined_kernel
def ask_half(
    cells: Words, plan: Integers, trees: int, index: int, start: int, end: int, parities: Words, written: int
) -> int:
    """Do what `ask_parts` does with two parts, the sooner."""
    if plan[row_of(index) + KIND] == SUBSET:
        return ask_parts(cells, plan, trees, index, start, end, 2, parities, written)
    if end - start < 2:
        return written
    middle = start + ((end - start + 1) >> 1)
    put_bit(parities, written, range_parity(cells, trees + plan[row_of(index) + TREE], start, middle))
    return written + 1


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
    most: int,
    longest: int,
) -> tuple[int, int, int, bool]:
    """List at `target` what is odd, and ask for parts of it, but for no more parities than the frame has bits.

    More than two parts are asked only if that makes no more than `most` of them; of ranges of up to `longest` places,
    where the error is.

    Asked are all ranges of the earliest pass that has any, and the short ones of all passes.

    Returns:
        The list's end; the parities written so far; into how many parts ranges are cut; whether what the peer said of a
        single member is at odds with other passes.
    """
    at_odds = False
    parts = parts_for(ranges, source, source_end, most)
    earliest = -1
    of_one = max(parts - 1, MOST_DIGITS if longest > 0 else 0)
    limit = written + max(0, plan[LENGTH] - of_one)
    for at in range(source, source_end):
        word = ranges[at]
        index, start, end = pass_of(word), start_of(word), end_of(word)
        if (index != earliest and earliest >= 0 and end - start > SHORT) or written > limit:
            ranges[target] = word
            target += 1
            continue
        before = written
        if is_located(plan, index, start, end, longest):
            written = ask_place(cells, trees + plan[row_of(index) + TREE], start, end, parities, written)
        elif parts == 2:
            written = ask_half(cells, plan, trees, index, start, end, parities, written)
        else:
            written = ask_parts(cells, plan, trees, index, start, end, parts, parities, written)
        # `parts_for` counted the ranges of this pass, whether or not there is something to ask of the first.
        earliest = index if earliest < 0 else earliest
        if written == before:
            at_odds = True
            continue
        ranges[target] = word | ASKED_RANGE
        target += 1
    return target, written, parts, at_odds


@inlined_kernel
def divide(cells: Words, plan: Integers, trees: int, index: int, place: int) -> None:
    """Let a range start at `place`."""
    tree = trees + plan[row_of(index) + TREE]
    if plan[row_of(index) + KIND] == SUBSET:
        tree = tree_of_subset(cells, plan, trees, index)
    start_range(cells, tree, place)


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
def learn_parts(
    cells: Words,
    plan: Integers,
    trees: int,
    ranges: Words,
    asked: np.uint64,
    parts: int,
    kept: int,
    found: int,
    told: Words,
    read: int,
) -> tuple[int, int, int]:
    """Cut a range that was asked into its parts, and list those that are odd, as `learn_ranges`."""
    index, start, end = pass_of(asked), start_of(asked), end_of(asked)
    count = parts_of(cells, plan, index, start, end, parts)
    first, last_odd = start, np.uint64(1)
    for number in range(1, count):
        place = part_end(cells, plan, index, start, end, count, number)
        divide(cells, plan, trees, index, place)
        odd = get_bit(told, read)
        read += 1
        kept, found = list_odd(cells, plan, ranges, index, first, place, odd, kept, found)
        first = place
        last_odd ^= odd
    kept, found = list_odd(cells, plan, ranges, index, first, end, last_odd, kept, found)
    return kept, found, read


@inlined_kernel
def prefetch_range(cells: Words, plan: Integers, trees: int, word: np.uint64) -> None:
    """Bring near where a range begins: own bits, and where ranges start."""
    prefetch(cells, trees + plan[row_of(pass_of(word)) + TREE] + STRIDE * (start_of(word) >> 6))


@inlined_kernel
def prefetch_first(cells: Words, plan: Integers, frame: int, ranges: Words, source: int) -> None:
    """Bring near the first ranges of a frame, which `learn_ranges` begins with; the others it sees to itself."""
    columns = plan[HEADERS_AT] + COLUMNS * frame
    trees = plan[TREES_AT] + plan[FRAME_WORDS] * frame
    # A frame that is given up lists none, and has no space: it counts there what it was still told.
    listed = min(signed(cells[columns + LISTED]), signed(cells[columns + SPACE]))
    for at in range(source, source + min(AHEAD, listed)):
        prefetch_range(cells, plan, trees, ranges[at])


@inlined_kernel
def learn_ranges(
    cells: Words,
    plan: Integers,
    columns: int,
    trees: int,
    ranges: Words,
    source: int,
    parts: int,
    longest: int,
    kept: int,
    found: int,
    told: Words,
    read: int,
) -> tuple[int, int, int]:
    """Divide the ranges that were asked; list what is odd at `kept`, at `found` what has a single member.

    Returns:
        The ends of both lists, and how many parities are read by now.
    """
    listed = signed(cells[columns + LISTED])
    if parts > 2:
        source = make_way(ranges, source, listed, signed(cells[columns + SPACE]) - listed)
    for at in range(source, source + listed):
        asked = ranges[at]
        if at + AHEAD < source + listed:
            prefetch_range(cells, plan, trees, ranges[at + AHEAD])
        if asked < ASKED_RANGE:
            ranges[kept] = asked
            kept += 1
            continue
        index, start, end = pass_of(asked), start_of(asked), end_of(asked)
        if is_located(plan, index, start, end, longest):
            kept, found, read = learn_place(cells, plan, trees, ranges, asked, kept, found, told, read)
            continue
        if parts > 2 or plan[row_of(index) + KIND] == SUBSET:
            kept, found, read = learn_parts(cells, plan, trees, ranges, asked, parts, kept, found, told, read)
            continue
        left_odd = get_bit(told, read)
        read += 1
        middle = start + ((end - start + 1) >> 1)
        tree = trees + plan[row_of(index) + TREE]
        start_range(cells, tree, middle)
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
def make_way(ranges: Words, source: int, listed: int, ahead: int) -> int:
    """Move a list to the end of its space, where nothing that its ranges leave overtakes it; return where it starts."""
    for at in range(source + listed - 1, source - 1, -1):
        ranges[at + ahead] = ranges[at]
    return source + ahead
