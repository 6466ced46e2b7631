"""Toeplitz matrix times bit vector, on packed words."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels._jit import kernel
from qkdpost._kernels.clmul import GUARD_WORDS, convolve_window

__all__ = ["copy_bits", "copy_raised", "toeplitz_product"]

Words: TypeAlias = NDArray[np.uint64]


def toeplitz_product(words: Words, input_bits: int, seed: Words, output: Words, output_bits: int) -> None:
    """Write y[i] = sum over GF(2) of seed[i - j + input_bits - 1] x[j] to `output`, bits past the end zero.

    Args:
        words: x, input_bits >= 1 bits.
        input_bits: the number n of columns.
        seed: n + output_bits - 1 bits.
        output: ceil(output_bits / 64) words, overwritten.
        output_bits: the number of rows, at least 1.
    """
    # x is raised so that bit n - 1 of the product, the first wanted, falls on the boundary of a lane.
    raised = -(input_bits - 1) % 128
    left_lanes = (input_bits + raised + 127) // 128
    left = np.zeros(2 * left_lanes, dtype=np.uint64)
    copy_raised(words, raised, left)
    right_lanes = (seed.size + 1) // 2
    right = np.zeros(2 * right_lanes + 2 * GUARD_WORDS, dtype=np.uint64)
    right[GUARD_WORDS : GUARD_WORDS + seed.size] = seed
    window = np.empty((output.size + 7) // 8 * 8 + GUARD_WORDS, dtype=np.uint64)
    convolve_window(left, left_lanes, right, right_lanes, (input_bits - 1 + raised) // 128, window)
    output[:] = window[: output.size]
    if output_bits % 64:
        output[-1] &= np.uint64((1 << (output_bits % 64)) - 1)


@kernel
def copy_raised(words: Words, shift: int, output: Words) -> None:
    """Write `words` shifted up by `shift` bits to all of `output`; what does not fit is lost."""
    skip = shift >> 6
    up = np.uint64(shift & 63)
    down = np.uint64(64) - up
    for index in range(min(skip, output.size)):
        output[index] = np.uint64(0)
    carry = np.uint64(0)
    for index in range(skip, output.size):
        source = index - skip
        word = words[source] if source < words.size else np.uint64(0)
        output[index] = (word << up) | carry
        carry = word >> down if up != np.uint64(0) else np.uint64(0)


@kernel
def copy_bits(words: Words, start: int, bits: int, output: Words) -> None:
    """Write bits start ... start + bits - 1 of `words` to the front of `output`, and zeros to the rest of it."""
    skip = start >> 6
    down = np.uint64(start & 63)
    up = np.uint64(64) - down
    count = (bits + 63) >> 6
    for index in range(count):
        word = words[skip + index] >> down
        if down != np.uint64(0) and skip + index + 1 < words.size:
            word |= words[skip + index + 1] << up
        output[index] = word
    for index in range(count, output.size):
        output[index] = np.uint64(0)
    if bits & 63:
        output[count - 1] &= (np.uint64(1) << np.uint64(bits & 63)) - np.uint64(1)
