"""Continuous variables between two sessions: order, frames that fail, and what a peer or a line may do to messages."""

from __future__ import annotations

import doctest
import importlib
import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import qkdpost as qp
from qkdpost.dialogue.ledger import Cause
from qkdpost.dialogue.messages import (
    AbortReason,
    AnnouncedMoments,
    DisclosedSymbols,
    FrameFlags,
    FrameRotations,
    FrameSyndrome,
    FrameTags,
    Message,
    QuadratureChoices,
    ReversePlan,
    SymbolRequest,
)
from qkdpost.errors import RemoteProtocolError
from qkdpost.reconciliation.raptor.decoders import RAPTOR_DECODERS
from support.continuous_sessions import replaced, reports, said, simulated, with_field, with_floats
from support.link import Pair

SYMBOLS = 150_000
DISCLOSED = 2**13


def link(detection: str = "heterodyne", **correction: Any) -> qp.LinkConfig:
    """Two frames or three, in two batches; too few for a key, but the conversation goes on to the bound."""
    return qp.LinkConfig(
        protocol=qp.GaussianCV(
            modulation_variance=4.0,
            efficiency=0.6,
            detection=detection,  # type: ignore[arg-type]
            disclosed_symbols=DISCLOSED,
        ),
        correction=qp.Multidimensional(**{"batch_frames": 2} | correction),
        blocks=qp.Blocks(detections=1),
    )


def small_records(detection: str = "heterodyne") -> tuple[qp.CoherentStates, qp.QuadratureOutcomes]:
    return simulated(SYMBOLS * (1 if detection == "heterodyne" else 2), detection)


def talk(config: qp.LinkConfig, alter: Callable[[str, int, bytes], list[bytes]] | None = None) -> Pair:
    pair = Pair(config)
    pair.submit(*small_records(config.protocol.detection))  # type: ignore[arg-type, attr-defined]
    pair.finish()
    pair.run(alter)
    return pair


@pytest.mark.parametrize("detection", ["heterodyne", "homodyne"])
def test_both_hosts_hold_the_same_ledger_and_the_same_bound(detection: str) -> None:
    pair = talk(link(detection))
    alice, bob = reports(pair)
    assert alice.completed_stages[:4] == (
        "disclosure",
        "reverse reconciliation",
        "estimation after correction",
        "verification",
    )
    assert alice.ledger.to_tuple() == bob.ledger.to_tuple()
    assert alice.secret is not None
    assert alice.secret == bob.secret
    assert not alice.ledger.two_way


def test_a_report_has_symbols_and_no_rates_of_bits() -> None:
    alice, bob = reports(talk(link()))
    for report in (alice, bob):
        text = str(report)
        assert re.search(rf"symbols of the block +{SYMBOLS:,}\n +disclosed symbols +{DISCLOSED:,}\n", text)
        assert not any(word in text for word in ("QBER", "clicks", "sifted", "detectors 0"))
        told = json.loads(json.dumps(report.to_dict()))
        assert told["continuous"] is True
        assert told["own_record"] is told["efficiency"] is told["qber_key"] is None


def test_a_block_that_ends_early_says_nothing_of_clicks_and_bits() -> None:
    pair = Pair(link())
    alice, bob = small_records()
    stuck = np.array(alice.symbols)
    stuck[200:300, 0] = stuck[200, 0]
    pair.submit(qp.CoherentStates(symbols=stuck, modulation_variance=4.0), bob)  # type: ignore[arg-type]
    pair.finish()
    pair.run()
    report = pair.aborts("alice")[0].report
    assert "one value came 100 times in a row" in str(report.abort_detail)
    assert report.own_record is None
    assert not any(word in str(report) for word in ("QBER", "clicks", "sifted", "own bits"))


