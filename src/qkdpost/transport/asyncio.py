"""An asyncio driver: one session over a pair of streams, and over the next ones when these end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from concurrent.futures import Executor
from typing import TypeAlias, TypeVar

from qkdpost.checks import instance
from qkdpost.errors import (
    AuthenticationError,
    LocalProtocolError,
    QkdpostError,
    RemoteProtocolError,
)
from qkdpost.session.events import Event
from qkdpost.session.session import Session
from qkdpost.session.states import ConnectionState
from qkdpost.threads import threads_of
from qkdpost.transport.reconnection import Backoff, Reconnection, passes_by
from qkdpost.transport.silence import Silence
from qkdpost.transport.turns import TURNS, Turns, in_turn

__all__ = ["Reconnection", "in_turn", "keep_connected", "run", "serve"]

CHUNK_BYTES = 2**18
LOOK_SECONDS = 0.05
"""How soon what another task submitted is sent, on a line on which nothing else moves."""
KEEPALIVE_SECONDS = 15.0
TIMEOUT_SECONDS = 60.0

_LOG = logging.getLogger("qkdpost.transport")
_Returned = TypeVar("_Returned")
Streams: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def run(
    session: Session,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    *,
    timeout_seconds: float | None = None,
    keepalive_seconds: float | None = None,
    idle: Callable[[], None] | None = None,
    executor: Executor | None = None,
) -> AsyncGenerator[Event, None]:
    """Drive `session` over the streams until the connection ends, and yield its events as they come.

    Without `executor` the session works in the event loop, which stands still meanwhile: for a second and more where
    blocks are large. With one, every call of the session is made in a thread of it, one at a time, and the event loop
    is free; sessions of several links share the cores. Submit records before, from the loop that consumes the events,
    from `idle`, or from any task by `in_turn`. The streams are left open.

    Args:
        session: in the state `HANDSHAKE` or `OPEN`.
        reader: of the connection.
        writer: of the connection.
        timeout_seconds: give the connection up if nothing moves for so long; by default never. Silence alone counts:
            not how long a block takes, nor the work of this host. Where the peer's driver works in one thread, as the
            blocking one, the time must be longer than the work on a block.
        keepalive_seconds: tell the peer after so much silence that this host is there, so that it may set a
            `timeout_seconds` though there be nothing to say for hours; by default never.
        idle: called some twenty times a second while nothing moves, in the executor if there is one; may submit
            records.
        executor: of threads, such as `concurrent.futures.ThreadPoolExecutor`; it is not shut down.

    Raises:
        InputError: no session, or no times.
        ConfigurationError: an executor of processes: a session cannot be sent to another.
        RemoteProtocolError, AuthenticationError: as `Session.receive_data`; the events of the blocks that died are
            yielded first.
        Exception: whatever `save_pool` or `idle` raise.

    >>> import qkdpost as qp
    >>> import asyncio, os, socket
    >>> link, preshared = qp.LinkConfig(protocol=qp.BB84()), os.urandom(4096)
    >>> async def drive(role, end, record):
    ...     session = qp.Session(role=role, link=link, auth_key=qp.KeyPool(preshared))
    ...     session.submit(record)
    ...     session.finish()
    ...     events = qp.transport.asyncio.run(session, *await asyncio.open_connection(sock=end))
    ...     return [event.key.bits async for event in events if isinstance(event, qp.KeyReady)]
    >>> async def main():
    ...     sides = zip(("alice", "bob"), socket.socketpair(), qp.simulation.bb84(pulses=400_000, rng=1))
    ...     return await asyncio.gather(*(drive(*side) for side in sides))
    >>> alice, bob = asyncio.run(main())
    >>> alice == bob, len(alice[0]) > 10_000
    (True, True)
    """
    line = _Line(session, reader, writer, Silence(timeout_seconds, keepalive_seconds), idle, threads_of(executor))
    error: QkdpostError | None = None
    try:
        while error is None and session.state.alive:
            try:
                await line.step()
            except QkdpostError as caught:
                error = caught
            for event in session.events():
                yield event
        if error is not None:
            raise error
        await line.say_the_rest()
    finally:
        line.close()


async def keep_connected(
    session: Session,
    connect: Callable[[], Awaitable[Streams]],
    *,
    reconnection: Reconnection = Reconnection(),  # noqa: B008 frozen
    timeout_seconds: float | None = TIMEOUT_SECONDS,
    keepalive_seconds: float | None = KEEPALIVE_SECONDS,
    idle: Callable[[], None] | None = None,
    executor: Executor | None = None,
) -> AsyncGenerator[Event, None]:
    """Drive `session` over one connection after another, until both hosts have finished; yield its events.

    What ended a connection is in its event `ConnectionLost`; nothing of it is raised here, since a stranger's wrong
    word must not end a host. Watch for losses by "protocol-error" and "authentication-failed" that come again: an
    operator is needed then. Between two attempts the wait doubles, within bounds, and is drawn.

    Args:
        session: whose connection has not begun, or has ended.
        connect: makes a pair of streams, as `asyncio.open_connection`; given up after `timeout_seconds`. An `OSError`
            means that there is no line at present. The streams are closed here.
        reconnection: how long to wait in between.
        timeout_seconds: see `run`.
        keepalive_seconds: see `run`; the peer should do the same.
        idle: see `run`; also called while there is no connection.
        executor: see `run`.

    Raises:
        InputError, ConfigurationError: as `run`.
        LocalProtocolError: another session holds the pool.
        Exception: whatever `save_pool`, `idle` or `connect` raise.
    """
    wait = Backoff(reconnection)
    threads = threads_of(executor)

    async def called() -> Streams | None:
        try:
            async with asyncio.timeout(timeout_seconds):
                return await connect()
        except OSError as error:
            _LOG.warning("no connection to the peer: %s", error)
            return None

    kept = _kept(session, called, wait, idle, threads, (timeout_seconds, keepalive_seconds))
    async with contextlib.aclosing(kept) as events:
        async for event in events:
            wait.heard(event)
            yield event


async def serve(
    session: Session,
    listener: socket.socket,
    *,
    reconnection: Reconnection = Reconnection(),  # noqa: B008 frozen
    timeout_seconds: float | None = TIMEOUT_SECONDS,
    keepalive_seconds: float | None = KEEPALIVE_SECONDS,
    idle: Callable[[], None] | None = None,
    executor: Executor | None = None,
) -> AsyncGenerator[Event, None]:
    """Drive `session` over the connections that are made to `listener`, one at a time; else as `keep_connected`.

    Who connects meanwhile waits; a peer that lost its power is let in again when the old line has been silent for
    `timeout_seconds`. Whoever can reach the port can hold it: let only the peer.

    Args:
        session: whose connection has not begun, or has ended.
        listener: as `socket.create_server` makes it; it is left open.
        reconnection: only its `first_seconds` is waited between two connections.
        timeout_seconds: see `run`.
        keepalive_seconds: see `run`; the peer should do the same.
        idle: see `run`; also called while there is no connection.
        executor: see `run`.

    Raises:
        InputError, ConfigurationError, LocalProtocolError, Exception: as `keep_connected`.
    """
    instance("listener", listener, socket.socket)
    listener.setblocking(False)
    wait = Backoff(Reconnection(first_seconds=reconnection.first_seconds, most_seconds=reconnection.first_seconds))

    async def accepted() -> Streams | None:
        try:
            connection, _ = await asyncio.get_running_loop().sock_accept(listener)
        except OSError as error:
            if not passes_by(error):
                raise
            _LOG.warning("a connection could not be accepted: %s", error)
            return None
        try:
            return await asyncio.open_connection(sock=connection)
        except OSError:
            connection.close()
            return None

    kept = _kept(session, accepted, wait, idle, threads_of(executor), (timeout_seconds, keepalive_seconds))
    async with contextlib.aclosing(kept) as events:
        async for event in events:
            yield event


async def _kept(
    session: Session,
    reach: Callable[[], Awaitable[Streams | None]],
    wait: Backoff,
    idle: Callable[[], None] | None,
    threads: Executor | None,
    times: tuple[float | None, float | None],
) -> AsyncGenerator[Event, None]:
    instance("session", session, Session)
    Silence(*times)
    while True:
        streams = await _meanwhile(reach(), session, idle, threads)
        if streams is not None:
            wait.began()
            async with contextlib.aclosing(_once(session, streams, idle, threads, times)) as events:
                async for event in events:
                    yield event
            if session.finished and session.state is ConnectionState.CLOSED:
                return
        await _meanwhile(asyncio.sleep(wait.next_seconds()), session, idle, threads)


async def _once(
    session: Session,
    streams: Streams,
    idle: Callable[[], None] | None,
    threads: Executor | None,
    times: tuple[float | None, float | None],
) -> AsyncGenerator[Event, None]:
    """Drive a session over one connection, whose end is an event and not an error."""
    reader, writer = streams
    try:
        if not session.state.alive:
            session.connect()
        _LOG.info("connected to %s", writer.get_extra_info("peername"))
        events = run(
            session, reader, writer, timeout_seconds=times[0], keepalive_seconds=times[1], idle=idle, executor=threads
        )
        async with contextlib.aclosing(events):
            async for event in events:
                yield event
    except (RemoteProtocolError, AuthenticationError) as error:
        _LOG.warning("the connection ended: %s", error)
    finally:
        writer.close()
        with contextlib.suppress(LocalProtocolError):  # a call of another task is at work
            session.connection_lost("closed-here")


async def _meanwhile(
    awaited: Awaitable[_Returned], session: Session, idle: Callable[[], None] | None, threads: Executor | None
) -> _Returned:
    """Wait for something, and call `idle` as often as on a quiet line."""
    task = asyncio.ensure_future(awaited)
    try:
        while True:
            done, _ = await asyncio.wait({task}, timeout=None if idle is None else LOOK_SECONDS)
            if done:
                return task.result()
            if idle is not None:
                await Turns(threads).call(idle)
    finally:
        if not task.done():
            task.cancel()


class _Line:
    """The streams of one connection, and what is on its way through them."""

    def __init__(
        self,
        session: Session,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        silence: Silence,
        idle: Callable[[], None] | None,
        executor: Executor | None,
    ) -> None:
        self._session = instance("session", session, Session)
        self._reader = reader
        self._writer = writer
        self._silence = silence
        self._idle = idle
        self._turns = TURNS[session] = Turns(executor)
        self._loop = asyncio.get_running_loop()
        self._receiving: asyncio.Task[bytes] | None = None
        self._sending: asyncio.Task[None] | None = None
        words = silence.seconds_to_word < float("inf")
        self._speaking = asyncio.create_task(self._speak()) if words else None

    async def step(self) -> None:
        """Say what is to be said, or hear, or wait. No more is read before what was received has been answered."""
        await self._work(None)
        if self._receiving is None:
            self._receiving = asyncio.create_task(self._receive())
            self._receiving.add_done_callback(lambda _: self._turns.wake.set())
        await self._wait()
        if self._receiving.done():
            data = self._receiving.result()
            self._receiving = None
            await self._work(data)
            self._silence.moved()
        elif self._silence.is_too_long:
            await self._turns.call(lambda: self._session.connection_lost("timed-out"))
        elif self._idle is not None:
            await self._turns.call(self._idle)

    async def say_the_rest(self) -> None:
        """Hand over what was said at the end, and wait until it is on its way, if the peer takes it."""
        await self._work(None)
        if self._sending is not None:
            left = self._silence.seconds_left
            await asyncio.wait({self._sending}, timeout=None if left == float("inf") else left)

    def close(self) -> None:
        """End the driving; what came and was not heard is missing for ever."""
        if TURNS.get(self._session) is self._turns:
            del TURNS[self._session]
        if self._receiving is not None and self._receiving.done() and self._session.state.alive:
            self._session.connection_lost("closed-here")
        for task in (self._receiving, self._sending, self._speaking):
            if task is not None and not task.done():
                task.cancel()

    async def _work(self, data: bytes | None) -> None:
        """Let the session hear bytes, and then say what it has to say, piece by piece."""
        if self._turns.in_threads:
            await self._turns.call(lambda: self._work_in_thread(data))
            return
        if data is not None:
            self._take(data)
        while answer := self._session.data_to_send():
            self._write(answer)
            await asyncio.sleep(0)

    def _work_in_thread(self, data: bytes | None) -> None:
        """The same in a thread: the first answer is on its way while the next is made."""
        if data is not None:
            self._take(data)
        while answer := self._session.data_to_send():
            self._loop.call_soon_threadsafe(self._write, answer)

    def _take(self, data: bytes) -> None:
        if data:
            self._session.receive_data(data)
        else:
            self._session.connection_lost("peer-closed")

    async def _wait(self) -> None:
        """Wait for bytes, for another task's call, or for a time to look."""
        wake = self._turns.wake
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(LOOK_SECONDS, self._silence.seconds_left)):
                await wake.wait()
        wake.clear()

    async def _receive(self) -> bytes:
        try:
            return await self._reader.read(CHUNK_BYTES)
        except OSError:
            return b""

    def _write(self, data: bytes) -> None:
        """Hand bytes to the transport without waiting for the peer to read them; its buffer is drained beside."""
        self._writer.write(data)
        self._silence.sent()
        self._silence.moved()
        self._drain()

    def _drain(self) -> None:
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._drained())

    async def _drained(self) -> None:
        with contextlib.suppress(OSError):
            await self._writer.drain()

    async def _speak(self) -> None:
        """Say that this host is there, also while it works; whole frames alone are ever written."""
        while True:
            await asyncio.sleep(self._silence.seconds_to_word)
            if self._silence.wants_a_word:
                self._writer.write(self._session.keepalive())
                self._silence.sent()


def __dir__() -> list[str]:
    """Offer the public names alone."""
    return sorted(__all__)
