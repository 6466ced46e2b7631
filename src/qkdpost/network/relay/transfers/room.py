"""How much room records of transfers may take: a share of it for each neighbour, so that none can fill it alone.

A record costs its neighbour as little as 33 bytes of key, and may name 8 paths of 34 sites and 16 KiB of provenance:
their number alone bounds nothing. So each is charged by its bytes to the neighbour that it came from, until they are
erased.
"""

from __future__ import annotations

from collections import Counter

from qkdpost.network.messages.framed import CarrySegment
from qkdpost.network.relay.transfers.shares import names_size

__all__ = ["MOST_BYTES_OF_A_NEIGHBOUR", "RECORD_BYTES", "Room", "record_bytes"]

MOST_BYTES_OF_A_NEIGHBOUR = 64 * 2**20
"""Of records that came from one neighbour and are not over yet: a second of 60,000 transfers of 1 KiB."""
RECORD_BYTES = 512
"""What a record takes that has neither share, paths nor provenance any more."""


def record_bytes(message: CarrySegment) -> int:
    """Return how many bytes a site keeps of a share on its way: the share, its provenance and the names of paths."""
    return RECORD_BYTES + message.length_bytes + len(message.provenance) + names_size(message.paths)


class Room:
    """What the records of each neighbour take.

    Args:
        most_bytes: of one neighbour.
    """

    __slots__ = ("_most_bytes", "_taken")

    def __init__(self, most_bytes: int = MOST_BYTES_OF_A_NEIGHBOUR) -> None:
        self._most_bytes = most_bytes
        self._taken: Counter[str] = Counter()

    def taken_bytes(self, neighbour: str) -> int:
        """Return what a neighbour's records take."""
        return self._taken[neighbour]

    def has_room(self, neighbour: str, count: int) -> bool:
        """Tell whether there is room for so many bytes more."""
        return self._taken[neighbour] + count <= self._most_bytes

    def charge(self, neighbour: str, count: int) -> None:
        """Charge bytes to a neighbour, or give them back: then they are negative."""
        self._taken[neighbour] += count
        if not self._taken[neighbour]:
            del self._taken[neighbour]
