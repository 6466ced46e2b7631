"""How much a frame may take now, so that answers always get through.

To take a frame never needs a pad; to acknowledge one does. So keys and grants leave enough of both directions for the
answers that they call for. With less, two ends that both wait for a pad wait for ever:

- of this side's direction: the floor, and a tag for each open assignment and this one, since each may have to be
  voided;
- of the other direction: the floor, and two tags for each open assignment (its answer, and the acknowledgement of its
  being voided), one for each open grant, and one more;
- of the window: an eighth is for answers alone.
"""

from __future__ import annotations

from qkdpost.network.peer.flight import Flight
from qkdpost.network.peer.outbox import Outbox
from qkdpost.network.peer.tags import TAG_BYTES
from qkdpost.network.pool.pool import Pool

__all__ = ["answer_room", "control_room", "kept_bytes", "key_room"]


def kept_bytes(pool: Pool, flight: Flight, outbox: Outbox) -> int:
    """Return what keys and grants leave of this side's direction."""
    return pool.settings.floor_bytes + TAG_BYTES * (1 + flight.open_answers + outbox.open_voids)


def key_room(pool: Pool, flight: Flight, outbox: Outbox) -> int:
    """Return what a frame with keys may take, its tag aside."""
    open_calls = flight.open_answers + outbox.open_voids
    owed = TAG_BYTES * (1 + 2 * open_calls + len(pool.unconfirmed_grants))
    if pool.peer.rest < pool.settings.floor_bytes + owed:
        return 0
    kept = kept_bytes(pool, flight, outbox)
    rest = _reachable(pool, kept) - kept
    return max(0, min(rest, control_room(pool, flight)) - TAG_BYTES)


def control_room(pool: Pool, flight: Flight) -> int:
    """Return what a frame may take that answers nothing, its tag counted."""
    window = pool.own.window
    return min(_reachable(pool), window - pool.settings.answer_bytes(window) - flight.unconfirmed_bytes)


def answer_room(pool: Pool, flight: Flight) -> int:
    """Return what a frame of answers may take, its tag counted."""
    return min(_reachable(pool), pool.own.window - flight.unconfirmed_bytes)


def _reachable(pool: Pool, kept: int = 0) -> int:
    return pool.own.reachable(pool.first_unconfirmed_grant, enough=pool.own.window + kept)
