"""Routes against networkx on random graphs: bottlenecks, numbers of disjoint paths, hops."""

from __future__ import annotations

import itertools
import math
import random

import pytest

from qkdpost.errors import NoRoute
from qkdpost.network.relay.disjoint_paths import disjoint_paths
from qkdpost.network.relay.routing import (
    MAX_PATH_NAMES,
    WIDE_ENOUGH_SECONDS,
    LinkState,
    Path,
    Routes,
    bottleneck,
    widest_disjoint_paths,
    widest_path,
)
from qkdpost.network.relay.topology import Link, LinkName, Site, Topology

nx = pytest.importorskip("networkx")

GRAPHS = 1000


def topology_of(links: list[LinkName], count: int, hosts: frozenset[str] = frozenset()) -> Topology:
    names = [f"v{place:02}" for place in range(count)]
    return Topology(
        sites=[Site(name=name, relays=name not in hosts) for name in names],
        links=[Link(between=link, kind="bb84", length_km=1.0) for link in links],
    )


def random_network(seed: int) -> tuple[Topology, dict[LinkName, float]]:
    generator = random.Random(seed)
    count = generator.randint(4, 20)
    names = [f"v{place:02}" for place in range(count)]
    pairs = list(itertools.combinations(names, 2))
    links = generator.sample(pairs, generator.randint(count - 1, min(len(pairs), 3 * count)))
    return topology_of(links, count), {link: generator.choice([0.0, 1.0, 2.5, 60.0, 3600.0]) for link in links}


def graph_of(widths: dict[LinkName, float], least: float = 0.0) -> nx.Graph:
    graph = nx.Graph()
    graph.add_edges_from(link for link, width in widths.items() if width > 0 and width >= least)
    graph.add_nodes_from(["v00", "v01"])
    return graph


def widest_by_networkx(widths: dict[LinkName, float]) -> float | None:
    steps = [
        width for width in set(widths.values()) if nx.has_path(graph_of(widths, width), "v00", "v01") and width > 0
    ]
    return max(steps, default=None)


def check_is_path(topology: Topology, path: Path, source: str, target: str) -> None:
    assert (path[0], path[-1]) == (source, target)
    assert len(set(path)) == len(path)
    assert all(topology.link(first, second) for first, second in itertools.pairwise(path))


@pytest.mark.parametrize("part", range(4))
def test_the_widest_path_is_as_wide_and_short_as_that_of_networkx(part: int) -> None:
    for seed in range(part, GRAPHS, 4):
        topology, widths = random_network(seed)
        expected = widest_by_networkx(widths)
        if expected is None:
            with pytest.raises(NoRoute, match="no path of links with key leads from v00 to v01"):
                widest_path(topology, "v00", "v01", widths)
            continue
        path = widest_path(topology, "v00", "v01", widths)
        check_is_path(topology, path, "v00", "v01")
        assert bottleneck([path], widths) == expected
        paths = list(map(tuple, nx.all_shortest_paths(graph_of(widths, expected), "v00", "v01")))
        assert path == min(paths)


def least_hops_by_networkx(topology: Topology, usable: set[LinkName], count: int) -> int | None:
    """Total hops of `count` disjoint paths by minimum-cost flow through split nodes."""
    graph = nx.DiGraph()
    for site in topology.sites:
        ends = site.name in ("v00", "v01")
        graph.add_edge((site.name, 0), (site.name, 1), capacity=count if ends else 1, weight=0)
    for first, second in usable:
        graph.add_edge((first, 1), (second, 0), capacity=1, weight=1)
        graph.add_edge((second, 1), (first, 0), capacity=1, weight=1)
    graph.nodes["v00", 1]["demand"] = -count
    graph.nodes["v01", 0]["demand"] = count
    try:
        return int(nx.min_cost_flow_cost(graph))
    except nx.NetworkXUnfeasible:
        return None


@pytest.mark.parametrize("part", range(4))
def test_disjoint_paths_are_as_many_and_short_as_those_of_networkx(part: int) -> None:
    for seed in range(part, GRAPHS, 4):
        topology, widths = random_network(seed)
        usable = {link for link, width in widths.items() if width > 0}
        count = 1 + seed % 3
        expected = least_hops_by_networkx(topology, usable, count)
        paths = disjoint_paths(topology, "v00", "v01", count, usable)
        assert (paths is None) == (expected is None)
        if paths is None or expected is None:
            continue
        for path in paths:
            check_is_path(topology, path, "v00", "v01")
            assert all(tuple(sorted(pair)) in usable for pair in itertools.pairwise(path))
        inner = [name for path in paths for name in path[1:-1]]
        assert len(set(inner)) == len(inner)
        assert len(set(paths)) == count
        assert sum(len(path) - 1 for path in paths) == expected


def test_the_number_of_disjoint_paths_is_that_of_networkx() -> None:
    for seed in range(100):
        topology, widths = random_network(seed)
        usable = {link for link, width in widths.items() if width > 0}
        graph = graph_of(widths)
        most = len(list(nx.node_disjoint_paths(graph, "v00", "v01"))) if nx.has_path(graph, "v00", "v01") else 0
        assert disjoint_paths(topology, "v00", "v01", most, usable) is not None
        assert disjoint_paths(topology, "v00", "v01", most + 1, usable) is None


