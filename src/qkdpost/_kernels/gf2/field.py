"""Arithmetic in GF(2^128) = GF(2)[x] / (x^128 + x^7 + x^2 + x + 1), four elements at a time.

An element is a lane: bit i of its 128-bit little-endian integer is the coefficient of x^i (not the reflected
order of GHASH).
"""

from __future__ import annotations

import numpy as np

from qkdpost._kernels.gf2.cantor import TAIL
from qkdpost._kernels.gf2.clmul_lanes import (
    Lanes,
    broadcast,
    lower_high,
    multiply_high,
    multiply_high_low,
    multiply_low,
    multiply_low_high,
    raise_low,
    swap_words,
    xor,
)
from qkdpost._kernels.jit.decorators import kernel

__all__ = ["multiply", "multiply_constant", "reduce", "reduced_sum"]


@kernel
def reduce(low: Lanes, high: Lanes) -> Lanes:
    """Return low + high x^128 modulo the polynomial."""
    tail = broadcast(np.uint64(TAIL), np.uint64(TAIL))
    folded = multiply_high(high, tail)
    high = xor(high, lower_high(folded))
    return xor(xor(low, raise_low(folded)), multiply_low(high, tail))


@kernel
def reduced_sum(low: Lanes, middle: Lanes, high: Lanes) -> Lanes:
    """Return the reduced product from Karatsuba's three: of low words, of sums of words, of high words."""
    middle = xor(middle, xor(low, high))
    return reduce(xor(low, raise_low(middle)), xor(high, lower_high(middle)))


@kernel
def multiply(first: Lanes, second: Lanes) -> Lanes:
    """Return the products of four pairs of elements."""
    sums = multiply_low(xor(first, swap_words(first)), xor(second, swap_words(second)))
    return reduced_sum(multiply_low(first, second), sums, multiply_high(first, second))


@kernel
def multiply_constant(element: Lanes, constant: Lanes, raised: Lanes, tail: Lanes) -> Lanes:
    """Return element times constant, given raised = constant x^64 and tail = broadcast(0x87, 0x87).

    The low word times `constant` and the high word times `raised` make 192 bits, of which one product by the
    tail folds the upper 64: five products in all where `multiply` with its reduction also takes five, but no
    sums before them.
    """
    middle = xor(multiply_low_high(element, constant), multiply_high(element, raised))
    low = xor(multiply_low(element, constant), multiply_high_low(element, raised))
    return xor(xor(low, raise_low(middle)), multiply_high_low(middle, tail))
