"""Calibration records that come in pieces: the same sums, the same checks, and nothing kept."""

from __future__ import annotations

import copy
import pickle
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qkdpost import Bits, QuadratureOutcomes
from qkdpost.errors import InputError
from qkdpost.records import CalibrationSummary
from qkdpost.records.calibration_summary import MAX_PARTS
from qkdpost.sifting.quadratures import CalibrationSums, MomentSums, calibration_parts
from qkdpost.sifting.quadratures.calibration import SHORTEST_PART
from qkdpost.statistics.gaussian.moments import CalibrationMoments

Array = np.ndarray[Any, Any]
RECORD = np.random.default_rng(5).normal(1.0, 20.0, (300_000, 2)).astype(np.float32)


def whole_of(record: Array) -> CalibrationMoments:
    """All at once, by the sums of symbols."""
    sums = MomentSums("heterodyne")
    sums.add_outcomes(record)
    found = sums.result()
    return CalibrationMoments(
        counts=found.counts,
        measured=found.measured,
        measured_squares=found.measured_squares,
        lagged=(*found.lagged[0:2], *found.lagged[4:6]),
    )


def assert_close(found: CalibrationMoments, expected: CalibrationMoments) -> None:
    scale = max(expected.measured_squares)
    for item in fields(found):
        assert getattr(found, item.name) == pytest.approx(getattr(expected, item.name), abs=2**-40 * scale), item.name


def summary(record: Array, edges: list[int], **options: Any) -> CalibrationSummary:
    sums = CalibrationSums("heterodyne" if record.ndim == 2 else "homodyne", **options)
    for start, stop in zip([0, *edges], [*edges, len(record)], strict=True):
        sums.add(record[start:stop])
    return sums.result()


@given(st.integers(100, len(RECORD)), st.data())
def test_any_pieces_give_the_sums_of_the_whole(count: int, data: st.DataObject) -> None:
    edges = sorted(data.draw(st.lists(st.integers(0, count), max_size=4)))
    found = summary(RECORD[:count], edges)
    at_once = calibration_parts(RECORD[:count], None)
    assert summary(RECORD[:count], []).parts == at_once
    for one, other in zip(found.parts, at_once, strict=True):
        assert_close(one, other)
    assert_close(found.whole, whole_of(RECORD[:count]))
    assert 1 <= len(found.parts) <= MAX_PARTS


def test_parts_are_of_equal_length_but_for_the_last() -> None:
    counts = [part.counts[0] for part in summary(RECORD, []).parts]
    assert set(counts[:-1]) == {4 * SHORTEST_PART}
    assert 0 < counts[-1] <= 4 * SHORTEST_PART
    assert sum(counts) == len(RECORD)


def test_one_quadrature_stands_for_both() -> None:
    twice = whole_of(np.column_stack([RECORD[:, 0]] * 2))
    expected = replace(twice, measured_squares=(*twice.measured_squares[:2], 0.0))
    assert_close(summary(RECORD[:, 0], [99]).whole, expected)


def test_each_outcome_is_dithered_once() -> None:
    """A record of one value has the variance of the dither, 9, within 7 standard errors (2e-12 for each)."""
    constant = np.full((2**18, 2), 5, dtype=np.int16)
    found = summary(constant, [7, 99_999], adc_step=3.0)
    assert found.adc_step == 3.0
    assert found.variances.values == pytest.approx((9.0, 9.0), abs=7 * 9.0 * (2 / 2**18) ** 0.5)
    assert found.variances.means == pytest.approx((5.0, 5.0), abs=7 * 3.0 / 2**9)


def test_the_dither_is_that_of_the_random_source() -> None:
    integers = np.rint(RECORD[:20_000]).astype(np.int16)
    first, again = (summary(integers, [], adc_step=1.0, random_source=np.random.default_rng(1).bytes) for _ in range(2))
    assert first == again
    assert first != summary(integers, [], adc_step=1.0)
    drawn: list[int] = []

    def counted(size: int) -> bytes:
        drawn.append(size)
        return bytes(size)

    summary(integers, [1000, 2000], adc_step=1.0, random_source=counted)
    assert sum(drawn) == 4 * integers.size


