"""A frame that stays wrong is dropped, charged whole, and never becomes key."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec import structs

import qkdpost as qp
from qkdpost import simulation
from qkdpost.bits import Bits
from qkdpost.dialogue.ledger import Cause
from qkdpost.dialogue.messages import AbortReason, BlockTag, BlockVerdict, FrameTags, FrameVerdict
from qkdpost.reconciliation.cascade import correction
from qkdpost.reconciliation.correction import even_frame_bits
from qkdpost.security.epsilon import Epsilon
from qkdpost.session.codec import decode
from qkdpost.session.events import KeyReady
from qkdpost.stages import verification
from support.correction import spoiling
from support.link import Pair, bb84_records, small_link

FRAME_BITS = 1024
block_tag = verification._block_tag


def run_spoilt(monkeypatch: pytest.MonkeyPatch, frames: list[int], parities: list[int] | None = None) -> Pair:
    monkeypatch.setattr(correction, "run_cascade", spoiling(frames, [] if parities is None else parities))
    pair = Pair(small_link(blocks={"frame_bits": FRAME_BITS}))
    pair.submit(*bb84_records(20000))
    pair.finish()
    pair.run()
    return pair


@pytest.mark.parametrize("frames", [[0], [1, 2], [0, 3]])
def test_wrong_frames_are_dropped_and_charged(monkeypatch: pytest.MonkeyPatch, frames: list[int]) -> None:
    parities: list[int] = []
    pair = run_spoilt(monkeypatch, frames, parities)
    assert pair.keys("alice") == pair.keys("bob") != {}
    for role in ("alice", "bob"):
        report = next(event.report for event in pair.events[role] if isinstance(event, KeyReady))
        assert report.dropped_frames == len(frames)
        # With the parities that they are charged already, all their bits and no more.
        assert len(parities) == len(frames)
        dropped_bits = len(frames) * even_frame_bits(report.key_bits, FRAME_BITS)
        assert report.ledger.bits(Cause.DROPPED_FRAMES) == dropped_bits - sum(parities) > 0
        assert report.corrected_bits == report.key_bits - dropped_bits


def said_of_verification(pair: Pair, role: str) -> list[type]:
    kinds = (FrameTags, FrameVerdict, BlockTag, BlockVerdict)
    return [type(message) for message in map(decode, pair.sent[role]) if isinstance(message, kinds)]


@pytest.mark.parametrize("frames", [[], [0, 3]])
def test_the_block_is_tagged_again_only_where_frames_are_wrong(
    monkeypatch: pytest.MonkeyPatch, frames: list[int]
) -> None:
    """Each tag of it is charged, and its verdict, on both hosts; the keys of no two tags are equal."""
    pair = run_spoilt(monkeypatch, frames)
    assert pair.keys("alice") == pair.keys("bob") != {}
    tags_of_block = 2 if frames else 1
    assert said_of_verification(pair, "alice") == [FrameTags, *[BlockTag] * tags_of_block]
    assert said_of_verification(pair, "bob") == [FrameVerdict, BlockVerdict]
    sent = [message for message in map(decode, pair.sent["alice"]) if isinstance(message, FrameTags | BlockTag)]
    assert len({message.hash_key for message in sent}) == len(sent)
    tag_bits = Epsilon.split(pair.sessions["alice"].link.security.epsilon).verification_charge_bits - 1
    for role in ("alice", "bob"):
        report = next(event.report for event in pair.events[role] if isinstance(event, KeyReady))
        assert report.ledger.bits(Cause.BLOCK_TAG) == tags_of_block * tag_bits
        assert report.ledger.bits(Cause.BLOCK_VERDICT) == 1
        assert report.secret is not None
        charged = {term.name: -term.bits for term in report.secret.terms}
        assert charged["verification"] == tag_bits + 1
        assert charged["correction"] == report.ledger.charged_bits - charged["verification"]


@pytest.mark.parametrize("which", [0, 1])
def test_the_tag_that_decides_is_that_of_what_is_kept(monkeypatch: pytest.MonkeyPatch, which: int) -> None:
    """Where frames are dropped the first tag of the block says nothing, whatever it is; a wrong second ends it."""
    monkeypatch.setattr(correction, "run_cascade", spoiling([1], []))
    pair = Pair(small_link(blocks={"frame_bits": FRAME_BITS}))
    tags = [0]

    def forge(message: object) -> object:
        if isinstance(message, BlockTag):
            tags[0] += 1
            if tags[0] == which + 1:
                return structs.replace(message, tag=bytes(octet ^ 1 for octet in message.tag))
        return message

    monkeypatch.setattr(verification, "_block_tag", lambda *arguments: forge(block_tag(*arguments)))
    pair.submit(*bb84_records(20000))
    pair.finish()
    pair.run()
    assert tags == [2]
    for role in ("alice", "bob"):
        assert bool(pair.keys(role)) is (which == 0)
        assert [event.reason for event in pair.aborts(role)] == [AbortReason.VERIFICATION_FAILED] * which


def test_no_frame_left_is_a_failed_block(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = run_spoilt(monkeypatch, list(range(5)))
    for role in ("alice", "bob"):
        assert [event.reason for event in pair.aborts(role)] == [AbortReason.VERIFICATION_FAILED]
        assert pair.keys(role) == {}


def test_the_block_tag_catches_what_frame_tags_miss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "_equal_frames", lambda differences, tag_bits: ~Bits.zeros(5))
    pair = run_spoilt(monkeypatch, [1])
    for role in ("alice", "bob"):
        assert [event.reason for event in pair.aborts(role)] == [AbortReason.VERIFICATION_FAILED]
        assert pair.keys(role) == {}


def test_dropped_bits_are_among_the_errors_of_their_intensity(monkeypatch: pytest.MonkeyPatch) -> None:
    """Honest counts of a block that lost frames stand the checks that a peer's counts must stand."""
    monkeypatch.setattr(correction, "run_cascade", spoiling([0, 2], []))
    link = small_link(
        protocol=qp.DecoyBB84(intensities=(0.5, 0.15), probabilities=(0.6, 0.4)),
        security={"epsilon": 1e-6},
        blocks={"max_detections": 2**20, "detections": 2**20, "frame_bits": FRAME_BITS},
    )
    pair = Pair(link)
    pair.submit(
        *simulation.decoy_bb84(
            link, pulses=10_000_000, fibre_km=10, rng=np.random.default_rng(3), test_probabilities=(0.3, 0.3)
        )
    )
    pair.finish()
    pair.run()
    assert pair.keys("alice") == pair.keys("bob") != {}
    reports = [event.report for role in pair.events for event in pair.events[role] if isinstance(event, KeyReady)]
    assert [report.dropped_frames for report in reports] == [3, 3]  # with one that Cascade itself leaves wrong here
    assert reports[0].key_errors == reports[1].key_errors
