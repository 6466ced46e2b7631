"""A picture of the network example: links by kind, what was distilled and spent on each, and what was delivered."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot

import qkdpost as qp
from network_scenes import Delivery
from network_sites import is_hut, name_of

COLOURS = {"decoy-bb84": "C0", "single-photon-bb84": "C1", "gaussian-cv": "C2"}
RING = ("kbh-1", "kbh-2", "dc-1", "kbh-3", "kbh-4", "dc-2", "kbh-5")
PLACES = {
    site: (2.0 * math.sin(angle), 2.0 * math.cos(angle))
    for site, angle in zip(RING, (2.0 * math.pi * (place - 2) / len(RING) for place in range(len(RING))), strict=True)
} | {
    "dtu": (1.4, -3.4),
    "ku": (3.9, -1.0),
    "hut-1": (-0.6, -4.0),
    "hut-2": (-2.6, -4.3),
    "hut-3": (-4.6, -4.3),
    "sdu": (-6.6, -4.0),
}
"""Where sites are drawn; kilometres are written, not drawn to scale."""


@dataclass(frozen=True)
class Flow:
    """Keys that were delivered between two sites."""

    first: str
    second: str
    keys: int
    epsilon: float


def draw_all(
    network: qp.network.Topology, links: dict[str, dict[str, object]], deliveries: list[Delivery], output: Path
) -> None:
    """Draw the network with its links' accounts and what was delivered."""
    flows: dict[tuple[str, str], Flow] = {}
    for one in deliveries:
        for slave in one.slaves:
            first, second = sorted((one.master, slave))
            so_far = flows.get((first, second), Flow(first, second, 0, 0.0))
            epsilon = max(so_far.epsilon, float(one.extension["qkdpost_epsilon"]))
            flows[first, second] = Flow(first, second, so_far.keys + 1, epsilon)
    draw(network, links, list(flows.values()), output)


def draw(
    network: qp.network.Topology, links: dict[str, dict[str, object]], deliveries: list[Flow], output: Path
) -> None:
    """Write the picture."""
    figure, axes = pyplot.subplots(figsize=(14, 9))
    _draw_links(axes, network, links)
    _draw_deliveries(axes, deliveries)
    for site in network.sites:
        axes.plot(
            *PLACES[site.name],
            "s" if is_hut(site) else "o",
            color="0.75" if is_hut(site) else "white",
            markersize=34,
            markeredgecolor="black",
            zorder=3,
        )
        axes.annotate(site.name, PLACES[site.name], ha="center", va="center", fontsize=9, zorder=4)
    for kind, colour in COLOURS.items():
        axes.plot([], [], color=colour, linewidth=3, label=f"link: {kind}")
    axes.plot([], [], color="black", linestyle=":", label="keys delivered, and their epsilon")
    axes.legend(loc="upper left")
    axes.set_title("key of each link: spent / distilled, and the epsilon of its last block, all in all")
    axes.set_axis_off()
    axes.set_aspect("equal")
    axes.margins(0.08)
    figure.tight_layout()
    figure.savefig(output, dpi=110)
    pyplot.close(figure)


def _draw_links(axes: object, network: qp.network.Topology, links: dict[str, dict[str, object]]) -> None:
    for link in network.links:
        account = links[name_of(link)]
        spent = sum(account["pool"]["spent"].values())
        ends = (PLACES[link.between[0]], PLACES[link.between[1]])
        width = 1.0 + 7.0 * min(1.0, spent / max(1, account["distilled"]))
        axes.plot(*zip(*ends, strict=True), color=COLOURS[link.kind], linewidth=width, zorder=1, alpha=0.7)
        text = (
            f"{link.length_km:g} km\n{spent / 1000:.1f} / {account['distilled'] / 1000:.0f} kbit\n"
            f"{account['epsilon']:.1g}"
        )
        axes.annotate(
            text,
            _along(*ends, 0.28 if link.kind == "gaussian-cv" else 0.5),  # where no other link crosses
            ha="center",
            va="center",
            fontsize=7,
            zorder=2,
            bbox={"boxstyle": "round", "facecolor": "white", "edgecolor": "none", "alpha": 0.8},
        )


def _draw_deliveries(axes: object, deliveries: list[Flow]) -> None:
    for flow in deliveries:
        first, second = PLACES[flow.first], PLACES[flow.second]
        bend = max((0.35, -0.35), key=lambda side: _distance_to_sites(_bow(first, second, side / 2.0)))
        curve = {"arrowstyle": "<->", "linestyle": ":", "connectionstyle": f"arc3,rad={bend}", "color": "black"}
        axes.annotate("", first, second, arrowprops=curve | {"shrinkA": 17, "shrinkB": 17}, zorder=2)
        bow = _bow(first, second, bend / 2.0)
        axes.plot(*bow, alpha=0.0)  # so that the picture is large enough for the text
        axes.annotate(
            f"{flow.keys} keys\n{flow.epsilon:.1g}",
            bow,
            ha="center",
            va="center",
            fontsize=8,
            zorder=5,
            bbox={"boxstyle": "round", "facecolor": "lightyellow", "edgecolor": "black", "linestyle": ":"},
        )


def _along(first: tuple[float, float], second: tuple[float, float], part: float) -> tuple[float, float]:
    return first[0] + part * (second[0] - first[0]), first[1] + part * (second[1] - first[1])


def _bow(first: tuple[float, float], second: tuple[float, float], part: float) -> tuple[float, float]:
    """Return the middle, moved sideways by a part of the distance, to where a bent arrow passes."""
    x, y = _along(first, second, 0.5)
    return x - part * (second[1] - first[1]), y + part * (second[0] - first[0])


def _distance_to_sites(point: tuple[float, float]) -> float:
    return min(math.dist(point, place) for place in PLACES.values())
