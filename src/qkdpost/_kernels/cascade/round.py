"""The round of Cascade: one call advances every frame by one exchange of parities.

`trees` tells what a frame holds; here is what it asks, and what it makes of the answer.
"""

from __future__ import annotations

import numpy as np

from qkdpost._kernels.cascade.blocks import ask_blocks, blocks_of, learn_blocks
from qkdpost._kernels.cascade.corrections import correct_found, prefetch_found
from qkdpost._kernels.cascade.locating import MOST_DIGITS, longest_located
from qkdpost._kernels.cascade.odd_ranges import merge_turned
from qkdpost._kernels.cascade.searching import ask_ranges, learn_ranges, prefetch_first
from qkdpost._kernels.cascade.trees import (
    ACTIVE,
    ACTIVE_AT,
    ASKED,
    BLOCKS,
    COLUMNS,
    DONE,
    FOUND,
    FRAME_WORDS,
    GIVEN_UP,
    HEADERS_AT,
    HURRY_DOUBLES,
    HURRY_FROM,
    KIND,
    LENGTH,
    LIST,
    LISTED,
    MOST_PARTS,
    NOTHING,
    PARITIES,
    PASSES,
    PASSES_AT,
    ROOM,
    ROUND,
    SPACE,
    STARTED,
    SUBSET,
    TREES_AT,
    USED,
    Integers,
    Orders,
    Words,
    row_of,
    signed,
)
from qkdpost._kernels.jit.decorators import inlined_kernel, lean_kernel

__all__ = ["take_rounds", "warm"]

# Frames whose steps are taken side by side, so that what one waits for comes while others work.
TOGETHER = 16


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
    told: Words,
    read: int,
) -> tuple[int, int, int]:
    """Take in what a frame was told; list what is odd, and what was found, as `learn_ranges` does."""
    columns = plan[HEADERS_AT] + COLUMNS * frame
    trees = plan[TREES_AT] + plan[FRAME_WORDS] * frame
    said = signed(cells[columns + ASKED])
    first_kept, first_found = kept, found
    if said == BLOCKS:
        kept, found, read = learn_blocks(cells, plan, columns, trees, ranges, kept, found, told, read)
    elif said == GIVEN_UP:
        read += signed(cells[columns + LISTED])
    elif said != NOTHING:
        longest = longest_located(plan, signed(cells[ROUND]) - 1)
        kept, found, read = learn_ranges(
            cells, plan, columns, trees, ranges, source, said, longest, kept, found, told, read
        )
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
    """Choose what a frame asks next: parts of odd ranges, or if none is odd, the blocks of the next pass.

    Returns:
        The end of the room that the frame needs for what it is told; the parities written so far.
    """
    before = written
    number = signed(cells[ROUND])
    most, longest = most_parts(plan, number), longest_located(plan, number)
    end, written, parts, at_odds = ask_ranges(
        cells, plan, trees, ranges, source, source_end, target, parities, written, most, longest
    )
    cells[columns + PARITIES] += np.uint64(written - before)
    if at_odds:
        give_up(cells, plan, columns, written - before)
        return target, written
    cells[columns + LISTED] = np.uint64(end - target)
    cells[columns + SPACE] = np.uint64(end - target)
    if written > before:
        cells[columns + ASKED] = np.uint64(parts)
        # A range leaves one odd half, or of many parts perhaps all, which are no more than `most` of all ranges.
        cells[columns + SPACE] += np.uint64(most if parts > 2 else 0)
    elif signed(cells[columns + STARTED]) < plan[PASSES]:
        written = ask_blocks(cells, plan, columns, trees, parities, written)
    else:
        cells[columns + ASKED] = np.uint64(DONE)
    return target + signed(cells[columns + SPACE]), written


@inlined_kernel
def give_up(cells: Words, plan: Integers, columns: int, asked: int) -> None:
    """Let a frame go whose peer lies, so that it ends and lists no more; `asked` parities of it are on their way."""
    cells[columns + ASKED] = np.uint64(GIVEN_UP)
    cells[columns + LISTED] = np.uint64(asked)
    cells[columns + SPACE] = np.uint64(0)
    cells[columns + STARTED] = np.uint64(plan[PASSES])


