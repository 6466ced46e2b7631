"""The conversation of sifting where detections have numbered slots: one side reports, the other answers.

The reporting side announces slots and bases of its detections, never an outcome; the answering side says which of
them both keep. What the answering side compares with depends on the kind of QKD and is given as a `SlotMatcher`.

Where the answering side measures too, its records must be in before anything is reported: `stages.sifting`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from qkdpost.bits import Bits, concatenate
from qkdpost.dialogue.messages import AbortReason, DetectionReport, SiftReply
from qkdpost.dialogue.program import PAUSE, RECEIVE, TURN, AbortBlock, NeedRecord, Program, expect, peer_bits
from qkdpost.errors import InputError, RemoteProtocolError
from qkdpost.labels import LABEL_PLANES, Labels
from qkdpost.records import Detections, PreparedPulses
from qkdpost.sifting.sifted import SiftedKey
from qkdpost.sifting.slots.coding import check_code
from qkdpost.sifting.slots.coincident import match_detections
from qkdpost.sifting.slots.parts import CodedPart, CodedSlots, encode_parts, part_detections, part_sizes
from qkdpost.sifting.slots.prepared import match_and_sift, sift_detections, split_by_basis
from qkdpost.sifting.task import SiftingTask

__all__ = [
    "PART_ANSWERS",
    "Matched",
    "SlotMatcher",
    "SlotSettings",
    "answer_slots",
    "hear_replies",
    "hear_reports",
    "join_sifted",
    "match_to_detections",
    "match_to_prepared",
    "report_slots",
    "reports",
    "send_replies",
    "split_labels",
]

PART_ANSWERS = 2**18
"""Detections answered in one message: as many as are reported in one, but for records of more than 2^43 slots."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """What the reports of one record came to on the answering side.

    Args:
        mask: which of the reported detections both sides keep.
        key_bits: the answering side's own bits of those in the key basis. Secret.
        test_bits: the same in the test basis.
        rounds: how many of the reported detections this side took part in, whatever the bases.
        labels: with decoy states, the intensity of each detection under the mask.
    """

    mask: Bits
    key_bits: Bits
    test_bits: Bits
    rounds: int
    labels: Labels | None = None


@dataclass(frozen=True, slots=True)
class _Reported:
    """What the reporting side needs of a record once it is reported: not the slots, which take most of the memory."""

    bases: Bits
    bits: Bits
    pulses: int
    double_clicks: int


class SlotSettings(Protocol):
    """What this conversation reads of the settings of a kind."""

    @property
    def intensities(self) -> Sequence[object]:
        """The intensities that pulses may have, of which labels are announced; none without decoy states."""


SlotMatcher: TypeAlias = Callable[[Any, CodedSlots, Bits], Program[Matched]]


def match_to_prepared(record: PreparedPulses, slots: CodedSlots, bases: Bits) -> Program[Matched]:
    """Match the peer's detections with the pulses that this side prepared."""

    def match(piece: NDArray[np.int64], first: int) -> tuple[Bits, Bits, Bits, Labels | None]:
        mask, key_bits, test_bits = match_and_sift(record, piece, bases, first)
        taken = None
        if record.intensities is not None:
            taken = record.intensities.take(piece[np.asarray(mask, dtype=np.bool_)])
        return mask, key_bits, test_bits, taken

    found: list[tuple[Bits, Bits, Bits, Labels | None]] = []
    for pieces in slots.by_pieces(match):
        found += pieces
        yield TURN
    masks, keys, tests, labels = zip(*found, strict=True)
    return Matched(
        mask=concatenate(masks),
        key_bits=concatenate(keys),
        test_bits=concatenate(tests),
        rounds=len(slots),
        labels=_join_labels(labels),
    )


def match_to_detections(record: Detections, slots: CodedSlots, bases: Bits) -> Program[Matched]:
    """Match the peer's detections with those of this side in the same slots."""
    yield TURN
    match = match_detections(record, slots.decoded(), bases)
    key_bits, test_bits = sift_detections(record, match.own_matched)
    return Matched(mask=match.peer_matched, key_bits=key_bits, test_bits=test_bits, rounds=match.rounds)


