"""A blocking driver: one session over one connected socket, in the calling thread."""

from __future__ import annotations

import contextlib
import selectors
import socket
from collections.abc import Iterator

from qkdpost.errors import QkdpostError
from qkdpost.session.events import Event
from qkdpost.session.session import Session
from qkdpost.session.states import ConnectionState

__all__ = ["run"]

CHUNK_BYTES = 2**18


def run(session: Session, connection: socket.socket, *, timeout_seconds: float | None = None) -> Iterator[Event]:
    """Drive `session` over `connection` until the connection ends, and yield its events as they come.

    Sends and receives at once, so that two hosts with much to say never wait for each other. Submit records before,
    or from the loop that consumes the events. The socket is left open and blocking.

    Args:
        session: in the state `HANDSHAKE` or `OPEN`.
        connection: a connected stream socket.
        timeout_seconds: give the connection up if nothing moves for so long; by default never.

    Raises:
        RemoteProtocolError, AuthenticationError: as `Session.receive_data`; the events of the blocks that died are
            yielded first.
    """
    connection.setblocking(False)
    pending = bytearray()
    error: QkdpostError | None = None
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        try:
            while error is None:
                yield from session.events()
                try:
                    data = session.data_to_send()
                    pending += data
                    if session.state is ConnectionState.BROKEN:
                        break
                    if session.state is ConnectionState.CLOSED and not pending:
                        break
                    wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if pending else 0)
                    selector.modify(connection, wanted)
                    # With fresh data there may be more to do here, which must not wait for the line.
                    ready = selector.select(0 if data else timeout_seconds)
                    if ready:
                        _move(session, connection, pending, ready[0][1])
                    elif not data:
                        session.connection_lost()
                except QkdpostError as caught:
                    error = caught
        finally:
            with contextlib.suppress(OSError):
                connection.setblocking(True)
    yield from session.events()
    if error is not None:
        raise error


def _move(session: Session, connection: socket.socket, pending: bytearray, ready: int) -> None:
    if ready & selectors.EVENT_WRITE:
        try:
            sent = connection.send(memoryview(pending)[:CHUNK_BYTES])
            del pending[:sent]
        except BlockingIOError:
            pass
        except OSError:
            session.connection_lost()
            return
    if ready & selectors.EVENT_READ and session.state in (ConnectionState.HANDSHAKE, ConnectionState.OPEN):
        try:
            data = connection.recv(CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            session.receive_data(data)
        else:
            session.connection_lost()
