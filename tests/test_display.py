"""What a notebook shows: short lines, and tables in which nothing is taken for HTML and nothing is secret."""

from __future__ import annotations

import functools
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qkdpost as qp
from qkdpost.display import html_table
from support.link import bb84_records, small_link


@functools.cache
def distilled() -> tuple[qp.Distillation, qp.Distillation]:
    """Return one distillation that gave a key, and one that did not."""
    alice, bob = bb84_records(8000)
    nothing = qp.Detections(bob.pulses, [], [], [])
    return qp.distill(alice, bob, small_link()), qp.distill(alice, nothing, small_link())


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


@functools.cache
def shown() -> dict[str, tuple[str, Any]]:
    """Return objects that a notebook shows, each with the line that it must be; some lengths are drawn."""
    result, aborted = distilled()
    report = result.report
    fibre = qp.simulation.Fibre(length_km=20.0)
    plan = qp.planning.Plan(link=qp.planning.DecoyBB84Link(fibre=fibre), pulses=10**9, result=report.secret)
    bits, secret_bits = len(result.key), report.secret.bits
    length = f"SecretLength(bits={secret_bits}, bound='variable-length', form='variable-length', attacks='coherent')"
    outcomes = "QuadratureOutcomes(symbols=200, detection='heterodyne', efficiency=0.5, adc_step=None)"
    return {
        "pulses": ("PreparedPulses(pulses=3)", qp.PreparedPulses([0, 1, 0], [1, 1, 0])),
        "decoys": (
            "PreparedPulses(pulses=3, with intensities)",
            qp.PreparedPulses([0, 1, 0], [1, 1, 0], [0, 1, 2]),
        ),
        "detections": (
            "Detections(pulses=90, detections=2, double_clicks=1)",
            qp.Detections(90, [3, 70], [0, 1], [2, 1]),
        ),
        "time tags": (
            "TimeTags(clicks=2, duration_s=2e-06, tick_ps=1000.0)",
            qp.TimeTags([5, 2005], [0, 3], 1000.0),
        ),
        "labels": ("Labels(length=3)", qp.Labels.from_array([0, 1, 2])),
        "calibration": ("CalibrationSummary(detection='heterodyne', outcomes=200, parts=1)", calibration()),
        "coherent states": (
            "CoherentStates(modulation_variance=4.0, symbols=200)",
            qp.CoherentStates(2 * NOISE, 4.0),
        ),
        "outcomes": (outcomes, qp.QuadratureOutcomes(2 * NOISE, NOISE, 0.5)),
        "distillation": (f"Distillation(key_bits={bits}, blocks=1)", result),
        "report": (f"BlockReport(block=0, kind='bb84', role='alice', key_length_bits={bits})", report),
        "report without key": (
            "BlockReport(block=0, kind='bb84', role='alice', no key: too_few_bits)",
            aborted.report,
        ),
        "ledger": (f"Ledger(charged_bits={report.ledger.charged_bits}, two_way=True)", report.ledger),
        "length": (length, report.secret),
        "plan": (f"Plan(link=DecoyBB84Link, length_km=20.0, pulses=1000000000, bits={secret_bits})", plan),
        "fixed length": ("FixedLengthPlan(bits=0, bound='wiesemann-2026')", planned()),
        "totals": (f"Totals(blocks=1, key_length_bits={bits}, pulses=40000)", result.totals),
    }


NAMES = (
    *("pulses", "decoys", "detections", "time tags", "labels", "calibration", "coherent states", "outcomes"),
    *("distillation", "report", "report without key", "ledger", "length", "plan", "fixed length", "totals"),
)


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


def test_all_that_is_shown_has_a_name() -> None:
    assert tuple(shown()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_line_is_short_and_says_what_it_is(name: str) -> None:
    text, value = shown()[name]
    assert repr(value) == text
    assert len(text) < 140


@pytest.mark.parametrize("name", [name for name in NAMES if name != "labels"])
def test_a_table_is_well_formed_and_names_what_it_is_of(name: str) -> None:
    page = parsed(shown()[name][1]._repr_html_())
    assert page.text.strip()
    assert "None" not in page.text


def test_a_report_and_its_table_say_the_same() -> None:
    report = distilled()[0].report
    page = parsed(report._repr_html_())
    for line in str(report).splitlines():
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
