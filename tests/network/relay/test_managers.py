"""Key managers that relay for each other, with real pools, sessions and stores: to the application's key."""

from __future__ import annotations

from typing import Any

import pytest

from qkdpost.errors import UnsupportedRequest
from qkdpost.network.events import SegmentReady, TransferFailed
from qkdpost.network.policy import KeyRequirements
from qkdpost.network.relay.policy import PairRule, RelayPolicy
from support.network import Network, line, topology

RING = topology("abcdef", [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e"), ("e", "f"), ("a", "f"), ("b", "e")])
"""A ring of six sites with a chord."""
LITTLE = RelayPolicy(idle_bits=128_000)
TWO = RelayPolicy(idle_bits=128_000, pairs=(PairRule(between=("a", "d"), disjoint_paths=2),))
OVER_TWO = KeyRequirements(disjoint_paths=2)


def filled(plan: Any, policy: RelayPolicy, seconds: int = 3) -> Network:
    network = Network(plan, relay=policy)
    network.stock_links(100_000)
    network.run()
    pass_time(network, seconds)
    return network


def pass_time(network: Network, seconds: int) -> None:
    for _ in range(seconds):
        network.wait(1.0)


def stock_bits(network: Network, first: str = "a", second: str = "z") -> int:
    master, slave = f"SAE-{first.upper()}", f"SAE-{second.upper()}"
    return network.managers[first].stock(master=master, slave=slave).deliverable_bits


def segments(network: Network, name: str, peer: str) -> list[SegmentReady]:
    return [event for event in network.of(SegmentReady, name) if event.peer == peer]


def stored_bits(network: Network, name: str, peer: str) -> int:
    return sum(pool.stored_bits for pool in network.managers[name].account().pools if pool.peer == peer)


def test_three_managers_end_with_equal_pools_and_keys_over_the_middle_one() -> None:
    network = filled(line("a", "v", "z"), LITTLE)
    ready = [{(event.segment, event.provenance) for event in segments(network, *ends)} for ends in ("az", "za")]
    assert len(ready[0]) >= 4
    assert ready[0] == ready[1], "of the same segments both ends say the same"
    assert {len(provenance.all_checks) for _, provenance in ready[0]} == {2}, "those of either link"
    for master, slave in (("SAE-A", "SAE-Z"), ("SAE-Z", "SAE-A")):
        ids, keys = network.keys_between(slave, master=master, number=5)
        assert len(set(keys)) == 5
        assert network.fetch(slave, ids, master=master) == keys
    assert network.balances()


def test_what_is_told_of_a_key_names_the_sites_that_saw_it() -> None:
    network = filled(line("a", "v", "z"), LITTLE)
    network.keys_between("SAE-Z")
    (key,) = network.released("a")
    assert list(key.extension["qkdpost_trusted_nodes"]) == ["v"]
    (other,) = network.managers["z"].fetch_keys(
        caller="SAE-Z", master="SAE-A", key_ids=[key.key_id], now_seconds=network.now_seconds
    )
    assert other.extension == key.extension
    assert key.extension["qkdpost_epsilon"] >= 2e-10, "a block of each hop"


def test_a_pool_that_is_used_is_filled_again() -> None:
    network = filled(line("a", "v", "z"), LITTLE)
    before = stock_bits(network)
    for _ in range(4):
        network.keys_between("SAE-Z", number=8)
    assert stock_bits(network) < before - 8 * 4 * 256
    pass_time(network, 3)
    assert stock_bits(network) > before / 2
    assert network.balances()


@pytest.mark.parametrize(("master", "slave"), [("SAE-A", "SAE-Z"), ("SAE-Z", "SAE-A")])
def test_one_end_alone_may_use_a_pool(master: str, slave: str) -> None:
    """What the other end does not need is given to it: little more is carried than is used."""
    network = filled(line("a", "v", "z"), LITTLE)
    network.stock_links(100_000)
    for _ in range(60):
        ids, keys = network.keys_between(slave, master=master, number=8, size_bits=1024)
        assert network.fetch(slave, ids, master=master) == keys
        pass_time(network, 1)
    (pool,) = [pool for pool in network.managers["a"].account().pools if pool.peer == "z"]
    assert pool.spent["delivery"] == 60 * 8 * 1024
    assert pool.stored_bits + pool.spent["delivery"] < 1.7 * 60 * 8 * 1024
    assert network.balances()


def test_disjoint_paths_in_a_ring() -> None:
    network = filled(RING, TWO)
    for event in segments(network, "a", "d"):
        assert event.provenance.disjoint_paths == 2
        assert len(event.provenance.trusted_nodes) == 4
    ids, keys = network.keys_between("SAE-D", number=3, requirements=OVER_TWO)
    assert network.fetch("SAE-D", ids) == keys
    assert not network.of(TransferFailed, "a")
    assert network.balances()


def test_more_paths_from_some_day_on() -> None:
    network = filled(RING, LITTLE)
    assert {event.provenance.disjoint_paths for event in segments(network, "a", "d")} == {1}
    with pytest.raises(UnsupportedRequest):
        network.ask("SAE-D", requirements=OVER_TWO)
    network.settings["relay"] = TWO
    for name in "ad":
        network.restart(name)
    network.run()
    pass_time(network, 4)
    # No key of the pool may rest on a single path now: what came over one is given up, hash keys and all.
    ids, keys = network.keys_between("SAE-D", number=3, requirements=OVER_TWO)
    assert network.fetch("SAE-D", ids) == keys
    assert network.balances()


def test_a_middle_that_is_killed_and_started_again() -> None:
    network = filled(line("a", "v", "z"), LITTLE)
    for round_number in range(6):
        network.keys_between("SAE-Z", number=10, size_bits=1024)
        network.managers["a"].advance(network.now_seconds + 1)
        for _ in range(round_number):
            network.step()
        network.restart("v")
        network.run()
        pass_time(network, 12)
    ids, keys = network.keys_between("SAE-Z", number=5)
    assert network.fetch("SAE-Z", ids) == keys
    assert network.balances()
    network.connect("a", "z")
    network.run()
    assert stored_bits(network, "a", "z") == stored_bits(network, "z", "a")


def test_a_segment_that_its_source_gave_up_is_erased_at_the_target() -> None:
    """The target's answer is lost with the site in the middle, and the source's deadline passes."""
    network = Network(line("a", "v", "z"), relay=LITTLE)
    network.stock_links(50_000)
    network.run()
    network.managers["a"].advance(network.now_seconds)
    for _ in range(40):
        network.step()
        if stored_bits(network, "z", "a"):
            break
    network.kill("v")
    network.wait(60.0, run=False)
    network.commit("a")
    assert {event.reason for event in network.of(TransferFailed, "a")} <= {"deadline", "connection_lost"}
    assert stored_bits(network, "z", "a") > 0 == stored_bits(network, "a", "z")
    network.connect("a", "z")
    network.run()
    assert stored_bits(network, "z", "a") == 0
    assert network.balances()


def test_two_policies_that_disagree_carry_nothing() -> None:
    network = Network(RING, relay=LITTLE)
    network.settings["relay"] = TWO
    network.restart("d")
    network.stock_links(50_000)
    network.run()
    pass_time(network, 2)
    assert not segments(network, "a", "d")
    assert not segments(network, "d", "a")
    assert {event.reason for event in network.of(TransferFailed, "a") if event.peer == "d"} == {"refused"}
