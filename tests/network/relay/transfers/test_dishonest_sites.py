"""What a site on one of two paths, or beside them, may try: all of it ends in a refusal, and nothing of it is used.

Shares are drawn anew each time: one change of one transfer passes by chance with (d + 1) / 2^128, here below 2^-120.
"""

from __future__ import annotations

import os
import random
from typing import Any

import msgspec
import pytest

from qkdpost.network.messages.fields import VoidReason
from qkdpost.network.messages.framed import CarryDone, CarrySegment, CarryVoid
from qkdpost.network.relay.manipulation import combine_shares, masked_check
from qkdpost.network.relay.policy import RelayPolicy
from qkdpost.network.relay.transfers.header import MAX_LIFETIME_SECONDS, own_place, wrong_header, wrong_paths
from support.relaying import World, carried

# m is the only site on one path, n and o are on the other, x is a neighbour of m, o and z on neither.
LINKS = [("a", "m"), ("m", "z"), ("a", "n"), ("n", "o"), ("o", "z"), ("m", "x"), ("o", "x"), ("x", "z")]
WAYS = (("a", "m", "z"), ("a", "n", "o", "z"))
TWO = RelayPolicy(segment_bytes=256, disjoint_paths=2)
LENGTH = 288

Arriving = list[tuple[Any, bytearray | None]]


def world_of_two() -> World:
    return World(LINKS, TWO)


def replaced(message: CarrySegment, **fields: Any) -> CarrySegment:
    return msgspec.structs.replace(message, **fields)


def check_nothing_is_used(world: World) -> None:
    assert not world.pools["a"].ready
    assert not world.pools["z"].offered
    assert not world.pools["z"].ready
    assert world.secrets() == 0


def share_message(**fields: Any) -> CarrySegment:
    message = CarrySegment(
        transfer=bytes(16),
        source="a",
        target="z",
        paths=WAYS,
        share=0,
        length_bytes=LENGTH,
        masked_check=bytes(16),
        expires_seconds=60,
        provenance=b"\x93\x90\x90\x90",
        ciphertext=bytes(LENGTH),
    )
    return replaced(message, **fields)


def forged_shares(paths: tuple[tuple[str, ...], ...]) -> list[CarrySegment]:
    """Shares of a segment that its forger knows, with the right check."""
    shares = [os.urandom(LENGTH) for _ in paths]
    check = masked_check(combine_shares(shares))
    pads = bytes(LENGTH)
    assert len(pads) == LENGTH
    return [
        share_message(paths=paths, share=place, masked_check=check, ciphertext=share)
        for place, share in enumerate(shares)
    ]


INJECTIONS = {
    "over its neighbours, in the name of the source": [(WAYS, "m", 0), (WAYS, "o", 1)],
    "straight to the target": [(WAYS, "z", 0), (WAYS, "z", 1)],
    "with itself in one path": [((("a", "x", "m", "z"), WAYS[1]), "m", 0), ((("a", "x", "m", "z"), WAYS[1]), "o", 1)],
    "with itself in both paths": [
        ((("a", "x", "m", "z"), ("a", "x", "o", "z")), "m", 0),
        ((("a", "x", "m", "z"), ("a", "x", "o", "z")), "o", 1),
    ],
    "with itself as the last of both": [((("a", "x", "z"), ("a", "n", "x", "z")), "z", 0)] * 2,
    "as one of one": [((("a", "x", "z"),), "z", 0)],
    "over a neighbour as one of one": [((("a", "x", "m", "z"),), "m", 0)],
    "with the same path twice": [((("a", "x", "z"), ("a", "x", "z")), "z", 0), ((("a", "x", "z"),) * 2, "z", 1)],
}


@pytest.mark.parametrize("attack", INJECTIONS)
def test_a_site_cannot_inject_a_segment_in_the_name_of_another(attack: str) -> None:
    world = world_of_two()
    for paths, neighbour, share in INJECTIONS[attack]:
        message = forged_shares(paths)[share]
        world.hear("x", neighbour, message, bytearray(LENGTH))
        world.settle()
    assert not world.pools["z"].offered
    world.advance(MAX_LIFETIME_SECONDS)
    world.settle()
    check_nothing_is_used(world)
    voids = [message for _, receiver, message in world.heard if isinstance(message, CarryVoid) and receiver == "x"]
    assert voids, "an honest refusal"


