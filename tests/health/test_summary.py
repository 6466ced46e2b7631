"""What is counted of a record, also of one whose type the library does not know."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from qkdpost.health import RecordHealth, RecordLimits, judge, show, summarise
from qkdpost.records import Detections, PreparedPulses, RawRecord, TimeTags


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Quadratures:
    """A record type from elsewhere."""

    values: np.ndarray

    @property
    def events(self) -> int:
        return int(self.values.size)

    def check_for(self, settings: object) -> None:
        """Nothing to check."""


def test_a_record_type_without_a_summary_is_not_judged() -> None:
    class Unknown(Quadratures):
        __slots__ = ()

    record: RawRecord = Unknown(np.zeros(5))
    health = summarise(record)
    assert (health.total, health.sequences) == (0, {})
    assert judge([health, health], RecordLimits()) == ()
    assert show(health, RecordLimits(), secret=None).total == 0


def test_a_record_type_from_elsewhere_brings_its_own_summary() -> None:
    class Known(Quadratures):
        __slots__ = ()

    def of_signs(record: Known) -> RecordHealth:
        positive = int((record.values > 0).sum())
        return RecordHealth(prepared=False, outcomes=(record.events - positive, positive, 0, 0))

    summarise.register(Known, of_signs)
    assert summarise(Known(np.array([1.0, -2.0, 3.0]))).outcomes == (1, 2, 0, 0)


@pytest.mark.parametrize(
    ("record", "events", "total"),
    [
        (PreparedPulses(bases=[0, 1, 1], bits=[0, 0, 1]), 0, 3),
        (Detections(pulses=9, slots=[1, 4], bases=[0, 1], outcomes=[1, 1]), 2, 2),
        (TimeTags(ticks=[1, 4, 4, 9], channels=[0, 1, 2, 3], tick_ps=1.0), 4, 4),
    ],
)
def test_each_record_knows_its_events_and_is_counted(record: RawRecord, events: int, total: int) -> None:
    assert record.events == events
    assert summarise(record).total == total
