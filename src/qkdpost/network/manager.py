"""The key manager of one site, see `KeyManager`."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from typing import TypeVar

from qkdpost.bits import Bits
from qkdpost.checks import instance, listed, real_number, whole_number
from qkdpost.errors import InputError
from qkdpost.keys.secret_key import SecretKey
from qkdpost.known_answers.verdict import refuse_after_failure
from qkdpost.network.accounts import Account
from qkdpost.network.deliveries.requests import MAX_KEYS_PER_REQUEST, checked_request
from qkdpost.network.events import DeliveredKey, Event, Ticket
from qkdpost.network.imports import Imported, imported_segment
from qkdpost.network.messages.fields import MAX_KEY_BYTES
from qkdpost.network.monitoring.monitor import Monitor, Number
from qkdpost.network.names import RandomBytes, checked_name, key_id_bytes
from qkdpost.network.peer.session import PeerSession
from qkdpost.network.policy import DeliveryPolicy, KeyRequirements
from qkdpost.network.pool.settings import PoolSettings
from qkdpost.network.relay.policy import RelayPolicy
from qkdpost.network.relay.topology import Topology
from qkdpost.network.rooms import Rooms
from qkdpost.network.service import Stock, TurnOutcome
from qkdpost.network.store.protocol import KeyStore
from qkdpost.network.turns import Turns
from qkdpost.single_use import SingleUse

__all__ = ["KeyManager"]

_Result = TypeVar("_Result")

_NO_DEMANDS = KeyRequirements()
_MOST_SECONDS = 1e11
"""Of times: three thousand years. Milliseconds are refused, and nothing that adds to a time overflows."""


class KeyManager(SingleUse):
    """The key manager (KME) of one site: keys of links in, keys for applications (SAE) out, equal at both ends.

    It has no socket, thread or clock. A driver, or a loop like this one, hands in what comes, makes it durable, and
    only then lets anything out::

        manager.add_key("kbh-3", event.key, kind="decoy-bb84")     # of KeyReady, at both ends of the link
        peer = manager.peer("kbh-3")
        peer.connection_made()
        peer.receive_data(data)
        ticket = manager.request_keys(master="SAE-A", slaves=("SAE-B",), number=2, size_bits=256, now_seconds=now)
        manager.advance(now)
        manager.commit()                                           # one turn, durable when it returns
        send(peer.data_to_send())
        for event in manager.events():
            ...

    **Turns.** Everything between two commits is one turn. Many inputs may share a turn: that is how a busy site pays
    for one fsync. `commit` may run in another thread, as long as nobody else touches the manager meanwhile. When it
    raises, nobody knows whether the turn is durable. Then the manager has read its store again, every session is a new
    object without a connection (`peer` returns it; close the connections of the old ones), and every request that
    waited is refused with `StoreUnavailable`.

    What this object promises, whatever crashes, breaks or is repeated: no bit of key is used twice; a key that was
    released to its master is held at the site of each of its slaves until it is fetched, void or expired; keys of one
    ID are equal; what was told to anybody is durable. See `qkdpost.network.epsilon` for how secret they are.

    Args:
        name: of this key manager, a site of the topology.
        store: where everything is kept, used by no other object. No transaction is open.
        topology: sites, links and applications, the same at every site.
        policy: of deliveries.
        relay: how segments are carried for pairs of sites that no link joins.
        pools: sizes.
        random_bytes: where identifiers come from, and keys between applications of one site if the policy wants any.

    Raises:
        InputError: an argument of another class, or a store of another key manager.
        ConfigurationError: a name that is no site of the topology.
        StoreDamaged: the store's rows contradict each other.
        StoreUnavailable: the store cannot record.
        SelfTestFailed: a self-test of this process has failed.

    >>> from qkdpost import network
    >>> topology = network.Topology(sites=[network.Site(name="north")], links=[])
    >>> manager = network.KeyManager(name="north", store=network.MemoryStore(), topology=topology)
    >>> manager.advance(0.0)
    ()
    """

    instead = "close it and make another one of its store"

    def __init__(
        self,
        *,
        name: str,
        store: KeyStore,
        topology: Topology,
        policy: DeliveryPolicy | None = None,
        relay: RelayPolicy | None = None,
        pools: PoolSettings | None = None,
        random_bytes: RandomBytes = os.urandom,
    ) -> None:
        refuse_after_failure()
        self._topology = instance("topology", topology, Topology)
        self._name = self._topology.site(checked_name("name", name)).name
        self._policy = instance("policy", policy or DeliveryPolicy(), DeliveryPolicy)
        self._relay_policy = instance("relay", relay or RelayPolicy(), RelayPolicy)
        self._settings = instance("pools", pools or PoolSettings(), PoolSettings)
        self._random_bytes = random_bytes
        self._ticket_numbers = itertools.count(1)
        self._store = store
        self._monitor = Monitor(self._name)
        self._turns = Turns(store, self._build, self._monitor)

    def __repr__(self) -> str:
        return f"KeyManager(name={self._name!r})"

    def _build(self, store: KeyStore) -> Rooms:
        return Rooms(
            name=self._name,
            store=store,
            topology=self._topology,
            policy=self._policy,
            relay_policy=self._relay_policy,
            settings=self._settings,
            random_bytes=self._random_bytes,
            ticket_numbers=self._ticket_numbers,
        )

    # Turns.

    @property
    def turn(self) -> int:
        """The number of the open turn."""
        return self._turns.number

    def outcome(self, turn: int) -> TurnOutcome:
        """Tell what became of a turn; of the last thousand that were lost, and all that were not."""
        return self._turns.outcome(turn)

    def commit(self) -> None:
        """Make the open turn durable, and begin the next; may run in another thread.

        Raises:
            StoreUnavailable: nobody knows whether it is; see the class.
        """
        self._turns.commit()

    def maintain(self, work: Callable[[], _Result]) -> _Result:
        """Make the open turn durable, and do something with the store before the next one begins.

        A store has one transaction, and a key manager keeps it open. This is when a checkpoint or a backup is made:

            manager.maintain(store.checkpoint)
            manager.maintain(lambda: store.backup(folder))

        Args:
            work: called without arguments; it leaves no transaction open.

        Raises:
            StoreUnavailable: as `commit`; or of `work`, and then the store is read again as after a lost turn.
            QkdpostError: whatever else `work` raises; the turn is durable then.
        """
        return self._turns.maintain(work)

    def checkpoint(self) -> None:
        """Commit, and have the store see that what was erased stands in no file any more; for a timer.

        Until then the bytes of delivered keys are in the log of a `SqliteStore`. It takes longer than a commit, and may
        run in another thread as one may. `KeyManagerHost` calls it.

        Raises:
            StoreUnavailable: as of `commit`; or the log could not be emptied: then the turn is durable all the same, as
                `outcome` says, and the rest is as after a commit that failed.
        """
        self._turns.maintain(self._store.checkpoint)

    def events(self, *kinds: type[Event]) -> tuple[Event, ...]:
        """Return what happened in durable turns, and forget it; of these classes alone, or of all if none is given."""
        return self._turns.events(*kinds)

    def advance(self, now_seconds: float) -> tuple[str, ...]:
        """Do what is due: deadlines, expiry, transfers, new key for pairs without a link. Some times a second.

        Args:
            now_seconds: any time that never goes back, as of `time.time`; a smaller one than before counts as that.

        Returns:
            The peers whose connection stands still: close it and make another.

        Raises:
            InputError: no number.
            StoreUnavailable: the store does not record.
        """
        now = real_number("now_seconds", now_seconds, least=0.0, most=_MOST_SECONDS)

        def advance(rooms: Rooms) -> tuple[str, ...]:
            rooms.set_time(now)
            rooms.advance()
            return tuple(peer for peer, pair in rooms.pairs.items() if pair.session.advance(rooms.now_seconds))

        return self._turns.run(advance)

    def close(self) -> None:
        """Leave the store whole; the open turn is undone, connections are to be closed. Nothing works afterwards."""
        self._turns.close()

    # Key comes in.

    def add_key(
        self,
        peer: str,
        key: SecretKey | Bits | bytes | bytearray,
        *,
        kind: str,
        link: str | None = None,
        identifier: bytes | None = None,
        epsilon: float | None = None,
        accumulated_epsilon: float | None = None,
    ) -> bool:
        """Take in a key of a link to `peer`, which the key manager there takes in as well, in any order.

        It is used when both ends have shown each other that they hold the same bits. Bits beyond the last whole byte
        are left out.

        Args:
            peer: the key manager at the other end.
            key: of `KeyReady`; or the key of another device, with the next three arguments. At least 1,536 bits.
                Secret.
            kind: of QKD, as "decoy-bb84".
            link: its name, if there is more than one between the two; both ends give it the same.
            identifier: 16 public bytes, the same at both ends, of no other key.
            epsilon: how far from ideal the device's vendor says that the key is.
            accumulated_epsilon: the same of all keys of the device so far; None: the sum of what was added here.

        Returns:
            Whether it was taken; if not, `SegmentLost` or `PoolFull` says why.

        Raises:
            InputError: an argument of another kind; too short a key.
            StoreUnavailable: the store does not record.
        """
        imported = Imported(key, kind, link, identifier, epsilon, accumulated_epsilon)

        def add(rooms: Rooms) -> bool:
            pool = rooms.pair(peer).pool
            segment = imported_segment(rooms.store, self._name, pool.peer_name, imported)
            return pool.add_segment(
                segment.identifier, segment.content, provenance=segment.provenance.to_bytes(), source=segment.source
            )

        return self._turns.run(add)

    # Peers.

    @property
    def name(self) -> str:
        """Its own name."""
        return self._name

    @property
    def topology(self) -> Topology:
        """Sites, links and applications."""
        return self._topology

    @property
    def peers(self) -> tuple[str, ...]:
        """The key managers that it shares a pool with: those of its links, and others that were ever asked for."""
        return self._turns.run(lambda rooms: tuple(sorted(rooms.pairs)))

    def peer(self, name: str) -> PeerSession:
        """Return the session with another key manager, which a driver connects. After a lost turn it is a new one.

        Raises:
            InputError: the topology knows no such other key manager.
            StoreUnavailable: the store does not record.
        """
        return self._turns.run(lambda rooms: rooms.pair(name).session)

    # Applications.

    def site_of(self, sae: str) -> str | None:
        """Return the name of the key manager at an application's site, or None if the topology does not know it."""
        return self._topology.site_of(sae)

    def may_share(self, first: str, second: str) -> bool:
        """Tell whether the access policy lets two applications share keys."""
        return self._policy.access.allows(first, second)

    def stock(self, *, master: str, slave: str) -> Stock:
        """Return what can be delivered now, see `KeyService.stock`."""
        names = checked_name("master", master), checked_name("slave", slave)

        def stock(rooms: Rooms) -> Stock:
            rooms.deliveries.check_pair(*names)
            site = str(rooms.site_of(names[1]))
            is_here = site == self._name
            usable = not is_here and rooms.session(site).ready
            found = rooms.deliveries.deliverable_bytes(site) if usable else 0
            if is_here and self._policy.local_keys != "refuse":
                found = MAX_KEY_BYTES * MAX_KEYS_PER_REQUEST
            return Stock(source=self._name, target=site, deliverable_bits=8 * found)

        return self._turns.run(stock)

    def request_keys(
        self,
        *,
        master: str,
        slaves: Sequence[str],
        number: int = 1,
        size_bits: int = 256,
        now_seconds: float,
        requirements: KeyRequirements | None = None,
    ) -> Ticket:
        """Assign keys to applications, see `KeyService.request_keys`; the answer is an event with the same ticket."""
        owner, others, count, size_bytes = checked_request(master, slaves, number, size_bits)
        demanded = instance("requirements", requirements or _NO_DEMANDS, KeyRequirements)
        now = real_number("now_seconds", now_seconds, least=0.0, most=_MOST_SECONDS)

        def request(rooms: Rooms) -> Ticket:
            rooms.set_time(now)
            ticket = rooms.deliveries.request(owner, others, count, size_bytes, demanded)
            self._turns.await_answer(ticket)
            return ticket

        return self._turns.run(request)

    def fetch_keys(
        self, *, caller: str, master: str, key_ids: Sequence[str], now_seconds: float
    ) -> tuple[DeliveredKey, ...]:
        """Give a slave the keys of these IDs, see `KeyService.fetch_keys`; no sooner than the turn is durable."""
        slave, owner = checked_name("caller", caller), checked_name("master", master)
        names = [key_id_bytes("key_ids", text) for text in listed("key_ids", key_ids, "key IDs")]
        whole_number("key_ids", len(names), least=1, most=MAX_KEYS_PER_REQUEST)
        now = real_number("now_seconds", now_seconds, least=0.0, most=_MOST_SECONDS)

        def fetch(rooms: Rooms) -> tuple[DeliveredKey, ...]:
            rooms.set_time(now)
            return rooms.deliveries.fetch(slave, owner, names)

        return self._turns.run(fetch)

    def abandon(self, ticket: Ticket) -> bool:
        """Give up a request whose application is gone: what was assigned is void everywhere, `RequestRefused` follows.

        Returns:
            Whether it was still open. Keys that are released already expire at their slaves' sites.

        Raises:
            InputError: no ticket.
            StoreUnavailable: the store does not record.
        """
        asked = instance("ticket", ticket, Ticket)
        return self._turns.run(lambda rooms: rooms.deliveries.abandon(asked))

    # Operators.

    def revoke(self, identifier: bytes) -> int:
        """Take back a block of a link, or a transfer, that was found bad: its segments, and every key made of them.

        An operator calls it at every site that used the block. Keys of masters of this site are void at the sites of
        their slaves, unless they were fetched already; `KeysVoided` names those that masters have.

        Args:
            identifier: of the block (`SecretKey.identifier`) or the transfer, 16 bytes.

        Returns:
            How many keys were given up that masters here have got.

        Raises:
            InputError: not 16 bytes.
            StoreUnavailable: the store does not record.
        """
        if not isinstance(identifier, bytes) or len(identifier) != 16:
            raise InputError("identifier must be 16 bytes, as that of a SecretKey")

        def revoke(rooms: Rooms) -> int:
            for pair in tuple(rooms.pairs.values()):
                pair.revoke(identifier)
            return rooms.deliveries.revoke(identifier)

        return self._turns.run(revoke)

    def account(self) -> Account:
        """Return what came into each pool and what it was spent on, in bits; the open turn counts."""
        return self._turns.run(lambda rooms: rooms.account())

    def metrics(self) -> dict[str, Number]:
        """Return what monitoring wants, as plain numbers; docs/monitoring.md tells each. None is secret."""
        return self._monitor.metrics(self.account(), self.turn)
