"""The run of the stages of one block, with a host and stages that only pretend."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from qkdpost.dialogue.ledger import Ledger
from qkdpost.dialogue.messages import (
    AbortReason,
    BlockMessage,
    BlockVerdict,
    ComparedBits,
    Confirmation,
    RecordsHeld,
    SampleSeed,
)
from qkdpost.dialogue.program import PAUSE, RECEIVE, AbortBlock, AllHeld, Facts, NeedRecord, Program
from qkdpost.errors import RemoteProtocolError
from qkdpost.session.blocks.report import report_of
from qkdpost.session.blocks.run import MESSAGE_OVERHEAD_BYTES, BlockRun, Host
from qkdpost.stages.block import Duty
from qkdpost.stages.stage import Stage, StageProgram

COMPARED = ComparedBits(block=0, test=b"", setup=b"")
VERDICT = BlockVerdict(block=0, equal=True, bound_bits=1)
SEED = SampleSeed(block=0, key_bits=1, test_bits=1, seed=bytes(32))
TAG = Confirmation(block=0, step=0, tag=bytes(16))
FRAME = b"frame"


@dataclass
class Pretence:
    """What a run asked of its host, and what the host has."""

    sent: list[BlockMessage] = field(default_factory=list)
    records: dict[int, str] = field(default_factory=dict)
    completed: list[str] = field(default_factory=list)
    all_is_sent: bool = True
    under_tags: list[tuple[str, bytes]] = field(default_factory=list)

    def run(self, stages: Iterable[Stage], *, duty: Duty = Duty.REFERENCE, max_inbox_bytes: int = 10_000) -> BlockRun:
        transcript = SimpleNamespace(
            sent=lambda frame: self.under_tags.append(("sent", frame)),
            received=lambda frame: self.under_tags.append(("received", frame)),
        )
        host = Host(
            send=self.send,
            fetch=self.records.get,
            all_held=self.all_held,
            stage_completed=lambda block, name: self.completed.append(name),
            all_is_sent=lambda: self.all_is_sent,
        )
        block: Any = SimpleNamespace(duty=duty, transcript=transcript)
        return BlockRun(block, tuple(stages), host, max_inbox_bytes, 0.0)

    def send(self, message: BlockMessage) -> bytes:
        self.sent.append(message)
        return type(message).__name__.encode()

    def all_held(self, numbers: range) -> tuple[str, ...] | None:
        return tuple(self.records[n] for n in numbers) if all(n in self.records for n in numbers) else None


def stage(name: str, program: StageProgram, *hears: type[BlockMessage]) -> Stage:
    return Stage(
        name=name,
        reference=program,
        corrector=program,
        reference_hears=frozenset(hears),
        corrector_hears=frozenset(hears),
    )


def silent(block: Any, outcome: Any) -> Program[Any]:
    return outcome
    yield


def listens(block: Any, outcome: Any) -> Program[Any]:
    heard = yield RECEIVE
    return [*(outcome or []), heard]


def test_the_outcome_of_a_stage_is_handed_to_the_next() -> None:
    def add(block: Any, outcome: int | None) -> Program[int]:
        return (outcome or 0) + 1
        yield

    host = Pretence()
    run = host.run([stage("one", add), stage("two", add), stage("three", add)])
    run.advance()
    assert run.done
    assert run.outcome == 3
    assert host.completed == run.completed_stages == ["one", "two", "three"]


def test_an_outcome_is_moved_and_not_kept() -> None:
    run = Pretence().run(
        [stage("one", lambda block, outcome: iter_return("secret")), stage("two", listens, ComparedBits)]
    )
    run.advance()
    assert run.completed == 1
    assert run.outcome is None


def iter_return(value: Any) -> Program[Any]:
    return value
    yield


def test_each_duty_runs_its_own_program() -> None:
    for duty in Duty:
        both = Stage(name="s", reference=lambda *_: iter_return("kept"), corrector=lambda *_: iter_return("corrected"))
        run = Pretence().run([both], duty=duty)
        run.advance()
        assert run.outcome == ("kept" if duty is Duty.REFERENCE else "corrected")


def test_messages_are_sent_at_once_and_facts_are_kept() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Counted(Facts):
        count: int

    def talks(block: Any, outcome: Any) -> Program[None]:
        yield SEED
        yield Counted(count=5)
        yield TAG

    host = Pretence()
    run = host.run([stage("talks", talks)])
    run.advance()
    assert host.sent == [SEED, TAG]
    assert [fact.by_name() for fact in run.facts] == [{"count": 5}]
    assert host.under_tags == [("sent", b"SampleSeed")], "a tag is not under tags"
    assert (run.traffic.messages_sent, run.traffic.bytes_sent) == (2, len(b"SampleSeedConfirmation"))


def test_a_stage_waits_for_messages_in_their_order() -> None:
    host = Pretence()
    run = host.run([stage("one", listens, ComparedBits), stage("two", listens, BlockVerdict)])
    run.advance()
    assert not run.completed
    run.deliver(COMPARED, FRAME)
    run.deliver(VERDICT, FRAME)
    assert run.done and run.outcome == [COMPARED, VERDICT]
    assert host.under_tags == [("received", FRAME)] * 2
    assert (run.traffic.messages_received, run.traffic.bytes_received) == (2, 2 * len(FRAME))


def test_a_message_of_a_later_stage_waits_while_a_record_is_missing() -> None:
    def fetches(block: Any, outcome: Any) -> Program[Any]:
        record = yield NeedRecord(4)
        return [record]

    host = Pretence()
    run = host.run([stage("fetches", fetches), stage("listens", listens, ComparedBits)])
    run.advance()
    run.deliver(COMPARED, FRAME)
    assert not run.completed
    host.records[4] = "record 4"
    run.advance()
    assert run.done and run.outcome == ["record 4", COMPARED]


def test_all_records_are_awaited_together() -> None:
    def waits(block: Any, outcome: Any) -> Program[Any]:
        return (yield AllHeld(range(2)))

    host = Pretence(records={1: "b"})
    run = host.run([stage("waits", waits)])
    run.advance()
    assert not run.done
    host.records[0] = "a"
    run.advance()
    assert run.outcome == ("a", "b")


def test_a_pause_lasts_until_all_is_sent() -> None:
    def pauses(block: Any, outcome: Any) -> Program[str]:
        yield PAUSE
        return "went on"

    host = Pretence(all_is_sent=False)
    run = host.run([stage("pauses", pauses)])
    run.advance()
    assert not run.done
    host.all_is_sent = True
    run.advance()
    assert run.outcome == "went on"


def test_a_pause_ends_when_the_peer_has_gone_on() -> None:
    """It has heard what was said then; and if it has released the key, its next words may rest on this side's."""

    def pauses(block: Any, outcome: Any) -> Program[str]:
        yield PAUSE
        yield RECEIVE
        return "went on"

    run = Pretence(all_is_sent=False).run([stage("pauses", pauses, ComparedBits)])
    run.advance()
    assert not run.done
    run.deliver(COMPARED, FRAME)
    assert run.outcome == "went on"


