"""Segments over trusted sites: what arrives, what fails, and that nothing is used of what failed."""

from __future__ import annotations

import itertools

import pytest

from qkdpost.errors import InputError, NotEnoughKey, PeerUnavailable
from qkdpost.network.messages.framed import CarryDone, CarrySegment
from qkdpost.network.relay.policy import RelayPolicy
from support.relaying import World, carried

CHAIN = [("a", "m"), ("m", "n"), ("n", "z")]
RING = [("a", "m"), ("m", "z"), ("a", "n"), ("n", "o"), ("o", "z")]
WAY = (("a", "m", "n", "z"),)
WAYS = (("a", "m", "z"), ("a", "n", "o", "z"))
TWO = RelayPolicy(segment_bytes=256, disjoint_paths=2)


def chain() -> World:
    return World(CHAIN)


def ring() -> World:
    return World(RING, TWO)


def check_nothing_is_used(world: World) -> None:
    assert not world.pools["a"].ready
    assert not world.pools["z"].offered
    assert world.secrets() == 0


@pytest.mark.parametrize(("world", "paths"), [(chain(), WAY), (ring(), WAYS)], ids=["one path", "two paths"])
def test_both_ends_hold_equal_segments(world: World, paths: tuple[tuple[str, ...], ...]) -> None:
    assert world.relays["a"].start(paths, 3) == 3
    assert len(world.relays["a"].pending("z")) == 3
    world.settle()
    assert len(world.pools["a"].ready) == 3
    assert world.relays["a"].pending("z") == ()
    for segment, (peer, content, provenance) in world.pools["a"].ready.items():
        assert world.pools["z"].offered[segment] == ("a", content, provenance)
        assert (peer, len(content)) == ("z", 256)
        assert provenance.trusted_nodes == tuple(sorted(name for path in paths for name in path[1:-1]))
        assert provenance.disjoint_paths == len(paths)
        assert len(provenance.all_blocks) == sum(len(path) - 1 for path in paths)
        assert len(provenance.all_checks) == len({name for path in paths for name in path[1:]})
    assert len({content for _, content, _ in world.pools["a"].ready.values()}) == 3
    assert not any(world.events.values())


def test_the_first_hop_is_the_segment_and_later_ones_hide_it() -> None:
    world = chain()
    world.relays["a"].start(WAY, 1)
    world.settle()
    (segment,) = [content for _, content, _ in world.pools["a"].ready.values()]
    sent = {sender: message for sender in "amn" for message in carried(world, sender)}
    assert sent["a"].ciphertext is None
    assert segment not in (sent["m"].ciphertext[:256], sent["n"].ciphertext[:256])
    assert sent["m"].ciphertext != sent["n"].ciphertext


def test_many_shares_share_a_frame() -> None:
    world = chain()
    world.relays["a"].start(WAY, 16)
    world.settle()
    assert world.sessions["m", "n"].frames_opened == 1
    assert len(world.pools["a"].ready) == 16


def test_sites_forget_when_the_time_is_over() -> None:
    world = ring()
    world.relays["a"].start(WAYS, 2)
    world.settle()
    assert world.secrets() == 0
    assert world.rows("m")["relay_node"] == 2
    world.advance(3600)
    world.settle()
    assert not any(count for name in world.stores for count in world.rows(name).values())
    assert len(world.pools["z"].offered) == 2


# Failures of honest sites.


def test_a_share_without_a_pad_waits_durably_and_survives_a_crash() -> None:
    world = chain()
    world.sessions["m", "n"].key_bytes = 0
    world.relays["a"].start(WAY, 2)
    world.settle()
    assert world.rows("m") | {"relay_node": 2, "relay_node_share": 2} == world.rows("m")
    world.crash("m")
    world.sessions["m", "n"].key_bytes = 10**6
    world.settle()
    assert len(world.pools["a"].ready) == 2
    assert world.secrets() == 0


def test_a_site_erases_at_its_start_what_is_older_than_its_end() -> None:
    world = chain()
    world.sessions["m", "n"].key_bytes = 0
    world.relays["a"].start(WAY, 1)
    world.settle()
    world.now_seconds += 3600
    world.crash("m")
    assert world.rows("m")["relay_node"] == world.rows("m")["relay_node_share"] == 0


