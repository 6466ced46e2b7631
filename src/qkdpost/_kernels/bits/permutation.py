"""Unbiased draws from a stream of 32-bit words: permutations and subsets.

A draw below `bound` from a word w is the high half of the 64-bit product w * bound; it is rejected, and the next
word taken, while the low half lies below 2^32 mod bound (Lemire, ACM Trans. Model. Comput. Simul. 29, 3, 2019).
The draws are then exactly uniform if the words are. What is left by the division is below `bound`, so that it is looked
for where the low half is, too: once in 2^32 / bound words.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.jit.decorators import inlined_kernel, kernel

__all__ = ["draw_subset", "invert", "shuffle", "warm"]

LOW_HALF = np.uint64(0xFFFFFFFF)
TWO_TO_32 = np.uint64(0x100000000)


@inlined_kernel
def rejected(product: np.uint64, bound: np.uint64) -> bool:
    """Return whether the draw of this product is to be passed over."""
    low = np.uint64(product & LOW_HALF)
    return bool(low < bound and low < TWO_TO_32 % bound)


@kernel
def shuffle(order: NDArray[np.uint32], top: int, stream: NDArray[np.uint32]) -> int:
    """Go on with the Fisher-Yates shuffle of `order` from index `top` down, for as long as `stream` lasts.

    At index i the entry is exchanged with that at a draw below i + 1. Returns the index that is next: 0 once the
    shuffle is complete.
    """
    for index in range(stream.size):
        if top <= 0:
            break
        bound = np.uint64(top + 1)
        product = np.uint64(stream[index]) * bound
        if rejected(product, bound):
            continue
        other = np.uint64(product >> np.uint64(32))
        place = np.uint64(top)
        held = order[place]
        order[place] = order[other]
        order[other] = held
        top -= 1
    return top


@kernel
def invert(order: NDArray[np.uint32], output: NDArray[np.uint32], column: int) -> None:
    """Write where each number stands in a permutation: output[order[i], column] becomes i.

    Args:
        order: each of 0 ... n - 1 once.
        output: n rows.
        column: one of its columns.
    """
    for index in range(order.size):
        output[np.uint64(order[index]), column] = np.uint32(index)


@kernel
def draw_subset(words: NDArray[np.uint64], bound: int, missing: int, stream: NDArray[np.uint32]) -> int:
    """Set bits of `words` at draws below `bound`, until `missing` more are set or `stream` ends.

    A draw whose bit is already set is passed over. Returns how many are still missing.
    """
    limit = np.uint64(bound)
    for index in range(stream.size):
        if missing <= 0:
            break
        product = np.uint64(stream[index]) * limit
        if rejected(product, limit):
            continue
        position = np.uint64(product >> np.uint64(32))
        place = np.uint64(position >> np.uint64(6))
        bit = np.uint64(1) << (position & np.uint64(63))
        if words[place] & bit == np.uint64(0):
            words[place] |= bit
            missing -= 1
    return missing


def warm() -> None:
    """Compile every kernel of this file."""
    stream = np.zeros(4, dtype=np.uint32)
    stream.flags.writeable = False
    order = np.zeros(2, dtype=np.uint32)
    shuffle(order, 1, stream)
    invert(order, np.zeros((2, 1), dtype=np.uint32), 0)
    draw_subset(np.zeros(1, dtype=np.uint64), 2, 1, stream)
