"""Arrays with an entry for each pulse become detections, in whatever form people hold them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qkdpost as qp
from qkdpost.errors import InputError

OUTCOMES = [0, -1, 1, -1, -1, 1, 0]
BASES = [1, 0, 0, 1, 1, 1, 0]
EXPECTED = qp.Detections(7, [0, 2, 5, 6], [1, 0, 1, 0], [0, 1, 1, 0])


@pytest.mark.parametrize(
    "form",
    [
        list,
        tuple,
        np.array,
        lambda values: np.array(values, np.int8),
        lambda values: np.array(values, np.float64),
        pd.Series,
        lambda values: pd.Series(values, dtype="Int64"),
        lambda values: pd.Series([None if value < 0 else value for value in values], dtype="Int64"),
        lambda values: pd.Series([np.nan if value < 0 else value for value in values]),
        lambda values: [None if value < 0 else value for value in values],
        lambda values: np.ma.masked_array(values, mask=[value < 0 for value in values]),
        lambda values: pd.Series(values, index=range(70, 77)),
    ],
)
def test_every_form_of_an_array_gives_the_same_detections(form: Callable[[list[int]], Any]) -> None:
    assert qp.Detections.from_outcomes(form(OUTCOMES), bases=BASES) == EXPECTED


@pytest.mark.parametrize("filler", [-1, 9, None])
def test_bases_where_nothing_was_detected_are_not_looked_at(filler: int | None) -> None:
    bases = [filler if outcome < 0 else basis for outcome, basis in zip(OUTCOMES, BASES, strict=True)]
    assert qp.Detections.from_outcomes(OUTCOMES, bases=bases) == EXPECTED


def test_another_mark_may_say_that_nothing_was_detected() -> None:
    marked = [9 if outcome < 0 else outcome for outcome in OUTCOMES]
    assert qp.Detections.from_outcomes(marked, bases=BASES, none=9) == EXPECTED
    with pytest.raises(InputError, match=r"outcomes must be 0, 1 or 2 \(double click\); found 9"):
        qp.Detections.from_outcomes(marked, bases=BASES)


def test_a_mark_that_wrapped_is_told() -> None:
    wrapped = np.array(OUTCOMES).astype(np.uint8)
    with pytest.raises(InputError, match="uint8, in which -1 became 255: give none=255"):
        qp.Detections.from_outcomes(wrapped, bases=BASES)
    assert qp.Detections.from_outcomes(wrapped, bases=BASES, none=255) == EXPECTED


@pytest.mark.parametrize("none", [0, 1, 2, -1.0, "none", True, 2**60])
def test_a_mark_that_is_an_outcome_or_no_number_is_refused(none: Any) -> None:
    with pytest.raises(InputError, match="none must be"):
        qp.Detections.from_outcomes(OUTCOMES, bases=BASES, none=none)


@pytest.mark.parametrize(
    ("outcomes", "bases", "message"),
    [
        (OUTCOMES, BASES[:3], "one entry for each pulse; found 7 outcomes, 3 bases"),
        (OUTCOMES, ["+"] * 7, "bases must be 0 or 1; found text"),
        ([0, 0.5], [0, 0], "outcomes must be 0, 1 or 2"),
        (["H", "V"], [0, 0], "outcomes must be"),
        ([[0, 1]], [[0, 1]], "outcomes must be a vector"),
        ([0, 1], [0, 2], "bases must be 0 or 1"),
        (np.array([0, 1], "datetime64[s]"), [0, 1], "outcomes must be"),
    ],
)
def test_what_is_no_such_array_is_refused(outcomes: Any, bases: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        qp.Detections.from_outcomes(outcomes, bases=bases)


def test_double_clicks_get_bits_of_the_source_that_is_given() -> None:
    record = qp.Detections.from_outcomes([2, -1, 2], bases=[0, 0, 1], random_source=lambda count: b"\xff" * count)
    assert (record.double_clicks, record.bits.tolist(), record.slots.tolist()) == (2, [1, 1], [0, 2])


@pytest.mark.parametrize(
    ("make", "leads_to"),
    [
        (
            lambda: qp.Detections(7, np.arange(7), BASES, OUTCOMES),
            r"Detections\.from_outcomes\(outcomes, bases=bases\)",
        ),
        (lambda: qp.Detections(7, np.array(OUTCOMES) >= 0, [1, 0, 1, 0], [0, 1, 1, 0]), r"np\.flatnonzero\(mask\)"),
        (lambda: qp.Detections(7, np.array([0.0, 2.0]), [1, 0], [0, 1]), r"np\.rint\(values\)\.astype\(np\.int64\)"),
        (lambda: qp.TimeTags(np.array([0.1, 0.2]), [0, 1], 1.0), r"np\.rint\(seconds / tick_seconds\)"),
        (lambda: qp.PreparedPulses(["+", "x"], [0, 1]), "bases must be 0 or 1; found text. 0 is the key basis"),
    ],
)
def test_errors_lead_to_what_to_write(make: Callable[[], Any], leads_to: str) -> None:
    with pytest.raises(InputError, match=leads_to):
        make()


@given(st.lists(st.tuples(st.integers(-1, 1), st.integers(0, 1)), max_size=200))
def test_dense_and_sparse_arrays_say_the_same(entries: list[tuple[int, int]]) -> None:
    outcomes, bases = np.array(entries, dtype=np.int64).reshape(-1, 2).T
    seen = np.flatnonzero(outcomes >= 0)
    sparse = qp.Detections(len(entries), seen, bases[seen], outcomes[seen])
    assert qp.Detections.from_outcomes(outcomes, bases=bases) == sparse


def test_records_take_their_arrays_by_place_or_by_name() -> None:
    assert qp.PreparedPulses([0, 1], [1, 0], [1, 0]) == qp.PreparedPulses(bases=[0, 1], bits=[1, 0], intensities=[1, 0])
    assert qp.TimeTags([1, 2], [0, 3], 4.0) == qp.TimeTags(ticks=[1, 2], channels=[0, 3], tick_ps=4.0)
    assert qp.Detections(9, [4], [1], [0]) == qp.Detections(pulses=9, slots=[4], bases=[1], outcomes=[0])
