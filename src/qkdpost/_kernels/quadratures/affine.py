"""Dither, whitening and the choice of one quadrature: what is done to each symbol alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.jit.decorators import kernel

__all__ = ["add_dither", "choose_quadratures", "warm", "whiten_both", "whiten_one"]

Reals = NDArray[np.float32]
Words = NDArray[np.uint64]


@kernel
def add_dither(values: NDArray[Any], words: NDArray[np.uint32], deviation: float, output: Reals) -> None:
    """Write values plus normal variates, two of each two words (Box and Muller, Ann. Math. Stat. 29, 610 (1958)).

    Args:
        values: float32 or int16, shape (n,).
        words: uniform, n of them and one more if n is odd.
        deviation: the standard deviation of the variates.
        output: written whole, shape (n,).
    """
    unit = 2.0**-32
    for pair in range((values.size + 1) // 2):
        # A word w stands for (w + 1/2) / 2^32: the logarithm is never that of 0.
        radius = deviation * math.sqrt(-2.0 * math.log((np.float64(words[2 * pair]) + 0.5) * unit))
        angle = 2.0 * math.pi * unit * np.float64(words[2 * pair + 1])
        output[2 * pair] = np.float32(np.float64(values[2 * pair]) + radius * math.cos(angle))
        if 2 * pair + 1 < values.size:
            output[2 * pair + 1] = np.float32(np.float64(values[2 * pair + 1]) + radius * math.sin(angle))


@kernel
def whiten_both(values: NDArray[Any], centre: Reals, matrix: Reals, output: Reals) -> None:
    """Write matrix (y - centre) for each row y of `values`, float32 or int16, shape (n, 2), all in float32.

    Args:
        values: raw outcomes.
        centre: shape (2,).
        matrix: shape (4,), row by row.
        output: written whole, shape (n, 2).
    """
    x_centre, p_centre = centre[0], centre[1]
    a, b, c, d = matrix[0], matrix[1], matrix[2], matrix[3]
    for place in range(values.shape[0]):
        x = np.float32(values[place, 0]) - x_centre
        p = np.float32(values[place, 1]) - p_centre
        output[place, 0] = a * x + b * p
        output[place, 1] = c * x + d * p


@kernel
def whiten_one(values: NDArray[Any], words: Words, centre: Reals, matrix: Reals, output: Reals) -> None:
    """Write each outcome less the centre of its quadrature, times its diagonal entry; arguments as `whiten_both`.

    Args:
        values: shape (n,).
        words: the quadrature of each, packed bits.
        centre: shape (2,).
        matrix: shape (4,), of which entries 0 and 3 are used.
        output: written whole, shape (n,).
    """
    for place in range(values.size):
        index = np.uint64(place)
        second = (words[index >> np.uint64(6)] >> (index & np.uint64(63))) & np.uint64(1) != np.uint64(0)
        middle = centre[1] if second else centre[0]
        scale = matrix[3] if second else matrix[0]
        output[place] = scale * (np.float32(values[place]) - middle)


@kernel
def choose_quadratures(symbols: Reals, words: Words, output: Reals) -> None:
    """Write of each row of `symbols`, shape (n, 2), the entry that a bit names."""
    for place in range(output.size):
        index = np.uint64(place)
        output[place] = symbols[place, int((words[index >> np.uint64(6)] >> (index & np.uint64(63))) & np.uint64(1))]


def warm() -> None:
    """Compile every kernel of this file."""
    words = np.zeros(1, dtype=np.uint64)
    uniform = np.zeros(4, dtype=np.uint32)
    words.flags.writeable = uniform.flags.writeable = False
    centre, matrix = np.zeros(2, dtype=np.float32), np.zeros(4, dtype=np.float32)
    for dtype in (np.float32, np.int16):
        values, output = np.zeros((2, 2), dtype=dtype), np.zeros((2, 2), dtype=np.float32)
        values.flags.writeable = False
        add_dither(values.reshape(4), uniform, 1.0, output.reshape(4))
        whiten_both(values, centre, matrix, output)
        whiten_one(values.reshape(4), words, centre, matrix, output.reshape(4))
        if dtype == np.float32:
            choose_quadratures(values, words, output[0])
