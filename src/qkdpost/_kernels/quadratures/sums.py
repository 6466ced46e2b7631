"""Sums over symbols and outcomes, from which gains, variances and correlations are made.

Outcomes are brought into tiles of float64, one quadrature after another, and each sum is a loop over a tile. Products
of two numbers of float32 are exact in float64, fourth powers off by three roundings. A tile's sum is off by at most
`TILE` roundings, and the sums of tiles are added up with compensation (Neumaier, Z. angew. Math. Mech. 54, 39 (1974)):
a total is correct to 2^-43 of the sum of the magnitudes of its terms, however many they are and however divided
between calls.

Memory: 16 bytes a symbol are read once. Arithmetic: 24 multiplications and 24 additions a symbol, four at a time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.jit.decorators import kernel, summing_kernel

__all__ = ["CARRIED", "TOTALS", "sum_both", "sum_one", "warm"]

Reals = NDArray[np.float64]

TILE = 512
CARRIED = 2
"""So many outcomes are carried from one call to the next, for products of outcomes that lie up to as many apart."""
TOTALS = 24
"""Of s sent and m measured, in this order: s_0 s_1; s_0^2 s_1^2 s_0s_1; m_0 m_1; m_0^2 m_1^2 m_0m_1; m_0^4 m_1^4;
s_0m_0 s_1m_1 s_0m_1 s_1m_0; and for either distance m_0m_0' m_1m_1' m_0m_1' m_1m_0', m' measured after m."""


@summing_kernel
def _moments(first: Reals, second: Reals) -> tuple[float, float, float, float, float]:
    # The vectors begin at 0: where an index might be negative, numba asks, and nothing runs in vector registers.
    a = b = aa = bb = ab = 0.0
    for place in range(first.size):
        left = first[place]
        right = second[place]
        a += left
        b += right
        aa += left * left
        bb += right * right
        ab += left * right
    return a, b, aa, bb, ab


@summing_kernel
def _fourth_powers(first: Reals, second: Reals) -> tuple[float, float]:
    a = b = 0.0
    for place in range(first.size):
        left = first[place] * first[place]
        right = second[place] * second[place]
        a += left * left
        b += right * right
    return a, b


@summing_kernel
def _products(first: Reals, second: Reals, third: Reals, fourth: Reals) -> tuple[float, float, float, float]:
    ac = bd = ad = bc = 0.0
    for place in range(first.size):
        a = first[place]
        b = second[place]
        c = third[place]
        d = fourth[place]
        ac += a * c
        bd += b * d
        ad += a * d
        bc += b * c
    return ac, bd, ad, bc


@kernel
def _spread(pairs: NDArray[Any], first: Reals, second: Reals) -> None:
    for place in range(pairs.shape[0]):
        first[place] = pairs[place, 0]
        second[place] = pairs[place, 1]


@kernel
def _add_up(sums: Reals, totals: Reals) -> None:
    """Add sums of a tile to totals, shape (2, TOTALS), whose second row is what rounding lost of the first."""
    for place in range(sums.size):
        before = totals[0, place]
        after = before + sums[place]
        if abs(before) >= abs(sums[place]):
            totals[1, place] += (before - after) + sums[place]
        else:
            totals[1, place] += (sums[place] - after) + before
        totals[0, place] = after


@kernel
def _sum_tile(
    sent: Reals, measured: Reals, ordered: Reals, count: int, one_series: bool, sums: Reals, totals: Reals
) -> None:
    """Add a tile: `sent` and `measured` by quadrature, shape (2, CARRIED + TILE), with those carried in front.

    Where the quadratures take turns (`one_series`), the products of outcomes apart are those of `ordered`, row 0.
    """
    x_0, x_1 = sent[0, CARRIED : CARRIED + count], sent[1, CARRIED : CARRIED + count]
    y_0, y_1 = measured[0, CARRIED : CARRIED + count], measured[1, CARRIED : CARRIED + count]
    sums[0], sums[1], sums[2], sums[3], sums[4] = _moments(x_0, x_1)
    sums[5], sums[6], sums[7], sums[8], sums[9] = _moments(y_0, y_1)
    sums[10], sums[11] = _fourth_powers(y_0, y_1)
    sums[12], sums[13], sums[14], sums[15] = _products(x_0, x_1, y_0, y_1)
    for lag in range(1, CARRIED + 1):
        place = 12 + 4 * lag
        start = CARRIED - lag
        if one_series:
            later, before = ordered[0, CARRIED : CARRIED + count], ordered[0, start : start + count]
            sums[place] = _moments(before, later)[4]
            sums[place + 1] = sums[place + 2] = sums[place + 3] = 0.0
        else:
            before_0, before_1 = measured[0, start : start + count], measured[1, start : start + count]
            sums[place], sums[place + 1], sums[place + 2], sums[place + 3] = _products(before_0, before_1, y_0, y_1)
    _add_up(sums, totals)


