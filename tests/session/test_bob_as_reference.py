"""The standard stages where Bob, who opens blocks and reports his detections, holds the string that is kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import qkdpost as qp
from qkdpost.dialogue.ledger import Cause
from qkdpost.dialogue.messages import (
    Confirmation,
    CorrectionStart,
    DetectionReport,
    FrameTags,
    FrameVerdict,
    LengthProposal,
    SampleSeed,
    SiftReply,
)
from qkdpost.protocols import PROTOCOLS
from qkdpost.session.blocks.report import BlockReport
from qkdpost.session.codec import decode
from qkdpost.session.events import KeyReady
from qkdpost.sifting.slots.conversation import answer_slots, match_to_prepared, report_slots
from qkdpost.stages.block import Duty
from qkdpost.stages.sifting import sifting
from qkdpost.stages.standard import AFTER_SIFTING
from support.link import Pair, bb84_records, changed, frames, small_link

STAGES = (
    sifting(
        reporting=report_slots,
        answering=partial(answer_slots, matcher=match_to_prepared),
        reporting_hears=frozenset({SiftReply}),
        answering_hears=frozenset({DetectionReport}),
        reporter=Duty.REFERENCE,
    ),
    *AFTER_SIFTING,
)
DECOYS = changed(
    small_link(security={"epsilon": 1e-6}),
    protocol=qp.DecoyBB84(intensities=(0.5, 0.15), probabilities=(0.6, 0.4)),
    blocks={"max_detections": 2**20, "detections": 2**20},
)
CORRECTIONS = {"cascade": qp.Cascade(), "blind": qp.Ldpc(frame_bits=2**14, blind_rounds=2)}


@pytest.fixture(autouse=True)
def bob_is_the_reference() -> Iterator[None]:
    usual = dict(PROTOCOLS)
    for kind in ("bb84", "decoy-bb84"):
        PROTOCOLS[kind] = replace(usual[kind], reference="bob", stages=STAGES)
    yield
    PROTOCOLS.update(usual)


def reports(pair: Pair) -> list[BlockReport]:
    return [event.report for role in ("alice", "bob") for event in pair.events[role] if isinstance(event, KeyReady)]


def said_by(pair: Pair, *messages: type) -> dict[str, set[str]]:
    return {
        role: {type(message).__name__ for message in map(decode, pair.sent[role]) if isinstance(message, messages)}
        for role in ("alice", "bob")
    }


@pytest.mark.parametrize("method", CORRECTIONS)
def test_both_hosts_get_the_same_key(method: str) -> None:
    pair = Pair(
        small_link(security={"epsilon": 1e-6}, blocks={"detections": 20_000}, correction=CORRECTIONS[method]),
    )
    for seed in range(3):
        pair.submit(*bb84_records(60_000, qber=0.02, test_fraction=0.2, seed=seed))
    pair.finish()
    pair.run()
    assert pair.keys("alice") == pair.keys("bob")
    assert len(pair.keys("alice")) == 3
    ends = reports(pair)
    for own, peer in zip(ends[:3], ends[3:], strict=True):
        assert own.ledger.to_tuple() == peer.ledger.to_tuple()
        assert own.ledger.two_way
        assert own.ledger.bits(Cause.REFERENCE_PARITIES) > 0
        assert own.key_errors == peer.key_errors != 0
        assert own.key_length_bits == peer.key_length_bits > 10_000
    assert said_by(pair, SampleSeed, CorrectionStart, FrameTags, LengthProposal) == {
        "alice": {"CorrectionStart"},
        "bob": {"SampleSeed", "FrameTags", "LengthProposal"},
    }
    steps = [
        [message.step for message in map(decode, pair.sent[role]) if isinstance(message, Confirmation)]
        for role in ("alice", "bob")
    ]
    assert set(steps[0]) == {1}
    assert set(steps[1]) == {0, 2}


def test_alice_counts_the_errors_by_the_intensity_that_she_sent() -> None:
    alice, bob = qp.simulation.decoy_bb84(
        DECOYS, pulses=4_000_000, fibre_km=10, rng=np.random.default_rng(3), test_probabilities=(0.3, 0.3)
    )
    pair = Pair(DECOYS)
    pair.submit(alice, bob)
    pair.finish()
    pair.run()
    assert pair.keys("alice") == pair.keys("bob") != {}
    (verdict,) = (message for message in map(decode, pair.sent["alice"]) if isinstance(message, FrameVerdict))
    assert alice.intensities is not None
    bases, bits = np.asarray(alice.bases)[bob.slots], np.asarray(alice.bits)[bob.slots]
    key = (bases == 0) & (np.asarray(bob.bases) == 0)
    wrong = key & (bits != np.asarray(bob.bits))
    sent = np.asarray(alice.intensities.where(1))[bob.slots].astype(bool)
    sifted_errors = (int((wrong & ~sent).sum()), int((wrong & sent).sum()))
    own, peer = reports(pair)
    assert verdict.corrected == own.key_errors == peer.key_errors == sum(verdict.errors)
    assert own.setup_errors == peer.setup_errors
    assert sum(sifted_errors) == sum(verdict.errors) + own.setup_errors
    assert all(
        0 <= all_of - counted <= own.setup_errors for all_of, counted in zip(sifted_errors, verdict.errors, strict=True)
    )
    assert own.secret == peer.secret


@pytest.mark.parametrize("order", range(5, 11))
def test_he_may_go_on_before_she_has_released_in_whatever_order_the_lines_are_drained(order: int) -> None:
    """He releases first, and opens a block in the place of the one that ended, on the pads of its key."""
    rng = np.random.default_rng(order)
    pair = Pair(
        small_link(security={"epsilon": 1e-6}, blocks={"detections": 4000, "in_flight": 3}),
        preshared=bytes(range(32)) + bytes(range(48 * 3)),
    )
    for seed in range(6):
        pair.submit(*bb84_records(4500, qber=0.004, seed=seed))
    pair.finish()
    on_the_way: dict[str, deque[bytes]] = {"alice": deque(), "bob": deque()}
    idle = 0
    while idle < 60:
        who, other = rng.permutation(["alice", "bob"])
        if rng.random() < 0.25:
            said = list(frames(pair.sessions[who].data_to_send()))
            on_the_way[other] += said
            idle = 0 if said else idle + 1
        elif on_the_way[who] and pair.sessions[who].state.alive:
            pair.sessions[who].receive_data(on_the_way[who].popleft())
            idle = 0
    pair.collect()
    assert pair.keys("alice") == pair.keys("bob")
    assert len(pair.keys("bob")) == 6
