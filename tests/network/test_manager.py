"""Two and three key managers in one process: how a key goes from a link to two applications, and what goes wrong."""

from __future__ import annotations

from typing import Any

import pytest

from qkdpost import Bits, SecretKey
from qkdpost.errors import (
    ConfigurationError,
    InputError,
    KeyNotFound,
    LocalProtocolError,
    NotAuthorised,
    NotEnoughKey,
    PeerUnavailable,
    UnsupportedRequest,
)
from qkdpost.network.events import KeysReleased, PoolLow, SegmentLost, SegmentReady, StoreFailed
from qkdpost.network.manager import KeyManager
from qkdpost.network.policy import AccessPolicy, DeliveryPolicy, KeyRequirements, Lifetimes
from qkdpost.network.relay.policy import RelayPolicy
from qkdpost.network.service import KeyService
from qkdpost.network.store.memory import MemoryStore
from support.network import KIND, Network, line, topology


def pair(**settings: Any) -> Network:
    network = Network(line("a", "b"), **settings)
    network.stock_links(20_000)
    network.run()
    return network


def test_it_offers_what_interfaces_need() -> None:
    service: KeyService = pair().managers["a"]
    assert service.name == "a"


def test_two_applications_get_equal_keys_of_a_link() -> None:
    network = pair()
    ids, keys = network.keys_between("SAE-B", number=3, size_bits=384)
    assert [len(key) for key in keys] == [48, 48, 48]
    assert network.fetch("SAE-B", ids) == keys
    assert network.balances()


def test_the_bits_are_those_of_the_link() -> None:
    network = Network(line("a", "b"))
    link = network.stock_link("a", "b", 5000)
    network.run()
    _, (key,) = network.keys_between("SAE-B")
    assert key in link.to_bytes()


def test_both_masters_take_from_one_pool_without_a_bit_twice() -> None:
    network = pair()
    first = network.ask("SAE-B", number=20)
    second = network.ask("SAE-A", master="SAE-B", number=20)
    network.run()
    keys = [bytes(key.key) for key in (*network.released("a", first), *network.released("b", second))]
    assert len(set(keys)) == 40


def test_nothing_leaves_before_the_commit() -> None:
    network = pair()
    manager = network.managers["a"]
    turn = manager.turn
    network.ask("SAE-B")
    assert manager.peer("b").data_to_send() == b""
    assert manager.outcome(turn) == "open"
    manager.commit()
    assert manager.outcome(turn) == "durable"
    assert manager.peer("b").data_to_send()
    assert not manager.events(KeysReleased)


def test_events_are_taken_once_and_by_class() -> None:
    network = pair()
    ticket = network.ask("SAE-B")
    for _ in range(3):
        for name in "ab":
            network.managers[name].commit()
        for sender, receiver in network.wires:
            network.wires[sender, receiver] += network.managers[sender].peer(receiver).data_to_send()
            network.deliver(sender, receiver)
    network.managers["a"].commit()
    manager = network.managers["a"]
    assert not manager.events(StoreFailed)
    assert [event.ticket for event in manager.events(KeysReleased) if isinstance(event, KeysReleased)] == [ticket]
    assert not manager.events()


def test_stock_says_what_one_may_ask_for() -> None:
    network = pair()
    manager = network.managers["a"]
    stock = manager.stock(master="SAE-A", slave="SAE-B")
    assert (stock.source, stock.target) == ("a", "b")
    count = stock.deliverable_bits // 256
    ids, keys = network.keys_between("SAE-B", number=count - 1)
    assert len(ids) == count - 1
    with pytest.raises(NotEnoughKey):
        network.ask("SAE-B", number=200)
    assert network.fetch("SAE-B", ids) == keys
    assert network.balances()
    network.disconnect("a", "b")
    assert manager.stock(master="SAE-A", slave="SAE-B").deliverable_bits == 0


def test_a_request_larger_than_the_window_is_released_whole() -> None:
    network = Network(line("a", "b"))
    network.stock_links(300_000)
    network.run()
    ids, keys = network.keys_between("SAE-B", number=1000)
    assert len(keys) == len(set(keys)) == 1000
    assert network.fetch("SAE-B", ids) == keys


def test_one_key_for_applications_of_three_sites() -> None:
    network = Network(topology("abc", [("a", "b"), ("a", "c"), ("b", "c")]))
    network.stock_links(20_000)
    network.run()
    ids, keys = network.keys_between("SAE-B", "SAE-C", "SAE-A2", number=2)
    for caller in ("SAE-B", "SAE-C", "SAE-A2"):
        assert network.fetch(caller, ids) == keys
    assert network.balances()
    account = network.managers["a"].account()
    assert account.pool("b").spent["delivery"] == account.pool("c").spent["delivery"] == 512


def test_one_site_away_refuses_all_and_nothing_is_spent() -> None:
    network = Network(topology("abc", [("a", "b"), ("a", "c")]))
    network.stock_links(20_000)
    network.run()
    network.disconnect("a", "c")
    with pytest.raises(PeerUnavailable):
        network.ask("SAE-B", "SAE-C")
    assert "delivery" not in network.managers["a"].account().pool("b").spent


