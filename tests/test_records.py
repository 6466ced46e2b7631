from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import qkdpost as qp
from qkdpost.bits import Bits
from qkdpost.errors import InputError
from qkdpost.keys.secret_key import SecretKey
from qkdpost.labels import Labels
from qkdpost.records import DOUBLE_CLICK, Detections, PreparedPulses, TimeTags
from qkdpost.security.qubits.tally import Tally
from qkdpost.sifting.sifted import SiftedKey


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
        ({"bases": [0, 1]}, "one entry per detection"),
        ({"bases": [0, 1, 2]}, "0 or 1"),
        ({"outcomes": [0, 1, 3]}, "double click"),
        ({"outcomes": [0, 1]}, "one entry per detection"),
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
        ({"channels": [0]}, "one entry per click"),
        ({"tick_ps": 0.0}, "tick_ps must be a number of picoseconds above 0"),
        ({"tick_ps": float("nan")}, "found nan"),
        ({"tick_ps": "1"}, "found '1'"),
        ({"tick_ps": 10**400}, "an integer of"),
        ({"tick_ps": True}, "found True"),
    ],
)
def test_impossible_time_tags_are_refused(changes: dict[str, object], message: str) -> None:
    good: dict[str, object] = {"ticks": [1, 1], "channels": [0, 3], "tick_ps": 78.125}
    assert TimeTags(**good).clicks == 2  # type: ignore[arg-type]
    with pytest.raises(InputError, match=message):
        TimeTags(**good | changes)  # type: ignore[arg-type]


def test_prepared_pulses_need_a_basis_and_a_bit_each() -> None:
    assert PreparedPulses(bases=[0, 1], bits=[1, 1]).pulses == 2
    with pytest.raises(InputError, match="one entry per pulse"):
        PreparedPulses(bases=[0, 1], bits=[1])


@pytest.mark.parametrize("counts", [(10, 5, 6), (-1, 5, 0), (2**54, 1, 0)])
def test_impossible_tallies_are_refused(counts: tuple[int, int, int]) -> None:
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


INTEGERS = (np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64, object)
FLOATS = (np.float32, np.float64)


def _prepared(bits: Any) -> PreparedPulses:
    return PreparedPulses(bases=bits, bits=bits)


@pytest.mark.parametrize("width", INTEGERS + FLOATS)
def test_records_are_the_same_from_any_container(width: type) -> None:
    values = [0, 1, 1, 0, 1]
    for bits in (values, tuple(values), np.array(values, dtype=width), np.array(values, dtype=width)[::-1][::-1]):
        assert _prepared(bits).bits.tolist() == values
        record = Detections(pulses=9, slots=[0, 2, 4, 6, 8], bases=bits, outcomes=bits)
        assert record.bases.tolist() == record.bits.tolist() == values
        assert TimeTags(ticks=range(5), channels=bits, tick_ps=1).channels.tolist() == values
    if width in INTEGERS:
        slots = np.array(values, dtype=width).cumsum().astype(width)
        assert TimeTags(ticks=slots, channels=values, tick_ps=1).ticks.tolist() == [0, 1, 2, 2, 3]
        labels = PreparedPulses(bases=values, bits=values, intensities=np.array(values, dtype=width)).intensities
        assert labels is not None
        assert labels.where(1).tolist() == values


def test_columns_of_tables_are_taken_and_missing_values_refused() -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"bit": [0, 1, 1], "slot": [3, 5, 8]}, index=[7, 3, 5])
    for bits in (table["bit"], table["bit"].astype("Int8"), table["bit"].astype("boolean"), table["bit"] * 1.0):
        for slots in (table["slot"], table["slot"].astype("UInt64"), table["slot"].astype("uint8")):
            record = Detections(pulses=9, slots=slots, bases=bits, outcomes=bits)
            assert (record.slots.tolist(), record.bits.tolist()) == ([3, 5, 8], [0, 1, 1])
    missing = table["bit"].astype("Int8")
    missing.iloc[1] = pandas.NA
    masked = np.ma.masked_array([0, 1, 1], mask=[False, True, False])
    for gap in (missing, masked, [0, None, 1]):
        with pytest.raises(InputError, match=r"^bits must be .*found .*missing value"):
            PreparedPulses(bases=[0, 1, 1], bits=gap)
        with pytest.raises(InputError, match=r"^slots must be .*found .*missing value"):
            Detections(pulses=9, slots=gap, bases=[0, 1, 1], outcomes=[0, 1, 1])


