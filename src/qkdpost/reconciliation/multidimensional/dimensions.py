"""In how many dimensions outcomes can be rotated onto bits."""

from __future__ import annotations

from typing import Literal, cast, get_args

from qkdpost.checks import described, whole_number
from qkdpost.errors import InputError, QkdpostError

__all__ = ["DIMENSIONS", "Dimension", "dimension_of"]

Dimension = Literal[1, 2, 4, 8]
"""How many outcomes are rotated together: those of the numbers with a norm, real, complex, quaternions, octonions."""
DIMENSIONS: tuple[int, ...] = get_args(Dimension)


def dimension_of(value: object, *, error: type[QkdpostError] = InputError) -> Dimension:
    """Return a dimension that there is, as a plain integer.

    Args:
        value: what is to be one.
        error: the class of what is raised.

    Raises:
        QkdpostError: it is none; of the class `error`.
    """
    number = whole_number("dimension", value, least=1, most=8, error=error)
    if number not in DIMENSIONS:
        raise error(f"dimension must be 1, 2, 4 or 8; found {described(value)}")
    return cast("Dimension", number)
