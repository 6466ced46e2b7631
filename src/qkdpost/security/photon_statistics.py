"""Photon numbers of phase-randomised pulses, and what an announced label says of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["PhotonStatistics"]


@dataclass(frozen=True, slots=True)
class PhotonStatistics:
    """The Poisson mixture of a set of intensities.

    With tau_n = sum_k p_k e^-k k^n / n! the probability of n photons, the label k of a pulse that held n photons is
    distributed as p(k | n) = p_k e^-k k^n / (n! tau_n), whatever happened to it on the way: that is the decoy
    principle, and all that the decoy bounds use.

    Args:
        intensities: mean photon numbers, strictly decreasing.
        probabilities: with which each is chosen.
    """

    intensities: tuple[float, ...]
    probabilities: tuple[float, ...]

    def photon_probability(self, photons: int) -> float:
        """Return tau_n."""
        return math.fsum(self._joint(photons))

    def label_probabilities(self, photons: int) -> tuple[float, ...]:
        """Return p(k | n) for every intensity k."""
        joint = self._joint(photons)
        total = math.fsum(joint)
        return tuple(value / total for value in joint)

    def scaled(self, counts: Sequence[float]) -> tuple[float, ...]:
        """Return e^k / p_k times each count, the form in which the analytic bounds take them."""
        return tuple(
            math.exp(intensity) / probability * count
            for intensity, probability, count in zip(self.intensities, self.probabilities, counts, strict=True)
        )

    def _joint(self, photons: int) -> tuple[float, ...]:
        return tuple(
            probability * math.exp(-intensity) * intensity**photons / math.factorial(photons)
            for intensity, probability in zip(self.intensities, self.probabilities, strict=True)
        )
