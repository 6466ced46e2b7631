"""A calibration record of which sums are kept and no outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

from qkdpost.checks import choice, described, instance, real_number
from qkdpost.display import html_table
from qkdpost.errors import InputError
from qkdpost.records.bases import Detection
from qkdpost.records.quadrature_checks import Variances, variance_range
from qkdpost.statistics.gaussian.moments import CalibrationMoments

__all__ = ["MAX_PARTS", "MIN_CALIBRATION", "CalibrationSummary"]

MIN_CALIBRATION = 100
"""A calibration record of fewer outcomes says nothing; a bound needs about as many as there are symbols."""
MAX_PARTS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationSummary:
    """Sums over a calibration record, for one that is too long to be kept; nothing in it is secret.

    Make it with `qkdpost.sifting.quadratures.CalibrationSums`, which adds dither to each outcome before it is summed
    up: what the sums are of must have the same dither as the outcomes of symbols, or else it would not belong to the
    unit of shot noise. Sums do not show whether every outcome had it; that a variance is below that of the dither
    alone is refused.

    Args:
        detection: "heterodyne", both quadratures of each outcome; or "homodyne", one, whose sums stand for both.
        parts: sums over successive parts of the record, at most 16 of them, which show whether it drifted.
        adc_step: the standard deviation of the dither in these sums, that of the record which they belong to; None
            where outcomes lie on no lattice, and there was none.

    Raises:
        InputError: fewer than 100 outcomes, other parts, or sums that cannot be of such a record.
    """

    detection: Detection
    parts: tuple[CalibrationMoments, ...]
    adc_step: float | None

    def __post_init__(self) -> None:
        choice("detection", self.detection, get_args(Detection))
        object.__setattr__(self, "detection", str(self.detection))
        object.__setattr__(self, "parts", _checked(self.parts))
        if self.adc_step is not None:
            object.__setattr__(self, "adc_step", real_number("adc_step", self.adc_step, above=0.0, most=1e30))
        whole = self.whole
        if min(whole.counts) < MIN_CALIBRATION:
            raise InputError(
                f"a calibration must have at least {MIN_CALIBRATION} outcomes; found {min(whole.counts)} in its sums"
            )
        if whole.counts[0] != whole.counts[1]:
            raise InputError(f"both quadratures must have as many outcomes; found {whole.counts}")
        one = (whole.measured[0], whole.measured_squares[0]) == (whole.measured[1], whole.measured_squares[1])
        if self.detection == "homodyne" and not one:
            raise InputError("sums over one quadrature must stand for both; found two that differ")
        self._check_dither()

    def __repr__(self) -> str:
        outcomes, parts = self.whole.counts[0], len(self.parts)
        return f"CalibrationSummary(detection={self.detection!r}, {outcomes=}, {parts=})"

    def _repr_html_(self) -> str:
        rows = [
            ("detection", self.detection),
            ("outcomes", f"{self.whole.counts[0]:,} in {len(self.parts)} parts"),
            ("variances", ", ".join(f"{value:.5g}" for value in self.variances.values)),
        ]
        return html_table("CalibrationSummary", rows)

    @property
    def whole(self) -> CalibrationMoments:
        """The sums over all parts."""
        total = self.parts[0]
        for part in self.parts[1:]:
            total = total + part
        return total

    @property
    def variances(self) -> Variances:
        """Sample variances and means of what was summed up, by quadrature, one of homodyne detection."""
        whole = self.whole
        count, columns = whole.counts[0], 2 if self.detection == "heterodyne" else 1
        means = tuple(total / count for total in whole.measured[:columns])
        squares = zip(whole.measured_squares, means, strict=False)
        values = tuple(max(0.0, total - count * mean * mean) / (count - 1) for total, mean in squares)
        return Variances(count=count, values=values, means=means)

    def _check_dither(self) -> None:
        for variance in self.variances.values:
            _, most = variance_range(variance, self.whole.counts[0])
            if self.adc_step is not None and most < self.adc_step * self.adc_step:
                raise InputError(
                    f"the outcomes cannot have been dithered: their variance, {variance:.5g}, is below that of a "
                    f"dither by one step, {self.adc_step * self.adc_step:.5g}"
                )


def _checked(parts: Any) -> tuple[CalibrationMoments, ...]:
    if not isinstance(parts, tuple | list) or not 1 <= len(parts) <= MAX_PARTS:
        raise InputError(f"parts must be 1 to {MAX_PARTS} CalibrationMoments; found {described(parts)}")
    return tuple(instance(f"parts[{place}]", part, CalibrationMoments) for place, part in enumerate(parts))
