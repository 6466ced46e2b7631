"""Vectors of four 128-bit lanes, on which carry-less products are computed.

A `Lanes` value is eight 64-bit words; lane i is word 2 i (low) and word 2 i + 1 (high), a polynomial over GF(2)
of degree below 128 whose coefficient of x^k is bit k. Inside compiled kernels it lives in registers: one of 512
bits, two of 256 or four of 128, as the processor has them. Where nothing is compiled it is a numpy array, and the
functions here run as they are written; they say what the generated code does.

Positions count words (or octets), not lanes. Nothing checks them: a kernel must stay inside its arrays.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.gf2 import clmul_lowering as code
from qkdpost._kernels.jit.decorators import intrinsic

__all__ = [
    "Lanes",
    "and_",
    "broadcast",
    "broadcast_lane",
    "even_lanes",
    "high_halves",
    "high_words",
    "interleave_high",
    "interleave_low",
    "last_of_eight",
    "last_to_first",
    "load",
    "low_halves",
    "low_words",
    "lower_high",
    "lower_to_upper",
    "multiply_high",
    "multiply_high_low",
    "multiply_low",
    "multiply_low_high",
    "odd_lanes",
    "previous_eight",
    "previous_words",
    "raise_low",
    "shift_down",
    "shift_up",
    "store",
    "swap_words",
    "upper_to_lower",
    "xor",
]

Words: TypeAlias = NDArray[np.uint64]
Octets: TypeAlias = NDArray[np.uint8]
Lanes: TypeAlias = Any
"""Eight words: a vector register in compiled code, a numpy array otherwise."""


@intrinsic(code.load)
def load(words: Words | Octets, position: int) -> Lanes:
    """Return words[position : position + 8]; of octets, the words in as many that lie from `position` on."""
    return words[position : position + 64 // words.itemsize].copy().view(np.uint64)


@intrinsic(code.store)
def store(words: Words, position: int, lanes: Lanes) -> None:
    """Write `lanes` to words[position : position + 8]."""
    words[position : position + 8] = lanes


@intrinsic(code.broadcast_lane)
def broadcast_lane(words: Words, position: int) -> Lanes:
    """Return four copies of the lane words[position : position + 2]."""
    return np.tile(words[position : position + 2], 4)


@intrinsic(code.broadcast)
def broadcast(low: np.uint64, high: np.uint64) -> Lanes:
    """Return four copies of the lane (low, high)."""
    return np.tile(np.array([low, high], dtype=np.uint64), 4)


@intrinsic(code.xor)
def xor(first: Lanes, second: Lanes) -> Lanes:
    """Return the sum over GF(2)."""
    return first ^ second


@intrinsic(code.and_)
def and_(first: Lanes, second: Lanes) -> Lanes:
    """Return the bits that are one in both."""
    return first & second


@intrinsic(code.shift_up)
def shift_up(lanes: Lanes, count: int) -> Lanes:
    """Return each word shifted up by `count` bits, 0 ... 63."""
    return lanes << np.uint64(count)


@intrinsic(code.shift_down)
def shift_down(lanes: Lanes, count: int) -> Lanes:
    """Return each word shifted down by `count` bits, 0 ... 63."""
    return lanes >> np.uint64(count)


@intrinsic(code.multiply(0, 0))
def multiply_low(first: Lanes, second: Lanes) -> Lanes:
    """Return the carry-less products of the low words of each lane."""
    return code.product(first[0::2], second[0::2])


@intrinsic(code.multiply(0, 1))
def multiply_low_high(first: Lanes, second: Lanes) -> Lanes:
    """Return the products of the low words of `first` by the high words of `second`."""
    return code.product(first[0::2], second[1::2])


@intrinsic(code.multiply(1, 0))
def multiply_high_low(first: Lanes, second: Lanes) -> Lanes:
    """Return the products of the high words of `first` by the low words of `second`."""
    return code.product(first[1::2], second[0::2])


@intrinsic(code.multiply(1, 1))
def multiply_high(first: Lanes, second: Lanes) -> Lanes:
    """Return the products of the high words of each lane."""
    return code.product(first[1::2], second[1::2])


@intrinsic(code.shuffle(code.RAISE_LOW, with_zero=True))
def raise_low(lanes: Lanes) -> Lanes:
    """Return each lane shifted up by 64 bits; what leaves at the top is lost."""
    return code.picked(code.RAISE_LOW, lanes)


@intrinsic(code.shuffle(code.LOWER_HIGH, with_zero=True))
def lower_high(lanes: Lanes) -> Lanes:
    """Return each lane shifted down by 64 bits."""
    return code.picked(code.LOWER_HIGH, lanes)


@intrinsic(code.shuffle(code.SWAP_WORDS, with_zero=True))
def swap_words(lanes: Lanes) -> Lanes:
    """Return each lane with its low and high words exchanged."""
    return code.picked(code.SWAP_WORDS, lanes)


@intrinsic(code.shuffle(code.EVEN_LANES))
def even_lanes(first: Lanes, second: Lanes) -> Lanes:
    """Return lanes 0 and 2 of `first`, then of `second`."""
    return code.picked(code.EVEN_LANES, first, second)


@intrinsic(code.shuffle(code.ODD_LANES))
def odd_lanes(first: Lanes, second: Lanes) -> Lanes:
    """Return lanes 1 and 3 of `first`, then of `second`."""
    return code.picked(code.ODD_LANES, first, second)


@intrinsic(code.shuffle(code.INTERLEAVE_LOW))
def interleave_low(even: Lanes, odd: Lanes) -> Lanes:
    """Return the first vector whose even and odd lanes were given: the inverse of the two above."""
    return code.picked(code.INTERLEAVE_LOW, even, odd)


@intrinsic(code.shuffle(code.INTERLEAVE_HIGH))
def interleave_high(even: Lanes, odd: Lanes) -> Lanes:
    """Return the second vector whose even and odd lanes were given."""
    return code.picked(code.INTERLEAVE_HIGH, even, odd)


@intrinsic(code.shuffle(code.LOW_HALVES))
def low_halves(first: Lanes, second: Lanes) -> Lanes:
    """Return lanes 0 and 1 of `first`, then of `second`; with `high_halves` its own inverse."""
    return code.picked(code.LOW_HALVES, first, second)


@intrinsic(code.shuffle(code.HIGH_HALVES))
def high_halves(first: Lanes, second: Lanes) -> Lanes:
    """Return lanes 2 and 3 of `first`, then of `second`."""
    return code.picked(code.HIGH_HALVES, first, second)


@intrinsic(code.shuffle(code.LOW_WORDS))
def low_words(first: Lanes, second: Lanes) -> Lanes:
    """Return in each lane the low words of both; with `high_words` its own inverse."""
    return code.picked(code.LOW_WORDS, first, second)


@intrinsic(code.shuffle(code.HIGH_WORDS))
def high_words(first: Lanes, second: Lanes) -> Lanes:
    """Return in each lane the high words of both."""
    return code.picked(code.HIGH_WORDS, first, second)


@intrinsic(code.shuffle(code.PREVIOUS_WORDS, with_zero=True))
def previous_words(lanes: Lanes) -> Lanes:
    """Return each four words moved up by one; zero comes in below, the last leaves."""
    return code.picked(code.PREVIOUS_WORDS, lanes)


@intrinsic(code.shuffle(code.LAST_TO_FIRST, with_zero=True))
def last_to_first(lanes: Lanes) -> Lanes:
    """Return of each four words the last in the place of the first, and zeros."""
    return code.picked(code.LAST_TO_FIRST, lanes)


@intrinsic(code.shuffle(code.PREVIOUS_EIGHT, with_zero=True))
def previous_eight(lanes: Lanes) -> Lanes:
    """Return all eight words moved up by one; zero comes in below, the last leaves."""
    return code.picked(code.PREVIOUS_EIGHT, lanes)


@intrinsic(code.shuffle(code.LAST_OF_EIGHT, with_zero=True))
def last_of_eight(lanes: Lanes) -> Lanes:
    """Return the last of the eight words in the place of the first, and zeros."""
    return code.picked(code.LAST_OF_EIGHT, lanes)


@intrinsic(code.shuffle(code.UPPER_TO_LOWER, with_zero=True))
def upper_to_lower(lanes: Lanes) -> Lanes:
    """Return the last four words in the place of the first four, and zeros."""
    return code.picked(code.UPPER_TO_LOWER, lanes)


@intrinsic(code.shuffle(code.LOWER_TO_UPPER, with_zero=True))
def lower_to_upper(lanes: Lanes) -> Lanes:
    """Return the first four words in the place of the last four, and zeros."""
    return code.picked(code.LOWER_TO_UPPER, lanes)
