"""What a hostile line can do: nothing but the two named errors, no key, no pad used twice."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qkdpost as qp
from qkdpost import simulation
from qkdpost.dialogue.messages import (
    AbortReason,
    BlockOpen,
    Close,
    Confirmation,
    CorrectionRound,
    DetectionReport,
    FrameVerdict,
    Hello,
    Ready,
)
from qkdpost.errors import AuthenticationError, RemoteProtocolError
from qkdpost.session.codec import decode, encode
from qkdpost.session.states import ConnectionState
from support.link import Pair, bb84_records, changed, frames, small_link

NAMED = (RemoteProtocolError, AuthenticationError)
RECORDS = bb84_records(4000, qber=0.004)
LINK = small_link(security={"epsilon": 1e-6})


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
    pair.sessions["alice"].submit(alice, number=10)
    pair.sessions["bob"].submit(bob, number=10)
    pair.finish()
    pair.run()
    assert pair.keys("alice") == pair.keys("bob") != {}
    assert not set(pair.keys("alice").values()) & set(before.values())


def test_every_message_type_was_in_the_conversation() -> None:
    kinds = {type(decode(frame)).__name__ for role in CLEAN.sent for frame in CLEAN.sent[role]}
    assert kinds >= {
        "Hello", "Ready", "BlockOpen", "DetectionReport", "SiftReply", "SampleSeed", "ComparedBits", "CorrectionStart",
        "CorrectionRound", "FrameTags", "FrameVerdict", "BlockTag", "BlockVerdict", "LengthProposal", "Confirmation",
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


def test_parts_of_a_report_that_hold_nothing_are_refused() -> None:
    """Else a peer could send them for ever, and each would be held."""

    def empty_first(role: str, _number: int, frame: bytes) -> list[bytes]:
        message = decode(frame)
        if not isinstance(message, DetectionReport) or message.part:
            return [frame]
        return [encode(msgspec.structs.replace(message, last=False, count=0, end=0, slots=b"", bases=b""))]

    pair, errors = run_altered(empty_first)
    assert ["all but the last" in str(error) for error in errors] == [True]
    assert pair.keys("alice") == pair.keys("bob") == {}


def forged_opening(pair: Pair, **fields: object) -> None:
    """Let Alice hear a true greeting and then a block that Bob never opened."""
    alice, bob = pair.sessions["alice"], pair.sessions["bob"]
    bob.receive_data(alice.data_to_send())
    alice.receive_data(bob.data_to_send())
    while alice.data_to_send():
        pass
    segment = pair.pools["alice"].inventory()[0]
    opening = BlockOpen(
        block=0,
        first_record=0,
        records=1,
        segment=segment.identifier,
        offset=0,
        commitment=bytes(32),
        accumulated_epsilon=LINK.security.epsilon,
    )
    assert alice.state is ConnectionState.OPEN
    alice.receive_data(encode(msgspec.structs.replace(opening, **fields)))


@pytest.mark.parametrize(
    "fields",
    [{}, {"offset": 960}, {"first_record": 2**53}, {"records": 2**16}, {"first_record": 500}, {"block": 2**53}],
    ids=str,
)
def test_a_forged_opening_burns_one_block_at_most(fields: dict[str, object]) -> None:
    pair = Pair(changed(LINK, blocks={"detections": 4000}))
    pair.sessions["alice"].submit(RECORDS[0])
    with contextlib.suppress(*NAMED):
        forged_opening(pair, **fields)
    pair.collect()
    assert pair.pools["alice"].spent_bytes == 0
    pair.sessions["alice"].connection_lost()
    alice, bob = bb84_records(6000, qber=0.004, seed=5)
    pair.sessions["bob"].submit(RECORDS[1])
    pair.sessions["alice"].submit(alice)
    pair.sessions["bob"].submit(bob)
    pair.reconnect()
    pair.finish()
    pair.run()
    assert pair.keys("alice") == pair.keys("bob") != {}


def test_half_lost_connections_do_not_drive_the_pools_apart() -> None:
    pair = fresh_pair(finish=False)
    for _ in range(6):
        bob, alice = pair.sessions["bob"], pair.sessions["alice"]
        bob.receive_data(alice.data_to_send())  # and what Bob says is lost
        while bob.data_to_send():
            pass
        pair.reconnect()
    pair.finish()
    pair.run()
    assert pair.keys("alice") == pair.keys("bob") != {}


def test_strangers_that_connect_spend_no_authentication_key() -> None:
    """One lets Bob open his blocks and goes, one says that all is spent; then the peer comes."""
    pair = fresh_pair(finish=False)
    bob = pair.sessions["bob"]
    for moved in (0, 0, 0, 10**9):
        own = decode(next(iter(frames(bob.data_to_send()))))
        assert isinstance(own, Hello)
        segments = tuple(
            msgspec.structs.replace(entry, next_offset=min(entry.length, entry.next_offset + moved))
            for entry in own.segments
        )
        bob.receive_data(encode(msgspec.structs.replace(own, role="alice", nonce=bytes(16), segments=segments)))
        bob.receive_data(encode(Ready(nonce=own.nonce)))
        while bob.data_to_send():
            pass
        bob.connection_lost()
        bob.connect()
        bob.submit(copy.copy(RECORDS[1]))
    assert pair.pools["bob"].spent_bytes == 0
    alice = pair.sessions["alice"]
    alice.connection_lost()
    alice.connect()
    for number in range(1, 5):
        alice.submit(copy.copy(RECORDS[0]), number=number)
    pair.finish()
    pair.run()
    assert pair.keys("alice") == pair.keys("bob") != {}


def test_a_peer_that_empties_its_list_of_pads_takes_no_records() -> None:
    pair = fresh_pair(finish=False)
    bob = pair.sessions["bob"]
    hello = decode(next(iter(frames(pair.sessions["alice"].data_to_send()))))
    bob.receive_data(encode(msgspec.structs.replace(hello, segments=())))  # type: ignore[type-var]
    own = decode(next(iter(frames(bob.data_to_send()))))
    bob.receive_data(encode(Ready(nonce=own.nonce)))  # type: ignore[union-attr]
    pair.reconnect()
    pair.run()
    pair.finish()
    pair.run()
    assert pair.keys("alice") == pair.keys("bob") != {}


ONE_DECOY = changed(
    LINK,
    protocol=qp.DecoyBB84(intensities=(0.5, 0.15), probabilities=(0.6, 0.4)),
    blocks={"max_detections": 2**20, "detections": 2**20},
)


@pytest.mark.parametrize(
    ("forged", "match"),
    [
        (lambda verdict: {"errors": (0, 10**6)}, "more errors than there are bits"),
        (lambda verdict: {"corrected": 10**8}, "more errors than there are bits"),
        (lambda verdict: {"errors": (0, 0)}, "fewer than the"),
        (lambda verdict: {"errors": (verdict.errors[0] - 1, verdict.errors[1])}, "fewer than the"),
        (lambda verdict: {"errors": (verdict.errors[0] + 1, verdict.errors[1])}, "more errors by label"),
        (lambda verdict: {"corrected": verdict.corrected - 1}, "as both could see"),
        (lambda verdict: {"corrected": 0, "errors": (0, 0)}, "as both could see"),
        (lambda verdict: {"errors": ()}, "where, and only where"),
        (lambda verdict: {"corrected": None}, "where, and only where"),
    ],
)
def test_errors_are_counted_within_what_there_is(
    forged: Callable[[FrameVerdict], dict[str, object]], match: str
) -> None:
    """A verdict that counts more errors than there are bits, or fewer than were corrected, is the peer's fault."""
    pair = Pair(ONE_DECOY)
    pair.submit(
        *simulation.decoy_bb84(
            ONE_DECOY, pulses=4_000_000, fibre_km=10, rng=np.random.default_rng(3), test_probabilities=(0.3, 0.3)
        )
    )
    pair.finish()
    told: list[FrameVerdict] = []

    def alter(_: str, __: int, frame: bytes) -> list[bytes]:
        message = decode(frame)
        if not isinstance(message, FrameVerdict):
            return [frame]
        told.append(message)
        return [encode(msgspec.structs.replace(message, **forged(message)))]

    with pytest.raises(RemoteProtocolError, match=match):
        pair.run(alter)
    assert told[0].corrected
    assert sum(told[0].errors) == told[0].corrected


def test_a_flood_of_empty_messages_is_not_held() -> None:
    pair = Pair(LINK)
    forged_opening(pair)  # Alice has no record yet, and waits
    with pytest.raises(RemoteProtocolError):
        for number in range(10**7):
            pair.sessions["alice"].receive_data(encode(CorrectionRound(block=0, round=number, bits=0, data=b"")))
    assert pair.sessions["alice"].blocks_in_flight == 0
