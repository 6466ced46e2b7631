"""The blocks of one side: opened, driven, ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from qkdpost.dialogue.messages import UNFIT_RECORD, Abort, AbortReason, BlockMessage, BlockOpen, Confirmation
from qkdpost.dialogue.program import AbortBlock, from_peer
from qkdpost.errors import InputError, KeyPoolExhausted, RemoteProtocolError
from qkdpost.health import RecordHealth
from qkdpost.keys import PadReference
from qkdpost.keys.price import PADS_OF_A_BLOCK_BYTES
from qkdpost.records import RawRecord
from qkdpost.session.blocks.block import Block
from qkdpost.session.blocks.report import BlockReport
from qkdpost.session.blocks.run import Flight, Host
from qkdpost.session.connection import Connection
from qkdpost.session.events import BlockAborted, KeyReady, StageCompleted
from qkdpost.session.record_queue import RecordQueue
from qkdpost.session.states import Stage
from qkdpost.single_use import SingleUse

__all__ = ["Blocks"]

COMMITMENT_BYTES = 32


@dataclass(slots=True)
class Blocks(SingleUse):
    """All blocks in flight over one connection.

    A block that this side gave up stays known until the peer has said that it heard so: what the peer sent before is
    then ignored instead of taken for a breach of the protocol.
    """

    connection: Connection
    queue: RecordQueue
    flights: dict[int, Flight] = field(default_factory=dict)
    unanswered_aborts: set[int] = field(default_factory=set)
    _exhausted_at: int = -1
    _next_number: int = 0

    @property
    def idle(self) -> bool:
        """Whether nothing is in flight and nothing is awaited."""
        return not self.flights and not self.unanswered_aborts

    @property
    def exhausted(self) -> bool:
        """Whether authentication key ran out with nothing in flight that could bring more, and none was supplied."""
        return self._exhausted_at == self.connection.pool.revision

    def next_run(self, flushed_below: int) -> tuple[int, int] | None:
        """Return first number and count of the records that the next block would cover, or None."""
        link = self.connection.link
        return self.queue.next_run(link.blocks.detections, link.blocks.max_detections, flushed_below)

    # Opening.

    def open_next(self, flushed_below: int) -> bool:
        """Open a block over the oldest records, if there are enough and a place is free; the opener calls this.

        Without authentication key none is opened, and the records stay. The blocks in flight may bring new key; if
        there are none, that is told once.
        """
        if len(self.flights) >= self.connection.link.blocks.in_flight or self.exhausted:
            return False
        run = self.next_run(flushed_below)
        if run is None:
            return False
        commitment = self.connection.random_source(COMMITMENT_BYTES)
        try:
            pads = self.connection.pool.reserve(PADS_OF_A_BLOCK_BYTES)
        except KeyPoolExhausted as error:
            if self.idle:
                self._exhausted_at = self.connection.pool.revision
                report = self._new_report(self._next_number)
                self._report_abort(report, AbortReason.KEY_POOL_EXHAUSTED, str(error))
            return False
        number = self._next_number
        self._next_number += 1
        first, batches = run
        self.queue.claim(first, batches)
        self.connection.pool.charge_block(self.connection.link.security.epsilon)
        opening = BlockOpen(
            block=number,
            first_batch=first,
            batches=batches,
            segment=pads.segment,
            offset=pads.offset,
            commitment=commitment,
            accumulated_epsilon=self.connection.pool.accumulated_epsilon,
        )
        flight = self._new_flight(opening, pads, 0.0)
        self._send(flight.block, opening)
        self._run(flight, flight.advance)
        return True

    def open_by_peer(self, opening: BlockOpen, frame: bytes) -> None:
        """Open the block that the peer opened.

        Raises:
            RemoteProtocolError: its number, records or pads were used before, or too many blocks are in flight.
        """
        link = self.connection.link
        if opening.block < self._next_number:
            raise RemoteProtocolError(f"block {opening.block} was opened before")
        if len(self.flights) >= link.blocks.in_flight:
            raise RemoteProtocolError(f"more than {link.blocks.in_flight} blocks in flight")
        pads = PadReference(segment=opening.segment, offset=opening.offset, length=PADS_OF_A_BLOCK_BYTES)
        self.queue.claim(opening.first_batch, opening.batches)
        try:
            with from_peer("the pads"):
                self.connection.pool.claim(pads)
        except RemoteProtocolError:
            self.queue.release(opening.first_batch, confirmed=False)
            raise
        self._next_number = opening.block + 1
        self.connection.pool.charge_block(link.security.epsilon)
        flight = self._new_flight(opening, pads, opening.accumulated_epsilon)
        _record_received(flight.block, opening, frame)
        self._run(flight, flight.advance)

    def _new_flight(self, opening: BlockOpen, pads: PadReference, told_epsilon: float) -> Flight:
        connection = self.connection
        block = Block(
            number=opening.block,
            role=connection.role,
            link=connection.link,
            first_batch=opening.first_batch,
            batches=opening.batches,
            identifier=connection.block_identifier(opening.block),
            random_source=connection.random_source,
            pool=connection.pool,
            pads=pads,
            transcript=connection.new_transcript(),
            report=self._new_report(opening.block),
            peer_accumulated_epsilon=max(connection.peer_accumulated_epsilon, told_epsilon),
        )
        sizes = connection.link.blocks
        host = Host(self._send, self._fetch, self._all_held, self._stage_completed, lambda: not connection.outgoing)
        flight = Flight(block, host, 4 * sizes.max_detections + sizes.max_message_bytes)
        self.flights[opening.block] = flight
        return flight

    def _new_report(self, number: int) -> BlockReport:
        connection = self.connection
        return BlockReport(
            block=number,
            role=connection.role,
            kind=connection.link.protocol.kind,
            accumulated_epsilon=connection.pool.accumulated_epsilon,
        )

    # Driving.

    def advance_all(self) -> None:
        """Let every block go on that waited for a record, or for what it said to be sent."""
        for flight in list(self.flights.values()):
            self._run(flight, flight.advance)

    def deliver(self, message: BlockMessage, frame: bytes) -> None:
        """Hand a message of the peer to its block.

        Raises:
            RemoteProtocolError: the block is not in flight, or does not accept the message.
            AuthenticationError: the message is a confirmation with a wrong tag.
        """
        if message.block in self.unanswered_aborts:
            return
        flight = self._flight(message)
        _record_received(flight.block, message, frame)
        self._run(flight, lambda: flight.deliver(message, len(frame)))

    def _flight(self, message: BlockMessage) -> Flight:
        flight = self.flights.get(message.block)
        if flight is None:
            raise RemoteProtocolError(
                f"the peer sent {type(message).__name__} for block {message.block}, which is not in flight"
            )
        return flight

    def _run(self, flight: Flight, action: Callable[[], None]) -> None:
        block = flight.block
        try:
            action()
        except AbortBlock as abort:
            self._give_up(flight, abort)
            return
        except InputError as error:
            # Where the peer's words are handed over, `from_peer` says so; what comes here is this host's own.
            detail = f"this host cannot work on its own record: {error}"
            self._give_up(flight, AbortBlock(AbortReason.RECORD_UNUSABLE, detail))
            return
        if flight.done:
            self._land(flight, confirmed=True)
            if block.key is not None:
                self.connection.events.append(KeyReady(block=block.number, key=block.key, report=block.report))

    def _give_up(self, flight: Flight, abort: AbortBlock) -> None:
        block = flight.block
        self._land(flight)
        self._drop_if_unfit(block, abort.reason)
        self.unanswered_aborts.add(block.number)
        self.connection.send(Abort(block=block.number, reason=abort.reason))
        block.report.aborted_by = block.role
        self._report_abort(block.report, abort.reason, abort.detail)

    def _send(self, block: Block, message: BlockMessage) -> None:
        frame = self.connection.send(message)
        block.report.messages_sent += 1
        block.report.bytes_sent += len(frame)
        if not isinstance(message, Confirmation):
            block.transcript.sent(frame)

    def _fetch(self, batch: int) -> RawRecord | None:
        record = self.queue.take(batch)
        if record is None:
            self._check_can_come(batch)
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

    def _check_can_come(self, batch: int) -> None:
        if not self.queue.can_come(batch):
            raise AbortBlock(AbortReason.RECORDS_DISAGREE, f"record {batch} was never submitted on this side")

    def _stage_completed(self, block: Block, stage: Stage) -> None:
        self.connection.events.append(StageCompleted(block=block.number, stage=stage))

    # Ending.

    def abort_by_peer(self, abort: Abort) -> None:
        """End a block that the peer gave up, and say that it was heard.

        Raises:
            RemoteProtocolError: the block is not in flight.
        """
        if abort.block in self.unanswered_aborts:
            self.unanswered_aborts.discard(abort.block)
            return
        flight = self._flight(abort)
        self._land(flight)
        self._drop_if_unfit(flight.block, abort.reason)
        self.connection.send(abort)
        flight.block.report.aborted_by = "bob" if flight.block.role == "alice" else "alice"
        self._report_abort(flight.block.report, abort.reason, _why_given_up(flight.block.report, abort.reason))

    def _drop_if_unfit(self, block: Block, reason: AbortReason) -> None:
        """A record that a host did not take is judged alike the next time, and its peer's fits no other."""
        if reason in UNFIT_RECORD:
            self.queue.drop(block.first_batch, block.batches)

    def kill_all(self, reason: AbortReason, detail: str) -> None:
        """End every block because the connection ended."""
        for flight in list(self.flights.values()):
            self._land(flight)
            self._report_abort(flight.block.report, reason, detail)

    def _land(self, flight: Flight, *, confirmed: bool = False) -> None:
        block = flight.block
        del self.flights[block.number]
        self.connection.pool.release(block.pads)
        self.queue.release(block.first_batch, confirmed=confirmed)

    def _report_abort(self, report: BlockReport, reason: AbortReason, detail: str) -> None:
        report.abort_reason = reason.name.lower()
        report.abort_detail = detail
        self.connection.events.append(BlockAborted(block=report.block, reason=reason, detail=detail, report=report))


def _why_given_up(report: BlockReport, reason: AbortReason) -> str:
    """Say that the peer ended the block, and what this side knows of the reason."""
    known = report.secret.reason if reason is AbortReason.NO_KEY_LEFT and report.secret is not None else ""
    return f"the peer gave the block up for this reason{'; by the counts here: ' if known else ''}{known}"


def _record_received(block: Block, message: BlockMessage, frame: bytes) -> None:
    block.report.messages_received += 1
    block.report.bytes_received += len(frame)
    if not isinstance(message, Confirmation):
        block.transcript.received(frame)
