"""One half of a link: bytes of the peer in, bytes for the peer and events out; no sockets, no clocks, no threads."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator

from qkdpost.checks import choice, described, instance
from qkdpost.config import LinkConfig
from qkdpost.dialogue.messages import Abort, AbortReason, BlockOpen, Close, Hello, Message, Ready
from qkdpost.dialogue.program import from_peer
from qkdpost.errors import (
    AuthenticationError,
    ConfigurationError,
    InputError,
    LocalProtocolError,
    RemoteProtocolError,
)
from qkdpost.keys import KeyPool
from qkdpost.reconciliation.method import check_decoder
from qkdpost.records import RawRecord
from qkdpost.session.blocks.table import Blocks
from qkdpost.session.buffer import ReceiveBuffer
from qkdpost.session.codec import decode
from qkdpost.session.connection import Connection
from qkdpost.session.events import ConnectionClosed, Event, HandshakeCompleted
from qkdpost.session.handshake import check_hello, make_hello, peer_segments
from qkdpost.session.intake import check_record
from qkdpost.session.record_queue import RecordQueue
from qkdpost.session.states import ConnectionState
from qkdpost.single_use import SingleUse

__all__ = ["Session"]

ROLES = ("alice", "bob")


class Session(SingleUse):
    """One host's half of the conversation, over any number of blocks and connections.

    A session owns no socket: give it what the peer sent with `receive_data`, send the peer what `data_to_send`
    returns, and read `events` after every call. Alice holds the string that is kept; Bob cuts the blocks, reports his
    detections and corrects. The n-th record that Alice submits must cover the same pulses as Bob's n-th.

    A session holds its pool while its connection is open. It lets go when that ends, by `finish`, an error or
    `connection_lost`, or when the session is forgotten; another session may then have the pool, and this one have it
    back by `connect`. A session cannot be copied, pickled or sent to another process: make it where it is wanted, of
    the pool that `KeyPool.restore` makes there.

    Args:
        role: "alice" or "bob"; the peer must be the other.
        link: the configuration, equal on both hosts.
        auth_key: the pool of pre-shared key; it is spent and refilled in place. Secret.
        random_source: returns so many truly random bytes; the operating system's generator by default. Every seed,
            nonce and hash key of the conversation is drawn from it. It does not serve what is drawn where records are
            made and matched. The bits of double clicks in `Detections` are drawn when the record is made, by a
            `random_source` of its own. Of `TimeTags`, the outcomes of double clicks, the bases of cross clicks, and
            where in its tick a click of a coarse tagger lies, come from the operating system's generator (`secrets`)
            always.
        save_pool: stores what it is given, the pool's `snapshot`, so that it survives a power cut when it returns. It
            is called by `data_to_send` whenever the pool has changed, before any byte is handed out that was made with
            it; if it raises, none is. It is called where a tag is found wrong, too; if it raises there, the next
            `data_to_send` tells. As long as it has not succeeded after that, do not restart from what was stored
            before: the same pad would check a second tag. Without `save_pool`, the application must do all this
            itself, after every `receive_data` and `data_to_send` and before it sends: store `auth_key.snapshot()` if
            `auth_key.revision` has grown. A pad that is used again after a restart discloses the keys of the
            authentication. The snapshot is secret; an error that leaves `save_pool` carries it in its frames, if it
            was kept in a variable there.

    Raises:
        ConfigurationError: an unknown role, no configuration or pool, a link that no bound can be had for, or a
            decoder of LDPC codes that this host has not.
        LocalProtocolError: another session, whose connection is open, holds the pool.
    """

    def __init__(
        self,
        *,
        role: str,
        link: LinkConfig,
        auth_key: KeyPool,
        random_source: Callable[[int], bytes] = secrets.token_bytes,
        save_pool: Callable[[bytes], None] | None = None,
    ) -> None:
        if not isinstance(auth_key, KeyPool):
            found = type(auth_key).__name__
            del auth_key  # which may be the key itself
            raise ConfigurationError(f"auth_key must be a KeyPool; found a {found}. Write auth_key=KeyPool(preshared)")
        role = choice("role", role, ROLES, error=ConfigurationError)
        instance("link", link, LinkConfig, hint="write link=LinkConfig(...)", error=ConfigurationError)
        _check_callables(random_source, save_pool)
        check_decoder(link.correction)
        self.role = role
        self.link = link
        self._save_pool = save_pool
        self._saved_revision = -1
        self._queue = RecordQueue()
        self._flushed_below = 0
        self._buffer = ReceiveBuffer(link.blocks.max_message_bytes)
        self._connection = Connection(role=role, link=link, pool=auth_key, random_source=_counted(random_source))
        self._blocks = Blocks(self._connection, self._queue)
        self.state = ConnectionState.BROKEN
        self.connect()

    # What the application calls.

    def connect(self) -> None:
        """Start a connection: the first, or the next after one that ended. Queues the greeting.

        Each connection wants a stream of its own: what a peer sends on the old one after its end is not read.

        Raises:
            LocalProtocolError: a connection is open, or another session holds the pool of authentication key.
        """
        if self._connected:
            raise LocalProtocolError("a connection is open already; connection_lost() tells that it is gone")
        connection = self._connection
        hello = make_hello(self.role, self.link, connection.pool, connection.random_source)
        connection.pool.take_hold(self)
        self.state = ConnectionState.HANDSHAKE
        self._buffer.clear()
        connection.outgoing.clear()
        connection.peer_greeting = b""
        connection.peer_accumulated_epsilon = 0.0
        self._blocks = Blocks(connection, self._queue)
        self._hello = hello
        connection.greeting = connection.send(self._hello)

    def submit(self, record: RawRecord, *, batch: int | None = None) -> None:
        """Hand over a raw record; it becomes part of a block in its turn.

        Args:
            record: of the type that the kind of link and the role call for, when all its rounds are over: the peer may
                tell bases as soon as it is in. Secret. No round is submitted twice, not even where its block died: two
                blocks would disclose parities of the same bits and make two keys of them. The same object is refused;
                that one is a copy of another, or overlaps it, nobody can tell here. A block closes with its 512th
                record, however few detections these hold, and the hosts must stay within 1,024 records of each other.
            batch: its number, if the application counts; must grow, and stay below 2^31. By default one more than
                the last.

        Raises:
            InputError: a record of another type, too large a record, time tags that cannot be told, intensities that
                are not those of the link, a record that was submitted before, or a number that is none or was used
                already.
            LocalProtocolError: after `finish`.

        What the peer sent ahead of this record may turn out to be wrong: then the connection ends, the events tell of
        every block that died, and the record is held for the next connection.
        """
        check_record(record, self.role, self.link)
        self._queue.append(record, batch)
        self._go_on_or_break()

    def flush(self) -> None:
        """Let the records submitted so far become a block even if they are few (Bob; Alice follows)."""
        self._flushed_below = self._queue.next_batch
        self._go_on_or_break()

    def finish(self) -> None:
        """Say that no more records come: the rest becomes a block, and the connection ends after the last."""
        self._queue.finished = True
        self.flush()

    def receive_data(self, data: bytes | bytearray | memoryview) -> None:
        """Take bytes that the peer sent, in any pieces.

        What cannot be worked on yet is held, however much it is: as long as `data_to_send` has something, an
        application that reads no more from the line keeps that small, as the drivers do.

        Raises:
            InputError: no bytes.
            RemoteProtocolError: the bytes are not of the protocol; every block in flight is dead, the session lives:
                `connect` starts the next connection.
            AuthenticationError: a tag is wrong; likewise.
            LocalProtocolError: no connection is open.
        """
        if not isinstance(data, bytes | bytearray | memoryview):
            raise InputError(f"data must be bytes as the peer sent them; found {described(data)}")
        if self.state is ConnectionState.BROKEN:
            raise LocalProtocolError("the connection is gone; connect() starts the next")
        if self.state is ConnectionState.CLOSED:
            raise RemoteProtocolError("the peer went on after the connection had ended in good order")
        self._buffer.append(data)
        self._guarded(self._work)

    def data_to_send(self) -> bytes:
        """Return what must be sent to the peer now, and forget it; call it until it returns nothing.

        A session works in steps, so that the peer can begin with the first answer while the next is made: as long as
        there is something to send, the rest of what was received waits. The pool of authentication key is saved
        first, if it has changed and the session was told how.

        Raises:
            RemoteProtocolError, AuthenticationError: as `receive_data`.
            Exception: whatever `save_pool` raises; nothing is handed out then, and the next call tries again.
        """
        try:
            if not self._connection.outgoing and self._connected:
                self._guarded(self._work)
        finally:
            self._save()
        data = bytes(self._connection.outgoing)
        self._connection.outgoing.clear()
        return data

    def events(self) -> Iterator[Event]:
        """Give back what happened since the last call, in order."""
        while self._connection.events:
            yield self._connection.events.popleft()

    def connection_lost(self) -> None:
        """Say that the connection is gone: every block in flight is dead, and what it spent stays spent."""
        if self._connected:
            self._break(AbortReason.CONNECTION_LOST, "the connection ended while the block was in flight")

    @property
    def blocks_in_flight(self) -> int:
        """How many blocks are being worked on."""
        return len(self._blocks.flights)

    @property
    def records_waiting(self) -> int:
        """How many records are held that no block has taken yet.

        Nothing limits them: while the line is down, an application that must not grow submits no more, and later goes
        on with a number (`batch`) that both sides reckon with.
        """
        return self._queue.waiting

    def __repr__(self) -> str:
        return f"Session(role={self.role!r}, state={self.state.name}, blocks_in_flight={self.blocks_in_flight})"

    def _save(self) -> None:
        pool = self._connection.pool
        if self._save_pool is not None and self._saved_revision != pool.revision:
            revision = pool.revision
            self._save_pool(pool.snapshot())
            self._saved_revision = revision

    # The connection.

    @property
    def _connected(self) -> bool:
        return self.state in (ConnectionState.HANDSHAKE, ConnectionState.OPEN)

    def _go_on_or_break(self) -> None:
        with contextlib.suppress(RemoteProtocolError, AuthenticationError):
            self._guarded(self._go_on)

    def _guarded(self, action: Callable[[], None]) -> None:
        """Whatever goes wrong, no block survives it."""
        try:
            action()
        except AuthenticationError as error:
            self._break(AbortReason.AUTHENTICATION_FAILED, str(error))
            # No pad may check a second tag after a restart. What cannot be stored now, the next data_to_send tells.
            with contextlib.suppress(Exception):
                self._save()
            raise
        except BaseException as error:
            self._break(AbortReason.PROTOCOL_ERROR, str(error))
            raise

    def _work(self) -> None:
        """Take a frame, and more until there is something to send; when there are none, let what paused go on."""
        while self._connected:
            frame = self._buffer.next_frame()
            if frame is None:
                self._go_on()
                return
            self._handle(decode(frame), frame)
            self._open_or_close()
            if self._connection.outgoing:
                return

    def _handle(self, message: Message, frame: bytes) -> None:
        match message:
            case Hello():
                self._greet(message, frame)
            case Ready() if self._peer_greeted:
                self._hear_ready(message, frame)
            case _ if self.state is ConnectionState.HANDSHAKE:
                raise RemoteProtocolError(f"the peer sent {type(message).__name__} before its greeting")
            case Close() | BlockOpen() if self.role != "alice":
                raise RemoteProtocolError(f"alice sent {type(message).__name__}; bob does that")
            case Close():
                self._close_by_peer()
            case BlockOpen():
                self._blocks.open_by_peer(message, frame)
            case Abort():
                self._blocks.abort_by_peer(message)
            case Ready():
                raise RemoteProtocolError("the peer answers a greeting before its own")
            case _:
                self._blocks.deliver(message, frame)

    def _greet(self, hello: Hello, frame: bytes) -> None:
        if self.state is not ConnectionState.HANDSHAKE or self._peer_greeted:
            raise RemoteProtocolError("the peer greeted twice")
        check_hello(hello, self.role, self.link)
        connection = self._connection
        with from_peer("the list of segments"):
            connection.pool.synchronise(peer_segments(hello))
        connection.peer_greeting = frame
        connection.peer_accumulated_epsilon = hello.accumulated_epsilon
        pair = (self._hello.nonce, hello.nonce)
        connection.nonces = b"".join(pair if self.role == "alice" else reversed(pair))
        connection.send(Ready(nonce=hello.nonce))

    @property
    def _peer_greeted(self) -> bool:
        return bool(self._connection.peer_greeting)

    def _hear_ready(self, ready: Ready, frame: bytes) -> None:
        """The peer heard the greeting, and so reckons with what this side's key pool has spent."""
        if self.state is not ConnectionState.HANDSHAKE or ready.nonce != self._hello.nonce:
            raise RemoteProtocolError("the peer answers a greeting that this host did not send")
        self.state = ConnectionState.OPEN
        self._connection.events.append(HandshakeCompleted())

    def _go_on(self) -> None:
        if self.state is ConnectionState.OPEN:
            self._blocks.advance_all()
            self._open_or_close()

    def _open_or_close(self) -> None:
        if self.role != "bob" or self.state is not ConnectionState.OPEN:
            return
        while self._blocks.open_next(self._flushed_below):
            pass
        if not self._queue.finished or not self._blocks.idle:
            return
        if self._blocks.next_run(self._flushed_below) is None or self._blocks.exhausted:
            self._connection.send(Close())
            self._close()

    def _close_by_peer(self) -> None:
        if not self._blocks.idle:
            raise RemoteProtocolError("the peer ended the connection with blocks in flight")
        self._close()

    def _close(self) -> None:
        self.state = ConnectionState.CLOSED
        self._connection.pool.let_go(self)
        self._connection.events.append(ConnectionClosed())

    def _break(self, reason: AbortReason, detail: str) -> None:
        self.state = ConnectionState.BROKEN
        self._connection.outgoing.clear()
        self._buffer.clear()
        self._blocks.kill_all(reason, detail)
        self._connection.pool.let_go(self)


def _counted(random_source: Callable[[int], bytes]) -> Callable[[int], bytes]:
    """Return the source, which then gives as many bytes as were asked or raises."""

    def draw(count: int) -> bytes:
        drawn = random_source(count)
        if isinstance(drawn, bytes | bytearray) and len(drawn) == count:
            return bytes(drawn)
        found = described(drawn) if not isinstance(drawn, str) else "text"
        del drawn
        raise ConfigurationError(f"random_source must return as many bytes as it is asked, {count}; found {found}")

    return draw


def _check_callables(random_source: object, save_pool: object) -> None:
    if not callable(random_source):
        raise ConfigurationError(f"random_source must be a function of a number; found {described(random_source)}")
    if save_pool is not None and not callable(save_pool):
        raise ConfigurationError(f"save_pool must be a function of a snapshot; found {described(save_pool)}")
