"""What checks and variables make of quantised densities of messages: one half of an iteration each.

Levels are log-likelihood ratios in the decoder's units; messages lie in -127 ... 127, and inside a check in half units
0 ... 255. The check combines magnitudes pairwise, in the order of `qkdpost._kernels.ldpc.layered` and corrected by a
line, where that has three or four; the variable adds, saturated once at the end, where the decoder does at each step.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.ldpc.density import combine_densities
from qkdpost.errors import InputError
from qkdpost.reconciliation.ldpc.decoders import Arithmetic

__all__ = ["TOP", "CheckNodes", "Ensemble", "VariableNodes", "channel_levels", "check_table"]

TOP = 127
"""The highest level of a message."""

Density = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ensemble:
    """A protograph's degrees: `columns` maps degree to number of columns; the `rows` rows are as even as may be.

    Numbers of columns need not be whole.
    """

    rows: int
    columns: Mapping[int, float]

    def __post_init__(self) -> None:
        if self.rows < 2 or any(not 2 <= degree <= self.rows for degree in self.columns):
            raise InputError("an ensemble needs at least 2 rows and column degrees from 2 to the number of rows")
        if self.edges < 2 * self.rows:
            raise InputError("every row needs at least two edges")

    @property
    def edges(self) -> float:
        """The number of edges of the protograph."""
        return sum(degree * count for degree, count in self.columns.items())

    @property
    def width(self) -> float:
        """The number of columns of the protograph."""
        return sum(self.columns.values())

    @property
    def syndrome_fraction(self) -> float:
        """Syndrome bits for each frame bit."""
        return self.rows / self.width


@cache
def check_table(correction: int) -> NDArray[np.uint8]:
    """Return shape (256, 256): the pairwise combination of two magnitudes in half units.

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


def channel_levels(error_rate: float, arithmetic: Arithmetic, rounded: bool) -> dict[int, float]:
    """Return the level of the channel's ratio, with probability 1; or the two levels beside it, so that the mean fits.

    The second stands for arithmetic finer than the levels are.
    """
    exact = arithmetic.units_per_nat * math.log((1 - error_rate) / error_rate)
    if rounded:
        return {round(exact): 1.0}
    below = math.floor(exact)
    return {below: below + 1 - exact, below + 1: exact - below}


