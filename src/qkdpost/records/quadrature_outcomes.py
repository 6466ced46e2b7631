"""The record of a side that measures quadratures, with the calibration of its detector."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkdpost.bits import Bits, BitsLike
from qkdpost.checks import described, real_array, real_number
from qkdpost.display import html_table
from qkdpost.errors import InputError
from qkdpost.records.bases import Detection
from qkdpost.records.calibration_summary import MIN_CALIBRATION, CalibrationSummary
from qkdpost.records.quadrature_checks import Variances, lattice_step, same_content, variance_range, variances

__all__ = ["MIN_CALIBRATION", "QuadratureOutcomes"]

MAX_DRIFT = 0.01
"""By this part the noise of a detector may have changed between calibration and use, before units must be wrong."""
MAX_OFFSET = 16.0
"""Deviations that the mean of outcomes may be from zero. Steps of float32 grow with the numbers: further out they would
be a lattice themselves, which no dither can cover."""
MIN_OFFSET_OUTCOMES = 16
"""So many tell it; of fewer the mean may be as far by chance, that of two once in 35 pairs."""
_QUADRATURES = "0 for x, 1 for p"
_RAW = "Give outcomes in raw units of the converter or the signal processing, all three records in the same"
_CALIBRATE = (
    "record it with the local oscillator on and the signal off, through the same signal processing: it is the unit in "
    "which a bound counts noise"
)


@dataclass(frozen=True, slots=True, weakref_slot=True, kw_only=True, eq=False)
class QuadratureOutcomes:
    """What a receiving side with continuous variables measured, symbol by symbol, in raw units.

    Raw units are any that are the same in all three records: those of the converter or of the signal processing behind
    it. Nothing is converted to shot-noise units here; a bound does so with the uncertainty of the calibration. Phases
    are to be corrected before: of a phase theta that is left, sin^2 theta of the signal counts as noise, which is safe
    and costs key; a quadrature that is mirrored leaves none.

    Args:
        values: outcomes of every symbol, in order, with pilots and synchronisation removed: float32 or int16, shape
            (n, 2) where x and p were both measured (heterodyne), (n,) where one was (homodyne). Kept without a copy
            where they are that already. Secret.
        electronic_shot: outcomes with the local oscillator on and the signal off, of the same form; or a
            `CalibrationSummary` of them, for one too long to be held in memory.
        quadratures: which quadrature was measured in each symbol, 0 for x and 1 for p, chosen at random by this side;
            homodyne only. Public after measurement.
        electronic: outcomes with the local oscillator off, in either form; None if there are none, and no credit is
            taken for them.
        efficiency: of the detector, above 0 and at most 1, as it was calibrated.
        adc_step: the distance of neighbouring values where they lie on a lattice, as integers do; None else. Values on
            a lattice get a Gaussian of this standard deviation added (dither) before anything else is made of them:
            without, a third of the key would be public.

    Raises:
        InputError: another shape or dtype, NaN, no calibration, values on a lattice without its step, a mean of 16
            outcomes or more that is further than 16 standard deviations from zero, or a variance below that of the
            calibration beyond what statistics and 1 % of drift allow: units or records are mixed up.

    >>> import qkdpost as qp
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> bob = qp.QuadratureOutcomes(
    ...     values=rng.normal(0.0, 15.0, (1000, 2)), electronic_shot=rng.normal(0.0, 10.0, (1000, 2)), efficiency=0.6
    ... )
    >>> bob.detection, bob.events
    ('heterodyne', 1000)
    """

    values: NDArray[Any] = field(repr=False)
    quadratures: Bits | None = field(repr=False)
    electronic_shot: NDArray[Any] | CalibrationSummary = field(repr=False)
    electronic: NDArray[Any] | CalibrationSummary | None = field(repr=False)
    efficiency: float
    adc_step: float | None

    def __init__(
        self,
        values: ArrayLike,
        electronic_shot: ArrayLike | CalibrationSummary,
        efficiency: float,
        *,
        quadratures: BitsLike | None = None,
        electronic: ArrayLike | CalibrationSummary | None = None,
        adc_step: float | None = None,
    ) -> None:
        columns = 2 if quadratures is None else None
        form = "(n, 2) are outcomes of both quadratures; those of one, (n,), need quadratures, " + _QUADRATURES
        kept = real_array("values", values, columns=columns, integers=True, hint=form)
        object.__setattr__(self, "values", kept)
        chosen = None if quadratures is None else Bits.coerce(quadratures, name="quadratures", hint=_QUADRATURES)
        if chosen is not None and len(chosen) != len(kept):
            raise InputError(f"quadratures must have one entry per symbol; found {len(chosen)} for {len(kept)} symbols")
        object.__setattr__(self, "quadratures", chosen)
        for name, record in (("electronic_shot", electronic_shot), ("electronic", electronic)):
            object.__setattr__(self, name, _calibration(name, record, columns))
        object.__setattr__(self, "efficiency", real_number("efficiency", efficiency, above=0.0, most=1.0))
        step = None if adc_step is None else real_number("adc_step", adc_step, above=0.0, most=1e30)
        object.__setattr__(self, "adc_step", step)
        self._check_lattice()
        self._check_units()

    @property
    def events(self) -> int:
        """The number of symbols."""
        return len(self.values)

    @property
    def detection(self) -> Detection:
        """Whether both quadratures of a symbol were measured, or one."""
        return "heterodyne" if self.quadratures is None else "homodyne"

    def check_for(self, settings: object) -> None:
        """Check that the detector is that of the link.

        Args:
            settings: with `detection`, `efficiency` and `efficiency_tolerance`, relative.

        Raises:
            InputError: the record is of the other detection, or its efficiency is off by more than the tolerance.
        """
        detection: str | None = getattr(settings, "detection", None)
        if detection is not None and detection != self.detection:
            raise InputError(f"the record is of {self.detection} detection; this link has {detection} detection")
        efficiency: float | None = getattr(settings, "efficiency", None)
        tolerance: float = getattr(settings, "efficiency_tolerance", 0.0)
        if efficiency is not None and abs(self.efficiency - efficiency) > tolerance * efficiency * (1.0 + 1e-9):
            raise InputError(
                f"the record has an efficiency of {self.efficiency:g}; this link has {efficiency:g}, with a tolerance "
                f"of {tolerance:.3g} of it"
            )

    def _check_lattice(self) -> None:
        records = {"values": self.values, "electronic_shot": self.electronic_shot, "electronic": self.electronic}
        for name, record in records.items():
            if record is None:
                continue
            if isinstance(record, CalibrationSummary):
                if record.adc_step != self.adc_step:
                    raise InputError(
                        f"the sums of {name} have the dither of an adc_step of {record.adc_step}; the outcomes have "
                        f"one of {self.adc_step}, and both must be the same"
                    )
                continue
            if record.dtype == np.int16 and self.adc_step is None:
                raise InputError(
                    f"{name} are integers: adc_step must say how far apart neighbouring values are, as 1. Without "
                    "dither of that size a third of the key would be public"
                )
            step = lattice_step(record)
            if step is not None and step > (self.adc_step or 0.0) * 1.01:
                raise InputError(
                    f"{name} lie on a lattice of step {step:.6g}; adc_step must be that, found {self.adc_step}. "
                    "Without dither of that size a third of the key would be public"
                )

    def _check_units(self) -> None:
        # Sums are of dithered outcomes; dither is added to the variances of the others, if there are any sums.
        summed = any(isinstance(record, CalibrationSummary) for record in (self.electronic_shot, self.electronic))
        dither = (self.adc_step or 0.0) ** 2 if summed else 0.0
        shot = _variances(self.electronic_shot, dither)
        if min(shot.values) <= 0.0:
            raise InputError(f"electronic_shot must vary; found one value in all outcomes. {_RAW}")
        values = variances(self.values)
        for sample, mean in zip(values.values, values.means, strict=True):
            if values.count >= MIN_OFFSET_OUTCOMES and abs(mean) > MAX_OFFSET * math.sqrt(sample):
                raise InputError(
                    f"the mean of values must not be more than {MAX_OFFSET:g} standard deviations from zero, or the "
                    f"steps of float32 would be a lattice; found {mean:.5g} and {math.sqrt(sample):.5g}. Take a "
                    "constant off all of them that was fixed before they were measured"
                )
        _not_below("values", _with_dither(values, dither), "electronic_shot", shot)
        if self.electronic is not None:
            _not_below("electronic_shot", shot, "electronic", _variances(self.electronic, dither))

    def __repr__(self) -> str:
        return (
            f"QuadratureOutcomes(symbols={self.events}, detection={self.detection!r}, efficiency={self.efficiency}, "
            f"adc_step={self.adc_step})"
        )

    def _repr_html_(self) -> str:
        rows = [
            ("symbols", f"{self.events:,}"),
            ("detection", self.detection),
            ("efficiency", f"{self.efficiency:g}"),
            ("step of the converter", "none" if self.adc_step is None else f"{self.adc_step:g}"),
            ("calibration with local oscillator", _extent(self.electronic_shot)),
            ("and without", "none" if self.electronic is None else _extent(self.electronic)),
        ]
        return html_table("QuadratureOutcomes", rows)

    def __copy__(self) -> QuadratureOutcomes:
        """Return another record of the same arrays, which nobody can write to; `__reduce__` would copy them."""
        other = object.__new__(QuadratureOutcomes)
        for item in fields(self):
            object.__setattr__(other, item.name, getattr(self, item.name))
        return other

    def __reduce__(self) -> tuple[Callable[..., QuadratureOutcomes], tuple[Any, ...]]:
        """Pickle what it is made of: what is unpickled is checked, and its arrays are read-only again."""
        return _quadrature_outcomes, tuple(getattr(self, item.name) for item in fields(self))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, QuadratureOutcomes):
            return NotImplemented
        plain = (self.quadratures, self.efficiency, self.adc_step)
        arrays = ("values", "electronic_shot", "electronic")
        return plain == (other.quadratures, other.efficiency, other.adc_step) and all(
            same_content(getattr(self, name), getattr(other, name)) for name in arrays
        )

    __hash__ = None  # type: ignore[assignment]


def _quadrature_outcomes(
    values: ArrayLike,
    quadratures: Bits | None,
    electronic_shot: ArrayLike | CalibrationSummary,
    electronic: ArrayLike | CalibrationSummary | None,
    efficiency: float,
    adc_step: float | None,
) -> QuadratureOutcomes:
    return QuadratureOutcomes(
        values=values,
        quadratures=quadratures,
        electronic_shot=electronic_shot,
        electronic=electronic,
        efficiency=efficiency,
        adc_step=adc_step,
    )


def _extent(record: NDArray[Any] | CalibrationSummary) -> str:
    if isinstance(record, CalibrationSummary):
        return f"sums over {record.whole.counts[0]:,} outcomes"
    return f"{len(record):,} outcomes"


def _variances(record: NDArray[Any] | CalibrationSummary, dither: float) -> Variances:
    """Return the variances of a record with the variance of dither added, which a summary has already."""
    if isinstance(record, CalibrationSummary):
        return record.variances
    return _with_dither(variances(record), dither)


def _with_dither(found: Variances, dither: float) -> Variances:
    return replace(found, values=tuple(value + dither for value in found.values))


def _calibration(
    name: str, values: ArrayLike | CalibrationSummary | None, columns: int | None
) -> NDArray[Any] | CalibrationSummary | None:
    if isinstance(values, CalibrationSummary):
        detection = "homodyne" if columns is None else "heterodyne"
        if values.detection != detection:
            raise InputError(f"{name} must be of {detection} detection, as values; its sums are of {values.detection}")
        return values
    if values is None:
        if name == "electronic":
            return None
        raise InputError(f"{name}, the calibration, is missing: {_CALIBRATE}")
    kept = real_array(name, values, columns=columns, integers=True, hint="A calibration has the form of values")
    if len(kept) < MIN_CALIBRATION:
        raise InputError(f"{name} must have at least {MIN_CALIBRATION} outcomes; found {described(kept)}. {_CALIBRATE}")
    return kept


def _not_below(name: str, larger: Variances, than: str, smaller: Variances) -> None:
    """Check that a variance is not smaller than one that is part of it."""
    for sample, least in zip(larger.values, smaller.values, strict=True):
        _, most = variance_range(sample, larger.count)
        lower, _ = variance_range(least, smaller.count)
        if larger.count > 1 and most < lower * (1.0 - MAX_DRIFT):
            raise InputError(
                f"the variance of {name} must not be below that of {than}, which is part of it; found {sample:.5g} and "
                f"{least:.5g}. {_RAW}"
            )