@pytest.mark.parametrize(
    "value", ["01", b"01", ["0", "1"], [0.5, 1], [math.nan, 1], [None, 1], [[0, 1]], None, 7, {0, 1}]
)
def test_what_is_no_bit_is_refused_by_the_name_of_the_argument(value: Any) -> None:
    with pytest.raises(InputError, match=r"^bits must be"):
        PreparedPulses(bases=[0, 1], bits=value)
    with pytest.raises(InputError, match=r"^bases must be .*(0 is the key basis, 1 the test basis|bytes|missing)"):
        PreparedPulses(bases=value, bits=[0, 1])
    with pytest.raises(InputError, match=r"^outcomes must be"):
        Detections(pulses=9, slots=[1, 2], bases=[0, 1], outcomes=value)


@pytest.mark.parametrize(
    ("record", "changes", "message"),
    [
        (PreparedPulses, {"bases": ["+", "x"]}, r"bases must be 0 or 1; found text. 0 is the key basis, 1 the test"),
        (PreparedPulses, {"intensities": [0.5, 0.1]}, r"intensities must be .*indices into link.intensities: 0 is the"),
        (PreparedPulses, {"intensities": np.array([0.5, 0.1])}, r"indices into link.intensities"),
        (PreparedPulses, {"intensities": [0, 8]}, r"intensities must lie in 0 ... 7; found 8"),
        (
            Detections,
            {"outcomes": [0, -1]},
            r"-1 at entry 1. Detections.from_outcomes.*np.flatnonzero\(outcomes",
        ),
        (Detections, {"outcomes": [0, math.nan]}, r"found nan at entry 1. Detections.from_outcomes"),
        (Detections, {"slots": [True, False, True]}, r"found bool. .*give np.flatnonzero\(mask\)"),
        (Detections, {"slots": [True, False]}, r"found bool. .*give np.flatnonzero\(mask\)"),
        (Detections, {"slots": [0, 1, 1, 0]}, r"entry 2 .* a step of 0 \(2 such steps .*np.flatnonzero\(mask\)"),
        (Detections, {"slots": [9, 3]}, r"entry 1 is not above the one before: a step of -6. Sort the record"),
        (Detections, {"slots": [0.5, 1]}, r"slots must be integers; found 0.5 at entry 0"),
        (TimeTags, {"ticks": [0.1, 0.2]}, r"np.rint\(seconds / tick_seconds\).astype\(np.int64\)"),
        (TimeTags, {"ticks": [2**40 - 5, 12]}, r"a step of -1099511627759. The counter seems to roll over at 2.40"),
        (TimeTags, {"ticks": [2**32 - 500, 12]}, r"roll over at 2.32: add 2.32 .*sifting.unwrap_ticks"),
        (TimeTags, {"ticks": [1000, 900]}, r"a step of -100. sifting.sort_time_tags"),
        (TimeTags, {"ticks": np.array([5, 2**63 + 5], dtype=np.uint64)}, r"found 9223372036854775813"),
        (TimeTags, {"channels": [0, "H"]}, r"channels must be 0 ... 3: outcomes 0 and 1 of the key basis"),
    ],
    ids=str,
)
def test_usual_mistakes_are_told_what_to_write(record: Any, changes: dict[str, Any], message: str) -> None:
    good: dict[Any, dict[str, Any]] = {
        PreparedPulses: {"bases": [0, 1], "bits": [0, 1]},
        Detections: {"pulses": 10, "slots": [2, 3], "bases": [0, 1], "outcomes": [0, 1]},
        TimeTags: {"ticks": [2, 3], "channels": [0, 1], "tick_ps": 1.0},
    }
    record(**good[record])
    with pytest.raises(InputError, match=message):
        record(**good[record] | changes)