def test_the_same_segment_would_arrive_if_the_source_sent_it() -> None:
    """The forgeries above fail by the rules about paths, not by some slip of their own."""
    world = world_of_two()
    messages = forged_shares(WAYS)
    world.hear("a", "m", replaced(messages[0], ciphertext=None), bytearray(messages[0].ciphertext or b""))
    world.hear("a", "n", replaced(messages[1], ciphertext=None), bytearray(messages[1].ciphertext or b""))
    world.settle()
    assert len(world.pools["z"].offered) == 1


REWRITES: dict[str, Any] = {
    "k": lambda message: replaced(message, paths=(message.paths[0],)),
    "share index": lambda message: replaced(message, share=1),
    "own path": lambda message: replaced(message, paths=(("a", "x", "m", "z"), message.paths[1])),
    "the other path": lambda message: replaced(message, paths=(message.paths[0], ("a", "x", "z"))),
    "a third path": lambda message: replaced(message, paths=(*message.paths, ("a", "x", "z"))),
    "itself in the other path": lambda message: replaced(message, paths=(message.paths[0], ("a", "n", "m", "z"))),
    "order of paths": lambda message: replaced(message, paths=message.paths[::-1]),
    "transfer": lambda message: replaced(message, transfer=os.urandom(16)),
    "source": lambda message: replaced(message, source="m", paths=(("m", "z"), message.paths[1])),
    "target": lambda message: replaced(message, target="x"),
    "check": lambda message: replaced(message, masked_check=os.urandom(16)),
    "time": lambda message: replaced(message, expires_seconds=message.expires_seconds + 1),
    "no time": lambda message: replaced(message, expires_seconds=0),
    "for ever": lambda message: replaced(message, expires_seconds=MAX_LIFETIME_SECONDS + 1),
    "provenance": lambda message: replaced(message, provenance=b"\xff"),
    "first hop": lambda message: replaced(message, ciphertext=None),
}


@pytest.mark.parametrize("rewrite", REWRITES)
def test_no_field_can_be_rewritten_on_the_way(rewrite: str) -> None:
    world = world_of_two()

    def tamper(sender: str, receiver: str, message: Any, material: bytearray | None) -> Arriving:
        if isinstance(message, CarrySegment) and (sender, receiver) == ("m", "z"):
            return [(REWRITES[rewrite](message), material)]
        return [(message, material)]

    world.tamper = tamper
    world.relays["a"].start(WAYS)
    world.settle()
    world.advance(20)
    world.settle()
    world.advance(MAX_LIFETIME_SECONDS)
    world.settle()
    check_nothing_is_used(world)
    assert world.events["a"]


def test_a_changed_length_is_found() -> None:
    world = world_of_two()

    def tamper(sender: str, receiver: str, message: Any, material: bytearray | None) -> Arriving:
        if isinstance(message, CarrySegment) and (sender, receiver) == ("m", "z") and material is not None:
            longer = replaced(message, length_bytes=LENGTH + 16, ciphertext=(message.ciphertext or b"") + bytes(16))
            return [(longer, material + bytes(16))]
        return [(message, material)]

    world.tamper = tamper
    world.relays["a"].start(WAYS)
    world.settle()
    check_nothing_is_used(world)


