"""The round of Cascade: one call advances every frame by one exchange of parities.

What a frame knows of the errors is, for each pass, a partition of its positions into ranges of known parity of
the error pattern. `split` has a one where a range starts, `odd` a one at the start of each range of odd parity, and
`summary` a one for each word of `odd` that is not zero. Halving an odd range moves or keeps its mark; correcting
a bit turns the mark of the range that holds it, in every pass.

A pass is one of three kinds, told by `schedule[pass] = (block_bits, kind, index)`:

- kind 0, natural: ranges of the frame as it stands;
- kind 1, permuted: ranges of the frame under permutation `index`, of which `copies` holds the permuted bits;
- kind 2, subset: ranges of the frame under mask `index`; only the bits of the mask count. The other half needs no
  ranges of its own: its parity is that of the frame less that of the mask.

Bit i of a row is bit i % 64 of its word i // 64. Arrays of rows are flat, so that an index is all that is computed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels._jit import kernel
from qkdpost._kernels.bit_counting import leading_zeros, ones, trailing_zeros

__all__ = ["NATURAL", "PERMUTED", "SUBSET", "State", "advance", "new_state", "warm"]

Words = NDArray[np.uint64]
Integers = NDArray[np.int64]

# Columns of `State.frames`.
STARTED, FIRST, ASKED, PASS, COUNT, PARITIES, ERRORS = range(7)
# What ASKED may say: nothing asked yet, parities of whole blocks, parities of left halves, frame is done.
NOTHING, BLOCKS, HALVES, DONE = range(4)
NATURAL, PERMUTED, SUBSET = range(3)


class State(NamedTuple):
    """Everything that one side holds of a batch of frames of one length; `copies` is secret.

    Attributes:
        copies: own bits, flat (frames, 1 + permutations, row_words): as they stand, then under each permutation.
        split: where ranges start, flat (frames, passes, row_words).
        odd: which ranges are marked, flat like `split`.
        summary: which words of `odd` are not zero, flat (frames, passes, ceil(row_words / 64)).
        marks: how many ranges are marked, flat (frames, passes).
        touched: for each frame, a bit for each subset pass whose tree was started.
        frames: for each frame STARTED (passes begun), FIRST (the first of those begun last), ASKED, PASS and COUNT
            (pass and number of the halves asked last), PARITIES and ERRORS (totals).
        schedule: (passes, 3): block_bits, kind, index.
        permutations: (count, length): the position in the frame of each position of the permuted copy.
        inverses: the inverse of each.
        masks: flat (count, row_words).
        row_words: ceil(length / 64).
        length: bits of a frame.
        correcting: whether the own bits are corrected or only the errors recorded.
    """

    copies: Words
    split: Words
    odd: Words
    summary: Words
    marks: Integers
    touched: Words
    frames: Integers
    schedule: Integers
    permutations: NDArray[np.uint32]
    inverses: NDArray[np.uint32]
    masks: Words
    row_words: int
    length: int
    correcting: bool


def new_state(
    *,
    copies: Words,
    frame_count: int,
    length: int,
    schedule: Integers,
    permutations: NDArray[np.uint32],
    inverses: NDArray[np.uint32],
    masks: Words,
    correcting: bool,
) -> State:
    """Return the state before the first round."""
    row_words = (length + 63) // 64
    trees = frame_count * schedule.shape[0]
    return State(
        copies=copies,
        split=np.empty(trees * row_words, dtype=np.uint64),
        odd=np.empty(trees * row_words, dtype=np.uint64),
        summary=np.zeros(trees * ((row_words + 63) // 64), dtype=np.uint64),
        marks=np.zeros(trees, dtype=np.int64),
        touched=np.zeros(frame_count, dtype=np.uint64),
        frames=np.zeros((frame_count, 7), dtype=np.int64),
        schedule=schedule,
        permutations=permutations,
        inverses=inverses,
        masks=masks,
        row_words=row_words,
        length=length,
        correcting=correcting,
    )


# In kernels a cast to int64; to the type checker anything.
signed: Any = np.int64


@kernel
def below(count: int) -> np.uint64:
    """Return a word whose lowest `count` bits are ones, 1 <= count <= 64."""
    return np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - count)


@kernel
def range_parity(row: Words, base: int, start: int, end: int) -> np.uint64:
    """Return the parity of the bits start ... end - 1 of the row that begins at word `base`."""
    first = base + (start >> 6)
    last = base + ((end - 1) >> 6)
    shift = np.uint64(start & 63)
    if first == last:
        word = (row[first] >> shift) & below(end - start)
    else:
        word = row[first] >> shift
        for index in range(first + 1, last):
            word ^= row[index]
        word ^= row[last] & below(((end - 1) & 63) + 1)
        # The shift lost no bit of the range, but left the words misaligned: only the parity of all is meant.
    return np.uint64(ones(word)) & np.uint64(1)


@kernel
def masked_parity(  # noqa: PLR0917
    row: Words, base: int, masks: Words, mask_base: int, start: int, end: int
) -> np.uint64:
    """Return the parity of the bits start ... end - 1 of the row that lie under the mask."""
    first = start >> 6
    last = (end - 1) >> 6
    word = row[base + first] & masks[mask_base + first]
    word >>= np.uint64(start & 63)
    if first == last:
        word &= below(end - start)
    else:
        for index in range(first + 1, last):
            word ^= row[base + index] & masks[mask_base + index]
        word ^= row[base + last] & masks[mask_base + last] & below(((end - 1) & 63) + 1)
    return np.uint64(ones(word)) & np.uint64(1)


@kernel
def window(row: Words, base: int, start: int, end: int) -> np.uint64:
    """Return the bits start ... end - 1 of a row, at most 64 of them, as a word."""
    first = start >> 6
    shift = np.uint64(start & 63)
    word = row[base + first] >> shift
    if (end - 1) >> 6 != first:
        word |= row[base + first + 1] << (np.uint64(64) - shift)
    return word & below(end - start)


@kernel
def halving(kind: int, masks: Words, mask_base: int, start: int, end: int) -> int:
    """Return where the range is divided, or `start` if it holds a single position (or none).

    A range is halved by length, the left half the longer; within 64 positions of a subset, by members.
    """
    length = end - start
    if kind != SUBSET or length > 64:
        return start + ((length + 1) >> 1) if length > 1 else start
    members = window(masks, mask_base, start, end)
    left = (ones(members) + 1) >> 1
    if ones(members) <= 1:
        return start
    for _ in range(left - 1):
        members &= members - np.uint64(1)
    return start + trailing_zeros(members) + 1


@kernel
def range_start(split: Words, base: int, position: int) -> int:
    """Return where the range that holds `position` starts."""
    index = position >> 6
    word = split[base + index] & below((position & 63) + 1)
    while word == np.uint64(0):
        index -= 1
        word = split[base + index]
    return (index << 6) + 63 - leading_zeros(word)


@kernel
def range_end(split: Words, base: int, start: int, length: int) -> int:
    """Return where the range that starts at `start` ends."""
    word = (split[base + (start >> 6)] >> np.uint64(start & 63)) >> np.uint64(1)
    if word != np.uint64(0):
        return start + 1 + trailing_zeros(word)
    for index in range((start >> 6) + 1, (length + 63) >> 6):
        word = split[base + index]
        if word != np.uint64(0):
            return (index << 6) + trailing_zeros(word)
    return length


@kernel
def turn_mark(state: State, at: int, start: int) -> None:
    """Turn the mark of the range that starts at `start` in the tree `at`, and the count of its marks."""
    index = start >> 6
    place = at * state.row_words + index
    bit = np.uint64(1) << np.uint64(start & 63)
    word = state.odd[place] ^ bit
    state.odd[place] = word
    state.marks[at] += 1 if word & bit != np.uint64(0) else -1
    flag = np.uint64(1) << np.uint64(index & 63)
    place = at * ((state.row_words + 63) >> 6) + (index >> 6)
    if word == np.uint64(0):
        state.summary[place] &= ~flag
    else:
        state.summary[place] |= flag


@kernel
def start_tree(state: State, at: int, block: int) -> None:
    """Divide the positions of the tree `at` into ranges of `block`, none marked."""
    base = at * state.row_words
    for index in range(base, base + state.row_words):
        state.split[index] = np.uint64(0)
        state.odd[index] = np.uint64(0)
    for start in range(0, state.length, block):
        state.split[base + (start >> 6)] |= np.uint64(1) << np.uint64(start & 63)


@kernel
def turn_range(state: State, frame: int, index: int, position: int) -> None:
    """Turn the mark of the range of pass `index` that holds `position`; a subset's tree is started at need."""
    at = frame * state.schedule.shape[0] + index
    touched = np.uint64(1) << np.uint64(index)
    if state.schedule[index, 1] == SUBSET and state.touched[frame] & touched == np.uint64(0):
        state.touched[frame] |= touched
        start_tree(state, at, state.length)
    turn_mark(state, at, range_start(state.split, at * state.row_words, position))


