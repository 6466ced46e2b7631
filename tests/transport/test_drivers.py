from __future__ import annotations

import asyncio
import secrets
import socket
import struct
import threading

import numpy as np
import pytest

from qkdpost import transport
from qkdpost.dialogue.messages import Abort, AbortReason, BlockOpen, Hello, Message, Ready
from qkdpost.errors import RemoteProtocolError
from qkdpost.keys import KeyPool
from qkdpost.session.codec import LENGTH_BYTES, decode, encode
from qkdpost.session.events import BlockAborted, ConnectionClosed, Event, KeyReady
from qkdpost.session.handshake import make_hello
from qkdpost.session.session import Session
from qkdpost.session.states import ConnectionState
from support.link import PRESHARED, bb84_records, small_link

RECORDS = dict(zip(("alice", "bob"), bb84_records(), strict=True))


def ready_session(role: str) -> Session:
    source = np.random.default_rng().bytes  # its own, so that it does not matter which host's thread draws first
    session = Session(role=role, link=small_link(), auth_key=KeyPool(PRESHARED), random_source=source)
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


def connected() -> tuple[socket.socket, socket.socket]:
    """Two ends of a TCP connection, which unlike a pair of local sockets can be reset."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        return near, server.accept()[0]


def reset(end: socket.socket) -> None:
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()


def hear(end: socket.socket) -> Message:
    length = end.recv(LENGTH_BYTES, socket.MSG_WAITALL)
    return decode(length + end.recv(int.from_bytes(length, "little"), socket.MSG_WAITALL))


def greeting(role: str) -> bytes:
    return encode(make_hello(role, small_link(), KeyPool(PRESHARED), secrets.token_bytes))


def test_blocking_driver_ends_though_its_last_words_cannot_be_sent() -> None:
    """Whoever greets a host that has finished, and resets the line."""
    bob = Session(role="bob", link=small_link(), auth_key=KeyPool(PRESHARED))
    bob.finish()
    near, far = connected()

    def greet_and_go() -> None:
        hello = hear(far)
        assert isinstance(hello, Hello)
        far.sendall(greeting("alice"))
        assert isinstance(hear(far), Ready)
        far.sendall(encode(Ready(nonce=hello.nonce)))
        reset(far)

    stranger = threading.Thread(target=greet_and_go)
    stranger.start()
    with near:
        events = list(transport.blocking.run(bob, near, timeout_seconds=5))
    stranger.join()
    assert sum(isinstance(event, ConnectionClosed) for event in events) <= 1
    assert bob.state is not ConnectionState.OPEN


@pytest.mark.parametrize("resets", [False, True])
def test_blocking_driver_reads_what_came_before_the_line_broke(resets: bool) -> None:
    near, far = connected()
    far.sendall(greeting("alice"))
    reset(far) if resets else far.close()
    session = ready_session("bob")
    with near:
        list(transport.blocking.run(session, near, timeout_seconds=5))
    assert session.state is ConnectionState.BROKEN


def test_blocking_driver_holds_no_more_than_a_message_of_what_it_has_not_answered() -> None:
    """Blocks opened and given up at once, each of which is answered, and behind them as much as the line takes."""
    near, far = socket.socketpair()
    alice = Session(role="alice", link=small_link(), auth_key=KeyPool(PRESHARED[:32] + bytes(48 * 200)))

    def flood() -> None:
        hello = hear(far)
        assert isinstance(hello, Hello)
        segment = hello.segments[0].identifier
        mine = Hello(
            version=hello.version,
            role="bob",
            nonce=bytes(16),
            configuration=hello.configuration,
            segments=hello.segments,
            accumulated_epsilon=0.0,
        )
        far.sendall(encode(mine) + encode(Ready(nonce=hello.nonce)))
        for block in range(200):
            opening = BlockOpen(
                block=block,
                first_record=block,
                records=1,
                segment=segment,
                offset=48 * block,
                commitment=bytes(32),
                accumulated_epsilon=0.0,
            )
            far.sendall(encode(opening) + encode(Abort(block=block, reason=AbortReason.NO_KEY_LEFT)))
        try:
            while True:
                far.sendall(b"\xff" * 2**18)
        except OSError:
            pass

    stranger = threading.Thread(target=flood)
    stranger.start()
    most = 0
    with near, pytest.raises(RemoteProtocolError):
        for _ in transport.blocking.run(alice, near, timeout_seconds=5):
            most = max(most, len(alice._connection._buffer._data))
    near.close()
    far.close()
    stranger.join()
    assert most <= 2 * 2**18


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
        while bob.state is not ConnectionState.OPEN:
            alice.receive_data(bob.data_to_send())
            bob.receive_data(alice.data_to_send())
        with pytest.raises(KeyboardInterrupt):  # his detections wait for room in the socket
            list(transport.blocking.run(bob, near, idle=interrupt))
    assert bob.state is ConnectionState.BROKEN
