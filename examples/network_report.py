"""What the network example prints: the account of every link and of every delivered key."""

from __future__ import annotations

from collections import defaultdict

from network_scenes import Delivery
from network_set_up import RunningNetwork
from network_sites import name_of


def accounts_of_links(running: RunningNetwork) -> dict[str, dict[str, object]]:
    """Return what each link made and what its pool spent, as the first of its two sites counts."""
    accounts = {name: process.account() for name, process in running.processes.items()}
    found = {}
    for link in running.network.links:
        first, second = link.between
        told = [key for key in running.processes[first].keys if key["link"] == name_of(link)]
        found[name_of(link)] = {
            "kind": link.kind,
            "km": link.length_km,
            "distilled": sum(key["bits"] for key in told),
            "epsilon": max((key["accumulated_epsilon"] for key in told), default=0.0),
            "pool": accounts[first].get(second, {"received": {}, "spent": {}, "stored_bits": 0}),
        }
    return found


def print_links(links: dict[str, dict[str, object]]) -> None:
    uses = ("delivery", "relay", "tags", "checks", "lost")
    print(
        f"\n{'link':<16} {'kind':<20} {'km':>5} {'distilled':>10}",
        *(f"{use:>9}" for use in uses),
        f"{'left':>9}  epsilon",
    )
    for name, link in links.items():
        spent = link["pool"]["spent"]
        print(
            f"{name:<16} {link['kind']:<20} {link['km']:>5g} {link['distilled']:>10,}",
            *(f"{spent.get(use, 0):>9,}" for use in uses),
            f"{link['pool']['stored_bits']:>9,}  {link['epsilon']:.1e}",
        )


def print_deliveries(deliveries: list[Delivery]) -> None:
    """Print one line for each scene and route, with what is said of its keys."""
    groups: dict[tuple[str, ...], list[Delivery]] = defaultdict(list)
    for one in deliveries:
        groups[(one.scene, one.master, ", ".join(one.slaves), way_of(one))].append(one)
    print()
    for (scene, master, slaves, way), keys in groups.items():
        epsilons = [float(key.extension.get("qkdpost_epsilon", 1.0)) for key in keys]
        kinds = sorted({kind for key in keys for kind in key.extension.get("qkdpost_kinds", [])})
        equal = "all equal" if all(key.equal for key in keys) else "UNEQUAL"
        print(f"{scene}: {len(keys)} keys {master} - {slaves}, {equal}")
        print(f"    epsilon at most {max(epsilons):.2e}; {way}; kinds: {', '.join(kinds)}")
        print(f"    digests {', '.join(key.keys[key.master].digest[:8] for key in keys[:6])}{' ...' * (len(keys) > 6)}")


def way_of(delivery: Delivery) -> str:
    """Say who on the way must be trusted."""
    nodes = delivery.extension["qkdpost_trusted_nodes"]
    paths = delivery.extension.get("qkdpost_disjoint_paths", 1)
    if not nodes:
        return "links between the sites alone, nobody on the way"
    if paths > 1:
        return f"{paths} disjoint paths over {', '.join(nodes)}, of which one must be honest"
    return f"trusting {', '.join(nodes)} ({len(nodes) + 1} hops)"
