"""Constellations of coherent states: which amplitudes a sender with a discrete modulation uses, and how often."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from qkdpost.checks import choice, listed, numbers, real_number, whole_number
from qkdpost.errors import InputError

__all__ = ["Constellation"]

MAX_POINTS = 1024
_MOST_PHOTONS = 50.0
"""In the mean: more would need more number states than the moments are computed with."""
_ROUNDING = 1e-9

Shaping = Literal["maxwell-boltzmann", "binomial"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Constellation:
    """Coherent states alpha_k = (x_k + i p_k) / 2 that are sent with probabilities p_k.

    Args:
        quadratures: (x_k, p_k) of each point, in units in which vacuum has variance 1.
        probabilities: of each point.

    Raises:
        InputError: no points or too many, probabilities that are none, a mean amplitude that is not zero, or more than
            `_MOST_PHOTONS` photons in the mean.

    >>> import qkdpost as qp
    >>> states = qp.planning.Constellation.psk(4, 0.35)
    >>> len(states.quadratures), states.probabilities
    (4, (0.25, 0.25, 0.25, 0.25))
    """

    quadratures: tuple[tuple[float, float], ...]
    probabilities: tuple[float, ...]

    def __post_init__(self) -> None:
        points = listed("quadratures", self.quadratures, "pairs of numbers")
        if not 2 <= len(points) <= MAX_POINTS:
            raise InputError(f"a constellation has 2 ... {MAX_POINTS} points; found {len(points)}")
        pairs = [
            numbers(f"quadratures[{k}]", pair, count=2, each="quadrature", least=-1e3, most=1e3)
            for k, pair in enumerate(points)
        ]
        shares = numbers("probabilities", self.probabilities, count=len(pairs), each="point", least=0.0, most=1.0)
        if abs(math.fsum(shares) - 1.0) > _ROUNDING:
            raise InputError(f"probabilities must add up to 1; found {math.fsum(shares):.12g}")
        object.__setattr__(self, "quadratures", tuple(pairs))
        object.__setattr__(self, "probabilities", shares)
        if abs(complex(self.amplitudes @ self.weights)) > _ROUNDING * math.sqrt(self.mean_photons):
            raise InputError("the mean amplitude of a constellation must be zero; is a point missing?")
        if not 0.0 < self.mean_photons <= _MOST_PHOTONS:
            raise InputError(
                f"a constellation must have above 0 and at most {_MOST_PHOTONS:g} photons in the mean; found "
                f"{self.mean_photons:.6g}"
            )

    @classmethod
    def psk(cls, points: int, amplitude: float) -> Constellation:
        """Return `points` coherent states of one amplitude abs(alpha), at equal angles.

        Raises:
            InputError: fewer than two points or too many, or an amplitude that is not above zero.
        """
        count = whole_number("points", points, least=2, most=MAX_POINTS)
        radius = 2.0 * real_number("amplitude", amplitude, above=0.0, most=10.0)
        angles = [2.0 * math.pi * (k + 0.5) / count for k in range(count)]
        quadratures = tuple((radius * math.cos(angle), radius * math.sin(angle)) for angle in angles)
        return cls(quadratures=quadratures, probabilities=(1.0 / count,) * count)

    @classmethod
    def qam(
        cls,
        points: int,
        modulation_variance: float,
        *,
        shaping: Shaping = "maxwell-boltzmann",
        concentration: float = 0.5,
    ) -> Constellation:
        """Return a square grid of coherent states, the inner ones more frequent.

        Args:
            points: 4, 16, 64, 256 or 1024.
            modulation_variance: V_A of x and of p: twice the mean number of photons.
            shaping: "maxwell-boltzmann": probabilities of each quadrature go as exp(-concentration k^2) for
                k = ..., -1/2, 1/2, 3/2, ...; "binomial": as the coefficients of (1 + z)^(side - 1).
            concentration: see there; 0 makes all points alike.

        Raises:
            InputError: no such number of points, or a number out of range.
        """
        count = whole_number("points", points, least=4, most=MAX_POINTS)
        side = math.isqrt(count)
        if side * side != count or side & (side - 1):
            raise InputError(f"points of a square grid are 4, 16, 64, 256 or 1024; found {count}")
        variance = real_number("modulation_variance", modulation_variance, above=0.0, most=2.0 * _MOST_PHOTONS)
        decay = real_number("concentration", concentration, least=0.0, most=1e3)
        levels = [k - (side - 1) / 2.0 for k in range(side)]
        if choice("shaping", shaping, get_args(Shaping)) == "binomial":
            weights = [float(math.comb(side - 1, k)) for k in range(side)]
        else:
            weights = [math.exp(-decay * (level * level - 0.25)) for level in levels]
        total = math.fsum(weights)
        shares = [weight / total for weight in weights]
        spread = math.fsum(share * level * level for share, level in zip(shares, levels, strict=True))
        unit = math.sqrt(variance / spread)
        return cls(
            quadratures=tuple((unit * x, unit * p) for x in levels for p in levels),
            probabilities=_normalised([first * second for first in shares for second in shares]),
        )

    @property
    def amplitudes(self) -> NDArray[np.complex128]:
        """The complex amplitudes alpha_k; shape (points,)."""
        points = np.array(self.quadratures)
        return np.asarray((points[:, 0] + 1j * points[:, 1]) / 2.0, dtype=np.complex128)

    @property
    def weights(self) -> NDArray[np.float64]:
        """The probabilities; shape (points,)."""
        return np.array(self.probabilities)

    @property
    def mean_photons(self) -> float:
        """The mean number of photons, of a symbol."""
        return float(np.abs(self.amplitudes) ** 2 @ self.weights)

    @property
    def modulation_variance(self) -> float:
        """V_A: twice the mean number of photons; the mean of the variances of x and of p."""
        return 2.0 * self.mean_photons


def _normalised(weights: list[float]) -> tuple[float, ...]:
    total = math.fsum(weights)
    return tuple(weight / total for weight in weights)
