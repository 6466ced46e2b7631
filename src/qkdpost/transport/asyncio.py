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
from qkdpost.transport.asyncio_line import LOOK_SECONDS, Line
from qkdpost.transport.reconnection import Backoff, Reconnection, passes_by
from qkdpost.transport.silence import Silence
from qkdpost.transport.sole_driver import sole_driver
from qkdpost.transport.turns import Turns, in_turn

__all__ = ["Reconnection", "in_turn", "keep_connected", "run", "serve"]

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
        LocalProtocolError: a driver runs the session already, in this task or another.
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
    silence, threads = Silence(timeout_seconds, keepalive_seconds), threads_of(executor)
    with sole_driver(session):
        async with contextlib.aclosing(_run(session, (reader, writer), silence, idle, threads)) as events:
            async for event in events:
                yield event


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
        LocalProtocolError: another session holds the pool, or a driver runs the session already.
        Exception: whatever `save_pool`, `idle` or `connect` raise.

    Alice calls, Bob answers by `serve`:

    >>> import qkdpost as qp
    >>> import asyncio, os, socket
    >>> link, preshared = qp.LinkConfig(protocol=qp.BB84()), os.urandom(4096)
    >>> async def keys_of(events):
    ...     return [event.key.bits async for event in events if isinstance(event, qp.KeyReady)]
    >>> async def main():
    ...     alice, bob = (qp.Session(role=role, link=link, auth_key=qp.KeyPool(preshared)) for role in ("alice", "bob"))
    ...     for session, record in zip((alice, bob), qp.simulation.bb84(pulses=400_000, rng=1)):
    ...         session.submit(record)
    ...         session.finish()
    ...     with socket.create_server(("127.0.0.1", 0)) as listener:
    ...         call = lambda: asyncio.open_connection(*listener.getsockname())
    ...         return await asyncio.gather(
    ...             keys_of(qp.transport.asyncio.keep_connected(alice, call)),
    ...             keys_of(qp.transport.asyncio.serve(bob, listener)),
    ...         )
    >>> alice, bob = asyncio.run(main())
    >>> alice == bob, len(alice[0]) > 10_000
    (True, True)
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

    A host that waits for its peer, until it is told to stop; `keep_connected` shows both ends:

    >>> import qkdpost as qp
    >>> import asyncio, os, socket
    >>> link, stop = qp.LinkConfig(protocol=qp.BB84()), asyncio.Event()
    >>> session = qp.Session(role="bob", link=link, auth_key=qp.KeyPool(os.urandom(4096)))
    >>> async def answer(listener):
    ...     async for event in qp.transport.asyncio.serve(session, listener, idle=stop.set):
    ...         print(event)
    >>> async def main():
    ...     with socket.create_server(("127.0.0.1", 0)) as listener:
    ...         answering = asyncio.create_task(answer(listener))
    ...         await stop.wait()
    ...         answering.cancel()
    ...         await asyncio.wait({answering})
    ...     return answering.cancelled()
    >>> asyncio.run(main())
    True
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
    Silence(*times)
    with sole_driver(session):
        while True:
            streams = await _meanwhile(reach(), idle, threads)
            if streams is not None:
                wait.began()
                async with contextlib.aclosing(_once(session, streams, idle, threads, times)) as events:
                    async for event in events:
                        yield event
                if session.finished and session.state is ConnectionState.CLOSED:
                    return
            await _meanwhile(asyncio.sleep(wait.next_seconds()), idle, threads)


async def _once(
    session: Session,
    streams: Streams,
    idle: Callable[[], None] | None,
    threads: Executor | None,
    times: tuple[float | None, float | None],
) -> AsyncGenerator[Event, None]:
    """Drive a session over one connection, whose end is an event and not an error."""
    _, writer = streams
    try:
        if not session.state.alive:
            session.connect()
        _LOG.info("connected to %s", writer.get_extra_info("peername"))
        async with contextlib.aclosing(_run(session, streams, Silence(*times), idle, threads)) as events:
            async for event in events:
                yield event
    except (RemoteProtocolError, AuthenticationError) as error:
        _LOG.warning("the connection ended: %s", error)
    finally:
        writer.close()
        with contextlib.suppress(LocalProtocolError):  # a call of another task is at work
            session.connection_lost("closed-here")


async def _run(
    session: Session,
    streams: Streams,
    silence: Silence,
    idle: Callable[[], None] | None,
    threads: Executor | None,
) -> AsyncGenerator[Event, None]:
    line = Line(session, *streams, silence, idle, threads)
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


async def _meanwhile(
    awaited: Awaitable[_Returned], idle: Callable[[], None] | None, threads: Executor | None
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


def __dir__() -> list[str]:
    """Offer the public names alone."""
    return sorted(__all__)
