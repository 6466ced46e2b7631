"""Each type of record as named arrays, and back: version 1 of the form, which `docs/own_data.md` describes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from qkdpost.errors import InputError
from qkdpost.labels import LABEL_PLANES, Labels
from qkdpost.records.calibration_summary import CalibrationSummary
from qkdpost.records.coherent_states import CoherentStates
from qkdpost.records.detections import Detections
from qkdpost.records.prepared import PreparedPulses
from qkdpost.records.quadrature_outcomes import QuadratureOutcomes
from qkdpost.records.record_fields import Fields, packed
from qkdpost.records.time_tags import TimeTags
from qkdpost.statistics.gaussian.moments import CalibrationMoments

__all__ = ["FORMS", "Form"]

_Arrays = dict[str, Any]
_MOMENTS = tuple(CalibrationMoments.lengths())


@dataclass(frozen=True, slots=True)
class Form:
    """How one type of record is written, and read again."""

    write: Callable[[Any], _Arrays]
    read: Callable[[Fields], object]


def _prepared(record: PreparedPulses) -> _Arrays:
    arrays: _Arrays = {"pulses": record.pulses, "bases": packed(record.bases), "bits": packed(record.bits)}
    if record.intensities is not None:
        planes = enumerate(record.intensities.planes)
        arrays |= {f"intensities_bit_{place}": packed(plane) for place, plane in planes}
    return arrays


def _read_prepared(fields: Fields) -> PreparedPulses:
    pulses = fields.count("pulses")
    bases, bits = fields.bits("bases", pulses), fields.bits("bits", pulses)
    if "intensities_bit_0" not in fields:
        return PreparedPulses(bases, bits)
    planes = tuple(fields.bits(f"intensities_bit_{place}", pulses) for place in range(LABEL_PLANES))
    return PreparedPulses(bases, bits, Labels(planes))


def _detections(record: Detections) -> _Arrays:
    return {
        "pulses": record.pulses,
        "slots": record.slots,
        "bases": packed(record.bases),
        "bits": packed(record.bits),
        "double_clicks": record.double_clicks,
    }


def _read_detections(fields: Fields) -> Detections:
    slots = fields.array("slots", "iu", dimensions=(1,))
    bases, bits = fields.bits("bases", slots.size), fields.bits("bits", slots.size)
    return Detections.with_drawn_bits(
        fields.count("pulses"), slots, bases, bits, double_clicks=fields.count("double_clicks")
    )


def _time_tags(record: TimeTags) -> _Arrays:
    return {"ticks": record.ticks, "channels": record.channels, "tick_ps": record.tick_ps}


def _read_time_tags(fields: Fields) -> TimeTags:
    ticks, channels = (fields.array(name, "iu", dimensions=(1,)) for name in ("ticks", "channels"))
    return TimeTags(ticks, channels, fields.number("tick_ps"))


def _coherent_states(record: CoherentStates) -> _Arrays:
    return {"symbols": record.symbols, "modulation_variance": record.modulation_variance}


def _read_coherent_states(fields: Fields) -> CoherentStates:
    return CoherentStates(fields.array("symbols", "f", dimensions=(2,)), fields.number("modulation_variance"))


def _quadrature_outcomes(record: QuadratureOutcomes) -> _Arrays:
    arrays: _Arrays = {"values": record.values, "efficiency": record.efficiency}
    if record.quadratures is not None:
        arrays["quadratures"] = packed(record.quadratures)
    if record.adc_step is not None:
        arrays["adc_step"] = record.adc_step
    for name in ("electronic_shot", "electronic"):
        calibration = getattr(record, name)
        if isinstance(calibration, CalibrationSummary):
            arrays |= {f"{name}_{part}": value for part, value in _calibration_summary(calibration).items()}
        elif calibration is not None:
            arrays[name] = calibration
    return arrays


def _read_quadrature_outcomes(fields: Fields) -> QuadratureOutcomes:
    values = fields.array("values", "if", dimensions=(1, 2))
    return QuadratureOutcomes(
        values,
        cast("NDArray[Any] | CalibrationSummary", _read_calibration(fields, "electronic_shot")),
        fields.number("efficiency"),
        quadratures=fields.bits("quadratures", len(values)) if "quadratures" in fields else None,
        electronic=_read_calibration(fields, "electronic"),
        adc_step=fields.number("adc_step") if "adc_step" in fields else None,
    )


def _read_calibration(fields: Fields, name: str) -> NDArray[Any] | CalibrationSummary | None:
    if f"{name}_detection" in fields:
        return _read_calibration_summary(fields, f"{name}_")
    return fields.array(name, "if", dimensions=(1, 2)) if name in fields or name == "electronic_shot" else None


def _calibration_summary(record: CalibrationSummary) -> _Arrays:
    arrays: _Arrays = {name: np.array([getattr(part, name) for part in record.parts]) for name in _MOMENTS}
    arrays["detection"] = record.detection
    return arrays if record.adc_step is None else arrays | {"adc_step": record.adc_step}


def _read_calibration_summary(fields: Fields, prefix: str = "") -> CalibrationSummary:
    sums = {name: fields.array(f"{prefix}{name}", "if", dimensions=(2,)).tolist() for name in _MOMENTS}
    if len({len(rows) for rows in sums.values()}) != 1:
        raise InputError("sums over a calibration must have one row for each part; found other numbers of them")
    return CalibrationSummary(
        detection=fields.text(f"{prefix}detection"),  # type: ignore[arg-type]
        parts=tuple(
            CalibrationMoments(**dict(zip(sums, map(tuple, rows), strict=True)))
            for rows in zip(*sums.values(), strict=True)
        ),
        adc_step=fields.number(f"{prefix}adc_step") if f"{prefix}adc_step" in fields else None,
    )


FORMS: dict[type, Form] = {
    PreparedPulses: Form(_prepared, _read_prepared),
    Detections: Form(_detections, _read_detections),
    TimeTags: Form(_time_tags, _read_time_tags),
    CoherentStates: Form(_coherent_states, _read_coherent_states),
    QuadratureOutcomes: Form(_quadrature_outcomes, _read_quadrature_outcomes),
    CalibrationSummary: Form(_calibration_summary, _read_calibration_summary),
}
"""By the type of the record; a file names it."""
