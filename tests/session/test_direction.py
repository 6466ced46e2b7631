"""Which way correction spoke is told by the ledger, whatever the configuration calls itself; and what hangs on it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from msgspec import structs

import qkdpost as qp
from qkdpost.dialogue.ledger import Cause
from qkdpost.dialogue.messages import AbortReason, CorrectionRound, FrameVerdict
from qkdpost.reconciliation import method as choice
from qkdpost.reconciliation.ldpc.conversation import WANTED_BITS
from qkdpost.reconciliation.ldpc.plan import NoSuitableCode
from qkdpost.session.blocks.report import BlockReport
from qkdpost.session.codec import decode
from qkdpost.session.events import KeyReady
from support.correction import plan_for_part_of_the_errors
from support.link import Pair, bb84_records, changed, seeded_source, small_link

ONE_WAY = qp.Ldpc(frame_bits=2**14, blind_rounds=0, fallback=None)
SETTINGS: dict[str, tuple[qp.Cascade | qp.Ldpc | qp.Auto, bool]] = {
    "cascade": (qp.Cascade(), True),
    "blind": (qp.Ldpc(frame_bits=2**14, blind_rounds=2), True),
    "blind, drop": (qp.Ldpc(frame_bits=2**14, blind_rounds=2, fallback=None), True),
    "one attempt, no failure": (qp.Ldpc(frame_bits=2**14, blind_rounds=0), False),
    "one attempt, drop": (ONE_WAY, False),
    "auto, near": (qp.Auto(ldpc=ONE_WAY), True),
    "auto, far": (qp.Auto(ldpc=ONE_WAY, round_trip_ms=100.0), False),
}


def report_of(pair: Pair, role: str) -> BlockReport:
    ends = [event.report for event in pair.events[role] if isinstance(event, KeyReady)]
    return (ends + [event.report for event in pair.aborts(role)])[0]


def finished(correction: qp.Cascade | qp.Ldpc | qp.Auto) -> Pair:
    pair = Pair(small_link(security={"epsilon": 1e-6}, correction=correction))
    pair.submit(*bb84_records(120_000, qber=0.02, test_fraction=0.2))
    pair.finish()
    pair.run()
    return pair


@pytest.mark.parametrize("name", SETTINGS)
def test_the_ledger_tells_the_direction(name: str) -> None:
    correction, two_way = SETTINGS[name]
    pair = finished(correction)
    assert pair.keys("alice") == pair.keys("bob") != {}
    said = [message for message in map(decode, pair.sent["bob"]) if isinstance(message, CorrectionRound)]
    verdicts = [message for message in map(decode, pair.sent["bob"]) if isinstance(message, FrameVerdict)]
    for role in ("alice", "bob"):
        ledger = report_of(pair, role).ledger
        assert ledger.two_way == two_way
        told = sum(message.bits for message in said)
        if not two_way:  # all that Bob said of the errors is one accept bit a frame, and each of these is charged
            assert ledger.bits(Cause.FRAME_VERDICTS) == told + report_of(pair, role).frames
        if name == "blind, drop":  # and with blind rounds all but his wishes
            wishes = ledger.bits(Cause.CORRECTOR_PARITIES)
            assert wishes % WANTED_BITS == 0
            assert wishes <= 6 * WANTED_BITS
            assert ledger.bits(Cause.FRAME_VERDICTS) == told - wishes + report_of(pair, role).frames
    assert all((verdict.corrected is not None) == two_way for verdict in verdicts)


def test_a_fallback_to_cascade_makes_it_two_way(monkeypatch: pytest.MonkeyPatch) -> None:
    plan_for_part_of_the_errors(monkeypatch)
    pair = finished(qp.Ldpc(frame_bits=2**14, blind_rounds=0))
    for role in ("alice", "bob"):
        assert report_of(pair, role).ldpc_failed_frames > 0
        assert report_of(pair, role).ledger.two_way


def without_codes(*_: object, **__: object) -> None:
    raise NoSuitableCode("no code corrects so many errors")


def test_a_one_way_configuration_without_a_code_is_two_way_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "plan_ldpc", without_codes)
    pair = finished(ONE_WAY)
    assert pair.sessions["alice"].link.correction.corrects_one_way
    for role in ("alice", "bob"):
        assert report_of(pair, role).ledger.two_way


# Mismatched detectors: only with one-way correction, and only as far as they are stated.

TWO_DECOYS = qp.LinkConfig(
    protocol=qp.DecoyBB84(intensities=(0.5, 0.15, 2e-4), probabilities=(0.6, 0.3, 0.1)), correction=ONE_WAY
)
SLIGHT = qp.security.DetectorMismatch(
    dark_count_probability=1e-6, efficiency_deviation=0.001, dark_count_deviation=0.01
)
GROSS = structs.replace(SLIGHT, efficiency_deviation=0.2)


@pytest.fixture(scope="module")
def decoy_records() -> tuple[Any, Any]:
    return qp.simulation.decoy_bb84(
        TWO_DECOYS, pulses=20_000_000, fibre_km=10, rng=np.random.default_rng(5), test_probabilities=(0.3, 0.3)
    )


def test_the_direction_decides_which_assumption_is_printed(decoy_records: tuple[Any, Any]) -> None:
    for link, words in (
        (TWO_DECOYS, "one-way correction"),
        (changed(TWO_DECOYS, correction={"blind_rounds": 2}), "two-way correction"),
    ):
        result = qp.distill(*decoy_records, link)
        assert words in str(result.report.secret)
        assert words in str(result.peer_reports[0].secret)


def test_a_mismatch_of_detectors_shortens_the_key(decoy_records: tuple[Any, Any]) -> None:
    alike = qp.distill(*decoy_records, TWO_DECOYS, random_source=seeded_source(b"one sample for all"))
    swapped = structs.replace(SLIGHT, efficiency_deviation=0.01, random_swap=True)
    for detectors in (SLIGHT, swapped):
        link = changed(TWO_DECOYS, protocol={"detectors": detectors})
        result = qp.distill(*decoy_records, link, random_source=seeded_source(b"one sample for all"))
        assert 0 < len(result.key) < len(alike.key)
        for report in (*result.reports, *result.peer_reports):
            assert report.secret is not None
            text = str(report.secret)
            assert "two detectors differ by no more than stated" in text
            assert "mismatched detectors" in text
            assert "does not depend on the basis" not in text
            assert "does not depend on the basis" in str(alike.report.secret)


def test_a_gross_mismatch_leaves_nothing_and_says_so(decoy_records: tuple[Any, Any]) -> None:
    result = qp.distill(*decoy_records, changed(TWO_DECOYS, protocol={"detectors": GROSS}))
    assert len(result.key) == 0
    for report in (*result.reports, *result.peer_reports):
        assert report.abort_reason == "no_key_left"
        assert report.secret is not None
        assert report.secret.bits == 0
        assert "phase errors" in str(report.abort_detail)
        assert "mismatched detectors" in str(report.abort_detail)


def test_a_mismatch_is_compared_in_the_greeting() -> None:
    link = changed(TWO_DECOYS, protocol={"detectors": SLIGHT})
    alice = qp.Session(role="alice", link=link, auth_key=qp.KeyPool(bytes(200)))
    bob = qp.Session(role="bob", link=changed(link, protocol={"detectors": GROSS}), auth_key=qp.KeyPool(bytes(200)))
    with pytest.raises(qp.RemoteProtocolError, match=r"differ in protocol\.detectors"):
        alice.receive_data(bob.data_to_send())


def test_with_a_mismatch_cascade_does_not_step_in(
    decoy_records: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "plan_ldpc", without_codes)
    pair = Pair(changed(TWO_DECOYS, protocol={"detectors": SLIGHT}))
    pair.submit(*decoy_records)
    pair.finish()
    pair.run()
    assert pair.keys("alice") == pair.keys("bob") == {}
    for role in ("alice", "bob"):
        (event,) = pair.aborts(role)
        assert event.reason is AbortReason.NO_KEY_LEFT
        assert not event.report.ledger.two_way
    assert "no LDPC code corrects" in pair.aborts("bob")[0].detail