def test_a_key_that_one_end_has_not_is_not_used() -> None:
    network = Network(line("a", "b"))
    network.stock_link("a", "b", 20_000, only="a")
    network.run()
    assert network.managers["a"].stock(master="SAE-A", slave="SAE-B").deliverable_bits == 0
    with pytest.raises(NotEnoughKey):
        network.ask("SAE-B")
    assert network.balances()


def test_copies_that_differ_are_found_before_a_customer_finds_them() -> None:
    network = Network(line("a", "b"))
    for name, peer, byte in (("a", "b", b"\x01"), ("b", "a", b"\x02")):
        key = SecretKey(
            bits=Bits.from_bytes(byte + bytes(range(256)) * 20, 8 * 5121),
            identifier=bytes(16),
            epsilon=1e-10,
            accumulated_epsilon=1e-10,
        )
        network.managers[name].add_key(peer, key, kind=KIND)
    network.run()
    assert not network.of(SegmentReady)
    assert network.of(SegmentLost) or network.of(SegmentLost, "b")


def test_keys_of_other_devices_come_in_with_what_their_vendor_says() -> None:
    network = Network(line("a", "b"))
    for number in (1, 2):
        for name, peer in (("a", "b"), ("b", "a")):
            network.managers[name].add_key(
                peer,
                bytes([number]) * 4000,
                kind="vendor",
                identifier=bytes([number]) * 16,
                epsilon=1e-9,
            )
    network.run()
    ids, keys = network.keys_between("SAE-B", number=80)
    assert network.fetch("SAE-B", ids) == keys
    extension = network.released()[-1].extension
    assert extension["qkdpost_epsilon_is_stated"] is True
    assert extension["qkdpost_kinds"] == ["vendor"]
    assert extension["qkdpost_epsilon"] >= 2e-9
    assert network.managers["a"].account().pool("b").received == {"foreign": 64_000}


@pytest.mark.parametrize(
    "arguments",
    [
        {"key": b"\0" * 4000},
        {"key": b"\0" * 4000, "identifier": bytes(15), "epsilon": 0.1},
        {"key": b"\0" * 4000, "identifier": bytes(16), "epsilon": -0.1},
        {"key": b"\0" * 191, "identifier": bytes(16), "epsilon": 0.1},
        {"key": "00" * 400, "identifier": bytes(16), "epsilon": 0.1},
    ],
)
def test_what_is_no_key_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        pair().managers["a"].add_key("b", kind="vendor", **arguments)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"master": ""}, InputError),
        ({"slaves": ()}, InputError),
        ({"slaves": ("SAE-A",)}, InputError),
        ({"number": 0}, InputError),
        ({"number": True}, InputError),
        ({"size_bits": 68}, UnsupportedRequest),
        ({"size_bits": 56}, InputError),
        ({"size_bits": 0}, InputError),
        ({"now_seconds": float("nan")}, InputError),
        ({"slaves": ("SAE-X",)}, UnsupportedRequest),
        ({"master": "SAE-B", "slaves": ("SAE-A",)}, NotAuthorised),
        ({"slaves": ("SAE-A2",)}, UnsupportedRequest),
        ({"slaves": ("SAE-B2",)}, NotAuthorised),
        ({"requirements": KeyRequirements(route_type="indirect")}, UnsupportedRequest),
        ({"requirements": KeyRequirements(max_epsilon=1e-12)}, UnsupportedRequest),
        ({"number": 4000}, NotEnoughKey),
    ],
)
def test_requests_are_refused_by_one_class_for_each_reason(change: dict[str, Any], error: type[Exception]) -> None:
    network = pair(policy=DeliveryPolicy(access=AccessPolicy(groups=[["SAE-A", "SAE-B", "SAE-X", "SAE-A2"]])))
    good: dict[str, Any] = {"master": "SAE-A", "slaves": ("SAE-B",), "number": 1, "size_bits": 256, "now_seconds": 1e3}
    manager = network.managers["a"]
    before = manager.account().pool("b")
    with pytest.raises(error):
        manager.request_keys(**good | change)
    assert manager.account().pool("b") == before


def test_demands_that_the_stock_meets_are_met() -> None:
    network = pair()
    demands = KeyRequirements(route_type="direct", max_epsilon=1e-9, max_age_seconds=60.0, disjoint_paths=2)
    network.wait(30)
    assert network.keys_between("SAE-B", requirements=demands)[0]
    network.wait(40)
    with pytest.raises(UnsupportedRequest, match="max_age_seconds"):
        network.ask("SAE-B", requirements=demands)