@kernel
def correct_bit(state: State, frame: int, position: int) -> None:
    """Count an error at `position` of the frame as it stands, turn the ranges that hold it, flip the own bit."""
    state.frames[frame, ERRORS] += 1
    for index in range(state.frames[frame, STARTED]):
        kind = state.schedule[index, 1]
        which = state.schedule[index, 2]
        if kind == NATURAL:
            turn_range(state, frame, index, position)
        elif kind == PERMUTED:
            turn_range(state, frame, index, signed(state.inverses[which, position]))
        elif get_bit(state.masks, which * state.row_words, position) != np.uint64(0):
            turn_range(state, frame, index, position)
    if state.correcting:
        copies = state.inverses.shape[0]
        base = frame * (copies + 1) * state.row_words
        state.copies[base + (position >> 6)] ^= np.uint64(1) << np.uint64(position & 63)
        for which in range(copies):
            base += state.row_words
            place = signed(state.inverses[which, position])
            state.copies[base + (place >> 6)] ^= np.uint64(1) << np.uint64(place & 63)


@kernel
def correct_single(state: State, frame: int, index: int, start: int, end: int) -> None:
    """Correct the only member of a range of pass `index`, if the range is marked."""
    at = frame * state.schedule.shape[0] + index
    if get_bit(state.odd, at * state.row_words, start) == np.uint64(0):
        return
    position = start
    which = state.schedule[index, 2]
    if state.schedule[index, 1] == PERMUTED:
        position = signed(state.permutations[which, start])
    elif state.schedule[index, 1] == SUBSET:
        position += trailing_zeros(window(state.masks, which * state.row_words, start, end))
    correct_bit(state, frame, position)


