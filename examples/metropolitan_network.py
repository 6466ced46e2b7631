"""Thirteen sites share keys: a network of key managers on this machine, each in a process of its own.

    python examples/metropolitan_network.py [--small] [--picture network.png | --no-picture]

The shape is that of the Danish network: seven metropolitan sites on a ring, three universities, one of them 200 km
away behind three huts with trusted nodes, sixteen links of three kinds of QKD (`network_whole.toml`; with --small four
sites, `network_small.toml`). The records of the links are simulated. Each key manager gets a folder with its own half
of them, its certificate and its pre-shared keys, and nothing of the others; it distils key with its neighbours, stores
and relays it, and delivers it to applications by ETSI GS QKD 014 over mutual TLS. Then applications

1. at the ends of a link, between two data centres, fetch equal keys,
2. at two sites of the metropolis fetch equal keys, carried over two paths without a common node,
3. at both ends of the chain fetch equal keys, and see whom they trust for that,
4. at three sites share keys,
5. go on fetching while the key manager of a hut is killed and started again: no key comes twice, and none is unequal,
6. speak TLS 1.3 with a delivered key as pre-shared key.

At the end stands the account of every link and key. The program ends with 0 only if all keys were equal.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from network_report import accounts_of_links, print_deliveries, print_links
from network_scenes import Delivery, faults_of, kill_under_load, share_keys, tls_with_delivered_keys
from network_set_up import RunningNetwork, set_up

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Plan:
    """Who shares keys with whom, and whose key manager is killed."""

    link: tuple[str, str]
    disjoint: tuple[str, str]
    chain: tuple[str, str]
    multicast: tuple[str, str, str]
    hut: str
    load_seconds: float
    """For how long keys are fetched before it is."""
    pairs: list[tuple[str, str, int]]
    """Sites without a link that share key, and over how many disjoint paths it is carried."""


PLANS = {
    "whole": Plan(
        link=("dc-1", "dc-2"),
        disjoint=("kbh-1", "dc-2"),
        chain=("sdu", "dtu"),
        multicast=("ku", "dtu", "sdu"),
        hut="hut-2",
        load_seconds=3.0,
        pairs=[("kbh-1", "dc-2", 2), ("dtu", "sdu", 1), ("ku", "sdu", 1)],
    ),
    "small": Plan(
        link=("ku", "sdu"),
        disjoint=("dtu", "sdu"),
        chain=("dtu", "sdu"),
        multicast=("ku", "dtu", "sdu"),
        hut="hut-1",
        load_seconds=1.5,
        pairs=[("dtu", "sdu", 2)],
    ),
}
KEYS = 20
MULTICAST_KEYS = 3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="four sites in the place of thirteen")
    parser.add_argument("--picture", type=Path, default=Path("network.png"), help="where to draw it (network.png)")
    parser.add_argument("--no-picture", action="store_true", help="draw nothing")
    options = parser.parse_args()
    began = time.monotonic()
    size = "small" if options.small else "whole"
    with (
        tempfile.TemporaryDirectory() as name,
        set_up(HERE / f"network_{size}.toml", Path(name), PLANS[size].pairs) as running,
    ):
        deliveries, talked = play(running, PLANS[size])
        links = accounts_of_links(running)
    print_links(links)
    print_deliveries(deliveries)
    if not options.no_picture:
        draw(running, links, deliveries, options.picture)
    faults = faults_of(deliveries)
    print("\n" + ("\n".join(faults) or f"all {len(deliveries)} keys were equal, and none came twice"))
    print(f"{time.monotonic() - began:.0f} s in all")
    return 0 if talked and not faults else 1


def play(running: RunningNetwork, plan: Plan) -> tuple[list[Delivery], bool]:
    """Let applications fetch and use keys; return what they got, and whether two could speak TLS with it."""
    found = share_keys(running, "one link", plan.link[0], plan.link[1:], KEYS, {"qkdpost_route_type": "direct"})
    demands = {"qkdpost_disjoint_paths": 2}
    found += share_keys(running, "two disjoint paths", plan.disjoint[0], plan.disjoint[1:], KEYS, demands)
    if plan.chain != plan.disjoint:
        found += share_keys(running, "the chain of trusted nodes", plan.chain[0], plan.chain[1:], KEYS)
    master, *slaves = plan.multicast
    found += share_keys(running, "three sites", master, tuple(slaves), MULTICAST_KEYS)
    found += kill_under_load(running, *plan.chain, plan.hut, plan.load_seconds)
    return found, tls_with_delivered_keys(found[0])


def draw(running: RunningNetwork, links: dict[str, dict[str, Any]], deliveries: list[Delivery], output: Path) -> None:
    """Draw it, if matplotlib is installed; the processes of the network shall not load that."""
    try:
        picture = import_module("network_picture")
    except ImportError:
        print("\nno picture: matplotlib is not installed")
        return
    picture.draw_all(running.network, links, deliveries, output)
    print(f"\npicture: {output}")


if __name__ == "__main__":
    raise SystemExit(main())
