"""What a host that runs by itself is told: that the line is gone and why, and that its pool runs low."""

from __future__ import annotations

import threading

import pytest

import qkdpost as qp
from qkdpost.dialogue.messages import Alive
from qkdpost.errors import InputError, LocalProtocolError, RemoteProtocolError
from qkdpost.keys import KeyPool
from qkdpost.session.codec import encode
from qkdpost.session.events import (
    BlockAborted,
    ConnectionClosed,
    ConnectionLost,
    Event,
    HandshakeCompleted,
    KeyPoolLow,
    LossReason,
)
from qkdpost.session.session import Session
from qkdpost.session.states import ConnectionState
from support.link import PRESHARED, Pair, bb84_records, small_link

ALIVE = encode(Alive())


def losses(events: list[Event]) -> list[str]:
    return [event.reason for event in events if isinstance(event, ConnectionLost)]


def levels(events: list[Event]) -> list[KeyPoolLow]:
    return [event for event in events if isinstance(event, KeyPoolLow)]


# The line.


@pytest.mark.parametrize("reason", ["peer-closed", "timed-out", "closed-here"])
def test_a_line_that_is_lost_while_idle_is_told(reason: LossReason) -> None:
    pair = Pair(small_link())
    pair.run()
    alice = pair.sessions["alice"]
    alice.connection_lost(reason)
    alice.connection_lost(reason)
    pair.collect()
    assert [type(event) for event in pair.events["alice"]] == [HandshakeCompleted, ConnectionLost]
    assert losses(pair.events["alice"]) == [reason]


def test_a_line_that_is_lost_is_told_after_the_blocks_that_died() -> None:
    pair = Pair(small_link())
    pair.submit(*bb84_records())
    pair.sessions["bob"].finish()
    for _ in range(4):
        pair.step("alice", "bob")
        pair.step("bob", "alice")
    pair.sessions["bob"].connection_lost()
    pair.collect()
    assert [type(event) for event in pair.events["bob"][-2:]] == [BlockAborted, ConnectionLost]


def test_a_wrong_word_of_the_peer_is_told_with_what_it_was() -> None:
    alice = Session(role="alice", link=small_link(), auth_key=KeyPool(PRESHARED))
    with pytest.raises(RemoteProtocolError) as raised:
        alice.receive_data(bytes(100))
    (event,) = alice.events()
    assert event == ConnectionLost(reason="protocol-error", detail=str(raised.value))


def test_a_wrong_tag_is_told() -> None:
    pair = Pair(small_link())
    pair.sessions["alice"] = Session(
        role="alice", link=small_link(), auth_key=KeyPool(PRESHARED[:32][::-1] + PRESHARED[32:])
    )
    pair.submit(*bb84_records())
    pair.finish()
    with pytest.raises(qp.AuthenticationError):
        pair.run()
    pair.collect()
    assert "authentication-failed" in losses(pair.events["alice"] + pair.events["bob"])


def test_a_fault_of_this_host_is_told_as_such() -> None:
    def empty(count: int) -> bytes:
        if count == 32:
            raise MemoryError
        return bytes(count)

    pair = Pair(small_link())
    bob = Session(role="bob", link=small_link(), auth_key=KeyPool(PRESHARED), random_source=empty)
    pair.sessions["bob"] = bob
    pair.submit(*bb84_records())
    pair.finish()
    with pytest.raises(MemoryError):
        pair.run()
    assert losses(list(bob.events())) == ["failed-here"]


def test_an_end_in_good_order_is_no_loss() -> None:
    pair = Pair(small_link())
    pair.finish()
    pair.run()
    for role, session in pair.sessions.items():
        session.connection_lost()
        pair.collect()
        assert losses(pair.events[role]) == []
        assert any(isinstance(event, ConnectionClosed) for event in pair.events[role])


def test_a_reason_that_is_none_is_refused() -> None:
    alice = Session(role="alice", link=small_link(), auth_key=KeyPool(PRESHARED))
    with pytest.raises(InputError, match="timed-out"):
        alice.connection_lost("bored")  # type: ignore[arg-type]


# What keeps a quiet line.


