"""What deliveries need of the key manager around them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from qkdpost.network.events import Event
from qkdpost.network.peer.handler import Session
from qkdpost.network.provenance import Provenance

__all__ = ["Surroundings"]


class Surroundings(Protocol):
    """The site, its pools and the turn."""

    name: str
    """Of this key manager."""

    now_seconds: float
    """The time of the turn; never goes backwards."""

    @property
    def site_of(self) -> Callable[[str], str | None]:
        """Returns the key manager at an application's site."""

    def session(self, site: str) -> Session:
        """Return the session with another key manager, connected or not.

        Raises:
            PeerUnavailable: there is none.
        """

    def deliverable_bytes(self, site: str) -> int:
        """Return how much key for applications the pool with a site holds, whatever one frame may take."""

    def stock(self, site: str) -> tuple[Provenance, ...]:
        """Return the provenance of all that the next key of a pool could be cut from."""

    def oldest_seconds(self, site: str) -> float | None:
        """Return when the oldest of it came in."""

    def provenance_of(self, site: str, pieces: Sequence[bytes]) -> Provenance:
        """Return what rests on pieces of a pool with these canonical bytes, the checks of the pool among it."""

    def random_bytes(self, count: int) -> bytes:
        """Return random bytes of the operating system."""

    def report(self, event: Event) -> None:
        """Take an event of this turn."""
