"""Sums over symbols and over calibration records: all that a bound for Gaussian modulation reads of them.

The two quadratures are numbered 0 (x) and 1 (p). Where both are measured (heterodyne), both have as many outcomes as
there are symbols; where one is (homodyne), each has those of the symbols in which it was measured, and sums across
quadratures are zero.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from qkdpost.checks import numbers, whole_numbers
from qkdpost.errors import InputError

__all__ = ["LAGS", "CalibrationMoments", "QuadratureMoments", "Whitening"]

LAGS = 2
"""Products of outcomes that lie 1 ... `LAGS` symbols apart are summed."""

_Moments = TypeVar("_Moments", "QuadratureMoments", "CalibrationMoments")


@dataclass(frozen=True, slots=True, kw_only=True)
class QuadratureMoments:
    """Sums over symbols x that were sent and outcomes y that were measured, in any fixed units of each.

    Args:
        counts: outcomes of either quadrature.
        sent: sums of x_0, x_1.
        measured: sums of y_0, y_1.
        sent_squares: sums of x_0 x_0, x_1 x_1, x_0 x_1.
        measured_squares: sums of y_0 y_0, y_1 y_1, y_0 y_1.
        products: sums of x_0 y_0, x_1 y_1, x_0 y_1, x_1 y_0.
        fourth_powers: sums of y_0^4, y_1^4.
        lagged: for each lag in 1 ... `LAGS`, four numbers: sums of y_0 y_0', y_1 y_1', y_0 y_1', y_1 y_0', where y'
            is measured that many symbols after y; for homodyne detection, where the quadratures take turns, the
            products of all outcomes in order are in the first and the others are zero.

    Raises:
        InputError: a number is missing, not finite, or cannot be: a negative count or sum of squares, or products
            beyond what Cauchy and Schwarz allow.
    """

    counts: tuple[int, int]
    sent: tuple[float, float]
    measured: tuple[float, float]
    sent_squares: tuple[float, float, float]
    measured_squares: tuple[float, float, float]
    products: tuple[float, float, float, float]
    fourth_powers: tuple[float, float]
    lagged: tuple[float, ...]

    def __post_init__(self) -> None:
        _keep_checked(self, self.lengths())
        sent, measured, products = self.sent_squares, self.measured_squares, self.products
        _not_negative("sent_squares", sent[:2])
        _not_negative("measured_squares", measured[:2])
        _not_negative("fourth_powers", self.fourth_powers)
        for name, value, first, second in (
            ("sent_squares[2]", sent[2], sent[0], sent[1]),
            ("measured_squares[2]", measured[2], measured[0], measured[1]),
            ("products[0]", products[0], sent[0], measured[0]),
            ("products[1]", products[1], sent[1], measured[1]),
            ("products[2]", products[2], sent[0], measured[1]),
            ("products[3]", products[3], sent[1], measured[0]),
        ):
            _within_cauchy_schwarz(name, value, first, second)

    @staticmethod
    def lengths() -> dict[str, int]:
        """Return how many numbers each field holds, in the order in which they are announced."""
        return {
            "counts": 2,
            "sent": 2,
            "measured": 2,
            "sent_squares": 3,
            "measured_squares": 3,
            "products": 4,
            "fourth_powers": 2,
            "lagged": 4 * LAGS,
        }

    def __add__(self, other: QuadratureMoments) -> QuadratureMoments:
        """Return the sums over the symbols of both."""
        return _added(self, other)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationMoments:
    """Sums over a calibration record, one of noise alone.

    Args:
        counts: outcomes of either quadrature.
        measured: sums of y_0, y_1.
        measured_squares: sums of y_0 y_0, y_1 y_1, y_0 y_1.
        lagged: for each lag in 1 ... `LAGS`, two numbers: sums of y_0 y_0' and y_1 y_1'.

    Raises:
        InputError: as `QuadratureMoments`.
    """

    counts: tuple[int, int]
    measured: tuple[float, float]
    measured_squares: tuple[float, float, float]
    lagged: tuple[float, ...]

    def __post_init__(self) -> None:
        _keep_checked(self, self.lengths())
        squares = self.measured_squares
        _not_negative("measured_squares", squares[:2])
        _within_cauchy_schwarz("measured_squares[2]", squares[2], squares[0], squares[1])

    @staticmethod
    def lengths() -> dict[str, int]:
        """Return how many numbers each field holds, in the order in which they are announced."""
        return {"counts": 2, "measured": 2, "measured_squares": 3, "lagged": 2 * LAGS}

    def __add__(self, other: CalibrationMoments) -> CalibrationMoments:
        """Return the sums over both records."""
        return _added(self, other)


@dataclass(frozen=True, slots=True, kw_only=True)
class Whitening:
    """An affine map of outcomes, y' = matrix (y - centre), that was fixed before the outcomes were seen.

    Args:
        centre: of y_0, y_1, in raw units.
        matrix: (m_00, m_01, m_10, m_11), with an inverse; diagonal for homodyne detection.

    Raises:
        InputError: a number is missing or not finite, or the matrix has no inverse worth the name.
    """

    centre: tuple[float, float]
    matrix: tuple[float, float, float, float]

    def __post_init__(self) -> None:
        _keep_checked(self, {"centre": 2, "matrix": 4})
        largest = max(map(abs, self.matrix))
        if not abs(self.determinant) > 1e-6 * largest * largest:
            raise InputError(f"the matrix of whitening must have an inverse; found determinant {self.determinant:.3g}")

    @property
    def determinant(self) -> float:
        """The determinant of the matrix."""
        first, second, third, fourth = self.matrix
        return first * fourth - second * third


_MOST = 1e60
"""No sum of squares of outcomes is larger, and products of two such sums are still finite."""
_ROUNDING = 1e-9
"""Sums of up to 2^40 products in floating point are correct to far less than this part of themselves."""


def _keep_checked(record: Any, lengths: dict[str, int]) -> None:
    for name, length in lengths.items():
        given = getattr(record, name)
        checked: tuple[float, ...]
        if name == "counts":
            checked = whole_numbers(name, given, count=length, each="quadrature", most=2**41)
        else:
            checked = numbers(name, given, count=length, each="sum", least=-_MOST, most=_MOST)
        object.__setattr__(record, name, checked)


def _not_negative(name: str, values: tuple[float, ...]) -> None:
    if min(values) < 0.0:
        raise InputError(f"{name} are sums of even powers and must not be negative; found {min(values):.6g}")


def _within_cauchy_schwarz(name: str, value: float, first: float, second: float) -> None:
    if abs(value) > math.sqrt(first) * math.sqrt(second) * (1.0 + _ROUNDING) + _ROUNDING:
        raise InputError(
            f"{name} must not exceed the root of the product of its sums of squares, {first:.6g} and {second:.6g}; "
            f"found {value:.6g}"
        )


def _added(first: _Moments, second: _Moments) -> _Moments:
    sums = {
        item.name: tuple(a + b for a, b in zip(getattr(first, item.name), getattr(second, item.name), strict=True))
        for item in fields(first)
    }
    return type(first)(**sums)
