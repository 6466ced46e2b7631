"""Keys at the site of their master: a range of a pool is bound to IDs and applications, and released once all hold it.

The bytes of a key that is not released are in memory alone: after a restart nobody waits for them. What is written
is that their IDs were given away, so that whoever starts tells the slaves' sites that they are void.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from qkdpost.errors import InputError, NotEnoughKey, PeerUnavailable, QkdpostError, UnsupportedRequest
from qkdpost.network.deliveries.description import MAX_EXTENSION_BYTES, described_key, written_extension
from qkdpost.network.deliveries.held import HeldKeys
from qkdpost.network.deliveries.records import ASSIGNMENTS, AssignmentRow, encode
from qkdpost.network.deliveries.released import ReleasedKeys
from qkdpost.network.deliveries.requests import Batch, Request
from qkdpost.network.deliveries.states import MasterEvent, MasterState
from qkdpost.network.deliveries.surroundings import Surroundings
from qkdpost.network.events import DeliveredKey, KeysReleased, RequestRefused
from qkdpost.network.messages.fields import MAX_KEYS_PER_MESSAGE, VoidReason
from qkdpost.network.messages.framed import AssignedKey, AssignKeys, VoidKeys
from qkdpost.network.names import key_id_text, new_key_id
from qkdpost.network.peer.handler import OpenedFrame, Session
from qkdpost.network.peer.pads import add_into
from qkdpost.network.policy import DeliveryPolicy
from qkdpost.network.provenance import LOCAL_KIND, Block, Provenance
from qkdpost.network.store.protocol import KeyStore

__all__ = ["Assignments", "void_keys"]

_MESSAGE_BYTES = 56 * 1024
"""Of an `AssignKeys`, so that its frame stays below 64 KiB."""


class Assignments:
    """The keys of this site's masters that are not released yet.

    Args:
        store: whose open transaction is written to.
        around: the key manager.
        policy: lifetimes and quotas.
        held: where keys for slaves at this very site go.
        released: where the record of released keys goes.
    """

    __slots__ = ("_around", "_batches", "_held", "_last_described", "_policy", "_released", "_requests", "_store")

    def __init__(
        self, store: KeyStore, around: Surroundings, policy: DeliveryPolicy, held: HeldKeys, released: ReleasedKeys
    ) -> None:
        self._store = store
        self._around = around
        self._policy = policy
        self._held = held
        self._released = released
        self._requests: list[Request] = []
        self._batches: dict[bytes, Batch] = {}
        self._last_described: tuple[Provenance, dict[str, Any]] | None = None

    @property
    def open_requests(self) -> tuple[Request, ...]:
        """Those that wait for an answer."""
        return tuple(request for request in self._requests if request.is_open)

    def wanted_bytes(self, site: str) -> int:
        """Return what open requests still want of the pool with a site."""
        return sum(request.wanted_bytes for request in self._requests if request.is_open and site in request.sites)

    # Requests.

    def add(self, request: Request) -> None:
        """Take a request that was checked, and assign at once what can be."""
        self._assign(request)
        self._requests.append(request)

    def go_on(self) -> None:
        """Assign what windows have room for now, refuse what is late, and forget what is answered."""
        for request in self._requests:
            if request.is_open and self._around.now_seconds >= request.deadline_seconds:
                self.refuse(request, self._lateness(request), "deadline", VoidReason.DEADLINE)
            elif request.is_open and request.wanted:
                self._assign(request)
        self._requests = [request for request in self._requests if request.is_open]

    def refuse(self, request: Request, error: QkdpostError, event: MasterEvent, reason: VoidReason) -> None:
        """Answer a request with an error; what was assigned to it is void."""
        request.is_open = False
        for batch in tuple(request.batches):
            self.void(batch, event, reason)
        self._around.report(RequestRefused(ticket=request.ticket, error=error))

    def _lateness(self, request: Request) -> QkdpostError:
        sites = ", ".join(sorted({site for batch in request.batches for site in batch.waiting} or request.sites))
        if request.wanted and all(self._around.session(site).ready for site in request.sites):
            return NotEnoughKey("the pool gave too little in time for all keys of the request: ask again later")
        return PeerUnavailable(f"no answer in time from {sites}: what was assigned is void, ask again")

    # Batches.

    def _assign(self, request: Request) -> None:
        while request.wanted and request.is_open:
            count = self._count(request)
            if not count:
                return
            self._assign_batch(request, count)
        if not request.sites and request.is_open:
            self.release(request)

    def _count(self, request: Request) -> int:
        sessions = [self._around.session(site) for site in request.sites]
        if not all(session.ready for session in sessions):
            return 0
        room = min((session.room_bytes() for session in sessions), default=2**40)
        return min(request.wanted, _keys_per_message(request), room // request.size_bytes)

    def _assign_batch(self, request: Request, count: int) -> None:
        sessions = [self._around.session(site) for site in request.sites]
        frames = [session.open_frame((request.size_bytes,) * count) for session in sessions]
        values = self._values(request, frames, count)
        try:
            provenance = self._provenance(request.sites, frames)
            name = self._released.remember(provenance)
        except InputError as error:
            # The frames go empty; asked for fewer sites at once, or less at once, the keys can be had.
            refusal = UnsupportedRequest(f"so many keys for so many sites cannot be described together: {error}")
            return self.refuse(request, refusal, "refused", VoidReason.REFUSED)
        key_ids = tuple(new_key_id(self._around.random_bytes) for _ in range(count))
        batch = Batch(
            request=request,
            key_ids=key_ids,
            values=values,
            waiting={site: set(key_ids) for site in request.sites},
            provenance=name,
            expires_seconds=self._around.now_seconds + self._policy.lifetimes.key_seconds,
            extension=self._described(provenance, request.sites),
        )
        for place, (session, frame) in enumerate(zip(sessions, frames, strict=True)):
            frame.send([self._message(batch, session, frame, is_first=not place)])
        self._record(batch)
        if not sessions:
            batch.apply("held by all")
        return None

    def _values(self, request: Request, frames: Sequence[OpenedFrame], count: int) -> list[bytearray]:
        if frames:
            return [bytearray(piece) for piece in frames[0].material]
        return [bytearray(self._around.random_bytes(request.size_bytes)) for _ in range(count)]

    def _provenance(self, sites: Iterable[str], frames: Sequence[OpenedFrame]) -> Provenance:
        whole = Provenance()
        for site, frame in zip(sites, frames, strict=True):
            pieces = tuple(dict.fromkeys(piece for entry in dict.fromkeys(frame.provenances) for piece in entry))
            whole = whole | self._around.provenance_of(site, pieces)
        return whole if frames else local_provenance(self._around.name)

    def _described(self, provenance: Provenance, sites: Iterable[str]) -> dict[str, Any]:
        """Return what is said of keys: without a look at the pools it is the same for many in a row."""
        if self._policy.claim == "request":
            return described_key(provenance, [piece for site in sites for piece in self._around.stock(site)])
        if self._last_described is None or self._last_described[0] is not provenance:
            self._last_described = provenance, described_key(provenance)
        return dict(self._last_described[1])

    def _message(self, batch: Batch, session: Session, frame: OpenedFrame, *, is_first: bool) -> AssignKeys:
        lifetime = math.ceil(self._policy.lifetimes.key_seconds)
        slaves, extension = batch.request.sites[session.name], written_extension(batch.extension)
        keys = []
        for place, key_id in enumerate(batch.key_ids):
            piece = frame.material[place]
            if not is_first:
                add_into(piece, batch.values[place])
            keys.append(
                AssignedKey(
                    key_id,
                    batch.request.size_bytes,
                    batch.request.ticket.master,
                    slaves,
                    lifetime,
                    None if is_first else bytes(piece),
                    b"" if place else extension,  # the others of the message inherit it
                )
            )
            piece[:] = bytes(len(piece))
        return AssignKeys(tuple(keys))

    def _record(self, batch: Batch) -> None:
        request = batch.request
        request.batches.append(batch)
        request.wanted -= len(batch.key_ids)
        self._batches.update(dict.fromkeys(batch.key_ids, batch))
        self._store.put(ASSIGNMENTS, batch.key_ids[0], encode(self._row(batch)))

    def _row(self, batch: Batch) -> AssignmentRow:
        request = batch.request
        return AssignmentRow(
            batch.state,
            batch.key_ids,
            request.ticket.master,
            request.ticket.slaves,
            tuple(request.sites),
            batch.expires_seconds,
            batch.provenance,
        )

    # What other sites say.

    def held(self, site: str, key_ids: Sequence[bytes]) -> None:
        """Note that a site holds keys; release a request when all sites hold all of its keys."""
        found: dict[int, tuple[Batch, list[bytes]]] = {}
        for key_id in key_ids:
            batch = self._batches.get(key_id)
            if batch is not None:
                found.setdefault(id(batch), (batch, []))[1].append(key_id)
        for batch, names in found.values():
            if batch.state != MasterState.ASSIGNED:
                continue  # void long since: no answer revives it
            batch.answered(site, names)
            if batch.request.is_open and batch.request.is_complete:
                self.release(batch.request)

    def refused(self, site: str, key_id: bytes, error: QkdpostError) -> None:
        """Refuse the request of a key that a site does not take, and void it at all others."""
        batch = self._batches.get(key_id)
        if batch is not None and site in batch.request.sites and batch.request.is_open:
            self.refuse(batch.request, error, "refused", VoidReason.REFUSED)

    def broken(self, key_ids: Sequence[bytes]) -> None:
        """Void keys whose message was under way when its connection ended, and assign others while there is time.

        The other end may hold them, so these IDs and these bytes are for nobody.
        """
        batches = {id(batch): batch for key_id in key_ids if (batch := self._batches.get(key_id)) is not None}
        for batch in batches.values():
            request = batch.request
            self.void(batch, "broken", VoidReason.CONNECTION_LOST)
            request.wanted += len(batch.key_ids) if request.is_open else 0

    def void(self, batch: Batch, event: MasterEvent, reason: VoidReason) -> None:
        """Void keys that were not released, here and at every other site."""
        if not batch.apply(event):
            return
        remaining = batch.expires_seconds - self._around.now_seconds
        for site in batch.request.sites:
            void_keys(self._around.session(site), batch.key_ids, reason, remaining)
        self._forget(batch)

    def having(self, provenances: frozenset[bytes]) -> tuple[Request, ...]:
        """Return the open requests with keys that rest on one of these."""
        batches = (batch for batch in self._batches.values() if batch.provenance in provenances)
        return tuple({id(batch.request): batch.request for batch in batches}.values())

    def _forget(self, batch: Batch) -> None:
        batch.erase()
        batch.request.batches.remove(batch)
        for key_id in batch.key_ids:
            del self._batches[key_id]
        self._store.take(ASSIGNMENTS, batch.key_ids[0])
        self._released.forget(batch.provenance)

    # Release.

    def release(self, request: Request) -> None:
        """Hand the keys of a request to its master, with the commit of this turn, and keep slaves' copies here."""
        if not self._local_copies(request):
            error = NotEnoughKey(f"too many keys of {request.ticket.master!r} wait at this site already")
            return self.refuse(request, error, "refused", VoidReason.REFUSED)
        keys = tuple(
            DeliveredKey(key_id=key_id_text(key_id), key=value, extension=batch.extension)
            for key_id, value, batch in request.contents()
        )
        request.is_open = False
        for batch in request.batches:
            batch.apply("released")
            self._store.take(ASSIGNMENTS, batch.key_ids[0])
            self._released.add(self._row(batch))
            batch.values = []  # they are the event's now
            for key_id in batch.key_ids:
                del self._batches[key_id]
        self._around.report(KeysReleased(ticket=request.ticket, keys=keys))
        return None

    def _local_copies(self, request: Request) -> bool:
        if not request.local:
            return True
        master, keys = request.ticket.master, request.ticket.keys
        if not self._held.has_room(master, request.local, keys):
            return False
        for batch in request.batches:
            self._held.hold(
                [(key_id, bytearray(value)) for key_id, value in zip(batch.key_ids, batch.values, strict=True)],
                site=self._around.name,
                master=master,
                slaves=request.local,
                expires_seconds=batch.expires_seconds,
                extension=written_extension(batch.extension),
            )
        return True


