"""Posteriors of a frame in one flat array, from which a register is read at any bit of a block on.

Those of a block of bits lie behind one another, with a margin of a register on each side: the first bits stand once
more behind the last. What is written across an end is written a second time on the other side, and what falls beyond
a margin is never read.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.jit.decorators import inlined_kernel, lean_kernel
from qkdpost._kernels.ldpc.lanes import load_run, negative, store_run

__all__ = ["REGISTER_BYTES", "decide", "posterior_length", "restart", "write_posteriors"]

Words = NDArray[np.uint64]
Values = NDArray[Any]

REGISTER_BYTES = 64


def posterior_length(columns: int, size: int, itemsize: int) -> int:
    """Return how many elements the posteriors take, margins included: a register before and behind each block."""
    lanes = REGISTER_BYTES // itemsize
    return columns * (size + 2 * lanes) + lanes


@lean_kernel
def restart(channel: NDArray[np.int16], size: int, posterior: Values) -> None:
    """Set a frame's posteriors, margins too, to its channel values."""
    lanes = REGISTER_BYTES // posterior.itemsize
    for block in range(channel.size // size):
        start = block * (size + 2 * lanes) + lanes
        # Slices: the compiler sees that they do not wrap, and converts a register at a time.
        source = channel[block * size : (block + 1) * size]
        target = posterior[start : start + size + lanes]
        for index in range(size):
            target[index] = source[index]
        for index in range(lanes):
            target[size + index] = source[index]


@inlined_kernel
def write_posteriors(
    posterior: Values, start: np.uint64, offset: np.uint64, size: np.uint64, lanes: np.uint64, values: Values
) -> None:
    """Write a register of posteriors from `start` on, which is bit `offset` of its block."""
    store_run(posterior, start, values)
    if offset < lanes:
        store_run(posterior, start + size, values)
    if offset + lanes > size:
        store_run(posterior, start - size, values)


@lean_kernel
def decide(size: int, posterior: Values, decisions: Words) -> None:
    """Pack what a frame's posteriors decide for, a bit for each, 1 for an error."""
    lanes = np.uint64(REGISTER_BYTES // posterior.itemsize)
    words = np.uint64(size >> 6)
    stride = np.uint64(size) + lanes + lanes
    for block in range(np.uint64(decisions.size) // words):
        place = block * stride + lanes
        for word in range(block * words, (block + np.uint64(1)) * words):
            found = np.uint64(0)
            for part in range(0, 64, lanes):
                found |= negative(load_run(posterior, place)) << np.uint64(part)
                place += lanes
            decisions[word] = found
