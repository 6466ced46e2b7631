"""What a key manager offers to an interface for applications, as that of ETSI GS QKD 014.

An interface translates: it checks the form of a request, calls what stands here, and waits for the turn. **Nothing
leaves before the turn is durable.** It remembers `turn` when it calls, and gives its answer only when `outcome(turn)`
is "durable"; if it is "lost", it answers as to `StoreUnavailable`, whatever the call returned, and overwrites the
keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from qkdpost.network.events import DeliveredKey, Event, Ticket
from qkdpost.network.policy import KeyRequirements

__all__ = ["KeyService", "Stock", "TurnOutcome"]

TurnOutcome = Literal["open", "durable", "lost"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """What a master may ask for at present.

    Args:
        source: the name of this key manager.
        target: of that at the slave's site.
        deliverable_bits: of keys for the slave, net of tags, reserves and floors; of the whole stock, not of one frame.

    >>> from qkdpost import network
    >>> network.Stock(source="north", target="south", deliverable_bits=2048).deliverable_bits // 256
    8
    """

    source: str
    target: str
    deliverable_bits: int


class KeyService(Protocol):
    """A key manager, as interfaces for applications see it; `KeyManager` is one.

    >>> from qkdpost import network
    >>> callable(network.KeyService.request_keys), callable(network.KeyManager.request_keys)
    (True, True)
    """

    @property
    def name(self) -> str:
        """Its own name."""

    @property
    def turn(self) -> int:
        """The number of the open turn, which all that is called now belongs to."""

    def outcome(self, turn: int) -> TurnOutcome:
        """Tell what became of a turn."""

    def site_of(self, sae: str) -> str | None:
        """Return the name of the key manager at an application's site, or None if the topology does not know it."""

    def may_share(self, first: str, second: str) -> bool:
        """Tell whether the access policy lets two applications share keys."""

    def stock(self, *, master: str, slave: str) -> Stock:
        """Return what can be delivered now.

        Raises:
            NotAuthorised: the two may not share keys.
            UnsupportedRequest: an application that the topology does not know, or a master of another site.
            StoreUnavailable: the store does not record.
        """

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
        """Assign keys to applications; `KeysReleased` or `RequestRefused` follows in `events`, with the ticket.

        Args:
            master: the application at this site that asks.
            slaves: those that shall get the same keys, each at the key manager of its own site.
            number: of keys.
            size_bits: of each; a multiple of 8.
            now_seconds: the time, which never goes backwards.
            requirements: what the keys must fulfil.

        Raises:
            InputError: an argument of another kind, or out of range.
            UnsupportedRequest: an application that the topology does not know, a master of another site, a size that is
                no whole number of bytes, or a demand that cannot be met.
            NotAuthorised: a pair of master and slave that may not share keys.
            NotEnoughKey: too little stock for all of it, or a quota is used up; nothing was spent.
            PeerUnavailable: a slave's key manager is not connected; nothing was spent.
            StoreUnavailable: the store does not record.
        """

    def abandon(self, ticket: Ticket) -> bool:
        """Give up a request whose application is gone; `RequestRefused` follows. Tell whether it was still open.

        Raises:
            StoreUnavailable: the store does not record.
        """

    def fetch_keys(
        self, *, caller: str, master: str, key_ids: Sequence[str], now_seconds: float
    ) -> tuple[DeliveredKey, ...]:
        """Give a slave the keys of these IDs, in this order, all or none; each once.

        Raises:
            InputError: an argument of another kind.
            NotAuthorised: a key that is here, but for others than the caller.
            KeyNotFound: a key that is not here, was fetched before, expired, is void, or has another master.
            StoreUnavailable: the store does not record.
        """

    def events(self, *kinds: type[Event]) -> tuple[Event, ...]:
        """Return what happened in durable turns, and forget it; of these classes alone, or of all if none is given."""
