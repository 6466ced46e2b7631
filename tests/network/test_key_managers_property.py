"""Key managers on a network that loses, cuts and repeats connections, with hosts that are killed and lose power.

After any history: a key that was released to its master is at the site of each of its slaves, and has the same bits; no
two keys are equal; no pad was used for two frames; the accounts balance.
"""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qkdpost.errors import KeyNotFound, QkdpostError
from qkdpost.network.policy import DeliveryPolicy, Lifetimes
from qkdpost.network.pool.settings import PoolSettings
from support.network import Network, line, pads_used_twice, topology

POLICY = DeliveryPolicy(lifetimes=Lifetimes(answer_seconds=2.0, key_seconds=1e6))
SMALL = PoolSettings(window_bytes=1024, floor_bytes=128, least_answer_bytes=64, chunk_bytes=64, least_grant_bytes=256)

NAMES = st.sampled_from("abc")
MOVES = st.one_of(
    st.tuples(st.just("ask"), NAMES, st.sets(NAMES, min_size=1, max_size=2), st.integers(1, 6)),
    st.tuples(st.just("ask"), NAMES, st.sets(NAMES, min_size=1, max_size=2), st.integers(1, 6)),
    st.tuples(st.just("steps"), st.integers(1, 6)),
    st.tuples(st.just("steps"), st.integers(4, 6)),
    st.tuples(st.just("steps"), st.integers(4, 6)),
    st.tuples(st.just("connect")),
    st.tuples(st.just("commit"), NAMES),
    st.tuples(st.just("deliver"), NAMES, NAMES, st.one_of(st.none(), st.integers(1, 200))),
    st.tuples(st.just("break"), NAMES, NAMES),
    st.tuples(st.just("connect")),
    st.tuples(st.just("kill"), NAMES),
    st.tuples(st.just("power"), NAMES, st.integers(1, 40)),
    st.tuples(st.just("wait"), st.sampled_from([0.5, 2.5])),
    st.tuples(st.just("fetch"), NAMES),
    st.tuples(st.just("fetch"), NAMES),
    st.tuples(st.just("stock")),
)


class World:
    """A network, and what its applications have."""

    def __init__(self, names: str) -> None:
        links = [("a", "b"), ("a", "c"), ("b", "c")] if "c" in names else [("a", "b")]
        plan = topology(names, links) if "c" in names else line(*names)
        self.network = Network(plan, policy=POLICY, pools=SMALL)
        self.names = names
        self.fetched: dict[tuple[str, str], bytes] = {}
        """By key ID and application, as far as the answer was durable."""
        self.asked: set[tuple[str, str]] = set()
        self.network.stock_links(3000)
        self.network.run()

    def released(self) -> dict[str, tuple[str, tuple[str, ...], bytes]]:
        return {
            key.key_id: (event.ticket.master, event.ticket.slaves, bytes(key.key))
            for name in self.names
            for event in self.network.events[name]
            if type(event).__name__ == "KeysReleased"
            for key in event.keys
        }

    def move(self, kind: str, *details: Any) -> None:
        known = [detail for detail in details if isinstance(detail, str) and detail in "abc"]
        if set(known) <= set(self.names):
            with contextlib.suppress(QkdpostError):
                getattr(self, f"do_{kind}")(*details)

    def do_ask(self, master: str, slaves: set[str], number: int) -> None:
        names = [f"SAE-{name.upper()}" for name in sorted(slaves - {master}) if name in self.names]
        if names:
            self.network.ask(*names, master=f"SAE-{master.upper()}", number=number)

    def do_steps(self, count: int) -> None:
        for _ in range(count):
            self.network.step()

    def do_commit(self, name: str) -> None:
        self.network.commit(name)

    def do_deliver(self, sender: str, receiver: str, count: int | None) -> None:
        self.network.deliver(sender, receiver, count)

    def do_break(self, first: str, second: str) -> None:
        self.network.disconnect(first, second)

    def do_connect(self) -> None:
        self.network.connect_all()

    def do_kill(self, name: str) -> None:
        self.network.restart(name)

    def do_power(self, name: str, moment: int) -> None:
        self.network.stores[name].lose_power_at(moment)

    def do_wait(self, seconds: float) -> None:
        self.network.wait(seconds, run=False)

    def do_stock(self) -> None:
        for link in self.network.plan.links:
            self.network.stock_link(*link.between, 1000)

    def do_fetch(self, name: str) -> None:
        slave = f"SAE-{name.upper()}"
        for key_id, (master, slaves, _) in self.released().items():
            if slave in slaves and (key_id, slave) not in self.asked:
                self.asked.add((key_id, slave))
                (self.fetched[key_id, slave],) = self.network.fetch(slave, [key_id], master)
                return

    def heal(self) -> None:
        for name in self.names:
            self.network.restart(name)
        self.network.run()
        self.network.wait(3.0)
        self.network.run()

    def check(self) -> None:
        released = self.released()
        assert len({value for _, _, value in released.values()}) == len(released)
        assert not pads_used_twice(self.network)
        assert self.network.balances()
        for key_id, (master, slaves, value) in released.items():
            for slave in slaves:
                self.check_copy(key_id, master, slave, value)

    def check_copy(self, key_id: str, master: str, slave: str, value: bytes) -> None:
        found = self.fetched.get((key_id, slave))
        try:
            (copy,) = self.network.fetch(slave, [key_id], master)
        except KeyNotFound:
            # Fetched before, or in a turn that nobody knows of; never merely missing.
            assert (key_id, slave) in self.asked
        else:
            assert found is None, "a key was given to one application twice"
            found = copy
        assert found in (None, value)


def live(names: str, moves: list[tuple[Any, ...]]) -> None:
    world = World(names)
    for move in moves:
        world.move(*move)
    world.heal()
    world.check()


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(["ab", "abc"]), st.lists(MOVES, min_size=10, max_size=40))
def test_a_sample_of_histories(names: str, moves: list[tuple[Any, ...]]) -> None:
    live(names, moves)


def test_a_key_whose_turn_was_lost_may_be_fetched_again() -> None:
    for moment in range(1, 40, 3):
        live("ab", [("ask", "a", {"b"}, 1), ("steps", 3), ("power", "b", moment), ("stock",), ("fetch", "b")])


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(["ab", "abc"]), st.lists(MOVES, min_size=10, max_size=60))
def test_many_histories(names: str, moves: list[tuple[Any, ...]]) -> None:
    live(names, moves)
