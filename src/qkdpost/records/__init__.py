"""Raw records, as the devices write them.

Bases are bits everywhere: 0 is the key basis (Z), 1 is the test basis (X). Times are whole ticks of a clock whose
tick length is stated in picoseconds. Quadratures that are sent are in shot-noise units, in which the vacuum has
variance 1 in each; those that are measured are in raw units, beside a calibration. Every record is frozen and checked
when it is built; what is secret is left out of its representation.

A kind of QKD may bring a record type of its own: what a session needs of one is `RawRecord`, and
`qkdpost.health.summarise` has a place for what it counts.
"""

from __future__ import annotations

from qkdpost.records.bases import DOUBLE_CLICK, KEY_BASIS, TEST_BASIS
from qkdpost.records.calibration_summary import CalibrationSummary
from qkdpost.records.coherent_states import CoherentStates
from qkdpost.records.detections import Detections
from qkdpost.records.prepared import PreparedPulses
from qkdpost.records.quadrature_outcomes import QuadratureOutcomes
from qkdpost.records.raw_record import RawRecord
from qkdpost.records.record_files import SavedRecord, load, save
from qkdpost.records.time_tags import MAX_SPAN_TICKS, MAX_TICK, MAX_TICK_PS, MIN_TICK_PS, TimeTags

__all__ = [
    "DOUBLE_CLICK",
    "KEY_BASIS",
    "MAX_SPAN_TICKS",
    "MAX_TICK",
    "MAX_TICK_PS",
    "MIN_TICK_PS",
    "TEST_BASIS",
    "CalibrationSummary",
    "CoherentStates",
    "Detections",
    "PreparedPulses",
    "QuadratureOutcomes",
    "RawRecord",
    "SavedRecord",
    "TimeTags",
    "load",
    "save",
]
