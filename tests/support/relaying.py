"""Sites that relay to each other in one process, over sessions that are as simple as can be.

A frame is a list of messages with the bytes that they consume; these are drawn when it is opened, and the other end
finds the same. Nothing is delivered before the turn in which it was said is committed.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from qkdpost.errors import NotEnoughKey, PeerUnavailable, StoreUnavailable
from qkdpost.network.events import TransferFailed
from qkdpost.network.messages.framed import CarrySegment, consumed_lengths
from qkdpost.network.provenance import Block, CheckCount, Provenance
from qkdpost.network.relay.policy import RelayPolicy
from qkdpost.network.relay.relay import Relay
from qkdpost.network.relay.topology import Link, Site, Topology
from qkdpost.network.store.memory import MemoryStore

Frame = tuple[list[Any], list[bytearray]]


class FakeFrame:
    def __init__(self, session: FakeSession, lengths: Sequence[int]) -> None:
        self._session = session
        self.material = tuple(bytearray(os.urandom(length)) for length in lengths)
        self._copies = [bytearray(entry) for entry in self.material]
        self.provenances = tuple((session.provenance,) for _ in lengths)

    def send(self, messages: Sequence[Any]) -> None:
        lengths = [length for message in messages for length in consumed_lengths(message)]
        assert lengths == [len(copy) for copy in self._copies]
        self._session.said.append((list(messages), self._copies))


class FakeSession:
    """One end of a pool; `name` is that of the other end."""

    def __init__(self, own: str, name: str) -> None:
        self.own, self.name, self.ready = own, name, True
        self.key_bytes = 10**9
        self.said: list[Frame] = []
        self.frames_opened = 0
        link = "|".join(sorted((own, name)))
        block = Block(
            link=link, identifier=link.encode()[:16].ljust(16), kind="bb84", epsilon=1e-10, accumulated_epsilon=1e-9
        )
        self.provenance = Provenance(blocks=(block,)).to_bytes()

    def room_bytes(self) -> int:
        return self.key_bytes if self.ready else 0

    def segments_ahead(self, count: int) -> int:
        return 1

    def open_frame(self, lengths: Sequence[int]) -> FakeFrame:
        if not self.ready:
            raise PeerUnavailable("not connected")
        if sum(lengths) > self.key_bytes:
            raise NotEnoughKey("too little")
        self.key_bytes -= sum(lengths)
        self.frames_opened += 1
        return FakeFrame(self, lengths)

    def queue(self, message: Any) -> None:
        self.said.append(([message], []))


class FakePools:
    """The pairs' pools of one site: what is ready, what is offered."""

    def __init__(self) -> None:
        self.ready: dict[bytes, tuple[str, bytes, Provenance]] = {}
        self.offered: dict[bytes, tuple[str, bytes, Provenance]] = {}
        self.full = False
        self.links: dict[str, int] = {}
        self.used: dict[str, int] = {}
        self.renewed: list[str] = []

        self._kept: tuple[dict[bytes, Any], dict[bytes, Any]] = ({}, {})

    def keep(self) -> None:
        """Be durable as it is now."""
        self._kept = dict(self.ready), dict(self.offered)

    def lose(self) -> None:
        """Be as it was when it was durable."""
        self.ready, self.offered = map(dict, self._kept)

    def use(self, peer: str, count: int) -> None:
        self.used[peer] = self.used.get(peer, 0) + count

    def stored_bytes(self, peer: str) -> int:
        got = sum(len(content) for name, content, _ in self.ready.values() if name == peer)
        return got - self.used.get(peer, 0) + self.links.get(peer, 0)

    def poorer_bytes(self, peer: str) -> int:
        return self.stored_bytes(peer) // 2

    def checks(self, peer: str) -> bytes:
        return Provenance(checks=(CheckCount(pool=peer.encode().ljust(16), units=7),)).to_bytes()

    def renew(self, peer: str) -> None:
        self.renewed.append(peer)

    def complete(self, peer: str, segment: bytes, content: bytearray, provenance: Provenance) -> None:
        self.ready[segment] = (peer, bytes(content), provenance)

    def arrive(self, peer: str, segment: bytes, content: bytearray, provenance: Provenance) -> bool:
        if not self.full:
            self.offered[segment] = (peer, bytes(content), provenance)
        return not self.full

    def withdraw(self, peer: str, segment: bytes) -> None:
        self.offered.pop(segment, None)


