"""The public face, called with numbers of every kind: equal to the call with Python's own, or an error of the library.

The first byte chooses the call, the next its plain arguments; then each is put into another form (numpy's scalars of
every width, arrays without dimensions, lists, columns of objects), or into something that is no number at all.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import msgspec
import numpy as np

import qkdpost as qp
from fuzzing.bound_calls import BOUND_CALLS
from fuzzing.choices import Choices
from fuzzing.limits import Finding
from fuzzing.record_calls import RECORD_CALLS
from qkdpost.security.result import SecretLength

__all__ = ["CALLS", "fuzz_public_face"]

CALLS = BOUND_CALLS | RECORD_CALLS

MAX_PRINTED = 400
INTEGER_TYPES = (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64)
REAL_TYPES = (np.float16, np.float32, np.float64)
STRANGE: list[Any] = [
    float("nan"), float("inf"), -float("inf"), True, False, None, "1", b"1", 0.5, 10**400, 2**64, -(2**63) - 1, -1, 1j,
    [], {}, object(), np.array([1, 2]), np.array([[1]]), np.float32(0.5), np.bool_(True), Fraction(1, 2), range(3),
    np.array(["x"]), np.datetime64(1, "s"), np.zeros(0), [[1], [1, 2]], [float("nan")], [None], -0.0, 5e-324,
]  # fmt: skip


def fuzz_public_face(data: bytes) -> None:
    """Raise if a call with other forms of its numbers gives something else than with plain ones."""
    choices = Choices(data)
    name = choices.pick(sorted(CALLS))
    call, draw = CALLS[name]
    plain = draw(choices)
    expected, plain_error = _outcome(call, plain)
    changed, strange = dict(plain), False
    for argument in sorted(plain):
        kind = choices.below(8)
        if kind == 1:
            strange = True
            changed[argument] = _something_strange(plain[argument], choices)
        elif kind > 1:
            changed[argument] = _other_form(plain[argument], choices)
    found, error = _outcome(call, changed)
    if error or strange:
        return
    if plain_error:
        raise Finding(f"{name} took as other forms what it refuses as plain numbers: {plain_error}")
    if found != expected:
        raise Finding(f"{name}: {_short(found)} of other forms, {_short(expected)} of plain numbers")


def _outcome(call: Callable[..., Any], arguments: dict[str, Any]) -> tuple[Any, str]:
    """Return what a call gives, in plain values; or the error of the library, in words."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return _plain(call(**arguments)), ""
        except qp.QkdpostError as error:
            text = f"{type(error).__name__}: {error}"
            if len(text) > 3000:
                raise Finding("an error of more than 3,000 letters") from error
            return None, text


def _plain(value: Any) -> Any:  # noqa: PLR0911
    """Return a value that can be compared; numbers of numpy must not have been kept."""
    if isinstance(value, SecretLength) and not value.bits >= 0:
        raise Finding(f"{value.bits} secret bits")
    if isinstance(value, qp.Bits):
        return "bits", len(value), value.to_bytes()
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.tolist()
    if isinstance(value, np.generic):
        raise Finding(f"a number of numpy was kept: {value!r}")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return type(value).__name__, [
            (field.name, _plain(getattr(value, field.name))) for field in dataclasses.fields(value)
        ]
    if isinstance(value, msgspec.Struct):
        return type(value).__name__, [(name, _plain(getattr(value, name))) for name in value.__struct_fields__]
    if isinstance(value, tuple | list):
        return type(value).__name__, [_plain(entry) for entry in value]
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return type(value).__name__, value


def _other_form(value: Any, choices: Choices) -> Any:
    """Return the same number, or numbers, in another form."""
    if isinstance(value, bool | str | bytes | None):
        return value
    if isinstance(value, int):
        fitting: list[Any] = [
            kind(value) for kind in INTEGER_TYPES if np.iinfo(kind).min <= value <= np.iinfo(kind).max
        ]
        forms = [*fitting, *(np.array(number) for number in fitting), np.array(value, dtype=object)]
        return choices.pick(forms)
    if isinstance(value, float):
        same = [kind(value) for kind in REAL_TYPES if abs(value) < 6e4 and float(kind(value)) == value] + [
            np.float64(value)
        ]
        return choices.pick([*same, *(np.array(number) for number in same)])
    if isinstance(value, list | tuple):
        return _other_list(list(value), choices)
    return value


def _other_list(values: list[Any], choices: Choices) -> Any:
    kind = choices.below(6)
    if kind == 0:
        return tuple(_other_form(entry, choices) for entry in values)
    if kind == 1:
        return [_other_form(entry, choices) for entry in values]
    if kind == 2 or not values:
        column = np.empty(len(values), dtype=object)
        column[:] = values
        return column
    if all(isinstance(entry, int) for entry in values):
        types = [
            kind for kind in INTEGER_TYPES if np.iinfo(kind).min <= min(values) and max(values) <= np.iinfo(kind).max
        ]
        if types:
            array = np.array(values, dtype=choices.pick(types))
            return array if kind < 5 else np.repeat(array, 2)[::2]
    if all(isinstance(entry, float) for entry in values):
        return np.array(values)
    return tuple(values)


def _something_strange(value: Any, choices: Choices) -> Any:
    strange = choices.pick(STRANGE)
    if isinstance(value, list | tuple) and value and choices.chance():
        changed = list(value)
        changed[choices.below(len(changed))] = strange
        return changed
    return strange


def _short(value: Any) -> str:
    return repr(value)[:MAX_PRINTED]
