"""One half of a link: bytes of the peer in, bytes for the peer and events out; no sockets, no clocks, no threads."""

from __future__ import annotations

import hashlib
import secrets
from collections import deque
from collections.abc import Callable, Iterator

from qkdpost.authentication import Transcript
from qkdpost.config import LinkConfig
from qkdpost.conversation import AbortBlock
from qkdpost.errors import (
    AuthenticationError,
    ConfigurationError,
    InputError,
    KeyPoolExhausted,
    LocalProtocolError,
    RemoteProtocolError,
)
from qkdpost.key_pool import KeyPool, PadReference
from qkdpost.messages import (
    Abort,
    AbortReason,
    BlockMessage,
    BlockOpen,
    Close,
    Confirmation,
    Hello,
    Message,
)
from qkdpost.protocols import PROTOCOLS
from qkdpost.records import RawRecords
from qkdpost.session.block import PAD_BYTES, TAGS_OF_A_BLOCK, Block
from qkdpost.session.buffer import ReceiveBuffer
from qkdpost.session.codec import decode, encode
from qkdpost.session.events import (
    BlockAborted,
    ConnectionClosed,
    Event,
    HandshakeCompleted,
    KeyReady,
    StageCompleted,
)
from qkdpost.session.flight import Flight, Host
from qkdpost.session.handshake import check_hello, make_hello, peer_segments
from qkdpost.session.queue import RecordQueue, detections_in
from qkdpost.session.report import BlockReport
from qkdpost.session.states import ConnectionState, Stage

__all__ = ["Session"]

ROLES = ("alice", "bob")


