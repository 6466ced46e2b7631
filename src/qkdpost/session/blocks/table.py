"""The blocks of one side: opened, driven, ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from qkdpost.checks import instance
from qkdpost.dialogue.messages import UNFIT_RECORD, Abort, AbortReason, BlockMessage, BlockOpen
from qkdpost.dialogue.program import RECEIVE, TURN, AbortBlock, from_peer
from qkdpost.dialogue.roles import Role
from qkdpost.errors import InputError, KeyPoolExhausted, LocalProtocolError, RemoteProtocolError
from qkdpost.health import RecordHealth
from qkdpost.keys import PadReference
from qkdpost.keys.price import PADS_OF_A_BLOCK_BYTES
from qkdpost.keys.secret_key import SecretKey
from qkdpost.records import RawRecord
from qkdpost.session.blocks.report import BlockReport, report_of
from qkdpost.session.blocks.run import BlockRun, Host
from qkdpost.session.events import BlockAborted, KeyReady, StageCompleted
from qkdpost.session.line import Line
from qkdpost.session.record_queue import RecordQueue
from qkdpost.single_use import SingleUse
from qkdpost.stages.block import Block, Duty

__all__ = ["BlockTable"]

COMMITMENT_BYTES = 32


@dataclass(slots=True)
class BlockTable(SingleUse):
    """All blocks in flight over one connection.

    A block that this side gave up stays known until the peer has said that it heard so: what the peer sent before is
    then ignored instead of taken for a breach of the protocol.
    """

    line: Line
    queue: RecordQueue
    runs: dict[int, BlockRun] = field(default_factory=dict)
    unanswered_aborts: set[int] = field(default_factory=set)
    _waiting_here: set[int] = field(default_factory=set)
    """The blocks in flight that wait for something of this host, and not for the peer's next message."""
    _exhausted_at: int = -1
    _next_number: int = 0

    @property
    def idle(self) -> bool:
        """Whether nothing is in flight and nothing is awaited."""
        return not self.runs and not self.unanswered_aborts

    @property
    def waits_for_peer(self) -> bool:
        """Whether no block can go on, and none can be opened, before the peer says something or a record comes."""
        return not self._waiting_here and not self.exhausted

    @property
    def exhausted(self) -> bool:
        """Whether authentication key ran out with nothing in flight that could bring more, and none was supplied."""
        return self._exhausted_at == self.line.pool.revision

    def next_run(self) -> tuple[int, int] | None:
        """Return first number and count of the records that the next block would cover, or None."""
        blocks = self.line.link.blocks
        return self.queue.next_run(blocks.detections, blocks.max_detections)

    # Opening.

    def open_next(self) -> bool:
        """Open a block over the oldest records, if there are enough and a place is free; the opener calls this.

        Without authentication key none is opened, and the records stay. The blocks in flight may bring new key; if
        there are none, that is said once.
        """
        line = self.line
        if len(self.runs) >= line.link.blocks.in_flight:
            return False
        following = self.next_run()
        if following is None or self.exhausted:
            return False
        commitment = line.random_source(COMMITMENT_BYTES)
        try:
            pads = line.pool.reserve(PADS_OF_A_BLOCK_BYTES)
        except KeyPoolExhausted as error:
            line.pool_level.look()
            self._report_exhausted(str(error))
            return False
        line.pool_level.look()
        number = self._next_number
        self._next_number += 1
        first, count = following
        self.queue.claim(first, count)
        line.pool.charge_block(line.link.security.epsilon)
        opening = BlockOpen(
            block=number,
            first_record=first,
            records=count,
            segment=pads.segment,
            offset=pads.offset,
            commitment=commitment,
            accumulated_epsilon=line.pool.accumulated_epsilon,
        )
        run = self._new_run(opening, pads, 0.0)
        run.send(opening)
        self._advance(run, run.advance)
        return True

    def open_by_peer(self, opening: BlockOpen, frame: bytes) -> None:
        """Open the block that the peer opened.

        Raises:
            RemoteProtocolError: its number, records or pads were used before, or too many blocks are in flight.
        """
        link = self.line.link
        if opening.block < self._next_number:
            raise RemoteProtocolError(f"block {opening.block} was opened before")
        if len(self.runs) >= link.blocks.in_flight:
            raise RemoteProtocolError(f"more than {link.blocks.in_flight} blocks in flight")
        pads = PadReference(segment=opening.segment, offset=opening.offset, length=PADS_OF_A_BLOCK_BYTES)
        self.queue.claim(opening.first_record, opening.records)
        try:
            with from_peer("the pads"):
                self.line.pool.claim(pads)
        except RemoteProtocolError:
            self.queue.release(opening.first_record, confirmed=False)
            raise
        self._next_number = opening.block + 1
        self.line.pool_level.look()
        self.line.pool.charge_block(link.security.epsilon)
        run = self._new_run(opening, pads, opening.accumulated_epsilon)
        run.note_received(opening, frame)
        self._advance(run, run.advance)

    def _new_run(self, opening: BlockOpen, pads: PadReference, peer_epsilon: float) -> BlockRun:
        """Make the run of a block whose pads and records were claimed; if that fails, nobody claims them any longer."""
        line, blocks = self.line, self.line.link.blocks
        try:
            block = self._new_block(opening, pads, peer_epsilon)
        except BaseException:  # of a kind from outside the library, for instance
            line.pool.release(pads)
            self.queue.release(opening.first_record, confirmed=False)
            raise
        host = Host(line.send, self._fetch, self._all_held, self._stage_completed, lambda: not line.outgoing.size)
        max_inbox_bytes = 4 * blocks.max_detections + line.link.max_message_bytes
        run = BlockRun(block, line.protocol.stages, host, max_inbox_bytes, line.pool.accumulated_epsilon)
        self.runs[opening.block] = run
        self._waiting_here.add(opening.block)
        return run

    def _new_block(self, opening: BlockOpen, pads: PadReference, peer_epsilon: float) -> Block:
        line, link, protocol = self.line, self.line.link, self.line.protocol
        duty = protocol.duty(line.role)
        return Block(
            number=opening.block,
            duty=duty,
            record_numbers=range(opening.first_record, opening.first_record + opening.records),
            identifier=line.block_identifier(opening.block),
            settings=link.protocol,
            test_probability=link.protocol.stated_test_probability(line.role),
            correction=link.correction,
            security=link.security,
            blocks=link.blocks,
            record_limits=link.record_limits,
            needs_one_way=link.needs_one_way,
            bound=protocol.bound_of_block(link.protocol, link.security),
            random_source=line.random_source,
            pool=line.pool,
            pads=pads,
            transcript=line.new_transcript(reference=duty is Duty.REFERENCE),
            peer_accumulated_epsilon=max(line.peer_accumulated_epsilon, peer_epsilon),
        )

    # Driving.

    def advance_all(self, enough: Callable[[], bool]) -> bool:
        """Let blocks go on that waited for a record, for what they said to be sent, or for their turn.

        It ends when enough was said, or a block had its turn; returns whether it did so.
        """
        for number in sorted(self._waiting_here):
            run = self.runs[number]
            turn = run.waits_for is TURN
            self._advance(run, run.advance)
            if turn or enough():
                return True
        return False

    def deliver(self, message: BlockMessage, frame: bytes) -> bool:
        """Hand a message of the peer to its block; tell whether the block ended with that.

        Raises:
            RemoteProtocolError: the block is not in flight, or does not accept the message.
            AuthenticationError: the message is a confirmation with a wrong tag.
        """
        run = self.runs.get(message.block)
        if run is not None:
            return self._advance(run, run.deliver, message, frame)
        if message.block not in self.unanswered_aborts:
            raise _not_in_flight(message)
        return False

    def _advance(self, run: BlockRun, action: Callable[..., None], *arguments: object) -> bool:
        """Let a block go on; tell whether it ended with that."""
        try:
            action(*arguments)
        except AbortBlock as abort:
            self._give_up(run, abort)
            return True
        except InputError as error:
            # Where the peer's words are handed over, `from_peer` says so; what comes here is this host's own.
            detail = f"this host cannot work on its own record: {error}"
            self._give_up(run, AbortBlock(AbortReason.RECORD_UNUSABLE, detail))
            return True
        if run.waits_for is RECEIVE:
            if self._waiting_here:
                self._waiting_here.discard(run.block.number)
        elif not run.done:
            self._waiting_here.add(run.block.number)
        else:
            self._confirm(run)
            return True
        return False

    def _fetch(self, number: int) -> RawRecord | None:
        record = self.queue.take(number)
        if record is None:
            self._check_can_come(number)
        return record

    def _all_held(self, numbers: range) -> tuple[RecordHealth, ...] | None:
        """Return the counts of all records of a block, once all are in."""
        healths = []
        for number in numbers:
            health = self.queue.health(number)
            if health is None:
                self._check_can_come(number)
                return None
            healths.append(health)
        return tuple(healths)

    def _check_can_come(self, number: int) -> None:
        if not self.queue.can_come(number):
            raise AbortBlock(AbortReason.RECORDS_DISAGREE, f"record {number} was never submitted on this side")

    def _stage_completed(self, block: Block, stage: str) -> None:
        self.line.events.append(StageCompleted(block=block.number, stage=stage))

    # Ending.

    def abort_by_peer(self, abort: Abort) -> None:
        """End a block that the peer gave up, and say that it was heard.

        Raises:
            RemoteProtocolError: the block is not in flight.
        """
        if abort.block in self.unanswered_aborts:
            self.unanswered_aborts.discard(abort.block)
            return
        run = self.runs.get(abort.block)
        if run is None:
            raise _not_in_flight(abort)
        if abort.reason is AbortReason.TOO_FEW_BITS and abort.block in self._waiting_here:
            # It has not counted its own bits yet: once it has, it can name the threshold that is missed.
            self._advance(run, run.advance)
            if abort.block in self.unanswered_aborts:
                self.unanswered_aborts.discard(abort.block)
                return
            if abort.block not in self.runs:
                raise _not_in_flight(abort)
        self._retire(run)
        self._drop_if_unfit(run.block, abort.reason)
        self.line.send(abort)
        detail = _why_given_up(self._report(run), abort.reason)
        self._tell_abort(self._report(run), abort.reason, detail, self.line.peer_role)

    def kill_all(self, reason: AbortReason, detail: str) -> None:
        """End every block because the connection ended."""
        for run in list(self.runs.values()):
            self._retire(run)
            self._tell_abort(self._report(run), reason, detail, None)

    def _give_up(self, run: BlockRun, abort: AbortBlock) -> None:
        self._retire(run)
        self._drop_if_unfit(run.block, abort.reason)
        self.unanswered_aborts.add(run.block.number)
        self.line.send(Abort(block=run.block.number, reason=abort.reason))
        self._tell_abort(self._report(run), abort.reason, abort.detail, self.line.role)

    def _confirm(self, run: BlockRun) -> None:
        key = instance("what the last stage returns", run.outcome, SecretKey, error=LocalProtocolError)
        self._retire(run, confirmed=True)
        self.line.events.append(KeyReady(block=run.block.number, key=key, report=self._report(run)))

    def _drop_if_unfit(self, block: Block, reason: AbortReason) -> None:
        """A record that a host did not take is judged the same the next time, and its peer's fits no other."""
        if reason in UNFIT_RECORD:
            self.queue.drop(block.record_numbers)

    def _retire(self, run: BlockRun, *, confirmed: bool = False) -> None:
        del self.runs[run.block.number]
        self._waiting_here.discard(run.block.number)
        self.line.pool.release(run.block.pads)
        self.line.pool_level.look()
        self.queue.release(run.block.record_numbers.start, confirmed=confirmed)

    def _report(self, run: BlockRun) -> BlockReport:
        return report_of(run, role=self.line.role, kind=self.line.link.protocol.kind)

    def _report_exhausted(self, detail: str) -> None:
        """Say once that authentication key ran out, where nothing in flight could bring more."""
        if self.idle:
            self._exhausted_at = self.line.pool.revision
            report = BlockReport(
                block=self._next_number,
                role=self.line.role,
                kind=self.line.link.protocol.kind,
                accumulated_epsilon=self.line.pool.accumulated_epsilon,
            )
            self._tell_abort(report, AbortReason.KEY_POOL_EXHAUSTED, detail, None)

    def _tell_abort(self, report: BlockReport, reason: AbortReason, detail: str, by: Role | None) -> None:
        report = replace(report, abort_reason=reason.name.lower(), abort_detail=detail, aborted_by=by)
        self.line.events.append(BlockAborted(block=report.block, reason=reason, detail=detail, report=report))


def _not_in_flight(message: BlockMessage) -> RemoteProtocolError:
    return RemoteProtocolError(
        f"the peer sent {type(message).__name__} for block {message.block}, which is not in flight"
    )


def _why_given_up(report: BlockReport, reason: AbortReason) -> str:
    """Say that the peer ended the block, and what this side knows of the reason."""
    known = report.secret.reason if reason is AbortReason.NO_KEY_LEFT and report.secret is not None else ""
    return f"the peer gave the block up for this reason{'; by the counts here: ' if known else ''}{known}"
