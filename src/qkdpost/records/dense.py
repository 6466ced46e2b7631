"""Arrays with an entry for each pulse, most of which say that nothing was detected, made into detections."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkdpost.checks import described, entries_and_gaps, whole_number
from qkdpost.errors import InputError
from qkdpost.records.bases import DOUBLE_CLICK

__all__ = ["detected"]


def detected(outcomes: object, bases: object, none: object) -> tuple[int, NDArray[np.int64], Any, Any]:
    """Return how many pulses there were, and slots, bases and outcomes of the detections among them.

    Args:
        outcomes: one entry for each pulse; missing ones are pulses without a detection.
        bases: as many; what stands where nothing was detected is not looked at.
        none: what else says so in `outcomes`; None where missing entries alone do.

    Raises:
        InputError: no vectors of one length, or `none` is an outcome.
    """
    mark = _mark(none)
    values, gaps = entries_and_gaps("outcomes", outcomes)
    choices, _ = entries_and_gaps("bases", bases)
    if len(choices) != len(values):
        raise InputError(
            f"outcomes and bases must have one entry for each pulse; found {len(values)} outcomes, {len(choices)} "
            "bases. Detections(pulses, slots, bases, outcomes) takes one entry for each detection"
        )
    seen = np.flatnonzero(~gaps)
    _refuse_wrapped(values, mark)
    if mark is not None and values.dtype.kind in "iufO":
        seen = seen[np.not_equal(values[seen], mark).astype(np.bool_)]
    return len(values), seen, choices[seen], values[seen]


def _refuse_wrapped(values: NDArray[Any], mark: int | None) -> None:
    """Say so where -1 was written into integers without a sign, in which it is the largest."""
    if mark is None or mark >= 0 or values.dtype.kind != "u" or not values.size:
        return
    wrapped = mark % 2 ** (8 * values.dtype.itemsize)
    if (values == wrapped).any():
        raise InputError(
            f"outcomes are of {values.dtype}, in which {mark} became {wrapped}: give none={wrapped}, or make them "
            "integers with a sign before"
        )


def _mark(none: object) -> int | None:
    if none is None:
        return None
    mark = whole_number("none", none, least=-(2**53))
    if 0 <= mark <= DOUBLE_CLICK:
        raise InputError(
            f"none must be a number that is no outcome, as -1, or None where missing entries say it; found "
            f"{described(none)}. Outcomes are 0, 1 and {DOUBLE_CLICK} (double click)"
        )
    return mark
