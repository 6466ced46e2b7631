"""Frames come and go, one in each lane: which frame is where, how old it is, and whether it is done.

A mask is a `uint64` whose bit i speaks of lane i. ``frame_of[i]`` is the frame in lane i, -1 where the lane is idle;
``ages[i]`` is how many iterations it has had.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.jit.decorators import kernel

__all__ = ["admit", "mark_done", "release_lanes", "take_words", "transpose_square"]

Words = NDArray[np.uint64]

_LANES_TO_REFILL = 8
"""Idle lanes that are worth a pass over all messages to fill them again."""


@kernel
def transpose_square(square: Words) -> None:
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
def take_words(done: np.uint64, frame_of: NDArray[np.int64], decisions: Words, words: Words, square: Words) -> None:
    """Pack the decisions of the frames in the lanes of mask `done`, a bit of each entry, into their words."""
    for word in range(words.shape[1]):
        for offset in range(64):
            square[offset] = decisions[64 * word + offset]
        transpose_square(square)
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
