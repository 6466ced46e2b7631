"""The round of Cascade: one call advances every frame by one exchange of parities.

What a frame knows of the errors is, for each pass, a partition of its positions into ranges of known parity of the
error pattern; a range of odd parity is *marked*. Halving a marked range moves or keeps its mark; correcting a bit turns
the mark of the range that holds it, in every pass. A pass is one of three kinds:

- natural: ranges of the frame as it stands; always the first pass, and only that;
- permuted: ranges of the frame under a permutation;
- subset: ranges of the frame of which only the bits under a mask count. The other half needs no ranges of its own: its
  parity is that of the frame less that of the mask.

`plan` (int64) says what is done: the columns LENGTH ... SUMMARY_WORDS, then BLOCK, KIND and WHICH (permutation or mask)
of each pass. `orders` (uint32) holds for each permutation the position in the frame of each of its places, then the
inverse. Everything that changes lies in `cells` (uint64, secret), so that a frame's part is together:

- word 0: where the next tree of a subset pass goes;
- from word MASKS on, the mask of each subset pass (public);
- from `plan[FRAMES_AT]` on, for each frame: the columns STARTED ... FOUND; for each pass where its tree starts and
  its summary; then the trees of the natural and the permuted passes;
- behind the frames, trees of subset passes, made at need.

A tree has three words for every 64 places of its pass: own bits (unused in a subset's tree), ones where ranges start,
ones at the start of each marked range. A summary has a one for each third word that is not zero. Bit i of a row is
bit i % 64 of its word i // 64.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels._lean import lean_kernel
from qkdpost._kernels.bit_counting import leading_zeros, ones, trailing_zeros
from qkdpost._kernels.prefetching import prefetch

__all__ = ["advance", "warm"]

Words = NDArray[np.uint64]
Integers = NDArray[np.int64]
Orders = NDArray[np.uint32]

# Columns of `plan`, and of each pass in it.
LENGTH, CORRECTING, PASSES, FRAMES, FRAMES_AT, FRAME_WORDS, SUMMARY_WORDS = range(7)
PASSES_AT = 7
BLOCK, KIND, WHICH = range(3)
NATURAL, PERMUTED, SUBSET = range(3)
MASKS = 8
# Columns of a frame: passes begun; the first of those begun last; what was asked last, and how many parities; totals
# of parities and errors; which passes have marks; which of these may have marks of short ranges; how many single members
# were found.
STARTED, FIRST, ASKED, COUNT, PARITIES, ERRORS, MARKED, SHORTS, FOUND = range(9)
COLUMNS = 9
# What ASKED may say: nothing asked yet, parities of whole blocks, parities of left halves, frame is done.
NOTHING, BLOCKS, HALVES, DONE = range(4)
# The words of 64 places of a tree.
OWN, SPLIT, ODD = range(3)
STRIDE = 3
# A marked range up to this long is halved whatever else is asked: it seldom holds what another search is after.
SHORT = 16
# Frames whose steps are taken side by side, so that what one waits for comes while others work.
TOGETHER = 8

# In kernels a cast to int64; to the type checker anything.
signed: Any = np.int64


@lean_kernel
def below(count: int) -> np.uint64:
    """Return a word whose lowest `count` bits are ones, 1 <= count <= 64."""
    return np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - count)


@lean_kernel
def get_bit(row: Words, place: int) -> np.uint64:
    """Return bit `place` of a row."""
    return (row[place >> 6] >> np.uint64(place & 63)) & np.uint64(1)


@lean_kernel
def put_bit(output: Words, place: int, bit: np.uint64) -> None:
    """Write bit `place` of `output`; bits are written in order, the first of a word clears it."""
    if place & 63 == 0:
        output[place >> 6] = bit
    else:
        output[place >> 6] |= bit << np.uint64(place & 63)


@lean_kernel
def record_of(plan: Integers, columns: int, index: int) -> int:
    """Return where a frame keeps the tree's place and the summary of pass `index`."""
    return columns + COLUMNS + index * (1 + plan[SUMMARY_WORDS])


