"""Unbiased draws from a stream of 32-bit words: permutations and subsets.

A draw below `bound` from a word w is the high half of the 64-bit product w * bound; it is rejected, and the next
word taken, while the low half lies below 2^32 mod bound (Lemire, ACM Trans. Model. Comput. Simul. 29, 3, 2019).
The draws are then exactly uniform if the words are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.jit.decorators import kernel

__all__ = ["draw_subset", "shuffle", "warm"]


@kernel
def shuffle(order: NDArray[np.uint32], top: int, stream: NDArray[np.uint32]) -> int:
    """Go on with the Fisher-Yates shuffle of `order` from index `top` down, for as long as `stream` lasts.

    At index i the entry is exchanged with that at a draw below i + 1. Returns the index that is next: 0 once the
    shuffle is complete.
    """
    low_half = np.uint64(0xFFFFFFFF)
    for index in range(stream.size):
        if top <= 0:
            break
        bound = np.uint64(top + 1)
        product = np.uint64(stream[index]) * bound
        if product & low_half < np.uint64(0x100000000) % bound:
            continue
        other = np.int64(product >> np.uint64(32))
        held = order[top]
        order[top] = order[other]
        order[other] = held
        top -= 1
    return top


@kernel
def draw_subset(words: NDArray[np.uint64], bound: int, missing: int, stream: NDArray[np.uint32]) -> int:
    """Set bits of `words` at draws below `bound`, until `missing` more are set or `stream` ends.

    A draw whose bit is already set is passed over. Returns how many are still missing.
    """
    low_half = np.uint64(0xFFFFFFFF)
    limit = np.uint64(bound)
    threshold = np.uint64(0x100000000) % limit
    for index in range(stream.size):
        if missing <= 0:
            break
        product = np.uint64(stream[index]) * limit
        if product & low_half < threshold:
            continue
        position = product >> np.uint64(32)
        place = np.int64(position >> np.uint64(6))
        bit = np.uint64(1) << (position & np.uint64(63))
        if words[place] & bit == np.uint64(0):
            words[place] |= bit
            missing -= 1
    return missing


def warm() -> None:
    """Compile every kernel of this file."""
    stream = np.zeros(4, dtype=np.uint32)
    stream.flags.writeable = False
    shuffle(np.zeros(2, dtype=np.uint32), 1, stream)
    draw_subset(np.zeros(1, dtype=np.uint64), 2, 1, stream)