@kernel
def correct_single_blocks(state: State, frame: int, index: int) -> None:
    """Correct what the parities of whole blocks tell already: blocks of one position."""
    block = state.schedule[index, 0]
    if state.schedule[index, 1] == SUBSET:
        members = window(state.masks, state.schedule[index, 2] * state.row_words, 0, min(state.length, 64))
        if state.length <= 64 and ones(members) == 1 and state.marks[frame * state.schedule.shape[0] + index] > 0:
            correct_single(state, frame, index, 0, state.length)
    elif block == 1:
        for start in range(state.length):
            correct_single(state, frame, index, start, start + 1)
    elif state.length % block == 1:
        correct_single(state, frame, index, state.length - 1, state.length)


@kernel
def put_bit(output: Words, place: int, bit: np.uint64) -> None:
    """Write bit `place` of `output`; bits are written in order, the first of a word clears it."""
    if place & 63 == 0:
        output[place >> 6] = bit
    else:
        output[place >> 6] |= bit << np.uint64(place & 63)


@kernel
def get_bit(row: Words, base: int, place: int) -> np.uint64:
    """Return bit `place` of the row that begins at word `base`."""
    return (row[base + (place >> 6)] >> np.uint64(place & 63)) & np.uint64(1)


@kernel
def own_parity(state: State, frame: int, index: int, start: int, end: int) -> np.uint64:
    """Return the parity of the own bits in a range of pass `index`."""
    base = frame * (state.inverses.shape[0] + 1) * state.row_words
    kind = state.schedule[index, 1]
    which = state.schedule[index, 2]
    if kind == SUBSET:
        return masked_parity(state.copies, base, state.masks, which * state.row_words, start, end)
    if kind == PERMUTED:
        base += (which + 1) * state.row_words
    return range_parity(state.copies, base, start, end)


