"""A blocking driver: one session over one connected socket, and over the next ones when these end, in one thread."""

from __future__ import annotations

import contextlib
import logging
import socket
import time
from collections.abc import Callable, Iterator

from qkdpost.checks import instance
from qkdpost.errors import AuthenticationError, QkdpostError, RemoteProtocolError
from qkdpost.session.events import Event
from qkdpost.session.session import Session
from qkdpost.session.states import ConnectionState
from qkdpost.transport.blocking_line import IDLE_SECONDS, Line
from qkdpost.transport.reconnection import Backoff, Reconnection, passes_by
from qkdpost.transport.silence import Silence
from qkdpost.transport.sole_driver import sole_driver

__all__ = ["Reconnection", "keep_connected", "run", "serve"]

KEEPALIVE_SECONDS = 15.0
TIMEOUT_SECONDS = 60.0

_LOG = logging.getLogger("qkdpost.transport")


def run(
    session: Session,
    connection: socket.socket,
    *,
    timeout_seconds: float | None = None,
    keepalive_seconds: float | None = None,
    idle: Callable[[], None] | None = None,
) -> Iterator[Event]:
    """Drive `session` over `connection` until the connection ends, and yield its events as they come.

    Sends and receives at once, so that two hosts with much to say never wait for each other. Submit records before,
    from the loop that consumes the events, or from `idle`: a session belongs to one thread. The socket is left open and
    blocking. Leaving the loop early is allowed; where bytes were still to be sent, the connection is then lost.

    Args:
        session: in the state `HANDSHAKE` or `OPEN`.
        connection: a connected stream socket.
        timeout_seconds: give the connection up if nothing moves for so long; by default never. It must be longer than
            a peer works that says nothing meanwhile, as one with this driver.
        keepalive_seconds: tell the peer after so much silence that this host is there; by default never. Nothing is
            told while the session works.
        idle: called some twenty times a second while nothing moves; may submit records.

    Raises:
        InputError: no session, or no times.
        LocalProtocolError: a driver runs the session already.
        RemoteProtocolError, AuthenticationError: as `Session.receive_data`; the events of the blocks that died are
            yielded first.
        Exception: whatever `save_pool` or `idle` raise; where no bytes were under way the session lives, and `run` may
            be called again.

    >>> import qkdpost as qp
    >>> import os, socket, threading
    >>> link, preshared = qp.LinkConfig(protocol=qp.BB84()), os.urandom(4096)
    >>> ends, keys = socket.socketpair(), []
    >>> def drive(role, end, record):
    ...     session = qp.Session(role=role, link=link, auth_key=qp.KeyPool(preshared))
    ...     session.submit(record)
    ...     session.finish()
    ...     events = qp.transport.blocking.run(session, end)
    ...     keys.extend(event.key for event in events if isinstance(event, qp.KeyReady))
    >>> sides = zip(("alice", "bob"), ends, qp.simulation.bb84(pulses=400_000, rng=1))
    >>> threads = [threading.Thread(target=drive, args=side) for side in sides]
    >>> for thread in threads:
    ...     thread.start()
    >>> for thread in threads:
    ...     thread.join()
    >>> keys[0].bits == keys[1].bits, len(keys[0].bits) > 10_000
    (True, True)
    """
    silence = Silence(timeout_seconds, keepalive_seconds)
    with sole_driver(session):
        yield from _run(session, connection, silence, idle)


def keep_connected(
    session: Session,
    connect: Callable[[], socket.socket],
    *,
    reconnection: Reconnection = Reconnection(),  # noqa: B008 frozen
    timeout_seconds: float | None = TIMEOUT_SECONDS,
    keepalive_seconds: float | None = KEEPALIVE_SECONDS,
    idle: Callable[[], None] | None = None,
) -> Iterator[Event]:
    """Drive `session` over one connection after another, until both hosts have finished; yield its events.

    What ended a connection is in its event `ConnectionLost`; nothing of it is raised here, since a stranger's wrong
    word must not end a host. Watch for losses by "protocol-error" and "authentication-failed" that come again: an
    operator is needed then. Between two attempts the wait doubles, within bounds, and is drawn.

    Args:
        session: whose connection has not begun, or has ended.
        connect: returns a connected stream socket, as `socket.create_connection`, within a time of its own. An
            `OSError` means that there is no line at present. The socket is closed here.
        reconnection: how long to wait in between.
        timeout_seconds: see `run`.
        keepalive_seconds: see `run`; the peer should do the same.
        idle: see `run`; also called while there is no connection, but not while `connect` works.

    Raises:
        InputError: as `run`.
        LocalProtocolError: another session holds the pool, or a driver runs the session already.
        Exception: whatever `save_pool`, `idle` or `connect` raise.

    Where nobody answers it calls again and again; `serve` shows both ends:

    >>> import qkdpost as qp
    >>> import os
    >>> link, pool = qp.LinkConfig(protocol=qp.BB84()), qp.KeyPool(os.urandom(4096))
    >>> session, calls = qp.Session(role="alice", link=link, auth_key=pool), []
    >>> def call():
    ...     calls.append("no answer")
    ...     if len(calls) == 3:
    ...         raise KeyboardInterrupt
    ...     raise ConnectionRefusedError
    >>> soon = qp.transport.blocking.Reconnection(first_seconds=0.001, most_seconds=0.01)
    >>> try:
    ...     for event in qp.transport.blocking.keep_connected(session, call, reconnection=soon):
    ...         print(event)
    ... except KeyboardInterrupt:
    ...     print(len(calls), "calls")
    3 calls
    """
    wait = Backoff(reconnection)

    def called() -> socket.socket | None:
        try:
            return connect()
        except OSError as error:
            _LOG.warning("no connection to the peer: %s", error)
            return None

    for event in _kept(session, called, wait, idle, (timeout_seconds, keepalive_seconds)):
        wait.heard(event)
        yield event


