"""What correction of Gaussian outcomes can leave at best: the capacity of the channel that rotations make of them.

Multidimensional reconciliation (Leverrier, Alleaume, Boutros, Zemor and Grangier, Phys. Rev. A 77, 042325 (2008)) turns
d outcomes y, of signal-to-noise ratio s, into d uniform bits u. Given the norm of y, the other side sees each bit as a
sign in Gaussian noise, with signal-to-noise ratio s q, q = |y|^2 / (d Var y): what she sent is a share of y and a part
that is independent of it, the rotation keeps both what they are, and each bit has a d-th of the squared norm. Since d q
has the chi-square distribution of d degrees of freedom, the capacity is the mean over it of that of signs.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special

from qkdpost.checks import real_number, whole_number
from qkdpost.errors import InputError

__all__ = ["sign_capacity", "virtual_channel_capacity"]

_NODES = 64
_MOST_RATIO = 1e6


def virtual_channel_capacity(signal_to_noise_ratio: float, dimension: int = 8) -> float:
    """Return the capacity in bits for each real outcome; to 1e-6 or so for ratios up to 10.

    Args:
        signal_to_noise_ratio: t^2 V_A over the variance of noise.
        dimension: d of the rotations: 1, 2, 4 or 8.

    Raises:
        InputError: a ratio that is negative or none, or no such dimension.

    Example:
        >>> round(virtual_channel_capacity(0.161) / (0.5 * math.log2(1.161)), 3)
        0.983
    """
    ratio = real_number("signal_to_noise_ratio", signal_to_noise_ratio, least=0.0, most=_MOST_RATIO)
    count = whole_number("dimension", dimension, least=1, most=8)
    if count not in (1, 2, 4, 8):
        raise InputError(f"dimension must be 1, 2, 4 or 8; found {count}")
    halves, weights = special.roots_genlaguerre(_NODES, count / 2.0 - 1.0)  # of half of a chi-square number
    return float(weights @ sign_capacity(ratio * 2.0 * halves / count) / weights.sum())


def sign_capacity(ratios: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the capacity of a sign in Gaussian noise at each of these signal-to-noise ratios; shape (n,)."""
    nodes, weights = special.roots_hermitenorm(_NODES)
    exponent = -2.0 * (ratios[:, None] + np.sqrt(ratios)[:, None] * nodes)
    lost = np.logaddexp(0.0, exponent) @ weights / weights.sum()
    return np.asarray(np.maximum(0.0, 1.0 - lost / math.log(2.0)), dtype=np.float64)
