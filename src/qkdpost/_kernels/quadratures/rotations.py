"""Rotations that take Bob's outcomes to bits: made, checked, used by the corrector, and undone.

d reals y are a number of `products`, of norm N and direction y' = y / N. The rotation a = u y'* with u = (1 - 2 b) /
sqrt(d) takes y' to the signs u of the bits b, a y' = u, for octonions too (alternativity); y = N a* u comes back.
Rotations are rounded to integers on a sphere of radius `RADIUS`. A zero vector has no direction: its rotation is the
number 1, whatever the bits, and its norm `MIN_NORM`, as if it had been that small a vector along u.

Bits are packed as in `qkdpost._kernels.bits.packing`; bit i belongs to real i. d divides 64, so that the bits of a
number lie in one word. Arithmetic is that of float32.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.jit.decorators import kernel
from qkdpost._kernels.quadratures.products import (
    FIRST_CONJUGATED,
    PLAIN,
    SECOND_CONJUGATED,
    TILE,
    load_numbers,
    load_signs,
    multiply_tiles,
    store_scaled,
)

__all__ = [
    "MAX_NORM",
    "MIN_NORM",
    "RADIUS",
    "make_rotations",
    "rebuild_values",
    "rotated_likelihoods",
    "unsound_rotation",
    "warm",
]

Reals = NDArray[np.float32]
Rotations = NDArray[np.int16]
Words = NDArray[np.uint64]

RADIUS = 32767
MIN_NORM = 2.0**-50
MAX_NORM = 2.0**50
"""Norms lie between these two: their squares stay clear of the ends of float32."""


@kernel
def make_rotations(
    values: Reals, words: Words, signs: Reals, dimension: int, rotations: Rotations, norms: Reals
) -> bool:
    """Write the rotation and the norm of every number.

    Args:
        values: outcomes, whole numbers of `dimension` reals.
        words: their bits.
        signs: `SECOND_CONJUGATED`.
        dimension: 1, 2, 4 or 8.
        rotations: written whole, as long as `values`.
        norms: written whole, one for each number.

    Returns:
        False if an outcome is not finite or a norm above `MAX_NORM`; what was written is then meaningless.
    """
    outcomes = np.empty((dimension, TILE), dtype=np.float32)
    targets = np.empty((dimension, TILE), dtype=np.float32)
    products = np.empty((dimension, TILE), dtype=np.float32)
    squares = np.empty(TILE, dtype=np.float32)
    scales = np.empty(TILE, dtype=np.float32)
    nothing = np.empty(TILE, dtype=np.int16)
    rounded = np.empty((dimension, TILE), dtype=np.int16)
    least = np.float32(MIN_NORM * MIN_NORM)
    most = np.float32(MAX_NORM * MAX_NORM)
    length = np.float32(RADIUS / np.sqrt(float(dimension)))
    sound = True
    for start in range(0, norms.size, TILE):
        count = min(TILE, norms.size - start)
        load_numbers(values, start * dimension, dimension, count, outcomes)
        load_signs(words, start * dimension, dimension, count, targets)
        multiply_tiles(signs, targets, outcomes, products, dimension, count)
        for place in range(count):
            squares[place] = np.float32(0.0)
        for row in range(dimension):
            for place in range(count):
                squares[place] += outcomes[row, place] * outcomes[row, place]
        for place in range(count):
            square = squares[place]
            sound &= square <= most  # False for NaN
            empty = square <= least
            norm = np.sqrt(least if empty else square)
            norms[start + place] = norm
            scales[place] = np.float32(0.0) if empty else length / norm
            nothing[place] = RADIUS if empty else 0
        if not sound:
            return False
        for row in range(dimension):
            for place in range(count):
                rounded[row, place] = np.int16(np.rint(products[row, place] * scales[place]))
        for place in range(count):
            rounded[0, place] += nothing[place]
        numbers = rotations[start * dimension : (start + count) * dimension].reshape((count, dimension))
        for place in range(count):
            for row in range(dimension):
                numbers[place, row] = rounded[row, place]
    return True


@kernel
def rotated_likelihoods(
    values: Reals, rotations: Rotations, norms: Reals, signs: Reals, dimension: int, factor: float, output: Reals
) -> None:
    """Write `factor` N v for every real, v = a x.

    Args:
        values: what was sent, x, whole numbers.
        rotations: of the message, as long.
        norms: one for each number.
        signs: `PLAIN`.
        dimension: 1, 2, 4 or 8.
        factor: of the log-likelihood ratios.
        output: written whole, as long as `values`.
    """
    sent = np.empty((dimension, TILE), dtype=np.float32)
    rotation = np.empty((dimension, TILE), dtype=np.float32)
    products = np.empty((dimension, TILE), dtype=np.float32)
    scales = np.empty(TILE, dtype=np.float32)
    scale = np.float32(factor / RADIUS)
    for start in range(0, norms.size, TILE):
        count = min(TILE, norms.size - start)
        first = start * dimension
        load_numbers(values, first, dimension, count, sent)
        load_numbers(rotations, first, dimension, count, rotation)  # type: ignore[arg-type]
        multiply_tiles(signs, rotation, sent, products, dimension, count)
        for place in range(count):
            scales[place] = scale * norms[start + place]
        store_scaled(products, scales[:count], first, output)


@kernel
def rebuild_values(
    rotations: Rotations, norms: Reals, words: Words, signs: Reals, dimension: int, output: Reals
) -> None:
    """Write y = N a* u for every number.

    Args:
        rotations: of the message.
        norms: one for each number.
        words: the bits.
        signs: `FIRST_CONJUGATED`.
        dimension: 1, 2, 4 or 8.
        output: written whole, as long as `rotations`.
    """
    rotation = np.empty((dimension, TILE), dtype=np.float32)
    targets = np.empty((dimension, TILE), dtype=np.float32)
    products = np.empty((dimension, TILE), dtype=np.float32)
    scales = np.empty(TILE, dtype=np.float32)
    scale = np.float32(1.0 / (RADIUS * np.sqrt(float(dimension))))
    for start in range(0, norms.size, TILE):
        count = min(TILE, norms.size - start)
        first = start * dimension
        load_numbers(rotations, first, dimension, count, rotation)  # type: ignore[arg-type]
        load_signs(words, first, dimension, count, targets)
        multiply_tiles(signs, rotation, targets, products, dimension, count)
        for place in range(count):
            scales[place] = scale * norms[start + place]
        store_scaled(products, scales[:count], first, output)


@kernel
def unsound_rotation(rotations: Rotations, norms: Reals, dimension: int, least: int, most: int) -> int:
    """Return the first number whose norm is none, or whose rotation has another square than `least` ... `most`; or -1.

    A norm that is NaN, infinite, or outside `MIN_NORM` ... `MAX_NORM` is none.
    """
    low = np.float32(MIN_NORM)
    high = np.float32(MAX_NORM)
    for number in range(norms.size):
        square = np.int64(0)
        for row in range(dimension):
            part = np.int64(rotations[dimension * number + row])
            square += part * part
        norm = norms[number]
        if not (low <= norm <= high) or square < least or square > most:
            return number
    return -1


def warm() -> None:
    """Compile every kernel of this file."""
    bits = np.zeros(1, dtype=np.uint64)
    values, norms, rotations = np.ones(8, dtype=np.float32), np.ones(1, dtype=np.float32), np.zeros(8, np.int16)
    output = np.ones(8, dtype=np.float32)
    bits.flags.writeable = values.flags.writeable = False
    make_rotations(values, bits, SECOND_CONJUGATED, 8, rotations, norms)
    rotations.flags.writeable = norms.flags.writeable = False
    rotated_likelihoods(values, rotations, norms, PLAIN, 8, 1.0, output)
    rebuild_values(rotations, norms, bits, FIRST_CONJUGATED, 8, output)
    unsound_rotation(rotations, norms, 8, 0, 2**31)
