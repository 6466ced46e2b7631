"""A session has one driver: a second one is refused, and harms nothing."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import numpy as np
import pytest

from qkdpost import transport
from qkdpost.errors import LocalProtocolError
from qkdpost.keys import KeyPool
from qkdpost.session.events import Event, HandshakeCompleted, KeyReady
from qkdpost.session.session import Session
from qkdpost.session.states import ConnectionState
from support.link import PRESHARED, bb84_records, small_link

REFUSED = "a driver runs this session already"


class Enough(Exception):
    """The test has seen what it wanted."""


@contextlib.contextmanager
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = socket.socketpair()
    with near, far:
        yield near, far


def session_of(role: str) -> Session:
    source = np.random.default_rng().bytes  # its own, so that it does not matter which host's thread draws first
    return Session(role=role, link=small_link(), auth_key=KeyPool(PRESHARED), random_source=source)


def drive_blocking(session: Session, end: socket.socket, how: str) -> None:
    """Drive it to the end by the blocking driver; it is refused before it touches the end."""
    if how == "run":
        list(transport.blocking.run(session, end))
    elif how == "keep_connected":
        list(transport.blocking.keep_connected(session, lambda: end))
    else:
        list(transport.blocking.serve(session, end))


def events_of(session: Session, end: socket.socket, how: str) -> AsyncIterator[Event]:
    """Drive it by the asyncio driver."""

    async def connect() -> transport.asyncio.Streams:  # type: ignore[name-defined]
        return await asyncio.open_connection(sock=end)

    async def run() -> AsyncIterator[Event]:
        async for event in transport.asyncio.run(session, *await connect()):
            yield event

    if how == "run":
        return run()
    if how == "keep_connected":
        return transport.asyncio.keep_connected(session, connect)
    return transport.asyncio.serve(session, end)


async def drive_asyncio(session: Session, end: socket.socket, how: str) -> None:
    async for _ in events_of(session, end, how):
        pass


WAYS = [(driver, how) for driver in ("blocking", "asyncio") for how in ("run", "keep_connected", "serve")]


def intrude(session: Session, end: socket.socket, driver: str, how: str) -> None:
    with pytest.raises(LocalProtocolError, match=REFUSED):
        if driver == "blocking":
            drive_blocking(session, end, how)
        else:
            asyncio.run(drive_asyncio(session, end, how))


@pytest.mark.parametrize(("driver", "how"), WAYS)
@pytest.mark.parametrize("first", ["run", "serve"])
def test_a_second_driver_is_refused_while_a_blocking_one_runs(first: str, driver: str, how: str) -> None:
    session, called = session_of("alice"), []

    def idle() -> None:
        called.append(session.state)
        if driver == "blocking":
            intrude(session, other, driver, how)
        raise Enough

    with ends() as (near, _), ends() as (other, _), socket.create_server(("127.0.0.1", 0)) as listener:
        if first == "run":
            running = transport.blocking.run(session, near, idle=idle)
        else:
            running = transport.blocking.serve(session, listener, idle=idle)
        with pytest.raises(Enough):
            next(running)
        assert called == [session.state]
        assert session.state is ConnectionState.HANDSHAKE


@pytest.mark.parametrize(("driver", "how"), WAYS)
def test_a_second_driver_is_refused_while_an_asyncio_one_runs(driver: str, how: str) -> None:
    """Two tasks, or a thread of the executor that drives by itself; both hosts have their keys all the same."""
    sessions, records = (session_of("alice"), session_of("bob")), bb84_records()

    async def side(session: Session, end: socket.socket, intruded: bool) -> list[bytes]:
        found = []
        reader, writer = await asyncio.open_connection(sock=end)
        async for event in transport.asyncio.run(session, reader, writer):
            if intruded and isinstance(event, HandshakeCompleted):
                with ends() as (other, _), pytest.raises(LocalProtocolError, match=REFUSED):
                    if driver == "asyncio":
                        await asyncio.create_task(drive_asyncio(session, other, how))
                    else:
                        await asyncio.to_thread(drive_blocking, session, other, how)
            if isinstance(event, KeyReady):
                found.append(event.key.to_bytes())
        writer.close()
        return found

    async def both(near: socket.socket, far: socket.socket) -> list[list[bytes]]:
        for session, record in zip(sessions, records, strict=True):
            session.submit(record)
            session.finish()
        return await asyncio.gather(side(sessions[0], near, True), side(sessions[1], far, False))

    with ends() as (near, far):
        alice, bob = asyncio.run(both(near, far))
    assert alice == bob != []


def test_who_closes_a_driver_may_begin_another() -> None:
    session = session_of("alice")
    for _ in range(2):
        with ends() as (near, far):
            far.close()
            list(transport.blocking.run(session, near))
        session.connect()
    with ends() as (near, far):

        async def left_early() -> None:
            for _ in range(2):
                async with contextlib.aclosing(events_of(session, near, "keep_connected")) as events:  # type: ignore[type-var]
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(0.01):
                            await anext(events)

        asyncio.run(left_early())
