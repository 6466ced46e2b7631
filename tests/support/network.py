"""Key managers in one process on stores in memory, connected by a pump that decides what arrives, and when.

    network = Network(line("a", "b", "c"))
    network.stock_links(100_000)
    network.run()                       # until nothing moves
    network.managers["a"].request_keys(...)

Everything is deterministic: keys of links come from a seed, identifiers from another.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from qkdpost import Bits, SecretKey
from qkdpost.errors import RemoteProtocolError, StoreUnavailable
from qkdpost.network.events import DeliveredKey, Event, KeysReleased, RequestRefused, Ticket
from qkdpost.network.manager import KeyManager
from qkdpost.network.peer.codec import Incoming, header_of, is_frame
from qkdpost.network.relay.topology import Topology
from qkdpost.network.store.memory import MemoryStore

KIND = "decoy-bb84"


def line(*names: str) -> Topology:
    """Sites in a row, each with two applications: SAE-A and SAE-A2 at site a, and so on."""
    return topology(names, pairwise(names))


def topology(names: Iterable[str], links: Iterable[tuple[str, str]]) -> Topology:
    return Topology.from_mapping(
        {
            "sites": {name: {"applications": [f"SAE-{name.upper()}", f"SAE-{name.upper()}2"]} for name in names},
            "links": [{"between": list(link), "kind": KIND, "length_km": 10.0} for link in links],
        }
    )


class Network:
    """Managers and the bytes between them.

    Args:
        plan: sites and links.
        seed: of keys and identifiers.
        stores: by name, in place of `MemoryStore`s.
        settings: of every `KeyManager`.
    """

    def __init__(
        self, plan: Topology, *, seed: int = 1, stores: Mapping[str, Any] | None = None, **settings: Any
    ) -> None:
        self.plan, self.settings = plan, settings
        self.random = random.Random(seed)
        self.keys = np.random.default_rng(seed)
        self.now_seconds = 1000.0
        self.stores: dict[str, Any] = {site.name: MemoryStore() for site in plan.sites} | dict(stores or {})
        self.managers: dict[str, KeyManager] = {}
        self.wires: dict[tuple[str, str], bytearray] = {}
        """Bytes under way, by sender and receiver; both directions are there while the two are connected."""
        self.cut: set[frozenset[str]] = set()
        """Pairs that may not be connected."""
        self.events: dict[str, list[Event]] = {site.name: [] for site in plan.sites}
        self.sent: list[tuple[str, str, bytes]] = []
        """Everything that ever left a manager, for who looks for pads that were used twice."""
        self._number = 0
        for name in self.stores:
            self.start(name)

    # Lives of managers.

    def start(self, name: str) -> KeyManager:
        self.managers[name] = KeyManager(
            name=name,
            store=self.stores[name],
            topology=self.plan,
            random_bytes=self.random.randbytes,
            **self.settings,
        )
        self.managers[name].advance(self.now_seconds)
        return self.managers[name]

    def kill(self, name: str) -> None:
        """End a manager as SIGKILL does: what was not committed is gone, and its connections are."""
        del self.managers[name]
        for peer in self.stores:
            self.disconnect(name, peer)
        self.stores[name].reopen()

    def restart(self, name: str) -> KeyManager:
        if name in self.managers:
            self.kill(name)
        return self.start(name)

    # Key.

    def stock_link(
        self, first: str, second: str, length_bytes: int, *, only: str | None = None, link: str | None = None
    ) -> SecretKey:
        """Give both ends of a link the same new key, or one of them alone."""
        self._number += 1
        key = SecretKey(
            bits=Bits.from_bytes(self.keys.bytes(length_bytes), 8 * length_bytes),
            identifier=self._number.to_bytes(16, "big"),
            epsilon=1e-10,
            accumulated_epsilon=self._number * 1e-10,
        )
        for name, peer in ((first, second), (second, first)):
            if only in (None, name) and name in self.managers:
                self.managers[name].add_key(peer, key, kind=KIND, link=link)
        return key

    def stock_links(self, length_bytes: int = 50_000) -> None:
        for link in self.plan.links:
            self.stock_link(*link.between, length_bytes)

    # Connections.

    def connect(self, first: str, second: str) -> None:
        for name, peer in ((first, second), (second, first)):
            if name in self.managers:
                session = self.managers[name].peer(peer)
                session.connection_lost()
        if first in self.managers and second in self.managers:
            for name, peer in ((first, second), (second, first)):
                self.wires[name, peer] = bytearray()
                self.managers[name].peer(peer).connection_made()

    def disconnect(self, first: str, second: str) -> None:
        if self.wires.pop((first, second), None) is None:
            return
        self.wires.pop((second, first), None)
        for name, peer in ((first, second), (second, first)):
            if name in self.managers:
                with contextlib.suppress(StoreUnavailable):
                    self.managers[name].peer(peer).connection_lost()

    def connect_all(self, pairs: Iterable[tuple[str, str]] | None = None) -> None:
        """Connect what is not connected: pairs with a link, and those that a manager keeps a pool for."""
        wanted = [link.between for link in self.plan.links] if pairs is None else list(pairs)
        if pairs is None:
            wanted += [(name, peer) for name, manager in self.managers.items() for peer in manager.peers]
        for first, second in wanted:
            is_new = (first, second) not in self.wires and frozenset((first, second)) not in self.cut
            if is_new and {first, second} <= set(self.managers):
                self.connect(first, second)

    # The pump.

    def commit(self, name: str) -> None:
        """End a turn of one manager, and put what it says on the wires; a failed commit loses its connections."""
        manager = self.managers[name]
        try:
            manager.commit()
        except StoreUnavailable:
            for peer in self.stores:
                self.disconnect(name, peer)
        self.events[name].extend(manager.events())
        for sender, receiver in tuple(self.wires):
            if sender == name and (data := manager.peer(receiver).data_to_send()):
                self.sent.append((sender, receiver, data))
                self.wires[sender, receiver] += data

    def deliver(self, sender: str, receiver: str, count: int | None = None) -> bool:
        """Hand over bytes of a wire, all or the first `count`; tell whether there were any."""
        wire = self.wires.get((sender, receiver))
        if not wire or receiver not in self.managers:
            return False
        data = bytes(wire[:count])
        del wire[: len(data)]
        try:
            self.managers[receiver].peer(sender).receive_data(data)
        except RemoteProtocolError:
            self.commit(receiver)
            self.disconnect(sender, receiver)
        except StoreUnavailable:
            for peer in self.stores:
                self.disconnect(receiver, peer)
        return True

    def step(self) -> bool:
        """Commit everything and deliver everything that is under way, once."""
        for name in tuple(self.managers):
            self.commit(name)
        delivered = [self.deliver(*wire) for wire in tuple(self.wires)]
        return any(delivered)

    def run(self, *, most: int = 200, connect: bool = True) -> None:
        """Connect and pump until nothing moves."""
        if connect:
            self.connect_all()
        for _ in range(most):
            if not self.step():
                return
        raise AssertionError("the network does not come to rest")

    def wait(self, seconds: float, *, run: bool = True) -> None:
        """Let time go by, and what follows from it happen."""
        self.now_seconds += seconds
        for name, manager in self.managers.items():
            for peer in manager.advance(self.now_seconds):
                self.disconnect(name, peer)
        if run:
            self.run()

    # What tests say.

    def ask(self, *slaves: str, master: str = "SAE-A", number: int = 1, size_bits: int = 256, **other: Any) -> Ticket:
        site = str(self.plan.site_of(master))
        return self.managers[site].request_keys(
            master=master, slaves=slaves, number=number, size_bits=size_bits, now_seconds=self.now_seconds, **other
        )

    def fetch(self, caller: str, ids: Iterable[str], master: str = "SAE-A") -> list[bytes]:
        """Fetch keys and make it durable."""
        site = str(self.plan.site_of(caller))
        manager = self.managers[site]
        turn = manager.turn
        keys = manager.fetch_keys(caller=caller, master=master, key_ids=list(ids), now_seconds=self.now_seconds)
        self.commit(site)
        if manager.outcome(turn) != "durable":
            raise StoreUnavailable("the turn was lost, and no answer leaves")
        return [bytes(key.key) for key in keys]

    def released(self, name: str = "a", ticket: Ticket | None = None) -> list[DeliveredKey]:
        return [
            key
            for event in self.events[name]
            if isinstance(event, KeysReleased) and ticket in (None, event.ticket)
            for key in event.keys
        ]

    def refusals(self, name: str = "a") -> list[Exception]:
        return [event.error for event in self.events[name] if isinstance(event, RequestRefused)]

    def of(self, kind: type[Any], name: str = "a") -> list[Any]:
        return [event for event in self.events[name] if isinstance(event, kind)]

    def keys_between(self, *slaves: str, **arguments: Any) -> tuple[list[str], list[bytes]]:
        """Ask, run, and return IDs and keys of the master."""
        ticket = self.ask(*slaves, **arguments)
        self.run()
        keys = self.released(str(self.plan.site_of(ticket.master)), ticket)
        return [key.key_id for key in keys], [bytes(key.key) for key in keys]

    def balances(self) -> bool:
        return all(not pool.unaccounted_bits for manager in self.managers.values() for pool in manager.account().pools)


def pads_used_twice(network: Network) -> list[tuple[object, ...]]:
    """Return places of key that two different frames, of all that ever left a manager, were made of."""
    seen: dict[tuple[bytes, int, int, int], bytes] = {}
    twice = []
    for _, _, data in network.sent:
        incoming = Incoming()
        incoming.add(data)
        while (whole := incoming.next()) is not None:
            if not is_frame(whole):
                continue
            header = header_of(whole)
            for segment, offset, length in header.ranges:
                for place in range(offset, offset + length):
                    name = (header.pool, header.direction, segment, place)
                    if seen.setdefault(name, whole) != whole:
                        twice.append(name)
    return twice
