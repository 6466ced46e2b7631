"""What a notebook shows: short lines, and tables in which nothing is taken for HTML and nothing is secret."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qkdpost as qp
from qkdpost.display import html_table
from support.link import bb84_records, small_link

ALICE, BOB = bb84_records(8000)
RESULT = qp.distill(ALICE, BOB, small_link())
ABORTED = qp.distill(ALICE, qp.Detections(BOB.pulses, [], [], []), small_link())
PLAN = qp.planning.Plan(
    link=qp.planning.DecoyBB84Link(fibre=qp.simulation.Fibre(length_km=20.0)), pulses=10**9, result=RESULT.report.secret
)
NOISE = np.random.default_rng(3).normal(0.0, 1.0, (200, 2))


def planned() -> qp.planning.FixedLengthPlan:
    devices = qp.planning.DecoyBB84Link(fibre=qp.simulation.Fibre(50))
    source = devices.source
    link = qp.LinkConfig(protocol=qp.DecoyBB84(intensities=source.intensities, probabilities=source.probabilities))
    return qp.planning.plan_fixed_length(link, devices.expected_tally(10**6), bound="wiesemann-2026")


def calibration() -> Any:
    sums = qp.sifting.CalibrationSums("heterodyne", adc_step=None, random_source=bytes)
    sums.add(NOISE)
    return sums.result()


SHOWN: dict[str, Any] = {
    "PreparedPulses(pulses=3)": qp.PreparedPulses([0, 1, 0], [1, 1, 0]),
    "PreparedPulses(pulses=3, with intensities)": qp.PreparedPulses([0, 1, 0], [1, 1, 0], [0, 1, 2]),
    "Detections(pulses=90, detections=2, double_clicks=1)": qp.Detections(90, [3, 70], [0, 1], [2, 1]),
    "TimeTags(clicks=2, duration_s=2e-06, tick_ps=1000.0)": qp.TimeTags([5, 2005], [0, 3], 1000.0),
    "Labels(length=3)": qp.Labels.from_array([0, 1, 2]),
    "CalibrationSummary(detection='heterodyne', outcomes=200, parts=1)": calibration(),
    "CoherentStates(modulation_variance=4.0, symbols=200)": qp.CoherentStates(2 * NOISE, 4.0),
    "QuadratureOutcomes(symbols=200, detection='heterodyne', efficiency=0.5, adc_step=None)": qp.QuadratureOutcomes(
        2 * NOISE, NOISE, 0.5
    ),
    f"Distillation(key_bits={len(RESULT.key)}, blocks=1)": RESULT,
    f"BlockReport(block=0, kind='bb84', role='alice', key_length_bits={len(RESULT.key)})": RESULT.report,
    "BlockReport(block=0, kind='bb84', role='alice', no key: too_few_bits)": ABORTED.report,
    f"Ledger(charged_bits={RESULT.report.ledger.charged_bits}, two_way=True)": RESULT.report.ledger,
    f"SecretLength(bits={RESULT.report.secret.bits}, bound='variable-length', form='variable-length', "
    "attacks='coherent')": RESULT.report.secret,
    f"Plan(link=DecoyBB84Link, length_km=20.0, pulses=1000000000, bits={RESULT.report.secret.bits})": PLAN,
    "FixedLengthPlan(bits=0, bound='wiesemann-2026')": planned(),
    f"Totals(blocks=1, key_length_bits={len(RESULT.key)}, pulses={BOB.pulses})": RESULT.totals,
}


class Tags(HTMLParser):
    """Collects the tags and the text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert set(attrs) <= {("style", "text-align:left;white-space:nowrap")}
        self.open.append(tag)
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(page: str) -> Tags:
    tags = Tags()
    tags.feed(page)
    tags.close()
    assert not tags.open
    assert tags.seen <= {"table", "caption", "tr", "th", "td", "details", "summary", "pre"}
    return tags


@pytest.mark.parametrize("text", SHOWN)
def test_a_line_is_short_and_says_what_it_is(text: str) -> None:
    assert repr(SHOWN[text]) == text
    assert len(text) < 140


@pytest.mark.parametrize("text", [text for text, value in SHOWN.items() if not isinstance(value, qp.Labels)])
def test_a_table_is_well_formed_and_names_what_it_is_of(text: str) -> None:
    page = parsed(SHOWN[text]._repr_html_())
    assert page.text.strip()
    assert "None" not in page.text


def test_a_report_and_its_table_say_the_same() -> None:
    page = parsed(RESULT.report._repr_html_())
    for line in str(RESULT.report).splitlines():
        assert line.strip().split("  ")[0] in page.text


@given(st.text(), st.text(), st.text(), st.text())
def test_nothing_is_taken_for_html(title: str, name: str, value: str, more: str) -> None:
    for text in (title, name, value, more):
        escaped = html_table(text, [(text, text)], more=text)
        assert parsed(escaped).seen <= {"table", "caption", "tr", "th", "td", "details", "summary", "pre"}
    hostile = f"<script>{value}</script>"
    assert "<script" not in html_table(hostile, [(hostile, hostile)], more=hostile)


def test_a_reason_of_the_peer_is_no_html() -> None:
    report = qp.BlockReport(block=0, role="alice", kind="bb84", abort_reason="x", abort_detail="<img src=x onerror=y>")
    assert "<img" not in report._repr_html_()


def test_no_table_depends_on_secret_bits() -> None:
    ones, zeros = np.ones(64, np.uint8), np.zeros(64, np.uint8)
    bases = [0, 1] * 32
    for make in (
        lambda bits: qp.PreparedPulses(bases, bits),
        lambda bits: qp.Detections(64, np.arange(64), bases, bits),
        lambda bits: qp.TimeTags(np.arange(64), 2 * np.array(bases) + bits, 1.0),
    ):
        first, second = make(ones), make(zeros)
        assert (repr(first), first._repr_html_()) == (repr(second), second._repr_html_())
