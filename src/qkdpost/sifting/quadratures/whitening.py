"""An affine map that makes outcomes alike in all directions, and what the channel is like, from disclosed symbols.

Both come from symbols that Alice has disclosed and both sides have dropped, or from an earlier block. They are fixed
before the outcomes of the block are used. A map made of the same block's data is not charged by its own bits: with each
map the state is another, and the bits would cost some thousands of times their number. What the map leaves (its own
statistics, drift) shows in the block's moments, and the bound charges it as anisotropy and offset.

The estimate of gain and noise decides on the rate of the code and scales log-likelihood ratios; security does not rest
on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.quadratures.affine import choose_quadratures, whiten_both, whiten_one
from qkdpost.bits import Bits
from qkdpost.checks import instance, real_array, real_number
from qkdpost.errors import InputError
from qkdpost.sifting.quadratures.moments import MomentSums
from qkdpost.statistics.gaussian.moments import QuadratureMoments, Whitening

__all__ = ["ChannelEstimate", "estimate_channel", "measured_quadratures", "whiten"]

Matrix = NDArray[np.float64]

MIN_SYMBOLS = 1000
"""Of each quadrature that are disclosed; from fewer neither map nor rate could be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelEstimate:
    """What disclosed symbols tell of the channel y' = t x + z between symbols and whitened outcomes.

    Args:
        whitening: the map from raw outcomes to y', which have about variance 1 in each quadrature.
        gain: t, the mean of both quadratures.
        noise_variance: of z, likewise.
        modulation_variance: of x, as disclosed.

    Raises:
        InputError: numbers that are none, or not above 0.
    """

    whitening: Whitening
    gain: float
    noise_variance: float
    modulation_variance: float

    def __post_init__(self) -> None:
        instance("whitening", self.whitening, Whitening)
        for name in ("gain", "noise_variance", "modulation_variance"):
            object.__setattr__(self, name, real_number(name, getattr(self, name), above=0.0))

    @property
    def signal_to_noise(self) -> float:
        """t^2 Var(x) / Var(z), of one quadrature."""
        return self.gain * self.gain * self.modulation_variance / self.noise_variance


def estimate_channel(symbols: Any, outcomes: Any, quadratures: Bits | None = None) -> ChannelEstimate:
    """Return whitening, gain and noise by disclosed symbols.

    The map centres outcomes on the intercept of their regression on the symbols, makes their covariance the unit
    matrix, and is turned (or mirrored) so that the gain is symmetric and positive: y'_0 goes with x_0, y'_1 with x_1.
    Where one quadrature of each was measured it only shifts and scales either.

    Args:
        symbols: those that the peer disclosed; shape (n, 2), or (n,) of the measured quadratures.
        outcomes: this side's raw ones, dithered if they were integers; of the same shape.
        quadratures: which quadrature was measured, where one was.

    Raises:
        InputError: shapes that do not fit, fewer than 1000 of each quadrature, or symbols or outcomes that do not vary,
            or of which one explains the other wholly.

    >>> generator = np.random.default_rng(1)
    >>> x = generator.normal(0.0, 2.0, (5000, 2))
    >>> y = x @ np.array([[0.0, 9.0], [-9.0, 0.0]]) + generator.normal(3.0, 20.0, (5000, 2))
    >>> found = estimate_channel(x, y)
    >>> round(found.signal_to_noise, 1)
    0.8
    """
    sums = MomentSums("heterodyne" if quadratures is None else "homodyne")
    sums.add(symbols, outcomes, quadratures)
    moments = sums.result()
    if min(moments.counts) < MIN_SYMBOLS:
        raise InputError(
            f"at least {MIN_SYMBOLS} symbols of each quadrature must be disclosed; found {min(moments.counts)}"
        )
    sent, measured, cross = _covariances(moments, diagonal=quadratures is not None)
    if sent[0, 0] <= 0.0 or sent[1, 1] <= 0.0 or np.linalg.det(sent) <= 1e-6 * sent[0, 0] * sent[1, 1]:
        raise InputError("the disclosed symbols must vary in both quadratures")
    slopes = cross @ np.linalg.inv(sent)
    residual = measured - slopes @ cross.T
    means = [np.array(of) / moments.counts for of in (moments.sent, moments.measured)]
    centre = means[1] - slopes @ means[0]
    if np.linalg.eigvalsh(residual)[0] <= 1e-9 * np.trace(measured):
        raise InputError("the outcomes must vary, and by more than the disclosed symbols explain")
    matrix = _whitening_matrix(measured, slopes, diagonal=quadratures is not None)
    gains = matrix @ slopes
    noise = matrix @ residual @ matrix.T
    return ChannelEstimate(
        whitening=Whitening(
            centre=(float(centre[0]), float(centre[1])),
            matrix=(float(matrix[0, 0]), float(matrix[0, 1]), float(matrix[1, 0]), float(matrix[1, 1])),
        ),
        gain=float(np.trace(gains)) / 2.0,
        noise_variance=float(np.trace(noise)) / 2.0,
        modulation_variance=float(np.trace(sent)) / 2.0,
    )