def test_a_message_that_no_stage_hears_any_more_is_refused() -> None:
    run = Pretence().run([stage("one", listens, ComparedBits), stage("two", listens, BlockVerdict)])
    run.advance()
    with pytest.raises(RemoteProtocolError, match="RecordsHeld has no place after one"):
        run.deliver(RecordsHeld(block=0, nonce=bytes(32)), FRAME)
    run.deliver(COMPARED, FRAME)
    with pytest.raises(RemoteProtocolError, match="ComparedBits has no place after two"):
        run.deliver(COMPARED, FRAME)


def test_a_message_of_a_later_stage_is_no_answer_in_this_one() -> None:
    run = Pretence().run([stage("one", listens, ComparedBits), stage("two", listens, BlockVerdict)])
    run.advance()
    with pytest.raises(RemoteProtocolError, match="BlockVerdict has no place in one"):
        run.deliver(VERDICT, FRAME)


def test_what_comes_ahead_is_bounded_with_what_it_takes_in_memory() -> None:
    host = Pretence()

    def waits(block: Any, outcome: Any) -> Program[None]:
        yield NeedRecord(5)

    run = host.run(
        [stage("waits", waits), stage("listens", listens, ComparedBits)],
        max_inbox_bytes=3 * (len(FRAME) + MESSAGE_OVERHEAD_BYTES),
    )
    run.advance()
    for _ in range(3):
        run.deliver(COMPARED, FRAME)
    with pytest.raises(RemoteProtocolError, match="ahead of its turn"):
        run.deliver(COMPARED, FRAME)