def test_a_host_says_nothing_before_what_answers_the_greeting() -> None:
    alice, bob = (Session(role=role, link=small_link(), auth_key=KeyPool(PRESHARED)) for role in ("alice", "bob"))
    alice.data_to_send()
    alice.receive_data(bob.data_to_send())
    assert alice.state is ConnectionState.GREETED
    assert alice.keepalive() == b""  # its own Ready may wait in a thread yet
    assert alice.data_to_send()


def test_a_host_says_that_it_is_there_when_the_peer_may_hear_it() -> None:
    pair = Pair(small_link())
    alice, bob = pair.sessions.values()
    assert alice.keepalive() == b""
    pair.run()
    assert alice.keepalive() == bob.keepalive() == ALIVE
    alice.receive_data(ALIVE * 100)
    assert alice.data_to_send() == b""
    pair.submit(*bb84_records())
    pair.finish()
    pair.run(lambda _source, _number, frame: [frame])
    assert pair.keys("alice") == pair.keys("bob") != {}
    assert bob.keepalive() == b""


@pytest.mark.parametrize("frame", [encode(Alive())[:-1] + b"\x91\x1d", b"\x03\0\0\0\x92\x1d\x00"])
def test_it_has_one_form_and_its_time(frame: bytes) -> None:
    alice = Session(role="alice", link=small_link(), auth_key=KeyPool(PRESHARED))
    with pytest.raises(RemoteProtocolError, match="no place in state HANDSHAKE"):
        alice.receive_data(ALIVE)
    pair = Pair(small_link())
    pair.run()
    with pytest.raises(RemoteProtocolError):
        pair.sessions["alice"].receive_data(frame)


def test_between_any_two_frames_it_changes_nothing() -> None:
    whole = Pair(small_link())
    whole.submit(*bb84_records())
    whole.finish()
    whole.run()
    pair = Pair(small_link())
    pair.submit(*bb84_records())
    pair.finish()
    pair.run(lambda _source, number, frame: [frame, ALIVE] if number >= 2 and frame != encode(qp_close()) else [frame])
    assert pair.keys("alice") == whole.keys("alice") != {}


def qp_close() -> object:
    from qkdpost.dialogue.messages import Close

    return Close()


# The pool.


def test_a_pool_that_falls_is_told_once_before_it_is_empty() -> None:
    """Blocks too small for a key spend their pads and bring none."""
    pair = Pair(small_link(blocks={"in_flight": 1}), preshared=PRESHARED[: 32 + 48 * 14])
    for seed in range(20):
        pair.submit(*bb84_records(1500, seed=seed))
        for session in pair.sessions.values():
            session.flush()
        pair.run()
    bob = pair.events["bob"]
    (low,) = levels(bob)
    (also,) = levels(pair.events["alice"])
    assert low.available_bytes == also.available_bytes < 480
    assert low.resting_bytes == 0
    exhausted = [e for e in bob if isinstance(e, BlockAborted) and e.reason is qp.AbortReason.KEY_POOL_EXHAUSTED]
    assert len(exhausted) >= 1
    assert bob.index(low) < bob.index(exhausted[0])


def test_a_pool_that_stays_near_the_level_is_not_told_again_and_again() -> None:
    pair = Pair(small_link(), preshared=PRESHARED[: 32 + 480])
    for seed in range(4):
        pair.submit(*bb84_records(seed=seed))
        for session in pair.sessions.values():
            session.flush()
        pair.run()
    assert len(pair.keys("bob")) == 4
    assert [len(levels(pair.events[role])) for role in pair.events] == [1, 1]


def test_a_pool_that_was_filled_is_told_when_it_falls_again() -> None:
    pair = Pair(small_link(), preshared=PRESHARED[: 32 + 144])
    pair.run()
    for pool in pair.pools.values():
        pool.refill(bytes(15) + b"1", PRESHARED)
    pair.reconnect()
    pair.run()
    assert [len(levels(pair.events[role])) for role in pair.events] == [1, 1]
    for session in pair.sessions.values():
        session.connection_lost()
    for pool in pair.pools.values():
        pool.skip(bytes(15) + b"1", len(PRESHARED) - 16)
    pair.reconnect()
    pair.run()
    assert [len(levels(pair.events[role])) for role in pair.events] == [2, 2]


