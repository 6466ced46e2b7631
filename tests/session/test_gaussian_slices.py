"""Continuous variables corrected by slices between two sessions: ledger, frames that fail, and what a peer may do."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
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
    FrameRotations,
    FrameSlices,
    FrameTags,
    LengthProposal,
    Message,
    ReversePlan,
)
from qkdpost.errors import AuthenticationError, RemoteProtocolError
from qkdpost.reconciliation.ldpc.decoders import DECODERS
from qkdpost.reconciliation.slices.codes import level_codes
from qkdpost.reconciliation.slices.frames import give_up_bits, labels_of_key
from qkdpost.reconciliation.slices.plan import SlicePlan
from qkdpost.security.gaussian.acceptance import GaussianAcceptance
from qkdpost.session.codec import decode, encode
from support.continuous_sessions import Alter, replaced, reports, said, simulated, with_field
from support.link import Pair

SYMBOLS = 60_000
DISCLOSED = 2**12
FRAME = 2**14
CHANNEL = {"modulation_variance": 8.0, "transmittance": 0.98, "excess_noise": 0.0, "calibration_symbols": 2**20}


def link(detection: str = "heterodyne", **correction: Any) -> qp.LinkConfig:
    """Six frames in two batches; an epsilon at which so few symbols make a key."""
    return qp.LinkConfig(
        protocol=qp.GaussianCV(
            modulation_variance=8.0,
            modulation_tolerance=0.0,
            efficiency=0.6,
            efficiency_tolerance=0.0,
            detection=detection,  # type: ignore[arg-type]
            attacks="phase-insensitive-gaussian-collective",
            disclosed_symbols=DISCLOSED,
        ),
        correction=qp.Slices(**{"frame_outcomes": FRAME, "batch_frames": 4} | correction),
        security=qp.Security(epsilon=0.1),
        blocks=qp.Blocks(detections=1, max_detections=2**20),
    )


def records(detection: str = "heterodyne") -> tuple[qp.CoherentStates, qp.QuadratureOutcomes]:
    return simulated(SYMBOLS * (1 if detection == "heterodyne" else 2), detection, **CHANNEL)


def talk(config: qp.LinkConfig, alter: Alter | None = None) -> Pair:
    detection: str = config.protocol.detection  # type: ignore[attr-defined]
    pair = Pair(config)
    pair.submit(*records(detection))  # type: ignore[arg-type]
    pair.finish()
    pair.run(alter)
    return pair


def plan_of(pair: Pair) -> SlicePlan:
    return SlicePlan.from_bytes(next(message.plan for message in said(pair, "bob") if isinstance(message, ReversePlan)))


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
    assert names[names.index("BlockOpen") + 1 :][:8] == [
        "SymbolRequest",
        "QuadratureChoices",
        "ReversePlan",
        "FrameSlices",
        "CorrectionRound",
        "FrameTags",
        "AnnouncedMoments",
        "BlockTag",
    ]


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


def at(place: int, value: bytes) -> Callable[[bytes], bytes]:
    return lambda data: data[:place] + value + data[place + len(value) :]


def with_plan(change: Callable[[bytes], bytes]) -> Callable[[Any], Any]:
    return lambda message: with_field(plan=change(message.plan))(message)


def with_data(change: Callable[[bytes], bytes]) -> Callable[[Any], Any]:
    return lambda message: with_field(data=change(message.data))(message)


WIDTH, DEVIATION, LENGTHS, TURNS = 5, 13, 21, 2 * FRAME
NONSENSE: dict[str, tuple[type[Message], Callable[[Any], Any], str]] = {
    "plan: none": (ReversePlan, with_plan(lambda data: b""), "plan of slices"),
    "plan: cut": (ReversePlan, with_plan(lambda data: data[:-1]), "plan of slices"),
    "plan: longer": (ReversePlan, with_plan(lambda data: data + b"\0"), "plan of slices"),
    "plan: one of rotations": (ReversePlan, with_field(plan=b"\xa0\0\0\0"), "plan of slices"),
    "plan: other frames": (ReversePlan, with_plan(at(0, (2**16).to_bytes(4, "little"))), "frames of this link"),
    "plan: frames of no code": (ReversePlan, with_plan(at(0, b"\1\0\0\0")), "frame_reals"),
    "plan: no levels": (ReversePlan, with_plan(at(4, b"\0")), "levels"),
    "plan: too many levels": (ReversePlan, with_plan(at(4, b"\xff")), "levels"),
    "plan: no width": (ReversePlan, with_plan(at(WIDTH, bytes(8))), "width"),
    "plan: width beyond bounds": (ReversePlan, with_plan(at(WIDTH, b"\xff" * 8)), "width"),
    "plan: no noise": (ReversePlan, with_plan(at(DEVIATION, bytes(8))), "deviation"),
    "plan: noise wider than cells": (ReversePlan, with_plan(at(DEVIATION, (2**40).to_bytes(8, "little"))), "width"),
    "plan: cheap frames": (ReversePlan, with_plan(at(LENGTHS, b"\1\0" * 8)), "Kraft"),
    "plan: frames for nothing": (ReversePlan, with_plan(at(LENGTHS, b"\0\0")), "lengths"),
    "plan: no gain": (ReversePlan, with_field(gain=0.0), "above 0"),
    "plan: a gain of no outcomes": (ReversePlan, with_field(gain=1e30), "within"),
    "plan: no inverse": (ReversePlan, with_field(matrix=(1.0, 1.0, 1.0, 1.0)), "inverse"),
    "slices: another frame": (FrameSlices, with_field(frame=1), "frame 0"),
    "slices: none": (FrameSlices, with_field(data=b""), "too few"),
    "slices: cut": (FrameSlices, with_data(lambda data: data[:-8]), "slices of the peer"),
    "slices: longer": (FrameSlices, with_data(lambda data: data + b"\0"), "slices of the peer"),
    "slices: more turns than there are": (FrameSlices, with_data(at(TURNS, b"\xff\xff")), "turns"),
    "slices: rotations": (
        FrameSlices,
        lambda message: FrameRotations(block=message.block, frame=0, part=0, data=message.data),
        "expected FrameSlices",
    ),
    "flags: too many": (FrameFlags, lambda m: with_field(flags=m.flags + b"\0")(m), "verdicts"),
    "flags: another step": (FrameFlags, with_field(step=7), "step"),
    "flags: another batch": (FrameFlags, with_field(first_frame=1), "batch"),
    "moments: not these outcomes": (
        AnnouncedMoments,
        lambda m: with_field(sums=tuple(1.01 * number for number in m.sums))(m),
        "another sum",
    ),
}
OF_ALICE = {
    "verdicts: too few": (with_field(bits=6, data=b"\0"), "expected 8 verdicts"),
    "verdicts: too many": (with_field(bits=9, data=b"\0\0"), "expected 8 verdicts"),
    "verdicts: bytes": (with_field(bits=None), "expected 8 verdicts"),
    "verdicts: more of what did not fail": (with_field(data=b"\x10"), "only of frames that failed"),
    "verdicts: another round": (with_field(round=1), "round"),
    "verdicts: bits past the end": (with_field(bits=7, data=b"\xff"), "bits"),
}


def dead(alter: Alter, message: str) -> None:
    pair = Pair(link())
    pair.submit(*records())  # type: ignore[arg-type]
    pair.finish()
    with pytest.raises(RemoteProtocolError, match=message):
        pair.run(alter)
    pair.collect()
    assert pair.keys("alice") == pair.keys("bob") == {}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_of_the_peer_ends_the_connection_and_releases_nothing(name: str) -> None:
    kind, change, message = NONSENSE[name]
    dead(replaced(kind, change), message)


def in_rounds_of(role: str, change: Callable[[Any], Any]) -> Alter:
    """Change the first round that a role speaks in."""
    done: list[int] = []

    def alter(source: str, number: int, frame: bytes) -> list[bytes]:
        message = decode(frame)
        if source != role or done or not isinstance(message, CorrectionRound):
            return [frame]
        done.append(number)
        return [encode(change(message))]

    return alter


@pytest.mark.parametrize("name", OF_ALICE)
def test_verdicts_that_cannot_be_end_the_connection(name: str) -> None:
    dead(in_rounds_of("alice", OF_ALICE[name][0]), OF_ALICE[name][1])


@pytest.mark.parametrize(
    ("change", "message"),
    [(with_field(bits=1, data=b"\1"), "expected 0 bits"), (with_field(bits=None, data=b"\1"), "expected 0 bits")],
)
def test_the_reference_says_nothing_while_nobody_asks(change: Callable[[Any], Any], message: str) -> None:
    dead(in_rounds_of("bob", change), message)


CLEAN = talk(link())
FIRSTS = {
    (role, type(decode(frame)).__name__): number
    for role in ("bob", "alice")
    for number, frame in reversed(list(enumerate(CLEAN.sent[role])))
}
PLACES = [
    (role, number)
    for (role, name), number in FIRSTS.items()
    if name not in ("Hello", "Ready", "Close", "Confirmation", "BlockOpen")
]


def hold(alter: Alter) -> Pair:
    """Let both talk over a line that alters, until one of them finds out; then the line is cut."""
    pair = Pair(link())
    pair.submit(*records())  # type: ignore[arg-type]
    pair.finish()
    with contextlib.suppress(RemoteProtocolError, AuthenticationError):
        pair.run(alter)
    for session in pair.sessions.values():
        session.connection_lost()
    pair.collect()
    return pair


@pytest.mark.parametrize("action", ["flip", "cut", "twice", "never"])
@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place[0]}{place[1]}")
def test_a_message_altered_on_the_line_leaves_no_key(place: tuple[str, int], action: str) -> None:
    rng = np.random.default_rng(place[1])

    def alter(source: str, number: int, frame: bytes) -> list[bytes]:
        if (source, number) != place:
            return [frame]
        if action == "flip":
            altered = bytearray(frame)
            altered[int(rng.integers(4, len(frame)))] ^= 1 << int(rng.integers(8))
            return [bytes(altered)]
        if action == "cut":
            return [frame[: len(frame) // 2]]
        return [frame, frame] if action == "twice" else []

    pair = hold(alter)
    assert pair.keys("alice") == pair.keys("bob") == {}


@pytest.mark.parametrize("size", [1 << 10, 33_333])
def test_chunks_of_the_line_do_not_matter(size: int) -> None:
    def chunks(source: str, number: int, frame: bytes) -> list[bytes]:
        return [frame[start : start + size] for start in range(0, len(frame), size)]

    pair = talk(link(), chunks)
    assert pair.keys("alice") == pair.keys("bob") == CLEAN.keys("alice") != {}


def test_a_batch_of_another_block_is_not_taken() -> None:
    """Slices of frames are said anew in every block: those of a batch before are not the next ones."""
    kept: list[bytes] = []

    def alter(source: str, number: int, frame: bytes) -> list[bytes]:
        message = decode(frame)
        if isinstance(message, FrameSlices):
            if message.frame == 0:
                kept.append(message.data)
            elif message.frame == 4:
                return [encode(msgspec.structs.replace(message, data=kept[0]))]
        return [frame]

    pair = hold(alter)
    assert pair.keys("alice") == pair.keys("bob") == {}


def test_no_message_is_longer_than_a_line_must_take() -> None:
    longest = max(len(frame) for frame in CLEAN.sent["bob"] if not isinstance(decode(frame), LengthProposal))
    assert longest < 2**20
    assert link().max_message_bytes >= max(len(frame) for frame in CLEAN.sent["bob"])


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
