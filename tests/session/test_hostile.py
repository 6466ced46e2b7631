"""What a hostile line can do: nothing but the two named errors, no key, no pad used twice."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkdpost.errors import AuthenticationError, RemoteProtocolError
from qkdpost.messages import AbortReason, Close, Confirmation, Hello
from qkdpost.session.codec import decode
from qkdpost.session.states import ConnectionState
from support.link import Pair, bb84_records, frames, small_link

NAMED = (RemoteProtocolError, AuthenticationError)
RECORDS = bb84_records(4000, qber=0.004)
LINK = small_link(epsilon=1e-6)


def fresh_pair(*, finish: bool = True) -> Pair:
    pair = Pair(LINK)
    pair.submit(*RECORDS)
    if finish:
        pair.finish()
    else:
        pair.sessions["bob"].flush()
    return pair


def clean_run() -> Pair:
    pair = fresh_pair()
    pair.run()
    assert pair.keys("alice") == pair.keys("bob") != {}
    return pair


CLEAN = clean_run()
PLACES = [(role, number) for role in ("alice", "bob") for number in range(len(CLEAN.sent[role]))]
CONFIRMED = {  # once Alice has said this she holds the key, and Bob only if it arrives
    role: [number for number, frame in enumerate(CLEAN.sent[role]) if isinstance(decode(frame), Confirmation)]
    for role in ("alice", "bob")
}


def run_altered(alter: Callable[[str, int, bytes], list[bytes]]) -> tuple[Pair, list[Exception]]:
    """Run a pair over a line that alters; after an error the line is cut for both."""
    pair, errors = fresh_pair(), []
    try:
        pair.run(alter)
    except NAMED as error:
        errors.append(error)
    for session in pair.sessions.values():
        session.connection_lost()
    pair.collect()
    return pair, errors


def is_past_release(role: str, number: int) -> bool:
    """Whether Alice releases her key without hearing the message: her last confirmation, and the farewell."""
    message = decode(CLEAN.sent[role][number])
    return isinstance(message, Close) or (isinstance(message, Confirmation) and message.step == 2)


def check_no_key(pair: Pair, role: str, number: int) -> None:
    assert pair.keys("bob") == {} or isinstance(decode(CLEAN.sent[role][number]), Close)
    assert pair.keys("alice") == {} or is_past_release(role, number)
    assert pair.sessions["alice"].blocks_in_flight == pair.sessions["bob"].blocks_in_flight == 0


@pytest.mark.parametrize("place", PLACES, ids=lambda p: f"{p[0]}{p[1]}")
def test_a_flipped_bit_anywhere_leaves_no_key(place: tuple[str, int]) -> None:
    rng = np.random.default_rng(place[1] + 1000 * (place[0] == "bob"))

    def flip(role: str, number: int, frame: bytes) -> list[bytes]:
        if (role, number) != place:
            return [frame]
        altered = bytearray(frame)
        position = int(rng.integers(4, len(frame)))
        altered[position] ^= 1 << int(rng.integers(8))
        return [bytes(altered)]

    pair, _ = run_altered(flip)
    check_no_key(pair, *place)


@pytest.mark.parametrize("action", ["replay", "drop", "swap"])
@pytest.mark.parametrize("place", PLACES, ids=lambda p: f"{p[0]}{p[1]}")
def test_messages_replayed_lost_or_reordered(place: tuple[str, int], action: str) -> None:
    held: list[bytes] = []

    def alter(role: str, number: int, frame: bytes) -> list[bytes]:
        if role == place[0] and held:
            return [frame, held.pop()]
        if (role, number) != place:
            return [frame]
        if action == "replay":
            return [frame, frame]
        if action == "swap":
            held.append(frame)
        return []

    pair, errors = run_altered(alter)
    if action == "replay" and is_past_release(*place):
        return
    if action == "replay":
        assert errors or pair.keys("bob") == {}
    else:
        check_no_key(pair, *place)


@pytest.mark.parametrize("place", PLACES, ids=lambda p: f"{p[0]}{p[1]}")
def test_a_line_cut_anywhere_costs_one_block_and_no_more(place: tuple[str, int]) -> None:
    pair = fresh_pair(finish=False)

    class Cut(Exception):
        pass

    def cut(role: str, number: int, frame: bytes) -> list[bytes]:
        if (role, number) == place:
            raise Cut
        return [frame]

    with contextlib.suppress(Cut):
        pair.run(cut)
    before = pair.keys("alice")
    for role, session in pair.sessions.items():
        session.connection_lost()
        assert pair.pools[role].spent_bytes in (0, 48)
        session.connect()
    pair.collect()
    for event in pair.aborts("alice") + pair.aborts("bob"):
        assert event.reason is AbortReason.CONNECTION_LOST
    pair.events = {"alice": [], "bob": []}
    alice, bob = bb84_records(4000, qber=0.004, seed=99)
    pair.sessions["alice"].submit(alice, batch=10)
    pair.sessions["bob"].submit(bob, batch=10)
    pair.finish()
    pair.run()
    assert pair.keys("alice") == pair.keys("bob") != {}
    assert not set(pair.keys("alice").values()) & set(before.values())


def test_every_message_type_was_in_the_conversation() -> None:
    kinds = {type(decode(frame)).__name__ for role in CLEAN.sent for frame in CLEAN.sent[role]}
    assert kinds >= {
        "Hello", "BlockOpen", "DetectionReport", "SiftReply", "SampleSeed", "ComparedBits", "CorrectionStart",
        "Parities", "FrameTags", "FrameVerdict", "BlockTag", "BlockVerdict", "AmplificationProposal", "Confirmation",
        "Close",
    }  # fmt: skip


@given(st.binary(min_size=1, max_size=200), st.sampled_from(["alice", "bob"]))
@settings(max_examples=200)
def test_noise_after_the_greeting(noise: bytes, role: str) -> None:
    pair = fresh_pair()
    other = "bob" if role == "alice" else "alice"
    hello = next(iter(frames(pair.sessions[other].data_to_send())))
    assert isinstance(decode(hello), Hello)
    pair.sessions[role].receive_data(hello)
    try:
        pair.sessions[role].receive_data(noise)
    except NAMED:
        assert pair.sessions[role].state is ConnectionState.BROKEN
    pair.collect()
    assert pair.keys(role) == {}
