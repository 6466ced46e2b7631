"""Single values and short sequences of them, made into plain Python or refused."""

from __future__ import annotations

import math
import operator
from collections.abc import Collection, Iterable, Sized
from typing import Any, TypeVar

import numpy as np

from qkdpost.errors import InputError, QkdpostError

__all__ = [
    "MAX_COUNT",
    "byte_string",
    "choice",
    "described",
    "flag",
    "index_of",
    "instance",
    "listed",
    "numbers",
    "power_of_two",
    "real_number",
    "real_of",
    "whole_number",
    "whole_numbers",
    "whole_real",
]

MAX_COUNT = 2**53
"""Counts above this are not whole numbers in floating point, and are refused."""
_SHOWN_CHARACTERS = 80

_Kept = TypeVar("_Kept")
_Choice = TypeVar("_Choice", bound=str)


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
    if type(value) is int and least <= value <= most:  # the usual case, in a tenth of the time
        return value
    number = index_of(value)
    if number is None or not least <= number <= most:
        raise error(
            f"{name} must be an integer in {power_of_two(least)} ... {power_of_two(most)}; found {described(value)}"
            f"{_whole_float_hint(value, least, most)}"
        )
    return number


def whole_real(
    name: str, value: object, *, least: int = 0, most: int = MAX_COUNT, error: type[QkdpostError] = InputError
) -> int:
    """Return an integer, also of a float that is whole, where people write 1e9: a number of pulses or of bits.

    Raises:
        InputError: (or `error`) it is not whole, or not in least ... most.
    """
    number = index_of(value)
    if number is None:
        given = real_of(value)
        number = int(given) if given is not None and given.is_integer() else None
    if number is None or not least <= number <= most:
        raise error(
            f"{name} must be a whole number in {power_of_two(least)} ... {power_of_two(most)}; found {described(value)}"
        )
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
    entries = listed(name, values, "integers", error=error)
    if count is not None and len(entries) != count:
        raise error(f"{name} must have one integer for each {each}, {count} in all; found {len(entries)}")
    result = tuple(
        whole_number(f"{name}[{place}]", value, least=least, most=most, error=error)
        for place, value in enumerate(entries)
    )
    if sum(result) > most:
        raise error(f"the sum of {name} must be at most {power_of_two(most)}; found {sum(result)}")
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
    if type(value) is float and least <= value <= most and above < value < below and math.isfinite(value):
        return value + 0.0  # the usual case, in a fraction of the time
    number = real_of(value)
    if number is None or not (math.isfinite(number) and least <= number <= most and above < number < below):
        what = f"a number of {unit}" if unit else "a number"
        raise error(f"{name} must be {what}{_range_in_words(least, most, above, below)}; found {described(value)}")
    return number + 0.0  # no minus zero, whose text is another


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
    entries = listed(name, values, "numbers", error=error)
    if count is not None and len(entries) != count:
        raise error(f"{name} must have one number for each {each}, {count} in all; found {len(entries)}")
    return tuple(
        real_number(f"{name}[{place}]", value, least=least, most=most, error=error)
        for place, value in enumerate(entries)
    )


def choice(
    name: str, value: object, choices: Collection[_Choice], *, error: type[QkdpostError] = InputError
) -> _Choice:
    """Return that one of `choices` which the value is, as it stands there.

    Raises:
        InputError: (or `error`) it is none of them.
    """
    text = str(value) if isinstance(value, str) else None
    for offered in choices:
        if offered == text:
            return offered
    raise error(f"{name} must be one of {', '.join(map(repr, choices))}; found {described(value)}")


def flag(name: str, value: object, *, error: type[QkdpostError] = InputError) -> bool:
    """Return True or False, of Python or numpy; what is merely empty or not is neither.

    Raises:
        InputError: (or `error`) it is none.
    """
    if not isinstance(value, bool | np.bool_):
        raise error(f"{name} must be True or False; found {described(value)}")
    return bool(value)


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


def byte_string(name: str, value: object, *, count: int | None = None, error: type[QkdpostError] = InputError) -> bytes:
    """Return a copy of some bytes as a plain `bytes`; no message shows them.

    Args:
        name: what they are called.
        value: `bytes`, `bytearray`, or a contiguous view of bytes.
        count: how many there must be; None for any number.
        error: the class of what is raised.

    Raises:
        InputError: (or `error`) something else, or another number of bytes.
    """
    plain = isinstance(value, bytes | bytearray) or (
        isinstance(value, memoryview) and value.contiguous and value.itemsize == 1
    )
    wanted = "" if count is None else f"{count} "
    if not plain:
        raise error(f"{name} must be {wanted}bytes; found {described(value)}")
    kept: bytes = bytes(value)  # type: ignore[call-overload]
    if count is not None and len(kept) != count:
        raise error(f"{name} must be {wanted}bytes; found {len(kept)}")
    return kept


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


def index_of(value: object) -> int | None:
    """Return an integer as one of Python; None of anything else, bools among them."""
    if isinstance(value, bool | np.bool_):
        return None
    if isinstance(value, np.ndarray):
        return None if not _is_one_value(value) or value.dtype.kind not in "uiO" else index_of(value.item())
    try:
        return int(operator.index(value))  # type: ignore[arg-type]
    except TypeError:
        return None


def real_of(value: object) -> float | None:
    """Return a real number as a Python float; None of anything else, bools and what is too large among them."""
    if isinstance(value, np.ndarray):
        return real_of(value.item()) if _is_one_value(value) else None
    if isinstance(value, bool | np.bool_ | np.timedelta64):  # numpy takes a duration for an integer
        return None
    if not isinstance(value, int | float | np.integer | np.floating):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _is_one_value(array: np.ndarray[Any, Any]) -> bool:
    """Tell whether an array holds one value alone that is not masked, for a masked one is filled with any number."""
    return array.shape == () and not (isinstance(array, np.ma.MaskedArray) and np.ma.is_masked(array))


def listed(name: str, values: object, what: str, *, error: type[QkdpostError] = InputError) -> list[object]:
    """Return a sequence as a list, whatever its entries; neither text nor a set, nor an array of another shape.

    Args:
        name: of the argument.
        values: the sequence.
        what: its entries are, in the plural, for the message.
        error: the class to raise.

    Raises:
        InputError: (or `error`) it is no sequence.
    """
    if isinstance(values, str | bytes | bytearray | memoryview | dict | set | frozenset) or not isinstance(
        values, Iterable
    ):
        raise error(f"{name} must be a sequence of {what}; found {described(values)}")
    if isinstance(values, np.ndarray) and values.ndim != 1:
        raise error(f"{name} must be a sequence of {what}; found {described(values)}")
    return list(values)


def _whole_float_hint(value: object, least: int, most: int) -> str:
    """Return what to write in the place of a float that is a whole number, as 1e6 is."""
    if not isinstance(value, float | np.floating) or not float(value).is_integer() or not least <= value <= most:
        return ""
    return f", a float. Write {int(value)}; astype(int) converts a column of whole numbers"


def power_of_two(number: int) -> str:
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
