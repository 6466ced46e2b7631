"""All of delivery at one key manager, see `Deliveries`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import TypeAlias

from qkdpost.errors import NotAuthorised, NotEnoughKey, PeerUnavailable, UnsupportedRequest
from qkdpost.network.deliveries.assignments import Assignments, void_keys
from qkdpost.network.deliveries.description import check_requirements, read_extension
from qkdpost.network.deliveries.handlers import AnswerHandler, AssignHandler, VoidHandler
from qkdpost.network.deliveries.held import HeldTable
from qkdpost.network.deliveries.quotas import TokenBuckets
from qkdpost.network.deliveries.records import ASSIGNMENTS, AssignmentRow, encode
from qkdpost.network.deliveries.released import ReleasedKeys
from qkdpost.network.deliveries.requests import Request
from qkdpost.network.deliveries.surroundings import Surroundings
from qkdpost.network.deliveries.unreleased import unreleased_rows
from qkdpost.network.events import DeliveredKey, KeysVoided, Ticket
from qkdpost.network.messages.fields import VoidReason
from qkdpost.network.messages.framed import AssignAnswer, AssignKeys, VoidKeys
from qkdpost.network.names import key_id_texts, split_key_ids
from qkdpost.network.peer.handler import MessageHandler
from qkdpost.network.policy import DeliveryPolicy, KeyRequirements
from qkdpost.network.store.protocol import KeyStore

__all__ = ["Deliveries"]

_MOST_ROUTES = 4096
_Route: TypeAlias = tuple[dict[str, tuple[str, ...]], tuple[str, ...], int]


class Deliveries:
    """Keys that applications here ask for, and keys that they fetch. Built of the store's rows.

    Everything happens in the transaction of the open turn.

    Args:
        store: with an open transaction.
        around: the key manager.
        policy: the rules.
        numbers: of tickets; they go on when this is built anew.
    """

    __slots__ = (
        "_around",
        "_assignments",
        "_buckets",
        "_numbers",
        "_orphans",
        "_policy",
        "_released",
        "_routes",
        "_store",
        "held",
    )

    def __init__(self, store: KeyStore, around: Surroundings, policy: DeliveryPolicy, numbers: Iterator[int]) -> None:
        self._store = store
        self._around = around
        self._policy = policy
        self.held = HeldTable(store, policy, around.report)
        self._released = ReleasedKeys(store)
        self._assignments = Assignments(store, around, policy, self.held, self._released)
        self._buckets = TokenBuckets(policy.quota)
        self._numbers = numbers
        self._routes: dict[tuple[str, tuple[str, ...]], _Route] = {}
        """Of applications that may share keys: topology and policy do not change."""
        self._orphans: dict[bytes, tuple[AssignmentRow, set[str]]] = {
            row.name: (row, set(row.sites)) for row in unreleased_rows(store)
        }
        for row, sites in tuple(self._orphans.values()):
            self._forget_orphan(row, sites)

    @property
    def handlers(self) -> Mapping[type, MessageHandler]:
        """What messages of each type do."""
        around = self._around
        assign = AssignHandler(
            self._assignments,
            held=self.held,
            access=self._policy.access,
            site_of=around.site_of,
            name=around.name,
            clock=lambda: around.now_seconds,
        )
        voids = VoidHandler(self.held, lambda: around.now_seconds)
        return {AssignKeys: assign, AssignAnswer: AnswerHandler(self._assignments), VoidKeys: voids}

    # Of masters.

    def deliverable_bytes(self, site: str) -> int:
        """Return what a new request may ask of the pool with a site; open requests come first."""
        return max(0, self._around.deliverable_bytes(site) - self._assignments.wanted_bytes(site))

    def request(
        self, master: str, slaves: Sequence[str], number: int, size_bytes: int, demanded: KeyRequirements
    ) -> Ticket:
        """Assign keys, or say why not; see `KeyService.request_keys`. Names, number and size are checked for form."""
        applications = master, tuple(slaves)
        route = self._routes.get(applications)
        if route is None:
            if len(self._routes) >= _MOST_ROUTES:
                self._routes.clear()
            route = self._routes[applications] = self._route(master, slaves)
        sites, local, name_bytes = route
        self._check_pools(sites, number * size_bytes, demanded)
        if not self.held.has_room(master, local, number):
            raise NotEnoughKey(f"too many keys of {master!r} wait at this site already")
        self._buckets.take(master, slaves, number, self._around.now_seconds)
        ticket = Ticket(
            number=next(self._numbers), master=master, slaves=tuple(slaves), keys=number, size_bits=8 * size_bytes
        )
        deadline = self._around.now_seconds + self._policy.lifetimes.answer_seconds
        self._assignments.add(Request(ticket, sites, local, size_bytes, deadline, name_bytes, wanted=number))
        return ticket

    def check_pair(self, master: str, slave: str) -> None:
        """Refuse a master and a slave that may not share keys through this site.

        Raises:
            UnsupportedRequest: one that the topology does not know, or a master of another site.
            NotAuthorised: the policy does not allow it.
        """
        for sae in (master, slave):
            if self._around.site_of(sae) is None:
                raise UnsupportedRequest(f"the topology knows no application {sae!r}")
        if self._around.site_of(master) != self._around.name:
            raise NotAuthorised(f"{master!r} is at another site than {self._around.name!r}")
        if not self._policy.access.allows(master, slave):
            raise NotAuthorised(f"the policy does not let {master!r} and {slave!r} share keys")

    def _route(self, master: str, slaves: Sequence[str]) -> _Route:
        """Return the other sites and the slaves there, those here, and the most that all names take in a message."""
        sites: dict[str, tuple[str, ...]] = {}
        for slave in slaves:
            self.check_pair(master, slave)
            site = str(self._around.site_of(slave))
            sites[site] = (*sites.get(site, ()), slave)
        local = sites.pop(self._around.name, ())
        if not sites and self._policy.local_keys == "refuse":
            raise UnsupportedRequest(
                "master and slaves are at one site, between which there is no QKD; local_keys='operating-system' in "
                "the DeliveryPolicy gives them random numbers of the operating system"
            )
        return sites, local, sum(len(name.encode()) + 3 for name in (master, *slaves))

    def _check_pools(self, sites: Mapping[str, object], wanted_bytes: int, demanded: KeyRequirements) -> None:
        away = [site for site in sites if not self._around.session(site).ready]
        if away:
            raise PeerUnavailable(f"{', '.join(away)} cannot be reached at present: nothing was spent")
        around = self._around
        ages = [around.oldest_seconds(site) for site in sites] if demanded.max_age_seconds is not None else []
        oldest = None if None in ages else min((age for age in ages if age is not None), default=around.now_seconds)
        stock = () if demanded.is_empty else chain.from_iterable(around.stock(site) for site in sites)
        check_requirements(demanded, stock, oldest, around.now_seconds)
        for site in sites:
            found = self.deliverable_bytes(site)
            if found < wanted_bytes:
                raise NotEnoughKey(
                    f"{8 * wanted_bytes} bits of key for {site} were asked for; {8 * found} can be delivered at present"
                )

    def abandon(self, ticket: Ticket) -> bool:
        """Void what is assigned to a request that nobody waits for any more; tell whether it was still open."""
        found = [request for request in self._assignments.open_requests if request.ticket is ticket]
        for request in found:
            error = PeerUnavailable("the application that asked for the keys is gone")
            self._assignments.refuse(request, error, "abandoned", VoidReason.DEADLINE)
        return bool(found)

    # Of slaves.

    def fetch(self, caller: str, master: str, key_ids: Sequence[bytes]) -> tuple[DeliveredKey, ...]:
        """Give a slave its keys, see `KeyService.fetch_keys`."""
        found = self.held.fetch(caller, master, key_ids, self._around.now_seconds)
        extensions = {content: read_extension(content) for content in {extension for _, extension in found}}
        return tuple(
            DeliveredKey(key_id=key_id, key=value, extension=extensions[extension])
            for key_id, (value, extension) in zip(key_id_texts(b"".join(key_ids)), found, strict=True)
        )

    # Time, connections, operators.

    def go_on(self) -> bool:
        """Do what is due; tell whether there is more of it to do at once."""
        self._assignments.go_on()
        now = self._around.now_seconds
        for row, sites in tuple(self._orphans.values()):
            if row.expires_seconds <= now:
                self._forget_orphan(row, sites, at_once=True)
        more = self.held.expire(now)
        return self._released.expire(now) or more

    def connected(self, site: str, *, was_restored: bool) -> None:
        """Hear that a connection with a site is ready, and void what a process before this one did not release.

        Args:
            site: which.
            was_restored: whether the site knows more than this store: then keys that are unreleased here may have been
                released since. They are not voided there, but expire.
        """
        for row, sites in tuple(self._orphans.values()):
            if site in sites:
                if not was_restored:
                    remaining = row.expires_seconds - self._around.now_seconds
                    void_keys(
                        self._around.session(site), split_key_ids(row.key_ids), VoidReason.CONNECTION_LOST, remaining
                    )
                sites.discard(site)
                self._forget_orphan(row, sites)

    def _forget_orphan(self, row: AssignmentRow, sites: set[str], *, at_once: bool = False) -> None:
        if sites and not at_once:
            row.sites = tuple(sorted(sites))
            self._store.put(ASSIGNMENTS, row.name, encode([row]))
            return
        self._store.erase(ASSIGNMENTS, [row.name])
        del self._orphans[row.name]

    def revoke(self, identifier: bytes) -> int:
        """Void every key that rests on a block or a transfer, delivered ones too where slaves have not fetched them.

        Returns:
            How many keys that were released to masters of this site rest on it; `KeysVoided` names them.
        """
        names = self._released.naming(identifier)
        for request in self._assignments.having(names):
            error = NotEnoughKey("the key that was assigned was taken back by the operator: ask again")
            self._assignments.refuse(request, error, "revoked", VoidReason.REVOKED)
        revoked = 0
        for row in self._released.resting_on(names):
            remaining = row.expires_seconds - self._around.now_seconds
            key_ids = split_key_ids(row.key_ids)
            for site in row.sites:
                with contextlib.suppress(PeerUnavailable):  # it is in the topology no more, and has no keys of ours
                    void_keys(self._around.session(site), key_ids, VoidReason.REVOKED, remaining)
            self.held.void(self._around.name, self._known(key_ids), "revoked", row.expires_seconds)
            revoked += len(key_ids)
            ids = tuple(key_id_texts(row.key_ids))
            self._around.report(KeysVoided(peer=self._around.name, key_ids=ids, reason="revoked", delivered=True))
        return revoked

    def _known(self, key_ids: Sequence[bytes]) -> list[bytes]:
        return [key_id for key_id in key_ids if self.held.has(key_id)]

    def write(self) -> None:
        """Write what is collected over a turn; before its commit."""
        self._assignments.write()
        self._released.write()
