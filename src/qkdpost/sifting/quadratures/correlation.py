"""Whether outcomes far apart are independent: products of outcomes 3 to 16384 symbols apart, over a sample of a block.

Filters make neighbours alike, and reflections, hum and the period of pilots make symbols alike that lie further apart.
`QuadratureMoments` have the products of outcomes 1 and 2 symbols apart, over all symbols; they are announced, and a
bound charges them. These here are not announced: each host has the outcomes in the end, looks at a sixteenth of them,
and gives the block up if they are not independent. Every distance up to 8 is looked at, and the powers of two from 16
on; so many more products of all symbols would cost several times as much as all other sums.

The four products of a pair of symbols are real and imaginary parts of two complex ones: with z = x + i p,
z* z' + z z' = 2 (x x' + i x p') and z z' - z* z' = 2 (-p p' + i p x').
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qkdpost.checks import choice, real_array

__all__ = ["DISTANCES", "Correlation", "CorrelationSums"]

DISTANCES = (*range(3, 9), *(2**power for power in range(4, 15)))
"""How many symbols lie from one outcome to the other."""
_SHARE = 16
"""Of so many symbols one is looked at."""
_SHORTEST_PIECE = 2**12
_LONGEST_PIECE = 2**16


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """Correlation of outcomes that lie apart.

    Args:
        distance: how many symbols.
        pairs: how many pairs of symbols were looked at.
        values: correlations of x x', p p', x p' and p x'; where one quadrature of each symbol was measured, of all
            outcomes in order, one number.
    """

    distance: int
    pairs: int
    values: tuple[float, ...]

    @property
    def length(self) -> float:
        """The root of the sum of their squares."""
        return math.hypot(*self.values)


class CorrelationSums:
    """Sums of products of outcomes that lie apart, over samples of a block.

    Each piece that is added is looked at by itself: one of n outcomes gives a run of n / 16 at its beginning (no less
    than 4096, no more than 65536), which has all distances shorter than itself.

    >>> generator = np.random.default_rng(1)
    >>> sums = CorrelationSums("heterodyne")
    >>> for _ in range(10):
    ...     noise = generator.normal(size=(2**17, 2))
    ...     sums.add(noise + 0.1 * np.roll(noise, 5, axis=0))
    >>> [(one.distance, round(one.length, 2)) for one in sums.result() if one.length > 0.05]
    [(5, 0.14)]
    """

    def __init__(self, detection: Literal["heterodyne", "homodyne"]) -> None:
        """Begin.

        Args:
            detection: whether both quadratures of a symbol were measured, or one.
        """
        self._both = choice("detection", detection, ("heterodyne", "homodyne")) == "heterodyne"
        self._count = 0
        self._sums = np.zeros(2 if self._both else 1)
        self._squares = np.zeros(2 if self._both else 1)
        self._pairs = np.zeros(len(DISTANCES), dtype=np.int64)
        self._products = np.zeros((len(DISTANCES), 4 if self._both else 1))

    def add(self, outcomes: Any) -> None:
        """Look at a sample of outcomes that follow on each other.

        Args:
            outcomes: whitened, shape (n, 2); (n,) where one quadrature of each was measured.

        Raises:
            InputError: another shape or dtype.
        """
        kept = real_array("outcomes", outcomes, columns=2 if self._both else None, finite=False)
        run = kept[: min(_LONGEST_PIECE, max(_SHORTEST_PIECE, len(kept) // _SHARE))].astype(np.float64)
        self._count += len(run)
        self._sums += run.sum(axis=0)
        self._squares += (run * run).sum(axis=0)
        series: NDArray[Any] = run.view(np.complex128)[:, 0] if self._both else run
        for place, distance in enumerate(DISTANCES):
            if distance < len(series):
                self._pairs[place] += len(series) - distance
                self._products[place] += _products(series[:-distance], series[distance:])

    def result(self) -> tuple[Correlation, ...]:
        """Return the correlations at all distances of which there were pairs; none if outcomes do not vary."""
        if not self._count:
            return ()
        means = self._sums / self._count
        spreads = np.sqrt(np.maximum(0.0, self._squares / self._count - means * means))
        first, second = ([0, 1, 0, 1], [0, 1, 1, 0]) if self._both else ([0], [0])
        offsets, scales = means[first] * means[second], spreads[first] * spreads[second]
        if not (scales > 0.0).all():  # nor do NaN
            return ()
        return tuple(
            Correlation(distance=distance, pairs=int(pairs), values=tuple(((sums / pairs - offsets) / scales).tolist()))
            for distance, pairs, sums in zip(DISTANCES, self._pairs, self._products, strict=True)
            if pairs
        )


def _products(before: NDArray[Any], later: NDArray[Any]) -> tuple[float, ...]:
    plain = np.dot(before, later)
    if before.dtype == np.float64:
        return (float(plain),)
    conjugated = np.vdot(before, later)
    both, apart = (conjugated + plain) / 2.0, (plain - conjugated) / 2.0
    return float(both.real), float(-apart.real), float(both.imag), float(apart.imag)
