"""Moments of a block, summed up piece by piece."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.quadratures.sums import CARRIED, TOTALS, sum_both, sum_one
from qkdpost.bits import Bits
from qkdpost.checks import choice, instance, real_array
from qkdpost.errors import InputError
from qkdpost.records.bases import Detection
from qkdpost.statistics.gaussian.moments import LAGS, QuadratureMoments

__all__ = ["MomentSums"]

_NOTHING_CHOSEN = np.zeros(0, dtype=np.uint64)


class MomentSums:
    """Sums over the symbols of a block, which come in pieces and in order; nothing else of them is kept but two.

    Each sum is correct to 2^-43 of the sum of the magnitudes of its terms, however the symbols were divided. No bound
    need mind: what it makes of the sums is uncertain by 1e-6 of itself at 10^11 symbols, and nothing else was compared.

    >>> sums = MomentSums("heterodyne")
    >>> sums.add(np.ones((3, 2), np.float32), np.ones((3, 2), np.float32))
    >>> sums.result().products
    (3.0, 3.0, 3.0, 3.0)
    """

    def __init__(self, detection: Detection) -> None:
        """Begin.

        Args:
            detection: whether both quadratures of a symbol were measured, or one.
        """
        self._both = choice("detection", detection, get_args(Detection)) == "heterodyne"
        self._counts = [0, 0]
        self._carried = np.zeros((2, CARRIED))
        self._totals = np.zeros((2, TOTALS))

    def add(self, symbols: Any, outcomes: Any, quadratures: Bits | None = None) -> None:
        """Add symbols and outcomes that follow on those before.

        Args:
            symbols: x, shape (n, 2); (n,), the quadrature that was measured, where one was.
            outcomes: y, of the same shape.
            quadratures: which it was, where one was.

        Raises:
            InputError: shapes that do not fit the detection or each other, or NaN or infinity, after which these sums
                are of no use.
        """
        columns = 2 if self._both else None
        sent = real_array("symbols", symbols, columns=columns, finite=False)
        measured = real_array("outcomes", outcomes, columns=columns, finite=False)
        if len(sent) != len(measured):
            raise InputError(f"there must be as many symbols as outcomes; found {len(sent)} and {len(measured)}")
        self._add(sent, measured, quadratures)
        # Any NaN or infinity is in a sum of squares, and stays there.
        if not np.isfinite(self._totals).all():
            raise InputError("symbols and outcomes must be finite numbers; found NaN, infinity or more than 1e38")

    def add_outcomes(self, outcomes: Any, quadratures: Bits | None = None) -> None:
        """Add outcomes of which the symbols are not known here: sums with symbols stay as they are.

        Args:
            outcomes: y, as for `add`.
            quadratures: as for `add`.

        Raises:
            InputError: as `add`.
        """
        measured = real_array("outcomes", outcomes, columns=2 if self._both else None)
        nothing = np.zeros((0, 2) if self._both else 0, dtype=np.float32)
        self._add(nothing, measured, quadratures)

    def _add(self, sent: NDArray[np.float32], measured: NDArray[np.float32], quadratures: Bits | None) -> None:
        if self._both:
            if quadratures is not None:
                raise InputError("quadratures are for homodyne detection, where one of each symbol was measured")
            sum_both(sent, measured, self._carried, self._totals)
            self._counts = [self._counts[0] + len(measured), self._counts[1] + len(measured)]
            return
        if len(instance("quadratures", quadratures, Bits)) != len(measured):
            raise InputError(f"quadratures must have one entry for each of {len(measured)} outcomes")
        words = quadratures.words if quadratures is not None else _NOTHING_CHOSEN
        of_second = sum_one(sent, measured, words, self._carried, self._totals)
        self._counts = [self._counts[0] + len(measured) - of_second, self._counts[1] + of_second]

    def result(self) -> QuadratureMoments:
        """Return the sums so far."""
        sums = self._sums()
        return QuadratureMoments(
            counts=(self._counts[0], self._counts[1]),
            sent=sums[0:2],  # type: ignore[arg-type]
            sent_squares=sums[2:5],  # type: ignore[arg-type]
            measured=sums[5:7],  # type: ignore[arg-type]
            measured_squares=sums[7:10],  # type: ignore[arg-type]
            fourth_powers=sums[10:12],  # type: ignore[arg-type]
            products=sums[12:16],  # type: ignore[arg-type]
            lagged=sums[16 : 16 + 4 * LAGS],
        )

    def take(self) -> QuadratureMoments:
        """Return the sums so far, and begin anew: the outcomes that come next follow on those that came last."""
        found = self.result()
        self._counts, self._totals = [0, 0], np.zeros((2, TOTALS))
        return found

    def _sums(self) -> tuple[float, ...]:
        return tuple((self._totals[0] + self._totals[1]).tolist())
