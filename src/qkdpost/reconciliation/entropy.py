"""The binary entropy: in floating point, and in integers by repeated squaring, alike on every machine."""

from __future__ import annotations

import math
from functools import cache

from qkdpost.errors import InputError

__all__ = ["binary_entropy", "entropy_ppm"]

_MILLION = 1_000_000
_LOG_BITS = 40


def binary_entropy(error_rate: float) -> float:
    """Return the binary entropy of `error_rate` in bits."""
    if error_rate in (0.0, 1.0):
        return 0.0
    return -error_rate * math.log2(error_rate) - (1 - error_rate) * math.log2(1 - error_rate)


def _log2(number: int) -> int:
    """Return log2 of a positive integer in units of 2^-40, rounded down, by repeated squaring of its mantissa."""
    exponent = number.bit_length() - 1
    mantissa = (number << 64) >> exponent
    result = exponent
    for _ in range(_LOG_BITS):
        mantissa = (mantissa * mantissa) >> 64
        above = mantissa >> 65
        mantissa >>= above
        result = 2 * result + above
    return result


@cache
def entropy_ppm(error_rate_ppm: int) -> int:
    """Return the binary entropy of an error rate, both in parts per million, rounded up; 1 to 999,999."""
    if not 1 <= error_rate_ppm < _MILLION:
        raise InputError(f"error_rate_ppm must lie in 1 ... 999999, found {error_rate_ppm}")
    whole = _log2(_MILLION)
    total = sum(part * (whole - _log2(part)) for part in (error_rate_ppm, _MILLION - error_rate_ppm))
    return int(-(-total >> _LOG_BITS))