@inlined_kernel
def most_parts(plan: Integers, number: int) -> int:
    """Return how many parts a frame may make of its ranges in round `number`, or 0 where they are halved."""
    late = number - plan[HURRY_FROM] - 2 * plan[HURRY_DOUBLES]
    if plan[HURRY_FROM] < 0 or late < 0:
        return 0
    return min(MOST_PARTS, 4 << min(MOST_PARTS, late // plan[HURRY_DOUBLES]))


@inlined_kernel
def room_after(cells: Words, plan: Integers, columns: int, asked: int) -> int:
    """Return how many ranges a frame may have in any list of the next round: it asks `MOST_DIGITS` times that at most.

    `asked` parities name no more single members than there are parts, each of which turns a range in every pass; but
    there are no more ranges than parities were asked of the frame, and one in each pass.
    """
    started = signed(cells[columns + STARTED])
    following = 0
    if started < plan[PASSES]:
        following = plan[PASSES] if plan[row_of(started) + KIND] == SUBSET else blocks_of(plan, started)
    space = signed(cells[columns + SPACE])
    single = min(space, 2 * asked)
    odd = min(space + single * started, signed(cells[columns + PARITIES]) + started)
    return max(odd + most_parts(plan, signed(cells[ROUND]) + 1), single * started, following)


@lean_kernel
def advance(
    cells: Words,
    plan: Integers,
    orders: Orders,
    ranges: Words,
    told: Words,
    read: int,
    parities: Words,
    written: int,
) -> int:
    """Take every frame through one round.

    Args:
        cells: what `trees` says; changed in place.
        plan: what `trees` says.
        orders: what `trees` says.
        ranges: four lists of odd ranges, of `cells[ROOM]` words or more each: two by turns for all frames, what was
            found, and what was turned.
        told: which parities of the last round differ from the peer's; empty in the first round.
        read: where in `told` those of these frames start.
        parities: takes the own parities of this round, packed.
        written: where in `parities` they go.

    Returns:
        The end of the parities written; `written` once every frame is done.
    """
    capacity = ranges.size // 4
    source = capacity * signed(cells[LIST])
    target = capacity - source
    first_target = target
    cells[LIST] ^= np.uint64(1)
    active = signed(cells[ACTIVE])
    still_active = plan[ACTIVE_AT]
    room = 0
    for first in range(plan[ACTIVE_AT], plan[ACTIVE_AT] + active, TOGETHER):
        end = min(first + TOGETHER, plan[ACTIVE_AT] + active)
        kept, kept_end, found = source, source, 2 * capacity
        for at in range(first, end):
            space = signed(cells[plan[HEADERS_AT] + COLUMNS * signed(cells[at]) + SPACE])
            if at + 1 < end:
                prefetch_first(cells, plan, signed(cells[at + 1]), ranges, source + space)
            kept_end, found, read = learn(
                cells, plan, orders, signed(cells[at]), ranges, source, kept_end, found, told, read
            )
            source += space
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
    cells[USED] = np.uint64(target - first_target)
    cells[ROUND] += np.uint64(1)
    return written


@inlined_kernel
def differing(own: Words, heard: Words, first: int, words: int, told: Words) -> None:
    """Write to `told` which parities differ, in so many words of `own`, and of `heard` from word `first` on."""
    for at in range(words):
        told[at] = own[at] ^ heard[first + at]


@lean_kernel
def take_rounds(
    cells: Words,
    plan: Integers,
    orders: Orders,
    ranges: Words,
    own: Words,
    asked: int,
    heard: Words,
    heard_bits: int,
    read: int,
    told: Words,
    parities: Words,
) -> tuple[int, int]:
    """Take every frame through a round, or two, by a message that answers the first and may ask the second.

    Args:
        cells: as in `advance`; changed in place.
        plan: as in `advance`.
        orders: as in `advance`.
        ranges: as in `advance`.
        own: what was asked last, `asked` parities; empty in the first round of all.
        asked: what `own` says.
        heard: the peer's parities of the same, or these, zeros up to a word, and its parities of the round after.
        heard_bits: the length of `heard`.
        read: where in `own` the parities of these frames start; 0 where `heard` has those of two rounds.
        told: room for the words of either round, for this function's own use.
        parities: takes the own parities of the next round, `MOST_DIGITS` for each range that `cells[ROOM]` says, then,
            from a word on, those of the one after.

    Returns:
        How many parities the next round asks, and the one after it. -1 for the other where only one round is over:
        where there is no room for a second, or `heard` has not as many parities as it asks. -1 for both, and nothing
        is done, where what fills a word of `heard` is not zero.
    """
    if asked & 63 != 0 and heard[own.size - 1] >> np.uint64(asked & 63) != np.uint64(0):
        return -1, -1
    differing(own, heard, 0, own.size, told)
    second = advance(cells, plan, orders, ranges, told, read, parities, 0)
    words, room = (second + 63) >> 6, signed(cells[ROOM])
    if heard_bits <= 64 * own.size or second != heard_bits - 64 * own.size or ranges.size < 4 * room:
        return second, -1
    if 64 * (parities.size - words) < MOST_DIGITS * room:
        return second, -1
    differing(parities, heard, own.size, words, told)
    return second, advance(cells, plan, orders, ranges, told, 0, parities, 64 * words) - 64 * words


def warm() -> None:
    """Compile every kernel of this file."""
    plan = np.zeros(PASSES_AT + 8, dtype=np.int64)
    plan[[LENGTH, PASSES, HURRY_DOUBLES]] = 1, 2, 1
    cells, stream = np.zeros(64, dtype=np.uint64), np.zeros(1, dtype=np.uint64)
    said = stream.copy()
    said.flags.writeable = False
    take_rounds(cells, plan, np.zeros(2, dtype=np.uint32), stream.repeat(8), said, 1, said, 1, 0, stream, stream.copy())
