"""Carry-less products of packed words: polynomials over GF(2), bit i the coefficient of x^i.

The kernel here multiplies every lane by every lane, and only those that meet in the window asked for. It is the
leaf of everything larger.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.gf2.clmul_lanes import (
    Lanes,
    broadcast,
    broadcast_lane,
    load,
    lower_high,
    multiply_high,
    multiply_low,
    raise_low,
    store,
    swap_words,
    xor,
)
from qkdpost._kernels.jit.decorators import kernel

__all__ = ["GUARD_WORDS", "convolve_window"]

Words: TypeAlias = NDArray[np.uint64]

GUARD_WORDS = 8
"""Zero words that `convolve_window` wants before and after its right operand."""


@kernel
def convolve_window(
    left: Words, left_lanes: int, right: Words, right_lanes: int, first_lane: int, output: Words
) -> None:
    """Write lanes first_lane ... of the product of `left` and `right` to all of `output`.

    Args:
        left: 2 left_lanes words or more.
        left_lanes: lanes of `left`.
        right: GUARD_WORDS zeros, 2 right_lanes words, GUARD_WORDS zeros.
        right_lanes: lanes of `right` between the zeros.
        first_lane: the first lane of the product that is wanted; lane k holds its bits 128 k ... 128 k + 127.
        output: a multiple of eight words, plus eight words whose content is lost.
    """
    blocks = (output.size - GUARD_WORDS) >> 3
    zero = broadcast(np.uint64(0), np.uint64(0))
    for index in range(0, output.size, 8):
        store(output, index, zero)
    if first_lane > 0:
        _add_block(left, left_lanes, right, right_lanes, first_lane - 4, output, -8)
    for block in range(blocks):
        _add_block(left, left_lanes, right, right_lanes, first_lane + 4 * block, output, 8 * block)


@kernel
def _add_block(
    left: Words, left_lanes: int, right: Words, right_lanes: int, lane: int, output: Words, position: int
) -> None:
    """Add the products of lanes that sum to lane ... lane + 3 to `output`, that lane being at `position`.

    A product of two lanes has 256 bits and reaches into the next lane. At position -8 only that overhang is kept.
    """
    low = broadcast(np.uint64(0), np.uint64(0))
    middle = low
    high = low
    first = max(0, lane - right_lanes + 1)
    last = min(left_lanes - 1, lane + 3)
    for index in range(first, last + 1):
        one = broadcast_lane(left, 2 * index)
        four = load(right, GUARD_WORDS + 2 * (lane - index))
        low = xor(low, multiply_low(one, four))
        high = xor(high, multiply_high(one, four))
        middle = xor(middle, multiply_low(xor(one, swap_words(one)), xor(four, swap_words(four))))
    middle = xor(middle, xor(low, high))
    low = xor(low, raise_low(middle))
    high = xor(high, lower_high(middle))
    if position < 0:
        _store_overhang(high, output)
        return
    store(output, position, xor(load(output, position), low))
    store(output, position + 2, xor(load(output, position + 2), high))


@kernel
def _store_overhang(high: Lanes, output: Words) -> None:
    """Write the last lane of `high` to the first of zeroed `output`."""
    last = np.empty(8, np.uint64)
    store(last, 0, high)
    output[0] = last[6]
    output[1] = last[7]
