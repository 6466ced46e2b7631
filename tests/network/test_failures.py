"""What becomes of keys when hosts die, disks fail, lines break and old stores are put back."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from qkdpost.errors import KeyNotFound, NotEnoughKey, PeerUnavailable, QkdpostError, StoreUnavailable
from qkdpost.network.events import KeyExpired, PeerDisagrees, StoreFailed, StoreRestored
from qkdpost.network.messages.fields import VoidReason
from qkdpost.network.messages.framed import VoidKeys
from qkdpost.network.policy import DeliveryPolicy, Lifetimes
from qkdpost.network.store.memory import MemoryStore
from support.network import Network, line, pads_used_twice, topology


def ready(*names: str, **settings: Any) -> Network:
    plan = line(*names) if len(names) < 3 else topology(names, [("a", "b"), ("a", "c"), ("b", "c")])
    network = Network(plan, **settings)
    network.stock_links(20_000)
    network.run()
    return network


def check_promises(network: Network, slaves: tuple[str, ...] = ("SAE-B",), fetched: tuple[str, ...] = ()) -> None:
    """A released key is held at each slave's site, with the same bits; no key twice, no pad twice, sums balance."""
    keys = network.released()
    assert len({bytes(key.key) for key in keys}) == len({key.key_id for key in keys}) == len(keys)
    for slave in slaves:
        for key in keys:
            if key.key_id not in fetched:
                assert network.fetch(slave, [key.key_id]) == [bytes(key.key)]
    assert not pads_used_twice(network)
    assert network.balances()


# Processes that die at a named moment.


def request(network: Network) -> None:
    network.ask("SAE-B", number=2)


def commit_a(network: Network) -> None:
    network.managers["a"].commit()


def send_a(network: Network) -> None:
    network.commit("a")


def receive_b(network: Network) -> None:
    assert network.deliver("a", "b")


def send_b(network: Network) -> None:
    network.commit("b")


def receive_a(network: Network) -> None:
    assert network.deliver("b", "a")


def fetch_b(network: Network) -> None:
    keys = network.released()
    network.managers["b"].fetch_keys(
        caller="SAE-B", master="SAE-A", key_ids=[key.key_id for key in keys], now_seconds=network.now_seconds
    )


MOMENTS: dict[str, tuple[Callable[[Network], None], ...]] = {
    "after_mark": (request,),
    "after_commit": (request, commit_a),
    "after_send": (request, send_a),
    "before_ack": (request, send_a, receive_b),
    "after_ack": (request, send_a, receive_b, send_b),
    "before_answer": (request, send_a, receive_b, send_b, receive_a),
    "after_answer": (request, send_a, receive_b, send_b, receive_a, send_a),
    "in_erase": (request, send_a, receive_b, send_b, receive_a, send_a, fetch_b),
}


