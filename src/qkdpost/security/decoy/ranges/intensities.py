r"""Intensities that are known to lie in intervals, and what an announced label says of a pulse's photons then.

Model. The pulse i with label k has a mean photon number mu_ik that lies in the interval of k. It may be another one for
each pulse: drift, ripple, a calibration that was off; the eavesdropper may know it and may even have set it, as by
warming the laser, and she may have done so after she saw photon numbers and detections of earlier pulses. What it must
not depend on are the sender's choices: neither the label of this pulse, but for its interval, nor its basis and bit,
nor any choice for others. (A laser that is brighter after a bright pulse is not covered; nor a modulator that dims one
basis, for single photons of the test would then be no random sample of all; nor light whose number of photons is not
Poissonian about mu_ik.)

Given all photon numbers n_i, the labels are then independent still, label k with probability

    p_i(k | n) = p_k g(n, mu_ik) / sum_j p_j g(n, mu_ij),    g(n, mu) = e^-mu mu^n.

With s_i the inverse of that sum, the mean count of label k among the rounds of a class that held n photons,
E_kn = sum_i p_i(k | n), and S_n = sum_i s_i are real numbers with

    p_k min g(n, mu) S_n <= E_kn <= p_k max g(n, mu) S_n,     sum_k E_kn = N_n,

minimum and maximum over the interval of k. That is all the bounds use. Nothing is lost in it: any such E_kn and S_n are
those of pulses that are allowed. For points, S_n is fixed by N_n, and E_kn = p(k | n) N_n.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from qkdpost.errors import ConfigurationError

__all__ = ["IntensityRanges"]

_OUTWARD = 3e-14
"""More than g can be wrong by in floating point, in parts of itself, up to sixty photons."""


@dataclass(frozen=True, slots=True)
class IntensityRanges:
    """Intervals of intensities, that of a stronger one above that of a weaker one.

    Args:
        lows: the lower ends, strictly decreasing.
        highs: the upper ends.
        probabilities: with which each is chosen.
    """

    lows: tuple[float, ...]
    highs: tuple[float, ...]
    probabilities: tuple[float, ...]

    def least(self, label: int, photons: int) -> float:
        """Return the minimum over the interval of g(n, mu) / (the strongest)^n, rounded down."""
        ends = (self._weight(self.lows[label], photons), self._weight(self.highs[label], photons))
        return min(ends) * (1.0 - _OUTWARD)

    def most(self, label: int, photons: int) -> float:
        """Return the maximum over the interval of g(n, mu) / (the strongest)^n, rounded up; g is largest at mu = n."""
        best = min(max(float(photons), self.lows[label]), self.highs[label])
        return self._weight(best, photons) * (1.0 + _OUTWARD)

    def weights(self, photons: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return p_k times the minimum, and times the maximum, for every label, in one unit.

        Raises:
            ConfigurationError: intensities so weak or intervals so wide that floating point sees nothing of them.
        """
        labels = range(len(self.lows))
        low = tuple(self.probabilities[label] * self.least(label, photons) for label in labels)
        high = tuple(self.probabilities[label] * self.most(label, photons) for label in labels)
        if not math.fsum(low) > 1e-250:
            raise ConfigurationError(f"the intervals {self.described()} are too wide for a bound")
        return low, high

    def label_ranges(self, photons: int) -> tuple[tuple[float, float], ...]:
        """Return the least and the largest p(k | n) of every label."""
        low, high = self.weights(photons)
        others = [
            (math.fsum(low[:label] + low[label + 1 :]), math.fsum(high[:label] + high[label + 1 :]))
            for label in range(len(low))
        ]
        return tuple(
            (
                low[label] / (low[label] + most) * (1.0 - _OUTWARD) if low[label] else 0.0,
                high[label] / (high[label] + least) * (1.0 + _OUTWARD) if high[label] else 0.0,
            )
            for label, (least, most) in enumerate(others)
        )

    def described(self) -> str:
        """Return the intervals as people write them."""
        return ", ".join(f"{low:g} ... {high:g}" for low, high in zip(self.lows, self.highs, strict=True))

    def _weight(self, intensity: float, photons: int) -> float:
        return math.exp(-intensity) * (intensity / self.highs[0]) ** photons