@kernel
def sum_both(sent: NDArray[Any], measured: NDArray[Any], carried: Reals, totals: Reals) -> None:
    """Add symbols of which both quadratures were measured.

    Args:
        sent: float32, shape (n, 2); or (0, 2) for a calibration, where nothing was sent.
        measured: float32, shape (n, 2).
        carried: the last outcomes of the call before, shape (2, CARRIED), zero at first; updated.
        totals: shape (2, TOTALS); updated.
    """
    x = np.zeros((2, CARRIED + TILE))
    y = np.zeros((2, CARRIED + TILE))
    sums = np.zeros(TOTALS)
    for place in range(CARRIED):
        y[0, place] = carried[0, place]
        y[1, place] = carried[1, place]
    for start in range(0, measured.shape[0], TILE):
        count = min(TILE, measured.shape[0] - start)
        _spread(measured[start : start + count], y[0, CARRIED:], y[1, CARRIED:])
        if sent.shape[0] > 0:
            _spread(sent[start : start + count], x[0, CARRIED:], x[1, CARRIED:])
        _sum_tile(x, y, y, count, False, sums, totals)
        for place in range(CARRIED):
            y[0, place] = y[0, count + place]
            y[1, place] = y[1, count + place]
    for place in range(CARRIED):
        carried[0, place] = y[0, place]
        carried[1, place] = y[1, place]


@kernel
def sum_one(
    sent: NDArray[Any], measured: NDArray[Any], words: NDArray[np.uint64], carried: Reals, totals: Reals
) -> int:
    """Add symbols of which one quadrature was measured; return of how many that was quadrature 1.

    Args:
        sent: that quadrature of what was sent, float32, shape (n,); or (0,) where nothing was sent.
        measured: float32, shape (n,).
        words: which quadrature it was, packed bits.
        carried: as for `sum_both`; row 0 is used.
        totals: shape (2, TOTALS); updated.
    """
    x = np.zeros((2, CARRIED + TILE))
    y = np.zeros((2, CARRIED + TILE))
    series = np.zeros((1, CARRIED + TILE))
    sums = np.zeros(TOTALS)
    for place in range(CARRIED):
        series[0, place] = carried[0, place]
    of_second = 0
    for start in range(0, measured.size, TILE):
        count = min(TILE, measured.size - start)
        for place in range(count):
            index = np.uint64(start + place)
            bit = (words[index >> np.uint64(6)] >> (index & np.uint64(63))) & np.uint64(1)
            of_second += int(bit)
            share = np.float64(bit)
            value = np.float64(measured[start + place])
            series[0, CARRIED + place] = value
            y[0, CARRIED + place] = value * (1.0 - share)
            y[1, CARRIED + place] = value * share
            if sent.size > 0:
                x[0, CARRIED + place] = np.float64(sent[start + place]) * (1.0 - share)
                x[1, CARRIED + place] = np.float64(sent[start + place]) * share
        _sum_tile(x, y, series, count, True, sums, totals)
        for place in range(CARRIED):
            series[0, place] = series[0, count + place]
    for place in range(CARRIED):
        carried[0, place] = series[0, place]
    return of_second


def warm() -> None:
    """Compile every kernel of this file."""
    words, values = np.zeros(1, dtype=np.uint64), np.zeros((2, 2), dtype=np.float32)
    words.flags.writeable = values.flags.writeable = False
    carried, totals = np.zeros((2, CARRIED)), np.zeros((2, TOTALS))
    sum_both(values, values, carried, totals)
    sum_one(values.reshape(4), values.reshape(4), words, carried, totals)
