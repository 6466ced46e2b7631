"""Both drivers read from the line between two pieces of long work."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

import pytest

from qkdpost.session.states import ConnectionState
from qkdpost.transport import asyncio_line, blocking_line, silence
from qkdpost.transport.silence import Silence
from qkdpost.transport.turns import in_turn

STEPS = 8


class LongWork:
    """In the place of a session: hears a greeting, works for so many steps, and says one word at the end."""

    def __init__(self) -> None:
        self.state = ConnectionState.OPEN
        self.heard: list[tuple[int, bytes]] = []
        self.steps_left = 0
        self.said = False
        self.lost: list[str] = []

    @property
    def busy(self) -> bool:
        return self.steps_left > 0

    def receive_data(self, data: bytes) -> None:
        if not self.heard:
            self.steps_left = STEPS
        self.heard.append((self.steps_left, data))

    def step(self) -> bytes:
        if not self.busy:
            return b""
        self.steps_left -= 1
        self.said = not self.steps_left
        return b"done" if self.said else b""

    def connection_lost(self, reason: str = "peer-closed") -> None:
        self.lost.append(reason)

    def keepalive(self) -> bytes:
        return b""


def test_the_blocking_driver_hears_between_two_steps() -> None:
    near, far = socket.socketpair()
    session: Any = LongWork()
    with near, far:
        near.setblocking(False)
        line = blocking_line.Line(session, near, Silence(None, None), None)
        far.sendall(b"begin")
        while not session.heard:
            line.step()
        far.sendall(b"another")
        while not session.said:
            line.step()
        assert far.recv(100) == b"done"
        line.close()
    assert [data for _, data in session.heard] == [b"begin", b"another"]
    assert session.heard[1][0] >= STEPS - 2


@pytest.mark.parametrize("in_thread", [False, True])
def test_the_asyncio_driver_hears_between_two_steps(in_thread: bool) -> None:
    session: Any = LongWork()
    with ThreadPoolExecutor(1) as pool:
        asyncio.run(hear_between_steps(session, pool if in_thread else None))
    assert [data for _, data in session.heard] == [b"begin", b"another"]
    assert session.heard[1][0] > 0


async def hear_between_steps(session: Any, executor: Executor | None) -> None:
    near, far = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=near)
    line = asyncio_line.Line(session, reader, writer, Silence(None, None), None, executor)
    step, sent = session.step, False

    def step_and_send() -> bytes:
        nonlocal sent
        if session.busy and not sent:
            sent = True
            far.sendall(b"another")
        return bytes(step())

    session.step = step_and_send
    with far:
        far.sendall(b"begin")
        while not session.said:
            await line.step()
        far.setblocking(False)
        assert await asyncio.get_running_loop().sock_recv(far, 100) == b"done"
        line.close()
        writer.close()


class Clock:
    """In the place of `time`: stands still but for work."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


class SilentWork(LongWork):
    """Works for a hundred seconds when it is first asked, and says nothing."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.works = 0

    def step(self) -> bytes:
        self.works += 1
        self.clock.now += 100.0 if self.works == 1 else 0.0
        return b""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    standing = Clock()
    monkeypatch.setattr(silence, "time", standing)
    return standing


def test_long_work_is_no_silence_to_the_blocking_driver(clock: Clock) -> None:
    near, far = socket.socketpair()
    session: Any = SilentWork(clock)
    with near, far:
        near.setblocking(False)
        line = blocking_line.Line(session, near, Silence(50.0, None), lambda: None)
        for _ in range(2):
            line.step()
        assert session.works == 2 and not session.lost
        clock.now += 51.0
        line.step()
        assert session.lost == ["timed-out"]
        line.close()


def test_what_a_host_does_while_nothing_moves_is_no_silence(clock: Clock) -> None:
    near, far = socket.socketpair()
    session: Any = LongWork()
    calls: list[float] = []

    def idle() -> None:
        calls.append(clock.now)
        clock.now += 100.0

    async def drive() -> None:
        reader, writer = await asyncio.open_connection(sock=near)
        line = asyncio_line.Line(session, reader, writer, Silence(50.0, None), idle, None)
        for _ in range(2):
            await line.step()
        line.close()
        writer.close()

    with far:
        near.setblocking(False)
        line = blocking_line.Line(session, near, Silence(50.0, None), idle)
        for _ in range(2):
            line.step()
        line.close()
        asyncio.run(drive())
    assert len(calls) == 4 and not session.lost


@contextlib.asynccontextmanager
async def line_of(session: Any, executor: Executor | None) -> AsyncIterator[asyncio_line.Line]:
    """Give a line on which a peer says nothing, with 50 seconds of patience."""
    near, far = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=near)
    with far:
        line = asyncio_line.Line(session, reader, writer, Silence(50.0, None), None, executor)
        yield line
        line.close()
        writer.close()


@pytest.mark.parametrize("in_thread", [False, True])
def test_long_work_is_no_silence_to_the_asyncio_driver(in_thread: bool, clock: Clock) -> None:
    session: Any = SilentWork(clock)

    async def drive(executor: Executor | None) -> None:
        async with line_of(session, executor) as line:
            for _ in range(2):
                await line.step()
            assert session.works == 2 and not session.lost
            clock.now += 51.0
            await line.step()
            assert session.lost == ["timed-out"]

    with ThreadPoolExecutor(1) as pool:
        asyncio.run(drive(pool if in_thread else None))


def test_waiting_for_a_thread_is_silence(clock: Clock) -> None:
    class Late(ThreadPoolExecutor):
        def submit(self, *arguments: Any, **keywords: Any) -> Any:
            clock.now += 30.0
            return super().submit(*arguments, **keywords)

    session: Any = LongWork()

    async def drive(executor: Executor) -> None:
        async with line_of(session, executor) as line:
            for _ in range(2):
                await line.step()

    with Late(1) as pool:
        asyncio.run(drive(pool))
    assert session.lost == ["timed-out"]


def test_what_a_cancelled_asyncio_driver_has_read_and_not_heard_ends_the_connection() -> None:
    asyncio.run(cancel_before_it_is_heard())


async def cancel_before_it_is_heard() -> None:
    near, far = socket.socketpair()
    session: Any = LongWork()
    reader, writer = await asyncio.open_connection(sock=near)
    at_work, leave = threading.Event(), threading.Event()

    def work() -> None:
        at_work.set()
        leave.wait()

    with far, ThreadPoolExecutor(1) as pool:
        line = asyncio_line.Line(session, reader, writer, Silence(None, None), None, pool)
        step = asyncio.create_task(line.step())
        await asyncio.sleep(0)  # its first call is the first in turn; then it waits for bytes
        other = asyncio.create_task(in_turn(session, work))
        while not at_work.is_set():
            await asyncio.sleep(0.001)
        far.sendall(b"begin")
        while line._unheard is None:
            await asyncio.sleep(0.001)
        step.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await step
        assert not session.heard and not session.lost
        line.close()
        assert session.lost == ["closed-here"]
        leave.set()
        await other
        writer.close()