@kernel
def asked_blocks(state: State, index: int) -> int:
    """Return how many whole blocks of pass `index` are asked: all in the first, all but the last later."""
    if state.schedule[index, 1] == SUBSET:
        return 1
    block = state.schedule[index, 0]
    blocks = (state.length + block - 1) // block
    return blocks if index == 0 else blocks - 1


@kernel
def ask_blocks(state: State, frame: int, parities: Words, written: int) -> int:
    """Start the next pass, or the whole row of subset passes that is next; return the parities written so far."""
    row = state.frames[frame]
    row[FIRST] = row[STARTED]
    row[ASKED] = BLOCKS
    before = written
    while row[STARTED] < state.schedule.shape[0]:
        index = row[STARTED]
        row[STARTED] += 1
        block = state.schedule[index, 0]
        subset = state.schedule[index, 1] == SUBSET
        for start in range(0, asked_blocks(state, index) * block, block):
            end = state.length if subset else min(start + block, state.length)
            put_bit(parities, written, own_parity(state, frame, index, start, end))
            written += 1
        following = row[STARTED]
        if not subset or following == state.schedule.shape[0] or state.schedule[following, 1] != SUBSET:
            break
    row[PARITIES] += written - before
    return written


@kernel
def learn_blocks(state: State, frame: int, mismatch: Words, read: int) -> int:
    """Mark the blocks whose parities differ; return how many mismatch bits are read by now."""
    row = state.frames[frame]
    for index in range(row[FIRST], row[STARTED]):
        at = frame * state.schedule.shape[0] + index
        block = state.schedule[index, 0]
        asked = asked_blocks(state, index)
        if state.schedule[index, 1] == SUBSET:
            if get_bit(mismatch, 0, read) != np.uint64(0):
                turn_range(state, frame, index, 0)
            read += 1
            continue
        start_tree(state, at, block)
        total = np.uint64(0)
        for start in range(0, asked * block, block):
            bit = get_bit(mismatch, 0, read)
            read += 1
            total ^= bit
            if bit != np.uint64(0):
                turn_mark(state, at, start)
        # No range of an earlier pass is odd by now, so the frame is even, and the last block is what the others are.
        if index > 0 and total != np.uint64(0):
            turn_mark(state, at, asked * block)
    for index in range(row[FIRST], row[STARTED]):
        correct_single_blocks(state, frame, index)
    return read


@kernel
def ask_halves(  # noqa: PLR0917
    state: State, frame: int, index: int, pending: Words, parities: Words, written: int
) -> int:
    """Ask for the left half of each marked range of pass `index`; return the parities written so far."""
    at = frame * state.schedule.shape[0] + index
    kind = state.schedule[index, 1]
    mask_base = state.schedule[index, 2] * state.row_words
    tree = at * state.row_words
    summary_words = (state.row_words + 63) >> 6
    for place in range(summary_words):
        flags = state.summary[at * summary_words + place]
        while flags != np.uint64(0):
            group = (place << 6) + trailing_zeros(flags)
            flags &= flags - np.uint64(1)
            word = state.odd[tree + group]
            while word != np.uint64(0):
                start = (group << 6) + trailing_zeros(word)
                word &= word - np.uint64(1)
                end = range_end(state.split, tree, start, state.length)
                middle = halving(kind, state.masks, mask_base, start, end)
                if middle == start:
                    # A single position at odds with another pass: only a peer that lies brings this about.
                    turn_mark(state, at, start)
                    continue
                pending[written] = np.uint64(start) << np.uint64(32) | np.uint64(end)
                put_bit(parities, written, own_parity(state, frame, index, start, middle))
                written += 1
    return written


