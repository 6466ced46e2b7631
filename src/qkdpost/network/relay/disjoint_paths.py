"""Paths that have no site in common but their ends, of the fewest hops in all.

A flow of one unit a path through sites that bear one unit each: every site is split into an entrance and an exit. The
flow grows by one path at a time, along the cheapest way that may also push earlier units back (Suurballe, Networks 4,
125; successive shortest paths), which keeps it the cheapest for its number of paths.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator

from qkdpost.network.relay.topology import LinkName, Topology

__all__ = ["disjoint_paths"]

State = tuple[str, bool]
"""A site, and whether its exit is meant."""
ENTRANCE, EXIT = False, True


def disjoint_paths(
    topology: Topology, source: str, target: str, count: int, usable: Collection[LinkName]
) -> tuple[tuple[str, ...], ...] | None:
    """Return `count` disjoint paths over `usable` links, the shortest first, or None if there are fewer.

    Inner sites are those that relay. With the same arguments the paths are the same, wherever they are computed.
    """
    flow = _Flow(topology, source, target, usable)
    if not all(flow.grow() for _ in range(count)):
        return None
    return tuple(sorted(flow.paths(), key=lambda path: (len(path), path)))


class _Flow:
    """Which links carry a unit, and in which direction."""

    def __init__(self, topology: Topology, source: str, target: str, usable: Collection[LinkName]) -> None:
        self._topology = topology
        self._source, self._target = source, target
        self._usable = usable
        self._after: dict[str, str] = {}
        self._first: list[str] = []
        self._before: dict[str, str] = {}

    def grow(self) -> bool:
        """Add a path, and tell whether there was one."""
        came_from = self._cheapest()
        state: State = (self._target, ENTRANCE)
        if state not in came_from:
            return False
        added: list[tuple[str, str]] = []
        removed: list[tuple[str, str]] = []
        while state != (self._source, EXIT):
            earlier = came_from[state]
            if earlier[0] != state[0]:
                if earlier[1] is EXIT:
                    added.append((earlier[0], state[0]))
                else:
                    removed.append((state[0], earlier[0]))
            state = earlier
        self._apply(added, removed)
        return True

    def _apply(self, added: list[tuple[str, str]], removed: list[tuple[str, str]]) -> None:
        carried = set(self._carried()) - set(removed) | set(added)
        self._first = sorted(there for here, there in carried if here == self._source)
        self._after = {here: there for here, there in carried if here != self._source}
        self._before = {there: here for here, there in carried if there != self._target}

    def _carried(self) -> Iterator[tuple[str, str]]:
        yield from ((self._source, there) for there in self._first)
        yield from self._after.items()

    def _cheapest(self) -> dict[State, State]:
        """Return from where each state is reached at least cost; a link costs 1, pushing back gains 1."""
        start: State = (self._source, EXIT)
        cost: dict[State, int] = {start: 0}
        came_from: dict[State, State] = {}
        waiting: deque[State] = deque([start])
        queued = {start}
        while waiting:
            state = waiting.popleft()
            queued.discard(state)
            for other, step in self._steps(state):
                if other != start and cost[state] + step < cost.get(other, 1 << 30):
                    cost[other] = cost[state] + step
                    came_from[other] = state
                    if other not in queued:
                        queued.add(other)
                        waiting.append(other)
        return came_from

    def _steps(self, state: State) -> Iterator[tuple[State, int]]:
        name, side = state
        if side is EXIT:
            for other in self._topology.neighbours(name):
                if self._may_enter(name, other):
                    yield (other, ENTRANCE), 1
            if name in self._before:
                yield (name, ENTRANCE), 0
        elif name in self._before:
            yield (self._before[name], EXIT), -1
        elif name != self._target:
            yield (name, EXIT), 0

    def _may_enter(self, name: str, other: str) -> bool:
        link = (name, other) if name < other else (other, name)
        carries = other in self._first if name == self._source else self._after.get(name) == other
        relays = other == self._target or (other != self._source and self._topology.site(other).relays)
        return relays and not carries and link in self._usable

    def paths(self) -> list[tuple[str, ...]]:
        """Return the paths of the flow."""
        found = []
        for name in self._first:
            path = [self._source, name]
            while path[-1] != self._target:
                path.append(self._after[path[-1]])
            found.append(tuple(path))
        return found
