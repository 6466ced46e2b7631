"""Tallies of Gaussian blocks: expected sums, or sums drawn from their exact distributions, without any symbol."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qkdpost.security.gaussian.tally import GaussianTally
from qkdpost.statistics.gaussian.moments import CalibrationMoments, QuadratureMoments, Whitening

MOST = 2**40 - 1
"""Outcomes of a calibration that is as good as exact."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """A channel y = gain x + z and the receiver that measures it, in raw units of shot noise.

    `gains` is the 2 x 2 matrix from (x_0, x_1) to (y_0, y_1) and `noise` the covariance matrix of z.
    """

    modulation_variance: float
    gains: NDArray[np.float64]
    noise: NDArray[np.float64]
    electronic: float
    reals: int
    detection: Literal["heterodyne", "homodyne"] = "heterodyne"
    calibration: int = MOST
    dimension: int = 8
    offset: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def plain(cls, v_a: float, gain: float, noise: float, electronic: float, reals: int, **more: object) -> Block:
        """A channel that treats both quadratures alike."""
        return cls(
            modulation_variance=v_a,
            gains=gain * np.eye(2),
            noise=noise * np.eye(2),
            electronic=electronic,
            reals=reals,
            **more,  # type: ignore[arg-type]
        )

    @property
    def whitening(self) -> Whitening:
        """What takes the mean variance to 1; the truth, as if found in an endless block before."""
        variance = np.trace(self.modulation_variance * self.gains @ self.gains.T + self.noise) / 2
        return Whitening(centre=self.offset, matrix=(variance**-0.5, 0.0, 0.0, variance**-0.5))

    def expected(self) -> GaussianTally:
        """Return the tally of expected sums."""
        n = self.reals // 2
        sent = n * self.modulation_variance * np.eye(2)
        products = sent @ self.gains.T
        return self._tally(n, np.zeros(2), np.zeros(2), sent, products, self.gains @ products + n * self.noise, None)

    def drawn(self, rng: np.random.Generator) -> GaussianTally:
        """Return a tally drawn from the exact distribution of all sums: means are normal, sums about them Wishart's."""
        n = self.reals // 2
        root = np.linalg.cholesky(
            np.block(
                [
                    [self.modulation_variance * np.eye(2), self.modulation_variance * self.gains.T],
                    [
                        self.modulation_variance * self.gains,
                        self.modulation_variance * self.gains @ self.gains.T + self.noise,
                    ],
                ]
            )
        )
        if self.detection == "heterodyne":
            sums, squares = _wishart(root, n, rng)
        else:
            sums, squares = np.zeros(4), np.zeros((4, 4))
            for quadrature in (0, 1):
                part, both = _wishart(root, n, rng)
                own = [quadrature, 2 + quadrature]
                sums[own] = part[own]
                squares[np.ix_(own, own)] = both[np.ix_(own, own)]
        sent, measured = sums[:2], sums[2:]
        return self._tally(n, sent, measured, squares[:2, :2], squares[:2, 2:], squares[2:, 2:], rng)

    def _tally(
        self,
        n: int,
        sent_sums: NDArray[np.float64],
        measured_sums: NDArray[np.float64],
        sent: NDArray[np.float64],
        products: NDArray[np.float64],
        measured: NDArray[np.float64],
        rng: np.random.Generator | None,
    ) -> GaussianTally:
        scale = self.whitening.matrix[0]
        homodyne = self.detection == "homodyne"
        across = 0.0 if homodyne else 1.0
        return GaussianTally(
            detection=self.detection,
            moments=QuadratureMoments(
                counts=(n, n),
                sent=tuple(sent_sums),  # type: ignore[arg-type]
                measured=tuple(scale * measured_sums),  # type: ignore[arg-type]
                sent_squares=(sent[0, 0], sent[1, 1], across * sent[0, 1]),
                measured_squares=(
                    scale**2 * measured[0, 0],
                    scale**2 * measured[1, 1],
                    across * scale**2 * measured[0, 1],
                ),
                products=(
                    scale * products[0, 0],
                    scale * products[1, 1],
                    across * scale * products[0, 1],
                    across * scale * products[1, 0],
                ),
                fourth_powers=(3.0 * n, 3.0 * n),
                lagged=(0.0,) * 8,
            ),
            whitening=self.whitening,
            shot_electronic=self._calibration(1.0 + self.electronic, rng),
            electronic=self._calibration(self.electronic, rng) if self.electronic else None,
            key_reals=2 * n - 2 * n % 8,
            dimension=self.dimension,
        )

    def _calibration(self, variance: float, rng: np.random.Generator | None) -> CalibrationMoments:
        count = self.calibration
        squares, sums = [count * variance] * 2, [0.0, 0.0]
        if rng is not None:
            sums = list(rng.normal(0.0, math.sqrt(count * variance), 2))
            squares = [variance * rng.chisquare(count - 1) + total**2 / count for total in sums]
        return CalibrationMoments(
            counts=(count, count),
            measured=(sums[0], sums[1]),
            measured_squares=(squares[0], squares[1], 0.0),
            lagged=(0.0,) * 4,
        )


def _wishart(
    root: NDArray[np.float64], count: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return sums and sums of products of `count` normal vectors whose covariance matrix has this root (Bartlett)."""
    size = len(root)
    sums = math.sqrt(count) * root @ rng.normal(size=size)
    lower = np.tril(rng.normal(size=(size, size)), -1)
    lower[np.diag_indices(size)] = np.sqrt([rng.chisquare(count - 1 - place) for place in range(size)])
    about_mean = root @ lower
    return sums, about_mean @ about_mean.T + np.outer(sums, sums) / count
