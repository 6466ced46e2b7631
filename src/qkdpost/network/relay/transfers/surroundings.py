"""What relaying needs of the rooms around it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from qkdpost.errors import InputError
from qkdpost.network.events import Event
from qkdpost.network.peer.handler import Session
from qkdpost.network.provenance import Provenance
from qkdpost.network.relay.policy import RelayPolicy
from qkdpost.network.relay.topology import Topology
from qkdpost.network.store.protocol import KeyStore

__all__ = ["PairPools", "Peers", "Report", "Surroundings", "join_parts", "joined_provenance"]

MAX_PROVENANCE_BYTES = 32 * 1024
"""Of a share, as messages hold it."""
Peers = Callable[[str], Session | None]
"""Returns the session with the key manager of this name; None where there is none."""
Report = Callable[[Event], None]


class PairPools(Protocol):
    """Where carried segments come to rest: the pools between this site and others that no link joins."""

    def complete(self, peer: str, segment: bytes, content: bytearray, provenance: Provenance) -> None:
        """Take a segment that this site sent and the target holds, durably: it may be used from now on.

        Args:
            peer: the target.
            segment: its identifier, 16 bytes.
            content: its bytes, which the pool overwrites when it has written them. Secret.
            provenance: what it rests on.
        """

    def arrive(self, peer: str, segment: bytes, content: bytearray, provenance: Provenance) -> bool:
        """Take a segment that came here, as offered: `peer`, its source, will say when it may be used.

        Returns:
            False if there is no room for it, or a segment of this name was here before.
        """

    def withdraw(self, peer: str, segment: bytes) -> None:
        """Erase a segment that came here, if its source has not yet said that it may be used."""

    def stored_bytes(self, peer: str) -> int:
        """Return how much unspent key the pool with a site holds, be it joined by a link or not."""

    def poorer_bytes(self, peer: str) -> int:
        """Return how much the poorer of the two directions of that pool may still spend; half of what is not in use."""

    def checks(self, peer: str) -> bytes:
        """Return the provenance that counts the checks of that pool until now, and nothing else; canonical bytes."""

    def renew(self, peer: str) -> None:
        """Have the next segment that is completed bring new hash keys, and give up then all that came before.

        Whoever knows the hash keys can forge what is said over the pool, and so be given its keys: they must be as well
        protected as the key.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the three parts of a transfer are built with: where this site stands, and whom it asks and tells.

    Args:
        name: of this site.
        topology: whose links shares may take.
        policy: paths of each pair, times, and what is left of links for others.
        store: with an open transaction, now and whenever a part is called.
        peers: the sessions by name.
        pools: where segments go, and who counts the checks of links.
        report: hears of transfers that failed.
    """

    name: str
    topology: Topology
    policy: RelayPolicy
    store: KeyStore
    peers: Peers
    pools: PairPools
    report: Report


@lru_cache(maxsize=512)
def joined_provenance(parts: tuple[bytes, ...]) -> bytes | None:
    """Return the provenance that rests on all of `parts`, in its one form.

    None if one is none, or a relayed one, or if all together are longer than a message may say.

    Hops are links. What a link's key rests on is the same for many shares, so that few are joined anew.
    """
    try:
        joined = Provenance()
        for part in parts:
            joined = joined | Provenance.from_bytes(part)
    except InputError:
        return None
    content = joined.to_bytes()
    return None if joined.transfers or len(content) > MAX_PROVENANCE_BYTES else content


def join_parts(first: bytes, others: Iterable[bytes]) -> bytes | None:
    """Return the provenance that rests on one and some others."""
    return joined_provenance((first, *others))