def serve(
    session: Session,
    listener: socket.socket,
    *,
    reconnection: Reconnection = Reconnection(),  # noqa: B008 frozen
    timeout_seconds: float | None = TIMEOUT_SECONDS,
    keepalive_seconds: float | None = KEEPALIVE_SECONDS,
    idle: Callable[[], None] | None = None,
) -> Iterator[Event]:
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

    Raises:
        InputError, LocalProtocolError, Exception: as `keep_connected`.

    >>> import qkdpost as qp
    >>> import os, socket, threading
    >>> link, preshared, keys = qp.LinkConfig(protocol=qp.BB84()), os.urandom(4096), {}
    >>> listener = socket.create_server(("127.0.0.1", 0))
    >>> def drive(role, record):
    ...     session = qp.Session(role=role, link=link, auth_key=qp.KeyPool(preshared))
    ...     session.submit(record)
    ...     session.finish()
    ...     if role == "alice":
    ...         events = qp.transport.blocking.serve(session, listener)
    ...     else:
    ...         called = lambda: socket.create_connection(listener.getsockname())
    ...         events = qp.transport.blocking.keep_connected(session, called)
    ...     keys[role] = [event.key.bits for event in events if isinstance(event, qp.KeyReady)]
    >>> sides = zip(("alice", "bob"), qp.simulation.bb84(pulses=400_000, rng=1))
    >>> threads = [threading.Thread(target=drive, args=side) for side in sides]
    >>> for thread in threads:
    ...     thread.start()
    >>> for thread in threads:
    ...     thread.join()
    >>> keys["alice"] == keys["bob"], len(keys["bob"][0]) > 10_000
    (True, True)
    """
    instance("listener", listener, socket.socket)
    wait = Backoff(Reconnection(first_seconds=reconnection.first_seconds, most_seconds=reconnection.first_seconds))

    def accepted() -> socket.socket | None:
        listener.settimeout(None if idle is None else IDLE_SECONDS)
        while True:
            try:
                return listener.accept()[0]
            except TimeoutError:
                if idle is not None:
                    idle()
            except OSError as error:
                if not passes_by(error):
                    raise
                _LOG.warning("a connection could not be accepted: %s", error)
                return None

    yield from _kept(session, accepted, wait, idle, (timeout_seconds, keepalive_seconds))


def _kept(
    session: Session,
    reach: Callable[[], socket.socket | None],
    wait: Backoff,
    idle: Callable[[], None] | None,
    times: tuple[float | None, float | None],
) -> Iterator[Event]:
    Silence(*times)
    with sole_driver(session):
        while True:
            connection = reach()
            if connection is not None:
                wait.began()
                yield from _once(session, connection, idle, times)
                if session.finished and session.state is ConnectionState.CLOSED:
                    return
            _rest(wait.next_seconds(), idle)


def _once(
    session: Session,
    connection: socket.socket,
    idle: Callable[[], None] | None,
    times: tuple[float | None, float | None],
) -> Iterator[Event]:
    """Drive a session over one connection, whose end is an event and not an error."""
    with connection:
        try:
            if not session.state.alive:
                session.connect()
            with contextlib.suppress(OSError):  # it may be gone already, which is told below
                _LOG.info("connected to %s", connection.getpeername())
            yield from _run(session, connection, Silence(*times), idle)
        except (RemoteProtocolError, AuthenticationError) as error:
            _LOG.warning("the connection ended: %s", error)
        finally:
            session.connection_lost("closed-here")


def _run(
    session: Session, connection: socket.socket, silence: Silence, idle: Callable[[], None] | None
) -> Iterator[Event]:
    connection.setblocking(False)
    with contextlib.suppress(OSError):  # small messages must not wait for an acknowledgement; only TCP knows the option
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    line = Line(session, connection, silence, idle)
    error: QkdpostError | None = None
    try:
        while error is None and not line.ended:
            yield from session.events()
            try:
                line.step()
            except QkdpostError as caught:
                error = caught
    finally:
        line.close()
        with contextlib.suppress(OSError):
            connection.setblocking(True)
    yield from session.events()
    if error is not None:
        raise error


def _rest(seconds: float, idle: Callable[[], None] | None) -> None:
    """Wait, and call `idle` as often as on a quiet line."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(left if idle is None else min(left, IDLE_SECONDS))
        if idle is not None:
            idle()


def __dir__() -> list[str]:
    """Offer the public names alone."""
    return sorted(__all__)
