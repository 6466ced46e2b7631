"""The conversation of sifting by slots: both programs against each other, and what neither takes of the other."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest

import qkdpost as qp
from qkdpost.bits import Bits
from qkdpost.dialogue.messages import AbortReason, BlockMessage, DetectionReport, SiftReply
from qkdpost.dialogue.program import RECEIVE, AbortBlock, NeedRecord
from qkdpost.errors import RemoteProtocolError
from qkdpost.sifting.sifted import SiftedKey
from qkdpost.sifting.slots import conversation
from qkdpost.sifting.slots.conversation import answer_slots, match_to_detections, match_to_prepared, report_slots
from qkdpost.sifting.task import SiftingTask

Alter = Callable[[BlockMessage], BlockMessage]
THREE = (0.5, 0.1, 0.001)


def same(message: BlockMessage) -> BlockMessage:
    return message


def prepared(pulses: int, seed: int, *, intensities: int = 0) -> qp.PreparedPulses:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, intensities, pulses) if intensities else None
    return qp.PreparedPulses(bases=rng.integers(0, 2, pulses), bits=rng.integers(0, 2, pulses), intensities=labels)


def detected(pulses: int, seed: int, count: int | None = None) -> qp.Detections:
    rng = np.random.default_rng(seed)
    count = pulses // 2 if count is None else count
    slots = np.sort(rng.choice(pulses, count, replace=False))
    return qp.Detections(
        pulses=pulses, slots=slots, bases=rng.integers(0, 2, count), outcomes=rng.integers(0, 2, count)
    )


def converse(
    alice: list[Any],
    bob: list[Any],
    *,
    intensities: tuple[float, ...] = (),
    max_detections: int = 2**17,
    alter_report: Alter = same,
    alter_reply: Alter = same,
) -> tuple[SiftedKey, SiftedKey]:
    """Run the answering program against the reporting one; what one says may be altered before the other hears it."""
    task: SiftingTask[Any] = SiftingTask(
        block=3,
        record_numbers=range(10, 10 + len(bob)),
        settings=SimpleNamespace(intensities=intensities),
        blocks=qp.Blocks(max_detections=max_detections, detections=1),
    )
    matcher = match_to_prepared if isinstance(alice[0], qp.PreparedPulses) else match_to_detections
    sides = [
        (partial(answer_slots, matcher=matcher)(task), alice, alter_reply),
        (report_slots(task), bob, alter_report),
    ]
    inboxes: tuple[list[BlockMessage], list[BlockMessage]] = ([], [])
    waiting: list[Any] = [None, None]
    results: dict[int, SiftedKey] = {}
    while len(results) < 2:
        moved = False
        for side, (program, records, alter) in enumerate(sides):
            while side not in results and (waiting[side] is not RECEIVE or inboxes[side]):
                moved, request = True, waiting[side]
                value: Any = inboxes[side].pop(0) if request is RECEIVE else None
                if isinstance(request, NeedRecord):
                    value = records[request.number - 10]
                try:
                    waiting[side] = program.send(value)
                except StopIteration as stop:
                    results[side] = stop.value
                    break
                if isinstance(waiting[side], DetectionReport | SiftReply):
                    inboxes[1 - side].append(alter(waiting[side]))
        assert moved, "both sides wait"
    return results[0], results[1]


def changed(kind: type[BlockMessage], **fields: object) -> Alter:
    return lambda message: msgspec.structs.replace(message, **fields) if isinstance(message, kind) else message


def expected(alice: qp.PreparedPulses, bob: qp.Detections, basis: int) -> tuple[list[int], list[int]]:
    """Both sides' bits of one basis, pulse by pulse."""
    pairs = [
        (alice.bits[int(slot)], bob.bits[place])
        for place, slot in enumerate(bob.slots)
        if alice.bases[int(slot)] == bob.bases[place] == basis
    ]
    return [first for first, _ in pairs], [second for _, second in pairs]