def test_a_request_that_nobody_waits_for_is_void_everywhere() -> None:
    network = pair()
    ticket = network.ask("SAE-B", number=2)
    network.commit("a")
    network.deliver("a", "b")
    network.commit("b")
    assert network.managers["b"].account().waiting_keys == 2
    assert network.managers["a"].abandon(ticket)
    network.run()
    assert not network.released()
    assert isinstance(network.refusals()[0], PeerUnavailable)
    assert network.managers["b"].account().waiting_keys == 0
    assert not network.managers["a"].abandon(ticket)
    with pytest.raises(InputError):
        network.managers["a"].abandon(1)  # type: ignore[arg-type]


def test_a_low_pool_is_said_once() -> None:
    network = pair(policy=DeliveryPolicy(low_water_bits=50_000))
    network.events["a"].clear()
    network.keys_between("SAE-B", number=70)
    network.keys_between("SAE-B", number=70)
    assert len(network.of(PoolLow)) == 1


def test_a_store_of_another_manager_is_refused() -> None:
    network = pair()
    network.commit("a")
    network.managers["a"].close()
    network.stores["a"].reopen()
    with pytest.raises(InputError, match="that of key manager 'a'"):
        KeyManager(name="b", store=network.stores["a"], topology=network.plan)


def test_names_and_settings_that_are_none_are_refused() -> None:
    plan = line("a", "b")
    with pytest.raises(ConfigurationError):
        KeyManager(name="x", store=MemoryStore(), topology=plan)
    with pytest.raises(InputError):
        KeyManager(name="a", store=MemoryStore(), topology=plan, policy=3)  # type: ignore[arg-type]
    with pytest.raises(InputError):
        pair().managers["a"].peer("x")


def test_time_never_goes_back_even_over_a_restart() -> None:
    network = pair(policy=DeliveryPolicy(lifetimes=Lifetimes(key_seconds=100.0)))
    ids, _ = network.keys_between("SAE-B")
    network.wait(200)
    network.commit("b")
    network.now_seconds = 0.0
    network.restart("b")
    with pytest.raises(KeyNotFound):
        network.fetch("SAE-B", ids)


def test_a_closed_manager_does_nothing() -> None:
    network = pair()
    network.managers["a"].close()
    with pytest.raises(LocalProtocolError, match="closed"):
        network.ask("SAE-B")


def test_an_account_reads_well() -> None:
    network = pair()
    network.keys_between("SAE-B", number=4)
    text = str(network.managers["a"].account())
    assert "pool with" in text
    assert "1,024" in text


def test_a_block_found_bad_takes_back_stock_and_keys() -> None:
    network = Network(line("a", "b"))
    key = network.stock_link("a", "b", 20_000)
    network.run()
    ids, _ = network.keys_between("SAE-B", number=2)
    network.fetch("SAE-B", ids[:1])
    assert network.managers["a"].revoke(key.identifier) == 2
    network.managers["b"].revoke(key.identifier)
    network.stock_link("a", "b", 20_000)
    network.run()
    with pytest.raises(KeyNotFound):
        network.fetch("SAE-B", ids[1:])
    assert network.fetch("SAE-B", network.keys_between("SAE-B")[0])
    assert network.balances()


def test_a_key_of_a_pair_pool_rests_on_what_gave_the_pool_its_hash_keys_too() -> None:
    network = Network(line("a", "v", "z"), relay=RelayPolicy(idle_bits=64_000))
    network.stock_links(100_000)
    network.run()
    network.managers["a"].peer("z")
    network.managers["z"].peer("a")
    network.run()
    for _ in range(3):
        network.wait(1.0)
    ready = [event for event in network.of(SegmentReady) if event.peer == "z"]
    first = ready[0].segment
    for _ in range(8):
        network.keys_between("SAE-Z", number=10)
        network.wait(1.0)
    pair = network.managers["a"]._turns._rooms.pairs["z"]  # type: ignore[union-attr]
    assert first not in pair.pool.order.by_identifier or pair.pool.own.mark.segment > 1
    assert any(provenance.has(first) for provenance in pair.stock())
    extension = network.released()[-1].extension
    assert extension["qkdpost_trusted_nodes"] == ["v"]
    assert extension["qkdpost_epsilon"] >= 3e-10
    assert network.balances()


def test_demands_on_a_pool_that_is_still_empty_are_a_matter_of_waiting() -> None:
    network = Network(line("a", "b"))
    network.run()
    for demands in (KeyRequirements(route_type="indirect"), KeyRequirements(max_age_seconds=60.0)):
        with pytest.raises(NotEnoughKey):
            network.ask("SAE-B", requirements=demands)


@pytest.mark.parametrize("now", [1.8e12, 1e300, float("nan"), float("inf"), -1.0])
def test_times_that_are_none_are_refused_and_nothing_is_lost(now: float) -> None:
    network = pair()
    manager = network.managers["a"]
    for use in (
        lambda: manager.advance(now),
        lambda: network.managers["a"].request_keys(master="SAE-A", slaves=("SAE-B",), now_seconds=now),
    ):
        with pytest.raises(InputError):
            use()
    manager.commit()
    assert not network.of(StoreFailed)
    ids, keys = network.keys_between("SAE-B")
    assert network.fetch("SAE-B", ids) == keys