class Session:
    """One host's half of the conversation, over any number of blocks and connections.

    A session owns no socket: give it what the peer sent with `receive_data`, send the peer what `data_to_send`
    returns, and read `events` after every call. Alice holds the string that is kept; Bob cuts the blocks, reports his
    detections and corrects. The n-th record that Alice submits must cover the same pulses as Bob's n-th.

    Args:
        role: "alice" or "bob"; the peer must be the other.
        link: the configuration, equal on both hosts.
        auth_key: the pool of pre-shared key; it is spent and refilled in place, and must be stored by the application
            (`KeyPool.snapshot`) before what `data_to_send` returned is sent. Secret.
        random_source: returns so many truly random bytes; the operating system's generator by default.

    Raises:
        ConfigurationError: an unknown role, or a kind of link that no protocol serves.
    """

    def __init__(
        self,
        *,
        role: str,
        link: LinkConfig,
        auth_key: KeyPool,
        random_source: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        if role not in ROLES:
            raise ConfigurationError(f"role must be 'alice' or 'bob'; found {role!r}")
        self.role = role
        self.link = link
        self._pool = auth_key
        self._random_source = random_source
        self._record_type = PROTOCOLS[link.kind].record_type(role)
        self._queue = RecordQueue()
        self._events: deque[Event] = deque()
        self._outgoing = bytearray()
        self._buffer = ReceiveBuffer(link.largest_message_bytes)
        self._flights: dict[int, Flight] = {}
        self._host = Host(self._send_for, self._fetch, self._stage_completed)
        self.state = ConnectionState.BROKEN
        self.connect()

    # What the application calls.

    def connect(self) -> None:
        """Start a connection: the first, or the next after one that ended. Queues the greeting.

        Raises:
            LocalProtocolError: a connection is open.
        """
        if self.state in (ConnectionState.HANDSHAKE, ConnectionState.OPEN):
            raise LocalProtocolError("a connection is open already; connection_lost() tells that it is gone")
        self.state = ConnectionState.HANDSHAKE
        self._buffer.clear()
        self._outgoing.clear()
        self._next_block = 0
        self._aborted_here: set[int] = set()
        self._flush_below = -1
        self._hello = make_hello(self.role, self.link, self._pool, self._random_source)
        self._hello_frame = encode(self._hello)
        self._peer_hello_frame = b""
        self._nonces = b""
        self._outgoing += self._hello_frame

    def submit(self, record: RawRecords, *, batch: int | None = None) -> None:
        """Hand over a raw record; it becomes part of a block in its turn.

        Args:
            record: of the type that the kind of link and the role call for. Secret.
            batch: its number, if the application counts; must grow. By default one more than the last.

        Raises:
            InputError: a record of another type, too large a record, or a number used already.
            LocalProtocolError: after `finish`.
            RemoteProtocolError, AuthenticationError: what the peer sent ahead of this record was wrong.
        """
        if not isinstance(record, self._record_type):
            raise InputError(
                f"{self.role} of a {self.link.kind} link submits {self._record_type.__name__}, "
                f"found {type(record).__name__}"
            )
        if detections_in(record) > self.link.largest_block_detections:
            raise InputError(
                f"a record of {detections_in(record)} detections exceeds largest_block_detections "
                f"({self.link.largest_block_detections}); submit it in pieces"
            )
        self._queue.append(record, batch)
        self._guarded(self._go_on)

    def flush(self) -> None:
        """Let the records submitted so far become a block even if they are few (Bob; Alice follows)."""
        self._flush_below = self._queue.next_batch
        self._guarded(self._go_on)

    def finish(self) -> None:
        """Say that no more records come: the rest becomes a block, and the connection ends after the last."""
        self._queue.finished = True
        self.flush()

    def receive_data(self, data: bytes | bytearray | memoryview) -> None:
        """Take bytes that the peer sent, in any pieces.

        Raises:
            RemoteProtocolError: the bytes are not of the protocol; every block in flight is dead, the session lives:
                `connect` starts the next connection.
            AuthenticationError: a tag is wrong; likewise.
            LocalProtocolError: no connection is open.
        """
        if self.state is ConnectionState.BROKEN:
            raise LocalProtocolError("the connection is gone; connect() starts the next")
        if self.state is ConnectionState.CLOSED:
            raise RemoteProtocolError("the peer went on after the connection had ended in good order")
        self._buffer.append(data)
        self._guarded(self._read_frames)

    def data_to_send(self) -> bytes:
        """Return what must be sent to the peer now, and forget it."""
        data = bytes(self._outgoing)
        self._outgoing.clear()
        return data

    def events(self) -> Iterator[Event]:
        """Give back what happened since the last call, in order."""
        while self._events:
            yield self._events.popleft()

    def connection_lost(self) -> None:
        """Say that the connection is gone: every block in flight is dead, and what it spent stays spent."""
        if self.state in (ConnectionState.HANDSHAKE, ConnectionState.OPEN):
            self._break(AbortReason.CONNECTION_LOST, "the connection ended while the block was in flight")

    @property
    def blocks_in_flight(self) -> int:
        """How many blocks are being worked on."""
        return len(self._flights)

    # Frames and messages.

    def _guarded(self, action: Callable[[], None]) -> None:
        try:
            action()
        except AuthenticationError as error:
            self._break(AbortReason.AUTHENTICATION_FAILED, str(error))
            raise
        except BaseException as error:
            self._break(AbortReason.PROTOCOL_ERROR, str(error))
            raise

    def _read_frames(self) -> None:
        while self.state in (ConnectionState.HANDSHAKE, ConnectionState.OPEN):
            frame = self._buffer.next_frame()
            if frame is None:
                return
            self._handle(decode(frame), frame)
            self._go_on()

    def _handle(self, message: Message, frame: bytes) -> None:
        match message:
            case Hello():
                self._greet(message, frame)
            case _ if self.state is ConnectionState.HANDSHAKE:
                raise RemoteProtocolError(f"the peer sent {type(message).__name__} before its greeting")
            case Close():
                self._close_by_peer()
            case BlockOpen():
                self._open_by_peer(message, frame)
            case Abort():
                self._abort_by_peer(message)
            case _:
                self._deliver(message, frame)

    def _greet(self, hello: Hello, frame: bytes) -> None:
        if self.state is not ConnectionState.HANDSHAKE:
            raise RemoteProtocolError("the peer greeted twice")
        check_hello(hello, self.role, self.link)
        in_flight = PAD_BYTES * TAGS_OF_A_BLOCK * self.link.blocks_in_flight
        self._pool.reconcile(peer_segments(hello), largest_skip_bytes=in_flight)
        self._peer_hello_frame = frame
        pair = (self._hello.nonce, hello.nonce)
        self._nonces = b"".join(pair if self.role == "alice" else reversed(pair))
        self.state = ConnectionState.OPEN
        self._events.append(HandshakeCompleted())

    def _deliver(self, message: BlockMessage, frame: bytes) -> None:
        if message.block in self._aborted_here:
            return
        flight = self._flights.get(message.block)
        if flight is None:
            raise RemoteProtocolError(
                f"the peer sent {type(message).__name__} for block {message.block}, not in flight"
            )
        report = flight.block.report
        report.messages_received += 1
        report.bytes_received += len(frame)
        if not isinstance(message, Confirmation):
            flight.block.transcript.received(frame)
        self._run(flight, lambda: flight.deliver(message, len(frame)))

    def _send_for(self, block: Block, message: BlockMessage) -> None:
        frame = encode(message)
        block.report.messages_sent += 1
        block.report.bytes_sent += len(frame)
        if not isinstance(message, Confirmation):
            block.transcript.sent(frame)
        self._outgoing += frame

    # Blocks.

    def _go_on(self) -> None:
        if self.state is not ConnectionState.OPEN:
            return
        for flight in list(self._flights.values()):
            self._run(flight, flight.advance)
        if self.role == "bob":
            while self._open_next():
                pass
            if self._queue.finished and self._queue.next_run(1) is None and not self._flights:
                self._outgoing += encode(Close())
                self._close()

    def _open_next(self) -> bool:
        run = self._queue.next_run(self.link.block_detections)
        if run is None or len(self._flights) >= self.link.blocks_in_flight:
            return False
        first, batches, enough = run
        if not enough and first + batches > self._flush_below:
            return False
        number = self._next_block
        self._next_block += 1
        try:
            pads = self._pool.reserve(PAD_BYTES * TAGS_OF_A_BLOCK)
        except KeyPoolExhausted as error:
            self._queue.skip_to(first + batches)
            report = BlockReport(block=number, role=self.role, kind=self.link.kind)
            self._report_abort(report, AbortReason.KEY_POOL_EXHAUSTED, str(error))
            return True
        opening = BlockOpen(block=number, first_batch=first, batches=batches, segment=pads.segment, offset=pads.offset)
        block = self._new_block(opening, pads)
        self._send_for(block, opening)
        self._take_off(block)
        return True

    def _open_by_peer(self, opening: BlockOpen, frame: bytes) -> None:
        if self.role != "alice":
            raise RemoteProtocolError("alice opened a block; bob does that")
        if opening.block != self._next_block and opening.block < self._next_block:
            raise RemoteProtocolError(f"block {opening.block} was opened before")
        if opening.first_batch < self._queue.first_usable:
            raise RemoteProtocolError(f"batch {opening.first_batch} is spent already")
        if len(self._flights) >= self.link.blocks_in_flight:
            raise RemoteProtocolError(f"more than {self.link.blocks_in_flight} blocks in flight")
        self._next_block = opening.block + 1
        length = PAD_BYTES * TAGS_OF_A_BLOCK
        pads = PadReference(segment=opening.segment, offset=opening.offset, length=length)
        self._pool.claim(pads)
        block = self._new_block(opening, pads)
        block.report.messages_received += 1
        block.report.bytes_received += len(frame)
        block.transcript.received(frame)
        self._take_off(block)

    def _new_block(self, opening: BlockOpen, pads: PadReference) -> Block:
        name = hashlib.blake2b(self._nonces + opening.block.to_bytes(8, "little"), digest_size=16).digest()
        transcript = Transcript(self._pool.hash_key, role=self.role)
        transcript.sent(self._hello_frame)
        transcript.received(self._peer_hello_frame)
        return Block(
            number=opening.block,
            role=self.role,
            link=self.link,
            first_batch=opening.first_batch,
            batches=opening.batches,
            identifier=name,
            random_source=self._random_source,
            pool=self._pool,
            pads=pads,
            transcript=transcript,
            report=BlockReport(block=opening.block, role=self.role, kind=self.link.kind),
        )

    def _take_off(self, block: Block) -> None:
        inbox = 4 * self.link.largest_block_detections + self.link.largest_message_bytes
        flight = Flight(block, self._host, inbox)
        self._flights[block.number] = flight
        self._run(flight, flight.advance)

    def _run(self, flight: Flight, action: Callable[[], None]) -> None:
        block = flight.block
        try:
            action()
        except AbortBlock as abort:
            self._land(flight)
            self._aborted_here.add(block.number)
            self._outgoing += encode(Abort(block=block.number, reason=abort.reason))
            self._report_abort(block.report, abort.reason, abort.detail)
            return
        if flight.done:
            self._land(flight)
            if block.key is not None:
                self._events.append(KeyReady(block=block.number, key=block.key, report=block.report))

    def _fetch(self, batch: int) -> RawRecords | None:
        record = self._queue.take(batch)
        if record is None and not self._queue.can_come(batch):
            raise AbortBlock(AbortReason.RECORDS_DISAGREE, f"record {batch} was never submitted on this side")
        return record

    def _stage_completed(self, block: Block, stage: Stage) -> None:
        self._events.append(StageCompleted(block=block.number, stage=stage))

    # Ends.

    def _land(self, flight: Flight) -> None:
        del self._flights[flight.block.number]
        self._pool.release(flight.block.pads)

    def _abort_by_peer(self, abort: Abort) -> None:
        if abort.block in self._aborted_here:
            self._aborted_here.discard(abort.block)
            return
        flight = self._flights.get(abort.block)
        if flight is None:
            raise RemoteProtocolError(f"the peer gave up block {abort.block}, which is not in flight")
        self._land(flight)
        self._outgoing += encode(abort)
        self._report_abort(flight.block.report, abort.reason, "the peer gave the block up for this reason")

    def _report_abort(self, report: BlockReport, reason: AbortReason, detail: str) -> None:
        report.abort_reason = reason.name.lower()
        report.abort_detail = detail
        self._events.append(BlockAborted(block=report.block, reason=reason, detail=detail, report=report))

    def _close_by_peer(self) -> None:
        if self.role != "alice":
            raise RemoteProtocolError("alice ended the connection; bob does that")
        if self._flights:
            raise RemoteProtocolError("the peer ended the connection with blocks in flight")
        self._close()

    def _close(self) -> None:
        self.state = ConnectionState.CLOSED
        self._events.append(ConnectionClosed())

    def _break(self, reason: AbortReason, detail: str) -> None:
        self.state = ConnectionState.BROKEN
        self._outgoing.clear()
        self._buffer.clear()
        for flight in list(self._flights.values()):
            self._land(flight)
            self._report_abort(flight.block.report, reason, detail)
