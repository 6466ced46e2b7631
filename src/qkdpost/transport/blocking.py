"""A blocking driver: one session over one connected socket, in the calling thread."""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from collections.abc import Callable, Iterator

from qkdpost.errors import QkdpostError
from qkdpost.session.events import Event
from qkdpost.session.session import Session
from qkdpost.session.states import ConnectionState

__all__ = ["run"]

CHUNK_BYTES = 2**18
IDLE_SECONDS = 0.05


def run(
    session: Session,
    connection: socket.socket,
    *,
    timeout_seconds: float | None = None,
    idle: Callable[[], None] | None = None,
) -> Iterator[Event]:
    """Drive `session` over `connection` until the connection ends, and yield its events as they come.

    Sends and receives at once, so that two hosts with much to say never wait for each other. Submit records before,
    from the loop that consumes the events, or from `idle`: a session belongs to one thread. The socket is left open and
    blocking.

    Args:
        session: in the state `HANDSHAKE` or `OPEN`.
        connection: a connected stream socket.
        timeout_seconds: give the connection up if nothing moves for so long; by default never.
        idle: called some twenty times a second while nothing moves; may submit records.

    Raises:
        RemoteProtocolError, AuthenticationError: as `Session.receive_data`; the events of the blocks that died are
            yielded first.
    """
    connection.setblocking(False)
    line = _Line(session, connection, timeout_seconds, idle)
    error: QkdpostError | None = None
    try:
        while error is None and not line.ended:
            yield from session.events()
            try:
                line.step()
            except QkdpostError as caught:
                error = caught
    finally:
        line.selector.close()
        with contextlib.suppress(OSError):
            connection.setblocking(True)
    yield from session.events()
    if error is not None:
        raise error


class _Line:
    """The socket and what is still to be sent over it."""

    def __init__(
        self,
        session: Session,
        connection: socket.socket,
        timeout_seconds: float | None,
        idle: Callable[[], None] | None,
    ) -> None:
        self.selector = selectors.DefaultSelector()
        self.selector.register(connection, selectors.EVENT_READ)
        self._session = session
        self._connection = connection
        self._timeout = timeout_seconds
        self._idle = idle
        self._pending = bytearray()
        self._moved = time.monotonic()
        self._wanted = selectors.EVENT_READ
        self.ended = False

    def step(self) -> None:
        """Send and receive what can be, or wait."""
        data = self._session.data_to_send()
        self._pending += data
        state = self._session.state
        if state is ConnectionState.BROKEN or (state is ConnectionState.CLOSED and not self._pending):
            self.ended = True
            return
        wanted = selectors.EVENT_WRITE if self._pending else 0
        wanted |= 0 if state is ConnectionState.CLOSED else selectors.EVENT_READ
        if wanted != self._wanted:
            self.selector.modify(self._connection, wanted)
            self._wanted = wanted
        # With fresh data there may be more to do here, which must not wait for the line.
        ready = self.selector.select(0 if data else self._patience())
        if ready or data:
            self._moved = time.monotonic()
        if ready:
            self._move(ready[0][1])
        elif not data:
            self._wait_or_give_up()

    def _patience(self) -> float | None:
        return self._timeout if self._idle is None else IDLE_SECONDS

    def _wait_or_give_up(self) -> None:
        waited = time.monotonic() - self._moved
        if self._timeout is not None and waited >= self._timeout:
            self._session.connection_lost()
            self.ended = True
        elif self._idle is not None:
            self._idle()

    def _move(self, ready: int) -> None:
        try:
            if ready & selectors.EVENT_WRITE:
                del self._pending[: self._connection.send(memoryview(self._pending)[:CHUNK_BYTES])]
            data = self._connection.recv(CHUNK_BYTES) if ready & selectors.EVENT_READ else None
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._session.receive_data(data)
        elif data is not None:
            self._session.connection_lost()
