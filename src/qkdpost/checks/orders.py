"""Vectors that must increase: slots and times, compared as they are, so that no difference wraps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkdpost.checks.vectors import integer_vector
from qkdpost.errors import InputError

__all__ = ["increasing"]

_MIN_ROLL_OVER_BITS = 16
_MAX_ROLL_OVER_BITS = 62
_ROLL_OVER_SHARE = 16
"""A step back that is short of a power of two by less than one part in this number looks like a counter's roll-over."""


def increasing(
    name: str,
    values: object,
    *,
    strictly: bool,
    hint: str = "",
    flag_hint: str = "",
    disorder_hint: str = "",
    equal_hint: str = "",
    roll_over_hint: str = "",
    copy: bool = True,
) -> NDArray[np.int64]:
    """Return a vector of integers that must not decrease as int64, shape (n,), read-only.

    Args:
        name: what it is called.
        values: a list, vector or column of integers.
        strictly: whether neighbours must differ.
        hint: what to write instead of something else than integers.
        flag_hint: if given, bools are refused with it.
        disorder_hint: what to do about a step back, unless it looks like the roll-over of a counter.
        equal_hint: what to do about equal neighbours, where they must differ.
        roll_over_hint: what does what there is to do about the roll-over of a counter.
        copy: False where the result is not kept, and may be a view of the vector that was given.

    Raises:
        InputError: not integers of 64 bits, or not in this order; the message names the entry and the step.
    """
    array = integer_vector(name, values, hint=hint, flag_hint=flag_hint, copy=copy).view()
    later, earlier = array[1:], array[:-1]
    wrong = later <= earlier if strictly else later < earlier
    if wrong.any():
        place = int(np.argmax(wrong)) + 1
        step = int(array[place]) - int(array[place - 1])
        order = "strictly increasing" if strictly else "in the order of time"
        count = int(np.count_nonzero(wrong))
        more = f" ({count} such steps in all)" if count > 1 else ""
        cure = _cure(step, disorder_hint, equal_hint, roll_over_hint)
        raise InputError(
            f"{name} must be {order}; entry {place} is not above the one before: a step of {step}{more}{cure}"
        )
    array.flags.writeable = False
    return array


def _cure(step: int, disorder_hint: str, equal_hint: str, roll_over_hint: str) -> str:
    if step == 0:
        return f". {equal_hint}" if equal_hint else ""
    bits = (-step - 1).bit_length()
    if _MIN_ROLL_OVER_BITS <= bits <= _MAX_ROLL_OVER_BITS and (2**bits + step) * _ROLL_OVER_SHARE < 2**bits:
        more = f" ({roll_over_hint})" if roll_over_hint else ""
        return f". The counter seems to roll over at 2^{bits}: add 2^{bits} to all that follows each such step{more}"
    return f". {disorder_hint}" if disorder_hint else ""
