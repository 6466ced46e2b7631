"""Long work in turns: a step at a time, with whatever else comes heard in between."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkdpost.dialogue.messages import Alive, CorrectionRound, SiftReply
from qkdpost.session import connection
from qkdpost.session.codec import decode, encode
from qkdpost.session.connection import PACKET_BYTES
from support.link import Pair, bb84_records, frames, small_link

BLOCKS = 3
RECORDS = [bb84_records(8000, seed=seed) for seed in range(BLOCKS)]


def pair_of_short_turns(patch: pytest.MonkeyPatch) -> Pair:
    """Return two hosts that report and answer 1,000 detections a message, and decode and encode one at a time."""
    patch.setattr("qkdpost.sifting.slots.parts._PART_DETECTIONS", 1000)
    patch.setattr("qkdpost.sifting.slots.parts._SLOTS_AT_ONCE", 1000)
    pair = Pair(small_link(blocks={"detections": 8000, "in_flight": BLOCKS}))
    for records in RECORDS:
        pair.submit(*records)
    pair.finish()
    return pair


@settings(max_examples=10)
@given(st.integers(0, 2**32))
def test_keys_are_equal_in_whatever_order_hosts_step_and_hear(seed: int) -> None:
    draw = random.Random(seed)
    with pytest.MonkeyPatch.context() as patch:
        pair = pair_of_short_turns(patch)
        lines: dict[str, list[bytes]] = {"alice": [], "bob": []}
        idle: set[str] = set()
        while len(idle) < 2 or any(lines.values()):
            role, peer = draw.choice([("alice", "bob"), ("bob", "alice")])
            session = pair.sessions[role]
            if lines[role] and (role in idle or session.busy) and draw.random() < 0.5:
                session.receive_data(lines[role].pop(0))
            said = session.step()
            idle.discard(role) if said or session.busy else idle.add(role)
            if said:
                lines[peer].append(said)
        pair.collect()
    assert pair.keys("alice") == pair.keys("bob") and len(pair.keys("alice")) == BLOCKS


def test_data_to_send_gives_nothing_only_when_no_turn_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = pair_of_short_turns(monkeypatch)
    for _ in range(1000):
        for role, peer in (("alice", "bob"), ("bob", "alice")):
            while said := pair.sessions[role].data_to_send():
                pair.sessions[peer].receive_data(said)
            assert not pair.sessions[role].busy
        if not any(session.state.alive for session in pair.sessions.values()):
            break
    pair.collect()
    assert len(pair.keys("alice")) == BLOCKS


def test_a_round_of_one_block_is_answered_between_two_turns_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = pair_of_short_turns(monkeypatch)
    alice, bob = pair.sessions["alice"], pair.sessions["bob"]
    held: list[bytes] = []
    overtaken = False
    for _ in range(10_000):
        reports = []
        for frame in frames(bob.data_to_send()):
            later = type(decode(frame)) is not CorrectionRound and getattr(decode(frame), "block", 0) >= 1
            (held if later else reports).append(frame)
        alice.receive_data(b"".join(reports))
        said = alice.step()
        rounds = [message.block for message in map(decode, frames(said)) if isinstance(message, CorrectionRound)]
        if rounds and held:  # block 0 is in correction: now comes all of block 1, and then the next round of block 0
            bob.receive_data(said)
            alice.receive_data(b"".join(held))
            assert alice.busy
            alice.receive_data(bob.data_to_send())
            kinds = [type(message) for message in map(decode, frames(alice.step()))]
            assert CorrectionRound in kinds and SiftReply not in kinds
            overtaken = True
            break
        bob.receive_data(said)
    assert overtaken


def pair_with_bob_at_work(patch: pytest.MonkeyPatch) -> Pair:
    """Return two hosts, of which Bob is in the midst of long work."""
    pair = pair_of_short_turns(patch)
    alice, bob = pair.sessions["alice"], pair.sessions["bob"]
    while not bob.busy:
        alice.receive_data(bob.step())
        if not bob.busy:
            bob.receive_data(alice.step())
    return pair


def test_a_line_that_is_lost_in_the_midst_of_long_work_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = pair_with_bob_at_work(monkeypatch)
    bob = pair.sessions["bob"]
    bob.connection_lost()
    assert not bob.busy and bob.data_to_send() == b""
    pair.reconnect()
    assert bob.state.alive and not bob.busy


def test_a_message_of_which_a_part_has_come_does_not_hold_long_work_up(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = pair_with_bob_at_work(monkeypatch)
    alice, bob = pair.sessions["alice"], pair.sessions["bob"]
    word = alice.keepalive()
    bob.receive_data(word[:-1])
    assert bob.busy
    said = b"".join(iter(bob.data_to_send, b""))
    assert len(list(frames(said))) > BLOCKS
    bob.receive_data(word[-1:])
    alice.receive_data(said)
    pair.run()
    assert pair.keys("alice") == pair.keys("bob") and len(pair.keys("alice")) == BLOCKS


def test_many_short_messages_behind_a_long_one_are_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though a part of another message keeps more of them coming: else a packet would cost a minute."""
    pair = Pair(small_link(blocks={"detections": 8000, "in_flight": 1}))
    pair.submit(*RECORDS[0])
    alice, bob = pair.sessions["alice"], pair.sessions["bob"]
    said = bob.data_to_send()
    while len(said) <= PACKET_BYTES:
        alice.receive_data(said)
        bob.receive_data(alice.data_to_send())
        said = bob.data_to_send()
    *before, long = frames(said)
    assert len(long) > PACKET_BYTES
    alice.receive_data(b"".join(before))
    assert alice.data_to_send() == b""
    looked = 0

    def counting(message: object, *words: object) -> object:
        nonlocal looked
        looked += 1
        return getattr(message, *words)  # type: ignore[call-overload]

    monkeypatch.setattr(connection, "getattr", counting, raising=False)
    word, count = encode(Alive()), 1000
    alice.receive_data(long + word * count + word[:-1])
    while alice.data_to_send():
        pass
    assert count <= looked <= 2 * count


def exchanges(*, with_calls: bool) -> int:
    """Return how often two hosts exchange all that they have to say; each may be called while it holds messages."""
    pair = Pair(small_link(blocks={"detections": 20_000, "in_flight": BLOCKS}))
    for seed in range(BLOCKS):
        pair.submit(*bb84_records(20_000, seed=seed))
    pair.finish()
    count, moved = 0, True
    while moved:
        moved = False
        for source, target in (("alice", "bob"), ("bob", "alice")):
            if said := b"".join(iter(pair.sessions[source].data_to_send, b"")):
                moved = True
                pair.sessions[target].receive_data(said)
                if with_calls:
                    pair.sessions[target].flush()
        count += 1
    pair.collect()
    assert len(pair.keys("alice")) == BLOCKS
    return count


def test_a_call_between_two_steps_leaves_nothing_lying_that_was_received() -> None:
    assert exchanges(with_calls=True) == exchanges(with_calls=False)
