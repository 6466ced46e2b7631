"""The event loop around a key manager: what it does by the clock."""

from __future__ import annotations

import asyncio
import threading

import pytest

from qkdpost.network.manager import KeyManager
from qkdpost.network.store.memory import MemoryStore
from qkdpost.transport.network import KeyManagerHost, turns
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