def flipping(bit: int) -> World:
    world = world_of_two()

    def tamper(sender: str, receiver: str, message: Any, material: bytearray | None) -> Arriving:
        if isinstance(message, CarrySegment) and (sender, receiver) == ("m", "z") and material is not None:
            material[bit // 8] ^= 1 << bit % 8
        return [(message, material)]

    world.tamper = tamper
    world.relays["a"].start(WAYS)
    world.settle()
    return world


@pytest.mark.parametrize("bit", [0, 7, 1000, 8 * 256 - 1, 8 * 256, 8 * 272, 8 * LENGTH - 1])
def test_a_flipped_bit_is_called_manipulation_with_the_paths_named(bit: int) -> None:
    world = flipping(bit)
    check_nothing_is_used(world)
    for name in ("a", "z"):
        (event,) = world.events[name]
        assert (event.reason, event.paths) == ("manipulated", WAYS)


@pytest.mark.slow
def test_every_flipped_bit_is_found() -> None:
    for bit in range(8 * LENGTH):
        check_nothing_is_used(flipping(bit))


@pytest.mark.parametrize("receiver", ["m", "z"])
def test_a_second_message_for_a_share_ends_the_transfer_for_good(receiver: str) -> None:
    world = world_of_two()

    def tamper(sender: str, to: str, message: Any, material: bytearray | None) -> Arriving:
        if isinstance(message, CarrySegment) and to == receiver and message.share == 0:
            return [(message, bytearray(material or b"")), (message, material)]
        return [(message, material)]

    world.tamper = tamper
    world.relays["a"].start(WAYS)
    world.settle()
    world.tamper = None
    check_nothing_is_used(world)
    last = [message for message in carried(world, "m" if receiver == "z" else "a") if message.share == 0][-1:]
    for message in last:
        world.hear("m" if receiver == "z" else "a", receiver, message, bytearray(LENGTH))
    world.settle()
    check_nothing_is_used(world)
    assert world.events["a"]


def test_a_second_share_after_the_segment_arrived_takes_it_back() -> None:
    world = world_of_two()
    world.relays["a"].start(WAYS)
    kept: list[Any] = []

    def tamper(sender: str, to: str, message: Any, material: bytearray | None) -> Arriving:
        if isinstance(message, CarryDone) and to == "a":
            return []  # the source does not use it yet
        kept.extend([message] if isinstance(message, CarrySegment) and sender == "m" else [])
        return [(message, material)]

    world.tamper = tamper
    world.settle()
    assert world.pools["z"].offered
    world.hear("m", "z", kept[0], bytearray(LENGTH))
    assert not world.pools["z"].offered


# Answers.


def test_the_source_waits_for_the_answer_of_every_path() -> None:
    """The dishonest path answers at once, without having delivered."""
    world = world_of_two()

    def tamper(sender: str, receiver: str, message: Any, material: bytearray | None) -> Arriving:
        if isinstance(message, CarrySegment) and receiver == "m":
            world.hear("m", "a", CarryDone(message.transfer, 0, message.masked_check, b"\x93\x90\x90\x90"), None)
            world.hear("m", "a", CarryDone(message.transfer, 0, message.masked_check, b"\x93\x90\x90\x90"), None)
            world.hear("m", "a", CarryDone(message.transfer, 1, message.masked_check, b"\x93\x90\x90\x90"), None)
            return []
        return [(message, material)]

    world.tamper = tamper
    world.relays["a"].start(WAYS)
    world.settle()
    assert not world.pools["a"].ready
    world.advance(20)
    world.settle()
    world.advance(MAX_LIFETIME_SECONDS)
    world.settle()
    check_nothing_is_used(world)


def test_an_answer_with_another_check_ends_the_transfer() -> None:
    world = world_of_two()

    def tamper(sender: str, receiver: str, message: Any, material: bytearray | None) -> Arriving:
        if isinstance(message, CarryDone) and (sender, receiver) == ("m", "a"):
            return [(msgspec.structs.replace(message, check=os.urandom(16)), None)]
        return [(message, material)]

    world.tamper = tamper
    world.relays["a"].start(WAYS)
    world.settle()
    check_nothing_is_used(world)
    assert world.events["a"][0].reason == "disagrees"


def test_sites_beside_the_paths_end_and_finish_nothing() -> None:
    world = world_of_two()
    world.sessions["m", "z"].key_bytes = 0
    world.relays["a"].start(WAYS)
    world.settle()
    transfer = world.relays["a"].pending("z")[0]
    for receiver in ("m", "o", "z"):
        for share in (0, 1, 7):
            world.hear("x", receiver, CarryVoid(transfer, share, VoidReason.DEADLINE), None)
            world.hear("x", receiver, CarryDone(transfer, share, bytes(16)), None)
    world.sessions["m", "z"].key_bytes = 10**6
    world.settle()
    assert len(world.pools["a"].ready) == 1


def test_messages_of_unknown_transfers_change_nothing() -> None:
    world = world_of_two()
    for receiver, sender in (("a", "m"), ("m", "a"), ("z", "o")):
        world.hear(sender, receiver, CarryVoid(bytes(16), 0, VoidReason.DEADLINE), None)
        world.hear(sender, receiver, CarryDone(bytes(16), 0, bytes(16)), None)
    world.settle()
    assert not any(count for name in world.stores for count in world.rows(name).values())


def test_random_rewriting_by_one_site_is_never_used() -> None:
    """Whatever m does to one field, or to two, no segment arrives."""
    generator = random.Random(12)
    names = ["a", "m", "n", "o", "x", "z", "q"]

    def mangled(message: CarrySegment) -> CarrySegment:
        path = tuple(generator.choices(names, k=generator.randint(2, 5)))
        changes: dict[str, Any] = {
            "transfer": os.urandom(16),
            "source": generator.choice(names),
            "target": generator.choice(names),
            "paths": generator.choice([(path,), (path, message.paths[1]), (message.paths[0], path), (path, path)]),
            "share": generator.randint(0, 2),
            "expires_seconds": generator.randint(0, 9999),
            "masked_check": os.urandom(16),
            "ciphertext": generator.choice([None, os.urandom(LENGTH)]),
            "provenance": os.urandom(generator.randint(0, 9)),
        }
        chosen = generator.sample(sorted(changes), generator.randint(1, 2))
        return replaced(message, **{name: changes[name] for name in chosen})

    for _ in range(150):
        world = world_of_two()

        def tamper(sender: str, receiver: str, message: Any, material: bytearray | None) -> Arriving:
            if isinstance(message, CarrySegment) and sender == "m":
                changed = mangled(message)
                while changed == message:
                    changed = mangled(message)
                return [(changed, material)]
            return [(message, material)]

        world.tamper = tamper
        world.relays["a"].start(WAYS)
        world.settle()
        assert world.pools["a"].ready == {}
        assert world.pools["z"].offered == {}


# The rules by themselves.


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        ((("a", "m", "z"), ("a", "n", "z")), ""),
        ((("a", "z"),), ""),
        ((("b", "m", "z"),), "does not lead"),
        ((("a", "m", "y"),), "does not lead"),
        ((("a", "m", "a", "z"),), "twice"),
        ((("a", "m", "m", "z"),), "twice"),
        ((("a", "m", "z"), ("a", "n", "m", "z")), "twice"),
        ((("a", "z"), ("a", "z")), "twice"),
        ((("a", " m", "z"),), "a name of a site is none"),
        ((("a", *(f"v{place}" for place in range(32)), "z"),), ""),
        ((("a", *(f"v{place}" for place in range(33)), "z"),), "more than 34 names"),
    ],
)
def test_rules_about_paths(paths: tuple[tuple[str, ...], ...], message: str) -> None:
    found = wrong_paths("a", "z", paths)
    assert (message in found) if message else not found


