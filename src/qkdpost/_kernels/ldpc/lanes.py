"""Arithmetic on 64 bytes or 32 half-words side by side, for kernels that work on as many frames at once.

A *lanes* value is one row of a C-contiguous array of shape (rows, 64) of int8, or (rows, 32) of int16. Compiled, it
is a 512-bit register and each function one or two instructions; interpreted, it is a numpy vector. A mask is a
`uint64` whose bit i speaks of lane i. Unsigned functions read the same bits as unsigned.

Where lanes are the checks of one frame, a run of a flat array fills the register from any element on.

For few frames there are registers of 256 bits: (rows, 32) of uint8, or (rows, 16) of uint16. The type of the array
tells only how wide its rows are; lanes are signed all the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.jit.decorators import intrinsic
from qkdpost._kernels.ldpc import lanes_lowering as code

__all__ = [
    "add_saturated",
    "add_unsigned_saturated",
    "choose",
    "combine_magnitudes",
    "equal",
    "exclusive_or",
    "larger_unsigned",
    "load_lanes",
    "load_run",
    "magnitude",
    "negate_where",
    "negative",
    "registers_are_whole",
    "shift_right_unsigned",
    "smaller_unsigned",
    "spread",
    "store_lanes",
    "store_run",
    "subtract_saturated",
]

Lanes = NDArray[Any]


@intrinsic(code.lower_registers)
def registers_are_whole() -> bool:
    """Return whether one register of this processor takes all lanes of 512 bits; a constant in a kernel."""
    return True


@intrinsic(code.lower_load)
def load_lanes(array: Lanes, row: int | np.uint64) -> Lanes:
    """Return row `row` of `array`, shape (rows, lanes), C-contiguous; the row must exist."""
    return _signed(array[row].copy())


@intrinsic(code.lower_store)
def store_lanes(array: Lanes, row: int | np.uint64, lanes: Lanes) -> None:
    """Write `lanes` to row `row` of `array`, shape (rows, lanes), C-contiguous; the row must exist."""
    array[row] = lanes.view(array.dtype)


@intrinsic(code.lower_load)
def load_run(array: Lanes, start: int | np.uint64) -> Lanes:
    """Return the 512 bits of a flat signed array from element `start` on, which need no alignment but must exist."""
    return array[int(start) : int(start) + 64 // array.itemsize].copy()


@intrinsic(code.lower_store)
def store_run(array: Lanes, start: int | np.uint64, lanes: Lanes) -> None:
    """Write `lanes` to a flat signed array from element `start` on."""
    array[int(start) : int(start) + lanes.size] = lanes


@intrinsic(code.lower_exclusive_or)
def exclusive_or(left: Lanes, right: Lanes) -> Lanes:
    """Return left XOR right."""
    return left ^ right


@intrinsic(code.lower_spread)
def spread(array: Lanes, value: int) -> Lanes:
    """Return lanes of the type of `array`, all of the low bits of `value`."""
    count = array.shape[1] if array.ndim == 2 else 64 // array.itemsize
    return _signed(np.full(count, value, dtype=np.int64).astype(array.dtype))


@intrinsic(code.lower_named("sadd.sat"))
def add_saturated(left: Lanes, right: Lanes) -> Lanes:
    """Return left + right, signed, held within the type."""
    return _saturated(left.astype(np.int64) + right, left.dtype)


@intrinsic(code.lower_named("ssub.sat"))
def subtract_saturated(left: Lanes, right: Lanes) -> Lanes:
    """Return left - right, signed, held within the type."""
    return _saturated(left.astype(np.int64) - right, left.dtype)


@intrinsic(code.lower_named("uadd.sat"))
def add_unsigned_saturated(left: Lanes, right: Lanes) -> Lanes:
    """Return left + right, unsigned, held within the type."""
    return _saturated(_unsigned(left).astype(np.int64) + _unsigned(right), _unsigned(left).dtype).view(left.dtype)


@intrinsic(code.lower_named("umin"))
def smaller_unsigned(left: Lanes, right: Lanes) -> Lanes:
    """Return the smaller of both, unsigned."""
    return np.minimum(_unsigned(left), _unsigned(right)).view(left.dtype)


@intrinsic(code.lower_named("umax"))
def larger_unsigned(left: Lanes, right: Lanes) -> Lanes:
    """Return the larger of both, unsigned."""
    return np.maximum(_unsigned(left), _unsigned(right)).view(left.dtype)


@intrinsic(code.lower_magnitude)
def magnitude(lanes: Lanes) -> Lanes:
    """Return the absolute values, to be read as unsigned: that of -128 is 128."""
    return np.abs(lanes.astype(np.int64)).astype(lanes.dtype)


@intrinsic(code.lower_shift)
def shift_right_unsigned(lanes: Lanes, places: int) -> Lanes:
    """Return the lanes, unsigned, shifted right by `places`, a literal."""
    return (_unsigned(lanes) >> places).view(lanes.dtype)


@intrinsic(code.lower_negative)
def negative(lanes: Lanes) -> np.uint64:
    """Return the mask of lanes below zero."""
    return _mask_of(lanes < 0)


@intrinsic(code.lower_equal)
def equal(left: Lanes, right: Lanes) -> np.uint64:
    """Return the mask of equal lanes."""
    return _mask_of(left == right)


@intrinsic(code.lower_choose)
def choose(mask: np.uint64, chosen: Lanes, otherwise: Lanes) -> Lanes:
    """Return `chosen` in the lanes of the mask and `otherwise` in the rest."""
    return np.where(_lanes_of_mask(mask, chosen.size), chosen, otherwise)


@intrinsic(code.lower_negate)
def negate_where(mask: np.uint64, lanes: Lanes) -> Lanes:
    """Return the lanes with those of the mask negated."""
    return np.where(_lanes_of_mask(mask, lanes.size), -lanes, lanes)


@intrinsic(code.lower_combine)
def combine_magnitudes(left: Lanes, right: Lanes, slack: Lanes) -> Lanes:
    """Return min(a, b) less what stands for ln(1 + exp(-|a - b|)) - ln(1 + exp(-(a + b))), all unsigned.

    With s the slack and y = max(0, s - x), for half-words c(x) / 4 stands for ln(1 + exp(-x)), rounded down once both
    are subtracted. There c(x) is the largest of y, of two lines that are steeper and flatter by 2, and of one flatter
    by 4; they touch 4 ln(1 + exp(-x)) if s is 2.25 units of x. For bytes c(x) / 8 does, and c(x) is y, and what it
    exceeds 5/8 and 3/4 of s by once more each, parts of s rounded down; of a + b, where little is left, y alone.
    """
    first, second, start = (_unsigned(lanes).astype(np.int64) for lanes in (left, right, slack))
    total = np.minimum(np.iinfo(_unsigned(left).dtype).max, first + second)
    if left.itemsize == 1:
        line = np.maximum(0, start - np.abs(first - second))
        bent = np.maximum(0, line - (start >> 1) - (start >> 3)) + np.maximum(0, line - start + (start >> 2))
        loss = (line + bent - np.maximum(0, start - total)) >> 3
        return np.maximum(0, np.minimum(first, second) - loss).astype(left.dtype)

    def soft(x: NDArray[np.int64]) -> NDArray[np.int64]:
        line = np.maximum(0, start - x)
        steep = 2 * np.maximum(0, start * 177 // 288 - x)
        flat = np.maximum(0, start + start * 98 // 288 - x) >> 1
        flatter = np.maximum(0, start + start * 191 // 288 - x) >> 2
        return np.maximum.reduce([line, steep, flat, flatter])

    loss = (soft(np.abs(first - second)) - soft(total)) >> 2
    return np.maximum(0, np.minimum(first, second) - loss).astype(left.dtype)


def _signed(lanes: Lanes) -> Lanes:
    return lanes.view(np.dtype(f"i{lanes.itemsize}"))


def _unsigned(lanes: Lanes) -> Lanes:
    return lanes.view(np.dtype(f"u{lanes.itemsize}"))


def _saturated(values: NDArray[np.int64], dtype: np.dtype[Any]) -> Lanes:
    limits = np.iinfo(dtype)
    return np.clip(values, limits.min, limits.max).astype(dtype)


def _mask_of(flags: NDArray[np.bool_]) -> np.uint64:
    padded = np.zeros(64, dtype=np.bool_)
    padded[: flags.size] = flags
    return np.packbits(padded, bitorder="little").view("<u8")[0]


def _lanes_of_mask(mask: np.uint64, count: int) -> NDArray[np.bool_]:
    return np.unpackbits(np.array([mask], dtype="<u8").view(np.uint8), count=count, bitorder="little").astype(np.bool_)