def void_keys(session: Session, key_ids: Sequence[bytes], reason: VoidReason, remaining_seconds: float) -> None:
    """Have another site void keys, as soon as it can hear of it."""
    lifetime = max(1, math.ceil(remaining_seconds))
    for start in range(0, len(key_ids), MAX_KEYS_PER_MESSAGE):
        session.queue(VoidKeys(tuple(key_ids[start : start + MAX_KEYS_PER_MESSAGE]), reason, lifetime))


def local_provenance(name: str) -> Provenance:
    """Return what keys between two applications of one site are made of: random numbers of its operating system."""
    block = Block(
        link=name,
        identifier=bytes(16),
        kind=LOCAL_KIND,
        epsilon=0.0,
        accumulated_epsilon=0.0,
        stated_by_operator=True,
    )
    return Provenance(blocks=(block,))


def _keys_per_message(request: Request) -> int:
    """Return how many keys an `AssignKeys` to any of the sites holds."""
    names = len(request.ticket.master.encode()) + max(
        (sum(len(name.encode()) + 3 for name in slaves) for slaves in request.sites.values()), default=0
    )
    ciphertext = request.size_bytes + 5 if len(request.sites) > 1 else 0
    return max(1, min(MAX_KEYS_PER_MESSAGE, (_MESSAGE_BYTES - MAX_EXTENSION_BYTES) // (64 + names + ciphertext)))
