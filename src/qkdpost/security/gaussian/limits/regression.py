"""Sums of a block about their means, in raw units: what whitening did is undone.

The whitening y' = matrix (y - centre) was fixed before the block, so that y - centre = inverse y' is as good an
outcome as y, and its sums follow from those of y'. Means of both sides are then taken off, quadrature by quadrature:
one degree of freedom each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qkdpost.security.gaussian.tally import GaussianTally

__all__ = ["BlockSums", "Matrix", "block_sums", "calibration_squares", "centred_squares"]

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BlockSums:
    """Sums about the means.

    Args:
        counts: outcomes of either quadrature.
        sent: of x_k x_l; shape (2, 2).
        products: of x_k y_j, row k, column j; shape (2, 2).
        measured: of y_j y_k; shape (2, 2).
    """

    counts: tuple[int, int]
    sent: Matrix
    products: Matrix
    measured: Matrix

    def scaled(self, units: tuple[float, float]) -> BlockSums:
        """Return the sums of outcomes that are divided by the roots of `units`."""
        scale = 1.0 / np.sqrt(np.array(units))
        return BlockSums(self.counts, self.sent, self.products * scale, self.measured * np.outer(scale, scale))

    def residuals(self, gain: float) -> Matrix:
        """Return the sums of r_j r_k with r_j = y_j - gain x_j; shape (2, 2)."""
        across = self.products + self.products.T
        result: Matrix = self.measured - gain * across + gain * gain * self.sent
        return result


def block_sums(tally: GaussianTally) -> BlockSums:
    """Return the sums over the block in raw units, about the means."""
    moments = tally.moments
    inverse = np.linalg.inv(np.array(tally.whitening.matrix).reshape(2, 2))
    counts = np.array(moments.counts, dtype=np.float64)
    sent_sums, measured_sums = np.array(moments.sent), np.array(moments.measured)
    if tally.detection == "heterodyne":
        sent_means, measured_means = sent_sums / counts[0], measured_sums / counts[0]
        sent = _symmetric(moments.sent_squares) - np.outer(sent_sums, sent_means)
        products = _products(moments.products) - np.outer(sent_sums, measured_means)
    else:
        sent = np.diag(np.array(moments.sent_squares[:2]) - sent_sums**2 / counts)
        products = np.diag(np.array(moments.products[:2]) - sent_sums * measured_sums / counts)
    whitened = centred_squares(tally)
    return BlockSums(moments.counts, sent, products @ inverse.T, inverse @ whitened @ inverse.T)


def centred_squares(tally: GaussianTally) -> Matrix:
    """Return the sums of y'_j y'_k of whitened outcomes about their means; shape (2, 2)."""
    moments = tally.moments
    counts, sums = np.array(moments.counts, dtype=np.float64), np.array(moments.measured)
    if tally.detection == "heterodyne":
        result: Matrix = _symmetric(moments.measured_squares) - np.outer(sums, sums) / counts[0]
    else:
        result = np.diag(np.array(moments.measured_squares[:2]) - sums**2 / counts)
    return result


def calibration_squares(counts: tuple[int, int], sums: tuple[float, ...], squares: tuple[float, ...]) -> list[float]:
    """Return the sums of squares of a calibration record about its means, of either quadrature."""
    return [max(0.0, squares[j] - sums[j] * sums[j] / counts[j]) for j in (0, 1)]


def _symmetric(values: tuple[float, ...]) -> Matrix:
    first, second, across = values
    return np.array([[first, across], [across, second]])


def _products(values: tuple[float, ...]) -> Matrix:
    """Arrange x_0 y_0, x_1 y_1, x_0 y_1, x_1 y_0 in rows of x and columns of y."""
    return np.array([[values[0], values[2]], [values[3], values[1]]])
