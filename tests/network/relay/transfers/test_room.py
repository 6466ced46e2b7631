"""What records of transfers take, and whose room it is: a neighbour that fills its own leaves that of others alone."""

from __future__ import annotations

import pytest

from qkdpost.network.events import StoreFailed, TransferFailed
from qkdpost.network.messages.fields import MAX_PATH_NAMES, MAX_PATHS, VoidReason
from qkdpost.network.messages.framed import CarrySegment
from qkdpost.network.provenance import Block, Provenance
from qkdpost.network.relay.policy import RelayPolicy
from qkdpost.network.relay.topology import Topology
from qkdpost.network.relay.transfers.room import RECORD_BYTES, Room, record_bytes
from support.network import Network
from support.relaying import World, carried

FORK = [("a", "n"), ("b", "n"), ("n", "z")]
RING = [("a", "m"), ("m", "z"), ("a", "n"), ("n", "z")]
WAYS = (("a", "m", "z"), ("a", "n", "z"))


def waiting_at_n(world: World) -> None:
    """Let nothing go on from the site in the middle."""
    world.sessions["n", "z"].key_bytes = 0


def test_a_neighbour_gets_no_more_than_its_room_at_a_site_on_the_way_and_says_why() -> None:
    world = World(FORK)
    room = world.relays["n"]._node._room = Room(4000)
    waiting_at_n(world)
    world.relays["a"].start((("a", "n", "z"),), 10)
    world.relays["b"].start((("b", "n", "z"),), 2)
    world.settle()
    assert {event.reason for event in world.events["a"]} == {"no_room"}
    kept = 10 - len(world.events["a"])
    assert 1 <= kept < 10
    assert not world.events["b"], "the room of another neighbour is its own"
    assert room.taken_bytes("a") == kept * record_bytes(carried(world, "a")[0]) <= 4000
    world.sessions["n", "z"].key_bytes = 10**6
    world.settle()
    assert (len(world.pools["a"].ready), len(world.pools["b"].ready)) == (kept, 2)
    assert room.taken_bytes("a") == kept * RECORD_BYTES, "what was passed on takes little"
    world.advance(4000.0)
    assert (room.taken_bytes("a"), room.taken_bytes("b")) == (0, 0)


def test_the_room_that_is_taken_is_the_same_after_a_restart() -> None:
    world = World(FORK)
    waiting_at_n(world)
    world.relays["a"].start((("a", "n", "z"),), 5)
    world.settle()
    before = world.relays["n"]._node._room.taken_bytes("a")
    world.commit()
    world.crash("n")
    assert world.relays["n"]._node._room.taken_bytes("a") == before > 0


def test_long_names_and_provenances_count_and_nobody_fills_a_site_with_them() -> None:
    world = World(FORK)
    room = world.relays["n"]._node._room = Room(2**20)
    waiting_at_n(world)
    blocks = tuple(
        Block(link="l" * 160, identifier=bytes([number]) * 16, kind="k" * 64, epsilon=1e-10, accumulated_epsilon=1e-9)
        for number in range(60)
    )
    inner = [f"{number:064}" for number in range((MAX_PATHS - 1) * (MAX_PATH_NAMES - 2))]
    width = MAX_PATH_NAMES - 2
    others = [("a", *inner[place : place + width], "z") for place in range(0, len(inner), width)]
    for number in range(100):
        message = CarrySegment(
            transfer=number.to_bytes(16, "big"),
            source="a",
            target="z",
            paths=(("a", "n", "z"), *others),
            share=0,
            length_bytes=33,
            masked_check=bytes(16),
            expires_seconds=3600,
            provenance=Provenance(blocks=blocks).to_bytes(),
        )
        world.hear("a", "n", message, bytearray(33))
    assert 2**20 - 40_000 < room.taken_bytes("a") <= 2**20
    refused = [message for said, _ in world.sessions["n", "a"].said for message in said]
    assert 20 < len(refused) < 80
    assert {message.reason for message in refused} == {VoidReason.NO_ROOM}


def test_a_target_keeps_shares_within_the_room_of_who_brought_them() -> None:
    world = World(RING, RelayPolicy(segment_bytes=256, disjoint_paths=2))
    room = world.relays["z"]._target._room = Room(4000)
    world.sessions["n", "z"].key_bytes = 0  # so that shares from m wait for those from n
    world.relays["a"].start(WAYS, 10)
    world.settle()
    assert {event.reason for event in world.events["a"]} == {"no_room"}
    kept = 10 - len(world.events["a"])
    assert 1 <= kept < 10
    assert 0 < room.taken_bytes("m") <= 4000
    assert room.taken_bytes("n") == 0
    before = room.taken_bytes("m")
    world.commit()
    world.crash("z")
    assert world.relays["z"]._target._room.taken_bytes("m") == before
    world.sessions["n", "z"].key_bytes = 10**6
    world.settle()
    assert len(world.pools["a"].ready) == kept
    world.advance(4000.0)
    assert world.relays["z"]._target._room.taken_bytes("m") == 0
    assert world.secrets() == 0


LONG = {letter: letter * 64 for letter in "amnokz"}


def network_of_long_names(paths: int, policy: RelayPolicy) -> Network:
    """Return sites with names of the greatest length, joined over disjoint paths."""
    inner = [LONG[letter] for letter in "mno"[:paths]]
    links = [pair for name in inner for pair in ((LONG["a"], name), (name, LONG["z"]))]
    plan = Topology.from_mapping(
        {
            "sites": {name: {} for name in inner} | {LONG[end]: {"applications": [f"SAE-{end}"]} for end in "az"},
            "links": [{"between": list(link), "kind": LONG["k"], "length_km": 10.0} for link in links],
        }
    )
    return Network(plan, relay=policy)


@pytest.mark.parametrize(("segment_bytes", "paths", "keys"), [(256, 3, 100), (1024, 1, 700), (8160, 1, 200)])
def test_no_frame_grows_too_long_by_long_names_and_short_segments(
    segment_bytes: int, paths: int, keys: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each pad is of many segments, each of which has a block to be named, with a link of 160 bytes."""
    monkeypatch.setattr("support.network.KIND", LONG["k"])
    policy = RelayPolicy(segment_bytes=segment_bytes, disjoint_paths=paths, idle_bits=400_000, link_reserve_bytes=0)
    network = network_of_long_names(paths, policy)
    for first, second in [link.between for link in network.plan.links]:
        for _ in range(keys):
            network.stock_link(first, second, 192, link="l" * 160)
    network.run()
    for _ in range(3):
        network.wait(1.0)
    assert not any(network.of(StoreFailed, name) for name in network.managers)
    if segment_bytes < 8160:  # a pad of 8 KiB is of more segments than a provenance may name, and is refused
        assert not network.of(TransferFailed, LONG["a"])
        assert network.managers[LONG["a"]].stock(master="SAE-a", slave="SAE-z").deliverable_bits > 0