def test_order_and_range_do_not_wrap() -> None:
    """Differences of 64-bit numbers wrap: slots outside of the record passed for increasing ones."""
    wrapped = [0, 2**63 - 1, -(2**63), -1, 5]
    with pytest.raises(InputError, match="strictly increasing"):
        Detections(pulses=10, slots=wrapped, bases=[0] * 5, outcomes=[0] * 5)
    with pytest.raises(InputError, match="order of time"):
        TimeTags(ticks=[0, 2**62 + 1, -(2**62), 7], channels=[0] * 4, tick_ps=1)
    with pytest.raises(InputError, match=r"2.63 - 1"):
        TimeTags(ticks=np.array([2**63, 2**64 - 1], dtype=np.uint64), channels=[0, 0], tick_ps=1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tick_ps": 0.01}, r"tick_ps must lie in 0.1 ... 10000.0; found 0.01"),
        ({"tick_ps": 2e4}, r"tick_ps must lie in 0.1 ... 10000.0; found 20000.0"),
        ({"ticks": [0, 2**61 + 1]}, r"within \+-2\^61"),
        ({"ticks": [-(2**61) - 1, 0]}, r"within \+-2\^61"),
        ({"ticks": [0, 2**53]}, r"must span less than 2\^53"),
    ],
)
def test_times_that_cannot_be_encoded_do_not_suit_a_link(changes: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {"ticks": [0, 2**53 - 1], "channels": [0, 1], "tick_ps": 1.0}
    TimeTags(**good).check_for(None)
    TimeTags(ticks=[], channels=[], tick_ps=1.0).check_for(None)
    with pytest.raises(InputError, match=message):
        TimeTags(**good | changes).check_for(None)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda record: pickle.loads(pickle.dumps(record))])
def test_copied_and_pickled_records_are_equal_and_read_only(duplicate: Callable[[Any], Any]) -> None:
    tags = duplicate(TimeTags(ticks=[1, 2], channels=[0, 3], tick_ps=2.5))
    assert tags == TimeTags(ticks=[1, 2], channels=[0, 3], tick_ps=2.5)
    seen = Detections(pulses=9, slots=[1, 4], bases=[0, 1], outcomes=[1, DOUBLE_CLICK])
    again = duplicate(seen)
    assert again == seen
    assert again.double_clicks == 1
    for array in (tags.ticks, tags.channels, again.slots, again.bits.words, again.bases.words):
        assert not array.flags.writeable
    sent = PreparedPulses(bases=[0, 1], bits=[1, 1], intensities=[2, 0])
    assert duplicate(sent) == sent


def test_a_record_is_its_own() -> None:
    ticks, channels = np.array([1, 2]), np.array([0, 1], dtype=np.uint8)
    tags = TimeTags(ticks=ticks, channels=channels, tick_ps=1)
    ticks[0] = channels[0] = 9
    assert (tags.ticks.tolist(), tags.channels.tolist()) == ([1, 2], [0, 1])
    for array in (tags.ticks, tags.channels):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


@pytest.mark.parametrize(
    "make",
    [
        lambda: SiftedKey(key_bits=[0, 1], test_bits=Bits.zeros(2), rounds=4),  # type: ignore[arg-type]
        lambda: SiftedKey(key_bits=Bits.zeros(2), test_bits=Bits.zeros(2), rounds=4.0),  # type: ignore[arg-type]
        lambda: SiftedKey(key_bits=Bits.zeros(2), test_bits=Bits.zeros(2), rounds=4, key_labels=Labels.from_array([1])),
        lambda: SecretKey(bits=b"", identifier=bytes(16), epsilon=0.1, accumulated_epsilon=0.1),  # type: ignore[arg-type]
        lambda: SecretKey(bits=Bits.zeros(1), identifier="a", epsilon=0.1, accumulated_epsilon=0.1),  # type: ignore[arg-type]
        lambda: SecretKey(bits=Bits.zeros(1), identifier=b"", epsilon=math.nan, accumulated_epsilon=0.1),
        lambda: Labels((1, 2, 3)),  # type: ignore[arg-type]
        lambda: Labels([Bits.zeros(1)] * 3),  # type: ignore[arg-type]
        lambda: Labels.from_array([0]).where(8),
        lambda: Labels.from_array([0]).take([0.5]),
        lambda: Labels.from_array("0"),
    ],
)
def test_other_records_are_checked_too(make: Any) -> None:
    with pytest.raises(InputError):
        make()


