"""The streams of one connection of an asyncio driver, and what is on its way through them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from typing import TypeVar

from qkdpost.session.session import Session
from qkdpost.transport.silence import Silence
from qkdpost.transport.turns import TURNS, Turns

__all__ = ["LOOK_SECONDS", "Line"]

_Returned = TypeVar("_Returned")
CHUNK_BYTES = 2**18
LOOK_SECONDS = 0.05
"""How soon what another task submitted is sent, on a line on which nothing else moves."""


class Line:
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
        self._session = session
        self._reader = reader
        self._writer = writer
        self._silence = silence
        self._idle = idle
        self._turns = TURNS[session] = Turns(executor)
        self._loop = asyncio.get_running_loop()
        self._receiving: asyncio.Task[bytes] | None = None
        self._unheard: bytes | None = None
        self._sending: asyncio.Task[None] | None = None
        words = silence.seconds_to_word < float("inf")
        self._speaking = asyncio.create_task(self._speak()) if words else None

    async def step(self) -> None:
        """Say what is to be said, or hear, or wait.

        No more is heard before what was received has been answered, or is long work of which a piece is done.
        """
        await self._work(None)
        if self._receiving is None:
            self._receive_next()
        await self._wait()
        if (data := self._received()) is not None:
            await self._work(data)
        elif self._silence.is_too_long:
            await self._turns.call(lambda: self._session.connection_lost("timed-out"))
        elif self._idle is not None:
            await self._called(self._idle)

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
        came = self._receiving is not None and self._receiving.done()
        if (came or self._unheard is not None) and self._session.state.alive:
            self._session.connection_lost("closed-here")
        for task in (self._receiving, self._sending, self._speaking):
            if task is not None and not task.done():
                task.cancel()

    async def _work(self, data: bytes | None) -> None:
        """Let the session hear bytes, and then say what it has to say, piece by piece; hear more during long work."""
        step = self._steps_in_thread if self._turns.in_threads else self._step
        while await self._called(partial(step, data)):
            await asyncio.sleep(0)
            data = self._received() if self._session.busy else None

    async def _called(self, work: Callable[[], _Returned]) -> _Returned:
        """Call of the session when it is its turn; waiting for a free thread is no work, and a dead line stays dead."""

        def timed() -> _Returned:
            with self._silence.broken_by_work():
                return work()

        return await self._turns.call(timed)

    def _step(self, data: bytes | None) -> bool:
        """Let the session hear bytes, and take a step; tell whether there may be more to do."""
        if data is not None:
            self._take(data)
        if answer := self._session.step():
            self._write(answer)
        return bool(answer) or self._session.busy

    def _steps_in_thread(self, data: bytes | None) -> bool:
        """The same in a thread, as many steps as are not long: an answer is on its way while the next is made."""
        if data is not None:
            self._take(data)
        while answer := self._session.step():
            self._loop.call_soon_threadsafe(self._write, answer)
        return self._session.busy

    def _take(self, data: bytes) -> None:
        self._unheard = None
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

    def _receive_next(self) -> None:
        self._receiving = asyncio.create_task(self._receive())
        self._receiving.add_done_callback(lambda _: self._turns.wake.set())

    def _received(self) -> bytes | None:
        """Return what has come, and receive the next; None if nothing has."""
        if self._receiving is None or not self._receiving.done():
            return None
        self._unheard = data = self._receiving.result()
        self._silence.moved()
        self._receive_next()
        return data

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
