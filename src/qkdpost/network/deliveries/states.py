"""The two tables of states of a delivered key, and the one function that goes through them.

The master's side releases a key only after every other site has said that it holds it durably, and a site that gives a
key away gives it once to each application. One of the two errors that no protocol avoids remains, the harmless one: a
slave's site may hold a key that the master never got; it expires.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Literal, TypeVar

__all__ = [
    "HELD_TRANSITIONS",
    "MASTER_TRANSITIONS",
    "HeldEvent",
    "HeldState",
    "MasterEvent",
    "MasterState",
    "next_state",
]


class MasterState(IntEnum):
    """Where keys stand at the site of the master, who asked for them."""

    ASSIGNED = 1
    """Their ranges are spent; not all sites of slaves have answered."""
    READY = 2
    """All sites of slaves hold them."""
    DELIVERED = 3
    """The turn that released them is durable, or this is it; their bytes are erased."""
    VOIDED = 4
    """Nobody gets them; their ranges stay spent."""


class HeldState(IntEnum):
    """Where a key stands at the site of a slave, for one application."""

    HELD = 1
    """It waits to be fetched."""
    DELIVERED = 2
    """It was fetched."""
    VOIDED = 3
    """The master's site took it back."""
    EXPIRED = 4
    """Nobody fetched it in time."""


MasterEvent = Literal[
    "held by all",
    "released",
    "refused",
    "abandoned",
    "deadline",
    "broken",
    "restarted",
    "restored",
    "expired",
    "revoked",
]
HeldEvent = Literal["assigned", "fetched", "voided", "expired"]

_ENDS_BEFORE_RELEASE: tuple[MasterEvent, ...] = (
    "refused",  # by one site, which voids the keys at all others
    "abandoned",  # by the application that asked
    "deadline",
    "broken",  # the connection to one site, before it had confirmed
    "restarted",  # this process died since: the application that waited is gone
    "restored",  # the store is an old one: the keys may have been released since
    "expired",
    "revoked",
)

_RELEASE: Mapping[tuple[MasterState, MasterEvent], MasterState] = {
    (MasterState.ASSIGNED, "held by all"): MasterState.READY,
    (MasterState.READY, "released"): MasterState.DELIVERED,
    # What is delivered stays so, and may have to be taken back at the slaves' sites all the same.
    (MasterState.DELIVERED, "expired"): MasterState.DELIVERED,
    (MasterState.DELIVERED, "revoked"): MasterState.DELIVERED,
}
MASTER_TRANSITIONS: Mapping[tuple[MasterState, MasterEvent], MasterState] = MappingProxyType(
    {
        **_RELEASE,
        **{(MasterState.ASSIGNED, event): MasterState.VOIDED for event in _ENDS_BEFORE_RELEASE},
        **{(MasterState.READY, event): MasterState.VOIDED for event in _ENDS_BEFORE_RELEASE},
    }
)
"""What is not in the table is refused: no answer revives what is void, nothing is released twice."""

HELD_TRANSITIONS: Mapping[tuple[HeldState | None, HeldEvent], HeldState] = MappingProxyType(
    {
        (None, "assigned"): HeldState.HELD,
        (None, "voided"): HeldState.VOIDED,  # before it came, if it ever does: it never will be held
        (HeldState.HELD, "fetched"): HeldState.DELIVERED,
        (HeldState.HELD, "voided"): HeldState.VOIDED,
        (HeldState.HELD, "expired"): HeldState.EXPIRED,
        (HeldState.DELIVERED, "voided"): HeldState.DELIVERED,
        (HeldState.DELIVERED, "expired"): HeldState.DELIVERED,
        (HeldState.VOIDED, "voided"): HeldState.VOIDED,
        (HeldState.VOIDED, "expired"): HeldState.VOIDED,
        (HeldState.EXPIRED, "voided"): HeldState.EXPIRED,
        (HeldState.EXPIRED, "expired"): HeldState.EXPIRED,
    }
)
"""For each application of a key by itself: some may have fetched it when it expires or is void for the others."""

_State = TypeVar("_State")
_Event = TypeVar("_Event")
_Next = TypeVar("_Next")


def next_state(table: Mapping[tuple[_State, _Event], _Next], state: _State, event: _Event) -> _Next | None:
    """Return the state after an event, or None if the event is refused and changes nothing.

    >>> next_state(MASTER_TRANSITIONS, MasterState.VOIDED, "held by all") is None
    True
    """
    return table.get((state, event))
