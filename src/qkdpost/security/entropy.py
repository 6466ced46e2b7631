"""The binary entropy and its inverse, in bits, safe at tiny arguments."""

from __future__ import annotations

import math

from qkdpost.checks import real_number

__all__ = ["binary_entropy", "inverse_binary_entropy"]


def binary_entropy(probability: float) -> float:
    """Return h(p) in bits, clamped to 1 from p = 1/2 on.

    The clamp is what every bound of this library needs: an upper bound on an error rate that lies above one half
    allows one half itself, so the entropy that it may hide is one whole bit. Correct to a few units in the last
    place down to the smallest normal number (the second term is taken with log1p).

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