@pytest.mark.parametrize(("part_detections", "part_answers"), [(7, 7), (64, 64), (64, 11), (2**18, 2**18)])
def test_both_sides_keep_the_same_rounds_in_the_same_order(
    part_detections: int, part_answers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qkdpost.sifting.slots.parts._PART_DETECTIONS", part_detections)
    monkeypatch.setattr(conversation, "PART_ANSWERS", part_answers)
    monkeypatch.setattr("qkdpost.sifting.slots.parts._SLOTS_AT_ONCE", 2 * part_detections)
    alice, bob = [prepared(200, 1), prepared(90, 2)], [detected(200, 3), detected(90, 4)]
    first, second = converse(alice, bob)
    for basis, own, other in ((0, first.key_bits, second.key_bits), (1, first.test_bits, second.test_bits)):
        pairs = [expected(*records, basis) for records in zip(alice, bob, strict=True)]
        assert list(own) == [bit for pair in pairs for bit in pair[0]]
        assert list(other) == [bit for pair in pairs for bit in pair[1]]
    assert first.rounds == second.rounds == 100 + 45
    assert first.pulses == second.pulses == 290


@pytest.mark.parametrize("intensities", [THREE[:2], THREE])
def test_labels_reach_the_reporting_side(intensities: tuple[float, ...]) -> None:
    alice, bob = prepared(300, 1, intensities=len(intensities)), detected(300, 2)
    first, second = converse([alice], [bob], intensities=intensities)
    assert first.key_labels == second.key_labels is not None
    assert first.test_labels == second.test_labels is not None
    assert second.key_labels is not None and len(second.key_labels) == len(second.key_bits)


def test_where_both_detect_common_slots_alone_are_rounds() -> None:
    alice, bob = detected(400, 1), detected(400, 2)
    first, second = converse([alice], [bob])
    common = np.intersect1d(alice.slots, bob.slots)
    assert first.rounds == second.rounds == common.size
    assert len(first.key_bits) == len(second.key_bits) > 0
    assert len(first.key_bits) + len(first.test_bits) <= common.size


def test_a_record_without_detections_takes_one_message() -> None:
    first, second = converse([prepared(50, 1)], [detected(50, 2, 0)])
    assert len(first.key_bits) == len(second.key_bits) == first.rounds == 0


def test_records_of_other_lengths_do_not_belong_together() -> None:
    with pytest.raises(AbortBlock) as caught:
        converse([prepared(50, 1)], [detected(60, 2)])
    assert caught.value.reason is AbortReason.RECORDS_DISAGREE


@pytest.mark.parametrize("intensities", [(), THREE])
def test_labels_are_there_with_decoy_states_and_not_without(intensities: tuple[float, ...]) -> None:
    alice = prepared(50, 1, intensities=0 if intensities else 3)
    with pytest.raises(AbortBlock) as caught:
        converse([alice], [detected(50, 2)], intensities=intensities)
    assert caught.value.reason is AbortReason.RECORDS_DISAGREE


def test_an_own_intensity_that_the_link_has_not_ends_the_block() -> None:
    with pytest.raises(AbortBlock, match="outside the 3"):
        converse([prepared(50, 1, intensities=4)], [detected(50, 2)], intensities=THREE)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"record": 11}, "expected part 0 of record 10"),
        ({"part": 1}, "expected part 0 of record 10"),
        ({"last": False}, "all but the last"),
        ({"count": 2**18 + 1}, "all but the last"),
        ({"count": 26}, "slots of the peer"),
        ({"end": 51}, "outside 0 ... 50"),
        ({"bases": b""}, "bases of the peer"),
        ({"slots": b""}, "slots of the peer"),
    ],
)
def test_a_report_that_cannot_be_is_the_peers_fault(fields: dict[str, object], message: str) -> None:
    with pytest.raises(RemoteProtocolError, match=message):
        converse([prepared(50, 1)], [detected(50, 2)], alter_report=changed(DetectionReport, **fields))


def test_more_detections_than_a_block_may_hold_are_refused() -> None:
    alice, bob = [prepared(50, 1), prepared(50, 2)], [detected(50, 3), detected(50, 4)]
    with pytest.raises(RemoteProtocolError, match="reports 25 detections; at most 15 are left"):
        converse(alice, bob, max_detections=40)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"record": 9}, "expected part 0 of record 10"),
        ({"part": 2}, "expected part 0 of record 10"),
        ({"rounds": 26}, "claims 26 common rounds of 25"),
        ({"rounds": 0}, "claims 0 common rounds"),
        ({"matched": b"\xff\xff\xff\xff"}, "matched of the peer"),
        ({"labels": b"\x01"}, "labels of the peer"),
    ],
)
def test_a_reply_that_cannot_be_is_the_peers_fault(fields: dict[str, object], message: str) -> None:
    with pytest.raises(RemoteProtocolError, match=message):
        converse([prepared(50, 1)], [detected(50, 2)], alter_reply=changed(SiftReply, **fields))


def test_a_label_outside_of_the_link_is_the_peers_fault() -> None:
    def relabel(message: BlockMessage) -> BlockMessage:
        if not isinstance(message, SiftReply):
            return message
        weight = Bits.from_bytes(message.matched, 25).weight()
        return msgspec.structs.replace(message, labels=(~Bits.zeros(2 * weight)).to_bytes())

    with pytest.raises(RemoteProtocolError, match="outside the 3 of the link"):
        converse([prepared(50, 1, intensities=3)], [detected(50, 2)], intensities=THREE, alter_reply=relabel)


def test_another_message_has_no_place() -> None:
    for alteration in ("alter_report", "alter_reply"):
        other = SiftReply(block=3, record=10, part=0, rounds=0, matched=b"", labels=b"")
        report = DetectionReport(block=3, record=10, part=0, last=True, span=50, end=50, count=0, slots=b"", bases=b"")
        wrong = other if alteration == "alter_report" else report
        with pytest.raises(RemoteProtocolError, match="expected"):
            converse([prepared(50, 1)], [detected(50, 2)], **{alteration: lambda _, wrong=wrong: wrong})
