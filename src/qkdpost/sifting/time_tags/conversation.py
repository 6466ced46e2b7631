"""The conversation of sifting where both sides record time tags; its steps are those of `matching`.

The answering side discloses the clicks of its test basis; the reporting side calibrates on them and reports its events
on a grid; the answering side calibrates on those of the test basis and answers. No outcome of the key basis is said.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from qkdpost.bits import Bits, concatenate
from qkdpost.dialogue.messages import AbortReason, CalibrationClicks, WindowChoice
from qkdpost.dialogue.program import RECEIVE, AbortBlock, NeedRecord, Program, expect, from_peer, peer_bits
from qkdpost.errors import InputError, RemoteProtocolError
from qkdpost.records import MAX_SPAN_TICKS, TEST_BASIS, Detections, TimeTags
from qkdpost.sifting.sifted import SiftedKey
from qkdpost.sifting.slots.coding import decode_times, encode_times
from qkdpost.sifting.slots.conversation import (
    Matched,
    hear_replies,
    hear_reports,
    join_sifted,
    reports,
    send_replies,
)
from qkdpost.sifting.slots.parts import part_sizes
from qkdpost.sifting.slots.prepared import sift_detections, split_by_basis
from qkdpost.sifting.task import SiftingTask
from qkdpost.sifting.time_tags.calibration import Calibration, max_window_ticks
from qkdpost.sifting.time_tags.clicks import (
    ClickEvents,
    dead_time_ticks,
    suppress_echoes,
    test_basis_clicks,
    to_tick_length,
)
from qkdpost.sifting.time_tags.clock import NoCoincidencePeak, check_peer_clicks
from qkdpost.sifting.time_tags.clock_search import SearchNames
from qkdpost.sifting.time_tags.matching import (
    calibrate_to_events,
    calibrate_to_test_clicks,
    corrected_events,
    from_grid,
    grid_ticks,
    match_events,
    to_detections,
)
from qkdpost.sifting.time_tags.stretches import Tenths, lost_stretches, matched_by_tenth

__all__ = ["PART_CLICKS", "TimeTagSettings", "answer_time_tags", "report_time_tags"]

LINK_SETTINGS = SearchNames(offset="clock_search_ps of the LinkConfig", drift="max_drift_ppm of the LinkConfig")
PART_CLICKS = 2**16
"""Clicks of the test basis in one message: half a megabyte at most, however wide apart they lie."""
INBOX_BYTES_PER_DETECTION = 4
"""Budget for messages that come ahead of their turn, in which one more of the largest size is allowed."""


class TimeTagSettings(Protocol):
    """What this conversation reads of the settings of a kind; `qkdpost.protocols.bbm92_time_tags` describes each."""

    @property
    def dead_time_ps(self) -> float: ...  # noqa: D102

    @property
    def coincidence_window_ps(self) -> float: ...  # noqa: D102

    @property
    def clock_search_ps(self) -> float: ...  # noqa: D102

    @property
    def max_drift_ppm(self) -> float: ...  # noqa: D102

    @property
    def tick_ps(self) -> float: ...  # noqa: D102


@dataclass(frozen=True, slots=True, kw_only=True)
class _PeerClicks:
    """The peer's clicks of one record in its test basis: times in the order of time, outcomes, length of a tick."""

    ticks: NDArray[np.int64]
    outcomes: NDArray[np.uint8]
    tick_ps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _OwnClicks:
    """This side's clicks in the link's ticks: all, echoes too, and those that calibration takes."""

    every: TimeTags
    quiet: TimeTags


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What one record came to on the answering side, which answers when all records are matched."""

    number: int
    matched: Matched
    events: ClickEvents
    tenths: Tenths


def report_time_tags(task: SiftingTask[TimeTagSettings]) -> Program[SiftedKey]:
    """Calibrate on the test basis that the peer disclosed, report events, and keep those that the peer matched."""
    reported: list[tuple[Detections, ClickEvents, tuple[str, ...]]] = []
    for number in task.record_numbers:
        tags: TimeTags = yield NeedRecord(number)
        clicks = yield from _hear_test_basis(number, task.settings, task.blocks.max_detections)
        window_ticks, record, events, jumps = _events_to_report(tags, clicks, task.settings)
        reported.append((record, events, tuple(f"record {number}: {jump}" for jump in jumps)))
        yield WindowChoice(block=task.block, record=number, window_ticks=window_ticks)
        yield from reports(task.block, number, record)
    sifted: list[SiftedKey] = []
    for number, (record, events, jumps) in zip(task.record_numbers, reported, strict=True):
        mask, both, _ = yield from hear_replies(number, record.slots.size)
        tenths = matched_by_tenth(record.slots, record.pulses, mask)
        notices = (*jumps, *lost_stretches(tenths, number))
        sifted.append(_sifted(*sift_detections(record, mask), both, events, tenths, notices))
    return join_sifted(sifted)


def answer_time_tags(task: SiftingTask[TimeTagSettings]) -> Program[SiftedKey]:
    """Disclose the test basis, calibrate on the peer's reports, and answer with what both keep.

    Records are disclosed ahead of the peer's reports as long as the peer can hold them, and answered after the last.
    """
    answers: list[_Answer] = []
    disclosed: deque[tuple[int, _OwnClicks, int]] = deque()
    ahead_bytes = 0
    allowed = task.blocks.max_detections
    for number in [*task.record_numbers, None]:
        messages: list[CalibrationClicks] = []
        if number is not None:
            tags: TimeTags = yield NeedRecord(number)
            own = _own_clicks(tags, task.settings)
            messages = list(_disclosures(task.block, number, own.quiet))
        size = sum(len(message.ticks) + len(message.outcomes) for message in messages)
        room = INBOX_BYTES_PER_DETECTION * task.blocks.max_detections - size
        while disclosed and (number is None or ahead_bytes > room):
            earlier, record, freed = disclosed.popleft()
            answers.append((yield from _hear_events(earlier, record, task.settings, allowed)))
            allowed -= len(answers[-1].matched.mask)
            ahead_bytes -= freed
        yield from messages
        if number is not None:
            disclosed.append((number, own, size))
            ahead_bytes += size
    sifted: list[SiftedKey] = []
    for answer in answers:
        matched = answer.matched
        yield from send_replies(task.block, answer.number, matched)
        notices = lost_stretches(answer.tenths, answer.number)
        sifted.append(
            _sifted(matched.key_bits, matched.test_bits, matched.rounds, answer.events, answer.tenths, notices)
        )
    return join_sifted(sifted)


def _disclosures(block: int, number: int, tags: TimeTags) -> Iterator[CalibrationClicks]:
    """Return the messages that disclose the clicks of the test basis; each part can be read without the others."""
    clicks = test_basis_clicks(tags)
    if not clicks.clicks:
        raise AbortBlock(AbortReason.NO_COINCIDENCES, f"record {number} has no click in the test basis")
    sizes = part_sizes(clicks.clicks, PART_CLICKS)
    first = 0
    for part, count in enumerate(sizes):
        ticks = clicks.ticks[first : first + count]
        origin, span = _span(ticks)
        yield CalibrationClicks(
            block=block,
            record=number,
            part=part,
            last=part == len(sizes) - 1,
            count=count,
            first_tick=origin,
            span_ticks=span,
            tick_ps=tags.tick_ps,
            ticks=encode_times(ticks, origin=origin, span=span + 1),
            outcomes=Bits.from_array(clicks.channels[first : first + count] - 2 * TEST_BASIS).to_bytes(),
        )
        first += count


def _hear_test_basis(number: int, settings: TimeTagSettings, allowed: int) -> Program[_PeerClicks]:
    """Hear all clicks of one record, at most `allowed`, as many as the largest block holds.

    The sum over a block's records has no bound but this: the reporting side cuts the blocks, by its own clicks.
    """
    parts: list[CalibrationClicks] = []
    ticks: list[NDArray[np.int64]] = []
    while not parts or not parts[-1].last:
        part = expect((yield RECEIVE), CalibrationClicks)
        _check_record(part, number)
        allowed -= part.count
        _check_part(part, parts, allowed)
        with from_peer("the clicks"):
            ticks.append(decode_times(part.ticks, part.count, origin=part.first_tick, span=part.span_ticks + 1))
        parts.append(part)
    outcomes = concatenate(peer_bits(part.outcomes, part.count, "outcomes") for part in parts)
    tick_ps = parts[0].tick_ps
    if tick_ps != (settings.tick_ps or tick_ps):
        raise AbortBlock(
            AbortReason.RECORDS_DISAGREE,
            f"record {number} of the peer has ticks of {tick_ps} ps; tick_ps of the link is {settings.tick_ps}",
        )
    clicks = _PeerClicks(ticks=np.concatenate(ticks), outcomes=np.asarray(outcomes), tick_ps=tick_ps)
    with from_peer("the clicks"):
        check_peer_clicks(clicks.ticks, clicks.outcomes, dead_time_ticks(settings.dead_time_ps, tick_ps))
    if _span(clicks.ticks)[1] > MAX_SPAN_TICKS:
        raise RemoteProtocolError(
            f"the peer's clicks span {_span(clicks.ticks)[1]} ticks; at most 2^53 - 1 are allowed"
        )
    return clicks


def _check_part(part: CalibrationClicks, before: list[CalibrationClicks], allowed: int) -> None:
    if part.part != len(before):
        raise RemoteProtocolError(f"expected part {len(before)} of the peer's clicks; it sent part {part.part}")
    if not (1 if part.last else PART_CLICKS) <= part.count <= PART_CLICKS:
        raise RemoteProtocolError(f"a part holds {part.count} clicks; all but the last hold {PART_CLICKS}")
    if allowed < 0:
        raise RemoteProtocolError(f"the peer disclosed {-allowed} clicks of a record more than a block may hold")
    if before and part.first_tick < before[-1].first_tick + before[-1].span_ticks:
        raise RemoteProtocolError("a part of the peer's clicks begins before the end of the part before")
    if part.tick_ps != (before or [part])[0].tick_ps:
        raise RemoteProtocolError("the parts of the peer's record have ticks of different length")


def _own_clicks(tags: TimeTags, settings: TimeTagSettings, tick_ps: float | None = None) -> _OwnClicks:
    """Return this side's clicks in the link's ticks; without those, they must be of `tick_ps`."""
    try:
        tags.check_times()
        tags = to_tick_length(tags, settings.tick_ps or tags.tick_ps)
        tags.check_times()
    except InputError as error:
        raise AbortBlock(AbortReason.RECORDS_DISAGREE, f"the record does not suit the link: {error}") from None
    if tags.tick_ps != (tick_ps or tags.tick_ps):
        raise AbortBlock(
            AbortReason.RECORDS_DISAGREE,
            f"ticks are {tags.tick_ps} ps long here and {tick_ps} ps at the peer; set tick_ps of the link",
        )
    return _OwnClicks(every=tags, quiet=suppress_echoes(tags, settings.dead_time_ps))


def _events_to_report(
    tags: TimeTags, clicks: _PeerClicks, settings: TimeTagSettings
) -> tuple[int, Detections, ClickEvents, tuple[str, ...]]:
    """Return window, events as they are reported and as they are here, and what to say of the clock."""
    own = _own_clicks(tags, settings, clicks.tick_ps)
    try:
        calibration, window_ticks = calibrate_to_test_clicks(
            own.quiet,
            clicks.ticks,
            clicks.outcomes,
            search_ps=settings.clock_search_ps,
            max_drift_ppm=settings.max_drift_ppm,
            window_ticks=_window_of(settings, clicks.tick_ps),
            names=LINK_SETTINGS,
        )
        events = corrected_events(own.every, calibration, window_ticks, settings.dead_time_ps)
        origin, span = _span(clicks.ticks)
        step = grid_ticks(window_ticks)
        record = to_detections(events, origin_tick=origin, span_steps=span // step + 1, step_ticks=step)
    except InputError as error:
        raise _without_key(error) from None
    return window_ticks, record, events, _jumps_in_words(calibration, own.quiet)


def _without_key(error: InputError) -> AbortBlock:
    """Return how the block ends where the records show no coincidences, or this host's own does not suit."""
    none = isinstance(error, NoCoincidencePeak)
    return AbortBlock(AbortReason.NO_COINCIDENCES if none else AbortReason.RECORDS_DISAGREE, str(error))


