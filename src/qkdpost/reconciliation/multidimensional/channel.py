"""From outcomes to a binary channel and back.

Bob takes d outcomes for a number y of norm N and direction y' (`RotationMessage`), draws a number u whose components
are +-1 / sqrt(d) by random bits, and announces N and the rotation a = u y'*. Alice turns her symbols x by it: where
y = t x + z, N u = t a x + a z, and a z is noise as z was. Her log-likelihood ratios are 2 N t (a x)_i / (sqrt(d) s2),
s2 the variance of z. Leverrier, Alleaume, Boutros, Zemor, Grangier, Phys. Rev. A 77, 042325 (2008).

What is secret, and what the message tells. The bits are the key before hashing; the outcomes and Alice's symbols are as
secret. Outcomes and bits together are, one to one, norm, rotation and bits. Given the norm, u is independent of a if y'
is uniform on its sphere: for any a the 2^d candidates u come from 2^d directions a* u, and these are equally likely. So
I(u : E a N) <= I(y : E), and nothing is charged for the message but how far y' is from uniform, which the bound charges
as anisotropy, offset and correlation that the block's own statistics allow. On a lattice y' is far from uniform: raw
integers have to be dithered before (`qkdpost.sifting.quadratures`), or a third of the bits are told.

Outcomes in float32 lie on a lattice of their own, whose steps double at powers of 2. A norm of all their digits, in few
dimensions, fits some candidates u better than others: of single outcomes with an offset of 1 % of their deviation, in
1 % of all cases, the other sign is impossible. So norms are rounded to 12 digits of their mantissa (`NORM_DIGITS`),
within which thousands of lattice points lie for every candidate.

Rounding is safe. Rotations in int16 and norms of 12 digits are a function of the exact ones, so whoever hears them
learns no more. What Alice rebuilds, y~ = N a~* u with a~ as rounded and not scaled back to length 1, is y plus an
error of sd N / (32,767 sqrt(12)) in each component, which does not depend on u's bits and, to the same order, not on
y: it leaves the gain as it is and adds 8e-11 N^2 to the variance of the noise, on the safe side. (int8, or scaling
back, would make the gain too small by half of the rounding's relative square, and a small gain is the unsafe side.)
Norms are rounded to the nearest, by 2^-12 of themselves at most: to first order that averages out, as their density
is smooth over so little, and what is left of the gain's error is the square, 1e-8.

A number of which all outcomes are zero has no direction, and any that were a function of its value would tell u. It is
sent as the rotation 1 with norm 2^-50, as if it had been such a small vector along u: the message is then the same for
all bits, and the log-likelihood ratios are as good as 0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.quadratures.products import FIRST_CONJUGATED, PLAIN, SECOND_CONJUGATED
from qkdpost._kernels.quadratures.rotations import make_rotations, rebuild_values, rotated_likelihoods
from qkdpost.bits import Bits
from qkdpost.checks import described, instance, real_array, real_number, whole_number
from qkdpost.errors import InputError
from qkdpost.reconciliation.channel import LogLikelihoods
from qkdpost.reconciliation.multidimensional.dimensions import dimension_of
from qkdpost.reconciliation.multidimensional.message import MAX_REALS, RotationMessage

__all__ = ["rebuild_outcomes", "rotation_messages", "virtual_channel"]

NORM_DIGITS = 12
"""Binary digits of norms that are sent; see the module."""
_LARGEST = 1e12
"""Of gains and variances, and the smallest is its inverse: far beyond any units of use."""


def rotation_messages(values: Any, bits: Bits, dimension: int) -> RotationMessage:
    """Return the rotations that take outcomes to bits, and their norms. Bob's side.

    Args:
        values: his outcomes, whitened (and dithered, if they were integers); float32, of shape (symbols, 2) where both
            quadratures were measured, taken as x_0, p_0, x_1, p_1 ..., or (outcomes,) in order. Secret.
        bits: one for each outcome, drawn by a cryptographic generator for this message alone. Secret.
        dimension: how many outcomes make a number; 1, 2, 4 or 8, at least 2 where both quadratures were measured, for
            a symbol must lie within one number.

    Raises:
        InputError: another dtype or shape, other than one bit an outcome or whole numbers, or outcomes that are NaN,
            infinite or above 2^50.

    >>> outcomes = np.array([0.7, -1.2, 0.3, 2.1], dtype=np.float32)
    >>> message = rotation_messages(outcomes, Bits.from_array([0, 1, 1, 0]), dimension=4)
    >>> channel = virtual_channel(outcomes, message, gain=1.0, noise_variance=0.5)
    >>> (channel.values < 0).astype(int).tolist()
    [[0, 1, 1, 0]]
    """
    checked = dimension_of(dimension)
    series = _series("values", values, checked, finite=False)  # the kernel looks at every norm
    if len(instance("bits", bits, Bits)) != series.size:
        raise InputError(f"there must be one bit for each of {series.size} outcomes; found {len(bits)}")
    rotations = np.empty(series.size, dtype=np.int16)
    norms = np.empty(series.size // checked, dtype=np.float32)
    if not make_rotations(series, bits.words, SECOND_CONJUGATED, checked, rotations, norms):
        raise InputError("values must be finite, and their norms below 2^50")
    _round(norms)
    return RotationMessage(dimension=checked, rotations=rotations, norms=norms)


def virtual_channel(
    symbols: Any, message: RotationMessage, gain: float, noise_variance: float, *, frames: int = 1
) -> LogLikelihoods:
    """Return what Alice knows of Bob's bits.

    Args:
        symbols: hers that the message is of, in order, as `values` of `rotation_messages`; where one quadrature was
            measured, that one of each. Secret, as are the ratios.
        message: Bob's.
        gain: t of y = t x + z, in the units of the message; above 0.
        noise_variance: that of z. Neither is of any consequence but to decoding.
        frames: into how many frames of equal length the outcomes are divided.

    Returns:
        Ratios of float32, shape (frames, outcomes / frames).

    Raises:
        InputError: arguments that do not fit one another.
    """
    instance("message", message, RotationMessage)
    series = _series("symbols", symbols, message.dimension)
    if series.size != message.reals:
        raise InputError(f"symbols must have a real for each of {message.reals} outcomes; found {series.size}")
    count = whole_number("frames", frames, least=1)
    if series.size % count:
        raise InputError(f"{series.size} outcomes are no {count} frames of equal length")
    slope = real_number("gain", gain, above=0.0, most=_LARGEST)
    variance = real_number("noise_variance", noise_variance, least=1.0 / _LARGEST, most=_LARGEST)
    output = np.empty((count, series.size // count), dtype=np.float32)
    factor = 2.0 * slope / (math.sqrt(message.dimension) * variance)
    rotated_likelihoods(
        series, message.rotations, message.norms, PLAIN, message.dimension, factor, output.reshape(series.size)
    )
    return LogLikelihoods(values=output)


def rebuild_outcomes(message: RotationMessage, bits: Bits) -> NDArray[np.float32]:
    """Return Bob's outcomes, as Alice has them when she knows the bits: float32, shape (outcomes,). Secret.

    Args:
        message: Bob's.
        bits: one for each outcome; secret.

    Raises:
        InputError: another number of bits.
    """
    instance("message", message, RotationMessage)
    if len(instance("bits", bits, Bits)) != message.reals:
        raise InputError(f"there must be one bit for each of {message.reals} outcomes; found {len(bits)}")
    output = np.empty(message.reals, dtype=np.float32)
    rebuild_values(message.rotations, message.norms, bits.words, FIRST_CONJUGATED, message.dimension, output)
    return output


def _round(norms: NDArray[np.float32]) -> None:
    """Round positive numbers to `NORM_DIGITS`, in place; a carry goes into the exponent, as it should."""
    dropped = 24 - NORM_DIGITS  # one of 24 is not stored
    words = norms.view(np.uint32)
    words += np.uint32(1 << (dropped - 1))
    words &= np.uint32(0xFFFFFFFF << dropped & 0xFFFFFFFF)


def _series(name: str, values: Any, dimension: int, *, finite: bool = True) -> NDArray[np.float32]:
    """Return outcomes as a vector, x and p by turns, without a copy of what is contiguous float32."""
    both = getattr(values, "ndim", 1) == 2
    if both and dimension == 1:
        raise InputError(f"{name} of both quadratures need a dimension of 2 or more: a symbol lies within one number")
    array = real_array(name, values, columns=2 if both else None, finite=finite)
    if array.size > MAX_REALS or array.size % dimension:
        raise InputError(
            f"{name} must be whole numbers of {dimension} reals, at most 2^30 reals; found {described(array)}"
        )
    return array.reshape(array.size)
