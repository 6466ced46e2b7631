"""What a report shows of the own record, and that none of it is key."""

from __future__ import annotations

import json

import numpy as np
import pytest

import qkdpost as qp
from qkdpost.bits import Bits
from qkdpost.health import RecordLimits, show, summarise
from qkdpost.health.sequences import MAX_LAG, SequenceHealth
from qkdpost.health.shown import _strongest
from support.link import bb84_records, small_link

NOTHING = Bits.zeros(0)


def test_bits_that_may_become_key_are_left_out() -> None:
    rng = np.random.default_rng(1)
    bases, bits = rng.integers(0, 2, (2, 50_000), dtype=np.uint8)
    prepared = qp.PreparedPulses(bases=bases, bits=bits)
    key = Bits.from_array(bits[bases == 0][:10_000])
    shown = show(summarise(prepared), RecordLimits(), secret=(key, NOTHING))
    rest = bits[bases == 0][10_000:]
    assert shown.outcomes[:2] == tuple(int(count) // 10 * 10 for count in (rest.size - rest.sum(), rest.sum()))
    assert shown.outcomes[2:] == tuple(np.bincount(bits[bases == 1]).tolist())
    assert set(shown.correlations) == {"prepared bases"}
    assert (shown.total, shown.test_basis) == (50_000, int(bases.sum()))


def test_what_is_shown_does_not_change_with_the_key() -> None:
    """Two records that differ in nothing but the bits that become key look alike."""
    alice, bob = bb84_records(20_000, qber=0.0)
    sifted = np.asarray(alice.bases)[bob.slots] == np.asarray(bob.bases)
    in_key = sifted & (np.asarray(bob.bases) == 0)
    flip = np.random.default_rng(2).integers(0, 2, alice.pulses, dtype=np.uint8)
    other = np.asarray(alice.bits).copy()
    other[bob.slots[in_key]] ^= flip[bob.slots[in_key]]
    outcomes = np.where(in_key, other[bob.slots], np.asarray(bob.bits))
    records = (
        (alice, bob),
        (
            qp.PreparedPulses(bases=alice.bases, bits=other),
            qp.Detections(pulses=bob.pulses, slots=bob.slots, bases=bob.bases, outcomes=outcomes),
        ),
    )
    results = [qp.distill(*pair, small_link()) for pair in records]
    assert all(len(result.key) for result in results)
    for reports in zip(*((result.report, result.peer_reports[0]) for result in results), strict=True):
        assert reports[0].own_record == reports[1].own_record


def test_with_a_sample_of_both_bases_neither_is_shown() -> None:
    result = qp.distill(*bb84_records(20_000), small_link(protocol={"test": "sample"}))
    assert len(result.key)
    for report in (result.report, result.peer_reports[0]):
        assert report.own_record is not None
        assert all("bases" in name for name in report.own_record.correlations)
        assert all(count % 10 == 0 for count in report.own_record.outcomes if count >= 1000)


def test_a_block_that_ends_shows_all() -> None:
    alice, bob = bb84_records(4000)
    blind = qp.Detections(pulses=bob.pulses, slots=bob.slots, bases=bob.bases, outcomes=np.zeros(4000, np.uint8))
    own = qp.distill(alice, blind, small_link()).peer_reports[0].own_record
    assert own is not None
    assert own.outcomes == (int((~bob.bases).weight()), 0, bob.bases.weight(), 0)
    assert own.ratios == (None, None)


def test_the_report_shows_clicks_ratios_and_what_is_not_tested() -> None:
    link = small_link(record_limits=RecordLimits(share_drift=None))
    report = qp.distill(*bb84_records(8000), link).peer_reports[0]
    text = str(report)
    assert "own clicks, detectors 0 / 1 / 2 / 3" in text
    assert "ratios 1:1.0" in text
    assert "NOT held against" in text
    assert "share_drift" in text
    told = json.loads(json.dumps(report.to_dict()))["own_record"]
    assert told["not_tested"] == ["share_drift"]
    assert sum(told["outcomes"]) <= told["total"] == 8000
    assert "NOT held" not in str(qp.distill(*bb84_records(8000), small_link()).report)


def test_counts_of_the_whole_record_are_not_in_its_representation() -> None:
    _, bob = bb84_records(8000)
    health = summarise(bob)
    for count in health.outcomes:
        assert str(count) not in repr(health)


@pytest.mark.parametrize("size", [0, 1, 5])
def test_next_to_nothing_is_shown_as_such(size: int) -> None:
    record = qp.Detections(pulses=10, slots=np.arange(size), bases=[0] * size, outcomes=[0] * size)
    shown = show(summarise(record), RecordLimits(), secret=None)
    assert shown.outcomes == (size, 0, 0, 0)
    assert dict(shown.correlations) == {}
    assert shown.rows()


@pytest.mark.parametrize("seed", range(40))
def test_the_strongest_correlation_is_that_of_all_distances(seed: int) -> None:
    rng = np.random.default_rng(seed)
    unlike = rng.integers(0, 1000, MAX_LAG) if seed else np.full(MAX_LAG, 480)
    sequence = SequenceHealth(length=1001, ones=int(rng.integers(1, 1000)), pairs=1000, disagreements=unlike)
    share = sequence.ones / sequence.length
    correlations = 1.0 - unlike / 1000 / (2.0 * share * (1.0 - share))
    place = int(abs(correlations).argmax())
    found = _strongest(sequence)
    assert found is not None
    assert found[:2] == (correlations[place], place + 1)
