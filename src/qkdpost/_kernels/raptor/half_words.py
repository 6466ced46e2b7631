"""More arithmetic on half-words side by side, beside that of `qkdpost._kernels.ldpc.lanes`, whose lanes these are.

*Fractions* are half-words read as unsigned, in units of 2^-16. A *sign* is a half-word of all zeros or all ones. Bytes
are kept in rows of as many lanes: an array of uint8, shape (rows, 16), goes with rows of uint16, and one of int8, shape
(rows, 32), with rows of int16; bytes are signed in both.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.jit.decorators import intrinsic
from qkdpost._kernels.raptor import half_words_lowering as code

__all__ = [
    "add",
    "load_narrow",
    "multiply_fraction",
    "multiply_low",
    "sign_of",
    "store_narrow",
    "subtract_unsigned_saturated",
    "with_sign",
]

Lanes = NDArray[Any]


@intrinsic(code.lower_load_narrow)
def load_narrow(array: Lanes, row: int | np.uint64) -> Lanes:
    """Return row `row` of `array`, bytes widened to half-words, or half-words as they are; the row must exist."""
    narrow = array[row]
    return narrow.view(np.dtype(f"i{narrow.itemsize}")).astype(np.int16)


@intrinsic(code.lower_store_narrow)
def store_narrow(array: Lanes, row: int | np.uint64, lanes: Lanes) -> None:
    """Write `lanes`, which must fit, to row `row` of `array` of bytes or half-words; the row must exist."""
    array[row] = lanes.astype(f"i{array.itemsize}").view(array.dtype)


@intrinsic(code.lower_multiply_fraction)
def multiply_fraction(left: Lanes, right: Lanes) -> Lanes:
    """Return floor(left * right / 2^16), all unsigned: the product, if one of both is a fraction."""
    return ((_unsigned(left) * _unsigned(right)) >> 16).astype(np.uint16).view(np.int16)


@intrinsic(code.lower_binary("mul"))
def multiply_low(left: Lanes, right: Lanes) -> Lanes:
    """Return the low half of left * right."""
    return (_unsigned(left) * _unsigned(right)).astype(np.uint16).view(np.int16)


@intrinsic(code.lower_binary("add"))
def add(left: Lanes, right: Lanes) -> Lanes:
    """Return left + right, modulo 2^16."""
    return (_unsigned(left) + _unsigned(right)).astype(np.uint16).view(np.int16)


@intrinsic(code.lower_subtract_unsigned)
def subtract_unsigned_saturated(left: Lanes, right: Lanes) -> Lanes:
    """Return left - right, unsigned, 0 where that is below 0."""
    return np.maximum(0, _unsigned(left) - _unsigned(right)).astype(np.uint16).view(np.int16)


@intrinsic(code.lower_sign)
def sign_of(lanes: Lanes) -> Lanes:
    """Return the signs: all ones where a lane is negative."""
    return lanes >> 15


@intrinsic(code.lower_with_sign)
def with_sign(lanes: Lanes, sign: Lanes) -> Lanes:
    """Return the lanes, negated where the sign is all ones."""
    return (lanes ^ sign) - sign


def _unsigned(lanes: Lanes) -> NDArray[np.int64]:
    return lanes.view(np.uint16).astype(np.int64)
