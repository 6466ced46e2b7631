"""Long vectors, made into arrays of one dtype or refused; checked once for each vector, never bit by bit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkdpost.checks.scalars import described, index_of, power_of_two, real_of
from qkdpost.errors import InputError

__all__ = ["bit_vector", "entries_and_gaps", "integer_vector", "small_integers", "small_vector"]

_MAX_INT64 = 2**63 - 1
_MISSING = "NaN is a missing value: leave such entries out"


def integer_vector(
    name: str,
    values: object,
    *,
    least: int = -(2**63),
    most: int = _MAX_INT64,
    hint: str = "",
    flag_hint: str = "",
    copy: bool = True,
) -> NDArray[np.int64]:
    """Return a vector of integers as int64, shape (n,).

    Args:
        name: what it is called.
        values: a list, vector or column of integers of any width; no floats, for they may have been rounded.
        least: the least that is allowed.
        most: the most.
        hint: what to write instead of something else than integers, where a usual mistake is known.
        flag_hint: if given, bools are refused with it, else taken as 0 and 1.
        copy: False where the result is not kept, and may be the vector that was given.

    Raises:
        InputError: of another shape or dtype, or an entry outside of that range; nothing wraps.
    """
    return _integers(name, values, least, most, hint, flag_hint).astype(np.int64, copy=copy)


def small_integers(name: str, values: object, *, most: int, hint: str = "") -> NDArray[np.uint8]:
    """Return a copy of a vector of integers 0 ... `most`, at most 255, as uint8, shape (n,); as `integer_vector`."""
    return _integers(name, values, 0, most, hint, "").astype(np.uint8)


def _integers(name: str, values: object, least: int, most: int, hint: str, flag_hint: str) -> NDArray[Any]:
    array = _vector(name, values, "integers", hint)
    if array.dtype.kind == "f" and not hasattr(values, "dtype"):
        array = np.asarray(values, dtype=object)  # integers of several widths in a list: numpy makes floats of these
    if array.dtype.kind == "O":
        array = _integers_of_objects(name, array, hint, flag_hint)
    if array.size and array.dtype.kind == "b" and flag_hint:
        raise InputError(f"{name} must be integers; found bool{_added(flag_hint)}")
    if array.size and array.dtype.kind == "f" and np.isnan(array).any():
        raise InputError(f"{name} must be integers; found nan at entry {int(np.isnan(array).argmax())}. {_MISSING}")
    if array.size and array.dtype.kind not in "uib":
        more = "; round first, as np.rint(values).astype(np.int64)" if array.dtype.kind == "f" and not hint else ""
        raise InputError(f"{name} must be integers; found {_kind(array)}{more}{_added(hint)}")
    if array.size and array.dtype.kind in "ui":
        limits = np.iinfo(array.dtype)
        low = int(array.min()) if limits.min < least else least
        high = int(array.max()) if limits.max > most else most
        if low < least or high > most:
            found = low if low < least else high
            raise InputError(f"{name} must lie in {power_of_two(least)} ... {power_of_two(most)}; found {found}")
    # An empty vector may be of any dtype, as np.array([]) is of floats.
    return array if array.size else np.zeros(0, dtype=np.int64)


def bit_vector(name: str, values: object, *, hint: str = "") -> NDArray[np.bool_]:
    """Return a vector of bits as bool, shape (n,); not a copy if it was one already.

    Args:
        name: what it is called.
        values: a list, vector or column of 0 and 1: bools, integers of any width, or floats that are exactly that.
        hint: what to write instead, where a usual mistake is known.

    Raises:
        InputError: of another shape or dtype, or an entry that is neither.
    """
    if isinstance(values, np.ndarray) and values.dtype == np.bool_ and values.ndim == 1 and type(values) is np.ndarray:
        return values
    return small_vector(name, values, most=1, wanted="0 or 1", hint=hint).astype(np.bool_)


def small_vector(name: str, values: object, *, most: int, wanted: str, hint: str = "") -> NDArray[Any]:
    """Return a vector of numbers that must be 0 ... `most`, of whatever dtype numbers have; shape (n,).

    Args:
        name: what it is called.
        values: a list, vector or column: bools, integers of any width, or floats that are exactly such integers.
        most: the most that is allowed.
        wanted: the allowed values in words.
        hint: what to write instead, where a usual mistake is known.

    Raises:
        InputError: of another shape or dtype, or an entry that is not one of these.
    """
    array = _vector(name, values, "numbers", hint)
    if array.dtype.kind == "O":
        array = _numbers_of_objects(name, array, wanted, hint)
    if array.size and array.dtype.kind not in "uibf":
        raise InputError(f"{name} must be {wanted}; found {_kind(array)}{_added(hint)}")
    if array.dtype.kind == "f" or (
        array.size and array.dtype.kind in "ui" and not 0 <= int(array.min()) <= int(array.max()) <= most
    ):
        # Written so that NaN, which equals nothing, is found as well.
        wrong = np.flatnonzero(~np.logical_or.reduce([array == value for value in range(most + 1)]))
        if wrong.size:
            others = f", {wrong.size} such entries in all" if wrong.size > 1 else ""
            value = array[wrong[0]]
            more = _added(hint or (_MISSING if np.isnan(value) else ""))
            raise InputError(f"{name} must be {wanted}; found {value} at entry {wrong[0]}{others}{more}")
    return array


def entries_and_gaps(name: str, values: object) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return a vector as it is, and a mask of the entries that are missing; both of shape (n,).

    Missing are None, NaN, NA and what is masked. Entries are not checked: whoever takes some of them does so.

    Raises:
        InputError: no vector.
    """
    plain = np.ma.getdata(values) if isinstance(values, np.ma.MaskedArray) else values
    array = _vector(name, plain, "numbers", "")
    gaps = np.zeros(array.shape, dtype=np.bool_)
    if isinstance(values, np.ma.MaskedArray):
        gaps |= np.ma.getmaskarray(values)
    if array.dtype.kind == "f":
        gaps |= np.isnan(array)
    elif array.dtype.kind == "O":
        gaps |= np.fromiter((_missing(value) for value in array), np.bool_, len(array))
    return array, gaps