def test_the_level_is_the_applications() -> None:
    for level, count in ((0, 0), (10**6, 1)):
        pool = KeyPool(PRESHARED)
        pair = Pair(small_link())
        pair.sessions["alice"] = Session(role="alice", link=small_link(), auth_key=pool, low_pool_bytes=level)
        pair.run()
        assert len(levels(pair.events["alice"])) == count
    with pytest.raises(InputError, match="low_pool_bytes"):
        Session(role="alice", link=small_link(), auth_key=KeyPool(PRESHARED), low_pool_bytes=-1)


def test_both_sides_hear_that_their_pools_differ() -> None:
    pair = Pair(small_link())
    pair.sessions["alice"] = Session(role="alice", link=small_link(), auth_key=KeyPool(PRESHARED[:-1]))
    pair.submit(*bb84_records())
    pair.finish()
    pair.run()
    for role, whole in (("alice", len(PRESHARED) - 33), ("bob", len(PRESHARED) - 32)):
        (low,) = levels(pair.events[role])
        assert (low.available_bytes, low.resting_bytes) == (0, whole)


# After a restart.


def test_a_session_goes_on_with_the_number_of_one_that_ended() -> None:
    pair = Pair(small_link())
    for role in pair.sessions:
        pair.sessions[role] = Session(
            role=role,  # type: ignore[arg-type]
            link=small_link(),
            auth_key=KeyPool(PRESHARED),
            first_record=50_000,
        )
    assert pair.sessions["bob"].next_record == 50_000
    pair.submit(*bb84_records())
    assert pair.sessions["bob"].next_record == 50_001
    assert not pair.sessions["bob"].finished
    pair.finish()
    assert pair.sessions["bob"].finished
    pair.run()
    assert pair.keys("alice") == pair.keys("bob") != {}
    with pytest.raises(InputError, match="first_record"):
        Session(role="alice", link=small_link(), auth_key=KeyPool(PRESHARED), first_record=2**31)


def test_records_that_will_not_come_end_the_blocks_that_wait_for_them() -> None:
    pair = Pair(small_link(blocks={"detections": 8000}))
    pair.run()
    records = [bb84_records(seed=seed) for seed in range(3)]
    pair.sessions["bob"].submit(records[0][1], number=5000)
    with pytest.raises(RemoteProtocolError, match="records ahead"):
        pair.run()
    pair.sessions["alice"].skip_records(5000)
    pair.reconnect()
    pair.sessions["bob"].submit(records[1][1], number=5001)
    pair.run()
    assert pair.sessions["alice"].blocks_in_flight == 1
    pair.sessions["alice"].skip_records(5002)
    pair.run()
    assert [abort.reason for abort in pair.aborts("bob")[-1:]] == [qp.AbortReason.RECORDS_DISAGREE]
    for session, record in zip(pair.sessions.values(), records[2], strict=True):
        session.submit(record, number=5002)
    pair.run()
    assert pair.keys("alice") == pair.keys("bob") != {}


def test_what_is_held_and_skipped_is_dropped() -> None:
    pair = Pair(small_link())
    alice = pair.sessions["alice"]
    for seed in range(3):
        alice.submit(bb84_records(seed=seed)[0])
    alice.skip_records(2)
    alice.skip_records(0)
    assert (alice.records_waiting, alice.next_record) == (1, 3)
    with pytest.raises(InputError, match="before"):
        alice.skip_records(-1)


# Threads.


def test_a_second_thread_is_refused() -> None:
    entered, leave = threading.Event(), threading.Event()

    def save(_: bytes) -> None:
        entered.set()
        leave.wait(60)

    alice = Session(role="alice", link=small_link(), auth_key=KeyPool(PRESHARED), save_pool=save)
    thread = threading.Thread(target=alice.data_to_send)
    thread.start()
    assert entered.wait(60)
    record = bb84_records()[0]
    try:
        for act in (
            alice.data_to_send,
            alice.finish,
            alice.flush,
            alice.connection_lost,
            alice.connect,
            lambda: alice.submit(record),
            lambda: alice.receive_data(b""),
        ):
            with pytest.raises(LocalProtocolError, match="another thread"):
                act()
        assert alice.keepalive() == b""
    finally:
        leave.set()
        thread.join()
    alice.submit(record)
