"""The sender's laser as a clock: which pulse left, or would have left, at what tick of the receiver's tagger."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.sifting.pulses import pulse_coordinates
from qkdpost.errors import InputError

__all__ = ["PulseClock", "check_gap"]

_KNOTS_TO_COMPARE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class PulseClock:
    """Times of pulses, on straight lines between knots.

    It is one for all detectors: nothing of it depends on which of them clicked.

    Args:
        origin_tick: the tick from which times of knots count.
        knot_times: ticks since then, increasing, shape (n,), at least two.
        knot_pulses: how many periods had passed at each; shape (n,). Whole numbers are pulses.
        tick_ps: the length of a tick.
    """

    origin_tick: int
    knot_times: NDArray[np.float64] = field(repr=False)
    knot_pulses: NDArray[np.float64] = field(repr=False)
    tick_ps: float

    def __post_init__(self) -> None:
        steps = np.diff(self.knot_times), np.diff(self.knot_pulses)
        # Written so that NaN is refused as well: the kernels divide by these, and trust that there are two.
        if not (steps[0].size == steps[1].size > 0 and all(bool((step > 0).all()) for step in steps)):
            raise InputError("a clock has at least two knots, later and later; the record is too short for one")

    def coordinates(self, ticks: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return how many periods had passed at each of `ticks`, which are in the order of time; shape (n,)."""
        found = np.empty(ticks.size)
        pulse_coordinates(ticks, self.origin_tick, self.knot_times, self.knot_pulses, found)
        return found

    @property
    def period_ps(self) -> float:
        """The mean period, in the tagger's picoseconds."""
        ticks = self.knot_times[-1] - self.knot_times[0]
        return float(ticks / (self.knot_pulses[-1] - self.knot_pulses[0]) * self.tick_ps)

    @property
    def drift_ppm(self) -> float:
        """How far the period moved over the record, from the least to the most, in parts per million."""
        # Of sixteen stretches, so that the jitter of single knots is not taken for drift.
        some = np.unique(np.linspace(0, self.knot_times.size - 1, 17).astype(np.int64))
        periods = np.diff(self.knot_times[some]) / np.diff(self.knot_pulses[some])
        return float(1e6 * (periods.max() - periods.min()) / periods.mean())


def check_gap(clock: PulseClock, gap_ps: float, what: str) -> None:
    """Refuse a gap over which the pulses cannot be counted.

    A straight line over a gap errs by a quarter of the gap times the part by which the period changes meanwhile: an
    eighth of a period is allowed. The change is the largest between neighbouring stretches of 16 knots.

    Raises:
        InputError: it errs by more.
    """
    times, pulses = clock.knot_times[::_KNOTS_TO_COMPARE], clock.knot_pulses[::_KNOTS_TO_COMPARE]
    periods = np.diff(times) / np.diff(pulses)
    change = float(np.abs(np.diff(periods)).max() / periods.mean()) if periods.size > 1 else 0.0
    if gap_ps * change / 4 > clock.period_ps / 8:
        raise InputError(
            f"no {what} for {gap_ps * 1e-12:.6f} s, over which the pulses cannot be counted: the period changes by "
            f"{1e6 * change:.3g} ppm between neighbouring stretches. Submit the pieces before and after the gap apart"
        )