def report_slots(task: SiftingTask[SlotSettings]) -> Program[SiftedKey]:
    """Report the detections of every record of the block and keep those that the peer matched."""
    reported: list[_Reported] = []
    for number in task.record_numbers:
        detections: Detections = yield NeedRecord(number)
        reported.append(_Reported(detections.bases, detections.bits, detections.pulses, detections.double_clicks))
        yield from reports(task.block, number, detections)
        del detections
    parts: list[SiftedKey] = []
    intensities = len(task.settings.intensities)
    for number, record in zip(task.record_numbers, reported, strict=True):
        mask, both, labels = yield from hear_replies(number, len(record.bits), intensities)
        key_bits, test_bits = split_by_basis(record.bases, record.bits, mask)
        key_labels, test_labels = split_labels(labels, record.bases.select(mask))
        parts.append(
            SiftedKey(
                key_bits=key_bits,
                test_bits=test_bits,
                rounds=both,
                pulses=record.pulses,
                key_labels=key_labels,
                test_labels=test_labels,
                double_clicks=record.double_clicks,
            )
        )
    return join_sifted(parts)


def answer_slots(task: SiftingTask[SlotSettings], matcher: SlotMatcher) -> Program[SiftedKey]:
    """Answer the peer's reports with the detections that both sides keep."""
    parts: list[SiftedKey] = []
    allowed = task.blocks.max_detections
    intensities = len(task.settings.intensities)
    for number in task.record_numbers:
        record = yield NeedRecord(number)
        slots, bases = yield from hear_reports(number, record.pulses, allowed)
        allowed -= len(slots)
        matched = yield from matcher(record, slots, bases)
        _check_labels(matched, intensities)
        yield from send_replies(task.block, number, matched, intensities)
        yield PAUSE
        key_labels, test_labels = split_labels(matched.labels, bases.select(matched.mask))
        parts.append(
            SiftedKey(
                key_bits=matched.key_bits,
                test_bits=matched.test_bits,
                rounds=matched.rounds,
                pulses=record.pulses,
                key_labels=key_labels,
                test_labels=test_labels,
                double_clicks=record.double_clicks if isinstance(record, Detections) else 0,
            )
        )
    return join_sifted(parts)


def join_sifted(parts: list[SiftedKey]) -> SiftedKey:
    """Return the sifted keys of several records as one."""
    return SiftedKey(
        key_bits=concatenate(part.key_bits for part in parts),
        test_bits=concatenate(part.test_bits for part in parts),
        rounds=sum(part.rounds for part in parts),
        pulses=sum(part.pulses for part in parts),
        key_labels=_join_labels([part.key_labels for part in parts]),
        test_labels=_join_labels([part.test_labels for part in parts]),
        double_clicks=sum(part.double_clicks for part in parts),
        cross_clicks=sum(part.cross_clicks for part in parts),
        matched_by_tenth=tuple(tenth for part in parts for tenth in part.matched_by_tenth),
        notices=tuple(notice for part in parts for notice in part.notices),
    )


def split_labels(labels: Labels | None, kept_bases: Bits) -> tuple[Labels | None, Labels | None]:
    """Return the labels of the key basis and those of the test basis."""
    if labels is None:
        return None, None
    return labels.select(~kept_bases), labels.select(kept_bases)


def send_replies(block: int, number: int, matched: Matched, intensities: int = 0) -> Program[None]:
    """Send the mask of one record in parts, with labels of `intensities`."""
    first = kept = 0
    labels = () if matched.labels is None else matched.labels.planes[: _planes(intensities)]
    for part, count in enumerate(part_sizes(len(matched.mask), PART_ANSWERS)):
        mask = matched.mask[first : first + count]
        weight = mask.weight() if labels else 0
        yield SiftReply(
            block=block,
            record=number,
            part=part,
            rounds=0 if part else matched.rounds,
            matched=mask.to_bytes(),
            labels=concatenate(plane[kept : kept + weight] for plane in labels).to_bytes() if labels else b"",
        )
        first += count
        kept += weight


