"""Continuous variables corrected by slices between two sessions: ledger, frames that fail, settings."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

import qkdpost as qp
from qkdpost.bits import Bits
from qkdpost.dialogue.ledger import Cause
from qkdpost.dialogue.messages import (
    AnnouncedMoments,
    CorrectionRound,
    FrameFlags,
    FrameSlices,
    FrameTags,
    LengthProposal,
)
from qkdpost.errors import RemoteProtocolError
from qkdpost.reconciliation.ldpc.decoders import DECODERS
from qkdpost.reconciliation.slices.codes import level_codes
from qkdpost.reconciliation.slices.frames import give_up_bits, labels_of_key
from qkdpost.security.gaussian.acceptance import GaussianAcceptance
from qkdpost.session.codec import decode
from support.continuous_sessions import reports, said
from support.link import Pair
from support.short_link import FRAME, link, plan_of, records, talk


@pytest.mark.parametrize("detection", ["heterodyne", "homodyne"])
def test_both_hosts_hold_the_same_key_ledger_and_bound(detection: str) -> None:
    pair = talk(link(detection))
    assert pair.keys("alice") == pair.keys("bob") != {}
    alice, bob = reports(pair)
    assert alice.ledger.to_tuple() == bob.ledger.to_tuple()
    assert alice.secret is not None
    assert alice.secret == bob.secret
    assert alice.secret.bound == "gaussian-cv by slices, variable-length"
    assert not alice.ledger.two_way
    assert alice.frames == (6 if detection == "heterodyne" else 7)
    assert alice.corrected_bits == bob.corrected_bits == alice.frames * plan_of(pair).frame_bits
    assert alice.other_facts["frame_outcomes"] == FRAME
    assert not any("rotations" in text for text in (*alice.secret.assumptions, *alice.secret.unproven))


def test_every_bit_that_is_disclosed_is_in_the_ledger() -> None:
    pair = talk(link())
    alice, bob = reports(pair)[0], said(pair, "bob")
    slices = [message for message in bob if isinstance(message, FrameSlices)]
    tags = [message for message in bob if isinstance(message, FrameTags)]
    flags = [message for message in said(pair, "alice") if isinstance(message, FrameFlags)]
    verdicts = [message for message in said(pair, "alice") if isinstance(message, CorrectionRound)]
    rounds = [message for message in bob if isinstance(message, CorrectionRound)]
    moments = [
        message for role in ("alice", "bob") for message in said(pair, role) if isinstance(message, AnnouncedMoments)
    ]
    assert alice.ledger.bits(Cause.REFERENCE_PARITIES) == 8 * sum(len(m.data) - 2 * FRAME for m in slices)
    assert alice.ledger.bits(Cause.FRAME_TAGS) == 8 * sum(len(message.tags) for message in tags)
    said_of_frames = sum(message.bits or 0 for message in verdicts)
    assert alice.ledger.bits(Cause.FRAME_VERDICTS) == said_of_frames + alice.frames
    assert alice.ledger.bits(Cause.REVEALED_BITS) == sum(message.bits or 0 for message in rounds)
    assert all(message.bits is not None for message in (*verdicts, *rounds))
    assert len(flags) == 2
    assert alice.ledger.bits(Cause.STATISTICS) == 64 * sum(len(m.counts) + len(m.sums) for m in moments) + 2


def test_the_order_is_that_of_the_page() -> None:
    names = list(dict.fromkeys(type(message).__name__ for message in said(talk(link("homodyne")), "bob")))
    assert names[names.index("BlockOpen") + 1 :][:7] == [
        "SymbolRequest",
        "QuadratureChoices",
        "ReversePlan",
        "FrameSlices",
        "FrameTags",
        "AnnouncedMoments",
        "BlockTag",
    ]


@pytest.mark.parametrize("detection", ["heterodyne", "homodyne"])
@pytest.mark.parametrize("distance", [5, 16384])
def test_an_echo_is_seen_by_both_hosts_however_short_the_frames(distance: int, detection: str) -> None:
    """An echo of 0.15, of which some 28,000 pairs have a standard error of 0.006; no key from 0.06 on."""
    alice, bob = records(detection)
    values = np.asarray(bob.values) + np.float32(0.15) * np.roll(bob.values, distance, axis=0)
    echoed = qp.QuadratureOutcomes(
        values=values, quadratures=bob.quadratures, electronic_shot=bob.electronic_shot, efficiency=0.6
    )
    pair = Pair(link(detection))
    pair.submit(alice, echoed)  # type: ignore[arg-type]
    pair.finish()
    pair.run()
    for report in reports(pair):
        assert f"autocorrelation of the outcomes {distance} apart" in str(report.abort_detail)
    assert pair.keys("alice") == pair.keys("bob") == {}


class Faulty:
    """Decodes as "accurate" does, but calls frames undecoded at the lowest bit, or wrong ones well at the third."""

    def __init__(self, *, undecoded: int = 0, wrong: int = 0) -> None:
        self.undecoded, self.wrong = undecoded, wrong

    def compile(self, code: Any) -> Any:
        right, faulty = DECODERS["accurate"].compile(code), self
        level = level_codes(FRAME).syndrome_bits.index(code.syndrome_bits)

        class Compiled:
            def decode(self, syndromes: Any, channel: Any) -> Any:
                decoded = right.decode(syndromes, channel)
                if level == 0 and faulty.undecoded:
                    faulty.undecoded -= 1
                    decoded.converged[0] = False
                elif level == 2 and faulty.wrong:
                    faulty.wrong -= 1
                    decoded.words[0, 0] ^= np.uint64(1)
                return decoded

        return Compiled()


def test_a_frame_that_needs_more_gets_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DECODERS, "faulty", Faulty(undecoded=2))
    pair = talk(link(decoder="faulty"))
    alice, bob = reports(pair)
    assert alice.other_facts["increments"] == bob.other_facts["increments"] == 2
    assert alice.other_facts["frames_given_up"] == 0
    assert alice.ledger.bits(Cause.REVEALED_BITS) == 2 * FRAME * 8 // 1024
    assert alice.ledger.to_tuple() == bob.ledger.to_tuple()
    assert pair.keys("alice") == pair.keys("bob") != {}


def test_a_frame_that_is_never_found_is_disclosed_whole_and_stays_in_the_statistics(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = talk(link())
    monkeypatch.setitem(DECODERS, "faulty", Faulty(undecoded=5))
    pair = talk(link(decoder="faulty", batch_frames=1))
    alice, bob = reports(pair)
    assert alice.other_facts["frames_given_up"] == bob.other_facts["frames_given_up"] == 1
    assert alice.dropped_frames == 0
    plan = plan_of(pair)
    (labels,) = [
        labels_of_key(Bits.from_bytes(message.data, message.bits), plan)
        for message in said(pair, "bob")
        if isinstance(message, CorrectionRound) and message.bits == plan.frame_bits
    ]
    of_frames = sum(
        alice.ledger.bits(cause) for cause in (Cause.REFERENCE_PARITIES, Cause.REVEALED_BITS, Cause.DROPPED_FRAMES)
    )
    (other,) = reports(whole)[:1]
    syndromes = sum(plan.codes.syndrome_bits)
    assert of_frames == other.ledger.bits(Cause.REFERENCE_PARITIES) - syndromes + give_up_bits(labels[0], plan)
    assert alice.ledger.to_tuple() == bob.ledger.to_tuple()
    assert sums_of(pair) == pytest.approx(sums_of(whole), rel=1e-12)
    assert pair.keys("alice") == pair.keys("bob")
    assert alice.secret is not None
    assert other.secret is not None
    assert alice.secret.bits < other.secret.bits


def sums_of(pair: Pair) -> tuple[float, ...]:
    return next(message.sums for message in said(pair, "alice") if isinstance(message, AnnouncedMoments))


def test_a_wrong_frame_is_found_by_its_tag_and_its_outcomes_still_count(monkeypatch: pytest.MonkeyPatch) -> None:
    right = talk(link())
    monkeypatch.setitem(DECODERS, "faulty", Faulty(wrong=1))
    pair = talk(link(decoder="faulty"))
    alice, bob = reports(pair)
    assert alice.dropped_frames == bob.dropped_frames == alice.other_facts["frames_given_up"] == 1
    assert alice.corrected_bits == 5 * plan_of(pair).frame_bits
    assert alice.ledger.to_tuple() == bob.ledger.to_tuple()
    assert alice.ledger.bits(Cause.DROPPED_FRAMES) > 0
    assert sums_of(pair) == pytest.approx(sums_of(right), rel=1e-12)
    assert pair.keys("alice") == pair.keys("bob")


def test_no_frame_at_all_is_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DECODERS, "faulty", Faulty(undecoded=100))
    alice, bob = reports(talk(link(decoder="faulty", batch_frames=1)))
    assert alice.other_facts["frames_given_up"] == alice.frames == 6
    assert alice.abort_reason == bob.abort_reason == "verification_failed"
    assert alice.ledger.to_tuple() == bob.ledger.to_tuple()


def test_no_message_is_longer_than_a_line_must_take() -> None:
    clean = talk(link())
    longest = max(len(frame) for frame in clean.sent["bob"] if not isinstance(decode(frame), LengthProposal))
    assert longest < 2**20
    assert link().max_message_bytes >= max(len(frame) for frame in clean.sent["bob"])


def test_the_seed_of_the_last_hash_fits_whatever_the_block() -> None:
    """A symbol makes two labels of six bits at most, and the seed has a bit for each."""
    for detections in (2**10, 2**26, 2**30):
        config = msgspec.structs.replace(link(), blocks=qp.Blocks(detections=1, max_detections=detections))
        assert 8 * config.max_message_bytes > 12 * detections + 2**10
    assert qp.LinkConfig(protocol=qp.BB84()).max_message_bytes == 2**23 + 2**16


@pytest.mark.parametrize("bound", ["fixed-length", "second-order"])
def test_fixed_lengths_are_refused_with_the_reason(bound: str) -> None:
    thresholds = GaussianAcceptance(key_reals=1, holevo_information=1.0, direction_bits=0.0, leakage_bits=1)
    protocol, security = link().protocol, qp.Security(bound=bound, acceptance=thresholds)
    qp.LinkConfig(protocol=protocol, security=security)
    with pytest.raises(qp.ConfigurationError, match=r"variable length only.*planned_key_bits"):
        qp.LinkConfig(protocol=protocol, correction=qp.Slices(), security=security)


def test_a_planned_length_is_given_whole() -> None:
    config = link()
    planned = qp.Security(epsilon=0.1, planned_key_bits=2000)
    pair = talk(msgspec.structs.replace(config, security=planned))
    alice, _ = reports(pair)
    assert alice.key_length_bits + alice.authentication_bits == 2000
    assert pair.keys("alice") == pair.keys("bob") != {}


def test_settings_go_to_text_and_back() -> None:
    config = link(frame_outcomes=2**16)
    assert qp.LinkConfig.from_toml(config.to_toml()) == config
    assert config.correction.corrects_one_way
    for change in ({"frame_outcomes": 2**15}, {"batch_frames": 0}, {"decoder": "none"}):
        with pytest.raises(qp.ConfigurationError):
            qp.Slices(**change)  # type: ignore[arg-type]


def test_the_decoder_of_the_link_must_be_there() -> None:
    with pytest.raises(qp.ConfigurationError, match="decoder of slices must be one of fast"):
        Pair(link(decoder="unheard-of"))


def test_another_method_at_the_peer_is_named() -> None:
    config = link()
    other = qp.LinkConfig(
        protocol=config.protocol, correction=qp.Multidimensional(), security=config.security, blocks=config.blocks
    )
    alice = qp.Session(role="alice", link=config, auth_key=qp.KeyPool(bytes(range(256)) * 16))
    bob = qp.Session(role="bob", link=other, auth_key=qp.KeyPool(bytes(range(256)) * 16))
    with pytest.raises(RemoteProtocolError, match="correction"):
        alice.receive_data(bob.data_to_send())
