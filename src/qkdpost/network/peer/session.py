"""The conversation of two key managers over one pool, see `PeerSession`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from qkdpost.checks import whole_number
from qkdpost.errors import (
    InputError,
    LocalProtocolError,
    NotEnoughKey,
    PeerUnavailable,
    RemoteProtocolError,
    StoreUnavailable,
)
from qkdpost.network.messages.framed import AssignKeys, CarrySegment, Message
from qkdpost.network.peer.codec import Incoming, decode_greeting, encode_greeting, is_frame
from qkdpost.network.peer.credit import key_room
from qkdpost.network.peer.flight import Flight
from qkdpost.network.peer.greeting_exchange import GreetingExchange
from qkdpost.network.peer.handler import MessageHandler
from qkdpost.network.peer.outbox import Outbox, is_repeatable
from qkdpost.network.peer.receiving import receive_frame
from qkdpost.network.peer.sending import OpenFrame, send_waiting
from qkdpost.network.peer.tags import TAG_BYTES, Tagger
from qkdpost.network.pool.pool import Pool
from qkdpost.single_use import SingleUse

__all__ = ["PeerSession"]

PATIENCE_SECONDS = 2.0


class PeerSession(SingleUse):
    """One end of the conversation over a pool, over any number of connections, one after another.

    Bytes in, bytes out: it has no socket, clock or thread. Everything is called in the open transaction of a turn, and
    what it made leaves after the commit:

        peer.receive_data(data)      effects, marks and answers, all in the turn
        peer.prepare()               frames what waits, writes the marks; the last before the commit
        store.commit()
        peer.committed()             from now on data_to_send() gives what the turn made
        peer.data_to_send()

    After an error of the commit nobody knows what is durable: drop the session with its pool, reopen the store, and
    build them anew. A new session skips part of its direction with its first connection, see `pool.settling`.

    After a `RemoteProtocolError` commit the turn, so that a wrong tag is counted durably, then close the connection and
    call `connection_lost`.

    *What this promises.* No byte of a direction is made into two texts, whatever breaks, is lost, repeated or restored
    on one side. A message that is taken came from the other end, up to the bound of `tags`. What is confirmed, the
    other end has durably. *What it does not.* The greetings are guarded by TLS alone: whoever breaks it can make key be
    lost. If both stores are put back, or one is and TLS is broken, pads may be used twice. A restored store holds keys
    again that were delivered and erased since; and what the lost store had confirmed to others may be unknown here.

    Args:
        pool: of this key manager and the other.
        handlers: for each type of message, who takes it.
        pending: returns the identifiers of transfers from here to the other end that are not over.

    >>> from qkdpost import network
    >>> topology = network.Topology(
    ...     sites=[network.Site(name="north"), network.Site(name="south")],
    ...     links=[network.Link(between=("north", "south"), kind="bb84", length_km=20.0)],
    ... )
    >>> north = network.KeyManager(name="north", store=network.MemoryStore(), topology=topology)
    >>> north.advance(0.0)
    ()
    >>> isinstance(north.peer("south"), network.PeerSession)
    True
    """

    instead: ClassVar[str] = "build another one of the store when this one is gone"

    def __init__(
        self,
        pool: Pool,
        handlers: Mapping[type, MessageHandler] | None = None,
        *,
        pending: Callable[[], Sequence[bytes]] | None = None,
    ) -> None:
        self.pool = pool
        self.handlers = dict(handlers or {})
        self.outbox = Outbox(pool.store, pool.identifier)
        self.flight = Flight()
        self.taggers: dict[int, tuple[bytes, Tagger]] = {}
        self.open: OpenFrame | None = None
        self._pending = pending
        self._is_fresh = True
        self._exchange: GreetingExchange | None = None
        self._is_dead = self._is_broken = False
        self._incoming = Incoming()
        self._made = bytearray()
        self._outgoing = bytearray()
        self._is_prepared = False
        self._stands_since: float | None = None

    @property
    def name(self) -> str:
        """The key manager at the other end."""
        return self.pool.peer_name

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection, ready or not."""
        return self._exchange is not None

    @property
    def ready(self) -> bool:
        """Whether both ends have stored each other's marks, so that frames may be sent."""
        return self._exchange is not None and self._exchange.ready and not self._is_dead

    @property
    def restored(self) -> bool:
        """Whether the other end showed, on this connection, that this store is an old one that was put back.

        Keys that such a store calls assigned may have been delivered since: they are void here, and nobody is told.
        """
        return self._exchange is not None and self._exchange.restored

    # The connection.

    def connection_made(self) -> None:
        """Begin a connection with a greeting.

        Raises:
            LocalProtocolError: there is one already.
        """
        if self._exchange is not None:
            raise LocalProtocolError(f"{self!r} has a connection: call connection_lost() when it has ended")
        self._is_prepared = False
        self._exchange = GreetingExchange(self.pool, fresh=self._is_fresh, pending=self._pending)
        for greeting in self._exchange.opening():
            self._made += encode_greeting(greeting)

    def receive_data(self, data: bytes | bytearray | memoryview) -> None:
        """Take bytes of the other end; what they do is in the turn when this returns.

        Raises:
            RemoteProtocolError: they are not of the protocol, or a tag is wrong. Nothing of the frame or greeting that
                was wrong is done. Commit, close the connection, call `connection_lost`.
            LocalProtocolError: there is no connection.
        """
        if self._exchange is None:
            raise LocalProtocolError(f"{self!r} has no connection: call connection_made() first")
        if self._is_dead:
            raise RemoteProtocolError("the peer broke the protocol before; this connection is dead")
        self._is_prepared = False
        self._incoming.add(data)
        try:
            while (whole := self._incoming.next()) is not None:
                self._take(self._exchange, whole)
        except RemoteProtocolError:
            self._is_dead = True
            raise
        except BaseException:
            self._is_dead = self._is_broken = True  # nobody knows how much of this turn was done
            raise

    def _take(self, exchange: GreetingExchange, whole: bytes) -> None:
        if is_frame(whole):
            if not exchange.is_stored:
                raise RemoteProtocolError("the peer sent a frame before its mark was stored here")
            receive_frame(self, whole)
            return
        for answer in exchange.receive(decode_greeting(whole)):
            self._made += encode_greeting(answer)
        if exchange.ready:
            self._is_fresh = False

    def connection_lost(self) -> None:
        """End a connection. What must arrive waits for the next one; keys and shares on their way are broken."""
        if self._exchange is None:
            return
        self._is_prepared = False
        self._exchange = None
        self._is_dead = False
        self._incoming = Incoming()
        self._made = bytearray()
        self._outgoing = bytearray()
        self._stands_since = None
        self.abandon_open_frame()
        self.outbox.broken()
        frames, self.flight = self.flight.frames, Flight()
        self.pool.unconfirmed_grants.clear()
        for frame in frames:
            for message in frame.messages:
                if isinstance(message, AssignKeys | CarrySegment) and (handler := self.handlers.get(type(message))):
                    handler.broken(self, message)

    # The turn.

    def prepare(self) -> None:
        """Frame what waits, and write what has changed; after all else in a turn, before its commit. In every turn.

        Raises:
            StoreUnavailable: something failed in `receive_data`: the turn must not become durable.
        """
        if self._is_broken:
            raise StoreUnavailable("what came from the peer was done in part only: nothing of the turn may be recorded")
        if self.ready and self._exchange is not None:
            send_waiting(self)
            for greeting in self._exchange.news():
                self._made += encode_greeting(greeting)
        else:
            self.abandon_open_frame()
        self.pool.write()
        self._is_prepared = True

    def committed(self) -> None:
        """Let go of what the turn made; after its commit.

        Raises:
            LocalProtocolError: `prepare` was not called, so that marks may not be durable.
        """
        if not self._is_prepared:
            raise LocalProtocolError("prepare() comes before the commit, or marks are not in it; drop this session")
        self._is_prepared = False
        self._outgoing += self._made
        self._made = bytearray()

    def data_to_send(self) -> bytes:
        """Return the bytes of the turns that are committed, once."""
        data = bytes(self._outgoing)
        self._outgoing = bytearray()
        return data

    def advance(self, now_seconds: float) -> bool:
        """Tell whether the connection should be closed and made again: it stands still with a full window.

        Args:
            now_seconds: of any clock that never goes back.
        """
        if not self.ready or not self.is_standing:
            self._stands_since = None
            return False
        if self._stands_since is None:
            self._stands_since = now_seconds
        return now_seconds - self._stands_since >= PATIENCE_SECONDS

    def progressed(self) -> None:
        """Note that the other end has confirmed something."""
        self._stands_since = None

    @property
    def is_standing(self) -> bool:
        """Whether something waits, and only what is unconfirmed keeps it from being sent."""
        kept = self.pool.own.window - self.pool.settings.answer_bytes(self.pool.own.window)
        return self.flight.unconfirmed_bytes > 0 and self.flight.unconfirmed_bytes + 2 * TAG_BYTES > kept

    # Sending.

    def room_bytes(self) -> int:
        """Return what a frame of keys may take now of this side's direction, its tag aside; 0 if none can be sent."""
        return key_room(self.pool, self.flight, self.outbox) if self.ready else 0

    def segments_ahead(self, count: int) -> int:
        """Return from how many segments the tag of the next frame and `count` bytes more come.

        Args:
            count: of bytes; at most `room_bytes`.
        """
        return len(self.pool.own.next_ranges(TAG_BYTES + count))

    def open_frame(self, lengths: Sequence[int]) -> OpenFrame:
        """Take the next stretch of this side's direction for keys, or as pads.

        The bytes are spent with this call. The frame is sent at once with `OpenFrame.send`; one that is not when the
        next is opened, or the turn ends, is sent empty.

        Args:
            lengths: of each key or pad, in bytes.

        Raises:
            NotEnoughKey: together they are more than `room_bytes`.
            PeerUnavailable: the connection is not ready.
        """
        wanted = [whole_number("length", length, least=1) for length in lengths]
        if not self.ready:
            raise PeerUnavailable(f"{self.name} is not connected, so that nothing can be assigned to it; try again")
        self._is_prepared = False
        self.abandon_open_frame()
        room = self.room_bytes()
        if sum(wanted) > room:
            raise NotEnoughKey(f"{sum(wanted)} bytes of key were wanted; {room} can be spent with {self.name} now")
        self.open = OpenFrame(self, wanted)
        return self.open

    def abandon_open_frame(self) -> None:
        """Close a frame whose messages never came."""
        if self.open is not None:
            self.open.abandon()
            self.open = None

    def queue(self, message: Any) -> None:
        """Send a message that consumes no key: as soon as there is a pad, and again after a break until it is taken.

        Raises:
            InputError: it gives key away, so that it may not be said twice.
        """
        if not is_repeatable(message):
            raise InputError(f"a {type(message).__name__} cannot wait in the outbox; open a frame for it")
        self._is_prepared = False
        self.outbox.add(message)
        self.flight.settled((message,))

    # For the modules that make and read frames.

    def tag(self, data: bytes | bytearray, pad: bytes | bytearray, segment: int, direction: int) -> bytes:
        """Return the tag of a frame whose pad begins in `segment`."""
        owner = self.pool.hash_key_owner(segment)
        kept = self.taggers.get(direction)
        if kept is None or kept[0] != owner:
            kept = owner, Tagger(self.pool.hash_key(owner, direction))
            self.taggers[direction] = kept
        return kept[1].tag(data, pad)

    def emit(self, data: bytes | bytearray) -> None:
        """Have bytes leave after the commit."""
        self._made += data

    def confirmed(self, message: Message) -> None:
        """Tell the handler of a message that the other end has it."""
        handler = self.handlers.get(type(message))
        if handler is not None:
            handler.confirmed(self, message)

    def __repr__(self) -> str:
        state = "ready" if self.ready else "connected" if self._exchange is not None else "not connected"
        return f"PeerSession(name={self.name!r}, {state})"