def test_double_clicks_are_drawn_from_the_source_that_is_given() -> None:
    outcomes = [DOUBLE_CLICK, 0, 1] * 5
    asked: list[int] = []

    def ones(count: int) -> bytes:
        asked.append(count)
        return b"\xff" * count

    record = Detections(pulses=15, slots=range(15), bases=[0] * 15, outcomes=outcomes, random_source=ones)
    assert asked == [1]
    assert list(np.asarray(record.bits)) == [1, 0, 1] * 5
    for wrong in (lambda count: b"", lambda count: bytes(count + 1), lambda count: "x", lambda count: None):
        with pytest.raises(InputError, match="random_source must return as many bytes as it is asked"):
            Detections(pulses=15, slots=range(15), bases=[0] * 15, outcomes=outcomes, random_source=wrong)


def test_records_compare_by_what_they_hold() -> None:
    """Their arrays were compared as a whole, which numpy refuses with an error of its own."""
    seen = {"pulses": 9, "slots": [1, 5], "bases": [0, 1], "outcomes": [1, 0]}
    assert Detections(**seen) == Detections(**seen)  # type: ignore[arg-type]
    assert Detections(**seen) != Detections(**seen | {"slots": [1, 6]})  # type: ignore[arg-type]
    assert Detections(**seen) != 1  # type: ignore[arg-type]
    tags = {"ticks": [1, 5], "channels": [0, 3], "tick_ps": 1.0}
    assert TimeTags(**tags) == TimeTags(**tags)  # type: ignore[arg-type]
    assert TimeTags(**tags) != TimeTags(**tags | {"channels": [0, 2]})  # type: ignore[arg-type]
    assert TimeTags(**tags) != TimeTags(**tags | {"ticks": [1], "channels": [0]})  # type: ignore[arg-type]


@pytest.mark.parametrize("intensities", [(0.5, 0.1), ((0.45, 0.55), 0.1)])
def test_pulses_without_intensities_say_what_the_link_has(intensities: tuple[Any, ...]) -> None:
    pulses = PreparedPulses(bases=[0, 1], bits=[1, 1])
    with pytest.raises(InputError, match="one of 2"):
        pulses.check_for(qp.DecoyBB84(intensities=intensities, probabilities=(0.5, 0.5)))


def test_a_shallow_copy_is_another_record_of_the_same_arrays() -> None:
    """A block of 10^8 detections has slots of a gigabyte."""
    detections = Detections(pulses=9, slots=[0, 2, 5], bases=[0, 0, 1], outcomes=[1, 0, 1])
    tags = TimeTags(ticks=[1, 5, 9], channels=[0, 1, 2], tick_ps=10.0)
    for record, array in ((detections, "slots"), (tags, "ticks")):
        other = copy.copy(record)
        assert other == record
        assert other is not record
        assert getattr(other, array) is getattr(record, array)


def test_labels_are_numbers_to_numpy() -> None:
    numbers = [0, 7, 3, 2, 5]
    labels = Labels.from_array(numbers)
    assert np.asarray(labels).tolist() == numbers
    assert np.asarray(labels, dtype=np.int64).dtype == np.int64
    assert Labels.from_array(np.asarray(labels)) == labels
    with pytest.raises(ValueError, match="always a copy"):
        np.array(labels, copy=False)
