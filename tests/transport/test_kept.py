"""Lines that fall silent, that end, and that are made again; and work that is done in threads."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

import qkdpost as qp
from qkdpost import transport
from qkdpost.errors import ConfigurationError, InputError, LocalProtocolError
from qkdpost.keys import KeyPool
from qkdpost.session.events import ConnectionLost, Event, HandshakeCompleted, KeyReady
from qkdpost.session.session import Session
from qkdpost.session.states import ConnectionState
from qkdpost.transport import silence
from qkdpost.transport.reconnection import Backoff, Reconnection
from qkdpost.transport.turns import Turns
from support.link import PRESHARED, bb84_records, small_link

AT_ONCE = Reconnection(first_seconds=0.001, most_seconds=0.01)


ONE_RECORD_A_BLOCK = {"detections": 8000, "in_flight": 1}


def new_session(role: str) -> Session:
    link = small_link(blocks=ONE_RECORD_A_BLOCK)
    source = np.random.default_rng().bytes  # its own, so that it does not matter which host's thread draws first
    return Session(role=role, link=link, auth_key=KeyPool(PRESHARED), random_source=source)  # type: ignore[arg-type]


def losses(events: list[Event]) -> list[str]:
    return [event.reason for event in events if isinstance(event, ConnectionLost)]


def keys(events: list[Event]) -> list[bytes]:
    return [event.key.to_bytes() for event in events if isinstance(event, KeyReady)]


def by_name(events: list[Event]) -> dict[bytes, bytes]:
    return {event.key.identifier: event.key.to_bytes() for event in events if isinstance(event, KeyReady)}


async def driven(session: Session, end: socket.socket, **options: object) -> list[Event]:
    reader, writer = await asyncio.open_connection(sock=end)
    try:
        return [event async for event in transport.asyncio.run(session, reader, writer, **options)]  # type: ignore[arg-type]
    finally:
        writer.close()


# Silence.


@pytest.mark.parametrize("driver", ["blocking", "asyncio"])
def test_a_peer_that_accepts_and_says_nothing_is_given_up(driver: str) -> None:
    near, far = socket.socketpair()
    session = new_session("alice")
    with near, far:
        if driver == "blocking":
            events = list(transport.blocking.run(session, near, timeout_seconds=0.05))
        else:
            events = asyncio.run(driven(session, near, timeout_seconds=0.05))
    assert losses(events) == ["timed-out"]
    assert session.state is ConnectionState.BROKEN


class SinceOpen:
    """In the place of `time`: stands still until a session is open, however busy the machine is."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._began = 0.0

    def monotonic(self) -> float:
        now = time.monotonic()
        if self._session.state is not ConnectionState.OPEN:
            self._began = now
        return now - self._began


