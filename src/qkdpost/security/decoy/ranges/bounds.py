r"""The analytic bounds of `analytic` where intensities are known to lie in intervals.

With S_n and the weights of `intensities`, the mean count of a label is between p_k sum_n min g(n, mu) S_n and
p_k sum_n max g(n, mu) S_n. Let low and high be the ends of an interval, and

    a_k = e^low_k E_k / p_k  >=  sum_n A_kn S_n,   A_k0 = e^(low - high), A_kn = low^n,
    b_k = e^high_k E_k / p_k <=  sum_n B_kn S_n,   B_k0 = e^(high - low), B_kn = high^n

where g rises with mu, that is for n >= high; for n = 1 and an intensity above one, A_k1 is smaller and B_k1 larger. For
points both are sum_n mu^n S_n, and the bounds below are those of Lim et al. and of Rusca et al.

Single photons, from below. Strong intensity 1, weaker 2, and with two decoys weakest 3 (without it a_3 and low_3 are
0): with r = (high_2^2 - low_3^2) / low_1^2, and low_1 >= high_2 + low_3,

    b_2 - a_3 - r a_1 <= c_0 S_0 + c_1 S_1,     c_n = B_2n - A_3n - r A_1n,

for high_2^n - low_3^n <= r low_1^n for all n >= 2 (f_n = high_2^n - low_3^n obeys f_(n+1) <= (high_2 + low_3) f_n, and
begins with equality). So S_1 >= (b_2^- - a_3^+ - r a_1^+ - c_0 S_0) / c_1, S_0 from above where c_0 is positive, else
from below; and N_1 >= sum_k p_k min g(1, mu) S_1.

Empty rounds, from below: A_k1 b_l - high_l a_k <= (A_k1 B_l0 - high_l A_k0) S_0 with k, l the two weakest, k the
stronger. Errors among single photons, from above: a_k - q b_l >= (A_k1 - q high_l) S_1, q = A_k0 / B_l0 <= 1. Errors
among empty rounds, from above: A_k0 S_0 <= a_k. (With one decoy k is the signal, which may be above one: A_k1 is not
low_k then.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from qkdpost.errors import ConfigurationError
from qkdpost.security.decoy.analytic import Intervals
from qkdpost.security.decoy.ranges.intensities import IntensityRanges
from qkdpost.security.decoy.ranges.linear_program import RangeProgram

__all__ = ["RangeRules"]

_ROUNDING = 1e-11
"""What bounds are moved by at least, in parts of the class, for floating point."""
_PRODUCTS = 1e-12
"""More than the products and sums below can be wrong by, in parts of the sum of their magnitudes."""


@dataclass(frozen=True, slots=True)
class RangeRules:
    """What is known of photon numbers where intensities lie in intervals; every answer allows for rounding."""

    source: IntensityRanges

    @property
    def analytic(self) -> bool:
        """Whether there are analytic bounds for these intervals."""
        lows, highs = self.source.lows, self.source.highs
        if len(lows) not in (2, 3) or highs[0] > 2.0 or highs[1] > 1.0 or (len(lows) == 2 and lows[1] <= 0.0):
            return False
        _, single, _ = self._coefficients()
        weakest = lows[2] if len(lows) == 3 else 0.0
        return lows[0] > highs[1] + weakest and single > 0.0 and self._weakest_pair()[1] > 0.0

    def check(self, method: str) -> None:
        """Check that there is a bound by that method.

        Raises:
            ConfigurationError: there is none.
        """
        if method == "analytic":
            self._check_analytic()
        else:
            self.program(0, (), None, strict=False).check()

    def vacuum_lower(self, intervals: Intervals) -> float:
        """Bound the rounds without a photon from below; at least 0."""
        return self._emptiest() * self._empty(intervals)

    def vacuum_upper_by_errors(self, intervals: Intervals, label: int) -> float:
        """Bound the errors among rounds without a photon from above, by those of one label."""
        source = self.source
        most = math.fsum(p * source.most(k, 0) for k, p in enumerate(source.probabilities))
        errors = intervals[label][1] / (source.probabilities[label] * source.least(label, 0))
        return most * errors * (1.0 + _PRODUCTS)

    def single_photons_lower(self, total: float, intervals: Intervals, vacuum: float | None) -> float:
        """Bound the rounds with one photon from below; may be negative.

        Args:
            total: how many rounds there are.
            intervals: of the mean counts.
            vacuum: the rounds without a photon, bounded from above, where they have to be: with one decoy.

        Raises:
            ConfigurationError: intervals for which there is no analytic bound.
        """
        self._check_analytic()
        lows, highs = self.source.lows, self.source.highs
        empty, single, r = self._coefficients()
        weak = self._scaled(highs, intervals, 1, 0)
        others = [r * self._scaled(lows, intervals, 0, 1)]
        if len(lows) == 3:
            others.append(self._scaled(lows, intervals, 2, 1))
        if empty <= 0.0:
            nothing = self._empty(intervals) if len(lows) == 3 else 0.0
        elif vacuum is not None:
            nothing = vacuum / self._emptiest()
        else:
            nothing = self._scaled(lows, intervals, 2, 1) / math.exp(lows[2] - highs[2])
        bracket = weak - math.fsum(others) - empty * nothing
        size = weak + math.fsum(others) + abs(empty) * nothing
        scale = math.fsum(p * self._weight(k, least=True) for k, p in enumerate(self.source.probabilities))
        off = _PRODUCTS * size * (1.0 + highs[1] / single)
        return scale * (bracket - off) / single - _ROUNDING * total

    def single_photon_errors_upper(self, total: float, intervals: Intervals) -> float:
        """Bound the errors among rounds with one photon from above; at least 0. Raises as `single_photons_lower`."""
        self._check_analytic()
        lows, highs = self.source.lows, self.source.highs
        q, width = self._weakest_pair()
        strong, weak = self._scaled(lows, intervals, -2, 1), self._scaled(highs, intervals, -1, 0)
        off = _PRODUCTS * (strong + weak) * (1.0 + lows[-2] / width)
        scale = math.fsum(p * self._weight(k, least=False) for k, p in enumerate(self.source.probabilities))
        return max(0.0, scale * (strong - q * weak + off) / width) + _ROUNDING * total

    def max_rounds_with_photons(self, intervals: Intervals, photons: int) -> float:
        """Return an upper bound on the rounds with that number of photons, from the mean count of every label."""
        ranges = self.source.label_ranges(photons)
        return min(high / least for (_, high), (least, _) in zip(intervals, ranges, strict=True) if least > 0.0)

    def program(self, total: int, intervals: Intervals, vacuum_cap: float | None, *, strict: bool) -> RangeProgram:
        """Return the linear program of one class of rounds."""
        return RangeProgram(self.source, total, intervals, vacuum_cap, strict=strict)

    def _check_analytic(self) -> None:
        if not self.analytic:
            raise ConfigurationError(
                f"there is no analytic bound for the intervals {self.source.described()}: it takes one decoy or two, a "
                "signal of at most 2 photons above the sum of the others, decoys of at most 1, and intervals that are "
                "narrow beside their distances; use method 'linear-program'"
            )

    def _coefficients(self) -> tuple[float, float, float]:
        """Return c_0, c_1 (from below) and r."""
        lows, highs = self.source.lows, self.source.highs
        weakest = lows[2] if len(lows) == 3 else 0.0
        r = (highs[1] ** 2 - weakest**2) / lows[0] ** 2 * (1.0 + _PRODUCTS)
        empty = math.exp(highs[1] - lows[1]) - r * math.exp(lows[0] - highs[0])
        if len(lows) == 3:
            empty -= math.exp(lows[2] - highs[2])
        return empty + _PRODUCTS, highs[1] - weakest - r * self._min_single(0), r

    def _min_single(self, label: int) -> float:
        """Return A_k1 of a label: g(1, mu) is least at either end, at the upper one where that is far above one."""
        low, high = self.source.lows[label], self.source.highs[label]
        return min(low, math.exp(low - high) * high)

    def _weakest_pair(self) -> tuple[float, float]:
        """Return q and A_k1 - q high_l of the two weakest labels."""
        lows, highs = self.source.lows, self.source.highs
        q = math.exp(lows[-2] - highs[-2]) / math.exp(highs[-1] - lows[-1]) * (1.0 - _PRODUCTS)
        return q, self._min_single(-2) - q * highs[-1]

    def _empty(self, intervals: Intervals) -> float:
        """Return S_0 from below; at least 0."""
        lows, highs = self.source.lows, self.source.highs
        weak, strong = self._scaled(highs, intervals, -1, 0), self._scaled(lows, intervals, -2, 1)
        single = self._min_single(-2)
        gain = single * weak - highs[-1] * strong
        gain -= _PRODUCTS * (single * weak + highs[-1] * strong)
        width = single * math.exp(highs[-1] - lows[-1]) - highs[-1] * math.exp(lows[-2] - highs[-2])
        return max(0.0, gain / width * (1.0 - _PRODUCTS * lows[-2] / width))

    def _emptiest(self) -> float:
        """Return sum_k p_k e^-high_k."""
        return math.fsum(p * self.source.least(k, 0) for k, p in enumerate(self.source.probabilities))

    def _weight(self, label: int, *, least: bool) -> float:
        """Return the least or the largest g(1, mu)."""
        weight = self.source.least(label, 1) if least else self.source.most(label, 1)
        return weight * self.source.highs[0]

    def _scaled(self, ends: tuple[float, ...], intervals: Intervals, label: int, side: int) -> float:
        """Return a_k or b_k of an end of the interval of a mean count."""
        return math.exp(ends[label]) / self.source.probabilities[label] * intervals[label][side]
