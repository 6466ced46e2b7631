"""Deliveries without pools: sites in one process whose sessions share a stream of random bytes and never fail."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from qkdpost.errors import NotEnoughKey, PeerUnavailable
from qkdpost.network.deliveries.deliveries import Deliveries
from qkdpost.network.events import DeliveredKey, Event, KeysReleased, RequestRefused, Ticket
from qkdpost.network.messages.framed import consumed_lengths
from qkdpost.network.policy import DeliveryPolicy, KeyRequirements
from qkdpost.network.provenance import Block, Provenance
from qkdpost.network.store.memory import MemoryStore

SITES = {"SAE-A": "A", "SAE-A2": "A", "SAE-B": "B", "SAE-E": "B", "SAE-C": "C"}


def provenance_between(first: str, second: str) -> Provenance:
    link = "|".join(sorted((first, second)))
    block = Block(link=link, identifier=link.encode().ljust(16), kind="bb84", epsilon=1e-10, accumulated_epsilon=2e-10)
    return Provenance(blocks=(block,))


class PretendedFrame:
    def __init__(self, session: PretendedSession, material: tuple[bytearray, ...]) -> None:
        self.session, self.material = session, material
        self.provenances = tuple((session.provenance.to_bytes(),) for _ in material)
        self.copies = [bytes(piece) for piece in material]

    def send(self, messages: Sequence[Any]) -> None:
        lengths = [length for message in messages for length in consumed_lengths(message)]
        assert lengths == [len(copy) for copy in self.copies]
        self.session.sent.append((list(messages), self.copies))


class PretendedSession:
    """One end; what it sends waits in `sent` until the pump takes it or the connection is lost."""

    def __init__(self, own: str, peer: str) -> None:
        self.name, self.ready, self.window, self.stock = peer, True, 8192, 100_000
        self.provenance = provenance_between(own, peer)
        self.sent: list[tuple[list[Any], list[bytes]]] = []
        self.queued: list[Any] = []
        self.random = np.random.default_rng(abs(hash((own, peer))) % 2**32)

    def room_bytes(self) -> int:
        in_flight = sum(len(piece) for _, copies in self.sent for piece in copies)
        return min(self.window - in_flight, self.stock) if self.ready else 0

    def open_frame(self, lengths: Sequence[int]) -> PretendedFrame:
        if not self.ready:
            raise PeerUnavailable("not connected")
        if sum(lengths) > self.room_bytes():
            raise NotEnoughKey("too little")
        self.stock -= sum(lengths)
        return PretendedFrame(self, tuple(bytearray(self.random.bytes(length)) for length in lengths))

    def queue(self, message: Any) -> None:
        self.queued.append(message)


class PretendedSite:
    """A site: the surroundings of its deliveries."""

    def __init__(self, name: str, peers: Sequence[str], policy: DeliveryPolicy) -> None:
        self.name, self.policy, self.now_seconds = name, policy, 1000.0
        self.sessions = {peer: PretendedSession(name, peer) for peer in peers}
        self.store = MemoryStore()
        self.reported: list[Event] = []
        self.start()

    def start(self) -> None:
        self.store.begin()
        self.deliveries = Deliveries(self.store, self, self.policy, itertools.count(1))
        self.handlers = self.deliveries.handlers

    def restart(self) -> None:
        self.store.reopen()
        self.reported.clear()
        for session in self.sessions.values():
            session.sent.clear()
        self.start()

    def commit(self) -> None:
        self.deliveries.write()
        self.store.commit()
        self.store.begin()

    # Surroundings.

    def site_of(self, sae: str) -> str | None:
        return SITES.get(sae)

    def session(self, site: str) -> PretendedSession:
        return self.sessions[site]

    def deliverable_bytes(self, site: str) -> int:
        return self.sessions[site].stock

    def stock(self, site: str) -> tuple[Provenance, ...]:
        return (self.sessions[site].provenance,)

    def oldest_seconds(self, site: str) -> float | None:
        return 900.0

    def provenance_of(self, site: str, pieces: Sequence[bytes]) -> Provenance:
        whole = Provenance()
        for piece in pieces:
            whole = whole | Provenance.from_bytes(piece)
        return whole.with_checks(site.encode().ljust(16), 4098)

    def random_bytes(self, count: int) -> bytes:
        return np.random.default_rng().bytes(count)

    def report(self, event: Event) -> None:
        self.reported.append(event)

    # What tests say.

    def ask(self, *slaves: str, number: int = 1, size_bytes: int = 32, master: str = "SAE-A", **demands: Any) -> Ticket:
        ticket = self.deliveries.request(master, slaves, number, size_bytes, KeyRequirements(**demands))
        self.deliveries.go_on()  # as at the end of a turn
        return ticket

    def released(self) -> tuple[DeliveredKey, ...]:
        return tuple(key for event in self.reported if isinstance(event, KeysReleased) for key in event.keys)

    def refusals(self) -> list[Exception]:
        return [event.error for event in self.reported if isinstance(event, RequestRefused)]


class PretendedNetwork:
    """A, B and C, each connected to the others."""

    def __init__(self, **policy: Any) -> None:
        names = ("A", "B", "C")
        rules = DeliveryPolicy(**policy)
        self.sites = {name: PretendedSite(name, [peer for peer in names if peer != name], rules) for name in names}
        self.a, self.b, self.c = self.sites.values()

    def pump(self, *, only: tuple[str, str] | None = None) -> None:
        """Commit and carry messages until all is quiet; of one direction alone if it is named."""
        busy = True
        while busy:
            busy = False
            for site in self.sites.values():
                site.deliveries.go_on()
                site.commit()
            for site in self.sites.values():
                for peer, session in site.sessions.items():
                    if session.ready and only in (None, (site.name, peer)):
                        busy |= self._carry(site, session)

    def _carry(self, site: PretendedSite, session: PretendedSession) -> bool:
        frames = [*session.sent, *(([message], []) for message in session.queued)]
        session.sent, session.queued = [], []
        other = self.sites[session.name]
        for messages, copies in frames:
            pieces = iter(copies)
            for message in messages:
                material = tuple(bytearray(next(pieces)) for _ in consumed_lengths(message))
                other.handlers[type(message)].received(other.sessions[site.name], message, material)
        return bool(frames)

    def break_between(self, first: str, second: str) -> None:
        """Lose what is under way between two sites, as a session does that loses its connection."""
        for own, peer in ((first, second), (second, first)):
            site, session = self.sites[own], self.sites[own].sessions[peer]
            lost, session.sent = session.sent, []
            session.ready = False
            for messages, _ in lost:
                for message in messages:
                    site.handlers[type(message)].broken(session, message)

    def join(self, first: str, second: str, *, was_restored: bool = False) -> None:
        for own, peer in ((first, second), (second, first)):
            self.sites[own].sessions[peer].ready = True
            self.sites[own].deliveries.connected(peer, was_restored=was_restored and own == first)

    def wait(self, seconds: float) -> None:
        for site in self.sites.values():
            site.now_seconds += seconds
            site.deliveries.go_on()
