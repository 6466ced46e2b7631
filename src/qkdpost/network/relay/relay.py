"""Relaying at one site: source, node and target of transfers, and who gets the next one."""

from __future__ import annotations

import os
from typing import Any

from qkdpost.checks import flag, real_number
from qkdpost.network.events import Event, TransferFailed
from qkdpost.network.messages.framed import CarryDone, CarrySegment, CarryVoid
from qkdpost.network.names import RandomBytes
from qkdpost.network.peer.handler import Session
from qkdpost.network.relay.policy import RelayPolicy, check_paths_exist
from qkdpost.network.relay.replenishment import Replenishment
from qkdpost.network.relay.routing import Path
from qkdpost.network.relay.topology import Topology
from qkdpost.network.relay.transfers.node import RelayNode
from qkdpost.network.relay.transfers.source import RelaySource
from qkdpost.network.relay.transfers.surroundings import PairPools, Peers, Report, Surroundings
from qkdpost.network.relay.transfers.target import RelayTarget
from qkdpost.network.store.protocol import KeyStore

__all__ = ["Relay"]


class Relay:
    """Transfers that begin, pass or end at a site; the handler of `CarrySegment`, `CarryDone` and `CarryVoid`.

    It is built from the rows of the store, in a transaction, and whoever builds it registers it with every session.
    `flush` is the last thing that is called before each commit: what came in during the turn is passed on then.

    Args:
        name: of this site.
        topology: sites and links, the same everywhere.
        policy: the same at both ends of a pair as far as paths go.
        store: with an open transaction, now and whenever a method is called.
        peers: returns the session with a site that a link joins to this one.
        pools: where carried segments come to rest.
        report: hears of transfers that failed.
        now_seconds: the time; what is older than its end is erased at once.
        random_bytes: where identifiers of transfers come from; no key is made of them.
        fills: whether the pools of pairs are filled by demand with every `advance`; else only `start` begins transfers.

    Raises:
        ConfigurationError: no such site, or the network has fewer disjoint paths for a pair than the policy wants.
        StoreDamaged: a row in the store is none.
    """

    def __init__(
        self,
        *,
        name: str,
        topology: Topology,
        policy: RelayPolicy,
        store: KeyStore,
        peers: Peers,
        pools: PairPools,
        report: Report,
        now_seconds: float,
        random_bytes: RandomBytes = os.urandom,
        fills: bool = True,
    ) -> None:
        self._name = topology.site(name).name
        check_paths_exist(topology, policy, name)
        self._report = report
        self._replenishment: Replenishment | None = None
        around = Surroundings(
            name=name, topology=topology, policy=policy, store=store, peers=peers, pools=pools, report=self._heard
        )
        self._node = RelayNode(around, now_seconds=now_seconds)
        self._target = RelayTarget(around, now_seconds=now_seconds)
        self._source = RelaySource(around, now_seconds=now_seconds, random_bytes=random_bytes)
        if flag("fills", fills):
            self._replenishment = Replenishment(
                name=name,
                topology=topology,
                policy=policy,
                source=self._source,
                peers=peers,
                pools=pools,
                now_seconds=now_seconds,
            )
        self._now_seconds = now_seconds

    def _heard(self, event: Event) -> None:
        """Pass an event on; ways that failed are avoided."""
        self._report(event)
        if self._replenishment is not None and isinstance(event, TransferFailed):
            self._replenishment.failed(event, self._now_seconds)

    def start(self, paths: tuple[Path, ...], count: int = 1) -> int:
        """Begin transfers of one segment each over these disjoint paths; return how many the first links had key for.

        Raises:
            InputError: paths that nobody would take.
            PeerUnavailable: the first site of a path is not connected.
            NotEnoughKey: a first link has too little key.
        """
        return self._source.start(paths, count)

    def pending(self, target: str) -> tuple[bytes, ...]:
        """Return the identifiers of transfers to a site that are on their way, for the greeting of its session."""
        return self._source.pending(target)

    def completed_bytes(self, target: str) -> int:
        """Return how much this process has carried to a site from here."""
        return self._source.completed_bytes(target)

    def received(self, peer: Session, message: Any, material: tuple[bytearray, ...]) -> None:
        """Take a message; see `MessageHandler`. What is not to be believed is refused by `CarryVoid`."""
        if isinstance(message, CarrySegment):
            duty = self._target if message.target == self._name else self._node
            duty.take(peer, message, material[0])
        elif isinstance(message, CarryDone):
            _ = self._source.take_done(peer, message) or self._node.take_done(peer, message)
        elif isinstance(message, CarryVoid):
            duties = (self._source, self._node, self._target)
            _ = any(duty.take_void(peer, message) for duty in duties)

    def confirmed(self, peer: Session, message: Any) -> None:
        """Hear that the next site has a message; the target's answer is what counts."""

    def broken(self, peer: Session, message: Any) -> None:
        """End a transfer whose share was in flight when a connection broke."""
        if isinstance(message, CarrySegment) and not self._source.broken(message):
            self._node.broken(message)

    def advance(self, now_seconds: float) -> None:
        """End what is late, here and on its way, and begin transfers where key is wanted."""
        self._now_seconds = real_number("now_seconds", now_seconds, least=0.0)
        for duty in (self._source, self._node, self._target):
            duty.advance(self._now_seconds)
        if self._replenishment is not None:
            self._replenishment.advance(self._now_seconds)

    def flush(self) -> None:
        """Pass on what may be passed on, and write what may not: the last thing before a commit."""
        self._node.flush()
        self._target.flush()
