"""The event loop around a key manager: what it does by the clock."""

from __future__ import annotations

import asyncio

from qkdpost.network.manager import KeyManager
from qkdpost.network.store.memory import MemoryStore
from qkdpost.transport.network import KeyManagerHost
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
