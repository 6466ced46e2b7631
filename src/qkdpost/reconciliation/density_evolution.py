"""Density evolution of the decoder that runs: quantised min-sum with its correction, over the binary symmetric channel.

Levels are log-likelihood ratios in the decoder's units; messages lie in -127 ... 127, and inside a check in half units
0 ... 255. The check combines magnitudes pairwise exactly as `qkdpost._kernels.belief` does; the variable
adds, saturated once at the end where the decoder saturates at each step. Schedule: flooding, which needs about twice
the iterations of the layered schedule that runs, to the same threshold. Method: Richardson and Urbanke, IEEE Trans.
Inf. Theory 47, 599 (2001), with quantised densities.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.density import combine_densities
from qkdpost.errors import InputError
from qkdpost.reconciliation.ldpc_decoders import Arithmetic

__all__ = [
    "FINE",
    "Ensemble",
    "binary_entropy",
    "check_table",
    "error_rate_of_efficiency",
    "evolve",
]

_TOP = 127
_FOURIER_SIZE = 8192
_NEGLIGIBLE = 1e-13
_TARGET_ERROR = 1e-4
"""Held messages let a few errors live on along columns of degree 2 for ever; frames that are finite get rid of them."""
_LEAST_PROGRESS = 0.9995

Density = NDArray[np.float64]


FINE = Arithmetic(units_per_nat=8, correction=40, most_magnitude=_TOP)
"""The finest that densities of 255 levels tell apart: stands for the decoder of 16 bits, and for design."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ensemble:
    """A protograph's degrees: `columns` maps degree to number of columns; the `rows` rows are as even as may be."""

    rows: int
    columns: Mapping[int, int]

    def __post_init__(self) -> None:
        if self.rows < 2 or any(not 2 <= degree <= self.rows for degree in self.columns):
            raise InputError("an ensemble needs at least 2 rows and column degrees from 2 to the number of rows")
        if self.edges < 2 * self.rows:
            raise InputError("every row needs at least two edges")

    @property
    def edges(self) -> int:
        """The number of edges of the protograph."""
        return sum(degree * count for degree, count in self.columns.items())

    @property
    def width(self) -> int:
        """The number of columns of the protograph."""
        return sum(self.columns.values())

    @property
    def syndrome_fraction(self) -> float:
        """Syndrome bits for each frame bit."""
        return self.rows / self.width


def binary_entropy(error_rate: float) -> float:
    """Return the binary entropy of `error_rate` in bits."""
    if error_rate in (0.0, 1.0):
        return 0.0
    return -error_rate * math.log2(error_rate) - (1 - error_rate) * math.log2(1 - error_rate)


def error_rate_of_efficiency(syndrome_fraction: float, efficiency: float) -> float:
    """Return the error rate Q below 1/2 with efficiency * h(Q) = syndrome_fraction, by bisection."""
    low, high = 0.0, 0.5
    for _ in range(60):
        middle = (low + high) / 2
        if efficiency * binary_entropy(middle) < syndrome_fraction:
            low = middle
        else:
            high = middle
    return low


@cache
def check_table(correction: int) -> NDArray[np.uint8]:
    """Return shape (256, 256): the decoder's pairwise combination of two magnitudes in half units.

    min(a, b) - floor((c(|a - b|) - c(a + b)) / 4) with c(x) = max(0, correction - x), where c(x) / 4 stands for
    ln(1 + exp(-x)); correction 0 is plain min-sum.
    """
    levels = np.arange(256)
    smaller = np.minimum.outer(levels, levels)
    difference = np.abs(np.subtract.outer(levels, levels))
    total = np.minimum(255, np.add.outer(levels, levels))
    loss = (np.maximum(0, correction - difference) - np.maximum(0, correction - total)) >> 2
    table: NDArray[np.uint8] = np.maximum(0, smaller - loss).astype(np.uint8)
    return table


