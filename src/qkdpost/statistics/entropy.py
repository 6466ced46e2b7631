"""The binary entropy and its inverse in floating point, and in integers that are the same on every machine."""

from __future__ import annotations

import math
from functools import cache

from qkdpost.checks import real_number, whole_number

__all__ = ["binary_entropy", "entropy_ppm", "inverse_binary_entropy"]

_MILLION = 1_000_000
_LOG_BITS = 40


def binary_entropy(probability: float) -> float:
    """Return h(p) in bits, clamped to 1 from p = 1/2 on.

    The clamp is what every bound of this library needs: an upper bound on an error rate that lies above one half
    allows one half itself, so the entropy that it may hide is one whole bit. Who wants the entropy of a rate that is
    known, not bounded, and may lie above one half, writes ``binary_entropy(min(p, 1 - p))``. Correct to a few units in
    the last place down to the smallest normal number (the second term is taken with log1p).

    >>> round(binary_entropy(0.11), 6), binary_entropy(0.89)
    (0.499916, 1.0)

    Args:
        probability: p in 0 ... 1.

    Raises:
        InputError: p lies outside 0 ... 1 or is not a number.
    """
    if type(probability) is not float or not 0.0 <= probability <= 1.0:
        probability = real_number("probability", probability, least=0.0, most=1.0)
    if probability >= 0.5:
        return 1.0
    if probability == 0.0:
        return 0.0
    rest = (1.0 - probability) * math.log1p(-probability) / math.log(2.0)
    return -(probability * math.log2(probability) + rest)


def inverse_binary_entropy(entropy_bits: float) -> float:
    """Return the p in 0 ... 1/2 with h(p) equal to `entropy_bits`, rounded down in the last places.

    Args:
        entropy_bits: the entropy in 0 ... 1.

    Raises:
        InputError: the entropy lies outside 0 ... 1 or is not a number.

    >>> import qkdpost as qp
    >>> round(qp.security.inverse_binary_entropy(0.5), 4)
    0.11
    """
    entropy_bits = real_number("entropy_bits", entropy_bits, least=0.0, most=1.0)
    if entropy_bits == 1.0:
        return 0.5
    low, high = 0.0, 0.5
    for _ in range(1100):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if binary_entropy(middle) <= entropy_bits:
            low = middle
        else:
            high = middle
    return low


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
    error_rate_ppm = whole_number("error_rate_ppm", error_rate_ppm, least=1, most=_MILLION - 1)
    whole = _log2(_MILLION)
    total = sum(part * (whole - _log2(part)) for part in (error_rate_ppm, _MILLION - error_rate_ppm))
    return int(-(-total >> _LOG_BITS))
