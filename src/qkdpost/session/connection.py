"""One connection on one side, from the greeting to its end; the next one is made new."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from qkdpost.dialogue.messages import (
    Abort,
    AbortReason,
    Alive,
    BlockOpen,
    Close,
    CorrectionRound,
    Hello,
    Message,
    Ready,
)
from qkdpost.dialogue.program import from_peer
from qkdpost.errors import AuthenticationError, RemoteProtocolError
from qkdpost.session.blocks.table import BlockTable
from qkdpost.session.buffer import ReceiveBuffer
from qkdpost.session.codec import decode, encode
from qkdpost.session.events import ConnectionClosed, ConnectionLost, HandshakeCompleted, LossReason
from qkdpost.session.handshake import check_hello, make_hello, peer_segments, read_greeting
from qkdpost.session.line import Line
from qkdpost.session.record_queue import RecordQueue
from qkdpost.session.states import ConnectionState, next_state
from qkdpost.single_use import SingleUse
from qkdpost.version import printable

__all__ = ["Connection"]

_ALIVE = encode(Alive())
_HANDSHAKE, _OPEN, _CLOSED = ConnectionState.HANDSHAKE, ConnectionState.OPEN, ConnectionState.CLOSED
PACKET_BYTES = 1400
"""What goes over most lines in one packet. Short answers to short messages are sent together up to here."""


Heard: TypeAlias = tuple[Message, bytes]


class Connection(SingleUse):
    """Takes frames, moves through the states, and lets blocks work.

    Args:
        line: where bytes and events go.
        queue: the session's records, which outlive the connection.
    """

    def __init__(self, line: Line, queue: RecordQueue) -> None:
        self.state = ConnectionState.HANDSHAKE
        self.line = line
        self._opens = line.opens
        self.blocks = BlockTable(line, queue)
        self.settled = False
        """Whether there is nothing to do until bytes or records come."""
        self._more = False
        """Whether blocks can go on, or be opened, without bytes or records."""
        self._queue = queue
        self._buffer = ReceiveBuffer(line.link.max_message_bytes)
        self._ahead: deque[Heard] = deque()
        """Messages that were looked at behind a long one and wait for their turn, in the order in which they came."""
        self._quick: deque[Heard] = deque()
        """Short rounds of correction among them, of blocks of which nothing came before: they are heard first."""
        self._hello = make_hello(line.role, line.link, line.pool, line.random_source)
        line.greeting = line.send(self._hello)

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self.state < _CLOSED

    @property
    def busy(self) -> bool:
        """Whether long work is left, and every whole message that was received is taken up."""
        return self._more and self.alive

    def receive(self, data: bytes | bytearray | memoryview) -> None:
        """Take bytes of the peer, and work.

        Raises:
            RemoteProtocolError, AuthenticationError: the peer broke the protocol; the connection is broken.
        """
        self._buffer.append(data)
        self.settled = False
        self.guarded(self._work)

    def work(self) -> None:
        """Go on with what was received."""
        self.guarded(self._work)

    def resume(self) -> None:
        """Let blocks go on that waited for a record or for an empty line, and open new ones."""
        self.guarded(self._resume)
        self._more = self.settled = False  # messages may be held: `work` finds out

    def guarded(self, action: Callable[[], None]) -> None:
        """Whatever goes wrong, no block survives it."""
        try:
            action()
        except AuthenticationError as error:
            self.break_off(AbortReason.AUTHENTICATION_FAILED, "authentication-failed", str(error))
            raise
        except RemoteProtocolError as error:
            self.break_off(AbortReason.PROTOCOL_ERROR, "protocol-error", str(error))
            raise
        except BaseException as error:
            self.break_off(AbortReason.PROTOCOL_ERROR, "failed-here", str(error))
            raise

    def break_off(self, reason: AbortReason, loss: LossReason, detail: str) -> None:
        """End the connection and every block in flight; what they spent stays spent."""
        if not self.alive:
            return
        self.state = ConnectionState.BROKEN
        self.line.outgoing.clear()
        self._buffer.clear()
        self._ahead.clear()
        self._quick.clear()
        self.blocks.kill_all(reason, detail)
        self.line.events.append(ConnectionLost(reason=loss, detail=detail))

    def keepalive(self) -> bytes:
        """Return what may be put on the wire between two frames when there is nothing to say, if the peer takes it.

        Not before the peer's `Ready`: while another thread works, this host's own may not be on the wire yet.
        """
        return _ALIVE if self.state is ConnectionState.OPEN else b""

    def _work(self) -> None:
        """Take a frame, and more until there is enough to send; when there are none, let what paused go on."""
        outgoing = self.line.outgoing
        self._more = False
        while self.state < _CLOSED:
            heard = self._next_heard()
            if heard is None:
                self._resume()
                return
            message, frame = heard
            if self._handle(message, frame):
                self._open_or_close()
            # What is ready does not wait for long work, which long messages bring.
            if outgoing.size and outgoing.size + max(len(frame), self._next_bytes()) > PACKET_BYTES:
                self.settled = self._nothing_is_left()
                return

    def _next_heard(self) -> Heard | None:
        """Return the next message; a short round of correction comes before long messages of other blocks."""
        if not self._ahead and not self._quick:
            frame = self._buffer.next_frame()
            if frame is None:
                return None
            if self.state is _HANDSHAKE:
                return read_greeting(frame), frame
            message = decode(frame)
            if len(frame) <= PACKET_BYTES or not self._buffer.next_bytes:
                return message, frame
            self._ahead.append((message, frame))
        if self._buffer.next_bytes:
            self._look_ahead()
        return (self._quick or self._ahead).popleft()

    def _next_bytes(self) -> int:
        held = self._quick or self._ahead
        return len(held[0][1]) if held else self._buffer.next_bytes

    def _nothing_is_left(self) -> bool:
        """Whether all that was received is heard, no block can go on, and there are no records for another."""
        heard = self._buffer.is_empty and not self._ahead and not self._quick
        return heard and self.blocks.waits_for_peer and not (self._opens and self.blocks.next_run())

    def _look_ahead(self) -> None:
        """Take up what was received: what is short and quickly answered apart, unless more of its block is held."""
        frame = self._buffer.next_frame()
        if frame is None:
            return  # a part of one, as often as it is asked for
        held = {getattr(message, "block", None) for message, _ in self._ahead}
        while frame is not None:
            message = decode(frame)
            quick = type(message) is CorrectionRound and len(frame) <= PACKET_BYTES and message.block not in held
            (self._quick if quick else self._ahead).append((message, frame))
            if not quick:
                held.add(getattr(message, "block", None))
            frame = self._buffer.next_frame()

    def _handle(self, message: Message, frame: bytes) -> bool:
        """Do what a message says; tell whether a block may be opened after it, or the connection end."""
        if type(message) is CorrectionRound and self.state is _OPEN:  # by far the most
            return self.blocks.deliver(message, frame)
        following = next_state(self.state, type(message), peer_opens=not self._opens)
        match message:
            case Hello():
                self._greet(message, frame)
            case Ready():
                self._hear_ready(message)
            case Alive():
                pass
            case Close():
                self._close_by_peer()
            case BlockOpen():
                self.blocks.open_by_peer(message, frame)
            case Abort():
                self.blocks.abort_by_peer(message)
            case _:
                self.blocks.deliver(message, frame)
        self.state = following
        return True

    def _greet(self, hello: Hello, frame: bytes) -> None:
        line = self.line
        line.protocol_version = check_hello(hello, line.role, line.link)
        line.peer_release = printable(hello.release)
        with from_peer("the list of segments"):
            line.pool.synchronise(peer_segments(hello))
        line.peer_greeting = frame
        line.peer_accumulated_epsilon = hello.accumulated_epsilon
        pair = (self._hello.nonce, hello.nonce)
        line.nonces = b"".join(reversed(pair) if line.opens else pair)
        line.send(Ready(nonce=hello.nonce))

    def _hear_ready(self, ready: Ready) -> None:
        """The peer heard the greeting, and so reckons with what this side's key pool has spent."""
        if ready.nonce != self._hello.nonce:
            raise RemoteProtocolError("the peer answers a greeting that this host did not send")
        line = self.line
        line.events.append(HandshakeCompleted(protocol_version=line.protocol_version, peer_release=line.peer_release))
        line.pool_level.look()

    def _resume(self) -> None:
        is_open = self.state is _OPEN
        self._more = is_open and (self.blocks.advance_all(self._says_enough) or self._open_or_close())
        self.settled = not self._more and self.blocks.waits_for_peer

    def _says_enough(self) -> bool:
        """Whether what is to be sent should not wait for what other blocks may say."""
        return self.line.outgoing.size > PACKET_BYTES

    def _open_or_close(self) -> bool:
        """Open what blocks may be, or end the connection; return True where another may be opened later."""
        if not self._opens or self.state is not _OPEN:
            return False
        while self.blocks.open_next():
            if self._says_enough():
                return True  # the peer can begin with this one while the next is made
        if self.blocks.idle and self._queue.finished and (self.blocks.next_run() is None or self.blocks.exhausted):
            self.line.send(Close())
            self._close()
        return False

    def _close_by_peer(self) -> None:
        if not self.blocks.idle:
            raise RemoteProtocolError("the peer ended the connection with blocks in flight")
        self._close()

    def _close(self) -> None:
        self.state = ConnectionState.CLOSED
        self.line.events.append(ConnectionClosed())
