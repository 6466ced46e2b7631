"""What one side of Cascade knows of its frames: partitions into ranges, and a list of those that are odd.

What a frame knows of the errors is, for each pass, a partition of its positions into ranges of known parity of the
error pattern. Halving a range divides it; correcting a bit turns the range that holds it from odd to even or back, in
every pass. A pass is one of three kinds:

- natural: ranges of the frame as it stands; always the first pass, and only that;
- permuted: ranges of the frame under a permutation;
- subset: ranges of the frame of which only the bits under a mask count. The other half needs no ranges of its own: its
  parity is that of the frame less that of the mask.

`plan` (int64) says what is done: the columns LENGTH ... FLIPPED_AT, then BLOCK, KIND, WHICH (permutation or mask)
and TREE of each pass. `orders` (uint32) holds for each permutation the position in the frame of each of its places,
and in the upper half of the same words the place of each position; if frames are longer than `LONGEST_PACKED`, behind
all permutations, for each position its place under every one. Everything else lies in `cells` (uint64, secret):

- the words FREE ... ROUND;
- from word MASKS on, the mask of each subset pass (public);
- from `plan[HEADERS_AT]` on, for each frame the columns STARTED ... ERRORS, together so that they stay near;
- from `plan[ACTIVE_AT]` on, the numbers of the frames that still ask, ascending;
- from `plan[SEEN_AT]` on, three rows of scratch, zeros between two uses;
- from `plan[TREES_AT]` on, for each frame: the trees of the natural and the permuted passes, then where the tree of
  each subset pass is, zero as long as its only range is the whole frame, and from `plan[FLIPPED_AT]` on a row of the
  bits that were corrected, but not back;
- behind the frames, trees of subset passes, made at need.

A tree has two words for every 64 places of its pass: own bits (unused in a subset's tree), and ones where ranges start.
Bit i of a row is bit i % 64 of its word i // 64. Which ranges are odd is kept in sorted lists (`odd_ranges`): what a
round touches are these lists, in order, and few words of trees on which nothing waits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.bits.counting import leading_zeros, ones, trailing_zeros
from qkdpost._kernels.jit.decorators import inlined_kernel

__all__ = [
    "ACTIVE",
    "ACTIVE_AT",
    "ASKED",
    "BLOCK",
    "BLOCKS",
    "COLUMNS",
    "CORRECTING",
    "DONE",
    "EARLY_PLACES",
    "ERRORS",
    "FIRST",
    "FLIPPED_AT",
    "FOUND",
    "FRAMES",
    "FRAME_WORDS",
    "FREE",
    "GIVEN_UP",
    "HEADERS_AT",
    "HURRY_DOUBLES",
    "HURRY_FROM",
    "KIND",
    "LENGTH",
    "LIST",
    "LISTED",
    "LONGEST_PACKED",
    "MASKS",
    "MOST_PARTS",
    "NATURAL",
    "NOTHING",
    "OWN",
    "PARITIES",
    "PASSES",
    "PASSES_AT",
    "PASS_COLUMNS",
    "PERMUTED",
    "PERMUTED_PASSES",
    "ROOM",
    "ROUND",
    "SEEN_AT",
    "SPACE",
    "SPLIT",
    "STARTED",
    "STRIDE",
    "SUBSET",
    "TREE",
    "TREES_AT",
    "USED",
    "WHICH",
    "Integers",
    "Orders",
    "Words",
    "below",
    "bits_at",
    "get_bit",
    "mask_of",
    "masked_parity",
    "members",
    "own_bits",
    "place_under",
    "position_under",
    "put_bit",
    "range_end",
    "range_parity",
    "range_start",
    "row_of",
    "signed",
    "start_range",
    "start_tree",
    "tree_of_subset",
]

Words = NDArray[np.uint64]
Integers = NDArray[np.int64]
Orders = NDArray[np.uint32]

# Columns of `plan`, and of each pass in it.
(
    LENGTH,
    CORRECTING,
    PASSES,
    PERMUTED_PASSES,
    FRAMES,
    HEADERS_AT,
    ACTIVE_AT,
    SEEN_AT,
    TREES_AT,
    FRAME_WORDS,
    HURRY_FROM,
    HURRY_DOUBLES,
    EARLY_PLACES,
    FLIPPED_AT,
) = range(14)
PASSES_AT = 14
# TREE is where in a frame's part a pass has its tree; for a subset, where that is written.
BLOCK, KIND, WHICH, TREE = range(4)
PASS_COLUMNS = 4
NATURAL, PERMUTED, SUBSET = range(3)
# HURRY_FROM is -1 where frames never hurry.
# Words of `cells`: where the next tree of a subset pass goes, how many frames still ask, how many ranges the next round
# may need room for, which of two lists is the last one and how many words of it are in use, how many rounds were taken.
FREE, ACTIVE, ROOM, LIST, USED, ROUND = range(6)
MASKS = 8
# Columns of a frame: passes begun; the first of those begun last; what was asked last; ranges in the list, and words
# left for it; how many single members were found; totals of parities and errors.
STARTED, FIRST, ASKED, LISTED, SPACE, FOUND, PARITIES, ERRORS = range(8)
COLUMNS = 8
# What ASKED may say: nothing asked yet, parities of whole blocks, frame is done, or given up, and as many parities as
# LISTED says are still to come; else into how many parts the ranges that were asked are cut, 2, 4 ... MOST_PARTS.
NOTHING, BLOCKS, DONE, GIVEN_UP = 0, 1, 254, 255
MOST_PARTS = 32
# Frames up to this long have both numbers of `orders` in one word: what all of them look up stays near.
LONGEST_PACKED = 1 << 16
# The words of 64 places of a tree.
OWN, SPLIT = range(2)
STRIDE = 2

# In kernels a cast to int64; to the type checker anything.
signed: Any = np.int64


@inlined_kernel
def below(count: int) -> np.uint64:
    """Return a word whose lowest `count` bits are ones, 1 <= count <= 64."""
    return np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - count)


@inlined_kernel
def get_bit(row: Words, place: int) -> np.uint64:
    """Return bit `place` of a row."""
    return (row[place >> 6] >> np.uint64(place & 63)) & np.uint64(1)


@inlined_kernel
def bits_at(row: Words, place: int, count: int) -> np.uint64:
    """Return the bits place ... place + count - 1 of a row as a word, 1 <= count <= 64."""
    shift = place & 63
    word = row[place >> 6] >> np.uint64(shift)
    if shift + count > 64:
        word |= row[(place >> 6) + 1] << np.uint64(64 - shift)
    return word & below(count)


@inlined_kernel
def put_bit(output: Words, place: int, bit: np.uint64) -> None:
    """Write bit `place` of `output`; bits are written in order, the first of a word clears it."""
    if place & 63 == 0:
        output[place >> 6] = bit
    else:
        output[place >> 6] |= bit << np.uint64(place & 63)


@inlined_kernel
def row_of(index: int) -> int:
    """Return where in the plan the columns of pass `index` start."""
    return PASSES_AT + PASS_COLUMNS * index


@inlined_kernel
def position_under(plan: Integers, orders: Orders, which: int, place: int) -> int:
    """Return the position in the frame of a place under permutation `which`."""
    word = orders[which * plan[LENGTH] + place]
    return signed(word & np.uint32(0xFFFF)) if plan[LENGTH] <= LONGEST_PACKED else signed(word)


@inlined_kernel
def place_under(plan: Integers, orders: Orders, which: int, position: int) -> int:
    """Return the place of a position of the frame under permutation `which`."""
    length = plan[LENGTH]
    if length <= LONGEST_PACKED:
        return signed(orders[which * length + position] >> np.uint32(16))
    return signed(orders[plan[PERMUTED_PASSES] * (length + position) + which])


@inlined_kernel
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


@inlined_kernel
def bits_between(cells: Words, row: int, stride: int, start: int, end: int) -> np.uint64:
    """Return the bits start ... end - 1, at most 64 of them, of a row whose words lie `stride` apart, as a word."""
    first = row + stride * (start >> 6)
    shift = np.uint64(start & 63)
    word = cells[first] >> shift
    if (end - 1) >> 6 != start >> 6:
        word |= cells[first + stride] << (np.uint64(64) - shift)
    return word & below(end - start)


@inlined_kernel
def own_bits(cells: Words, tree: int, start: int, end: int) -> np.uint64:
    """Return the own bits start ... end - 1 of a tree, at most 64 of them, as a word."""
    return bits_between(cells, tree, STRIDE, start, end)


@inlined_kernel
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


@inlined_kernel
def mask_of(plan: Integers, index: int) -> int:
    """Return where the mask of subset pass `index` starts."""
    return MASKS + plan[row_of(index) + WHICH] * ((plan[LENGTH] + 63) >> 6)


@inlined_kernel
def members(cells: Words, mask: int, start: int, end: int) -> np.uint64:
    """Return the bits start ... end - 1 of a mask, at most 64 of them, as a word."""
    return bits_between(cells, mask, 1, start, end)


@inlined_kernel
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


@inlined_kernel
def range_end(cells: Words, tree: int, place: int, length: int) -> int:
    """Return where the range that holds `place` ends."""
    at = tree + STRIDE * (place >> 6) + SPLIT
    word = (cells[at] >> np.uint64(place & 63)) >> np.uint64(1)
    if word != np.uint64(0):
        return place + 1 + trailing_zeros(word)
    base = (place & ~63) + 64
    while base < length:
        at += STRIDE
        word = cells[at]
        if word != np.uint64(0):
            return base + trailing_zeros(word)
        base += 64
    return length


@inlined_kernel
def start_range(cells: Words, tree: int, place: int) -> None:
    """Let a range of a tree start at `place`."""
    cells[tree + STRIDE * (place >> 6) + SPLIT] |= np.uint64(1) << np.uint64(place & 63)


@inlined_kernel
def start_tree(cells: Words, tree: int, block: int, length: int) -> None:
    """Divide the places of a tree into ranges of `block`."""
    pattern = np.uint64(0)
    if 64 % block == 0:
        for shift in range(0, 64, block):
            pattern |= np.uint64(1) << np.uint64(shift)
    last = (length - 1) >> 6
    for group in range(last + 1):
        cells[tree + STRIDE * group + SPLIT] = pattern
    cells[tree + STRIDE * last + SPLIT] &= below(length - 64 * last)
    if pattern == np.uint64(0):
        for start in range(0, length, block):
            start_range(cells, tree, start)


@inlined_kernel
def tree_of_subset(cells: Words, plan: Integers, trees: int, index: int) -> int:
    """Return where the tree of subset pass `index` starts, made if it was not needed before."""
    record = trees + plan[row_of(index) + TREE]
    if cells[record] == np.uint64(0):
        cells[record] = cells[FREE]
        cells[FREE] += np.uint64(STRIDE * ((plan[LENGTH] + 63) >> 6))
        start_tree(cells, signed(cells[record]), plan[LENGTH], plan[LENGTH])
    return signed(cells[record])