@pytest.mark.parametrize("dies", ["a", "b"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_process_may_die_at_any_moment(moment: str, dies: str) -> None:
    network = ready("a", "b")
    for step in MOMENTS[moment]:
        step(network)
    network.restart(dies)
    network.run()
    network.wait(3.0)
    ids = [key.key_id for key in network.released()]
    if moment in ("after_answer", "in_erase"):
        assert len(ids) == 2
    check_promises(network, fetched=tuple(ids) if (moment, dies) == ("in_erase", "a") else ())
    ids, keys = network.keys_between("SAE-B", number=2)
    assert network.fetch("SAE-B", ids) == keys, "and afterwards all is well"


def a_day(network: Network, fetched: list[str]) -> None:
    network.ask("SAE-B", "SAE-C", number=2)
    network.run()
    ids = [key.key_id for key in network.released()]
    fetched += ids
    if ids:
        network.fetch("SAE-B", ids)


@pytest.mark.parametrize("loses", ["a", "b", "c"])
def test_power_may_be_cut_at_every_write_of_a_day(loses: str) -> None:
    moment, was_cut = 0, True
    while was_cut:
        moment += 1
        network, fetched = ready("a", "b", "c"), []
        network.stores[loses].lose_power_at(moment)
        with contextlib.suppress(QkdpostError):
            a_day(network, fetched)
        was_cut = bool(network.of(StoreFailed, loses)) or bool(network.managers[loses].events(StoreFailed))
        for name in network.stores:
            network.restart(name)
        network.run()
        network.wait(3.0)
        check_promises(network, ("SAE-C",))
        check_promises(network, ("SAE-B",), tuple(fetched))
    assert moment > 10


# Lines that break.


def test_a_lost_assignment_is_made_again_with_other_keys_and_ids() -> None:
    network = ready("a", "b")
    network.ask("SAE-B")
    network.commit("a")
    network.disconnect("a", "b")
    network.run()
    assert len(network.released()) == 1
    check_promises(network)


def test_a_lost_answer_is_said_again() -> None:
    network = ready("a", "b")
    network.ask("SAE-B")
    for step in (send_a, receive_b, send_b):
        step(network)
    network.disconnect("a", "b")
    network.run()
    assert len(network.released()) == 1
    check_promises(network)


def test_a_site_that_is_down_is_said_at_once_and_nothing_is_spent() -> None:
    network = ready("a", "b")
    network.kill("b")
    before = network.managers["a"].account().pool("b")
    with pytest.raises(PeerUnavailable):
        network.ask("SAE-B")
    assert network.managers["a"].account().pool("b") == before


def test_a_site_that_does_not_answer_is_waited_for_until_the_deadline() -> None:
    network = ready("a", "b")
    network.ask("SAE-B")
    network.commit("a")
    network.wait(1.9, run=False)
    network.commit("a")
    assert not network.refusals()
    network.wait(0.2, run=False)
    network.commit("a")
    assert isinstance(network.refusals()[0], PeerUnavailable)
    network.run()
    assert not network.released()
    assert network.managers["b"].account().waiting_keys == 0


def test_after_the_master_s_site_died_its_unreleased_keys_are_taken_back() -> None:
    network = ready("a", "b")
    network.ask("SAE-B")
    for step in (send_a, receive_b, send_b):
        step(network)
    assert network.managers["b"].account().waiting_keys == 1
    network.restart("a")
    network.run()
    assert network.managers["b"].account().waiting_keys == 0


def test_keys_that_nobody_fetches_expire_at_both_sites() -> None:
    network = ready("a", "b", policy=DeliveryPolicy(lifetimes=Lifetimes(key_seconds=60.0)))
    ids, _ = network.keys_between("SAE-B", number=2)
    network.wait(70)
    (event,) = network.of(KeyExpired, "b")
    assert set(event.key_ids) == set(ids)
    for name in "ab":
        store = network.stores[name]
        for table in ("held", "deliveries", "assignments", "rests_on"):
            assert not store.scan(table, b"", b"\xff" * 40, 10), (name, table)


def test_an_altered_frame_breaks_the_connection_and_no_more() -> None:
    network = ready("a", "b")
    network.ask("SAE-B")
    network.commit("a")
    network.wires["a", "b"][-1] ^= 1
    network.run()
    network.run()
    assert network.of(PeerDisagrees, "b")
    assert len(network.released()) == 1, "it was assigned again"
    check_promises(network)


# Stores that fail.


def test_a_commit_that_fails_is_told_to_all_who_wait_and_the_manager_goes_on() -> None:
    network = ready("a", "b")
    manager = network.managers["a"]
    turn = manager.turn
    ticket = network.ask("SAE-B")
    network.stores["a"].lose_power_at(1)
    network.commit("a")
    assert manager.outcome(turn) == "lost"
    assert isinstance(network.refusals()[0], StoreUnavailable)
    (event,) = network.of(StoreFailed)
    assert event.recovered == "reopened"
    assert ticket.number
    network.run()
    check_promises(network)
    ids, keys = network.keys_between("SAE-B")
    assert network.fetch("SAE-B", ids) == keys


def test_a_commit_that_raised_may_have_happened_and_nothing_is_used_twice() -> None:
    """The disk has it, and nobody was told."""
    network = ready("a", "b")
    network.ask("SAE-B", number=2)
    moment = 1
    while True:  # the last moment of this turn: after the commit is durable
        trial = ready("a", "b")
        trial.ask("SAE-B", number=2)
        trial.stores["a"].lose_power_at(moment)
        trial.commit("a")
        if not trial.of(StoreFailed):
            break
        moment += 1
    network.stores["a"].lose_power_at(moment - 1)
    network.commit("a")
    assert network.of(StoreFailed)
    network.run()
    network.wait(3.0)
    assert not network.released()
    check_promises(network)


def test_a_fetch_whose_turn_is_lost_can_be_asked_again() -> None:
    network = ready("a", "b")
    ids, keys = network.keys_between("SAE-B")
    manager = network.managers["b"]
    turn = manager.turn
    manager.fetch_keys(caller="SAE-B", master="SAE-A", key_ids=ids, now_seconds=network.now_seconds)
    network.stores["b"].lose_power_at(1)
    network.commit("b")
    assert manager.outcome(turn) == "lost"
    assert network.fetch("SAE-B", ids) == keys


def test_a_session_of_before_a_lost_turn_reaches_nothing_any_more() -> None:
    network = ready("a", "b")
    old = network.managers["a"].peer("b")
    network.ask("SAE-A", master="SAE-B")
    network.commit("b")
    data = bytes(network.wires["b", "a"])
    network.ask("SAE-B")
    network.stores["a"].lose_power_at(1)
    with pytest.raises(StoreUnavailable):
        network.managers["a"].commit()
    assert network.managers["a"].peer("b") is not old
    with pytest.raises(StoreUnavailable, match="dropped"):
        old.receive_data(data)
    with pytest.raises(StoreUnavailable, match="dropped"):
        old.queue(VoidKeys((bytes(16),), VoidReason.DEADLINE, 1))
    network.disconnect("a", "b")
    network.run()
    assert network.balances()


class StubbornStore(MemoryStore):
    """A store that cannot be opened again while its disk is away."""

    __slots__ = ("is_away",)

    def __init__(self) -> None:
        super().__init__()
        self.is_away = False

    def reopen(self) -> None:
        if self.is_away:
            raise StoreUnavailable("the disk is away")
        super().reopen()


def test_a_store_that_cannot_record_answers_nothing_until_it_can() -> None:
    network = ready("a", "b", stores={"a": StubbornStore()})
    network.ask("SAE-B")
    network.stores["a"].is_away = True
    network.stores["a"].lose_power_at(1)
    network.commit("a")
    assert network.of(StoreFailed)[0].recovered == "closed"
    with pytest.raises(StoreUnavailable):
        network.ask("SAE-B")
    with pytest.raises(StoreUnavailable):
        network.managers["a"].stock(master="SAE-A", slave="SAE-B")
    network.stores["a"].is_away = False
    network.restart("b")
    network.run()
    ids, keys = network.keys_between("SAE-B")
    assert network.fetch("SAE-B", ids) == keys
    check_promises(network, fetched=tuple(ids))


# A store that was put back.


@pytest.mark.parametrize("restored", ["a", "b"])
@pytest.mark.parametrize("arrives", [True, False])
def test_an_old_store_that_is_put_back_repeats_no_pad(restored: str, arrives: bool) -> None:
    network = ready("a", "b")
    old = network.stores[restored].snapshot()
    network.ask("SAE-B", number=3)
    network.commit("a")
    if arrives:
        network.run()
        network.keys_between("SAE-A", master="SAE-B", number=3)
    else:
        network.wires["a", "b"].clear()
    before = {key.key_id for key in network.released()}
    network.kill(restored)
    network.stores[restored].restore(old)
    network.start(restored)
    network.run()
    network.wait(3.0)
    assert bool(network.of(StoreRestored, restored)) == arrives
    ids, keys = network.keys_between("SAE-B", number=3)
    assert not before & set(ids)
    assert network.fetch("SAE-B", ids) == keys
    assert not pads_used_twice(network)


def test_keys_that_an_old_store_calls_unreleased_are_not_taken_back() -> None:
    network = ready("a", "b")
    network.ask("SAE-B")
    network.commit("a")
    old = network.stores["a"].snapshot()
    network.run()
    ids = [key.key_id for key in network.released()]
    keys = [bytes(key.key) for key in network.released()]
    network.keys_between("SAE-B", number=5)
    network.kill("a")
    network.stores["a"].restore(old)
    network.start("a")
    network.run()
    assert network.of(StoreRestored)
    assert network.fetch("SAE-B", ids) == keys


def test_a_restored_slave_site_answers_that_it_knows_no_such_key() -> None:
    network = ready("a", "b")
    old = network.stores["b"].snapshot()
    ids, _ = network.keys_between("SAE-B")
    network.kill("b")
    network.stores["b"].restore(old)
    network.start("b")
    network.run()
    with pytest.raises(KeyNotFound):
        network.fetch("SAE-B", ids)


# Floods.


def test_who_asks_for_more_than_there_is_spends_nothing() -> None:
    network = ready("a", "b")
    before = network.managers["a"].account().pool("b")
    for _ in range(100):
        with pytest.raises(NotEnoughKey):
            network.ask("SAE-B", number=4000)
    assert network.managers["a"].account().pool("b") == before
