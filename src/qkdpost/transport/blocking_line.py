"""The socket of one connection of a blocking driver, and what is still to be sent over it."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable

from qkdpost.session.session import Session
from qkdpost.session.states import ConnectionState
from qkdpost.transport.silence import Silence

__all__ = ["IDLE_SECONDS", "Line"]

CHUNK_BYTES = 2**18
IDLE_SECONDS = 0.05
AWAKE_SECONDS = 2e-4


class Line:
    """The socket and what is still to be sent over it."""

    def __init__(
        self,
        session: Session,
        connection: socket.socket,
        silence: Silence,
        idle: Callable[[], None] | None,
    ) -> None:
        self._selector = selectors.DefaultSelector()
        self._selector.register(connection, selectors.EVENT_READ)
        self._watched = selectors.EVENT_READ
        self._session = session
        self._connection = connection
        self._silence = silence
        self._idle = idle
        self._pending = bytearray()
        self._can_send = True
        self.ended = False

    def step(self) -> None:
        """Send and receive what can be, or wait.

        No more is read before what was received has been answered, or is long work of which a piece is done.
        """
        with self._silence.broken_by_work():
            answer = self._session.step()
        busy = self._session.busy
        if self._can_send:
            self._pending += answer
        state = self._session.state
        if state is ConnectionState.BROKEN or (state is ConnectionState.CLOSED and not self._pending):
            self.ended = True
            return
        moved = self._send() if self._pending else False
        moved |= busy or bool(answer)
        if (busy or not answer) and state is not ConnectionState.CLOSED:
            moved |= self._receive()
        if moved:
            self._silence.moved()
        else:
            self._wait(selectors.EVENT_READ if state is not ConnectionState.CLOSED else 0)

    def close(self) -> None:
        """End the driving; a stream of which a part can no longer be sent is of no use to the peer."""
        self._selector.close()
        if self._pending or not self._can_send:
            self._session.connection_lost("closed-here" if self._can_send else "peer-closed")

    def _wait(self, wanted: int) -> None:
        wanted |= selectors.EVENT_WRITE if self._pending else 0
        if wanted != self._watched:
            self._selector.modify(self._connection, wanted)
            self._watched = wanted
        # To sleep and be woken takes longer than a near peer's answer to a round of correction.
        awake_until = time.perf_counter() + AWAKE_SECONDS
        while time.perf_counter() < awake_until:
            if self._selector.select(0):
                return
        if self._selector.select(self._patience()):
            return
        if self._silence.is_too_long:
            self._session.connection_lost("timed-out")
            self.ended = True
            return
        if self._silence.wants_a_word:
            self._speak()
        if self._idle is not None:
            with self._silence.broken_by_work():
                self._idle()

    def _patience(self) -> float | None:
        left = self._silence.seconds_left if self._idle is None else min(IDLE_SECONDS, self._silence.seconds_left)
        return None if left == float("inf") else left

    def _speak(self) -> None:
        """Say that this host is there; that is no movement, for the line would then never be too silent."""
        word = self._session.keepalive()
        self._silence.sent()
        if word and self._can_send:
            self._pending += word
            self._send()

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
        self._silence.sent()
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
            self._session.connection_lost("peer-closed")
        return True