@lean_kernel
def range_parity(cells: Words, tree: int, start: int, end: int) -> np.uint64:
    """Return the parity of the own bits start ... end - 1 of a tree."""
    first = tree + STRIDE * (start >> 6)
    last = tree + STRIDE * ((end - 1) >> 6)
    # A shift that loses only bits outside the range leaves its parity, in whatever place.
    word = cells[first] >> np.uint64(start & 63)
    if first == last:
        return np.uint64(ones(word & below(end - start))) & np.uint64(1)
    for place in range(first + STRIDE, last, STRIDE):
        word ^= cells[place]
    word ^= cells[last] << np.uint64(63 - ((end - 1) & 63))
    return np.uint64(ones(word)) & np.uint64(1)


@lean_kernel
def masked_parity(cells: Words, tree: int, mask: int, start: int, end: int) -> np.uint64:
    """Return the parity of the own bits start ... end - 1 of a tree that lie under the mask at word `mask`."""
    first = start >> 6
    last = (end - 1) >> 6
    word = (cells[tree + STRIDE * first] & cells[mask + first]) >> np.uint64(start & 63)
    if first == last:
        return np.uint64(ones(word & below(end - start))) & np.uint64(1)
    for index in range(first + 1, last):
        word ^= cells[tree + STRIDE * index] & cells[mask + index]
    word ^= (cells[tree + STRIDE * last] & cells[mask + last]) << np.uint64(63 - ((end - 1) & 63))
    return np.uint64(ones(word)) & np.uint64(1)


@lean_kernel
def mask_of(plan: Integers, index: int) -> int:
    """Return where the mask of subset pass `index` starts."""
    return MASKS + plan[PASSES_AT + 3 * index + WHICH] * ((plan[LENGTH] + 63) >> 6)


@lean_kernel
def members(cells: Words, mask: int, start: int, end: int) -> np.uint64:
    """Return the bits start ... end - 1 of a mask, at most 64 of them, as a word."""
    first = mask + (start >> 6)
    shift = np.uint64(start & 63)
    word = cells[first] >> shift
    if (end - 1) >> 6 != start >> 6:
        word |= cells[first + 1] << (np.uint64(64) - shift)
    return word & below(end - start)


@lean_kernel
def middle_of_subset(cells: Words, mask: int, start: int, end: int) -> int:
    """Return where a range of a subset is divided, or `start` if it has one member (or none).

    A range is halved by length, the left half the longer; within 64 places, by members.
    """
    if end - start > 64:
        return start + ((end - start + 1) >> 1)
    word = members(cells, mask, start, end)
    count = ones(word)
    if count <= 1:
        return start
    for _ in range((count - 1) >> 1):
        word &= word - np.uint64(1)
    return start + trailing_zeros(word) + 1


@lean_kernel
def middle_of(cells: Words, plan: Integers, index: int, start: int, end: int) -> int:
    """Return where a range of pass `index` is divided, or `start` if it has one member (or none)."""
    if plan[PASSES_AT + 3 * index + KIND] == SUBSET:
        return middle_of_subset(cells, mask_of(plan, index), start, end)
    return start if end - start == 1 else start + ((end - start + 1) >> 1)


@lean_kernel
def range_start(cells: Words, tree: int, place: int) -> int:
    """Return where the range that holds `place` starts."""
    at = tree + STRIDE * (place >> 6) + SPLIT
    word = cells[at] & below((place & 63) + 1)
    base = place & ~63
    while word == np.uint64(0):
        at -= STRIDE
        base -= 64
        word = cells[at]
    return base + 63 - leading_zeros(word)


@lean_kernel
def is_short(cells: Words, tree: int, start: int, length: int) -> bool:
    """Return whether the range that starts at `start` has at most SHORT places."""
    at = tree + STRIDE * (start >> 6) + SPLIT
    shift = np.uint64(start & 63)
    following = (cells[at] >> shift) >> np.uint64(1)
    if start & 63 > 63 - SHORT and start >> 6 < (length - 1) >> 6:
        following |= cells[at + STRIDE] << (np.uint64(63) - shift)
    return following & below(SHORT) != np.uint64(0) or length - start <= SHORT