def hear_replies(number: int, count: int, intensities: int = 0) -> Program[tuple[Bits, int, Labels | None]]:
    """Hear mask and labels of one record of `count` detections, and in how many of them the peer took part."""
    masks: list[Bits] = []
    planes = _planes(intensities)
    labels: list[list[Bits]] = [[] for _ in range(planes)]
    rounds = 0
    for part, size in enumerate(part_sizes(count, PART_ANSWERS)):
        reply = expect((yield RECEIVE), SiftReply)
        _check_part(reply, number, part)
        masks.append(peer_bits(reply.matched, size, "matched"))
        rounds += reply.rounds
        weight = masks[-1].weight() if planes else 0
        joined = peer_bits(reply.labels, planes * weight, "labels")
        for place, plane in enumerate(labels):
            plane.append(joined[place * weight : (place + 1) * weight])
    mask = concatenate(masks)
    if not mask.weight() <= rounds <= count:
        raise RemoteProtocolError(f"the peer claims {rounds} common rounds of {count}, and keeps {mask.weight()}")
    if not planes:
        return mask, rounds, None
    whole = [concatenate(plane) for plane in labels]
    whole += [Bits.zeros(mask.weight())] * (LABEL_PLANES - planes)
    heard = Labels(tuple(whole))
    if _beyond(heard, intensities):
        raise RemoteProtocolError(f"the peer labels a pulse with an intensity outside the {intensities} of the link")
    return mask, rounds, heard


def hear_reports(number: int, pulses: int, allowed: int) -> Program[tuple[CodedSlots, Bits]]:
    """Hear slots and bases of one record that covers `pulses` slots, and at most `allowed` detections."""
    parts: list[CodedPart] = []
    bases: list[Bits] = []
    start = reported = 0
    most, last = part_detections(pulses), False
    while not last:
        report = expect((yield RECEIVE), DetectionReport)
        _check_part(report, number, len(parts))
        if report.span != pulses:
            raise AbortBlock(
                AbortReason.RECORDS_DISAGREE,
                f"record {number} covers {pulses} slots here and {report.span} at the peer",
            )
        reported += report.count
        if not (0 if report.last else most) <= report.count <= most:
            raise RemoteProtocolError(f"a part has {report.count} detections; all but the last have {most}")
        if reported > allowed:
            raise RemoteProtocolError(f"the peer reports {reported} detections; at most {allowed} are left")
        if not start <= report.end <= report.span:
            raise RemoteProtocolError(f"a part ends at slot {report.end}, outside {start} ... {report.span}")
        parts.append(_coded_part(report, start))
        bases.append(peer_bits(report.bases, report.count, "bases"))
        start = report.end
        last = report.last
    return CodedSlots(parts), concatenate(bases)


def _coded_part(report: DetectionReport, start: int) -> CodedPart:
    try:  # `from_peer`, without its cost: a record has many of these
        check_code(report.slots, report.count, report.end - start)
    except InputError as error:
        raise RemoteProtocolError(f"the slots of the peer: {error}") from None
    return CodedPart(report.slots, report.count, start, report.end)


def reports(block: int, number: int, record: Detections) -> Program[None]:
    """Report one record."""
    sizes = part_sizes(record.slots.size, part_detections(record.pulses))
    first = place = 0
    for parts in encode_parts(record.slots, sizes, record.pulses):
        for part in parts:
            yield DetectionReport(
                block=block,
                record=number,
                part=place,
                last=place == len(sizes) - 1,
                span=record.pulses,
                end=part.end,
                count=part.count,
                slots=part.code,
                bases=record.bases[first : first + part.count].to_bytes(),
            )
            first += part.count
            place += 1
        yield TURN


def _check_part(message: DetectionReport | SiftReply, number: int, part: int) -> None:
    if message.record != number or message.part != part:
        raise RemoteProtocolError(
            f"expected part {part} of record {number}; the peer sent {type(message).__name__} "
            f"for part {message.part} of record {message.record}"
        )


def _planes(intensities: int) -> int:
    return (intensities - 1).bit_length() if intensities else 0


def _beyond(labels: Labels, intensities: int) -> int:
    return sum(labels.where(label).weight() for label in range(intensities, 1 << LABEL_PLANES))


def _check_labels(matched: Matched, intensities: int) -> None:
    """This side's labels must be there with decoy states, and not without; and name intensities of the link."""
    if (matched.labels is None) == bool(intensities):
        raise AbortBlock(AbortReason.RECORDS_DISAGREE, "records carry intensities where, and only where, the link does")
    if matched.labels is None:
        return
    if _beyond(matched.labels, intensities):
        raise AbortBlock(
            AbortReason.RECORDS_DISAGREE, f"a pulse has an intensity outside the {intensities} of the link"
        )


def _join_labels(parts: Sequence[Labels | None]) -> Labels | None:
    labels = [part for part in parts if part is not None]
    if not labels:
        return None
    return Labels(tuple(concatenate(part.planes[number] for part in labels) for number in range(LABEL_PLANES)))