def test_the_source_is_the_site_whose_name_comes_first() -> None:
    assert "comes first" in wrong_paths("z", "a", (("z", "m", "a"),))
    assert "comes first" in wrong_paths("a", "a", (("a", "a"),))


@pytest.mark.parametrize(
    "fields",
    [{"share": 2}, {"length_bytes": 32}, {"expires_seconds": 0}, {"expires_seconds": MAX_LIFETIME_SECONDS + 1}],
)
def test_rules_about_other_fields(fields: dict[str, Any]) -> None:
    assert not wrong_header(share_message())
    assert wrong_header(share_message(**fields))


def test_a_site_takes_a_share_from_the_site_before_it_alone() -> None:
    message = share_message(share=1)
    assert own_place(message, "o", "n") == 2
    assert own_place(message, "o", "a") is None
    assert own_place(message, "m", "a") is None
    assert own_place(message, "a", "z") is None
    assert own_place(message, "n", "a") is None, "the first hop has no ciphertext"
    assert own_place(replaced(message, ciphertext=None), "n", "a") == 1
    assert own_place(replaced(message, ciphertext=None), "o", "n") is None


def test_an_answer_that_is_given_again_and_again_goes_back_once() -> None:
    world = World([("a", "m"), ("m", "z")])
    world.relays["a"].start((("a", "m", "z"),))
    world.settle()
    (done,) = {message for _, _, message in world.heard if isinstance(message, CarryDone)}
    before = len(world.heard)
    for _ in range(10):
        world.hear("z", "m", done, None)
    world.settle()
    assert len(world.heard) == before + 10, "the source hears nothing more of it"