def test_a_crash_before_the_commit_is_as_if_the_share_had_not_come() -> None:
    world = chain()
    world.relays["a"].start(WAY, 1)
    world.commit()
    world.deliver()
    world.crash("m")
    world.settle()
    assert world.relays["a"].pending("z")
    world.advance(60)
    world.settle()
    check_nothing_is_used(world)
    assert [event.reason for event in world.events["a"]] == ["deadline"]


def test_a_late_answer_revives_nothing() -> None:
    world = chain()
    world.relays["a"].start(WAY, 1)
    held: list[CarryDone] = []

    def hold(sender: str, receiver: str, message: object, material: bytearray | None) -> list[tuple[object, object]]:
        if isinstance(message, CarryDone) and receiver == "a":
            held.append(message)
            return []
        return [(message, material)]

    world.tamper = hold  # type: ignore[assignment]
    world.settle()
    assert world.pools["z"].offered
    world.advance(13)
    world.tamper = None
    world.hear("m", "a", held[0], None)
    world.settle()
    check_nothing_is_used(world)
    assert [event.reason for event in world.events["a"]] == ["deadline"]


def test_a_broken_connection_ends_what_was_in_flight_in_both_directions() -> None:
    for own, name in itertools.pairwise("amnz"):
        world = chain()
        lost: list[CarrySegment] = []

        def lose(
            sender: str, receiver: str, message: object, material: bytearray | None, way: tuple[str, str] = (own, name)
        ) -> list[tuple[object, object]]:
            if isinstance(message, CarrySegment) and (sender, receiver) == way:
                lost.append(message)  # noqa: B023
                return []
            return [(message, material)]

        world.tamper = lose  # type: ignore[assignment]
        world.relays["a"].start(WAY, 1)
        world.settle()
        world.relays[own].broken(world.sessions[own, name], lost[0])
        world.settle()
        check_nothing_is_used(world)
        assert [event.reason for event in world.events["a"]] == ["connection_lost"]


def test_a_full_pool_ends_a_transfer() -> None:
    world = ring()
    world.pools["z"].full = True
    world.relays["a"].start(WAYS, 1)
    world.settle()
    check_nothing_is_used(world)
    assert world.events["a"][0].reason == "not_enough_key"


def test_a_source_that_was_restarted_still_hears_the_answer() -> None:
    world = ring()
    world.relays["a"].start(WAYS, 2)
    world.commit()
    world.crash("a")
    assert len(world.relays["a"].pending("z")) == 2
    world.settle()
    assert len(world.pools["a"].ready) == 2


def test_a_target_that_was_restarted_still_has_the_first_share() -> None:
    world = ring()
    world.sessions["n", "o"].key_bytes = 0
    world.relays["a"].start(WAYS, 1)
    world.settle()
    assert world.rows("z")["relay_target_share"] == 1
    world.crash("z")
    world.sessions["n", "o"].key_bytes = 10**6
    world.settle()
    assert len(world.pools["a"].ready) == 1
    assert world.secrets() == 0


def test_a_link_keeps_its_reserve() -> None:
    world = World(CHAIN, RelayPolicy(segment_bytes=256, link_reserve_bytes=1000))
    world.sessions["a", "m"].key_bytes = 1000 + 5 * 288 + 100
    world.sessions["m", "n"].key_bytes = 1000 + 3 * 288
    assert world.relays["a"].start(WAY, 8) == 5
    world.settle()
    assert len(world.pools["a"].ready) == 3
    assert world.rows("m")["relay_node_share"] == 2
    assert world.sessions["m", "n"].key_bytes == 1000


def test_pairs_take_turns_at_a_narrow_link() -> None:
    world = World([*CHAIN, ("b", "m"), ("n", "y")], RelayPolicy(segment_bytes=256, link_reserve_bytes=0))
    world.sessions["m", "n"].key_bytes = 6 * 288
    world.relays["a"].start(WAY, 8)
    world.relays["b"].start((("b", "m", "n", "y"),), 8)
    world.settle()
    assert len(world.pools["a"].ready) == len(world.pools["b"].ready) == 3


# Starting.