def _vector(name: str, values: object, what: str, hint: str) -> NDArray[Any]:
    if isinstance(values, str | bytes | bytearray | memoryview | dict | set | frozenset):
        raise InputError(f"{name} must be a vector of {what}; found {described(values)}{_added(hint)}")
    try:
        array = np.asarray(values)
    except Exception:
        raise InputError(f"{name} must be a vector of {what}; found {described(values)}{_added(hint)}") from None
    if array.ndim != 1:
        raise InputError(f"{name} must be a vector of {what}, of shape (n,); found {described(array)}{_added(hint)}")
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise InputError(f"{name} must be a vector of {what}; found missing values (masked): leave these entries out")
    return array


def _integers_of_objects(name: str, array: NDArray[Any], hint: str, flag_hint: str) -> NDArray[np.int64]:
    whole = [int(value) if isinstance(value, bool | np.bool_) else index_of(value) for value in array]
    if flag_hint and any(isinstance(value, bool | np.bool_) for value in array):
        raise InputError(f"{name} must be integers; found bool{_added(flag_hint)}")
    for place, number in enumerate(whole):
        if number is None:
            rounding = isinstance(array[place], float) and not hint
            more = "; round first, as np.rint(values).astype(np.int64)" if rounding else _added(hint)
            raise _wrong_entry(name, "integers", array[place], place, more)
        if not -_MAX_INT64 - 1 <= number <= _MAX_INT64:
            raise InputError(f"{name} must lie in -2^63 ... 2^63 - 1; found {described(number)} at entry {place}")
    return np.array(whole, dtype=np.int64)


def _numbers_of_objects(name: str, array: NDArray[Any], wanted: str, hint: str) -> NDArray[np.float64]:
    real = [float(value) if isinstance(value, bool | np.bool_) else real_of(value) for value in array]
    for place, number in enumerate(real):
        if number is None:
            raise _wrong_entry(name, wanted, array[place], place, _added(hint))
    return np.array(real, dtype=np.float64)


def _missing(value: object) -> bool:
    """Tell whether an entry is one that a table calls missing."""
    return (
        value is None
        or type(value).__name__ in ("NAType", "NaTType")
        or (isinstance(value, float) and math.isnan(value))
    )


def _wrong_entry(name: str, wanted: str, value: object, place: int, more: str) -> InputError:
    if _missing(value):
        return InputError(f"{name} must be {wanted}; found a missing value at entry {place}; leave such entries out")
    return InputError(f"{name} must be {wanted}; found {described(value)} at entry {place}{more}")


def _added(hint: str) -> str:
    return f". {hint}" if hint else ""


def _kind(array: NDArray[Any]) -> str:
    return {"U": "text", "S": "bytes", "M": "dates", "m": "durations"}.get(array.dtype.kind, str(array.dtype))