def _covariances(moments: QuadratureMoments, *, diagonal: bool) -> tuple[Matrix, Matrix, Matrix]:
    """Return covariance matrices of x, of y, and of y with x; where quadratures take turns, only their diagonals."""
    counts = np.array(moments.counts, dtype=np.float64)
    both = np.sqrt(np.outer(counts, counts))
    x, y = np.array(moments.sent) / counts, np.array(moments.measured) / counts
    s, m, p = moments.sent_squares, moments.measured_squares, moments.products
    sent = np.array([[s[0], s[2]], [s[2], s[1]]]) / both - np.outer(x, x)
    measured = np.array([[m[0], m[2]], [m[2], m[1]]]) / both - np.outer(y, y)
    cross = np.array([[p[0], p[3]], [p[2], p[1]]]) / both - np.outer(y, x)
    if diagonal:
        sent, measured, cross = (np.diag(np.diag(matrix)) for matrix in (sent, measured, cross))
    return sent, measured, cross


def _whitening_matrix(covariance: Matrix, slopes: Matrix, *, diagonal: bool) -> Matrix:
    if diagonal:
        signs = np.where(np.diag(slopes) < 0.0, -1.0, 1.0)
        return np.diag(signs / np.sqrt(np.diag(covariance)))
    sizes, directions = np.linalg.eigh(covariance)
    root = (directions / np.sqrt(sizes)) @ directions.T
    left, _, right = np.linalg.svd(root @ slopes)
    turned: Matrix = (left @ right).T @ root
    return turned


def whiten(values: Any, whitening: Whitening, quadratures: Bits | None = None) -> NDArray[np.float32]:
    """Return matrix (y - centre) for a piece of a record: float32 of its shape. Secret.

    Args:
        values: raw outcomes, dithered if they were integers; shape (n, 2), or (n,) with `quadratures`.
        whitening: fixed before.
        quadratures: which quadrature each is of, where one was measured.

    Raises:
        InputError: shapes that do not fit.
    """
    instance("whitening", whitening, Whitening)
    kept = real_array("values", values, columns=2 if quadratures is None else None, integers=True)
    centre = np.array(whitening.centre, dtype=np.float32)
    matrix = np.array(whitening.matrix, dtype=np.float32)
    output = np.empty(kept.shape, dtype=np.float32)
    if quadratures is None:
        whiten_both(kept, centre, matrix, output)
        return output
    _one_each(quadratures, len(kept))
    if whitening.matrix[1] or whitening.matrix[2]:
        raise InputError("where one quadrature is measured, the matrix of whitening must be diagonal")
    whiten_one(kept, quadratures.words, centre, matrix, output)
    return output


def measured_quadratures(symbols: Any, quadratures: Bits) -> NDArray[np.float32]:
    """Return of each symbol the quadrature that was measured: float32, shape (n,). Secret.

    Args:
        symbols: displacements, shape (n, 2).
        quadratures: the peer's choices, 0 for x, 1 for p.

    Raises:
        InputError: another shape, or other than one choice a symbol.
    """
    kept = real_array("symbols", symbols, columns=2)
    _one_each(quadratures, len(kept))
    output = np.empty(len(kept), dtype=np.float32)
    choose_quadratures(kept, quadratures.words, output)
    return output


def _one_each(quadratures: Bits, count: int) -> None:
    if len(instance("quadratures", quadratures, Bits)) != count:
        raise InputError(f"quadratures must have one entry per symbol; found {len(quadratures)} for {count} symbols")
