"""Complex numbers, quaternions and octonions by the recipe of Cayley and Dickson, one at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Number = NDArray[np.float64]


def conjugate(number: Sequence[float] | Number) -> Number:
    result = -np.asarray(number, dtype=np.float64)
    result[0] = -result[0]
    return result


def multiply(first: Sequence[float] | Number, second: Sequence[float] | Number) -> Number:
    """(a, b)(c, d) = (a c - d* b, d a + b c*)."""
    left, right = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if left.size == 1:
        return left * right
    half = left.size // 2
    a, b, c, d = left[:half], left[half:], right[:half], right[half:]
    return np.concatenate([multiply(a, c) - multiply(conjugate(d), b), multiply(d, a) + multiply(b, conjugate(c))])


def signs_of(bits: Sequence[int] | NDArray[np.uint8]) -> Number:
    """The unit number whose components have the signs of bits, minus for 1."""
    return (1.0 - 2.0 * np.asarray(bits, dtype=np.float64)) / np.sqrt(len(bits))


def rotation(values: Sequence[float] | Number, bits: Sequence[int] | NDArray[np.uint8]) -> tuple[Number, float]:
    """Norm and rotation u y'* of d outcomes."""
    norm = float(np.linalg.norm(values))
    return multiply(signs_of(bits), conjugate(np.asarray(values, dtype=np.float64) / norm)), norm
