"""Both drivers read from the line between two pieces of long work."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

import pytest

from qkdpost.session.states import ConnectionState
from qkdpost.transport import asyncio_line, blocking_line
from qkdpost.transport.silence import Silence

STEPS = 8


class LongWork:
    """In the place of a session: hears a greeting, works for so many steps, and says one word at the end."""

    def __init__(self) -> None:
        self.state = ConnectionState.OPEN
        self.heard: list[tuple[int, bytes]] = []
        self.steps_left = 0
        self.said = False

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
