"""A blocking driver: one session over one connected socket, in the calling thread."""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from collections.abc import Callable, Iterator

from qkdpost.checks import instance, real_number
from qkdpost.errors import QkdpostError
from qkdpost.session.events import Event
from qkdpost.session.session import Session
from qkdpost.session.states import ConnectionState

__all__ = ["run"]

CHUNK_BYTES = 2**18
IDLE_SECONDS = 0.05
AWAKE_SECONDS = 2e-4


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
    blocking. Leaving the loop early is allowed; where bytes were still to be sent, the connection is then lost.

    Args:
        session: in the state `HANDSHAKE` or `OPEN`.
        connection: a connected stream socket.
        timeout_seconds: give the connection up if nothing moves for so long; by default never.
        idle: called some twenty times a second while nothing moves; may submit records.

    Raises:
        InputError: no session, or no time.
        RemoteProtocolError, AuthenticationError: as `Session.receive_data`; the events of the blocks that died are
            yielded first.
        Exception: whatever `save_pool` or `idle` raise; where no bytes were under way the session lives, and `run` may
            be called again.
    """
    instance("session", session, Session)
    if timeout_seconds is not None:
        timeout_seconds = real_number("timeout_seconds", timeout_seconds, above=0.0)
    connection.setblocking(False)
    with contextlib.suppress(OSError):  # small messages must not wait for an acknowledgement; only TCP knows the option
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
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
        line.close()
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
        self._selector = selectors.DefaultSelector()
        self._selector.register(connection, selectors.EVENT_READ)
        self._session = session
        self._connection = connection
        self._timeout = timeout_seconds
        self._idle = idle
        self._pending = bytearray()
        self._can_send = True
        self._moved = time.monotonic()
        self.ended = False

    def step(self) -> None:
        """Send and receive what can be, or wait. No more is read before what was received has been answered."""
        answer = self._session.data_to_send()
        if self._can_send:
            self._pending += answer
        state = self._session.state
        if state is ConnectionState.BROKEN or (state is ConnectionState.CLOSED and not self._pending):
            self.ended = True
            return
        moved = self._send() if self._pending else False
        if answer:
            moved = True
        elif state is not ConnectionState.CLOSED:
            moved |= self._receive()
        if moved:
            self._moved = time.monotonic()
        else:
            self._wait(selectors.EVENT_READ if state is not ConnectionState.CLOSED else 0)

    def close(self) -> None:
        """End the driving; a stream of which a part can no longer be sent is of no use to the peer."""
        self._selector.close()
        if self._pending or not self._can_send:
            self._session.connection_lost()

    def _wait(self, wanted: int) -> None:
        wanted |= selectors.EVENT_WRITE if self._pending else 0
        self._selector.modify(self._connection, wanted)
        # To sleep and be woken takes longer than a near peer's answer to a round of correction.
        awake_until = time.perf_counter() + AWAKE_SECONDS
        while time.perf_counter() < awake_until:
            if self._selector.select(0):
                return
        if self._selector.select(self._patience()):
            return
        if self._timeout is not None and time.monotonic() - self._moved >= self._timeout:
            self._session.connection_lost()
            self.ended = True
        elif self._idle is not None:
            self._idle()

    def _patience(self) -> float | None:
        return self._timeout if self._idle is None else IDLE_SECONDS

    def _send(self) -> bool:
        try:
            sent = self._connection.send(memoryview(self._pending)[:CHUNK_BYTES])
        except BlockingIOError:
            return False
        except OSError:  # what the peer sent before it went may still be read
            self._pending.clear()
            self._can_send = False
            return True
        del self._pending[:sent]
        return True

    def _receive(self) -> bool:
        try:
            data = self._connection.recv(CHUNK_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if data:
            self._session.receive_data(data)
        else:
            self._session.connection_lost()
        return True
