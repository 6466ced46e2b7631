"""When an operator hears that authentication key runs low."""

from __future__ import annotations

from qkdpost.keys import KeyPool
from qkdpost.keys.price import PADS_OF_A_BLOCK_BYTES
from qkdpost.session.event_queue import EventQueue
from qkdpost.session.events import KeyPoolLow
from qkdpost.single_use import SingleUse

__all__ = ["LOW_POOL_BYTES", "PoolLevel"]

LOW_POOL_BYTES = 10 * PADS_OF_A_BLOCK_BYTES


class PoolLevel(SingleUse):
    """Says once that the pool has fallen below a level.

    Args:
        pool: that is looked at.
        events: where it is said.
        low_bytes: the level; 0 never says anything.
        blocks_in_flight: whose pads go out and come back all the time, which is no rise.
    """

    __slots__ = ("_events", "_is_low", "_low_bytes", "_pool", "_risen_bytes")

    def __init__(self, pool: KeyPool, events: EventQueue, low_bytes: int, blocks_in_flight: int) -> None:
        self._pool = pool
        self._events = events
        self._low_bytes = low_bytes
        self._risen_bytes = low_bytes + blocks_in_flight * PADS_OF_A_BLOCK_BYTES
        self._is_low = False

    def look(self) -> None:
        """Look at the pool as both hosts hold it: once they have greeted, and whenever a block took or gave back."""
        available = self._pool.available_bytes
        if available < self._low_bytes and not self._is_low:
            self._is_low = True
            self._events.append(KeyPoolLow(available_bytes=available, resting_bytes=self._pool.resting_bytes))
        elif available >= self._risen_bytes:
            self._is_low = False
