"""What a key costs by its own block, and what all blocks on a pool cost together."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import msgspec
import pytest

from qkdpost.dialogue.messages import BlockOpen, Hello, Ready
from qkdpost.errors import RemoteProtocolError
from qkdpost.keys import KeyPool
from qkdpost.keys.secret_key import SecretKey
from qkdpost.session.codec import decode, encode
from qkdpost.session.events import KeyReady
from qkdpost.session.session import Session
from support.link import PRESHARED, Pair, bb84_records, changed, frames, seeded_source, small_link

LINK = small_link(security={"epsilon": 1e-6}, blocks={"detections": 6000, "in_flight": 3})


def run_blocks(count: int, *, noisy: tuple[int, ...] = ()) -> Pair:
    """Run so many blocks, of which some have too many errors for a key."""
    pair = Pair(LINK)
    for number in range(count):
        pair.submit(*bb84_records(6000, qber=0.3 if number in noisy else 0.004, seed=number))
    pair.finish()
    pair.run()
    return pair


def delivered(pair: Pair, role: str) -> list[KeyReady]:
    return [event for event in pair.events[role] if isinstance(event, KeyReady)]


def test_the_sixth_key_of_six_tells_six_times_the_epsilon() -> None:
    pair = run_blocks(6)
    for role in ("alice", "bob"):
        keys = [event.key for event in delivered(pair, role)]
        assert len(keys) == 6
        assert [key.epsilon for key in keys] == [LINK.security.epsilon] * 6
        assert keys[-1].accumulated_epsilon >= 6 * keys[-1].epsilon
        assert all(key.accumulated_epsilon >= (place + 1) * LINK.security.epsilon for place, key in enumerate(keys))
        assert pair.pools[role].accumulated_epsilon == keys[-1].accumulated_epsilon == pytest.approx(6e-6)


def test_blocks_without_key_count_as_well() -> None:
    pair = run_blocks(4, noisy=(0, 2))
    for role in ("alice", "bob"):
        assert len(delivered(pair, role)) == len(pair.aborts(role)) == 2
        assert delivered(pair, role)[-1].key.accumulated_epsilon >= 4 * LINK.security.epsilon
        for event in (*delivered(pair, role), *pair.aborts(role)):
            assert event.report.accumulated_epsilon >= LINK.security.epsilon


def test_both_numbers_are_shown() -> None:
    pair = run_blocks(3)
    event = delivered(pair, "alice")[-1]
    assert isinstance(event.key, SecretKey)
    told = event.report.to_dict()
    assert told["epsilon_total"] == event.key.epsilon == LINK.security.epsilon
    assert told["accumulated_epsilon"] == event.key.accumulated_epsilon >= 3 * LINK.security.epsilon
    assert "bits, epsilon 1e-06" in str(event.report)
    assert "epsilon of all blocks so far" in str(event.report)
    assert "accumulated_epsilon=3" in repr(event)


def test_a_printed_epsilon_is_never_less_than_it_is() -> None:
    report = delivered(run_blocks(1), "bob")[0].report
    report = replace(report, accumulated_epsilon=1.2341e-9)
    assert "1.24e-09" in str(report)


def opening_of(pair: Pair) -> None:
    """Let the hosts greet, and Bob open a block of which Alice never hears."""
    alice, bob = pair.sessions["alice"], pair.sessions["bob"]
    bob.receive_data(alice.data_to_send())
    alice.receive_data(bob.data_to_send())
    while frame := alice.data_to_send():
        bob.receive_data(frame)
    while bob.data_to_send():
        pass


def test_blocks_that_were_cut_before_the_peer_heard_of_them_count_on_both_hosts() -> None:
    """The attacker has seen Bob's report and may have fared badly: that block had its chance, too."""
    pair = Pair(LINK)
    for number in range(3):
        pair.sessions["bob"].submit(bb84_records(6000, qber=0.004, seed=number)[1], number=number)
        opening_of(pair)
        assert pair.pools["bob"].accumulated_epsilon >= (number + 1) * LINK.security.epsilon
        assert pair.pools["alice"].accumulated_epsilon == 0.0
        pair.reconnect()
    alice, bob = bb84_records(6000, qber=0.004, seed=9)
    pair.sessions["alice"].submit(alice, number=9)
    pair.sessions["bob"].submit(bob, number=9)
    pair.finish()
    pair.run()
    for role in ("alice", "bob"):
        (event,) = delivered(pair, role)
        assert event.key.accumulated_epsilon >= 4 * LINK.security.epsilon
        assert event.report.accumulated_epsilon == event.key.accumulated_epsilon
        assert pair.pools[role].accumulated_epsilon == event.key.accumulated_epsilon


