from __future__ import annotations

import json

import numpy as np
import pytest

import qkdpost as qp
from qkdpost.session.blocks.hints import hints_of_error_rates
from support.link import bb84_records, small_link

GOOD, HALF, QUARTER, OPPOSITE = (10, 1000), (510, 1000), (240, 1000), (990, 1000)


@pytest.mark.parametrize(
    ("key", "test", "words"),
    [
        (OPPOSITE, OPPOSITE, "detectors of one side in the opposite order"),
        (GOOD, OPPOSITE, "of the test basis differ"),
        (OPPOSITE, GOOD, "of the key basis differ"),
        (HALF, HALF, "shifted"),
        (QUARTER, QUARTER, "a quarter"),
        (GOOD, HALF, "only the test basis is bad"),
        (QUARTER, GOOD, "only the key basis is bad"),
        ((3, 3), HALF, "shifted"),
        ((148, 256), (6_560, 13_063), "shifted"),
        ((85, 256), (3_270, 13_063), "a quarter"),
    ],
)
def test_each_usual_mistake_has_its_hint(key: tuple[int, int], test: tuple[int, int], words: str) -> None:
    (hint,) = hints_of_error_rates(key, test)
    assert words in hint


@pytest.mark.parametrize(("key", "test"), [(GOOD, GOOD), ((90, 1000), (110, 1000)), ((0, 0), (0, 0)), ((5, 9), (9, 9))])
def test_rates_that_point_to_nothing_have_none(key: tuple[int, int], test: tuple[int, int]) -> None:
    assert hints_of_error_rates(key, test) == ()


def changed(record: qp.Detections, *, outcomes: np.ndarray | None = None, shift: int = 0) -> qp.Detections:
    return qp.Detections(
        pulses=record.pulses,
        slots=record.slots[:-10] + shift,
        bases=record.bases[: len(record.bases) - 10],
        outcomes=(np.asarray(record.bits) if outcomes is None else outcomes)[:-10],
    )


def test_reports_give_the_hint() -> None:
    alice, bob = bb84_records(8000)
    inverted = changed(bob, outcomes=1 - np.asarray(bob.bits))
    in_test_basis = changed(bob, outcomes=np.asarray(bob.bits) ^ np.asarray(bob.bases))
    for record, words in (
        (inverted, "opposite order"),
        (in_test_basis, "of the test basis"),
        (changed(bob, shift=1), "shifted"),
    ):
        report = qp.distill(alice, record, small_link()).report
        assert report.abort_reason == "no_key_left"
        assert words in report.hints[0]
        assert "\n  hint " in str(report)
        assert json.loads(json.dumps(report.to_dict()))["hints"] == list(report.hints)


def test_much_disclosed_of_the_test_basis_is_told() -> None:
    assert "test='sample'" in qp.distill(*bb84_records(8000), small_link()).report.hints[0]
    assert qp.distill(*bb84_records(20_000, test_fraction=0.2), small_link()).report.hints == ()
    assert qp.distill(*bb84_records(20_000), small_link(protocol={"test": "sample"})).report.hints == ()


def test_what_was_not_measured_is_not_told_as_a_number() -> None:
    alice, bob = bb84_records(400)
    report = qp.distill(alice, bob, small_link()).report
    assert report.abort_reason == "too_few_bits"
    told = report.to_dict()
    assert told["qber_test"] is told["qber_key"] is told["efficiency"] is None
    assert "%" not in str(report).replace("own rounds of the test basis", "").split("QBER of test rounds")[1]
    assert str(report).count("not measured") == 4


def test_a_host_that_is_not_told_the_errors_says_so() -> None:
    one_way = qp.Ldpc(frame_bits=2**14, blind_rounds=0, fallback=None)
    link = small_link(security={"epsilon": 1e-6}, correction=one_way)
    result = qp.distill(*bb84_records(80_000, qber=0.02, test_fraction=0.2), link)
    assert len(result.key)
    for report in (result.report, result.peer_reports[0]):
        assert (report.qber_key, report.efficiency) == (None, None)
        assert "unknown to this side" in str(report)


def test_both_reports_say_what_the_side_that_knows_found() -> None:
    alice, bob = bb84_records(4000)
    blind = changed(bob, outcomes=np.zeros(len(bob.bits), np.uint8))
    result = qp.distill(alice, blind, small_link())
    assert result.peer_reports[0].aborted_by == result.report.aborted_by == "bob"
    assert result.report.abort_detail == f"bob gave the block up: {result.peer_reports[0].abort_detail}"
    assert "detector 1 " in str(result)
