"""Keys at the site of their master: a range of a pool is bound to IDs and applications, and released once all hold it.

The bytes of a key that is not released are in memory alone: after a restart nobody waits for them. What is written
is that their IDs were given away, so that whoever starts tells the slaves' sites that they are void.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import chain

from qkdpost.errors import InputError, NotEnoughKey, PeerUnavailable, QkdpostError, UnsupportedRequest
from qkdpost.network.deliveries.description import Said
from qkdpost.network.deliveries.held import HeldTable
from qkdpost.network.deliveries.released import ReleasedKeys
from qkdpost.network.deliveries.requests import Batch, Request
from qkdpost.network.deliveries.rounds import Descriptions, Round, next_round
from qkdpost.network.deliveries.states import MasterEvent, MasterState
from qkdpost.network.deliveries.surroundings import Surroundings
from qkdpost.network.deliveries.unreleased import UnreleasedRows, row_of
from qkdpost.network.events import KeysReleased, RequestRefused
from qkdpost.network.messages.fields import MAX_KEYS_PER_MESSAGE, VoidReason
from qkdpost.network.messages.framed import VoidKeys
from qkdpost.network.names import new_key_ids, split_key_ids
from qkdpost.network.peer.handler import Session
from qkdpost.network.policy import DeliveryPolicy
from qkdpost.network.store.protocol import KeyStore

__all__ = ["Assignments", "void_keys"]


class Assignments:
    """The keys of this site's masters that are not released yet.

    Args:
        store: whose open transaction is written to.
        around: the key manager.
        policy: lifetimes and quotas.
        held: where keys for slaves at this very site go.
        released: where the record of released keys goes.
    """

    __slots__ = (
        "_around",
        "_batches",
        "_descriptions",
        "_held",
        "_policy",
        "_released",
        "_requests",
        "_rows",
        "_wanted_bytes",
    )

    def __init__(
        self, store: KeyStore, around: Surroundings, policy: DeliveryPolicy, held: HeldTable, released: ReleasedKeys
    ) -> None:
        self._around = around
        self._policy = policy
        self._held = held
        self._released = released
        self._rows = UnreleasedRows(store)
        self._descriptions = Descriptions(around, policy)
        self._requests: list[Request] = []
        self._batches: dict[bytes, Batch] = {}
        self._wanted_bytes: Counter[str] = Counter()

    @property
    def open_requests(self) -> tuple[Request, ...]:
        """Those that wait for an answer."""
        return tuple(request for request in self._requests if request.is_open)

    def wanted_bytes(self, site: str) -> int:
        """Return what open requests still want of the pool with a site."""
        return self._wanted_bytes[site]

    # Requests.

    def add(self, request: Request) -> None:
        """Take a request that was checked; it is assigned with all others of the turn."""
        self._requests.append(request)
        self._want(request, request.wanted)

    def _want(self, request: Request, more: int) -> None:
        for site in request.sites:
            self._wanted_bytes[site] += more * request.size_bytes

    def go_on(self) -> None:
        """Refuse what is late, assign what windows have room for now, and forget what is answered."""
        if not self._requests:
            return
        for request in self._requests:
            if request.is_open and self._around.now_seconds >= request.deadline_seconds:
                self.refuse(request, self._lateness(request), "deadline", VoidReason.DEADLINE)
        while (some := next_round(self._requests, self._around)) is not None:
            self._assign(some)
        self._requests = [request for request in self._requests if request.is_open]

    def refuse(self, request: Request, error: QkdpostError, event: MasterEvent, reason: VoidReason) -> None:
        """Answer a request with an error; what was assigned to it is void."""
        request.is_open = False
        self._want(request, -request.wanted)
        for batch in tuple(request.batches):
            self.void(batch, event, reason)
        self._around.report(RequestRefused(ticket=request.ticket, error=error))

    def _lateness(self, request: Request) -> QkdpostError:
        sites = ", ".join(sorted({site for batch in request.batches for site in batch.waiting} or request.sites))
        if request.wanted and all(self._around.session(site).ready for site in request.sites):
            return NotEnoughKey("the pool gave too little in time for all keys of the request: ask again later")
        return PeerUnavailable(f"no answer in time from {sites}: what was assigned is void, ask again")

    # Batches.

    def _assign(self, some: Round) -> None:
        """Give keys to the requests of a round, in one frame for each of their sites."""
        some.open()
        described = self._described(some)
        if described is None:
            return  # the frames go empty, and the next round is without what was refused
        now, lifetime = self._around.now_seconds, self._policy.lifetimes.key_seconds
        batches = []
        for place, (request, count) in enumerate(some.pieces):
            name, said = described[tuple(request.sites)]
            key_ids, values = new_key_ids(count, self._around.random_bytes), some.values(place)
            batch = Batch(request, key_ids, values, set(request.sites), name, now + lifetime, said)
            request.batches.append(batch)
            request.wanted -= count
            self._want(request, -count)
            self._batches[batch.name] = batch
            batches.append(batch)
        some.send(batches, math.ceil(lifetime))
        self._rows.add(batches)
        for batch in batches:
            if not batch.waiting:  # for another site
                batch.apply("held by all")
                self._release_if_complete(batch.request)

    def _described(self, some: Round) -> dict[tuple[str, ...], tuple[bytes, Said]] | None:
        """Return for each set of sites what keys rest on and what is said of them; None if that of one cannot be told.

        Its requests are refused then.
        """
        now = self._around.now_seconds
        until = now + self._policy.lifetimes.key_seconds
        found = {}
        for sites in dict.fromkeys(tuple(request.sites) for request, _ in some.pieces):
            try:
                provenance, said = self._descriptions.of(some, sites)
                found[sites] = self._released.remember(provenance, now, until), said
            except InputError as error:
                # Asked for fewer sites at once, or less at once, the keys can be had.
                refusal = UnsupportedRequest(f"so many keys for so many sites cannot be described together: {error}")
                for request in {id(request): request for request, _ in some.pieces}.values():
                    if tuple(request.sites) == sites and request.is_open:
                        self.refuse(request, refusal, "refused", VoidReason.REFUSED)
                return None
        return found

    # What other sites say.

    def held(self, site: str, names: Sequence[bytes]) -> None:
        """Note that a site holds keys; release a request when all sites hold all of its keys."""
        for name in names:
            batch = self._batches.get(name)
            if batch is not None and batch.state == MasterState.ASSIGNED:  # what is void, no answer revives
                batch.held_at(site)
                self._release_if_complete(batch.request)

    def refused(self, site: str, name: bytes, error: QkdpostError) -> None:
        """Refuse the request of keys that a site does not take, and void them at all others."""
        batch = self._batches.get(name)
        if batch is not None and site in batch.request.sites and batch.request.is_open:
            self.refuse(batch.request, error, "refused", VoidReason.REFUSED)

    def broken(self, names: Sequence[bytes]) -> None:
        """Void keys whose message was under way when its connection ended, and assign others while there is time.

        The other end may hold them, so these IDs and these bytes are for nobody.
        """
        for name in names:
            batch = self._batches.get(name)
            if batch is None:
                continue
            request = batch.request
            self.void(batch, "broken", VoidReason.CONNECTION_LOST)
            if request.is_open:
                request.wanted += batch.count
                self._want(request, batch.count)

    def void(self, batch: Batch, event: MasterEvent, reason: VoidReason) -> None:
        """Void keys that were not released, here and at every other site."""
        if not batch.apply(event):
            return
        remaining = batch.expires_seconds - self._around.now_seconds
        for site in batch.request.sites:
            void_keys(self._around.session(site), split_key_ids(batch.key_ids), reason, remaining)
        batch.erase()
        batch.request.batches.remove(batch)
        self._forget(batch)

    def having(self, provenances: frozenset[bytes]) -> tuple[Request, ...]:
        """Return the open requests with keys that rest on one of these."""
        batches = (batch for batch in self._batches.values() if batch.provenance in provenances)
        return tuple({id(batch.request): batch.request for batch in batches}.values())

    def _forget(self, batch: Batch) -> None:
        del self._batches[batch.name]
        self._rows.remove(batch)

    def write(self) -> None:
        """Write what the turn has assigned, and leave out what it has ended; before its commit."""
        self._rows.write()

    # Release.

    def _release_if_complete(self, request: Request) -> None:
        if request.is_open and request.is_complete:
            self._release(request)

    def _release(self, request: Request) -> None:
        """Hand the keys of a request to its master, with the commit of this turn, and keep slaves' copies here."""
        if not self._local_copies(request):
            error = NotEnoughKey(f"too many keys of {request.ticket.master!r} wait at this site already")
            return self.refuse(request, error, "refused", VoidReason.REFUSED)
        request.is_open = False
        for batch in request.batches:
            batch.apply("released")
            self._released.add(row_of(batch))
            self._forget(batch)
        keys = tuple(chain.from_iterable(batch.delivered() for batch in request.batches))
        self._around.report(KeysReleased(ticket=request.ticket, keys=keys))
        return None

    def _local_copies(self, request: Request) -> bool:
        if not request.local:
            return True
        master = request.ticket.master
        if not self._held.has_room(master, request.local, request.ticket.keys):
            return False
        for batch in request.batches:
            self._held.hold(
                [(batch.key_ids, bytearray(batch.values), master, request.local)],
                site=self._around.name,
                expires_seconds=batch.expires_seconds,
                extension=batch.said.content,
            )
        return True


def void_keys(session: Session, key_ids: Sequence[bytes], reason: VoidReason, remaining_seconds: float) -> None:
    """Have another site void keys, as soon as it can hear of it."""
    lifetime = max(1, math.ceil(remaining_seconds))
    for start in range(0, len(key_ids), MAX_KEYS_PER_MESSAGE):
        session.queue(VoidKeys(tuple(key_ids[start : start + MAX_KEYS_PER_MESSAGE]), reason, lifetime))
