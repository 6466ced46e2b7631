"""Key managers without pools, peers or stores: both ends of every pair draw on one number of bits.

For tests of delivery interfaces alone, which need no more than the calls of `KeyService` and a commit.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from os import urandom

from qkdpost.errors import (
    KeyNotFound,
    NotAuthorised,
    NotEnoughKey,
    QkdpostError,
    StoreUnavailable,
    UnsupportedRequest,
)
from qkdpost.network.events import DeliveredKey, Event, KeysReleased, RequestRefused, StoreFailed, Ticket
from qkdpost.network.policy import AccessPolicy, KeyRequirements
from qkdpost.network.service import Stock, TurnOutcome

EXTENSION = {"qkdpost_epsilon": 1e-9, "qkdpost_trusted_nodes": [], "qkdpost_kinds": ["bb84"]}


@dataclass
class Held:
    master: str
    named: frozenset[str]
    left: set[str]
    key: bytes


@dataclass
class FakeNetwork:
    """Sites, bits and keys that all its managers see."""

    sites: dict[str, str]
    stock: dict[frozenset[str], int]
    access: AccessPolicy = field(default_factory=AccessPolicy)
    held: dict[tuple[str, str], Held] = field(default_factory=dict)

    def manager(self, name: str) -> FakeManager:
        return FakeManager(name, self)


@dataclass
class FakeManager:
    name: str
    network: FakeNetwork
    refuse_with: QkdpostError | None = None
    store_fails: bool = False
    reported: list[Event] = field(default_factory=list)
    undo: list[Callable[[], None]] = field(default_factory=list)
    requests: int = 0
    turn: int = 0
    abandoned: list[Ticket] = field(default_factory=list)
    lost: set[int] = field(default_factory=set)

    def outcome(self, turn: int) -> TurnOutcome:
        return "open" if turn == self.turn else "lost" if turn in self.lost else "durable"

    def site_of(self, sae: str) -> str | None:
        return self.network.sites.get(sae)

    def may_share(self, first: str, second: str) -> bool:
        return self.network.access.allows(first, second)

    def stock(self, *, master: str, slave: str) -> Stock:
        bits = self.network.stock[self._pool(slave)]
        return Stock(source=self.name, target=self.network.sites[slave], deliverable_bits=bits)

    def request_keys(
        self,
        *,
        master: str,
        slaves: Sequence[str],
        number: int,
        size_bits: int,
        now_seconds: float,
        requirements: KeyRequirements | None = None,
    ) -> Ticket:
        if requirements and (requirements.max_epsilon or 1.0) < EXTENSION["qkdpost_epsilon"]:
            raise UnsupportedRequest("no key is so near to ideal")
        pool = self._pool(slaves[0])
        if number * size_bits > self.network.stock[pool]:
            raise NotEnoughKey("too little")
        self.requests += 1
        ticket = Ticket(number=self.requests, master=master, slaves=tuple(slaves), keys=number, size_bits=size_bits)
        if self.refuse_with is not None:
            self.reported.append(RequestRefused(ticket=ticket, error=self.refuse_with))
            return ticket
        self.network.stock[pool] -= number * size_bits
        keys = tuple(self._assigned(master, slaves, size_bits) for _ in range(number))
        self.reported.append(KeysReleased(ticket=ticket, keys=keys))
        return ticket

    def abandon(self, ticket: Ticket) -> bool:
        self.abandoned.append(ticket)
        return False

    def fetch_keys(
        self, *, caller: str, master: str, key_ids: Sequence[str], now_seconds: float
    ) -> tuple[DeliveredKey, ...]:
        found = [self.network.held.get((self.name, key_id)) for key_id in key_ids]
        if any(held is not None and caller not in held.named for held in found):
            raise NotAuthorised("another application's key")
        if any(held is None or held.master != master or caller not in held.left for held in found):
            raise KeyNotFound("not here")
        for held in found:
            assert held is not None
            held.left.discard(caller)
            self.undo.append(lambda held=held: held.left.add(caller))
        return tuple(
            DeliveredKey(key_id=key_id, key=bytearray(held.key), extension=EXTENSION)
            for key_id, held in zip(key_ids, found, strict=True)
            if held is not None
        )

    def checkpoint(self) -> None:
        self.commit()

    def commit(self) -> None:
        if self.store_fails:
            self.lost.add(self.turn)
            for undo in self.undo:
                undo()
            waiting = [event.ticket for event in self.reported if isinstance(event, KeysReleased)]
            error = StoreUnavailable("no space")
            self.reported = [RequestRefused(ticket=ticket, error=error) for ticket in waiting]
            self.reported.append(StoreFailed(detail="no space", recovered="reopened"))
        self.undo.clear()
        self.turn += 1

    def advance(self, now_seconds: float) -> tuple[str, ...]:
        return ()

    def events(self, *kinds: type[Event]) -> tuple[Event, ...]:
        taken = tuple(event for event in self.reported if isinstance(event, kinds or object))
        self.reported = [event for event in self.reported if event not in taken]
        return taken

    def _pool(self, slave: str) -> frozenset[str]:
        return frozenset((self.name, self.network.sites[slave]))

    def _assigned(self, master: str, slaves: Sequence[str], size_bits: int) -> DeliveredKey:
        key_id, key = str(uuid.uuid4()), urandom(size_bits // 8)
        for site in {self.network.sites[slave] for slave in slaves}:
            here = frozenset(slave for slave in slaves if self.network.sites[slave] == site)
            self.network.held[site, key_id] = Held(master, here, set(here), key)
        return DeliveredKey(key_id=key_id, key=bytearray(key), extension=EXTENSION)
