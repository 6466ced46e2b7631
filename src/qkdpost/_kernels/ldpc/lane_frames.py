"""Frames come and go, one in each lane: which frame is where, how old it is, and whether it is done.

A mask is a `uint64` whose bit i speaks of lane i. ``frame_of[i]`` is the frame in lane i, -1 where the lane is idle;
``ages[i]`` is how many iterations it has had.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.jit.decorators import kernel

__all__ = [
    "CORRECTION",
    "FEWER_PERMILLE",
    "FIRST_COUNT",
    "LIMITS",
    "MAX_ITERATIONS",
    "MAX_MAGNITUDE",
    "MAX_MISSED_PERMILLE",
    "admit",
    "any_due",
    "first_waiting",
    "hopeless",
    "mark_done",
    "place_syndromes",
    "release_lanes",
    "take_words",
]

Words = NDArray[np.uint64]
Limits = NDArray[np.int64]

# The places of a decoder's limits, int64, shape (LIMITS,).
CORRECTION = 0
"""Where the line of slope 1 of a check's correction starts, in half units."""
MAX_MAGNITUDE = 1
"""At which a check's messages are held, in units."""
MAX_ITERATIONS = 2
"""After which a frame is given up."""
FIRST_COUNT = 3
"""The age at which a frame's unsatisfied checks are first counted, to give it up earlier if they are too many:"""
MAX_MISSED_PERMILLE = 4
"""more than so many of a thousand checks at that age,"""
FEWER_PERMILLE = 5
"""and so many fewer for each iteration more."""
LIMITS = 6

_LANES_TO_REFILL = 8
"""Idle lanes that are worth a pass over all messages to fill them again."""
_ITERATIONS_BETWEEN_COUNTS = 4


@kernel
def _transpose(square: Words) -> None:
    """Exchange bit j of word i with bit i of word j, for 64 words."""
    width = np.uint64(32)
    mask = np.uint64(0x00000000FFFFFFFF)
    while width != np.uint64(0):
        for start in range(np.uint64(0), np.uint64(64), np.uint64(2) * width):
            for index in range(start, start + width):
                moved = ((square[index] >> width) ^ square[index + width]) & mask
                square[index] ^= moved << width
                square[index + width] ^= moved
        width >>= np.uint64(1)
        mask ^= mask << width


@kernel
def place_syndromes(
    fresh: np.uint64, frame_of: NDArray[np.int64], frame_syndromes: Words, syndromes: Words, square: Words
) -> None:
    """Write the packed syndromes of the frames in the lanes of mask `fresh` to these bits of each check's mask."""
    for word in range(frame_syndromes.shape[1]):
        square[:] = np.uint64(0)
        for lane in range(frame_of.size):
            if frame_of[lane] >= 0:
                square[lane] = frame_syndromes[frame_of[lane], word]
        _transpose(square)
        for offset in range(64):
            check = 64 * word + offset
            syndromes[check] = (syndromes[check] & ~fresh) | (square[offset] & fresh)


@kernel
def take_words(done: np.uint64, frame_of: NDArray[np.int64], decisions: Words, words: Words, square: Words) -> None:
    """Pack the decisions of the frames in the lanes of mask `done`, a bit of each entry, into their words."""
    for word in range(words.shape[1]):
        for offset in range(64):
            square[offset] = decisions[64 * word + offset]
        _transpose(square)
        for lane in range(frame_of.size):
            if (done >> np.uint64(lane)) & np.uint64(1) != np.uint64(0):
                words[frame_of[lane], word] = square[lane]


@kernel
def admit(frame_of: NDArray[np.int64], ages: NDArray[np.int64], waiting: int, frames: int) -> np.uint64:
    """Give waiting frames to idle lanes, if enough are idle; return the mask of lanes that got one."""
    fresh = np.uint64(0)
    if waiting >= frames or np.sum(frame_of < 0) < _LANES_TO_REFILL:
        return fresh
    for lane in range(frame_of.size):
        if frame_of[lane] < 0 and waiting < frames:
            frame_of[lane] = waiting
            ages[lane] = 0
            waiting += 1
            fresh |= np.uint64(1) << np.uint64(lane)
    return fresh


@kernel
def _is_due(frame: np.int64, age: np.int64, trial: int) -> bool:
    """Return whether a frame's unsatisfied checks are looked at in the iteration after so many whole ones."""
    return bool(frame >= 0 and age >= trial and (age - trial) % _ITERATIONS_BETWEEN_COUNTS == 0)


@kernel
def first_waiting(frame_of: NDArray[np.int64]) -> int:
    """Return the first frame that is not in yet, right after some were let in."""
    newest = -1
    for lane in range(frame_of.size):
        newest = max(newest, frame_of[lane])
    return newest + 1


@kernel
def any_due(frame_of: NDArray[np.int64], ages: NDArray[np.int64], trial: int) -> bool:
    due = 0
    for lane in range(ages.size):
        due += _is_due(frame_of[lane], ages[lane], trial)
    return due > 0


@kernel
def hopeless(
    frame_of: NDArray[np.int64], ages: NDArray[np.int64], missed: NDArray[np.int64], checks: int, limits: Limits
) -> np.uint64:
    """Return the mask of lanes that miss more of a thousand checks than they may at their age."""
    lanes = np.uint64(0)
    for lane in range(ages.size):
        allowed = limits[MAX_MISSED_PERMILLE] - limits[FEWER_PERMILLE] * (ages[lane] - limits[FIRST_COUNT])
        if _is_due(frame_of[lane], ages[lane], limits[FIRST_COUNT]) and 1000 * missed[lane] > allowed * checks:
            lanes |= np.uint64(1) << np.uint64(lane)
    return lanes


@kernel
def mark_done(
    missed: np.uint64,
    hopeless: np.uint64,
    max_iterations: int,
    frame_of: NDArray[np.int64],
    ages: NDArray[np.int64],
    iterations: NDArray[np.int32],
    converged: NDArray[np.uint8],
) -> np.uint64:
    """Let every frame in work grow older; note and return the mask of those that are done."""
    one = np.uint64(1)
    done = np.uint64(0)
    for lane in range(frame_of.size):
        frame = frame_of[lane]
        if frame < 0:
            continue
        ages[lane] += 1
        satisfied = (missed >> np.uint64(lane)) & one == np.uint64(0)
        given_up = (hopeless >> np.uint64(lane)) & one != np.uint64(0)
        if satisfied or given_up or ages[lane] >= max_iterations:
            done |= one << np.uint64(lane)
            iterations[frame] = ages[lane]
            converged[frame] = satisfied
    return done


@kernel
def release_lanes(done: np.uint64, frame_of: NDArray[np.int64]) -> None:
    """Make the lanes of mask `done` idle."""
    for lane in range(frame_of.size):
        if (done >> np.uint64(lane)) & np.uint64(1) != np.uint64(0):
            frame_of[lane] = -1