@pytest.mark.parametrize("keepalive", [None, 0.02])
@pytest.mark.parametrize("driver", ["blocking", "asyncio"])
def test_a_quiet_line_is_kept_by_those_who_say_that_they_are_there(
    driver: str, keepalive: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bob has nothing to say for ever; who hears nothing leaves, and who hears him stays until he has finished."""
    near, far = socket.socketpair()
    alice, bob = new_session("alice"), new_session("bob")
    patience = 0.3 if keepalive is None else 60.0
    if keepalive is None:
        monkeypatch.setattr(silence, "time", SinceOpen(alice))
    heard: list[int] = []
    plain = alice.receive_data
    alice.receive_data = lambda data: (heard.append(len(data)), plain(data))[1]  # type: ignore[method-assign]

    def end_at_last() -> None:
        if len(heard) > 12:
            bob.finish()

    def be_bob() -> None:
        with contextlib.suppress(OSError):
            list(transport.blocking.run(bob, far, keepalive_seconds=keepalive, idle=end_at_last))

    peer = threading.Thread(target=be_bob)
    peer.start()
    with near:
        if driver == "blocking":
            events = list(transport.blocking.run(alice, near, timeout_seconds=patience))
        else:
            events = asyncio.run(driven(alice, near, timeout_seconds=patience))
    peer.join()
    far.close()
    assert losses(events) == (["timed-out"] if keepalive is None else [])
    assert any(isinstance(event, HandshakeCompleted) for event in events)


def test_a_host_says_that_it_is_there_while_it_works() -> None:
    """In threads of an executor: the loop is free to say it."""
    near, far = socket.socketpair()
    alice = new_session("alice")
    bob = new_session("bob")
    heard: list[bytes] = []
    enough = threading.Event()
    plain = bob.receive_data

    def hear(data: bytes) -> None:
        heard.append(data)
        plain(data)
        if b"".join(heard).count(alice.keepalive() or b"never") >= 3 and not enough.is_set():
            enough.set()
            bob.finish()

    bob.receive_data = hear  # type: ignore[method-assign,assignment]

    async def work() -> list[Event]:
        reader, writer = await asyncio.open_connection(sock=near)
        events: list[Event] = []
        with ThreadPoolExecutor(1) as threads:
            run = transport.asyncio.run(alice, reader, writer, keepalive_seconds=0.02, executor=threads)
            async for event in run:
                events.append(event)
                if isinstance(event, HandshakeCompleted):
                    working = asyncio.create_task(transport.asyncio.in_turn(alice, lambda: enough.wait(60)))
            assert await working
        writer.close()
        return events

    peer = threading.Thread(target=lambda: list(transport.blocking.run(bob, far)))
    peer.start()
    events = asyncio.run(work())
    peer.join()
    near.close()
    far.close()
    assert losses(events) == []


@pytest.mark.parametrize("times", [(0.0, None), (None, -1.0), (1.0, 1.0), (1.0, 2.0), ("soon", None)])
def test_times_are_checked(times: tuple[float, float]) -> None:
    near, far = socket.socketpair()
    with near, far:
        with pytest.raises(InputError, match="_seconds"):
            list(transport.blocking.run(new_session("bob"), near, timeout_seconds=times[0], keepalive_seconds=times[1]))
        with pytest.raises(InputError, match="_seconds"):
            asyncio.run(driven(new_session("bob"), near, timeout_seconds=times[0], keepalive_seconds=times[1]))


# Lines that are made again.


class CutLines:
    """Alice listens, Bob calls; every line is cut after some bytes, until the last, which stays."""

    def __init__(self, cuts: list[int]) -> None:
        self.cuts = cuts
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.relay = socket.create_server(("127.0.0.1", 0))
        self.calls = 0
        self.thread = threading.Thread(target=self.pass_on, daemon=True)
        self.thread.start()

    def pass_on(self) -> None:
        for limit in [*self.cuts, 10**12]:
            near, _ = self.relay.accept()
            self.calls += 1
            far = socket.create_connection(self.listener.getsockname())
            ways = [threading.Thread(target=self.one_way, args=(*ends, limit)) for ends in ((near, far), (far, near))]
            for way in ways:
                way.start()
            for way in ways:
                way.join()
            near.close()
            far.close()

    def one_way(self, source: socket.socket, target: socket.socket, limit: int) -> None:
        with contextlib.suppress(OSError):
            while limit > 0 and (data := source.recv(min(limit, 2**16))):
                target.sendall(data)
                limit -= len(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def connect(self) -> socket.socket:
        return socket.create_connection(self.relay.getsockname(), timeout=60)


def submit(sessions: dict[str, Session], count: int) -> None:
    for seed in range(count):
        for session, record in zip((sessions["alice"], sessions["bob"]), bb84_records(seed=seed), strict=True):
            session.submit(record)
            session.flush()
    for session in sessions.values():
        session.finish()


def run_blocking(sessions: dict[str, Session], lines: CutLines) -> dict[str, list[Event]]:
    seen: dict[str, list[Event]] = {}

    def listen() -> None:
        seen["alice"] = list(transport.blocking.serve(sessions["alice"], lines.listener, reconnection=AT_ONCE))

    thread = threading.Thread(target=listen)
    thread.start()
    seen["bob"] = list(transport.blocking.keep_connected(sessions["bob"], lines.connect, reconnection=AT_ONCE))
    thread.join()
    return seen


def run_asyncio(sessions: dict[str, Session], lines: CutLines, threads: int = 0) -> dict[str, list[Event]]:
    async def both() -> dict[str, list[Event]]:
        async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            return await asyncio.open_connection(*lines.relay.getsockname())

        async def listened() -> list[Event]:
            run = transport.asyncio.serve(sessions["alice"], lines.listener, reconnection=AT_ONCE, executor=executor)
            return [event async for event in run]

        async def called() -> list[Event]:
            run = transport.asyncio.keep_connected(sessions["bob"], connect, reconnection=AT_ONCE, executor=executor)
            return [event async for event in run]

        with ThreadPoolExecutor(threads) if threads else contextlib.nullcontext() as executor:
            alice, bob = await asyncio.gather(listened(), called())
        return {"alice": alice, "bob": bob}

    return asyncio.run(both())


WAYS: dict[str, Callable[[dict[str, Session], CutLines], dict[str, list[Event]]]] = {
    "blocking": run_blocking,
    "asyncio": run_asyncio,
    "threads": lambda sessions, lines: run_asyncio(sessions, lines, threads=2),
}


@pytest.mark.parametrize("way", WAYS)
def test_lines_that_are_cut_are_made_again_until_all_is_done(way: str) -> None:
    lines = CutLines([10, 3000, 7000, 12_000])
    sessions = {role: new_session(role) for role in ("alice", "bob")}
    submit(sessions, 6)
    seen = WAYS[way](sessions, lines)
    lines.listener.close()
    assert lines.calls == 1 + len(lines.cuts)
    alice, bob = (by_name(seen[role]) for role in ("alice", "bob"))
    common = alice.keys() & bob.keys()
    assert len(common) >= 6 - len(lines.cuts)
    assert [alice[name] for name in common] == [bob[name] for name in common]
    # A line that is cut between the last words of a block leaves its key with one host alone, in one run of 900 or so.
    assert len(alice.keys() ^ bob.keys()) <= len(lines.cuts)
    for role in ("alice", "bob"):
        assert set(losses(seen[role])) == {"peer-closed"}
        assert sessions[role].state is ConnectionState.CLOSED


def test_a_stranger_ends_no_host() -> None:
    lines = CutLines([])
    sessions = {role: new_session(role) for role in ("alice", "bob")}
    submit(sessions, 1)
    alice: list[Event] = []
    thread = threading.Thread(
        target=lambda: alice.extend(transport.blocking.serve(sessions["alice"], lines.listener, reconnection=AT_ONCE))
    )
    thread.start()
    with socket.create_connection(lines.listener.getsockname()) as stranger, contextlib.suppress(OSError):
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
        while stranger.recv(2**16):
            pass
    bob = list(transport.blocking.keep_connected(sessions["bob"], lines.connect, reconnection=AT_ONCE))
    thread.join()
    lines.listener.close()
    assert losses(alice) == ["protocol-error"]
    assert keys(alice) == keys(bob) != []


class Refusing(socket.socket):
    """A listener whose first two callers are gone before they are let in, as the system tells."""

    refusals = (errno.ECONNABORTED, errno.EMFILE)

    def accept(self) -> tuple[socket.socket, object]:
        refusals, self.refusals = self.refusals, self.refusals[1:]
        if refusals:
            raise OSError(refusals[0], "no")
        return super().accept()


def refusing_listener() -> socket.socket:
    listener = Refusing(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener


@pytest.mark.parametrize("driver", ["blocking", "asyncio"])
def test_a_caller_that_is_gone_again_ends_no_host(driver: str) -> None:
    listener = refusing_listener()
    sessions = {role: new_session(role) for role in ("alice", "bob")}
    submit(sessions, 1)
    alice: list[Event] = []

    async def serve() -> None:
        events = transport.asyncio.serve(sessions["alice"], listener, reconnection=AT_ONCE)
        alice.extend([event async for event in events])

    def work() -> None:
        if driver == "asyncio":
            return asyncio.run(serve())
        return alice.extend(transport.blocking.serve(sessions["alice"], listener, reconnection=AT_ONCE))

    thread = threading.Thread(target=work)
    thread.start()
    called = transport.blocking.keep_connected(
        sessions["bob"], lambda: socket.create_connection(listener.getsockname()), reconnection=AT_ONCE
    )
    bob = list(called)
    thread.join()
    listener.close()
    assert keys(alice) == keys(bob) != []


def test_a_listener_that_is_closed_is_told() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.close()
    with pytest.raises(OSError, match="descriptor"):
        list(transport.blocking.serve(new_session("alice"), listener))


def test_a_wait_doubles_within_bounds_and_begins_anew_after_a_key() -> None:
    wait = Backoff(Reconnection(first_seconds=1.0, most_seconds=8.0))
    most = [1.0, 2.0, 4.0, 8.0, 8.0]
    for bound in most:
        assert bound / 2 <= wait.next_seconds() <= bound
    wait.began()
    wait.heard(ConnectionLost(reason="peer-closed", detail=""))
    assert wait.next_seconds() >= 4.0
    wait.heard(KeyReady(block=0, key=None, report=None))  # type: ignore[arg-type]
    assert wait.next_seconds() <= 1.0
    for loss, at_most in (("authentication-failed", 8.0), ("protocol-error", 8.0), ("timed-out", 1.0)):
        wait = Backoff(Reconnection(first_seconds=0.001, most_seconds=0.002))
        wait.began()
        wait.next_seconds()
        time.sleep(0.003)
        wait.heard(ConnectionLost(reason=loss, detail=""))  # type: ignore[arg-type]
        assert (wait.next_seconds() <= 0.001) == (at_most == 1.0)


def test_a_line_that_is_not_there_is_called_again() -> None:
    sessions = {role: new_session(role) for role in ("alice", "bob")}
    submit(sessions, 1)
    lines = CutLines([])
    refused = iter([True, True, False])

    def connect() -> socket.socket:
        if next(refused):
            raise ConnectionRefusedError("nobody there")
        return lines.connect()

    alice: list[Event] = []
    thread = threading.Thread(target=lambda: alice.extend(transport.blocking.serve(sessions["alice"], lines.listener)))
    thread.start()
    bob = list(transport.blocking.keep_connected(sessions["bob"], connect, reconnection=AT_ONCE))
    thread.join()
    lines.listener.close()
    assert keys(alice) == keys(bob) != []


# Threads.


def test_with_an_executor_the_session_never_works_in_the_loop() -> None:
    lines = CutLines([])
    sessions = {role: new_session(role) for role in ("alice", "bob")}
    submit(sessions, 2)
    worked_in: set[int] = set()

    def noted(plain: Callable[..., object]) -> Callable[..., object]:
        def call(*data: bytes) -> object:
            worked_in.add(threading.get_ident())
            return plain(*data)

        return call

    for session in sessions.values():
        for name in ("receive_data", "data_to_send"):
            setattr(session, name, noted(getattr(session, name)))
    seen = run_asyncio(sessions, lines, threads=2)
    lines.listener.close()
    assert keys(seen["alice"]) == keys(seen["bob"]) != []
    assert threading.get_ident() not in worked_in


def test_an_executor_that_is_shut_down_is_told_and_cancels_nobody() -> None:
    async def main() -> None:
        threads, leave = ThreadPoolExecutor(1), threading.Event()
        threads.submit(leave.wait)
        turns = Turns(threads)
        call = asyncio.create_task(turns.call(lambda: 1))
        await asyncio.sleep(0)
        threads.shutdown(wait=False, cancel_futures=True)
        leave.set()
        with pytest.raises(RuntimeError, match="shut down"):
            await call
        with pytest.raises(RuntimeError, match="after shutdown"):
            await turns.call(lambda: 1)

    asyncio.run(main())


def test_an_executor_of_processes_is_refused() -> None:
    with ProcessPoolExecutor(1) as processes:
        for executor in (processes, "threads"):
            near, far = socket.socketpair()
            with near, far, pytest.raises(ConfigurationError, match="executor"):
                asyncio.run(driven(new_session("bob"), near, executor=executor))


@pytest.fixture
def working() -> Iterator[tuple[Session, threading.Event, threading.Event]]:
    """Give a session whose first call waits in `save_pool` until it is let go."""
    entered, leave = threading.Event(), threading.Event()

    def save(_: bytes) -> None:
        entered.set()
        leave.wait(60)

    session = Session(role="alice", link=small_link(), auth_key=KeyPool(PRESHARED), save_pool=save)
    yield session, entered, leave
    leave.set()


def test_who_cancels_waits_until_the_session_is_free(
    working: tuple[Session, threading.Event, threading.Event],
) -> None:
    session, entered, leave = working
    near, far = socket.socketpair()

    async def cancel() -> None:
        with ThreadPoolExecutor(1) as threads:
            task = asyncio.create_task(driven(session, near, executor=threads))
            while not entered.is_set():
                await asyncio.sleep(0.001)
            with pytest.raises(LocalProtocolError, match="another thread"):
                session.finish()
            task.cancel()
            await asyncio.sleep(0.02)
            task.cancel()
            assert not task.done()
            leave.set()
            with pytest.raises(asyncio.CancelledError):
                await task
            session.connection_lost("closed-here")

    with near, far:
        asyncio.run(cancel())
    assert losses(list(session.events())) == ["closed-here"]


def test_records_are_submitted_in_turn_from_another_task() -> None:
    lines = CutLines([])
    sessions = {role: new_session(role) for role in ("alice", "bob")}

    async def both() -> dict[str, list[Event]]:
        async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            return await asyncio.open_connection(*lines.relay.getsockname())

        async def feed() -> None:
            for seed in range(3):
                for session, record in zip(sessions.values(), bb84_records(seed=seed), strict=True):
                    await transport.asyncio.in_turn(session, lambda s=session, r=record: s.submit(r))  # type: ignore[misc]
                    await transport.asyncio.in_turn(session, session.flush)
            for session in sessions.values():
                await transport.asyncio.in_turn(session, session.finish)

        async def collected(run: object) -> list[Event]:
            return [event async for event in run]  # type: ignore[attr-defined]

        with ThreadPoolExecutor(2) as executor:
            alice = transport.asyncio.serve(sessions["alice"], lines.listener, executor=executor)
            bob = transport.asyncio.keep_connected(sessions["bob"], connect, executor=executor)
            seen = await asyncio.gather(collected(alice), collected(bob), feed())
        return {"alice": seen[0], "bob": seen[1]}

    seen = asyncio.run(both())
    lines.listener.close()
    assert keys(seen["alice"]) == keys(seen["bob"])
    assert len(keys(seen["bob"])) >= 1


def test_idle_is_called_with_a_line_and_without_one() -> None:
    session = new_session("bob")
    calls: list[ConnectionState] = []

    def idle() -> None:
        calls.append(session.state)
        if len(calls) == 4:
            raise KeyboardInterrupt

    def connect() -> socket.socket:
        raise ConnectionRefusedError

    with pytest.raises(KeyboardInterrupt):
        list(transport.blocking.keep_connected(session, connect, idle=idle))

    async def absent() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        raise ConnectionRefusedError

    async def kept() -> None:
        async for _ in transport.asyncio.keep_connected(session, absent, idle=idle):
            pass

    calls.clear()
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(kept())
    assert qp.ConnectionState.HANDSHAKE in calls
