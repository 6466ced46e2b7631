from __future__ import annotations

import numpy as np
import pytest

from qkdpost.bits import Bits
from qkdpost.errors import InputError
from qkdpost.records import DOUBLE_CLICK, Detections, PreparedPulses, SecretKey, SiftedKey, Tally, TimeTags


def test_double_clicks_are_kept_with_random_bits() -> None:
    count = 4096
    record = Detections(
        pulses=count, slots=np.arange(count), bases=np.zeros(count, np.uint8), outcomes=[DOUBLE_CLICK] * count
    )
    assert record.double_clicks == count == len(record.bits)
    assert abs(record.bits.weight() - count / 2) < 6 * np.sqrt(count / 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"slots": [1, 1, 2]}, "strictly increasing"),
        ({"slots": [3, 2, 9]}, "strictly increasing"),
        ({"slots": [-1, 2, 9]}, "must lie in"),
        ({"slots": [1, 2, 10]}, "must lie in"),
        ({"slots": [1.0, 2.0, 3.0]}, "integers"),
        ({"bases": [0, 1]}, "one slot"),
        ({"bases": [0, 1, 2]}, "0 or 1"),
        ({"outcomes": [0, 1, 3]}, "double click"),
        ({"outcomes": [0, 1]}, "one slot"),
        ({"pulses": -3, "slots": [], "bases": [], "outcomes": []}, "pulses must be an integer"),
        ({"pulses": 2**53 + 1}, "pulses must be an integer"),
        ({"pulses": "a"}, "pulses must be an integer"),
        ({"pulses": True, "slots": [], "bases": [], "outcomes": []}, "pulses must be an integer"),
    ],
)
def test_impossible_detections_are_refused(changes: dict[str, object], message: str) -> None:
    good: dict[str, object] = {"pulses": 10, "slots": [1, 4, 9], "bases": [0, 1, 0], "outcomes": [0, 1, 0]}
    Detections(**good)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=message):
        Detections(**good | changes)  # type: ignore[arg-type]


def test_detections_take_flags_and_numbers_of_numpy() -> None:
    flags = np.array([True, False])
    record = Detections(pulses=np.int64(3), slots=np.array([0, 2], np.uint16), bases=flags, outcomes=~flags)
    assert (record.pulses, list(np.asarray(record.bases)), list(np.asarray(record.bits))) == (3, [1, 0], [0, 1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ticks": [2, 1]}, "order of time"),
        ({"channels": [0, 4]}, "channels"),
        ({"channels": [0]}, "one channel"),
        ({"tick_ps": 0.0}, "positive"),
        ({"tick_ps": float("nan")}, "positive"),
        ({"tick_ps": "1"}, "positive"),
    ],
)
def test_impossible_time_tags_are_refused(changes: dict[str, object], message: str) -> None:
    good: dict[str, object] = {"ticks": [1, 1], "channels": [0, 3], "tick_ps": 78.125}
    assert TimeTags(**good).clicks == 2  # type: ignore[arg-type]
    with pytest.raises(InputError, match=message):
        TimeTags(**good | changes)  # type: ignore[arg-type]


def test_prepared_pulses_need_a_basis_and_a_bit_each() -> None:
    assert PreparedPulses(bases=[0, 1], bits=[1, 1]).pulses == 2
    with pytest.raises(InputError, match="one basis and one bit"):
        PreparedPulses(bases=[0, 1], bits=[1])


@pytest.mark.parametrize("counts", [(10, 5, 6), (-1, 5, 0), (2**54, 1, 0)])
def test_tallies_that_cannot_be_are_refused(counts: tuple[int, int, int]) -> None:
    with pytest.raises(InputError):
        Tally(key_bits=counts[0], test_bits=counts[1], test_errors=counts[2])


def test_no_secret_shows() -> None:
    ones = Bits.from_array(np.ones(64, np.uint8))
    records = [
        PreparedPulses(bases=ones, bits=ones),
        Detections(pulses=64, slots=np.arange(64), bases=ones, outcomes=ones),
        TimeTags(ticks=np.arange(64), channels=np.ones(64, np.uint8), tick_ps=1.0),
        SiftedKey(key_bits=ones, test_bits=ones, rounds=64),
        SecretKey(bits=ones, identifier=bytes(16), epsilon=1e-10, accumulated_epsilon=3e-10),
    ]
    for record in records:
        text = repr(record) + str(record)
        assert "1, 1" not in text
        assert "0xff" not in text and "18446744073709551615" not in text and "\\xff" not in text
