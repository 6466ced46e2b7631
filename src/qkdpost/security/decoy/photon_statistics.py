"""Photon numbers of phase-randomised pulses, and what an announced label says of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from qkdpost.errors import InputError

__all__ = ["PhotonStatistics"]

_MIN_TOTAL = 1e-250
_MIN_INTENSITY = 1e-100


@dataclass(frozen=True, slots=True)
class PhotonStatistics:
    """The Poisson mixture of a set of intensities.

    With tau_n = sum_k p_k e^-k k^n / n! the probability of n photons, the label k of a pulse that held n photons is
    distributed as p(k | n) = p_k e^-k k^n / (n! tau_n), whatever happened to it on the way: that is the decoy
    principle, and all that the decoy bounds use.

    Args:
        intensities: mean photon numbers, strictly decreasing.
        probabilities: with which each is chosen.

    Raises:
        InputError: intensities that are neither 0 nor at least 1e-100: their products are no numbers. (A tally asks for
            more.)
    """

    intensities: tuple[float, ...]
    probabilities: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.intensities[0] >= _MIN_INTENSITY or any(0.0 < mean < _MIN_INTENSITY for mean in self.intensities):
            raise InputError(f"an intensity must be 0 or at least {_MIN_INTENSITY:g}; found {self.intensities}")

    def photon_probability(self, photons: int) -> float:
        """Return tau_n."""
        return math.fsum(self._joint(photons))

    def label_probabilities(self, photons: int) -> tuple[float, ...]:
        """Return p(k | n) for every intensity k."""
        joint = self._joint(photons)
        total = math.fsum(joint)
        if total < _MIN_TOTAL:  # the powers underflow for many photons of faint pulses: scale by the strongest
            strongest = self.intensities[0]
            joint = tuple(
                probability * math.exp(-intensity) * (intensity / strongest) ** photons
                for intensity, probability in zip(self.intensities, self.probabilities, strict=True)
            )
            total = math.fsum(joint)
        return tuple(value / total for value in joint)

    def scaled(self, counts: Sequence[float]) -> tuple[float, ...]:
        """Return e^k / p_k times each count, the form in which the analytic bounds take them."""
        return tuple(
            math.exp(intensity) / probability * count
            for intensity, probability, count in zip(self.intensities, self.probabilities, counts, strict=True)
        )

    def _joint(self, photons: int) -> tuple[float, ...]:
        return _joint_probabilities(self.intensities, self.probabilities, photons)


@lru_cache(maxsize=512)
def _joint_probabilities(
    intensities: tuple[float, ...], probabilities: tuple[float, ...], photons: int
) -> tuple[float, ...]:
    """Return the joint probability of each label and the number of photons; a length needs each some twenty times."""
    return tuple(
        probability * math.exp(-intensity) * intensity**photons / math.factorial(photons)
        for intensity, probability in zip(intensities, probabilities, strict=True)
    )
