"""How links are shared among pairs of sites that all want key: by max-min fairness, in whole segments."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Hashable, Mapping
from typing import TypeVar

__all__ = ["fair_shares"]

_Pair = TypeVar("_Pair", bound=Hashable)
_Resource = TypeVar("_Resource", bound=Hashable)


def fair_shares(
    wants: Mapping[_Pair, int],
    uses: Mapping[_Pair, Collection[_Resource]],
    capacities: Mapping[_Resource, int],
    urgencies: Mapping[_Pair, float],
) -> dict[_Pair, int]:
    """Return how many segments each pair may have carried now.

    One at a time, to the pair that has got the fewest so far (progressive filling: Bertsekas and Gallager, Data
    Networks, 6.5.2). So none can get one more without taking it from a pair that has no more than itself, but for one
    segment; and who wants less than an equal share leaves the rest to the others. What is left for one pair of several
    goes to the most urgent.

    Args:
        wants: segments wanted by each pair.
        uses: the links that each pair would use first, one for each of its paths.
        capacities: segments for which each link has key; none where it is not named.
        urgencies: of equal pairs, the one with the lowest number here comes first.
    """
    left = dict(capacities)
    shares = dict.fromkeys(wants, 0)
    order = [(0, urgencies.get(pair, 0.0), place, pair) for place, pair in enumerate(wants) if wants[pair] > 0]
    heapq.heapify(order)
    while order:
        got, urgency, place, pair = heapq.heappop(order)
        if any(left.get(link, 0) < 1 for link in uses[pair]):
            continue
        for link in uses[pair]:
            left[link] -= 1
        shares[pair] = got + 1
        if shares[pair] < wants[pair]:
            heapq.heappush(order, (got + 1, urgency, place, pair))
    return shares
