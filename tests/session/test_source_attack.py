"""A source that waits for Bob's bases before it serves Alice: nobody tells a basis while the other side measures."""

from __future__ import annotations

import numpy as np
import pytest

import qkdpost as qp
from qkdpost.dialogue.messages import AbortReason, DetectionReport, RecordsHeld, WindowChoice
from qkdpost.errors import AuthenticationError
from qkdpost.protocols import PROTOCOLS
from qkdpost.records import Detections
from qkdpost.session.codec import decode, encode
from qkdpost.sifting.slots.coding import decode_slots
from qkdpost.simulation import TaggingReceiver, bbm92_time_tags
from support.link import Pair, small_link

ROUNDS = 20_000


def bits_of(rng: np.random.Generator, share: float = 0.5) -> np.ndarray:
    return (rng.random(ROUNDS) < share).astype(np.uint8)


def bob_measures(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, Detections]:
    """Bob's bases and outcomes on his halves of the pairs, one in every slot; the outcomes have no error."""
    bases, outcomes = bits_of(rng), bits_of(rng)
    record = Detections(pulses=ROUNDS, slots=np.arange(ROUNDS), bases=bases, outcomes=outcomes)
    return bases, outcomes, record


def bases_on_the_wire(pair: Pair) -> np.ndarray | None:
    """What Bob told of his bases, or None if he told nothing yet."""
    told = np.full(ROUNDS, 2, dtype=np.uint8)
    for frame in pair.sent["bob"]:
        message = decode(frame)
        if isinstance(message, DetectionReport):
            slots = decode_slots(message.slots, message.count, message.end)
            told[slots] = np.unpackbits(np.frombuffer(message.bases, np.uint8), count=message.count, bitorder="little")
    return None if (told == 2).all() else told


def alice_receives(
    rng: np.random.Generator, eve_bases: np.ndarray, bob_bases: np.ndarray, bob_outcomes: np.ndarray
) -> tuple[np.ndarray, Detections]:
    """Eve measures the other halves in her bases and sends Alice what she found; what she knows, and Alice's record."""
    eve = np.where(eve_bases == bob_bases, bob_outcomes, bits_of(rng))
    bases = bits_of(rng)
    outcomes = np.where(bases == eve_bases, eve, bits_of(rng))
    return eve, Detections(pulses=ROUNDS, slots=np.arange(ROUNDS), bases=bases, outcomes=outcomes)


def test_a_source_that_waits_for_the_bases_of_bob_learns_none_and_there_is_no_key() -> None:
    rng = np.random.default_rng(3)
    pair = Pair(small_link(protocol=qp.BBM92()))
    bob_bases, bob_outcomes, record = bob_measures(rng)
    pair.sessions["bob"].submit(record)
    pair.sessions["bob"].finish()
    pair.run()
    told = bases_on_the_wire(pair)
    _, record = alice_receives(rng, bits_of(rng) if told is None else told, bob_bases, bob_outcomes)
    pair.sessions["alice"].submit(record)
    pair.sessions["alice"].finish()
    pair.run()
    assert told is None
    assert pair.keys("alice") == pair.keys("bob") == {}
    assert [event.reason for event in pair.aborts("alice")] == [AbortReason.NO_KEY_LEFT]


def test_all_records_of_a_block_must_be_in() -> None:
    """Records of Alice's that came early do not stand for those that are still being measured."""
    rng = np.random.default_rng(4)
    pair = Pair(small_link(protocol=qp.BBM92(), blocks={"detections": 2 * ROUNDS}))
    rounds = [bob_measures(rng) for _ in range(2)]
    for _, _, record in rounds:
        pair.sessions["bob"].submit(record)
    for place, (bases, outcomes, _) in enumerate(rounds):
        _, record = alice_receives(rng, bases, bases, outcomes)
        pair.run()
        assert bases_on_the_wire(pair) is None, place
        pair.sessions["alice"].submit(record)
    pair.finish()
    pair.run()
    assert bases_on_the_wire(pair) is not None
    assert pair.keys("alice") == pair.keys("bob") != {}


@pytest.mark.parametrize("kind", ["bbm92", "bbm92-time-tags"])
def test_who_says_for_alice_that_her_records_are_in_is_found_out(kind: str) -> None:
    """Eve lets Bob report before Alice has measured; what Alice says later is not what Bob heard."""
    rng = np.random.default_rng(5)
    pair = Pair(small_link(protocol=qp.BBM92() if kind == "bbm92" else qp.BBM92TimeTags()))
    alice, bob = honest(kind, rng)
    pair.sessions["bob"].submit(bob)
    pair.sessions["bob"].finish()
    pair.run()
    forged = encode(RecordsHeld(block=0, nonce=bytes(32)))
    pair.sessions["bob"].receive_data(forged)

    def swallow(role: str, _number: int, frame: bytes) -> list[bytes]:
        return [] if role == "alice" and isinstance(decode(frame), RecordsHeld) else [frame]

    pair.step("bob", "alice")
    pair.sessions["alice"].submit(alice)
    pair.sessions["alice"].finish()
    with pytest.raises(AuthenticationError):
        pair.run(swallow)
    pair.collect()
    assert pair.keys("alice") == pair.keys("bob") == {}


def test_time_tags_are_reported_only_when_the_peer_holds_its_records() -> None:
    """The clicks of Alice's test basis would say so as well; those of a short record could be guessed."""
    pair = Pair(small_link(protocol=qp.BBM92TimeTags()))
    alice, bob = honest("bbm92-time-tags", np.random.default_rng(6))
    pair.submit(alice, bob)
    pair.finish()

    def swallow(role: str, _number: int, frame: bytes) -> list[bytes]:
        return [] if role == "alice" and isinstance(decode(frame), RecordsHeld) else [frame]

    with pytest.raises(Exception, match="RecordsHeld"):
        pair.run(swallow)
    assert not [frame for frame in pair.sent["bob"] if isinstance(decode(frame), WindowChoice | DetectionReport)]


def honest(kind: str, rng: np.random.Generator) -> tuple[object, object]:
    if kind == "bbm92-time-tags":
        receiver = TaggingReceiver(transmittance=0.3)
        return bbm92_time_tags(duration_s=0.2, pair_rate_hz=4e5, rng=rng, alice=receiver, bob=receiver, tick_ps=10.0)
    bases, outcomes, bob = bob_measures(rng)
    _, alice = alice_receives(rng, bases, bases, outcomes)
    return alice, bob


def test_the_answer_waits_in_every_kind_where_both_detect() -> None:
    assert {kind for kind, protocol in PROTOCOLS.items() if RecordsHeld in protocol.stages[0].corrector_hears} == {
        "bbm92",
        "bbm92-time-tags",
    }