@lean_kernel
def range_end(cells: Words, tree: int, start: int, length: int) -> int:
    """Return where the range that starts at `start` ends."""
    at = tree + STRIDE * (start >> 6) + SPLIT
    word = (cells[at] >> np.uint64(start & 63)) >> np.uint64(1)
    if word != np.uint64(0):
        return start + 1 + trailing_zeros(word)
    base = (start & ~63) + 64
    while base < length:
        at += STRIDE
        word = cells[at]
        if word != np.uint64(0):
            return base + trailing_zeros(word)
        base += 64
    return length


@lean_kernel
def note_marks(cells: Words, plan: Integers, columns: int, index: int, group: int) -> None:
    """Write down in the summary of pass `index` whether any of its places 64 group ... have marks."""
    record = record_of(plan, columns, index)
    flag = np.uint64(1) << np.uint64(group & 63)
    if cells[signed(cells[record]) + STRIDE * group + ODD] != np.uint64(0):
        cells[record + 1 + (group >> 6)] |= flag
        cells[columns + MARKED] |= np.uint64(1) << np.uint64(index)
        return
    cells[record + 1 + (group >> 6)] &= ~flag
    left = np.uint64(0)
    for other in range(record + 1, record + 1 + plan[SUMMARY_WORDS]):
        left |= cells[other]
    if left == np.uint64(0):
        cells[columns + MARKED] &= ~(np.uint64(1) << np.uint64(index))


@lean_kernel
def turn_mark(cells: Words, plan: Integers, columns: int, index: int, tree: int, start: int) -> None:
    """Turn the mark of the range of pass `index` that starts at `start`."""
    at = tree + STRIDE * (start >> 6) + ODD
    bit = np.uint64(1) << np.uint64(start & 63)
    word = cells[at] ^ bit
    cells[at] = word
    if word & ~bit == np.uint64(0):
        note_marks(cells, plan, columns, index, start >> 6)


@lean_kernel
def start_tree(cells: Words, tree: int, block: int, length: int) -> None:
    """Divide the places of a tree into ranges of `block`, none marked."""
    pattern = np.uint64(0)
    if 64 % block == 0:
        for shift in range(0, 64, block):
            pattern |= np.uint64(1) << np.uint64(shift)
    last = (length - 1) >> 6
    for group in range(last + 1):
        cells[tree + STRIDE * group + SPLIT] = pattern
        cells[tree + STRIDE * group + ODD] = np.uint64(0)
    cells[tree + STRIDE * last + SPLIT] &= below(length - 64 * last)
    if pattern == np.uint64(0):
        for start in range(0, length, block):
            cells[tree + STRIDE * (start >> 6) + SPLIT] |= np.uint64(1) << np.uint64(start & 63)


@lean_kernel
def subset_tree(cells: Words, plan: Integers, columns: int, index: int) -> int:
    """Return where the tree of subset pass `index` starts, made if it was not needed before."""
    record = record_of(plan, columns, index)
    if cells[record] == np.uint64(0):
        cells[record] = cells[0]
        cells[0] += np.uint64(STRIDE * ((plan[LENGTH] + 63) >> 6))
        start_tree(cells, signed(cells[record]), plan[LENGTH], plan[LENGTH])
    return signed(cells[record])


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
def expect_halves(cells: Words, plan: Integers, columns: int, asked: Words, read: int) -> None:
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
def expect_corrections(cells: Words, plan: Integers, orders: Orders, columns: int, pending: Words, first: int) -> None:
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
        expect_corrections(cells, plan, orders, columns, asked, first)
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
                expect_halves(cells, plan, columns, asked, ahead)
            ahead += signed(cells[columns + COUNT])
    return written


def warm() -> None:
    """Compile every kernel of this file."""
    plan = np.zeros(PASSES_AT + 6, dtype=np.int64)
    plan[[LENGTH, PASSES]] = 1, 2
    cells, stream = np.zeros(64, dtype=np.uint64), np.zeros(1, dtype=np.uint64)
    advance(cells, plan, np.zeros(2, dtype=np.uint32), stream, stream, stream, stream)