def evolve(
    ensemble: Ensemble, error_rate: float, iterations: int, arithmetic: Arithmetic = FINE, *, in_order: bool = False
) -> int | None:
    """Return after how many flooding iterations the decoder converges, or None if it does not within `iterations`.

    Args:
        ensemble: the degrees.
        error_rate: of the binary symmetric channel.
        iterations: the most to try.
        arithmetic: of the decoder.
        in_order: round as often as the decoder does; slower, and needed where the arithmetic is coarse.
    """
    table = check_table(arithmetic.correction)
    channel = np.zeros(_FOURIER_SIZE)
    level = round(arithmetic.units_per_nat * math.log((1 - error_rate) / error_rate))
    channel[level], channel[-level] = 1 - error_rate, error_rate
    channel_transform = np.fft.rfft(channel)
    messages = np.zeros(2 * _TOP + 1)
    messages[_TOP + level], messages[_TOP - level] = 1 - error_rate, error_rate
    errors: list[float] = []
    for iteration in range(1, iterations + 1):
        outgoing = _check_density(messages, ensemble, table, arithmetic.most_magnitude, in_order)
        messages = _variable_density(np.fft.rfft(outgoing), ensemble, channel_transform)
        errors.append(float(messages[:_TOP].sum() + messages[_TOP] / 2))
        if errors[-1] < _TARGET_ERROR:
            return iteration
        if iteration > 8 and errors[-1] > errors[-4] * _LEAST_PROGRESS:
            return None
    return None


def _combine(left: Density, right: Density, table: NDArray[np.uint8]) -> Density:
    output = np.zeros((2, 256))
    combine_densities(left, right, table, _NEGLIGIBLE, output)
    return output


def _power(density: Density, count: int, table: NDArray[np.uint8], in_order: bool) -> Density:
    """Combine `count` independent copies: one by one as the decoder does, or by doubling, which rounds less often."""
    if in_order:
        result = density
        for _ in range(count - 1):
            result = _combine(result, density, table)
        return result
    doubled = density
    chosen: Density | None = None
    while True:
        if count & 1:
            chosen = doubled if chosen is None else _combine(chosen, doubled, table)
        count >>= 1
        if not count:
            return density if chosen is None else chosen
        doubled = _combine(doubled, doubled, table)


def _check_density(
    messages: Density, ensemble: Ensemble, table: NDArray[np.uint8], most_magnitude: int, in_order: bool
) -> Density:
    """Return the density of check-to-variable messages, level l at index l modulo the transform's size.

    An edge of least magnitude gets the combination of all others; every other edge gets that of all edges, itself
    among them, but with its own sign taken out. That the others are larger is left out of their combination.
    """
    incoming = np.zeros((2, 256))
    positive, negative = messages[_TOP:], messages[_TOP::-1].copy()
    negative[0] = 0.0
    incoming[0, : 2 * _TOP + 1 : 2] = positive + negative
    incoming[1, : 2 * _TOP + 1 : 2] = positive - negative
    incoming[1, 0] = 0.0
    at_least = np.cumsum(incoming[0][::-1])[::-1]
    degree, more = divmod(ensemble.edges, ensemble.rows)
    others = _power(incoming, degree - 1, table, in_order)
    outgoing = np.zeros((2, 256))
    for check_degree, checks in ((degree, ensemble.rows - more), (degree + 1, more)):
        if check_degree > degree:
            others = _combine(others, incoming, table)
        among_least = incoming[0] * at_least ** (check_degree - 1)
        rest = incoming[0] - among_least
        answer = others * among_least.sum() + _combine(others, np.vstack([rest, rest]), table)
        outgoing += checks * check_degree / ensemble.edges * answer
    magnitudes = np.minimum(most_magnitude, (np.arange(256) + 1) >> 1)
    probability = np.bincount(magnitudes, weights=outgoing[0], minlength=_TOP + 1)
    signed = np.bincount(magnitudes, weights=outgoing[1], minlength=_TOP + 1)
    density = np.zeros(_FOURIER_SIZE)
    density[: _TOP + 1] = (probability + signed) / 2
    density[_FOURIER_SIZE - _TOP :] = ((probability - signed) / 2)[:0:-1]
    density[0] = probability[0]
    return density


def _variable_density(
    transform: NDArray[np.complex128], ensemble: Ensemble, channel_transform: NDArray[np.complex128]
) -> Density:
    total = np.zeros_like(transform)
    for degree, count in ensemble.columns.items():
        if count:
            total += degree * count / ensemble.edges * transform ** (degree - 1)
    sums = np.maximum(np.fft.irfft(total * channel_transform, _FOURIER_SIZE), 0.0)
    half = _FOURIER_SIZE // 2
    messages = np.zeros(2 * _TOP + 1)
    messages[_TOP:] = sums[: _TOP + 1]
    messages[2 * _TOP] += sums[_TOP + 1 : half].sum()
    messages[:_TOP] = sums[_FOURIER_SIZE - _TOP :]
    messages[0] += sums[half : _FOURIER_SIZE - _TOP].sum()
    messages /= messages.sum()
    return messages
