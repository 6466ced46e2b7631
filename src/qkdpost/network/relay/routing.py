"""Which way a share takes: the widest path, or disjoint paths of the fewest hops.

The width of a link is how long its stock would last: the *time to empty* under what is already drawn from it and what
the pair in question would draw as well. A stock that is large but not refilled is narrow by this measure, as is a small
one on a link that hardly keeps up, and links that gain more than they lose are equally wide, so that the fewest hops
decide: each hop costs key, and trust in a site. Whatever lasts longer than an hour is wide enough.

A path is as wide as its narrowest link. Ties are broken by fewer hops, then by the names, in order: whoever computes
with the same numbers finds the same path.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import msgspec

from qkdpost.errors import NoRoute
from qkdpost.network.messages.fields import MAX_PATH_NAMES
from qkdpost.network.relay.disjoint_paths import disjoint_paths
from qkdpost.network.relay.topology import LinkName, Topology

__all__ = [
    "WIDE_ENOUGH_SECONDS",
    "LinkState",
    "Path",
    "Routes",
    "Widths",
    "bottleneck",
    "widest_disjoint_paths",
    "widest_path",
]

Path = tuple[str, ...]
"""The names of the sites along a path, source and target among them."""
Widths = Mapping[LinkName, float]
"""The width of each link that may be used; a link that is not in it, or has no width, is not."""
WIDE_ENOUGH_SECONDS = 3600.0
GAIN = 1.2
"""A path is left for one that is wider by this factor."""


class LinkState(msgspec.Struct, frozen=True, kw_only=True):
    """What a link has and gets.

    Args:
        stock_bits: key that both ends hold, less what is reserved.
        net_bit_per_s: what is distilled less what is used, averaged; negative where the stock shrinks.
    """

    stock_bits: int
    net_bit_per_s: float

    def seconds_to_empty(self, demand_bit_per_s: float) -> float:
        """Return how long the stock lasts if so much more is drawn from it, 0 ... 3600 s."""
        loss = demand_bit_per_s - self.net_bit_per_s
        if self.stock_bits <= 0:
            return 0.0
        return WIDE_ENOUGH_SECONDS if loss <= 0 else min(WIDE_ENOUGH_SECONDS, self.stock_bits / loss)


def bottleneck(paths: Sequence[Path], widths: Widths) -> float:
    """Return the width of the narrowest link of some paths."""
    return min(_width(first, second, widths) for path in paths for first, second in itertools.pairwise(path))


def _width(first: str, second: str, widths: Widths) -> float:
    return widths.get((first, second) if first < second else (second, first), 0.0)


def widest_path(topology: Topology, source: str, target: str, widths: Widths) -> Path:
    """Return the path with the widest bottleneck; of equally wide ones the shortest, of these the first by name.

    The widths of links are tried by halving: for each there is a path, or none, among the links at least as wide.

    Raises:
        NoRoute: no path of at most 34 sites leads over links with key.
    """
    steps = sorted({width for width in widths.values() if width > 0})
    found: Path | None = None
    low, high = 0, len(steps)
    while low < high:
        middle = (low + high) // 2
        path = _shortest(topology, source, target, widths, steps[middle])
        if path is None:
            high = middle
        else:
            found, low = path, middle + 1
    if found is None:
        raise NoRoute(f"no path of links with key leads from {source} to {target}, over at most {MAX_PATH_NAMES} sites")
    return found


def _shortest(topology: Topology, source: str, target: str, widths: Widths, least: float) -> Path | None:
    """Return the shortest path, of several the first by name, over links at least so wide."""
    hops = {target: 0}
    edge = [target]
    while edge and source not in hops:
        after = []
        for name in edge:
            for other in topology.neighbours(name):
                usable = other == source or topology.site(other).relays
                if other not in hops and usable and _width(name, other, widths) >= least:
                    hops[other] = hops[name] + 1
                    after.append(other)
        edge = after
    if hops.get(source, MAX_PATH_NAMES) >= MAX_PATH_NAMES:
        return None
    path = [source]
    while path[-1] != target:
        here = path[-1]
        nearer = (
            other
            for other in topology.neighbours(here)
            if hops.get(other) == hops[here] - 1 and _width(here, other, widths) >= least
        )
        path.append(next(nearer))
    return tuple(path)


def widest_disjoint_paths(topology: Topology, source: str, target: str, count: int, widths: Widths) -> tuple[Path, ...]:
    """Return `count` paths without a common site between source and target, of the fewest hops in all.

    Only links are used that are wide enough, by the largest power of two of seconds at which there are such paths.

    Raises:
        NoRoute: there are no such paths of at most 34 sites each.
    """
    if count == 1:
        return (widest_path(topology, source, target, widths),)
    for least in _thresholds(widths):
        usable = {link for link, width in widths.items() if width >= least}
        paths = disjoint_paths(topology, source, target, count, usable)
        if paths is not None and max(map(len, paths)) <= MAX_PATH_NAMES:
            return paths
    raise NoRoute(
        f"no {count} paths of links with key lead from {source} to {target} without a common site between them, each "
        f"over at most {MAX_PATH_NAMES} sites"
    )


def _thresholds(widths: Widths) -> list[float]:
    """Return the powers of two of seconds below the widths, the largest first."""
    capped = [min(width, WIDE_ENOUGH_SECONDS) for width in widths.values() if width > 0]
    return sorted({2.0 ** (math.frexp(width)[1] - 1) for width in capped}, reverse=True)


class Routes:
    """The paths in use between one site and others; they are left only for clearly better ones.

    Without that, two paths of nearly equal width would take turns, each being wider while the other is used. The paths
    of a transfer are named in its messages and stay what they are: a choice here is for the next one.

    Args:
        topology: the sites and links.
        source: where the paths begin.
    """

    def __init__(self, topology: Topology, source: str) -> None:
        self._topology = topology
        self._source = topology.site(source).name
        self._used: dict[tuple[str, int], tuple[Path, ...]] = {}

    def choose(self, target: str, count: int, widths: Widths) -> tuple[Path, ...]:
        """Return `count` disjoint paths to `target`: those in use, or others that are wider by a fifth or shorter.

        Raises:
            NoRoute: there are no such paths.
        """
        found = widest_disjoint_paths(self._topology, self._source, target, count, widths)
        used = self._used.get((target, count))
        if used is None or _is_better(found, used, widths):
            self._used[target, count] = found
        return self._used[target, count]


def _is_better(found: tuple[Path, ...], used: tuple[Path, ...], widths: Widths) -> bool:
    """Tell whether to change: to wider paths, or to shorter ones that are no narrower."""
    width, width_used = bottleneck(found, widths), bottleneck(used, widths)
    shorter = sum(map(len, found)) < sum(map(len, used))
    return width > GAIN * width_used or (shorter and width >= width_used)