def test_a_start_spends_nothing_where_it_cannot_succeed() -> None:
    world = ring()
    world.sessions["a", "n"].key_bytes = 100
    with pytest.raises(NotEnoughKey, match="too little key for a segment to z"):
        world.relays["a"].start(WAYS)
    world.sessions["a", "n"].ready = False
    with pytest.raises(PeerUnavailable, match="n, the first site on the way to z"):
        world.relays["a"].start(WAYS)
    assert world.sessions["a", "m"].key_bytes == 10**9


@pytest.mark.parametrize(
    ("site", "paths"),
    [
        ("z", (("z", "m", "a"),)),
        ("a", (("a", "o", "z"), ("a", "m", "z"))),
        ("a", (("a", "m", "z"),)),
        ("a", (("a", "m"),)),
        ("a", (("a", "m", "z"), ("a", "m", "o", "z"))),
        ("a", (("a", "m", "z"), ("a", "m", "z"))),
        ("a", (("m", "z"),)),
    ],
)
def test_refuses_paths_that_nobody_would_take(site: str, paths: tuple[tuple[str, ...], ...]) -> None:
    with pytest.raises(InputError):
        ring().relays[site].start(paths)


def test_a_single_path_says_nothing_of_manipulation() -> None:
    world = chain()

    def lie(sender: str, receiver: str, message: object, material: bytearray | None) -> list[tuple[object, object]]:
        if isinstance(message, CarrySegment) and receiver == "z":
            return [(message, flip(material))]
        return [(message, material)]

    def flip(material: bytearray | None) -> bytearray:
        assert material is not None
        material[0] ^= 1
        return material

    world.tamper = lie  # type: ignore[assignment]
    world.relays["a"].start(WAY)
    world.settle()
    check_nothing_is_used(world)
    assert world.events["a"][0].reason == world.events["z"][0].reason == "disagrees"


# More paths than before.


def test_more_paths_bring_new_hash_keys_and_end_what_was_begun_over_fewer() -> None:
    world = World(RING, RelayPolicy(segment_bytes=256))
    world.relays["a"].start(WAYS[:1], 2)
    world.settle()
    world.sessions["m", "z"].key_bytes = 0
    world.relays["a"].start(WAYS[:1], 1)
    world.settle()
    world.policies = dict.fromkeys(world.policies, TWO)
    for name in "az":
        world.crash(name)
    assert world.pools["a"].renewed == ["z"]
    assert world.events["a"][-1].reason == "refused"
    world.sessions["m", "z"].key_bytes = 10**6
    world.settle()
    assert len(world.pools["a"].ready) == 2
    assert world.relays["a"].start(WAYS, 1) == 1
    world.settle()
    assert len(world.pools["a"].ready) == 3
    world.crash("a")
    assert world.pools["a"].renewed == ["z"], "once"


def test_a_target_takes_no_segment_over_fewer_paths_than_it_wants() -> None:
    world = World(RING, RelayPolicy(segment_bytes=256))
    world.policies["z"] = TWO
    world.crash("z")
    world.relays["a"].start(WAYS[:1], 1)
    world.settle()
    check_nothing_is_used(world)
    assert world.events["a"][0].reason == "refused"


# Power cuts.


@pytest.mark.parametrize("name", ["a", "m", "n", "z"])
def test_power_may_be_cut_at_any_moment(name: str) -> None:
    """Whatever the site was writing: at the end both ends hold the same segment, or neither may use one."""
    outcomes = set()
    for moment in range(1, 40):
        world = ring()
        world.sessions["n", "o"].key_bytes = 0
        world.commit()
        world.stores[name].lose_power_at(moment)
        world.at("a", lambda world=world: world.relays["a"].start(WAYS, 2))
        world.settle()
        world.sessions["n", "o"].key_bytes = 10**9
        world.settle()
        world.stores[name].lose_power_at(10**6)
        for _ in range(3):
            world.advance(30)
            world.settle()
        ready, offered = world.pools["a"].ready, world.pools["z"].offered
        assert all(offered[segment][1] == content for segment, (_, content, _) in ready.items())
        outcomes.add(len(ready))
        world.advance(3600)
        world.settle()
        assert world.secrets() == 0
    assert 2 in outcomes
