"""What one side of Cascade knows of its frames: ranges of known parity, kept packed.

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

from qkdpost._kernels.bits.counting import leading_zeros, ones, trailing_zeros
from qkdpost._kernels.jit.decorators import lean_kernel

__all__ = [
    "ASKED",
    "BLOCK",
    "BLOCKS",
    "COLUMNS",
    "CORRECTING",
    "COUNT",
    "DONE",
    "ERRORS",
    "FIRST",
    "FOUND",
    "FRAMES",
    "FRAMES_AT",
    "FRAME_WORDS",
    "HALVES",
    "KIND",
    "LENGTH",
    "MARKED",
    "MASKS",
    "NATURAL",
    "NOTHING",
    "ODD",
    "OWN",
    "PARITIES",
    "PASSES",
    "PASSES_AT",
    "PERMUTED",
    "SHORT",
    "SHORTS",
    "SPLIT",
    "STARTED",
    "STRIDE",
    "SUBSET",
    "SUMMARY_WORDS",
    "WHICH",
    "Integers",
    "Orders",
    "Words",
    "below",
    "get_bit",
    "is_short",
    "mask_of",
    "masked_parity",
    "members",
    "middle_of",
    "middle_of_subset",
    "note_marks",
    "put_bit",
    "range_end",
    "range_parity",
    "range_start",
    "record_of",
    "signed",
    "start_tree",
    "subset_tree",
    "turn_mark",
]

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
# of parities and errors; which passes have marks; which of these may have marks of short ranges; how many single
# members were found.
STARTED, FIRST, ASKED, COUNT, PARITIES, ERRORS, MARKED, SHORTS, FOUND = range(9)
COLUMNS = 9
# What ASKED may say: nothing asked yet, parities of whole blocks, parities of left halves, frame is done.
NOTHING, BLOCKS, HALVES, DONE = range(4)
# The words of 64 places of a tree.
OWN, SPLIT, ODD = range(3)
STRIDE = 3
# A marked range up to this long is halved whatever else is asked: it seldom holds what another search is after.
SHORT = 16

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
