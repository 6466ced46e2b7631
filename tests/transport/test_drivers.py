from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from qkdpost import transport
from qkdpost.errors import RemoteProtocolError
from qkdpost.key_pool import KeyPool
from qkdpost.messages import AbortReason
from qkdpost.session.events import BlockAborted, Event, KeyReady
from qkdpost.session.session import Session
from qkdpost.session.states import ConnectionState
from support.link import PRESHARED, bb84_records, small_link

RECORDS = dict(zip(("alice", "bob"), bb84_records(), strict=True))


def ready_session(role: str) -> Session:
    session = Session(role=role, link=small_link(), auth_key=KeyPool(PRESHARED))
    session.submit(RECORDS[role])
    session.finish()
    return session


def keys(events: list[Event]) -> list[bytes]:
    return [event.key.to_bytes() for event in events if isinstance(event, KeyReady)]


def test_blocking_driver_over_a_socket_pair() -> None:
    ends = dict(zip(("alice", "bob"), socket.socketpair(), strict=True))
    seen: dict[str, list[Event]] = {}

    def drive(role: str) -> None:
        seen[role] = list(transport.blocking.run(ready_session(role), ends[role], timeout_seconds=60))

    threads = [threading.Thread(target=drive, args=(role,)) for role in ends]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for end in ends.values():
        end.close()
    assert keys(seen["alice"]) == keys(seen["bob"]) != []


def test_blocking_driver_tells_a_lost_line() -> None:
    near, far = socket.socketpair()
    far.close()
    session = ready_session("alice")
    with near:
        assert keys(list(transport.blocking.run(session, near))) == []
    assert session.state is ConnectionState.BROKEN


def test_blocking_driver_gives_up_after_the_timeout() -> None:
    near, far = socket.socketpair()
    session = ready_session("alice")
    with near, far:
        list(transport.blocking.run(session, near, timeout_seconds=0.05))
    assert session.state is ConnectionState.BROKEN


def test_blocking_driver_raises_what_the_peer_did_wrong() -> None:
    near, far = socket.socketpair()
    far.sendall(b"\xff" * 100)
    with near, far, pytest.raises(RemoteProtocolError):
        list(transport.blocking.run(ready_session("alice"), near))


async def run_both(cut_after: int | None = None) -> tuple[list[Event], list[Event]]:
    ends = socket.socketpair()

    async def drive(role: str, end: socket.socket) -> list[Event]:
        reader, writer = await asyncio.open_connection(sock=end)
        events: list[Event] = []
        session = ready_session(role)
        async for event in transport.asyncio.run(session, reader, writer):
            events.append(event)
            if role == "bob" and len(events) == cut_after:
                writer.close()
        writer.close()
        return events

    first, second = await asyncio.gather(drive("alice", ends[0]), drive("bob", ends[1]))
    return first, second


def test_asyncio_driver_over_a_socket_pair() -> None:
    alice, bob = asyncio.run(run_both())
    assert keys(alice) == keys(bob) != []


def test_asyncio_driver_tells_a_lost_line() -> None:
    for events in asyncio.run(run_both(cut_after=3)):
        assert keys(events) == []
        assert [e.reason for e in events if isinstance(e, BlockAborted)] == [AbortReason.CONNECTION_LOST]


def test_blocking_driver_left_early_ends_a_stream_that_it_cut() -> None:
    alice, bob = ready_session("alice"), ready_session("bob")
    near, far = socket.socketpair()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)

    def interrupt() -> None:
        raise KeyboardInterrupt

    with near, far:
        for _ in range(2):
            alice.receive_data(bob.data_to_send())
            bob.receive_data(alice.data_to_send())
        assert bob.state is ConnectionState.OPEN
        with pytest.raises(KeyboardInterrupt):  # his detections wait for room in the socket
            list(transport.blocking.run(bob, near, idle=interrupt))
    assert bob.state is ConnectionState.BROKEN
