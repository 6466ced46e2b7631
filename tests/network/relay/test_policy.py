from __future__ import annotations

import re
from typing import Any

import pytest

from qkdpost.errors import ConfigurationError
from qkdpost.network.relay.policy import PairRule, RelayPolicy, check_paths_exist
from qkdpost.network.relay.topology import Link, Site, Topology

LINKS = [("a", "m"), ("m", "z"), ("a", "n"), ("n", "z"), ("y", "z")]
TOPOLOGY = Topology(
    sites=[Site(name=name, applications=(f"SAE-{name}",)) for name in "amnyz"],
    links=[Link(between=link, kind="bb84", length_km=1.0) for link in LINKS],
)


def test_a_rule_holds_for_its_pair_in_either_order() -> None:
    rule = PairRule(between=("z", "a"), disjoint_paths=2, idle_bits=5)
    policy = RelayPolicy(pairs=(rule, PairRule(between=("a", "y"))), idle_bits=7)
    assert policy.paths_between("a", "z") == policy.paths_between("z", "a") == 2
    assert policy.idle_bits_between("z", "a") == 5
    assert (policy.paths_between("m", "n"), policy.idle_bits_between("a", "y")) == (1, 7)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"disjoint_paths": 0}, "must be 1, 2 or 3; found 0"),
        ({"disjoint_paths": 4}, "must be 1, 2 or 3; found 4"),
        ({"disjoint_paths": True}, "must be 1, 2 or 3"),
        ({"disjoint_paths": "2"}, "must be 1, 2 or 3"),
        ({"segment_bytes": 255}, "segment_bytes"),
        ({"segment_bytes": 8161}, "segment_bytes"),
        ({"segment_bytes": 1024.0}, "segment_bytes"),
        ({"transfers_in_flight": 0}, "transfers_in_flight"),
        ({"hop_seconds": 0.0}, "hop_seconds"),
        ({"hop_seconds": float("nan")}, "hop_seconds"),
        ({"low_seconds": 31.0}, "high_seconds"),
        ({"link_reserve_bytes": -1}, "link_reserve_bytes"),
        ({"pairs": (1,)}, "a rule must be a PairRule"),
        ({"pairs": (PairRule(between=("a", "b")), PairRule(between=("b", "a")))}, "found two for a - b"),
    ],
)
def test_refuses_values_out_of_range(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        RelayPolicy(**fields)


@pytest.mark.parametrize(
    "fields", [{"between": ("a", "a")}, {"between": ("a",)}, {"between": ("a", "b"), "idle_bits": -1}]
)
def test_refuses_rules_that_are_none(fields: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        PairRule(**fields)


def test_asks_for_no_more_paths_than_there_are() -> None:
    two = RelayPolicy(pairs=(PairRule(between=("a", "z"), disjoint_paths=2),))
    for name in "amnyz":
        check_paths_exist(TOPOLOGY, two, name)
    three = RelayPolicy(pairs=(PairRule(between=("a", "z"), disjoint_paths=3),))
    with pytest.raises(ConfigurationError, match="no 3 paths between a and z"):
        check_paths_exist(TOPOLOGY, three, "z")
    with pytest.raises(ConfigurationError, match="no 2 paths between a and y"):
        check_paths_exist(TOPOLOGY, RelayPolicy(disjoint_paths=2), "a")
    check_paths_exist(TOPOLOGY, RelayPolicy(disjoint_paths=2), "z")


def test_a_rule_about_an_unknown_site_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'shed' is no site"):
        check_paths_exist(TOPOLOGY, RelayPolicy(pairs=(PairRule(between=("a", "shed")),)), "a")