def test_the_reference_reports_a_calibration_that_drifts() -> None:
    """Halves whose variances are 6 % apart: above what chance does with 0.001, below what is refused."""
    alice, bob = small_records()
    drifted = np.array(bob.electronic_shot)
    drifted[len(drifted) // 2 :] *= 1.06**0.5
    pair = Pair(link())
    record = qp.QuadratureOutcomes(values=bob.values, electronic_shot=drifted, efficiency=0.6)
    pair.submit(alice, record)  # type: ignore[arg-type]
    pair.finish()
    pair.run()
    told = {report.role: [notice for notice in report.notices if "drift" in notice] for report in reports(pair)}
    assert told["alice"] == []
    assert len(told["bob"]) == 1
    assert "warning" in told["bob"][0]


@pytest.mark.parametrize(("share", "told"), [(0.0, False), (0.022, True), (0.3, None)])
def test_an_echo_some_symbols_later(share: float, told: bool | None) -> None:
    """Of 65,536 symbols looked at, the standard error is 0.004: a notice from 0.02 on, no key from 0.045 on."""
    alice, bob = small_records()
    values = bob.values + np.float32(share) * np.roll(bob.values, 7, axis=0)
    pair = Pair(link())
    pair.submit(alice, qp.QuadratureOutcomes(values=values, electronic_shot=bob.electronic_shot, efficiency=0.6))  # type: ignore[arg-type]
    pair.finish()
    pair.run()
    for report in reports(pair):
        notices = [notice for notice in report.notices if "autocorrelation of the outcomes 7 apart" in notice]
        assert bool(notices) == bool(told)
        refused = "autocorrelation of the outcomes 7 apart" in str(report.abort_detail)
        assert refused == (told is None)


def test_the_order_is_that_of_the_page() -> None:
    pair = talk(link("homodyne"))
    names = list(dict.fromkeys(type(message).__name__ for message in said(pair, "bob")))
    assert names[names.index("BlockOpen") + 1 :][:8] == [
        "SymbolRequest",
        "QuadratureChoices",
        "ReversePlan",
        "FrameRotations",
        "FrameSyndrome",
        "FrameTags",
        "AnnouncedMoments",
        "BlockTag",
    ]


def test_every_bit_that_is_disclosed_is_in_the_ledger() -> None:
    pair = talk(link())
    (alice, _), bob = reports(pair), said(pair, "bob")
    syndromes = [message for message in bob if isinstance(message, FrameSyndrome)]
    tags = [message for message in bob if isinstance(message, FrameTags)]
    flags = [message for message in said(pair, "alice") if isinstance(message, FrameFlags)]
    moments = [
        message for role in ("alice", "bob") for message in said(pair, role) if isinstance(message, AnnouncedMoments)
    ]
    assert alice.ledger.bits(Cause.REFERENCE_PARITIES) == 8 * sum(len(message.data) for message in syndromes)
    assert alice.ledger.bits(Cause.FRAME_TAGS) == 8 * sum(len(message.tags) for message in tags)
    assert alice.ledger.bits(Cause.FRAME_VERDICTS) == 2 * alice.frames + alice.other_facts["increments"]
    assert len(flags) == alice.reconciliation_rounds
    assert alice.ledger.bits(Cause.STATISTICS) == 64 * sum(len(m.counts) + len(m.sums) for m in moments) + 2


class Faulty:
    """Decodes as "layered" does, but calls frames that it was told to undecoded, or wrong ones well."""

    def __init__(self, *, undecoded: int = 0, wrong: int = 0) -> None:
        self.undecoded, self.wrong = undecoded, wrong

    def compile(self, code: Any, extension_rows: int) -> Any:
        right, faulty = RAPTOR_DECODERS["layered"].compile(code, extension_rows), self

        class Compiled:
            def decode(self, syndromes: Any, channel: Any, increments: int = 0) -> Any:
                decoded = right.decode(syndromes, channel, increments)
                if faulty.undecoded:
                    faulty.undecoded -= 1
                    decoded.converged[0] = False
                elif faulty.wrong and decoded.converged[0]:
                    faulty.wrong -= 1
                    decoded.words[0, 0] ^= np.uint64(1)
                return decoded

        return Compiled()


def test_a_frame_that_needs_more_gets_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RAPTOR_DECODERS, "faulty", Faulty(undecoded=2))
    pair = talk(link(decoder="faulty"))
    alice, bob = reports(pair)
    steps = [message.step for message in said(pair, "bob") if isinstance(message, FrameSyndrome)]
    assert {1, 2} <= set(steps)
    assert alice.other_facts["increments"] == bob.other_facts["increments"] >= 2
    assert alice.other_facts["frames_given_up"] == 0
    assert alice.ledger.to_tuple() == bob.ledger.to_tuple()
    assert alice.secret == bob.secret is not None


