"""Posteriors of a frame in one flat array, where those of a block lie as the edge that wrote them last wants them.

An edge joins check i of its row to bit (i + shift) % size of its block, and so a register of checks to as many bits
from any one on. A register that is written across a line of the cache takes twice as long and more, one that is read so
hardly longer. So an edge writes the posteriors of its checks in the order of these, check 0 first, aligned; the next
edge of the block reads them turned by the difference of both shifts, and the first edge after the last one. Every block
lies twice, and edges read and write by turns: while a row is at work, it reads nothing that it wrote.

An edge has one word for it, and one more for every second iteration, since a block may have an odd number of edges: the
place where it reads in the upper half, in bit 31 whether that is the second of the block's two, and below by how many
bits it turns. A block has such a word for what its last edge left. Behind each of its two places its first register
stands once more, so that one may be read across the end.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.jit.decorators import inlined_kernel, lean_kernel
from qkdpost._kernels.ldpc.lanes import load_run, negative, store_run

__all__ = [
    "REGISTER_BYTES",
    "decide",
    "other_place_of",
    "place_of",
    "place_step",
    "posterior_length",
    "restart",
    "write_posteriors",
]

Words = NDArray[np.uint64]
Values = NDArray[Any]

REGISTER_BYTES = 64


def posterior_length(columns: int, size: int, itemsize: int) -> int:
    """Return how many elements the posteriors take: each block twice, and a register behind."""
    return 2 * columns * place_step(size, itemsize)


def place_step(size: int, itemsize: int) -> int:
    """Return how many elements lie from one place of a block to the next."""
    return size + REGISTER_BYTES // itemsize


@inlined_kernel
def place_of(move: np.uint64) -> np.uint64:
    """Return where a block's posteriors start, by the word of an edge or a block."""
    return move >> np.uint64(32)


@inlined_kernel
def other_place_of(move: np.uint64, step: np.uint64) -> np.uint64:
    """Return where they start next, `step` elements behind or before."""
    return place_of(move) + step - ((move >> np.uint64(30)) & np.uint64(2)) * step


@lean_kernel
def restart(channel: NDArray[np.int16], size: int, blocks: Words, posterior: Values) -> None:
    """Set a frame's posteriors to its channel values, turned as the words `blocks` say."""
    lanes = REGISTER_BYTES // posterior.itemsize
    for block in range(blocks.size):
        turn = np.int64(blocks[block] & np.uint64(0x7FFFFFFF))
        start = np.int64(place_of(blocks[block]))
        # Slices: the compiler sees that they do not wrap, and converts a register at a time.
        source = channel[block * size : (block + 1) * size]
        target = posterior[start : start + size + lanes]
        for index in range(size - turn):
            target[turn + index] = source[index]
        for index in range(turn):
            target[index] = source[size - turn + index]
        for index in range(lanes):
            target[size + index] = target[index]


@inlined_kernel
def write_posteriors(posterior: Values, start: np.uint64, index: np.uint64, size: np.uint64, values: Values) -> None:
    """Write the posteriors of a register of checks, number `index` the first, to a block from `start` on."""
    store_run(posterior, start + index, values)
    if index == np.uint64(0):
        store_run(posterior, start + size, values)


@lean_kernel
def decide(size: int, blocks: Words, posterior: Values, decisions: Words) -> None:
    """Pack what a frame's posteriors decide for, a bit for each, 1 for an error; they lie as `blocks` says."""
    lanes = np.uint64(REGISTER_BYTES // posterior.itemsize)
    last = np.uint64(size - 1)
    words = np.uint64(size >> 6)
    for block in range(np.uint64(blocks.size)):
        move = blocks[block]
        for word in range(words):
            found = np.uint64(0)
            for part in range(0, 64, lanes):
                offset = (move + (word << np.uint64(6)) + np.uint64(part)) & last
                found |= negative(load_run(posterior, place_of(move) + offset)) << np.uint64(part)
            decisions[block * words + word] = found