class CheckNodes:
    """From the density of messages to checks to that of their answers, level l at index TOP + l."""

    def __init__(self, ensemble: Ensemble, arithmetic: Arithmetic, in_order: bool) -> None:
        self._table = check_table(arithmetic.correction)
        self._reach = max(1, arithmetic.correction)
        self._max_magnitude = arithmetic.max_magnitude
        self._in_order = in_order
        self._tails = np.zeros((4, 257))
        self._degree = int(ensemble.edges // ensemble.rows)
        self._edges = ensemble.edges
        more = ensemble.edges - self._degree * ensemble.rows
        self._shares = (
            (ensemble.rows - more) * self._degree / ensemble.edges,
            more * (self._degree + 1) / ensemble.edges,
        )

    def pass_on(self, messages: Density) -> tuple[Density, Density]:
        """Return the density of answers, and its derivative by the number of edges.

        An edge of least magnitude gets the combination of all others; every other edge gets that of all edges, itself
        among them, but with its own sign taken out. That the others are larger is left out of their combination.
        """
        incoming = np.zeros((2, 256))
        positive, negative = messages[TOP:], messages[TOP::-1].copy()
        negative[0] = 0.0
        incoming[0, : 2 * TOP + 1 : 2] = positive + negative
        incoming[1, : 2 * TOP + 1 : 2] = positive - negative
        incoming[1, 0] = 0.0
        at_least = np.cumsum(incoming[0][::-1])[::-1]
        others = self._power(incoming, self._degree - 1)
        lower = self._answer(incoming, others, at_least ** (self._degree - 1))
        upper = self._answer(incoming, self._combine(others, incoming), at_least**self._degree)
        outgoing = self._shares[0] * lower + self._shares[1] * upper
        change = ((self._degree + 1) * upper - self._degree * lower - outgoing) / self._edges
        return outgoing, change

    def _answer(self, incoming: Density, others: Density, all_larger: Density) -> Density:
        among_least = incoming[0] * all_larger
        rest = incoming[0] - among_least
        answer = others * among_least.sum() + self._combine(others, np.vstack([rest, rest]))
        magnitudes = np.minimum(self._max_magnitude, (np.arange(256) + 1) >> 1)
        probability = np.bincount(magnitudes, weights=answer[0], minlength=TOP + 1)[: TOP + 1]
        signed = np.bincount(magnitudes, weights=answer[1], minlength=TOP + 1)[: TOP + 1]
        density = np.zeros(2 * TOP + 1)
        density[TOP:] = (probability + signed) / 2
        density[:TOP] = ((probability - signed) / 2)[:0:-1]
        density[TOP] = probability[0]
        return density

    def _combine(self, left: Density, right: Density) -> Density:
        output = np.empty((2, 256))
        combine_densities(left, right, self._table, self._reach, self._tails, output)
        return output

    def _power(self, density: Density, count: int) -> Density:
        """Combine `count` independent copies: one by one as the decoder does, or by doubling: rounds less often."""
        if self._in_order:
            result = density
            for _ in range(count - 1):
                result = self._combine(result, density)
            return result
        doubled = density
        chosen: Density | None = None
        while True:
            if count & 1:
                chosen = doubled if chosen is None else self._combine(chosen, doubled)
            count >>= 1
            if not count:
                return density if chosen is None else chosen
            doubled = self._combine(doubled, doubled)


def _to_power(values: NDArray[np.complex128], exponent: int) -> NDArray[np.complex128]:
    """Return the values to a power of 1 or more, by squaring: much faster than the general complex power."""
    result: NDArray[np.complex128] | None = None
    while True:
        if exponent & 1:
            result = values if result is None else result * values
        exponent >>= 1
        if not exponent:
            return values if result is None else result
        values = values * values


class VariableNodes:
    """From the density of checks' answers to that of the next messages, by Fourier transforms."""

    def __init__(
        self, ensemble: Ensemble, error_rate: float, levels: Mapping[int, float], degrees: Sequence[int]
    ) -> None:
        self._ensemble, self._degrees = ensemble, tuple(degrees)
        farthest = max((*ensemble.columns, *self._degrees)) * TOP + max(levels)
        self._size = 1 << (2 * farthest).bit_length()
        channel = np.zeros(self._size)
        self._start = np.zeros(2 * TOP + 1)
        for level, share in levels.items():
            for signed, probability in ((level, share * (1 - error_rate)), (-level, share * error_rate)):
                channel[signed] += probability
                self._start[TOP + max(-TOP, min(TOP, signed))] += probability
        self._channel = np.fft.rfft(channel)
        wrong = np.zeros(self._size)
        wrong[0], wrong[self._size // 2 :] = 0.5, 1.0
        # The sum over the negative levels of a density is an inner product with its transform.
        weights = np.fft.rfft(wrong) * 2 / self._size
        weights[0] /= 2
        weights[-1] /= 2
        self._wrong = weights * self._channel.conj()

    def channel_messages(self) -> Density:
        """Return the density before the first iteration."""
        return self._start

    def pass_on(self, outgoing: Density, change: Density) -> tuple[Density, NDArray[np.float64]]:
        """Return the density of messages, and the slopes of its wrong part as `Trace` has them."""
        columns, edges = self._ensemble.columns, self._ensemble.edges
        transform = self._transform(outgoing)
        total = np.zeros_like(transform)
        steepness = np.zeros_like(transform)
        wrong: list[float] = []
        power = np.ones_like(transform)
        reached = 1
        for degree in sorted({*columns, *self._degrees}):
            below = power * _to_power(transform, degree - 1 - reached) if degree - reached > 1 else power
            power, reached = below * transform, degree
            share = degree * columns.get(degree, 0.0) / edges
            total += share * power
            if self._degrees:
                steepness += (share * (degree - 1)) * below
                wrong.append(self._wrong_part(power))
        if not self._degrees:
            return self._messages(total), np.zeros(0)
        by_edges = self._wrong_part(steepness * self._transform(change))
        slopes = np.array(self._degrees) * ((np.array(wrong) - self._wrong_part(total)) / edges + by_edges)
        return self._messages(total), slopes

    def _wrong_part(self, transform: NDArray[np.complex128]) -> float:
        """Return how much of a density, the channel added, lies below level 0, that on it counted half."""
        return float(np.vdot(self._wrong, transform).real)

    def _transform(self, density: Density) -> NDArray[np.complex128]:
        levels = np.zeros(self._size)
        levels[: TOP + 1] = density[TOP:]
        levels[self._size - TOP :] = density[:TOP]
        return np.fft.rfft(levels)

    def _messages(self, total: NDArray[np.complex128]) -> Density:
        sums = np.maximum(np.fft.irfft(total * self._channel, self._size), 0.0)
        half = self._size // 2
        messages = np.zeros(2 * TOP + 1)
        messages[TOP:] = sums[: TOP + 1]
        messages[2 * TOP] += sums[TOP + 1 : half].sum()
        messages[:TOP] = sums[self._size - TOP :]
        messages[0] += sums[half : self._size - TOP].sum()
        messages /= messages.sum()
        return messages