def test_an_opening_that_was_held_back_on_a_living_line_counts_too() -> None:
    pair = Pair(LINK)
    for number in range(2):
        pair.sessions["bob"].submit(bb84_records(6000, qber=0.004, seed=number)[1], number=number)
    alice, bob = bb84_records(6000, qber=0.004, seed=9)
    pair.sessions["alice"].submit(alice, number=9)
    pair.sessions["bob"].submit(bob, number=9)
    pads_of_all: list[BlockOpen] = []

    def withhold(role: str, _number: int, frame: bytes) -> list[bytes]:
        """Keep the messages of Bob's first two blocks from Alice."""
        message = decode(frame)
        if isinstance(message, BlockOpen):
            pads_of_all.append(message)
        return [] if role == "bob" and getattr(message, "block", 2) < 2 else [frame]

    pair.finish()
    with pytest.raises(RemoteProtocolError, match="the next are 0"):  # Alice counts pads piece by piece, and finds out
        pair.run(withhold)
    assert [message.accumulated_epsilon for message in pads_of_all] == pytest.approx([1e-6, 2e-6, 3e-6])


def test_what_an_unauthenticated_peer_tells_is_not_believed() -> None:
    pair = Pair(LINK)
    pair.submit(*bb84_records(6000, qber=0.004))
    pair.finish()

    def inflate(role: str, _number: int, frame: bytes) -> list[bytes]:
        message = decode(frame)
        if isinstance(message, Hello | BlockOpen):
            return [encode(msgspec.structs.replace(message, accumulated_epsilon=0.5))]
        return [frame]

    with pytest.raises(Exception, match="tag does not fit"):
        pair.run(inflate)
    for role in ("alice", "bob"):
        assert pair.pools[role].accumulated_epsilon == pytest.approx(LINK.security.epsilon)


@pytest.mark.parametrize("told", [-1e-9, float("nan"), float("inf"), 2.0**60, "much", None])
def test_a_number_that_is_none_is_refused(told: object) -> None:
    bob = Session(role="bob", link=LINK, auth_key=KeyPool(PRESHARED))
    alice = Session(role="alice", link=LINK, auth_key=KeyPool(PRESHARED))
    hello = decode(next(iter(frames(alice.data_to_send()))))
    forged = msgspec.structs.replace(hello, accumulated_epsilon=told)  # type: ignore[type-var]
    with pytest.raises(RemoteProtocolError, match="no message of the protocol"):
        bob.receive_data(encode(forged))


def test_strangers_only_ever_raise_the_number_and_spend_no_pad() -> None:
    pair = Pair(LINK)
    pair.sessions["bob"].submit(bb84_records(6000, qber=0.004)[1])
    bob = pair.sessions["bob"]
    own = decode(next(iter(frames(bob.data_to_send()))))
    assert isinstance(own, Hello)
    bob.receive_data(encode(msgspec.structs.replace(own, role="alice", nonce=bytes(16), accumulated_epsilon=1e-3)))
    bob.receive_data(encode(Ready(nonce=own.nonce)))
    while bob.data_to_send():
        pass
    bob.connection_lost()
    assert pair.pools["bob"].accumulated_epsilon == pytest.approx(LINK.security.epsilon)
    assert pair.pools["bob"].spent_bytes == 0


def test_after_a_power_cut_anywhere_the_stored_number_holds_what_was_opened() -> None:
    """Cut after every message, restart both hosts from what they stored; each opening that left is counted."""
    stored = {role: KeyPool(PRESHARED).snapshot() for role in ("alice", "bob")}
    opened = 0
    link = changed(LINK, blocks={"in_flight": 1})

    def talk(number: int, most: int) -> int:
        nonlocal opened
        sessions = {}
        for role in ("alice", "bob"):
            sessions[role] = Session(
                role=role,
                link=link,
                auth_key=KeyPool.restore(stored[role]),
                random_source=seeded_source(b"%d%s" % (number, role.encode())),
                save_pool=lambda snapshot, role=role: stored.update({role: snapshot}),
            )
        for session, record in zip(sessions.values(), bb84_records(6000, qber=0.004, seed=number), strict=True):
            session.submit(record, number=number)
            session.finish()
        said, moved = 0, True
        while moved:
            moved = False
            for role, other in (("alice", "bob"), ("bob", "alice")):
                for frame in frames(sessions[role].data_to_send()):
                    opened += isinstance(decode(frame), BlockOpen)
                    assert holds(KeyPool.restore(stored["bob"]).accumulated_epsilon)
                    said += 1
                    if said > most:
                        return said
                    if sessions[other].state.alive:
                        sessions[other].receive_data(frame)
                    moved = True
            for session in sessions.values():
                for event in session.events():
                    if isinstance(event, KeyReady):
                        assert holds(event.key.accumulated_epsilon)
        return said

    def holds(told: float) -> bool:
        return Fraction(told) >= opened * Fraction(LINK.security.epsilon)

    whole = talk(0, 10**6)
    assert whole > 20
    for number, most in enumerate([*range(whole), 10**6], start=1):
        talk(number, most)
    assert opened > 20
    for role in ("alice", "bob"):  # the last talk was whole, so that Alice knows of all that she never heard
        assert holds(KeyPool.restore(stored[role]).accumulated_epsilon)