class World:
    """Sites, their sessions, and the messages between them.

    `tamper`, if set, sees every message on its way, (from, to, message, material), and returns what arrives: messages
    with their material, by default the same.
    """

    def __init__(
        self, links: Sequence[tuple[str, str]], policy: RelayPolicy | None = None, *, fills: bool = False
    ) -> None:
        self.fills = fills
        names = sorted({name for link in links for name in link})
        self.topology = Topology(
            sites=[Site(name=name, applications=(f"SAE-{name}",)) for name in names],
            links=[Link(between=link, kind="bb84", length_km=1.0) for link in links],
        )
        self.policies = dict.fromkeys(names, policy or RelayPolicy(segment_bytes=256))
        self.now_seconds = 0.0
        self.sessions = {(own, name): FakeSession(own, name) for pair in links for own, name in (pair, pair[::-1])}
        self.stores = {name: MemoryStore() for name in names}
        self.pools = {name: FakePools() for name in names}
        self.events: dict[str, list[TransferFailed]] = {name: [] for name in names}
        self.wires: dict[tuple[str, str], deque[Frame]] = {pair: deque() for pair in self.sessions}
        self.tamper: Callable[[str, str, Any, bytearray | None], list[tuple[Any, bytearray | None]]] | None = None
        self.heard: list[tuple[str, str, Any]] = []
        self.relays: dict[str, Relay] = {}
        for name in names:
            self.stores[name].begin()
            self.build(name)

    def build(self, name: str) -> None:
        self.relays[name] = Relay(
            name=name,
            topology=self.topology,
            policy=self.policies[name],
            store=self.stores[name],
            peers=lambda other: self.sessions.get((name, other)),
            pools=self.pools[name],
            report=self.events[name].append,
            now_seconds=self.now_seconds,
            fills=self.fills,
        )

    def crash(self, name: str) -> None:
        """Lose what is not committed, and build the site again from its rows."""
        self.stores[name].reopen()
        self.pools[name].lose()
        for (own, _), session in self.sessions.items():
            if own == name:
                session.said.clear()
        self.stores[name].begin()
        self.build(name)

    def commit(self) -> None:
        """End the turn of every site: only now what it said is on its way."""
        for name in self.relays:
            self.at(name, lambda name=name: self._commit(name))
        for pair, session in self.sessions.items():
            self.wires[pair].extend(session.said)
            session.said.clear()

    def _commit(self, name: str) -> None:
        self.relays[name].flush()
        self.stores[name].commit()
        self.pools[name].keep()
        self.stores[name].begin()

    def at(self, name: str, action: Callable[[], Any]) -> None:
        """Do something at a site, whose power may be cut meanwhile."""
        try:
            action()
        except StoreUnavailable:
            self.crash(name)

    def deliver(self) -> bool:
        """Let arrive what is on its way, and tell whether anything was."""
        moving = [(pair, wire.popleft()) for pair, wire in self.wires.items() if wire]
        for (own, name), (messages, materials) in moving:
            rest = iter(materials)
            for message in messages:
                material = next(rest) if consumed_lengths(message) else None
                self.arrive(own, name, message, material)
        return bool(moving)

    def arrive(self, sender: str, receiver: str, message: Any, material: bytearray | None) -> None:
        arriving = [(message, material)]
        if self.tamper is not None:
            arriving = self.tamper(sender, receiver, message, material)
        for changed, bytes_of_it in arriving:
            self.hear(sender, receiver, changed, bytes_of_it)

    def hear(self, sender: str, receiver: str, message: Any, material: bytearray | None) -> None:
        """Let a site hear a message, whoever made it."""
        self.heard.append((sender, receiver, message))
        session = self.sessions[receiver, sender]
        given = () if material is None else (material,)
        self.at(receiver, lambda: self.relays[receiver].received(session, message, given))

    def settle(self, rounds: int = 100) -> None:
        """Commit and deliver until nothing moves."""
        for _ in range(rounds):
            self.commit()
            if not self.deliver():
                return
        raise AssertionError("the sites do not come to rest")

    def advance(self, seconds: float) -> None:
        self.now_seconds += seconds
        for name in self.relays:
            self.at(name, lambda name=name: self.relays[name].advance(self.now_seconds))

    def rows(self, name: str) -> dict[str, int]:
        """How many rows of each table a site has."""
        tables = [f"relay_{duty}{part}" for duty in ("node", "target", "source") for part in ("", "_share")]
        return {table: len(self.stores[name].scan(table, b"", b"\xff" * 40, 10_000)) for table in tables}

    def secrets(self) -> int:
        """How many shares and segments are on record anywhere."""
        return sum(count for name in self.stores for table, count in self.rows(name).items() if table.endswith("share"))


def carried(world: World, sender: str) -> list[CarrySegment]:
    return [message for own, _, message in world.heard if own == sender and isinstance(message, CarrySegment)]
