"""Whether outcomes far apart are independent: products of outcomes 3 to 16384 symbols apart, over a sample of a block.

Filters make neighbours alike, and reflections, hum and the period of pilots make symbols alike that lie further apart.
`QuadratureMoments` have the products of outcomes 1 and 2 symbols apart, over all symbols; they are announced, and a
bound charges them. These here are not announced: each host has the outcomes in the end, looks at a sixteenth of them,
and gives the block up if they are not independent. Every distance up to 8 is looked at, and the powers of two from 16
on; so many more products of all symbols would cost several times as much as all other sums.

What lies how far apart is counted in symbols as they were sent. Some of a block are disclosed and taken out at random
positions: in what is left, two symbols that were sent 16384 apart are closer by a number that differs from pair to
pair, and an echo would be smeared over many distances. So the positions that were taken out are told.

The four products of a pair of symbols are real and imaginary parts of two complex ones: with z = x + i p,
z* z' + z z' = 2 (x x' + i x p') and z z' - z* z' = 2 (-p p' + i p x').
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from qkdpost.checks import choice, increasing, real_array
from qkdpost.records.bases import Detection

__all__ = ["DISTANCES", "Correlation", "CorrelationSums"]

DISTANCES = (*range(3, 9), *(2**power for power in range(4, 15)))
"""How many symbols lie from one outcome to the other."""
_SHARE = 16
"""Of so many symbols one is looked at."""
_RUN = 2**16
"""How many that follow on each other are looked at together."""


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

    The first 65536 outcomes are looked at, and as many again of every sixteen times as many; into which pieces they
    come makes no difference.

    >>> generator = np.random.default_rng(1)
    >>> sums = CorrelationSums("heterodyne")
    >>> noise = generator.normal(size=(2**20, 2))
    >>> for piece in np.split(noise + 0.1 * np.roll(noise, 16384, axis=0), 8):
    ...     sums.add(piece)
    >>> [(one.distance, round(one.length, 2)) for one in sums.result() if one.length > 0.05]
    [(16384, 0.14)]
    """

    def __init__(self, detection: Detection, left_out: Any = ()) -> None:
        """Begin.

        Args:
            detection: whether both quadratures of a symbol were measured, or one.
            left_out: positions among all symbols that were sent of those that will not be added, ascending.

        Raises:
            InputError: another detection, or positions that do not increase.
        """
        self._both = choice("detection", detection, get_args(Detection)) == "heterodyne"
        gone = increasing("left_out", left_out, strictly=True, copy=False)
        self._gone_before: NDArray[np.int64] = gone - np.arange(gone.size)
        """How many outcomes are added before each that was taken out."""
        self._added = 0
        self._run: list[NDArray[Any]] = []
        """What there is yet of the run that is not full."""
        self._count = 0
        self._sums = np.zeros(2 if self._both else 1)
        self._squares = np.zeros(2 if self._both else 1)
        self._pairs = np.zeros(len(DISTANCES), dtype=np.int64)
        self._products = np.zeros((len(DISTANCES), 4 if self._both else 1))

    def add(self, outcomes: Any) -> None:
        """Look at a sample of outcomes that follow on each other, and on those that were added before.

        Args:
            outcomes: whitened, shape (n, 2); (n,) where one quadrature of each was measured.

        Raises:
            InputError: another shape or dtype.
        """
        kept = real_array("outcomes", outcomes, columns=2 if self._both else None, finite=False)
        begin, self._added = self._added, self._added + len(kept)
        for start in range(begin - begin % (_SHARE * _RUN), self._added, _SHARE * _RUN):
            piece = kept[max(0, start - begin) : max(0, start + _RUN - begin)]
            if len(piece):
                self._run.append(piece.copy())
            if self._run and self._added >= start + _RUN:
                self._finish(start)

    def _finish(self, start: int) -> None:
        """Add up the run that begins with outcome `start` of those that were added."""
        self._take(np.concatenate(self._run).astype(np.float64), start)
        self._run = []

    def _take(self, run: NDArray[np.float64], start: int) -> None:
        self._count += len(run)
        self._sums += run.sum(axis=0)
        self._squares += (run * run).sum(axis=0)
        places = np.arange(start, start + len(run))
        places += np.searchsorted(self._gone_before, places, side="right")
        places -= places[0]
        # Zeros where outcomes were taken out, which add nothing to any product.
        sent = np.zeros((int(places[-1]) + 1, *run.shape[1:]))
        sent[places] = run
        present = np.zeros(len(sent), dtype=np.bool_)
        present[places] = True
        series: NDArray[Any] = sent.view(np.complex128)[:, 0] if self._both else sent
        for place, distance in enumerate(DISTANCES):
            if distance < len(series):
                self._pairs[place] += np.count_nonzero(present[:-distance] & present[distance:])
                self._products[place] += _products(series[:-distance], series[distance:])

    def result(self) -> tuple[Correlation, ...]:
        """Return the correlations at all distances of which there were pairs; none if outcomes do not vary.

        Nothing may be added afterwards.
        """
        if self._run:
            self._finish(self._added - self._added % (_SHARE * _RUN))
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
