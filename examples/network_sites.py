"""The network of the example as its file describes it."""

from __future__ import annotations

from pathlib import Path

import qkdpost as qp


def read_network(path: Path) -> qp.network.Topology:
    return qp.network.Topology.from_toml(path.read_text(encoding="utf-8"))


def name_of(link: qp.network.Link) -> str:
    """Return the name of a link, which its folder has at both ends; "alice" is at the site that is named first."""
    return "--".join(link.between)


def is_hut(site: qp.network.Site) -> bool:
    """Tell whether a site is there for others alone."""
    return not site.applications