def test_what_was_heard_makes_room() -> None:
    def hears_many(block: Any, outcome: Any) -> Program[None]:
        for _ in range(100):
            yield RECEIVE

    run = Pretence().run([stage("many", hears_many, ComparedBits)], max_inbox_bytes=len(FRAME) + MESSAGE_OVERHEAD_BYTES)
    run.advance()
    for _ in range(100):
        run.deliver(COMPARED, FRAME)
    assert run.done


def test_nothing_may_be_left_over_at_the_end() -> None:
    def waits(block: Any, outcome: Any) -> Program[None]:
        yield NeedRecord(5)
        yield RECEIVE

    host = Pretence()
    run = host.run([stage("last", waits, ComparedBits)])
    run.advance()
    run.deliver(COMPARED, FRAME)
    run.deliver(COMPARED, FRAME)
    host.records[5] = "a record"
    with pytest.raises(RemoteProtocolError, match="went on after"):
        run.advance()


def test_what_a_stage_raises_leaves_the_run() -> None:
    def gives_up(block: Any, outcome: Any) -> Program[None]:
        yield SEED
        raise AbortBlock(AbortReason.NO_KEY_LEFT, "nothing left")

    host = Pretence()
    run = host.run([stage("gives up", gives_up)])
    with pytest.raises(AbortBlock, match="nothing left"):
        run.advance()
    assert host.sent == [SEED]
    assert host.completed == []


def test_an_end_of_something_else_is_no_end_of_a_stage() -> None:
    def exhausted(message: BlockMessage) -> bytes:
        raise StopIteration("key of nobody")

    def talks(block: Any, outcome: Any) -> Program[str]:
        yield SEED
        return "key"

    host = Pretence()
    host.send = exhausted  # type: ignore[method-assign]
    run = host.run([stage("talks", talks)])
    with pytest.raises(StopIteration):
        run.advance()
    assert run.completed == 0
    assert host.completed == []
    assert run.outcome is None


def test_a_run_shows_no_outcome() -> None:
    run = Pretence().run([stage("one", lambda block, outcome: iter_return("secret bits"))])
    run.advance()
    assert "secret bits" not in repr(run)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told(Facts):
    """What a stage of a kind of its own may say."""

    notices: tuple[str, ...] | str
    rounds: int = 0


def test_notices_add_up_and_other_facts_replace_each_other() -> None:
    def says(*told: Told) -> StageProgram:
        def program(block: Any, outcome: Any) -> Program[None]:
            yield from told

        return program

    def reported(*told: Told) -> Any:
        run = Pretence().run([stage("one", says(*told[:1])), stage("two", says(*told[1:]))])
        run.advance()
        run.block.number, run.block.ledger = 3, Ledger()
        return report_of(run, role="bob", kind="toy")

    report = reported(Told(notices=("a",), rounds=1), Told(notices=("b", "c"), rounds=2), Told(notices=(), rounds=3))
    assert (report.notices, report.rounds) == (("a", "b", "c"), 3)
    assert reported(Told(notices=("a",)), Told(notices="b")).notices == "b"
