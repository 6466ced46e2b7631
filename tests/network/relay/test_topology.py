from __future__ import annotations

import re
from typing import Any

import pytest

from qkdpost.errors import ConfigurationError
from qkdpost.network.relay.topology import Link, Site, Topology, link_name

CHAIN: dict[str, Any] = {
    "sites": {"north": {"applications": ["SAE-A", "SAE-C"]}, "hut": {}, "south": {"applications": ["SAE-B"]}},
    "links": [
        {"between": ["north", "hut"], "kind": "decoy-bb84", "length_km": 50},
        {"between": ["south", "hut"], "kind": "gaussian-cv", "length_km": 12.5},
    ],
}
TOML = """
[sites.north]
applications = ["SAE-A", "SAE-C"]
[sites.hut]
[sites.south]
applications = ["SAE-B"]
[[links]]
between = ["north", "hut"]
kind = "decoy-bb84"
length_km = 50
[[links]]
between = ["south", "hut"]
kind = "gaussian-cv"
length_km = 12.5
"""


def changed(**parts: Any) -> dict[str, Any]:
    return {**CHAIN, **parts}


@pytest.mark.parametrize("topology", [Topology.from_mapping(CHAIN), Topology.from_toml(TOML)], ids=["mapping", "toml"])
def test_reads_sites_links_and_applications(topology: Topology) -> None:
    assert [site.name for site in topology.sites] == ["hut", "north", "south"]
    assert [link.between for link in topology.links] == [("hut", "north"), ("hut", "south")]
    assert topology.neighbours("hut") == ("north", "south")
    assert topology.neighbours("north") == ("hut",)
    assert topology.site_of("SAE-C") == "north"
    assert topology.site_of("SAE-Z") is None
    link = topology.link("south", "hut")
    assert link is not None
    assert (link.kind, link.length_km) == ("gaussian-cv", 12.5)
    assert topology.link("north", "south") is None
    assert "hut" in topology
    assert "shed" not in topology
    assert repr(topology) == "Topology(sites=3, links=2, applications=3)"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "sites"),
        ([], "must be a mapping"),
        (changed(sites={}), "1 ... 4096 sites"),
        (changed(nodes={}), "unknown field `nodes`"),
        (changed(sites={"north": {"application": ["SAE-A"]}}), "unknown field `application`"),
        (changed(sites={"north": {"applications": "SAE-A"}}), "Expected `array`"),
        (changed(sites={"north": {"applications": ["SAE-A", "SAE-A"]}}), "found 'SAE-A' twice"),
        (changed(sites={"north": {"relays": 1}}), "Expected `bool`"),
        (changed(sites={" north": {}}), "a name of 1 ... 64 bytes"),
        (changed(sites={"n" * 65: {}}), "a name of 1 ... 64 bytes"),
        (
            changed(sites={"north": {"applications": ["A"]}, "hut": {"applications": ["A"]}, "south": {}}),
            "applications of all sites must each be there once; found 'A' twice",
        ),
        (changed(links=[*CHAIN["links"], {"between": ["hut", "shed"], "kind": "a", "length_km": 1}]), "'shed' is none"),
        (changed(links=[*CHAIN["links"], CHAIN["links"][0]]), "found 'hut - north' twice"),
        (changed(links=[{"between": ["hut", "hut"], "kind": "a", "length_km": 1}]), "two different sites"),
        (changed(links=[{"between": ["hut"], "kind": "a", "length_km": 1}]), "links"),
        (changed(links=[{"between": ["hut", "north"], "kind": "a", "length_km": -1}]), "length_km must be"),
        (changed(links=[{"between": ["hut", "north"], "kind": "", "length_km": 1}]), "the kind of a link"),
        (changed(links=[{"between": ["hut", "north"], "kind": "a"}]), "length_km"),
    ],
)
def test_refuses_what_contradicts_itself(content: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        Topology.from_mapping(content)


@pytest.mark.parametrize("text", ["sites = 1", "[sites.a]\n[sites.a]", "no toml", "[sites.a]\nrelays = 1"])
def test_refuses_texts_that_are_no_network(text: str) -> None:
    with pytest.raises(ConfigurationError):
        Topology.from_toml(text)


def test_believes_no_list() -> None:
    for sites, links in ((None, []), ([1], []), ([Site(name="a")], [1]), ("a", [])):
        with pytest.raises(ConfigurationError):
            Topology(sites=sites, links=links)  # type: ignore[arg-type]
    for between in (("a",), ("a", "a"), ("a", 1), "ab"):
        with pytest.raises(ConfigurationError):
            Link(between=between, kind="bb84", length_km=1.0)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError):
        Site(name="a", relays=0)  # type: ignore[arg-type]


def test_unknown_sites_are_named_in_errors() -> None:
    topology = Topology.from_mapping(CHAIN)
    for ask in (topology.site, topology.neighbours):
        with pytest.raises(ConfigurationError, match=r"'shed' is no site of the network\. Sites are hut, north, south"):
            ask("shed")


def test_links_are_called_by_both_names_in_order() -> None:
    assert link_name("b", "a") == link_name("a", "b") == ("a", "b")
