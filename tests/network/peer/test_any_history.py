"""Two ends through any history of losses, breaks, crashes and one restored backup: no byte twice, no unequal key."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from qkdpost.errors import NotEnoughKey, PeerUnavailable, RemoteProtocolError, StoreUnavailable
from qkdpost.network.pool import PoolSettings
from support.key_manager_pair import End, Pair

TIGHT = PoolSettings(window_bytes=256, floor_bytes=32, least_answer_bytes=48, chunk_bytes=32, least_grant_bytes=32)
WHO = st.sampled_from([0, 1])


class History(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.pair = Pair(TIGHT)
        self.numbers = itertools.count(1)
        self.segments = itertools.count(1)
        self.line: dict[str, bytearray] = {"a": bytearray(), "b": bytearray()}
        self.old: list[bytes] = []
        self.backup: Any = None
        self.was_restored: set[str] = set()
        self.connected = False
        self.pair.add(next(self.segments), 704)
        self.connect()
        self.carry_all()

    # What ends do.

    def guarded(self, end: End, work: Any) -> None:
        """Do something at an end whose power may be cut meanwhile; whose line is closed if the other misbehaves."""
        try:
            work()
        except (NotEnoughKey, PeerUnavailable):
            pass
        except RemoteProtocolError:
            self.hang_up()
        except StoreUnavailable:
            end.crash()
            self.hang_up()

    def hang_up(self) -> None:
        self.line = {"a": bytearray(), "b": bytearray()}
        self.connected = False
        for end in self.pair.ends:
            try:
                end.turn(end.session.connection_lost)
            except StoreUnavailable:
                end.crash()

    @rule(who=WHO, count=st.integers(1, 3), length=st.sampled_from([9, 16, 40]))
    def assign(self, who: int, count: int, length: int) -> None:
        end = self.pair.ends[who]
        names = [next(self.numbers).to_bytes(16, "big") for _ in range(count)]
        self.guarded(end, lambda: end.assign(*names, length=length))

    @rule(who=WHO)
    def deadline(self, who: int) -> None:
        end = self.pair.ends[who]
        for key_id in list(end.assigned):
            self.guarded(end, lambda key_id=key_id: end.turn(lambda: end.void_assigned(key_id)))

    @rule(who=WHO, share=st.sampled_from([0.1, 0.5, 1.0]))
    def give(self, who: int, share: float) -> None:
        """Give part of what is left where the other end is, or will be, at work."""
        end = self.pair.ends[who]
        own = end.pool.own
        for number, segment in sorted(end.pool.order.by_number.items()):
            limit, passed = segment.limits[own.number], end.pool.own.passed(segment)
            new = segment.aligned(own.number, limit - int(share * (limit - passed)))
            is_next = number >= max(own.mark.segment, end.pool.peer.mark.segment) and segment.in_use
            if end.session.room_bytes() > 16 and is_next and number not in end.pool.unconfirmed_grants:
                if (passed <= new < limit and number != own.next_ranges(16)[-1].segment) or passed + 16 <= new < limit:
                    self.guarded(end, lambda end=end, number=number, new=new: end.give(number, new))
                return

    @rule(length=st.sampled_from([200, 500, 1200]), who=WHO, both=st.booleans())
    def add_segment(self, length: int, who: int, both: bool) -> None:
        number = next(self.segments)
        identifier, content = number.to_bytes(16, "big"), self.pair.draw.randbytes(length)
        for end in (self.pair.ends[who], self.pair.ends[1 - who])[: 1 + both]:
            self.guarded(end, lambda end=end: end.add(identifier, content))

    @rule(length=st.sampled_from([160, 700]))
    def add_transferred_segment(self, length: int) -> None:
        number = next(self.segments)
        identifier, content = number.to_bytes(16, "big"), self.pair.draw.randbytes(length)
        leader, follower = self.pair.ends
        self.guarded(follower, lambda: follower.add(identifier, content, vouched=True))
        if identifier in follower.pool.order.by_identifier:  # before that the source says to nobody that it may be used
            self.guarded(leader, lambda: leader.add(identifier, content, vouched=True))

    # What the line does.

    @precondition(lambda self: not self.connected)
    @rule()
    def connect(self) -> None:
        self.hang_up()
        self.connected = True
        for end in self.pair.ends:
            self.guarded(end, lambda end=end: end.turn(end.session.connection_made))

    @rule(who=WHO, part=st.sampled_from([0.3, 1.0, 1.0, 1.0]))
    def carry(self, who: int, part: float) -> None:
        end, other = self.pair.ends[who], self.pair.ends[1 - who]
        self.guarded(end, end.turn)
        if not self.connected:
            return
        waiting = self.line[end.name]
        waiting += end.session.data_to_send()
        data = bytes(waiting[: max(1, int(part * len(waiting)))])
        del waiting[: len(data)]
        if data:
            self.old.append(data)
            self.guarded(other, lambda: other.turn(lambda: other.session.receive_data(data)))

    @rule()
    def carry_all(self) -> None:
        for _ in range(6):
            for who in (0, 1):
                self.carry(who, 1.0)

    @rule()
    def cut(self) -> None:
        self.hang_up()

    @rule(who=WHO, length=st.sampled_from([9, 40]), times=st.integers(1, 3))
    def assign_and_lose(self, who: int, length: int, times: int) -> None:
        for _ in range(times):
            self.assign(who, 1, length)
        self.hang_up()

    @rule()
    def connect_again(self) -> None:
        self.hang_up()
        self.connect()
        self.carry_all()

    @precondition(lambda self: self.connected and self.old)
    @rule(who=WHO, data=st.data())
    def repeat_something_old(self, who: int, data: Any) -> None:
        end = self.pair.ends[who]
        old = data.draw(st.sampled_from(self.old[-20:]))
        self.guarded(end, lambda: end.turn(lambda: end.session.receive_data(old)))

    # What hosts do.

    @rule(who=WHO)
    def kill(self, who: int) -> None:
        self.pair.ends[who].crash()
        self.hang_up()

    @rule(who=WHO, moment=st.integers(1, 12))
    def cut_power_soon(self, who: int, moment: int) -> None:
        self.pair.ends[who].store.lose_power_at(moment)

    @precondition(lambda self: self.backup is None)
    @rule(who=WHO)
    def back_up(self, who: int) -> None:
        self.backup = who, self.pair.ends[who].store.snapshot()

    @precondition(lambda self: self.backup is not None and not self.was_restored)
    @rule()
    def restore(self) -> None:
        who, snapshot = self.backup
        self.was_restored.add(self.pair.ends[who].name)
        self.pair.ends[who].crash(snapshot)
        self.connect_again()
        self.assign(who, 1, 40)
        self.assign(who, 1, 9)

    # What always holds.

    @invariant()
    def keys_are_equal(self) -> None:
        for end, other in (self.pair.ends, self.pair.ends[::-1]):
            for key_id, key in end.told.items():
                if key_id in other.held:
                    assert other.held[key_id] == key
                elif not self.was_restored:
                    raise AssertionError("an application has a key that the other end does not hold")

    @invariant()
    def no_byte_has_two_owners(self) -> None:
        for segment in self.pair.a.pool.order.by_identifier.values():
            other = self.pair.b.pool.order.by_identifier.get(segment.identifier)
            if other is not None and segment.in_use and other.in_use and not self.was_restored:
                assert segment.limits[0] + other.limits[1] <= segment.length

    def teardown(self) -> None:
        """From everywhere the two come to rest: nothing waits for ever."""
        for end in self.pair.ends:
            if not end.store.snapshot():
                return
            end.crash()
        self.hang_up()
        for _ in range(3):
            self.pair.connect()
            assert self.pair.a.session.ready and self.pair.b.session.ready
        for end in self.pair.ends:
            assert not end.assigned
            if min(e.pool.own.rest for e in self.pair.ends) > 64 and end.pool.own.window >= 64 + 16:
                assert not end.session.outbox.waiting
        for end, other in (self.pair.ends, self.pair.ends[::-1]):
            assert end.pool.own.mark == other.pool.peer.mark
            assert set(end.pool.order.by_number) == set(other.pool.order.by_number)


def run(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        History,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=examples < 1000,
        ),
    )


def test_no_history_uses_a_byte_twice_or_parts_two_keys() -> None:
    run(30, 40)


@pytest.mark.slow
def test_no_history_of_very_many_does() -> None:
    run(10_000, 50)
