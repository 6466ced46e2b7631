"""The conversation of sifting where both sides record time tags; its steps are those of `sifting.coincidence`.

Alice tells the clicks of her test basis, Bob calibrates on them and reports his events on a grid, Alice calibrates on
those of his test basis and answers. No outcome of the key basis is told.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkdpost.bits import Bits
from qkdpost.config import LinkConfig
from qkdpost.conversation import RECEIVE, AbortBlock, NeedBatch, Program, expect, peer_bits
from qkdpost.errors import InputError, RemoteProtocolError
from qkdpost.messages import AbortReason, CalibrationClicks, WindowChoice
from qkdpost.records import TEST_BASIS, Detections, SiftedKey, TimeTags
from qkdpost.sifting.bb84 import sift_detections, split_by_basis
from qkdpost.sifting.by_slots import Matched, hear_replies, hear_reports, join_sifted, reports, send_replies
from qkdpost.sifting.calibration import correct
from qkdpost.sifting.clicks import merge_clicks, suppress_echoes, test_basis_clicks, to_tick_length
from qkdpost.sifting.coincidence import (
    calibrate_to_events,
    calibrate_to_test_clicks,
    from_grid,
    grid_ticks,
    match_events,
    to_detections,
)
from qkdpost.sifting.slot_coding import decode_times, encode_times
from qkdpost.sifting.task import SiftingTask

__all__ = ["answer_time_tags", "report_time_tags"]


def report_time_tags(task: SiftingTask) -> Program[SiftedKey]:
    """Bob's side: calibrate on the peer's test basis, report events, keep those that the peer matched."""
    events: list[Detections] = []
    allowed = task.link.largest_block_detections
    for batch in task.numbers:
        tags: TimeTags = yield NeedBatch(batch)
        clicks = expect((yield RECEIVE), CalibrationClicks)
        _check_batch(clicks, batch)
        allowed -= clicks.count
        if allowed < 0:
            raise RemoteProtocolError(f"the peer tells {-allowed} clicks more than a block may hold")
        window_ticks, record = _events_to_report(tags, clicks, task.link)
        events.append(record)
        yield WindowChoice(block=task.block, batch=batch, window_ticks=window_ticks)
        yield from reports(task.block, batch, record)
    sifted: list[SiftedKey] = []
    for batch, record in zip(task.numbers, events, strict=True):
        mask, both, _ = yield from hear_replies(batch, record.slots.size)
        key_bits, test_bits = sift_detections(record, mask)
        sifted.append(SiftedKey(key_bits=key_bits, test_bits=test_bits, rounds=both))
    return join_sifted(sifted)


def answer_time_tags(task: SiftingTask) -> Program[SiftedKey]:
    """Alice's side: tell the test basis, calibrate on the peer's reports, answer with what both keep."""
    records: list[TimeTags] = []
    for batch in task.numbers:
        tags: TimeTags = yield NeedBatch(batch)
        records.append(suppress_echoes(tags, task.link.dead_time_ps))
        yield _tell_test_basis(task.block, batch, records[-1])
    sifted: list[SiftedKey] = []
    allowed = task.link.largest_block_detections
    for batch, tags in zip(task.numbers, records, strict=True):
        choice = expect((yield RECEIVE), WindowChoice)
        _check_batch(choice, batch)
        origin, span = _span(test_basis_clicks(tags).ticks)
        step = grid_ticks(choice.window_ticks)
        slots, bases = yield from hear_reports(batch, span // step + 1, allowed)
        allowed -= slots.size
        matched = _match(tags, from_grid(slots, origin_tick=origin, step_ticks=step), bases, choice.window_ticks)
        yield from send_replies(task.block, batch, matched)
        sifted.append(SiftedKey(key_bits=matched.key_bits, test_bits=matched.test_bits, rounds=matched.rounds))
    return join_sifted(sifted)


def _tell_test_basis(block: int, batch: int, tags: TimeTags) -> CalibrationClicks:
    disclosed = test_basis_clicks(tags)
    if not disclosed.clicks:
        raise AbortBlock(AbortReason.NO_COINCIDENCES, f"batch {batch} has no click in the test basis")
    origin, span = _span(disclosed.ticks)
    return CalibrationClicks(
        block=block,
        batch=batch,
        count=disclosed.clicks,
        first_tick=origin,
        span_ticks=span,
        tick_ps=tags.tick_ps,
        ticks=encode_times(disclosed.ticks, origin=origin, span=span + 1),
        outcomes=Bits.from_array(disclosed.channels - 2 * TEST_BASIS).to_bytes(),
    )


def _events_to_report(tags: TimeTags, clicks: CalibrationClicks, link: LinkConfig) -> tuple[int, Detections]:
    peer_ticks = decode_times(clicks.ticks, clicks.count, origin=clicks.first_tick, span=clicks.span_ticks + 1)
    outcomes = np.asarray(peer_bits(clicks.outcomes, clicks.count, "outcomes"))
    window = round(link.coincidence_window_ps / clicks.tick_ps) if link.coincidence_window_ps else None
    try:
        own = suppress_echoes(to_tick_length(tags, clicks.tick_ps), link.dead_time_ps)
        calibration, window_ticks = calibrate_to_test_clicks(own, peer_ticks, outcomes, window_ticks=window)
        events = merge_clicks(correct(own, calibration), window_ticks)
    except InputError as error:
        raise AbortBlock(AbortReason.NO_COINCIDENCES, str(error)) from None
    step = grid_ticks(window_ticks)
    record = to_detections(
        events, origin_tick=clicks.first_tick, span_steps=clicks.span_ticks // step + 1, step_ticks=step
    )
    return window_ticks, record


def _match(tags: TimeTags, peer_ticks: NDArray[np.int64], peer_bases: Bits, window_ticks: int) -> Matched:
    try:
        calibration = calibrate_to_events(tags, peer_ticks, peer_bases)
        own = merge_clicks(correct(tags, calibration), window_ticks)
    except InputError as error:
        raise AbortBlock(AbortReason.NO_COINCIDENCES, str(error)) from None
    match = match_events(own, peer_ticks, peer_bases, window_ticks=window_ticks)
    key_bits, test_bits = split_by_basis(own.bases, own.bits, match.own_matched)
    return Matched(mask=match.peer_matched, key_bits=key_bits, test_bits=test_bits, rounds=match.rounds)


def _span(ticks: NDArray[np.int64]) -> tuple[int, int]:
    return int(ticks[0]), int(ticks[-1]) - int(ticks[0])


def _check_batch(message: CalibrationClicks | WindowChoice, batch: int) -> None:
    if message.batch != batch:
        raise RemoteProtocolError(
            f"expected {type(message).__name__} of batch {batch}; the peer sent batch {message.batch}"
        )
