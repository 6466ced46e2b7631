"""The algebraic check of a string against manipulation: x^(d+2) + sum of s_i x^i in GF(2^128), hidden by an element."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.gf2.polynomial_hash import TABLE_WORDS, absorb, multiply_elements, power_table
from qkdpost._kernels.jit.decorators import kernel

__all__ = ["masked_value"]

Words: TypeAlias = NDArray[np.uint64]


@kernel
def masked_value(words: Words, blocks: int, point: Words, mask: Words, output: Words) -> None:
    """Write the value at `point` of the polynomial of `blocks` blocks, plus `mask`, to the two words of `output`.

    Horner's rule from x^2 on is the polynomial hash of the blocks with x^2 as what was hashed before.

    Args:
        words: s_d, ..., s_1, two words each.
        blocks: their number d, odd where manipulation is to be found.
        point: the element x, two words. Secret, as the words are.
        mask: the element that hides the value, two words. Secret.
        output: two words.
    """
    table = np.empty(TABLE_WORDS, np.uint64)
    power_table(point, table)
    output[0] = point[0]
    output[1] = point[1]
    multiply_elements(output, point)
    absorb(output, table, words, blocks)
    output[0] ^= mask[0]
    output[1] ^= mask[1]
    table[:] = np.uint64(0)


def warm() -> None:
    """Compile every kernel of this file and those below it."""
    words = np.zeros(2, dtype=np.uint64)
    masked_value(words, 1, words, words, np.zeros(2, dtype=np.uint64))
