"""What a caller hands in, made into plain Python or refused: the one place where arguments are checked.

Whoever calls one of these functions keeps what it returns and forgets what it was given: fixed-width numbers of numpy
wrap when they are added, floats are not whole, and an array may change later. No message shows the content of an
array, which may be key.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Collection, Iterable, Sized
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from qkdpost.errors import InputError, QkdpostError

__all__ = [
    "MAX_COUNT",
    "bit_vector",
    "choice",
    "described",
    "instance",
    "integer_vector",
    "numbers",
    "real_number",
    "whole_number",
    "whole_numbers",
]

MAX_COUNT = 2**53
"""Counts above this are not whole numbers in floating point, and are refused."""
_MAX_INT64 = 2**63 - 1
_SHOWN_CHARACTERS = 80

_Kept = TypeVar("_Kept")


def whole_number(
    name: str, value: object, *, least: int = 0, most: int = MAX_COUNT, error: type[QkdpostError] = InputError
) -> int:
    """Return a whole number as a Python integer.

    Args:
        name: what it is called, for the message.
        value: an integer of Python or numpy, or an array that holds one alone; no bool, no float, no text.
        least: the least that is allowed.
        most: the most.
        error: the class of what is raised.

    Raises:
        InputError: (or `error`) it is none, or lies outside that range.
    """
    number = _index(value)
    if number is None or not least <= number <= most:
        raise error(f"{name} must be an integer in {_power(least)} ... {_power(most)}; found {described(value)}")
    return number


def whole_numbers(
    name: str,
    values: object,
    *,
    count: int | None = None,
    each: str = "entry",
    least: int = 0,
    most: int = MAX_COUNT,
    error: type[QkdpostError] = InputError,
) -> tuple[int, ...]:
    """Return a few whole numbers, as counts of each intensity, as a tuple of Python integers.

    Args:
        name: what they are called.
        values: a list, tuple, vector or column of integers.
        count: how many there must be; None for any number.
        each: what there is one of for each number, for the message, as "intensity".
        least: the least that is allowed.
        most: the most, of each and of all together.
        error: the class of what is raised.

    Raises:
        InputError: (or `error`) not a sequence, another number of entries, or one that `whole_number` refuses.
    """
    listed = _listed(name, values, "integers", error)
    if count is not None and len(listed) != count:
        raise error(f"{name} must have one integer for each {each}, {count} in all; found {len(listed)}")
    result = tuple(
        whole_number(f"{name}[{place}]", value, least=least, most=most, error=error)
        for place, value in enumerate(listed)
    )
    if sum(result) > most:
        raise error(f"the sum of {name} must be at most {_power(most)}; found {sum(result)}")
    return result


def real_number(
    name: str,
    value: object,
    *,
    least: float = -math.inf,
    most: float = math.inf,
    above: float = -math.inf,
    below: float = math.inf,
    unit: str = "",
    error: type[QkdpostError] = InputError,
) -> float:
    """Return a finite real number as a Python float.

    Args:
        name: what it is called.
        value: an integer or float of Python or numpy, or an array that holds one alone; no bool, no text.
        least: the least that is allowed.
        most: the most.
        above: the number must be greater than this.
        below: and less than this.
        unit: of what the number counts, for the message, as "ps".
        error: the class of what is raised.

    Raises:
        InputError: (or `error`) it is none, is NaN or infinite, or lies outside that range.
    """
    number = _real(value)
    if number is None or not (math.isfinite(number) and least <= number <= most and above < number < below):
        what = f"a number of {unit}" if unit else "a number"
        raise error(f"{name} must be {what}{_range_in_words(least, most, above, below)}; found {described(value)}")
    return number


def numbers(
    name: str,
    values: object,
    *,
    count: int | None = None,
    each: str = "entry",
    least: float = -math.inf,
    most: float = math.inf,
    error: type[QkdpostError] = InputError,
) -> tuple[float, ...]:
    """Return a few real numbers, as intensities, as a tuple of Python floats; else as `whole_numbers`."""
    listed = _listed(name, values, "numbers", error)
    if count is not None and len(listed) != count:
        raise error(f"{name} must have one number for each {each}, {count} in all; found {len(listed)}")
    return tuple(
        real_number(f"{name}[{place}]", value, least=least, most=most, error=error)
        for place, value in enumerate(listed)
    )


def choice(name: str, value: object, choices: Collection[str], *, error: type[QkdpostError] = InputError) -> str:
    """Return one of `choices` as a plain `str`.

    Raises:
        InputError: (or `error`) it is none of them.
    """
    text = str(value) if isinstance(value, str) else None
    if text is None or text not in choices:
        raise error(f"{name} must be one of {', '.join(map(repr, choices))}; found {described(value)}")
    return text


def instance(
    name: str, value: object, kind: type[_Kept], *, hint: str = "", error: type[QkdpostError] = InputError
) -> _Kept:
    """Return `value` if it is of the class `kind`.

    Raises:
        InputError: (or `error`) it is not; `hint` says what to write instead.
    """
    if not isinstance(value, kind):
        raise error(f"{name} must be a {kind.__name__}; found {described(value)}" + (f". {hint}" if hint else ""))
    return value


def integer_vector(
    name: str, values: object, *, least: int = -(2**63), most: int = _MAX_INT64, hint: str = ""
) -> NDArray[np.int64]:
    """Return a copy of a vector of integers as int64, shape (n,).

    Args:
        name: what it is called.
        values: a list, vector or column of bools or integers of any width; no floats, for they may have been rounded.
        least: the least that is allowed.
        most: the most.
        hint: what to write instead, where a usual mistake is known.

    Raises:
        InputError: of another shape or dtype, or an entry outside of that range; nothing wraps.
    """
    array = _vector(name, values, "integers")
    if array.dtype.kind == "f" and not hasattr(values, "dtype"):
        array = np.asarray(values, dtype=object)  # integers of several widths in a list: numpy makes floats of these
    if array.dtype.kind == "O":
        array = _integers_of_objects(name, array)
    if array.size and array.dtype.kind not in "uib":
        more = "; round first, as np.rint(values).astype(np.int64)" if array.dtype.kind == "f" else ""
        raise InputError(f"{name} must be integers; found {_kind(array)}{more}" + (f". {hint}" if hint else ""))
    if array.size and array.dtype.kind != "b":
        low, high = int(array.min()), int(array.max())
        if low < least or high > most:
            found = low if low < least else high
            raise InputError(
                f"{name} must lie in {_power(least)} ... {_power(most)}; found {found}" + (f". {hint}" if hint else "")
            )
    return array.astype(np.int64)


def bit_vector(name: str, values: object, *, hint: str = "") -> NDArray[np.bool_]:
    """Return a vector of bits as bool, shape (n,).

    Args:
        name: what it is called.
        values: a list, vector or column of 0 and 1: bools, integers of any width, or floats that are exactly that.
        hint: what to write instead, where a usual mistake is known.

    Raises:
        InputError: of another shape or dtype, or an entry that is neither.
    """
    array = _vector(name, values, "bits")
    if array.dtype.kind == "O":
        array = _numbers_of_objects(name, array)
    if array.size and array.dtype.kind not in "uibf":
        raise InputError(f"{name} must be 0 or 1; found {_kind(array)}" + (f". {hint}" if hint else ""))
    if array.size and array.dtype.kind != "b":
        # Written so that NaN, which compares as neither, is found as well.
        wrong = np.flatnonzero(~((array == 0) | (array == 1)))
        if wrong.size:
            raise InputError(
                f"{name} must be 0 or 1; found {array[wrong[0]]} at entry {wrong[0]}"
                + (f", {wrong.size} such entries in all" if wrong.size > 1 else "")
                + (f". {hint}" if hint else "")
            )
    return array.astype(np.bool_)


def described(value: object) -> str:
    """Say in a few words what was found, without the content of anything that may hold bits."""
    scalar = value.item() if isinstance(value, np.generic) else value
    if isinstance(scalar, int) and not isinstance(scalar, bool):
        return str(scalar) if abs(scalar) < 10**_SHOWN_CHARACTERS else f"an integer of {scalar.bit_length()} bits"
    if scalar is None or isinstance(scalar, bool | float | complex | str):
        text = repr(scalar)
        return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype} of shape {value.shape}"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, Sized):
        return f"a {type(value).__name__} of length {len(value)}"
    return f"a {type(value).__name__}"


def _index(value: object) -> int | None:
    if isinstance(value, bool | np.bool_):
        return None
    if isinstance(value, np.ndarray):
        return None if value.shape != () or value.dtype.kind not in "uiO" else _index(value.item())
    try:
        return int(operator.index(value))  # type: ignore[arg-type]
    except TypeError:
        return None


def _real(value: object) -> float | None:
    if isinstance(value, np.ndarray):
        return _real(value.item()) if value.shape == () else None
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _listed(name: str, values: object, what: str, error: type[QkdpostError]) -> list[object]:
    if isinstance(values, str | bytes | bytearray | dict | set) or not isinstance(values, Iterable):
        raise error(f"{name} must be a sequence of {what}; found {described(values)}")
    if isinstance(values, np.ndarray) and values.ndim != 1:
        raise error(f"{name} must be a sequence of {what}; found {described(values)}")
    return list(values)


def _vector(name: str, values: object, what: str) -> NDArray[Any]:
    if isinstance(values, str | bytes | bytearray | memoryview | dict | set):
        raise InputError(f"{name} must be a vector of {what}; found {described(values)}")
    try:
        array = np.asarray(values)
    except Exception:
        raise InputError(f"{name} must be a vector of {what}; found {described(values)}") from None
    if array.ndim != 1:
        raise InputError(f"{name} must be a vector of {what}, of shape (n,); found {described(array)}")
    return array


def _integers_of_objects(name: str, array: NDArray[Any]) -> NDArray[np.int64]:
    whole = [int(value) if isinstance(value, bool | np.bool_) else _index(value) for value in array]
    for place, number in enumerate(whole):
        if number is None:
            more = "; round first, as np.rint(values).astype(np.int64)" if isinstance(array[place], float) else ""
            raise InputError(f"{name} must be integers; found {described(array[place])} at entry {place}{more}")
        if not -_MAX_INT64 - 1 <= number <= _MAX_INT64:
            raise InputError(f"{name} must lie in -2^63 ... 2^63 - 1; found {described(number)} at entry {place}")
    return np.array(whole, dtype=np.int64)


def _numbers_of_objects(name: str, array: NDArray[Any]) -> NDArray[np.float64]:
    real = [float(value) if isinstance(value, bool | np.bool_) else _real(value) for value in array]
    for place, number in enumerate(real):
        if number is None:
            raise InputError(f"{name} must be 0 or 1; found {described(array[place])} at entry {place}")
    return np.array(real, dtype=np.float64)


def _kind(array: NDArray[Any]) -> str:
    return {"U": "text", "S": "bytes", "M": "dates", "m": "durations"}.get(array.dtype.kind, str(array.dtype))


def _power(number: int) -> str:
    """Return a limit as people write it: 2^53, not 9007199254740992."""
    size = abs(number)
    sign = "-" if number < 0 else ""
    if size < 2**16:
        return str(number)
    if size & (size - 1) == 0:
        return f"{sign}2^{size.bit_length() - 1}"
    if size & (size + 1) == 0:
        return f"{sign}2^{size.bit_length()} {'+' if sign else '-'} 1"
    return str(number)


def _range_in_words(least: float, most: float, above: float, below: float) -> str:
    low = f"above {above:g}" if above > -math.inf else f"at least {least:g}" if least > -math.inf else ""
    high = f"below {below:g}" if below < math.inf else f"at most {most:g}" if most < math.inf else ""
    return " " + " and ".join(part for part in (low, high) if part) if low or high else ""
