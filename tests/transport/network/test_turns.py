"""The event loop around a key manager: what it does by the clock."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from unittest.mock import Mock

import pytest

from qkdpost.network.etsi014 import Etsi014, Request
from qkdpost.network.manager import KeyManager
from qkdpost.network.store.memory import MemoryStore
from qkdpost.transport.network import Identification, KeyManagerHost, ServerLimits, turns
from qkdpost.transport.network.https import EtsiServer
from support.fake_delivery import FakeNetwork
from support.network import line


class CountingStore(MemoryStore):
    """Counts checkpoints."""

    __slots__ = ("checkpoints",)

    def __init__(self) -> None:
        super().__init__()
        self.checkpoints = 0

    def checkpoint(self) -> None:
        super().checkpoint()
        self.checkpoints += 1


def test_a_host_lets_its_store_erase_for_good_by_the_clock() -> None:
    store = CountingStore()

    async def run() -> None:
        manager = KeyManager(name="a", store=store, topology=line("a", "b"))
        async with KeyManagerHost(manager, advance_seconds=0.01, checkpoint_seconds=0.05) as host:
            async with asyncio.timeout(30.0):
                while store.checkpoints < 2:
                    await asyncio.sleep(0.01)
            assert await host.call(lambda: manager.turn) > 2

    asyncio.run(run())


class TimedStore(MemoryStore):
    """Commits take as long as they are told to, by a clock of their own; it notes in which thread they were made."""

    __slots__ = ("now_seconds", "slow_ones", "taken", "threads")

    def __init__(self) -> None:
        super().__init__()
        self.now_seconds = 0.0
        self.taken = self.slow_ones = 0.0
        self.threads: list[int] = []

    def commit(self) -> None:
        super().commit()
        self.now_seconds += self.taken
        if self.slow_ones and len(self.threads) % 2:
            self.now_seconds += self.slow_ones
        self.threads.append(threading.get_ident())


def threads_of_commits(taken: float, slow_ones: float, monkeypatch: pytest.MonkeyPatch) -> set[bool]:
    """Return whether late commits were made in the event loop's own thread."""
    store = TimedStore()
    monkeypatch.setattr(turns.time, "perf_counter", lambda: store.now_seconds)

    async def run() -> set[bool]:
        manager = KeyManager(name="a", store=store, topology=line("a", "b"))
        async with KeyManagerHost(manager, advance_seconds=60.0) as host:
            store.taken, store.slow_ones = taken, slow_ones
            for _ in range(40):
                await host.call(lambda: None)
            return {thread == threading.get_ident() for thread in store.threads[-10:]}

    return asyncio.run(run())


def test_commits_of_a_slow_disk_are_made_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    assert threads_of_commits(0.005, 0.0, monkeypatch) == {False}


def test_commits_of_a_fast_disk_are_made_in_it_though_some_of_them_wait_long(monkeypatch: pytest.MonkeyPatch) -> None:
    assert threads_of_commits(0.0005, 0.5, monkeypatch) == {True}


def turns_of(work: Callable[[KeyManagerHost], Awaitable[None]]) -> int:
    """Return how many turns a host ends while something is done with it."""

    async def run() -> int:
        manager = KeyManager(name="a", store=MemoryStore(), topology=line("a", "b"))
        async with KeyManagerHost(manager, advance_seconds=60.0) as host:
            await host.call(lambda: None)
            before = manager.turn
            await work(host)
            return manager.turn - before

    return asyncio.run(run())


def test_what_waits_for_company_is_committed_with_what_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "GATHERING_SECONDS", 3600.0)

    async def work(host: KeyManagerHost) -> None:
        for _ in range(3):
            host.commit_in_company()
            await asyncio.sleep(0.0)
        await host.call(lambda: None)
        host.commit_in_company()  # the timer that was there is over

    assert turns_of(work) == 1


def test_what_waits_for_company_is_committed_though_none_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "GATHERING_SECONDS", 0.001)

    async def work(host: KeyManagerHost) -> None:
        before = host.manager.turn  # type: ignore[attr-defined]
        host.commit_in_company()
        host.commit_in_company()
        async with asyncio.timeout(30.0):
            while host.manager.turn == before:  # type: ignore[attr-defined]
                await asyncio.sleep(0.001)

    assert turns_of(work) == 1


class Asked:
    """A host that notes how it was asked to commit."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def when_free(self, work: Callable[[], None]) -> None:
        work()

    def now_seconds(self) -> float:
        return 0.0

    def commit_soon(self) -> None:
        self.asked.append("soon")

    def commit_in_company(self) -> None:
        self.asked.append("in company")


def test_a_request_waits_for_company_only_while_another_waits_for_its_keys() -> None:
    network = FakeNetwork({"SAE-A": "a", "SAE-B": "b"}, {frozenset("ab"): 10_000})
    manager, host = network.manager("a"), Asked()
    server = EtsiServer(host, Etsi014(manager), Identification(), ServerLimits())  # type: ignore[arg-type]
    callers = [Mock(caller="SAE-A", number=-1) for _ in range(4)]
    enc_keys = Request(method="GET", target="/api/v1/keys/SAE-B/enc_keys")
    server.submit(callers[0], enc_keys)
    server.submit(callers[1], enc_keys)
    server.submit(callers[2], Request(method="GET", target="/api/v1/keys/SAE-B/status"))
    manager.commit()
    server.after_commit(manager.events())
    server.submit(callers[3], enc_keys)
    assert host.asked == ["soon", "in company", "in company", "soon"]
