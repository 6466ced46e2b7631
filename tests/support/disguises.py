"""Arguments in every form that people hand them in: the same value in other clothes, and values that are none.

A `Kind` knows plain values of one sort of argument, forms of the same value that must give the same result or be
refused, and things that are no such value, which must be refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st

INTEGER_WIDTHS = (np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64)
FLOAT_WIDTHS = (np.float16, np.float32, np.float64, np.longdouble)

NOT_NUMBERS: list[Callable[[], Any]] = [
    lambda: True,
    lambda: np.True_,
    lambda: "1",
    lambda: np.str_("1"),
    lambda: b"\x01",
    lambda: bytearray(b"\x01"),
    lambda: 1j,
    lambda: math.nan,
    lambda: np.float16("nan"),
    lambda: np.array(math.nan),
    lambda: np.array([1, 2]),
    lambda: np.array([1.0]),
    lambda: np.array([[1]]),
    lambda: np.array(None, dtype=object),
    lambda: np.array("1"),
    lambda: np.datetime64("NaT"),
    lambda: np.timedelta64(1, "s"),
    lambda: np.ma.masked,
    lambda: [],
    lambda: [1],
    lambda: (1, 2),
    dict,
    lambda: {1},
    object,
    lambda: int,
    lambda: Decimal("NaN"),
    lambda: lambda: 1,
    lambda: range(3),
    lambda: iter([1]),
]
"""What is neither an integer nor a real number."""

OUT_OF_RANGE: list[Callable[[], Any]] = [
    lambda: -1,
    lambda: -(2**70),
    lambda: 2**53 + 1,
    lambda: 10**400,
    lambda: -(10**400),
    lambda: np.uint64(2**64 - 1),
    lambda: np.int64(-(2**63)),
    lambda: np.uint8(255),
]
"""Integers that a place may or may not take."""

NOT_INTEGERS = [
    *NOT_NUMBERS,
    lambda: 1.0,
    lambda: 1.5,
    lambda: np.float64(3),
    lambda: np.float32(3),
    lambda: np.array(1.0),
    lambda: math.inf,
    lambda: Fraction(1, 3),
    lambda: Decimal(1),
]

NOT_VECTORS: list[Callable[[], Any]] = [
    lambda: "0101",
    lambda: b"\x00\x01",
    lambda: memoryview(b"\x00\x01"),
    lambda: 1,
    lambda: math.nan,
    dict,
    lambda: {0, 1},
    object,
    lambda: [[0, 1], [1, 0]],
    lambda: [[0], 1],
    lambda: np.zeros((2, 2), dtype=np.int64),
    lambda: np.array(1),
    lambda: [None, 1],
    lambda: ["0", "1"],
    lambda: [0.5, 1],
    lambda: [math.nan, 1],
    lambda: [10**400],
    lambda: [1j],
    lambda: np.array([0, np.nan]),
    lambda: np.array([0, np.inf]),
    lambda: np.array(["a"]),
    lambda: np.array([b"a"]),
    lambda: np.array([None]),
    lambda: np.array(["2020-01-01"], dtype="datetime64[D]"),
    lambda: np.ma.masked_array([0, 1], mask=[True, False]),
    lambda: lambda: [0, 1],
    lambda: [object()],
]
"""What is no vector of small integers."""


@dataclass(frozen=True)
class Kind:
    """A sort of argument.

    Args:
        plain: values as they should be given.
        disguises: makes of a value all other forms of it.
        nonsense: makes things that are no such value.
        maybe: makes things that may be taken or refused, but must not break anything.
    """

    plain: st.SearchStrategy[Any]
    disguises: Callable[[Any], list[Any]] = lambda value: []
    nonsense: list[Callable[[], Any]] = field(default_factory=list)
    maybe: list[Callable[[], Any]] = field(default_factory=list)


def count(values: st.SearchStrategy[int] | int, *, optional: bool = False) -> Kind:
    """A whole number."""
    nonsense = NOT_INTEGERS if optional else [*NOT_INTEGERS, lambda: None]
    return Kind(_strategy(values), _scalars_of_integer, nonsense, OUT_OF_RANGE)


def whole(values: Any) -> Kind:
    """Return a count that may also be a whole float, as 1e9 is."""
    kind = count(values)
    floats = [maker for maker in kind.nonsense if _is_whole_float(maker())]
    others = [maker for maker in kind.nonsense if maker not in floats]
    return Kind(kind.plain, kind.disguises, others, [*kind.maybe, *floats])


def _is_whole_float(value: object) -> bool:
    if isinstance(value, np.ndarray) and value.shape == () and value.dtype.kind == "f":
        value = float(value)
    return isinstance(value, float | np.floating) and float(value).is_integer()


def real(values: st.SearchStrategy[float] | float, *, optional: bool = False) -> Kind:
    """A finite number."""
    wrong = [*NOT_NUMBERS, lambda: math.inf, lambda: -math.inf, lambda: 10**400, lambda: Decimal(1)]
    return Kind(_strategy(values), _scalars_of_real, wrong if optional else [*wrong, lambda: None], OUT_OF_RANGE)


def counts(values: st.SearchStrategy[tuple[int, ...]] | tuple[int, ...], *, optional: bool = False) -> Kind:
    """A few whole numbers; halves and floats are none."""
    nonsense = [*NOT_VECTORS, lambda: [1.0, 2.0], lambda: (True, 2), lambda: ("1", 2)]
    return Kind(_strategy(values), _vectors_of_integers, nonsense if optional else [*nonsense, lambda: None])


def reals(values: st.SearchStrategy[tuple[float, ...]] | tuple[float, ...]) -> Kind:
    """A few finite numbers."""
    return Kind(_strategy(values), _vectors_of_reals, [*_NOT_REALS, lambda: None])


def bits(values: st.SearchStrategy[list[int]] | list[int]) -> Kind:
    """A vector of bits, in which floats of 0 and 1 are bits too."""
    nonsense = [*NOT_VECTORS, lambda: None, lambda: [0, 2], lambda: [-1, 0], lambda: np.array([255], dtype=np.uint8)]
    return Kind(_strategy(values), _vectors_of_bits, nonsense)


def pairs(values: np.ndarray[Any, Any], *, optional: bool = False) -> Kind:
    """An array of real numbers of shape (n, 2)."""
    wrong: list[Callable[[], Any]] = [
        lambda: "0101",
        lambda: values[:, 0],
        lambda: values.T[:, :7],
        lambda: values[:, 0] + 1j * values[:, 1],
        lambda: values > 0,
        lambda: np.where(values > 0, np.nan, values),
        lambda: np.where(values > 0, np.inf, values),
        lambda: values.astype(str),
        lambda: np.ma.masked_array(values, mask=values > 0),
        lambda: 1,
        lambda: {},
        object,
        lambda: [[1, 2], [3]],
    ]
    return Kind(
        st.just(values),
        lambda given: [given.tolist(), np.asfortranarray(given), given.astype(np.longdouble), tuple(map(tuple, given))],
        wrong if optional else [*wrong, lambda: None],
    )


def integers(values: st.SearchStrategy[list[int]] | list[int]) -> Kind:
    """A vector of integers, as slots or ticks."""
    nonsense = [*NOT_VECTORS, lambda: None, lambda: [0.0, 1.0], lambda: [0, 2**70], lambda: np.array([0.0, 1.0])]
    huge = [lambda: np.array([0, 2**63], dtype=np.uint64), lambda: [0, 2**63 - 1, -(2**63), -1, 5]]
    return Kind(_strategy(values), _vectors_of_integers, nonsense, huge)


def text(*values: str) -> Kind:
    """One of a few words."""
    wrong = [
        lambda: None,
        lambda: 1,
        lambda: b"basis",
        lambda: "",
        lambda: "no such word",
        lambda: np.array(["a", "b"]),
    ]
    return Kind(st.sampled_from(values), lambda value: [np.str_(value)], [*wrong, list, object, lambda: math.nan])


def thing(*values: Any, optional: bool = False) -> Kind:
    """An object of this library."""
    wrong = [lambda: 1, lambda: "a", lambda: [1, "a"], object, lambda: math.nan, lambda: np.array([1, 2]), lambda: int]
    return Kind(st.sampled_from(values), lambda value: [], wrong if optional else [*wrong, lambda: None])


def raw(value: bytes) -> Kind:
    """Some bytes."""
    wrong = [lambda: None, lambda: "a", lambda: 3, lambda: [1, 2], object, lambda: memoryview(b"abcd")[::2], dict]
    return Kind(st.just(value), lambda given: [bytearray(given), memoryview(given)], wrong)


_NOT_REALS: list[Callable[[], Any]] = [
    lambda: "0.5",
    lambda: b"\x00\x01",
    lambda: 1,
    lambda: math.nan,
    dict,
    lambda: {0.5, 0.1},
    object,
    lambda: [[0.5], [0.1]],
    lambda: np.zeros((2, 2)),
    lambda: np.array(1.0),
    lambda: [None, 0.1],
    lambda: ["0.5", "0.1"],
    lambda: [math.nan, 0.1],
    lambda: [math.inf, 0.1],
    lambda: [10**400, 0.1],
    lambda: [1j, 0],
    lambda: [True, False],
    lambda: np.array(["a", "b"]),
    lambda: [object(), 0.1],
]


def _strategy(values: Any) -> st.SearchStrategy[Any]:
    return values if isinstance(values, st.SearchStrategy) else st.just(values)


def _fits(value: int, width: type) -> bool:
    return np.iinfo(width).min <= value <= np.iinfo(width).max


def _scalars_of_integer(value: int) -> list[Any]:
    widths = [width for width in INTEGER_WIDTHS if _fits(value, width)]
    return [make(value) for width in widths for make in (width, lambda v, w=width: np.array(v, dtype=w))] + [
        np.array(value, dtype=object)
    ]


def _scalars_of_real(value: float) -> list[Any]:
    with np.errstate(over="ignore"):
        same = [width(value) for width in FLOAT_WIDTHS if float(width(value)) == value]
    whole = [int(value), *_scalars_of_integer(int(value))] if value == int(value) else []
    return [*same, *(np.array(scalar) for scalar in same), np.array(value, dtype=object), *whole]


def _vectors_of_integers(values: Any) -> list[Any]:
    listed = list(values)
    fitting = [width for width in INTEGER_WIDTHS if all(_fits(value, width) for value in listed)]
    arrays = [np.array(listed, dtype=width) for width in fitting]
    mixed = [fitting[place % len(fitting)](value) for place, value in enumerate(listed)] if fitting else listed
    return [listed, tuple(listed), *arrays, np.array(listed, dtype=object), mixed, *_columns(listed), *_views(arrays)]


def _vectors_of_reals(values: Any) -> list[Any]:
    listed = list(values)
    array = np.array(listed, dtype=np.float64)
    return [listed, tuple(listed), array, np.array(listed, dtype=object), [np.float64(value) for value in listed]]


def _vectors_of_bits(values: Any) -> list[Any]:
    listed = list(values)
    arrays = [np.array(listed, dtype=width) for width in (*INTEGER_WIDTHS, *FLOAT_WIDTHS, np.bool_, object)]
    return [listed, tuple(listed), [bool(bit) for bit in listed], *arrays, *_columns(listed), *_views(arrays)]


def _views(arrays: list[Any]) -> list[Any]:
    """Return vectors that do not lie in memory as they are."""
    strided = [np.repeat(array, 2)[::2] for array in arrays[:3]]
    return [*strided, *(array[::-1][::-1] for array in arrays[:2]), *(_read_only(array) for array in arrays[:2])]


def _read_only(array: Any) -> Any:
    view = array.view()
    view.flags.writeable = False
    return view


def _columns(listed: list[int]) -> list[Any]:
    try:
        import pandas
    except ImportError:
        return []
    return [pandas.Series(listed, dtype="int64"), pandas.Series(listed, dtype="Int64")]