def _jumps_in_words(calibration: Calibration, tags: TimeTags) -> tuple[str, ...]:
    jumps = calibration.clock.jumps if calibration.clock is not None else ()
    return tuple(
        f"one clock jumped against the other by {jump.ticks * tags.tick_ps:.4g} ps, "
        f"{(jump.at_tick - int(tags.ticks[0])) * tags.tick_ps * 1e-12:.3g} s after the first click; this was corrected"
        for jump in jumps
    )


def _hear_events(number: int, own: _OwnClicks, settings: TimeTagSettings, allowed: int) -> Program[_Answer]:
    """Hear the peer's events of one record, at most `allowed`, and match them with this side's."""
    choice = expect((yield RECEIVE), WindowChoice)
    _check_record(choice, number)
    _check_window(choice.window_ticks, settings, own.every.tick_ps)
    origin, span = _span(test_basis_clicks(own.quiet).ticks)
    step = grid_ticks(choice.window_ticks)
    coded, bases = yield from hear_reports(number, span // step + 1, allowed)
    slots = coded.decoded()
    with from_peer("the times"):
        peer_ticks = from_grid(slots, origin_tick=origin, step_ticks=step)
    try:
        calibration = calibrate_to_events(own.quiet, peer_ticks, bases)
        events = corrected_events(own.every, calibration, choice.window_ticks, settings.dead_time_ps)
        matched = _match(events, peer_ticks, bases, choice.window_ticks)
    except InputError as error:
        raise _without_key(error) from None
    tenths = matched_by_tenth(slots, span // step + 1, matched.mask)
    return _Answer(number=number, matched=matched, events=events, tenths=tenths)


def _check_window(window_ticks: int, settings: TimeTagSettings, tick_ps: float) -> None:
    expected, largest = _window_of(settings, tick_ps), max_window_ticks(tick_ps)
    if expected is not None and window_ticks != expected:
        raise RemoteProtocolError(f"the peer's window is {window_ticks} ticks; that of the link is {expected}")
    if expected is None and window_ticks > largest:
        raise RemoteProtocolError(f"the peer chose a window of {window_ticks} ticks; at most {largest} are allowed")


def _window_of(settings: TimeTagSettings, tick_ps: float) -> int | None:
    """Return half the width of the window in ticks if the link has one."""
    return round(settings.coincidence_window_ps / tick_ps) if settings.coincidence_window_ps else None


def _match(own: ClickEvents, peer_ticks: NDArray[np.int64], peer_bases: Bits, window_ticks: int) -> Matched:
    match = match_events(own, peer_ticks, peer_bases, window_ticks=window_ticks)
    key_bits, test_bits = split_by_basis(own.bases, own.bits, match.own_matched)
    return Matched(mask=match.peer_matched, key_bits=key_bits, test_bits=test_bits, rounds=match.rounds)


def _sifted(
    key_bits: Bits, test_bits: Bits, rounds: int, events: ClickEvents, tenths: Tenths, notices: tuple[str, ...]
) -> SiftedKey:
    return SiftedKey(
        key_bits=key_bits,
        test_bits=test_bits,
        rounds=rounds,
        double_clicks=events.double_clicks,
        cross_clicks=events.cross_clicks,
        matched_by_tenth=tenths,
        notices=notices,
    )


def _span(ticks: NDArray[np.int64]) -> tuple[int, int]:
    return int(ticks[0]), int(ticks[-1]) - int(ticks[0])


def _check_record(message: CalibrationClicks | WindowChoice, number: int) -> None:
    if message.record != number:
        raise RemoteProtocolError(
            f"expected {type(message).__name__} of record {number}; the peer sent record {message.record}"
        )