@pytest.mark.parametrize(
    ("outcomes", "step", "message"),
    [
        (np.rint(RECORD).astype(np.int16), None, "outcomes are integers: adc_step"),
        (np.rint(RECORD), None, "lattice of step 1"),
        (2.0 * np.rint(RECORD), 1.0, "lattice of step 2"),
        (np.concatenate((RECORD[:50_000], np.rint(RECORD[:50_000]))), None, "lattice of step 1"),
        (RECORD[:, 0], None, "shape"),
        (np.full((200, 2), np.nan), None, "finite"),
        (RECORD[:99], None, "at least 100"),
        (RECORD[:0], None, "at least 100"),
        ([["1", "2"]], None, "real numbers"),
    ],
)
def test_what_is_no_calibration_is_refused(outcomes: Any, step: float | None, message: str) -> None:
    sums = CalibrationSums("heterodyne", adc_step=step)
    with pytest.raises(InputError, match=message):
        for piece in np.array_split(outcomes, 3) if isinstance(outcomes, np.ndarray) else [outcomes]:
            sums.add(piece)
        sums.result()


def test_outcomes_without_enough_dither_leave_no_result() -> None:
    sums = CalibrationSums("heterodyne")
    with pytest.raises(InputError, match="lattice"):
        sums.add(np.rint(RECORD))
    for work in (sums.result, lambda: sums.add(RECORD)):
        with pytest.raises(InputError, match="lattice"):
            work()


@pytest.mark.parametrize("wrong", [{"detection": "both"}, {"adc_step": 0.0}, {"adc_step": float("nan")}])
def test_what_does_not_fit_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        CalibrationSums(**{"detection": "heterodyne"} | wrong)
    with pytest.raises(InputError):
        replace(summary(RECORD[:1000], []), **wrong)


def test_sums_that_cannot_be_are_refused() -> None:
    good = summary(RECORD[:1000], [])
    one = summary(RECORD[:1000, 0], [])
    with pytest.raises(InputError, match="cannot have been dithered"):
        replace(good, adc_step=40.0)
    with pytest.raises(InputError, match="must stand for both"):
        replace(good, detection="homodyne")
    with pytest.raises(InputError, match="parts must be 1 to 16"):
        replace(good, parts=())
    with pytest.raises(InputError, match="parts must be 1 to 16"):
        replace(good, parts=good.parts * 17)
    with pytest.raises(InputError, match=r"parts\[1\]"):
        replace(good, parts=(*good.parts, None))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="as many outcomes"):
        replace(good, parts=(replace(good.whole, counts=(1000, 900)),))
    assert replace(one, detection="homodyne") == one


# In a record.


def measured(**changes: Any) -> QuadratureOutcomes:
    return QuadratureOutcomes(**{"values": 1.1 * RECORD[:50_000], "efficiency": 0.6} | changes)


def test_a_record_takes_sums_in_the_place_of_outcomes() -> None:
    shot, electronic = summary(RECORD, []), summary(RECORD / 4.0, [])
    record = measured(electronic_shot=shot, electronic=electronic)
    assert record.electronic_shot is shot
    assert record == copy.copy(record) == pickle.loads(pickle.dumps(record))
    assert record != measured(electronic_shot=shot, electronic=RECORD / 4.0)
    assert record != measured(electronic_shot=shot)
    choices = Bits.from_array(np.arange(50_000) % 2)
    one = measured(values=1.1 * RECORD[:50_000, 0], quadratures=choices, electronic_shot=summary(RECORD[:, 0], []))
    assert one.detection == "homodyne"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"electronic_shot": summary(RECORD[:, 0], [])}, "must be of heterodyne detection"),
        ({"electronic_shot": summary(RECORD, [], adc_step=1.0)}, "sums of electronic_shot have the dither"),
        ({"electronic_shot": summary(2 * RECORD, [])}, "variance of values must not be below"),
        ({"electronic": summary(2 * RECORD, [])}, "variance of electronic_shot must not be below"),
        ({"electronic_shot": summary(RECORD, []), "electronic": 2 * RECORD}, "electronic_shot must not be below"),
        ({"electronic_shot": summary(np.ones((500, 2)), [])}, "must vary"),
    ],
)
def test_sums_are_held_to_what_outcomes_are(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        measured(**{"electronic_shot": RECORD} | changes)


def test_variances_are_compared_with_the_dither_of_both() -> None:
    """Outcomes of a deviation of one step, with no signal: their variance is half that of sums with their dither."""
    integers = np.rint(RECORD / 20.0).astype(np.int16)
    step = {"adc_step": 1.0}
    record = measured(values=integers, electronic_shot=summary(integers, [], **step), **step)
    assert record.adc_step == 1.0