def test_a_frame_that_never_decodes_is_disclosed_whole_and_stays_in_the_statistics(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = reports(talk(link()))[0]
    monkeypatch.setitem(RAPTOR_DECODERS, "faulty", Faulty(undecoded=100))
    pair = talk(link(decoder="faulty", batch_frames=1))
    alice, bob = reports(pair)
    assert alice.frames == alice.other_facts["frames_given_up"]
    assert alice.abort_reason == "verification_failed"
    disclosed = alice.ledger.bits(Cause.REFERENCE_PARITIES) + alice.ledger.bits(Cause.DROPPED_FRAMES)
    assert disclosed == alice.frames * alice.other_facts["frame_outcomes"]
    assert bob.ledger.to_tuple() == alice.ledger.to_tuple()
    assert whole.frames == alice.frames


def test_a_wrong_frame_is_found_by_its_tag_and_its_outcomes_still_count(monkeypatch: pytest.MonkeyPatch) -> None:
    right = reports(talk(link()))[0]
    monkeypatch.setitem(RAPTOR_DECODERS, "faulty", Faulty(wrong=1))
    pair = talk(link(decoder="faulty"))
    alice, bob = reports(pair)
    assert alice.dropped_frames == bob.dropped_frames == 1
    assert alice.corrected_bits < right.corrected_bits
    parities = sum(alice.ledger.bits(cause) for cause in (Cause.REFERENCE_PARITIES, Cause.DROPPED_FRAMES))
    assert parities >= alice.other_facts["frame_outcomes"] + (alice.frames - 1) * right.ledger.bits(
        Cause.REFERENCE_PARITIES
    ) // (2 * right.frames)
    assert alice.ledger.bits(Cause.DROPPED_FRAMES) > 0
    moments = [message for message in said(pair, "alice") if isinstance(message, AnnouncedMoments)]
    first = [message for message in said(talk(link()), "alice") if isinstance(message, AnnouncedMoments)]
    assert moments[0].counts == first[0].counts
    assert np.allclose(moments[0].sums, first[0].sums, rtol=1e-12, atol=1e-6)


NONSENSE: dict[str, tuple[type[Message], Callable[[Any], Any], str]] = {
    "disclosed: NaN": (DisclosedSymbols, with_floats("symbols", float("nan")), "within"),
    "disclosed: too far out": (DisclosedSymbols, with_floats("symbols", 1e9), "within"),
    "disclosed: one too few": (DisclosedSymbols, lambda m: with_field(symbols=m.symbols[:-8])(m), "symbols take"),
    "disclosed: another part": (DisclosedSymbols, with_field(part=3), "part"),
    "plan: no such code": (ReversePlan, with_field(plan=(10**6).to_bytes(4, "little")), "rows"),
    "plan: no gain": (ReversePlan, with_field(gain=0.0), "above 0"),
    "plan: no noise": (ReversePlan, with_field(noise_variance=-1.0), "above 0"),
    "plan: a gain of no outcomes": (ReversePlan, with_field(gain=1e30), "within"),
    "plan: a noise of no outcomes": (ReversePlan, with_field(noise_variance=1e-30), "within"),
    "plan: no inverse": (ReversePlan, with_field(matrix=(1.0, 1.0, 1.0, 1.0)), "inverse"),
    "rotations: NaN norm": (FrameRotations, with_floats("data", float("nan")), "norms"),
    "rotations: infinite norm": (FrameRotations, with_floats("data", float("inf")), "norms"),
    "rotations: negative norm": (FrameRotations, with_floats("data", -1.0), "norms"),
    "rotations: off the sphere": (FrameRotations, lambda m: with_field(data=m.data[:-2] + b"\xff\x7f")(m), "sphere"),
    "rotations: cut": (FrameRotations, lambda m: with_field(data=m.data[:-4])(m), "take"),
    "rotations: another frame": (FrameRotations, with_field(frame=1), "frame"),
    "rotations: another part": (FrameRotations, with_field(part=1), "part"),
    "syndrome: cut": (FrameSyndrome, lambda m: with_field(data=m.data[:-8])(m), "syndrome"),
    "syndrome: another step": (FrameSyndrome, with_field(step=1), "step"),
    "flags: too many": (FrameFlags, lambda m: with_field(flags=m.flags + b"\0")(m), "verdicts"),
    "flags: another step": (FrameFlags, with_field(step=7), "step"),
    "moments: too few": (AnnouncedMoments, lambda m: with_field(sums=m.sums[:-1])(m), "moments"),
    "moments: too many": (AnnouncedMoments, lambda m: with_field(sums=(*m.sums, 0.0))(m), "too many"),
    "moments: other counts": (AnnouncedMoments, with_field(counts=(1, 1)), "counted"),
    "moments: impossible": (
        AnnouncedMoments,
        lambda m: with_field(sums=(*m.sums[:4], -1.0, *m.sums[5:]))(m),
        "moments",
    ),
    "moments: not these outcomes": (
        AnnouncedMoments,
        lambda m: with_field(sums=tuple(1.01 * number for number in m.sums))(m),
        "another sum",
    ),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_of_the_peer_ends_the_connection_and_releases_nothing(name: str) -> None:
    kind, change, message = NONSENSE[name]
    pair = Pair(link())
    pair.submit(*small_records())  # type: ignore[arg-type]
    pair.finish()
    with pytest.raises(RemoteProtocolError, match=message):
        pair.run(replaced(kind, change))
    pair.collect()
    assert pair.keys("alice") == pair.keys("bob") == {}


def test_choices_of_quadratures_must_be_one_each() -> None:
    pair = Pair(link("homodyne"))
    pair.submit(*small_records("homodyne"))  # type: ignore[arg-type]
    pair.finish()
    with pytest.raises(RemoteProtocolError, match="quadratures"):
        pair.run(replaced(QuadratureChoices, lambda m: with_field(choices=m.choices + b"\0")(m)))


def test_another_number_of_symbols_ends_the_block() -> None:
    pair = talk(link(), replaced(SymbolRequest, with_field(symbols=SYMBOLS - 1)))
    assert [event.reason for event in pair.aborts("alice")] == [AbortReason.RECORDS_DISAGREE]


def test_symbols_of_another_run_end_the_block() -> None:
    pair = Pair(link())
    (alice, _), (_, bob) = (
        small_records(),
        qp.simulation.gaussian_cv(
            symbols=SYMBOLS, rng=np.random.default_rng(9), modulation_variance=4.0, transmittance=0.5, efficiency=0.6
        ),
    )
    pair.submit(alice, bob)  # type: ignore[arg-type]
    pair.finish()
    pair.run()
    assert pair.keys("alice") == pair.keys("bob") == {}
    assert pair.aborts("bob")[0].reason in (AbortReason.RECORDS_DISAGREE, AbortReason.NO_KEY_LEFT)


def test_homodyne_detection_discloses_enough_of_each_quadrature() -> None:
    with pytest.raises(qp.ConfigurationError, match="disclosed_symbols must be an integer in 4096"):
        qp.GaussianCV(modulation_variance=4.0, efficiency=0.6, detection="homodyne", disclosed_symbols=2**11)
    qp.GaussianCV(modulation_variance=4.0, efficiency=0.6, disclosed_symbols=2**11)


def test_one_dimension_tears_a_symbol_apart_in_heterodyne_detection() -> None:
    with pytest.raises(qp.ConfigurationError, match="at least 2"):
        link(dimension=1)
    link("homodyne", dimension=1)


def test_methods_for_bits_correct_no_outcomes_and_the_other_way_round() -> None:
    with pytest.raises(qp.ConfigurationError, match="Multidimensional"):
        qp.LinkConfig(protocol=qp.GaussianCV(modulation_variance=4.0, efficiency=0.6), correction=qp.Cascade())
    with pytest.raises(qp.ConfigurationError, match="Cascade, Ldpc, Auto"):
        qp.LinkConfig(protocol=qp.BB84(), correction=qp.Multidimensional())  # type: ignore[arg-type]


def test_the_decoder_of_the_link_must_be_there() -> None:
    with pytest.raises(qp.ConfigurationError, match="raptor-like codes must be one of layered"):
        Pair(link(decoder="unheard-of"))


def test_settings_go_to_text_and_back() -> None:
    config = link("homodyne", dimension=4)
    assert qp.LinkConfig.from_toml(config.to_toml()) == config
    plain = qp.LinkConfig(protocol=config.protocol)
    assert isinstance(plain.correction, qp.Multidimensional)
    assert qp.LinkConfig.from_json(plain.to_json()) == plain


def test_the_example_of_the_settings_runs() -> None:
    assert doctest.testmod(importlib.import_module("qkdpost.protocols.gaussian_cv")).failed == 0


@pytest.mark.parametrize("steps", range(1, 9))
def test_a_line_that_breaks_anywhere_costs_no_more_than_the_block(steps: int) -> None:
    """The records, where both still have theirs, go into one more block; no block is opened again and again."""
    pair = Pair(link())
    pair.submit(*small_records())  # type: ignore[arg-type]
    pair.finish()
    for _ in range(steps):
        pair.step("alice", "bob")
        pair.step("bob", "alice")
    pair.reconnect()
    pair.run()
    for role in ("alice", "bob"):
        assert len(pair.aborts(role)) <= 2
        assert AbortReason.KEY_POOL_EXHAUSTED not in [event.reason for event in pair.aborts(role)]
    rotations = [message for message in said(pair, "bob") if isinstance(message, FrameRotations)]
    assert len({message.data for message in rotations}) == len(rotations)


def test_a_record_that_the_peer_never_had_is_claimed_once() -> None:
    pair = Pair(link())
    pair.sessions["bob"].submit(small_records()[1])
    pair.finish()
    pair.run()
    assert [event.reason for event in pair.aborts("bob")] == [AbortReason.RECORDS_DISAGREE]