@kernel
def learn_halves(state: State, frame: int, pending: Words, mismatch: Words, read: int) -> int:
    """Divide the ranges that were asked, correct what is found; return how many mismatch bits are read by now."""
    index = state.frames[frame, PASS]
    at = frame * state.schedule.shape[0] + index
    kind = state.schedule[index, 1]
    mask_base = state.schedule[index, 2] * state.row_words
    tree = at * state.row_words
    for _ in range(state.frames[frame, COUNT]):
        start = signed(pending[read] >> np.uint64(32))
        end = signed(pending[read] & np.uint64(0xFFFFFFFF))
        middle = halving(kind, state.masks, mask_base, start, end)
        state.split[tree + (middle >> 6)] |= np.uint64(1) << np.uint64(middle & 63)
        if get_bit(mismatch, 0, read) != np.uint64(0):
            end = middle
        else:
            turn_mark(state, at, start)
            turn_mark(state, at, middle)
            start = middle
        read += 1
        if halving(kind, state.masks, mask_base, start, end) == start:
            correct_single(state, frame, index, start, end)
    return read


@kernel
def ask_next(state: State, frame: int, pending: Words, parities: Words, written: int) -> int:
    """Choose what a frame asks next, the lowest pass with a marked range first; return the parities written."""
    row = state.frames[frame]
    for index in range(row[STARTED]):
        if state.marks[frame * state.schedule.shape[0] + index] == 0:
            continue
        before = written
        written = ask_halves(state, frame, index, pending, parities, written)
        if written > before:
            row[ASKED] = HALVES
            row[PASS] = index
            row[COUNT] = written - before
            row[PARITIES] += written - before
            return written
    if row[STARTED] < state.schedule.shape[0]:
        return ask_blocks(state, frame, parities, written)
    row[ASKED] = DONE
    return written


@kernel
def advance(state: State, mismatch: Words, asked: Words, pending: Words, parities: Words) -> int:
    """Take every frame through one round.

    Args:
        state: what `State` says; changed in place.
        mismatch: own parities of the last round XOR the peer's, in their order; empty in the first round.
        asked: the ranges whose left halves `mismatch` tells of, 2^32 start + end; `pending` of the last round.
        pending: takes the ranges of this round, at their number in the list.
        parities: takes the own parities of this round, packed.

    Returns:
        The number of parities written; 0 once every frame is done.
    """
    read = 0
    written = 0
    for frame in range(state.frames.shape[0]):
        said = state.frames[frame, ASKED]
        if said == DONE:
            continue
        if said == BLOCKS:
            read = learn_blocks(state, frame, mismatch, read)
        elif said == HALVES:
            read = learn_halves(state, frame, asked, mismatch, read)
        written = ask_next(state, frame, pending, parities, written)
    return written


def warm() -> None:
    """Compile every kernel of this file."""
    for kind in (NATURAL, PERMUTED, SUBSET):
        state = new_state(
            copies=np.ones(2, dtype=np.uint64),
            frame_count=1,
            length=2,
            schedule=np.array([[2, kind, 0]], dtype=np.int64),
            permutations=np.array([[0, 1]], dtype=np.uint32),
            inverses=np.array([[0, 1]], dtype=np.uint32),
            masks=np.full(1, 3, dtype=np.uint64),
            correcting=True,
        )
        ranges = np.zeros(1, dtype=np.uint64)
        advance(state, np.zeros(1, dtype=np.uint64), ranges, ranges, np.zeros(1, dtype=np.uint64))
