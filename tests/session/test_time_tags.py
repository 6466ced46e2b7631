"""The conversation of two hosts with time tags: parts, windows, ticks, and what a hostile peer may not tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

import qkdpost as qp
from qkdpost.dialogue.messages import AbortReason, BlockMessage, CalibrationClicks, DetectionReport, WindowChoice
from qkdpost.dialogue.program import RECEIVE, AbortBlock, NeedRecord, Wait
from qkdpost.errors import RemoteProtocolError
from qkdpost.sifting.sifted import SiftedKey
from qkdpost.sifting.task import SiftingTask
from qkdpost.sifting.time_tags.conversation import PART_CLICKS, answer_time_tags, report_time_tags
from support.link import Pair, changed

Alter = Callable[[BlockMessage], list[BlockMessage]]


def link(**changes: object) -> qp.LinkConfig:
    blocks = qp.Blocks(max_detections=2**17, detections=2**16)
    return changed(qp.LinkConfig(protocol=qp.BBM92TimeTags(), blocks=blocks), **changes)


def task_of(configuration: qp.LinkConfig, records: int = 1) -> SiftingTask[Any]:
    return SiftingTask(
        block=0, record_numbers=range(records), settings=configuration.protocol, blocks=configuration.blocks
    )


def records(duration_s: float = 0.1, *, tick_ps: float = 10.0, seed: int = 3) -> tuple[qp.TimeTags, qp.TimeTags]:
    receiver = qp.simulation.TaggingReceiver(transmittance=0.3)
    return qp.simulation.bbm92_time_tags(
        duration_s=duration_s,
        pair_rate_hz=4e5,
        rng=np.random.default_rng(seed),
        alice=receiver,
        bob=receiver,
        tick_ps=tick_ps,
    )


def converse(
    configuration: qp.LinkConfig,
    alice: list[qp.TimeTags],
    bob: list[qp.TimeTags],
    *,
    alter_alice: Alter = lambda message: [message],
    alter_bob: Alter = lambda message: [message],
) -> tuple[SiftedKey, SiftedKey, list[BlockMessage]]:
    """Run both programs against each other; what one says may be altered before the other hears it."""
    task = task_of(configuration, len(alice))
    programs = answer_time_tags(task), report_time_tags(task)
    inboxes: tuple[list[BlockMessage], list[BlockMessage]] = ([], [])
    waiting: list[object] = [None, None]
    results: dict[int, SiftedKey] = {}
    said: list[BlockMessage] = []
    while len(results) < 2:
        moved = False
        for side, (program, own) in enumerate(zip(programs, (alice, bob), strict=True)):
            while side not in results and (waiting[side] is not RECEIVE or inboxes[side]):
                moved = True
                request = waiting[side]
                value = inboxes[side].pop(0) if request is RECEIVE else None
                if isinstance(request, NeedRecord):
                    value = own[request.number]  # type: ignore[assignment]
                try:
                    waiting[side] = program.send(value)
                except StopIteration as stop:
                    results[side] = stop.value
                    break
                if not isinstance(waiting[side], NeedRecord | Wait):
                    message: BlockMessage = waiting[side]  # type: ignore[assignment]
                    said.append(message)
                    inboxes[1 - side].extend((alter_alice, alter_bob)[side](message))
        assert moved, "both sides wait"
    return results[0], results[1], said


def check_equal(alice: SiftedKey, bob: SiftedKey) -> None:
    assert len(alice.key_bits) == len(bob.key_bits) > 500
    assert (alice.key_bits ^ bob.key_bits).weight() < 0.05 * len(alice.key_bits)
    assert (alice.test_bits ^ bob.test_bits).weight() < 0.05 * len(alice.test_bits)
    assert alice.rounds == bob.rounds


def told(said: list[BlockMessage]) -> list[CalibrationClicks]:
    return [message for message in said if isinstance(message, CalibrationClicks)]


def test_many_clicks_are_told_in_parts() -> None:
    alice, bob = records(1.5)
    sifted, other, said = converse(link(blocks={"max_detections": 2**20}), [alice], [bob])
    check_equal(sifted, other)
    parts = told(said)
    assert [part.part for part in parts] == [0, 1]
    assert [part.last for part in parts] == [False, True]
    assert parts[0].count == PART_CLICKS
    assert parts[1].first_tick >= parts[0].first_tick + parts[0].span_ticks
    assert sum(part.count for part in parts) == int((alice.channels >= 2).sum())


def test_the_largest_record_that_is_taken_is_sent() -> None:
    """Ticks so fine, and clicks so rare, that all in one message would be longer than the link allows."""
    limits = qp.RecordLimits(min_basis_share=None)  # all clicks are of the test basis
    count, configuration = 300_000, link(blocks={"max_detections": 300_000}, record_limits=limits)
    rng = np.random.default_rng(2)
    ticks = np.sort(rng.integers(0, 2**52, count))
    tags = [qp.TimeTags(ticks=ticks, channels=rng.integers(2, 4, count), tick_ps=1.0) for _ in range(2)]
    pair = Pair(configuration)
    pair.submit(*tags)  # type: ignore[arg-type]
    pair.finish()
    pair.run()
    sizes = [len(frame) for frame in pair.sent["alice"]]
    assert max(sizes) <= configuration.max_message_bytes < sum(sizes)


def test_records_are_told_ahead_only_as_far_as_the_peer_holds_them() -> None:
    """Bob's clicks cut the blocks: Alice's may be more than the largest block holds, and yet the block succeeds."""
    pieces = [records(0.2, seed=seed) for seed in range(8)]
    clicks = [int((alice.channels >= 2).sum()) for alice, _ in pieces]
    few = [qp.TimeTags(ticks=bob.ticks[::5], channels=bob.channels[::5], tick_ps=bob.tick_ps) for _, bob in pieces]
    configuration = link(blocks={"max_detections": 50_000, "detections": 50_000})
    assert max(clicks) < 50_000 < sum(clicks)
    unheard: dict[int, int] = {}
    longest = total = 0

    def alice_says(message: BlockMessage) -> list[BlockMessage]:
        nonlocal longest, total
        if isinstance(message, CalibrationClicks):
            size = len(message.ticks) + len(message.outcomes)
            unheard[message.record] = unheard.get(message.record, 0) + size
            longest, total = max(longest, sum(unheard.values())), total + size
        return [message]

    def bob_says(message: BlockMessage) -> list[BlockMessage]:
        if isinstance(message, WindowChoice):
            del unheard[message.record]
        return [message]

    sifted, other, said = converse(
        configuration, [alice for alice, _ in pieces], few, alter_alice=alice_says, alter_bob=bob_says
    )
    check_equal(sifted, other)
    assert longest <= 4 * configuration.blocks.max_detections < total
    assert [message.record for message in told(said)] == list(range(len(pieces)))


REPLACED: dict[str, dict[str, object]] = {
    "another part": {"part": 1},
    "another record": {"record": 1},
    "more clicks than the code holds": {"count": 60_000},
    "no clicks": {"count": 0, "ticks": b"", "outcomes": b""},
    "a short part that is not the last": {"last": False},
    "outcomes missing": {"outcomes": b""},
    "a time out of range": {"first_tick": 2**61 + 1},
}


@pytest.mark.parametrize("name", REPLACED)
def test_what_no_honest_peer_tells_is_refused(name: str) -> None:
    def alter(message: BlockMessage) -> list[BlockMessage]:
        if isinstance(message, CalibrationClicks):
            return [msgspec.structs.replace(message, **REPLACED[name])]
        return [message]

    alice, bob = records()
    with pytest.raises(RemoteProtocolError):
        converse(link(), [alice], [bob], alter_alice=alter)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ("order", "before the end of the part before"),
        ("tick", "different length"),
        ("too many", "more than a block may hold"),
        ("repeated", "expected part 1"),
    ],
)
def test_parts_that_do_not_go_together_are_refused(change: str, error: str) -> None:
    alice, bob = records(1.5)

    def alter(message: BlockMessage) -> list[BlockMessage]:
        if not isinstance(message, CalibrationClicks):
            return [message]
        if change == "order" and message.part == 1:
            return [msgspec.structs.replace(message, first_tick=message.first_tick - 10**12)]
        if change == "tick" and message.part == 1:
            return [msgspec.structs.replace(message, tick_ps=5.0)]
        return [message, message] if change == "repeated" else [message]

    allowed = 80_000 if change == "too many" else 2**20
    with pytest.raises(RemoteProtocolError, match=error):
        converse(link(blocks={"max_detections": allowed}), [alice], [bob], alter_alice=alter)


def test_clicks_within_the_dead_time_of_the_link_are_refused() -> None:
    """Alice is configured to drop no echoes; Bob, by whose link she had to, notices."""
    alice, bob = records()
    assert np.diff(alice.ticks[alice.channels == 2]).min() < 10_000
    task = task_of(link())
    program = answer_time_tags(task)
    assert isinstance(program.send(None), NeedRecord)
    message = program.send(alice)
    bob_program = report_time_tags(task_of(link(protocol={"dead_time_ps": 1e5})))
    bob_program.send(None)
    assert bob_program.send(bob) is RECEIVE
    with pytest.raises(RemoteProtocolError, match="dead time"):
        bob_program.send(message)


@pytest.mark.parametrize(
    ("window_ps", "window_ticks", "fits"),
    [(500.0, 50, True), (500.0, 51, False), (500.0, 0, False), (0.0, 1_000, True), (0.0, 1_001, False)],
)
def test_alice_checks_the_window(window_ps: float, window_ticks: int, fits: bool) -> None:
    alice, _ = records()
    program = answer_time_tags(task_of(link(protocol={"coincidence_window_ps": window_ps})))
    program.send(None)
    assert isinstance(program.send(alice), CalibrationClicks)
    assert program.send(None) is RECEIVE
    choice = WindowChoice(block=0, record=0, window_ticks=window_ticks)
    if fits:
        assert program.send(choice) is RECEIVE
    else:
        with pytest.raises(RemoteProtocolError, match="window"):
            program.send(choice)


def test_a_window_is_not_believed_by_a_session() -> None:
    def widen(message: BlockMessage) -> list[BlockMessage]:
        return (
            [msgspec.structs.replace(message, window_ticks=2**40)] if isinstance(message, WindowChoice) else [message]
        )

    alice, bob = records()
    for window_ps in (0.0, 500.0):
        with pytest.raises(RemoteProtocolError, match="window"):
            converse(link(protocol={"coincidence_window_ps": window_ps}), [alice], [bob], alter_bob=widen)


def test_records_of_other_ticks_are_converted_where_the_link_says_so() -> None:
    alice, bob = records()
    coarse = qp.TimeTags(ticks=bob.ticks // 5, channels=bob.channels, tick_ps=50.0)
    with pytest.raises(AbortBlock) as refused:
        converse(link(), [alice], [coarse])
    assert refused.value.reason is AbortReason.RECORDS_DISAGREE
    sifted, other, said = converse(link(protocol={"tick_ps": 20.0}), [alice], [coarse])
    check_equal(sifted, other)
    assert {part.tick_ps for part in told(said)} == {20.0}


@pytest.mark.parametrize("tick_ps", [1e-3, 1.0, 1e6, 1e9, 1e12])
@pytest.mark.parametrize("link_tick_ps", [0.0, 10.0])
def test_no_other_tick_of_the_peer_is_believed(tick_ps: float, link_tick_ps: float) -> None:
    def alter(message: BlockMessage) -> list[BlockMessage]:
        if isinstance(message, CalibrationClicks):
            return [msgspec.structs.replace(message, tick_ps=tick_ps)]
        return [message]

    alice, bob = records()
    with pytest.raises(AbortBlock) as refused:
        converse(link(protocol={"tick_ps": link_tick_ps}), [alice], [bob], alter_alice=alter)
    assert refused.value.reason is AbortReason.RECORDS_DISAGREE


@pytest.mark.parametrize(
    ("ticks", "tick_ps"),
    [([0, 2**53], 10.0), ([2**62, 2**62 + 1], 10.0), ([0, 1], 1e-5), ([0, 1], 1e6), ([-(2**62), -(2**62)], 10.0)],
)
def test_own_records_that_cannot_be_told_end_the_block(ticks: list[int], tick_ps: float) -> None:
    tags = qp.TimeTags(ticks=ticks, channels=[2, 3], tick_ps=tick_ps)
    _, bob = records()
    for configuration in (link(), link(protocol={"tick_ps": 10.0})):
        with pytest.raises(AbortBlock) as refused:
            converse(configuration, [tags], [bob])
        assert refused.value.reason is AbortReason.RECORDS_DISAGREE
        with pytest.raises(AbortBlock):
            converse(configuration, [records()[0]], [tags])


def test_double_and_cross_clicks_are_in_the_report() -> None:
    alice, bob = records()
    # Every tenth click of Bob comes with one of the other detector of its basis, every fifteenth with another basis.
    extra = np.concatenate([bob.ticks[::10], bob.ticks[5::30]])
    channels = np.concatenate([bob.channels[::10] ^ 1, bob.channels[5::30] ^ 2])
    ticks, channels = np.concatenate([bob.ticks, extra]), np.concatenate([bob.channels, channels])
    order = np.argsort(ticks, kind="stable")
    busy = qp.TimeTags(ticks=ticks[order], channels=channels[order], tick_ps=bob.tick_ps)
    result = qp.distill(alice, busy, link(security={"epsilon": 1e-6}))
    own, other = result.report, result.peer_reports[0]
    assert other.double_clicks == pytest.approx(bob.clicks / 10, rel=0.05)
    assert other.cross_clicks == pytest.approx(bob.clicks / 30, rel=0.1)
    assert own.double_clicks + own.cross_clicks < 0.01 * alice.clicks
    assert f"{other.double_clicks:,} / {other.cross_clicks:,} events" in str(other)
    assert other.to_dict()["cross_clicks"] == other.cross_clicks


def test_double_clicks_of_slots_are_in_the_report() -> None:
    slots = 6_000
    rng = np.random.default_rng(4)
    bits, bases = rng.integers(0, 2, slots), rng.integers(0, 2, slots)
    outcomes = np.where(np.arange(slots) % 100 == 0, 2, bits)
    alice, bob = (
        qp.Detections(pulses=slots, slots=np.arange(slots), bases=bases, outcomes=values) for values in (bits, outcomes)
    )
    configuration = qp.LinkConfig(protocol=qp.BBM92(), security=qp.Security(epsilon=1e-6))
    result = qp.distill(alice, bob, configuration)
    assert (result.report.double_clicks, result.peer_reports[0].double_clicks) == (0, 60)
    prepared = qp.PreparedPulses(bases=bases, bits=bits)
    result = qp.distill(prepared, bob, qp.LinkConfig(protocol=qp.BB84(), security=qp.Security(epsilon=1e-6)))
    assert (result.report.double_clicks, result.peer_reports[0].double_clicks) == (0, 60)


def test_reports_still_cover_what_was_told() -> None:
    alice, bob = records()
    _, _, said = converse(link(), [alice], [bob])
    (clicks,) = told(said)
    (choice,) = [message for message in said if isinstance(message, WindowChoice)]
    spans = {message.span for message in said if isinstance(message, DetectionReport)}
    assert spans == {clicks.span_ticks // max(1, choice.window_ticks // 8) + 1}
