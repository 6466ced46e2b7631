"""Who gets the next segment: pairs are kept between a low and a high mark, by how fast they are used.

Pairs are those of sites that have applications. A pair holds `idle_bits` while nobody uses it, so that the first
request at either end finds key, and is seen as demand by the site that fills the pool, which is the one whose name
comes first. While it is used, its marks grow with the rate of use; when use ends they shrink again, and the pool is
left to drain.

Links are shared among pairs as `fair_shares` says; at later hops the sites there let pairs take turns (`node`). A site
knows the stock of its own links alone. Of the others it takes that they have enough, until a transfer over them fails:
for a while its paths then count as nearly empty, and others are tried.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from qkdpost.errors import NoRoute, NotEnoughKey, PeerUnavailable
from qkdpost.network.events import TransferFailed
from qkdpost.network.relay.demand import Rate
from qkdpost.network.relay.fair_shares import fair_shares
from qkdpost.network.relay.manipulation import share_bytes
from qkdpost.network.relay.policy import RelayPolicy
from qkdpost.network.relay.routing import WIDE_ENOUGH_SECONDS, LinkState, Path, Routes
from qkdpost.network.relay.topology import LinkName, Topology, link_name
from qkdpost.network.relay.transfers.source import RelaySource
from qkdpost.network.relay.transfers.surroundings import PairPools, Peers

__all__ = ["Replenishment"]

AVOIDED_SECONDS = 30.0
"""How long links on the way of a transfer that failed count as nearly empty."""
NEARLY_EMPTY_SECONDS = 1.0
MOST_HIGH_MARKS = 8
"""A pool is not filled beyond so many times its high mark, if one direction alone is used and the other piles up."""


@dataclass(slots=True)
class Pair:
    """What is known of the pool with one target."""

    use: Rate
    is_filling: bool = False
    used_bit_per_s: float = 0.0


class Replenishment:
    """Begins transfers for the pools that this site fills: those with sites whose names come after its own.

    Args:
        name: of this site.
        topology: the sites and links.
        policy: marks, lengths, bounds.
        source: begins transfers.
        peers: the sessions by name.
        pools: tell what they hold.
        now_seconds: the time.
    """

    def __init__(
        self,
        *,
        name: str,
        topology: Topology,
        policy: RelayPolicy,
        source: RelaySource,
        peers: Peers,
        pools: PairPools,
        now_seconds: float,
    ) -> None:
        self._name, self._topology, self._policy = name, topology, policy
        self._source, self._peers, self._pools = source, peers, pools
        self._routes = Routes(topology, name)
        self._share_bytes = share_bytes(policy.segment_bytes)
        near = {name, *topology.neighbours(name)}
        self._pairs = {
            site.name: Pair(Rate(self._used_bits(site.name), now_seconds))
            for site in topology.sites
            if site.name > name and site.name not in near and site.applications and topology.site(name).applications
        }
        self._links = {other: Rate(8.0 * pools.stored_bytes(other), now_seconds) for other in topology.neighbours(name)}
        self._avoided: dict[LinkName, float] = {}

    def _used_bits(self, target: str) -> float:
        """Return how much of what was carried to a pool is gone from it: a total that grows with use."""
        return 8.0 * (self._source.completed_bytes(target) - self._pools.stored_bytes(target))

    @property
    def targets(self) -> tuple[str, ...]:
        """The sites whose pools with this one are filled from here."""
        return tuple(self._pairs)

    def failed(self, event: TransferFailed, now_seconds: float) -> None:
        """Hear that a transfer failed: for a while its links are used where there is no other way only."""
        for path in event.paths:
            for first, second in itertools.pairwise(path):
                self._avoided[link_name(first, second)] = now_seconds + AVOIDED_SECONDS

    def advance(self, now_seconds: float) -> int:
        """Begin what is wanted and possible now; return how many transfers."""
        self._avoided = {link: until for link, until in self._avoided.items() if until > now_seconds}
        wants = {
            target: count
            for target, pair in self._pairs.items()
            if (count := self._wanted(target, pair, now_seconds)) > 0
        }
        states = {
            other: LinkState(
                stock_bits=8 * self._pools.stored_bytes(other),
                net_bit_per_s=rate.update(8.0 * self._pools.stored_bytes(other), now_seconds),
            )
            for other, rate in self._links.items()
        }
        routes = {target: paths for target in wants if (paths := self._route(target, states)) is not None}
        return self._begin({target: wants[target] for target in routes}, routes)

    def _wanted(self, target: str, pair: Pair, now_seconds: float) -> int:
        """Return how many segments a pair lacks, at most as many as may be on their way at once."""
        policy = self._policy
        pair.used_bit_per_s = max(0.0, pair.use.update(self._used_bits(target), now_seconds))
        idle = policy.idle_bits_between(self._name, target)
        low = max(idle / 2, pair.used_bit_per_s * policy.low_seconds)
        high = max(idle, pair.used_bit_per_s * policy.high_seconds)
        on_the_way = len(self._source.pending(target))
        held = 8 * (self._usable_bytes(target) + on_the_way * policy.segment_bytes)
        if held < low:
            pair.is_filling = True
        elif held >= high or 8 * self._pools.stored_bytes(target) >= MOST_HIGH_MARKS * high:
            pair.is_filling = False
        lacking = -(-int(high - held) // (8 * policy.segment_bytes)) if pair.is_filling else 0
        return max(0, min(lacking, policy.transfers_in_flight - on_the_way))

    def _usable_bytes(self, target: str) -> int:
        """Return twice what the poorer direction has: a pool whose one end can give no key is as good as empty."""
        return 0 if self._source.is_renewing(target) else 2 * self._pools.poorer_bytes(target)

    def _route(self, target: str, states: dict[str, LinkState]) -> tuple[Path, ...] | None:
        demand = max(self._pairs[target].used_bit_per_s, 1.0)
        widths = {link.between: self._width(link.between, states, demand) for link in self._topology.links}
        try:
            return self._routes.choose(target, self._policy.paths_between(self._name, target), widths)
        except NoRoute:
            return None

    def _width(self, link: LinkName, states: dict[str, LinkState], demand: float) -> float:
        width = WIDE_ENOUGH_SECONDS
        if self._name in link:
            other = link[1] if link[0] == self._name else link[0]
            width = states[other].seconds_to_empty(demand)
        return min(width, NEARLY_EMPTY_SECONDS) if link in self._avoided else width

    def _begin(self, wants: dict[str, int], routes: dict[str, tuple[Path, ...]]) -> int:
        uses = {target: tuple(path[1] for path in paths) for target, paths in routes.items()}
        capacities = {other: self._segments_in(other) for other in self._links}
        urgencies = {target: self._seconds_left(target) for target in wants}
        begun = 0
        for target, count in fair_shares(wants, uses, capacities, urgencies).items():
            begun += self._start(routes[target], count)
        return begun

    def _segments_in(self, other: str) -> int:
        peer = self._peers(other)
        room = 0 if peer is None else peer.room_bytes() - self._policy.link_reserve_bytes
        return max(0, room // self._share_bytes)

    def _seconds_left(self, target: str) -> float:
        return 8 * self._usable_bytes(target) / max(self._pairs[target].used_bit_per_s, 1.0)

    def _start(self, paths: tuple[Path, ...], count: int) -> int:
        """Begin transfers, several frames if one has no space for all; return how many could be begun."""
        begun = 0
        try:
            while begun < count:
                begun += self._source.start(paths, count - begun)
        except (NotEnoughKey, PeerUnavailable):
            return begun
        return begun
