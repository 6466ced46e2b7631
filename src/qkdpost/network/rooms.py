"""Everything that a key manager builds of its store's rows, and drops when nobody knows what the store holds."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence

from qkdpost.errors import InputError, PeerUnavailable, StoreDamaged
from qkdpost.network.accounts import Account, Ledger, PoolAccount
from qkdpost.network.deliveries.deliveries import Deliveries
from qkdpost.network.events import Event, PoolLow
from qkdpost.network.messages.framed import CarryDone, CarrySegment, CarryVoid
from qkdpost.network.names import RandomBytes, checked_name
from qkdpost.network.pairs import Pair
from qkdpost.network.peer.handler import MessageHandler
from qkdpost.network.peer.session import PeerSession
from qkdpost.network.policy import DeliveryPolicy
from qkdpost.network.pool.pool import Pool
from qkdpost.network.pool.settings import PoolSettings
from qkdpost.network.provenance import Provenance
from qkdpost.network.relay.policy import RelayPolicy
from qkdpost.network.relay.relay import Relay
from qkdpost.network.relay.topology import Topology
from qkdpost.network.store.protocol import KeyStore

__all__ = ["Rooms"]

_MANAGER = "manager"
_PEERS = "peers"
_NAME = b"name"
_NOW = b"now"
_CLOCK_STEP_SECONDS = 1.0


class Rooms:
    """Pools, sessions, deliveries and relay of one key manager, in one life of its store.

    It is what deliveries and relay see of the site around them (`deliveries.surroundings`, `relay.surroundings`).

    Args:
        name: of the key manager.
        store: with an open transaction.
        topology: of the network.
        policy: of deliveries.
        relay_policy: of transfers.
        settings: sizes of pools.
        random_bytes: where identifiers come from.
        ticket_numbers: of requests.
    """

    def __init__(
        self,
        *,
        name: str,
        store: KeyStore,
        topology: Topology,
        policy: DeliveryPolicy,
        relay_policy: RelayPolicy,
        settings: PoolSettings,
        random_bytes: RandomBytes,
        ticket_numbers: Iterator[int],
    ) -> None:
        self.name = name
        self.topology = topology
        self.site_of: Callable[[str], str | None] = topology.site_of
        """Returns the key manager at an application's site."""
        self.random_bytes: Callable[[int], bytes] = random_bytes
        self.store = store
        self._policy = policy
        self._settings = settings
        self._check_owner()
        self.now_seconds = self._written_seconds = self._read_now()
        self.events: list[Event] = []
        self.ledger = Ledger(store)
        self.pairs: dict[str, Pair] = {}
        self.deliveries = Deliveries(store, self, policy, ticket_numbers)
        self._handlers: dict[type, MessageHandler] = dict(self.deliveries.handlers)
        for peer in (*topology.neighbours(name), *self._stored_peers()):
            self.pair(peer)
        self.relay = Relay(
            name=name,
            topology=topology,
            policy=relay_policy,
            store=store,
            peers=self.known_session,
            pools=self,
            report=self.report,
            now_seconds=self.now_seconds,
            random_bytes=random_bytes,
        )
        # The relay speaks to sessions while it is built, and sessions to the relay only when they are connected.
        self._handlers |= dict.fromkeys((CarrySegment, CarryDone, CarryVoid), self.relay)
        for pair in self.pairs.values():
            pair.session.handlers.update(self._handlers)

    # The store's own rows.

    def _check_owner(self) -> None:
        owner = self.store.get(_MANAGER, _NAME)
        if owner is None:
            self.store.put(_MANAGER, _NAME, self.name.encode())
        elif owner != self.name.encode():
            raise InputError(
                f"this store is that of key manager {owner.decode(errors='replace')!r}; found the name {self.name!r}"
            )

    def _read_now(self) -> float:
        row = self.store.get(_MANAGER, _NOW)
        if row is not None and len(row) != 8:
            raise StoreDamaged("the row of the time is none; restore the store or set up a new one")
        return 0.0 if row is None else float(struct.unpack("<d", row)[0])

    def _stored_peers(self) -> Iterator[str]:
        for key, _ in self.store.scan(_PEERS, b"", b"\xff" * 65, 2**16):
            name = key.decode(errors="replace")
            if name in self.topology and name != self.name:
                yield name

    # Pairs.

    def pair(self, peer: str) -> Pair:
        """Return pool and session with another key manager of the topology, made when they are first wanted.

        Raises:
            InputError: the topology knows no such other key manager.
        """
        if peer in self.pairs:
            return self.pairs[peer]
        name = checked_name("peer", peer)
        if name == self.name or name not in self.topology:
            raise InputError(f"peer must be another key manager of the topology; found {name!r}")
        if self.topology.link(self.name, name) is None and self.store.get(_PEERS, name.encode()) is None:
            self.store.put(_PEERS, name.encode(), b"")
        pool = Pool(self.store, name=self.name, peer=name, settings=self._settings, booking=self.ledger)
        session = PeerSession(pool, self._handlers, pending=lambda: self.relay.pending(name))
        self.pairs[name] = Pair(pool, session, self.store)
        return self.pairs[name]

    def known_session(self, peer: str) -> PeerSession | None:
        """Return the session with a key manager, if there is one."""
        return self.pairs[peer].session if peer in self.pairs else None

    # What deliveries see.

    def session(self, site: str) -> PeerSession:
        """Return the session with another key manager."""
        try:
            return self.pair(site).session
        except InputError:
            raise PeerUnavailable(f"the topology has no {site!r} any more") from None

    def deliverable_bytes(self, site: str) -> int:
        """Return how much key for applications a pool holds."""
        return self.pair(site).deliverable_bytes

    def stock(self, site: str) -> tuple[Provenance, ...]:
        """Return the provenance of all that a key could be cut from."""
        return self.pair(site).stock()

    def oldest_seconds(self, site: str) -> float | None:
        """Return when the oldest of it came in."""
        return self.pair(site).oldest_seconds()

    def provenance_of(self, site: str, pieces: Sequence[bytes]) -> Provenance:
        """Return what rests on pieces of a pool."""
        return self.pair(site).joined(tuple(pieces))

    def report(self, event: Event) -> None:
        """Take an event of this turn."""
        self.events.append(event)

    # Where carried segments come to rest.

    def complete(self, peer: str, segment: bytes, content: bytearray, provenance: Provenance) -> None:
        """Take a segment that this site sent and the target holds."""
        self._add_carried(peer, segment, content, provenance)

    def arrive(self, peer: str, segment: bytes, content: bytearray, provenance: Provenance) -> bool:
        """Take a segment that came here."""
        return self._add_carried(peer, segment, content, provenance)

    def _add_carried(self, peer: str, segment: bytes, content: bytearray, provenance: Provenance) -> bool:
        pool = self.pair(peer).pool
        return pool.add_segment(segment, content, provenance=provenance.to_bytes(), source="transfer", vouched=True)

    def withdraw(self, peer: str, segment: bytes) -> None:
        """Erase a segment that came here and may not be used yet."""
        self.pair(peer).pool.discard_segment(segment)

    def stored_bytes(self, peer: str) -> int:
        """Return how much unspent key the pool with a site holds; 0 where there was never one."""
        return self.pairs[peer].pool.stored_bytes if peer in self.pairs else 0

    def poorer_bytes(self, peer: str) -> int:
        """Return how much the poorer direction of a pool may still spend, and half of what is not in use yet."""
        if peer not in self.pairs:
            return 0
        pool = self.pairs[peer].pool
        waiting = pool.stored_bytes - pool.own.rest - pool.peer.rest
        return min(pool.own.rest, pool.peer.rest) + max(0, waiting) // 2

    def checks(self, peer: str) -> bytes:
        """Return the provenance that counts the checks of a pool until now, and nothing else."""
        return self.pair(peer).joined(()).to_bytes()

    def renew(self, peer: str) -> None:
        """Have the next carried segment bring new hash keys, and give up then what came before."""
        self.pair(peer).pool.renew_hash_keys()

    # The turn.

    def set_time(self, now_seconds: float) -> None:
        """Move the time, which never goes back."""
        self.now_seconds = max(self.now_seconds, now_seconds)

    def advance(self) -> None:
        """Do what is due at this time, the rest of which comes with `prepare`."""
        self.relay.advance(self.now_seconds)

    def prepare(self) -> None:
        """Do what the turn has made possible, and write what is collected over it; before its commit."""
        for pair in self.pairs.values():
            if pair.has_become_ready:
                self.deliveries.connected(pair.peer, was_restored=pair.session.restored)
        self.deliveries.go_on()
        self.relay.flush()
        for pair in tuple(self.pairs.values()):
            pair.session.prepare()
            self.events.extend(pair.news(self.now_seconds))
            self._watch(pair)
        self.deliveries.write()
        self.ledger.write()
        if self.now_seconds >= self._written_seconds + _CLOCK_STEP_SECONDS:
            self.store.put(_MANAGER, _NOW, struct.pack("<d", self.now_seconds))
            self._written_seconds = self.now_seconds

    def _watch(self, pair: Pair) -> None:
        bits = 8 * pair.deliverable_bytes
        is_low = bits < self._policy.low_water_bits
        if is_low and not pair.is_low:
            self.report(PoolLow(peer=pair.peer, deliverable_bits=bits))
        pair.is_low = is_low

    def committed(self) -> None:
        """Let go of what the turn made; after its commit."""
        for pair in self.pairs.values():
            pair.session.committed()

    def account(self) -> Account:
        """Return what came in and what it was spent on."""
        pools = tuple(
            PoolAccount(
                peer=peer,
                stored_bits=8 * pair.pool.stored_bytes,
                received=self.ledger.received(pair.pool.identifier),
                spent=self.ledger.spent(pair.pool.identifier),
            )
            for peer, pair in sorted(self.pairs.items())
        )
        return Account(name=self.name, pools=pools, waiting_keys=self.deliveries.held.waiting_keys)
