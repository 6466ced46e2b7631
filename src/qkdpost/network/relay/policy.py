"""How key is carried for pairs of sites that no link joins."""

from __future__ import annotations

from typing import Literal, get_args

from qkdpost.checks import Settings, described, instance, keep, listed, real_number, whole_number
from qkdpost.errors import ConfigurationError
from qkdpost.network.messages.fields import MAX_KEY_BYTES
from qkdpost.network.relay.disjoint_paths import disjoint_paths
from qkdpost.network.relay.manipulation import CHECK_BYTES
from qkdpost.network.relay.topology import LinkName, Topology, link_name

__all__ = ["DisjointPaths", "PairRule", "RelayPolicy", "check_paths_exist"]

DisjointPaths = Literal[1, 2, 3]


class PairRule(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What holds for one pair of sites in place of the policy's own values. Both ends must have the same.

    Args:
        between: the names of the two sites.
        disjoint_paths: over how many paths without a common site a segment is carried.
        idle_bits: how much the pair holds while nobody uses it; None as in the policy.

    Raises:
        ConfigurationError: no two different names, or a number out of range.

    >>> from qkdpost import network
    >>> rule = network.PairRule(between=("north", "south"), disjoint_paths=2)
    >>> network.RelayPolicy(pairs=(rule,)).pairs[0].disjoint_paths
    2
    """

    between: tuple[str, str]
    disjoint_paths: DisjointPaths = 1
    idle_bits: int | None = None

    def __post_init__(self) -> None:
        names = listed("between", self.between, "two names", error=ConfigurationError)
        if len(names) != 2:
            raise ConfigurationError(f"a pair is of two sites; found {len(names)} names in between")
        keep(self, "between", link_name(names[0], names[1]))
        keep(self, "disjoint_paths", _path_count(self.disjoint_paths))
        if self.idle_bits is not None:
            idle = whole_number("idle_bits", self.idle_bits, most=2**40, error=ConfigurationError)
            keep(self, "idle_bits", idle)


class RelayPolicy(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How key is carried over trusted sites.

    With one path every site on it sees the key. With k paths, k - 1 dishonest sites learn nothing and change nothing
    unseen; the price is the key of k paths. When k of a pair is raised, what was carried with fewer paths is given up,
    hash keys and pads among it, or the sites of the old path would keep their power over the pair.

    Args:
        disjoint_paths: over how many paths without a common site segments are carried, 1, 2 or 3.
        pairs: rules for single pairs.
        segment_bytes: length of a segment, 256 ... 8160. Shorter ones wait less behind each other at slow links;
            longer ones cost less by the piece.
        transfers_in_flight: how many transfers of one pair may be on their way at once.
        hop_seconds: how long a hop may take, and the target's answer at each hop on its way back.
        link_reserve_bytes: what is left of a link's key at each relay, for the two sites of the link themselves.
        idle_bits: how much key each pair holds while nobody uses it. The first request finds it.
        low_seconds: a pair is filled up when its stock would last for less, at the rate at which it is used.
        high_seconds: it is filled until its stock would last so long.

    Raises:
        ConfigurationError: a value out of range, or two rules for a pair.

    >>> from qkdpost import network
    >>> network.RelayPolicy(disjoint_paths=2, segment_bytes=2048).disjoint_paths
    2
    """

    disjoint_paths: DisjointPaths = 1
    pairs: tuple[PairRule, ...] = ()
    segment_bytes: int = 1024
    transfers_in_flight: int = 32
    hop_seconds: float = 2.0
    link_reserve_bytes: int = 4096
    idle_bits: int = 65_536
    low_seconds: float = 10.0
    high_seconds: float = 30.0

    def __post_init__(self) -> None:
        error = ConfigurationError
        keep(self, "disjoint_paths", _path_count(self.disjoint_paths))
        rules = [instance("a rule", rule, PairRule, error=error) for rule in listed("pairs", self.pairs, "PairRule")]
        keep(self, "pairs", tuple(rules))
        twice = [rule.between for rule in rules if sum(rule.between == other.between for other in rules) > 1]
        if twice:
            raise ConfigurationError(f"each pair has one rule; found two for {' - '.join(twice[0])}")
        for name, (least, most) in _RANGES.items():
            keep(self, name, whole_number(name, getattr(self, name), least=least, most=most, error=error))
        keep(self, "hop_seconds", real_number("hop_seconds", self.hop_seconds, above=0.0, most=60.0, error=error))
        keep(self, "low_seconds", real_number("low_seconds", self.low_seconds, least=0.0, most=1e7, error=error))
        high = real_number("high_seconds", self.high_seconds, least=self.low_seconds, most=1e7, error=error)
        keep(self, "high_seconds", high)

    def paths_between(self, first: str, second: str) -> int:
        """Return over how many disjoint paths segments of this pair are carried."""
        rule = self._rule(first, second)
        return self.disjoint_paths if rule is None else rule.disjoint_paths

    def idle_bits_between(self, first: str, second: str) -> int:
        """Return how much this pair holds while nobody uses it."""
        rule = self._rule(first, second)
        return self.idle_bits if rule is None or rule.idle_bits is None else rule.idle_bits

    def _rule(self, first: str, second: str) -> PairRule | None:
        names = (first, second) if first < second else (second, first)
        return next((rule for rule in self.pairs if rule.between == names), None)


_RANGES = {
    "segment_bytes": (256, MAX_KEY_BYTES - CHECK_BYTES),
    "transfers_in_flight": (1, 1024),
    "link_reserve_bytes": (0, 2**30),
    "idle_bits": (0, 2**40),
}


def _path_count(value: object) -> int:
    if isinstance(value, bool) or value not in get_args(DisjointPaths):
        raise ConfigurationError(f"disjoint_paths must be 1, 2 or 3; found {described(value)}")
    return whole_number("disjoint_paths", value, error=ConfigurationError)


def check_paths_exist(topology: Topology, policy: RelayPolicy, name: str) -> None:
    """Refuse a policy that asks for more disjoint paths from one site than the network has.

    Raises:
        ConfigurationError: a rule names no site, or there are too few paths for a pair of this site.
    """
    links = {link.between for link in topology.links}
    for first, second in _pairs_over_several(topology, policy, name):
        count = policy.paths_between(first, second)
        if disjoint_paths(topology, first, second, count, links) is None:
            raise ConfigurationError(
                f"the network has no {count} paths between {first} and {second} without a common site: give the pair a "
                "rule with fewer, or add links"
            )


def _pairs_over_several(topology: Topology, policy: RelayPolicy, name: str) -> list[LinkName]:
    """Return the pairs of a site, without a link, for which the policy asks for more than one path."""
    named = {site.name for rule in policy.pairs for site in map(topology.site, rule.between) if name in rule.between}
    others = [site.name for site in topology.sites if site.applications] if policy.disjoint_paths > 1 else []
    pairs = {link_name(name, other) for other in {*named, *others} - {name, *topology.neighbours(name)}}
    return sorted(pair for pair in pairs if policy.paths_between(*pair) > 1)
