"""Pools are filled by demand, links are shared, and idle pairs drain."""

from __future__ import annotations

import random

import pytest

from qkdpost.network.messages.framed import CarrySegment
from qkdpost.network.relay.demand import AVERAGING_SECONDS, Rate
from qkdpost.network.relay.fair_shares import fair_shares
from qkdpost.network.relay.policy import RelayPolicy
from support.relaying import World

STAR = [("a", "m"), ("m", "y"), ("m", "z")]
RING = [("a", "m"), ("m", "z"), ("a", "n"), ("n", "z")]
POLICY = RelayPolicy(segment_bytes=256, idle_bits=8 * 1024, link_reserve_bytes=0)


def filling(policy: RelayPolicy = POLICY, links: list[tuple[str, str]] = STAR) -> World:
    world = World(links, policy, fills=True)
    for name, pools in world.pools.items():
        pools.links = dict.fromkeys(world.topology.neighbours(name), 10**6)
    return world


def step(world: World, seconds: float = 1.0) -> int:
    """Let time pass, and return how many segments more the site a has then."""
    before = len(world.pools["a"].ready)
    world.advance(seconds)
    world.settle()
    return len(world.pools["a"].ready) - before


def held(world: World, target: str) -> int:
    return world.pools["a"].stored_bytes(target)


def test_idle_pairs_are_filled_once_and_then_left_alone() -> None:
    world = filling()
    assert step(world) == 8
    assert held(world, "y") == held(world, "z") == 1024
    assert step(world) == 0
    world.pools["a"].use("z", 256)
    assert step(world) == 0, "between the marks"
    world.pools["a"].use("z", 512)
    assert step(world) == 3
    assert held(world, "z") == 1024


def test_a_pair_that_is_used_gets_more_and_drains_when_use_ends() -> None:
    world = filling()
    step(world)
    for _ in range(200):
        world.pools["a"].use("z", 300)
        step(world)
    assert 10 * 300 <= held(world, "z") <= 31 * 300
    assert held(world, "y") == 1024
    before = held(world, "z")
    for _ in range(600):
        assert step(world) == 0
    world.pools["a"].use("z", before - 600)
    assert step(world, 10_000.0) == 0, "the marks are those of an idle pair again"


def test_only_the_site_whose_name_comes_first_fills_a_pool() -> None:
    world = filling()
    step(world)
    pairs = {(message.source, message.target) for _, _, message in world.heard if isinstance(message, CarrySegment)}
    assert pairs == {("a", "y"), ("a", "z"), ("y", "z")}


def test_no_more_are_on_their_way_than_the_policy_allows() -> None:
    world = filling(RelayPolicy(segment_bytes=256, idle_bits=2**20, transfers_in_flight=5, link_reserve_bytes=0))
    world.sessions["m", "z"].key_bytes = 0
    for _ in range(3):
        step(world, 0.1)
    assert len(world.relays["a"].pending("z")) == 5
    assert held(world, "y") == 3 * 5 * 256


def test_a_narrow_link_is_shared_equally() -> None:
    world = filling(RelayPolicy(segment_bytes=256, idle_bits=2**20, link_reserve_bytes=0))
    world.sessions["a", "m"].key_bytes = 6 * 288
    assert step(world) == 6
    assert held(world, "y") == held(world, "z") == 3 * 256


def test_a_way_that_failed_is_avoided_for_a_while() -> None:
    world = filling(links=RING)
    world.sessions["m", "z"].key_bytes = 0
    step(world)
    assert held(world, "z") == 0
    step(world, 9)
    assert {event.reason for event in world.events["a"]} == {"deadline"}
    assert held(world, "z") == 1024
    assert all(provenance.trusted_nodes == ("n",) for _, _, provenance in world.pools["a"].ready.values())


def test_a_peer_that_is_away_costs_nothing() -> None:
    world = filling()
    world.sessions["a", "m"].ready = False
    assert step(world) == 0
    assert world.sessions["a", "m"].key_bytes == 10**9


def test_two_disjoint_paths_are_used_where_the_policy_wants_them() -> None:
    policy = RelayPolicy(segment_bytes=256, idle_bits=8 * 1024, link_reserve_bytes=0, disjoint_paths=2)
    world = filling(policy, RING)
    assert step(world) == 4
    assert all(provenance.disjoint_paths == 2 for _, _, provenance in world.pools["a"].ready.values())


# Sharing.


def test_shares_are_max_min_fair_but_for_one_segment() -> None:
    for seed in range(300):
        generator = random.Random(seed)
        links = [f"l{place}" for place in range(generator.randint(1, 5))]
        pairs = [f"p{place}" for place in range(generator.randint(1, 7))]
        uses = {pair: generator.sample(links, generator.randint(1, min(2, len(links)))) for pair in pairs}
        wants = {pair: generator.randint(0, 12) for pair in pairs}
        capacities = {link: generator.randint(0, 15) for link in links}
        shares = fair_shares(wants, uses, capacities, {})
        taken = {link: sum(shares[pair] for pair in pairs if link in uses[pair]) for link in links}
        assert all(taken[link] <= capacities[link] for link in links)
        for pair in pairs:
            assert 0 <= shares[pair] <= wants[pair]
            if shares[pair] < wants[pair]:
                full = [link for link in uses[pair] if taken[link] == capacities[link]]
                assert full, "it could have had one more"
                others = [shares[other] for link in full for other in pairs if link in uses[other]]
                assert max(others) <= shares[pair] + 1 or any(
                    all(shares[other] <= shares[pair] + 1 for other in pairs if link in uses[other]) for link in full
                )


def test_the_last_segment_goes_to_the_most_urgent_pair() -> None:
    uses = {"p": ["l"], "q": ["l"]}
    assert fair_shares({"p": 5, "q": 5}, uses, {"l": 3}, {"p": 2.0, "q": 1.0}) == {"p": 1, "q": 2}
    assert fair_shares({"p": 1, "q": 5}, uses, {"l": 4}, {}) == {"p": 1, "q": 3}
    assert fair_shares({"p": 1}, uses, {}, {}) == {"p": 0}


def test_a_rate_forgets() -> None:
    rate = Rate(0.0, 0.0)
    for second in range(1, 601):
        found = rate.update(50.0 * second, float(second))
    assert found == pytest.approx(50.0, rel=1e-3)
    after = rate.update(50.0 * 600, 600 + AVERAGING_SECONDS)
    assert after == pytest.approx(50.0 / 2.71828, rel=1e-3)
    assert rate.update(1e9, 600 + AVERAGING_SECONDS) == after, "no time has passed"