def test_a_path_pushes_an_earlier_one_aside() -> None:
    """The shortest path alone would block both others."""
    links = [
        ("v00", "v02"),
        ("v02", "v03"),
        ("v01", "v03"),
        ("v00", "v04"),
        ("v03", "v04"),
        ("v02", "v05"),
        ("v01", "v05"),
    ]
    topology = topology_of(links, 6)
    widths = dict.fromkeys(links, 1.0)
    assert widest_path(topology, "v00", "v01", widths) == ("v00", "v02", "v03", "v01")
    expected = (("v00", "v02", "v05", "v01"), ("v00", "v04", "v03", "v01"))
    assert widest_disjoint_paths(topology, "v00", "v01", 2, widths) == expected


def test_sites_that_do_not_relay_are_ends_only() -> None:
    links = [("v00", "v02"), ("v01", "v02"), ("v00", "v03"), ("v03", "v04"), ("v01", "v04")]
    topology = topology_of(links, 5, hosts=frozenset({"v02"}))
    widths = dict.fromkeys(links, 1.0)
    assert widest_path(topology, "v00", "v01", widths) == ("v00", "v03", "v04", "v01")
    assert widest_path(topology, "v00", "v02", widths) == ("v00", "v02")
    with pytest.raises(NoRoute, match="no 2 paths"):
        widest_disjoint_paths(topology, "v00", "v01", 2, widths)


def test_disjoint_paths_avoid_nearly_empty_links() -> None:
    links = [
        ("v00", "v02"),
        ("v01", "v02"),
        ("v00", "v03"),
        ("v01", "v03"),
        ("v00", "v04"),
        ("v04", "v05"),
        ("v01", "v05"),
    ]
    topology = topology_of(links, 6)
    widths = {**dict.fromkeys(links, 1000.0), ("v00", "v03"): 2.0}
    expected = (("v00", "v02", "v01"), ("v00", "v04", "v05", "v01"))
    assert widest_disjoint_paths(topology, "v00", "v01", 2, widths) == expected
    assert len(widest_disjoint_paths(topology, "v00", "v01", 3, widths)) == 3


def test_no_path_has_more_names_than_a_message_may_hold() -> None:
    names = [f"v{place:02}" for place in range(2 * MAX_PATH_NAMES - 2)]
    links = [*itertools.pairwise(names), (names[0], names[-1])]
    topology, widths = topology_of(links, len(names)), dict.fromkeys(links, 1.0)
    opposite = names[MAX_PATH_NAMES - 1]
    paths = widest_disjoint_paths(topology, "v00", opposite, 2, widths)
    assert [len(path) for path in paths] == [MAX_PATH_NAMES] * 2
    assert len(widest_path(topology, "v00", opposite, widths)) == MAX_PATH_NAMES
    with pytest.raises(NoRoute, match="at most 34 sites"):
        widest_disjoint_paths(topology, "v00", names[MAX_PATH_NAMES - 2], 2, widths)
    with pytest.raises(NoRoute, match="at most 34 sites"):
        widest_path(topology, "v00", names[MAX_PATH_NAMES], {**widths, (names[0], names[-1]): 0.0})


def test_a_route_is_kept_until_another_is_clearly_better() -> None:
    links = [("v00", "v02"), ("v01", "v02"), ("v00", "v03"), ("v01", "v03")]
    routes = Routes(topology_of(links, 4), "v00")

    def over(upper: float, lower: float) -> str:
        widths = dict(zip(links, (upper, upper, lower, lower), strict=True))
        return routes.choose("v01", 1, widths)[0][1]

    assert over(100, 100) == "v02"
    assert over(100, 119) == "v02"
    assert over(100, 121) == "v03"
    assert over(119, 100) == "v03"
    assert over(121, 100) == "v02"
    assert over(0, 1) == "v03"


def test_a_shorter_route_is_taken_again_when_it_is_as_wide() -> None:
    links = [("v00", "v02"), ("v01", "v02"), ("v00", "v03"), ("v03", "v04"), ("v01", "v04")]
    routes = Routes(topology_of(links, 5), "v00")
    widths = dict.fromkeys(links, WIDE_ENOUGH_SECONDS)
    assert routes.choose("v01", 1, {**widths, ("v00", "v02"): 10.0})[0] == ("v00", "v03", "v04", "v01")
    assert routes.choose("v01", 1, {**widths, ("v00", "v02"): 3100.0})[0] == ("v00", "v03", "v04", "v01")
    assert routes.choose("v01", 1, widths)[0] == ("v00", "v02", "v01")


def test_time_to_empty() -> None:
    assert LinkState(stock_bits=1000, net_bit_per_s=-10.0).seconds_to_empty(90.0) == 10.0
    assert LinkState(stock_bits=1000, net_bit_per_s=100.0).seconds_to_empty(90.0) == WIDE_ENOUGH_SECONDS
    assert LinkState(stock_bits=10**9, net_bit_per_s=0.0).seconds_to_empty(1.0) == WIDE_ENOUGH_SECONDS
    assert LinkState(stock_bits=0, net_bit_per_s=100.0).seconds_to_empty(0.0) == 0.0
    assert math.isfinite(LinkState(stock_bits=1, net_bit_per_s=0.0).seconds_to_empty(0.0))
