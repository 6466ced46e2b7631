"""Every kind of QKD and every method of correction runs through the same two sessions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import qkdpost as qp
from qkdpost.dialogue.ledger import Cause
from qkdpost.dialogue.messages import AbortReason
from qkdpost.errors import ConfigurationError
from qkdpost.protocols import PROTOCOLS
from qkdpost.reconciliation.ldpc.codes import QuasiCyclicCode
from qkdpost.reconciliation.ldpc.decoders import DECODERS, CompiledDecoder
from qkdpost.session.events import KeyReady
from support.correction import plan_for_part_of_the_errors
from support.link import Pair, bb84_records, changed, small_link

LINKS = {
    "bb84": qp.LinkConfig(protocol=qp.BB84()),
    "bbm92": qp.LinkConfig(protocol=qp.BBM92()),
    "bbm92-time-tags": qp.LinkConfig(protocol=qp.BBM92TimeTags()),
    "two decoys": qp.LinkConfig(
        protocol=qp.DecoyBB84(intensities=(0.5, 0.15, 2e-4), probabilities=(0.5, 0.35, 0.15)),
        security=qp.Security(epsilon=1e-6),
    ),
    "one decoy": qp.LinkConfig(
        protocol=qp.DecoyBB84(intensities=(0.5, 0.15), probabilities=(0.6, 0.4)), security=qp.Security(epsilon=1e-6)
    ),
    "single-photon-bb84": qp.LinkConfig(
        protocol=qp.SinglePhotonBB84(mean_photons=0.3, g2=0.01, test_probabilities=(0.2, 0.2))
    ),
    "heterodyne": qp.LinkConfig(protocol=qp.GaussianCV(modulation_variance=2.0, efficiency=0.5)),
    "short heterodyne": qp.LinkConfig(
        protocol=qp.GaussianCV(modulation_variance=10.0, efficiency=0.5), correction=qp.Slices(frame_outcomes=2**16)
    ),
    "homodyne": qp.LinkConfig(protocol=qp.GaussianCV(modulation_variance=1.0, efficiency=0.5, detection="homodyne")),
}


def records(name: str) -> tuple[object, object]:
    rng = np.random.default_rng(11)
    link = LINKS[name]
    match link.protocol.kind:
        case "bb84":
            return qp.simulation.bb84(pulses=3_000_000, fibre_km=10, rng=rng)
        case "bbm92":
            return qp.simulation.bbm92(slots=40_000_000, pairs_per_slot=0.02, test_probability=0.2, rng=rng)
        case "bbm92-time-tags":
            receiver = qp.simulation.TaggingReceiver(transmittance=0.3)
            return qp.simulation.bbm92_time_tags(
                duration_s=0.5, pair_rate_hz=4e5, rng=rng, alice=receiver, bob=receiver, tick_ps=10.0
            )
        case "decoy-bb84":
            return qp.simulation.decoy_bb84(
                link, pulses=20_000_000, fibre_km=10, rng=rng, test_probabilities=(0.3, 0.3)
            )
        case "gaussian-cv":
            settings: Any = link.protocol
            return qp.simulation.gaussian_cv(
                symbols=2_000_000,
                rng=rng,
                modulation_variance=settings.modulation_variance,
                transmittance=0.9,
                excess_noise=0.002,
                efficiency=settings.efficiency,
                electronic_noise=0.05,
                detection=settings.detection,
            )
        case _:
            return qp.simulation.single_photon_bb84(link, pulses=3_000_000, fibre_km=10, rng=rng)


CORRECTIONS = {
    "cascade": qp.Cascade(),
    "ldpc": qp.Ldpc(frame_bits=2**14),
    "multidimensional": qp.Multidimensional(),
    "slices": qp.Slices(frame_outcomes=2**16),
}
CONTINUOUS = {"heterodyne": "multidimensional", "homodyne": "multidimensional", "short heterodyne": "slices"}
CORRECTED = [
    (name, method)
    for name, link in LINKS.items()
    for method in CORRECTIONS
    if (method == CONTINUOUS[name] if link.protocol.corrections else method in ("cascade", "ldpc"))
]


@pytest.mark.parametrize(("name", "method"), CORRECTED)
def test_every_kind_gives_equal_keys(name: str, method: str) -> None:
    link = changed(LINKS[name], correction=CORRECTIONS[method])
    result = qp.distill(*records(name), link)  # type: ignore[arg-type]
    report = result.report
    assert report.abort_reason is None, report
    assert len(result.key) > 0
    assert report.secret is not None
    assert report.key_length_bits + report.authentication_bits == report.secret.bits <= report.secret.asymptotic_bits
    assert result.peer_reports[0].secret == report.secret
    assert result.peer_reports[0].key_errors == report.key_errors


def test_the_links_cover_every_kind() -> None:
    assert {link.protocol.kind for link in LINKS.values()} == set(PROTOCOLS)


def test_labels_count_what_was_sent() -> None:
    link = LINKS["two decoys"]
    alice, bob = records("two decoys")
    result = qp.distill(alice, bob, link)  # type: ignore[arg-type]
    report = result.report
    same = np.asarray(alice.bases.take(bob.slots)) == np.asarray(bob.bases)  # type: ignore[attr-defined]
    assert report.sifted_key_bits + report.sifted_test_bits == same.sum()


def ldpc_pair(**changes: Any) -> Pair:
    return corrected_pair(qp.Ldpc(**{"frame_bits": 2**14} | changes))


def corrected_pair(correction: qp.Ldpc | qp.Auto) -> Pair:
    pair = Pair(small_link(security={"epsilon": 1e-6}, correction=correction))
    pair.submit(*bb84_records(120_000, qber=0.02, test_fraction=0.2))
    pair.finish()
    pair.run()
    return pair


def test_ldpc_takes_few_round_trips_and_tells_its_leakage() -> None:
    pair = ldpc_pair()
    assert pair.keys("alice") == pair.keys("bob") != {}
    report = next(event.report for event in pair.events["alice"] if isinstance(event, KeyReady))
    assert report.reconciliation_rounds <= 8
    assert report.ledger.two_way
    assert 1.0 < report.efficiency < 1.6


def test_the_decoder_of_the_link_is_used_and_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    used = []

    class Witness:
        def compile(self, code: QuasiCyclicCode) -> CompiledDecoder:
            used.append(code)
            return DECODERS["fast"].compile(code)

    monkeypatch.setitem(DECODERS, "witness", Witness())
    pair = ldpc_pair(decoder="witness")
    assert pair.keys("alice") == pair.keys("bob") != {}
    assert used
    with pytest.raises(ConfigurationError):
        Pair(small_link(correction=qp.Ldpc(decoder="missing")))
    with pytest.raises(ConfigurationError):
        Pair(small_link(correction=qp.Auto(ldpc=qp.Ldpc(decoder="missing"))))


def test_without_blind_rounds_correction_is_one_way() -> None:
    pair = ldpc_pair(blind_rounds=0, fallback=None)
    for role in ("alice", "bob"):
        report = next(event.report for event in pair.events[role] if isinstance(event, KeyReady))
        assert not report.ledger.two_way
        assert report.ledger.bits(Cause.REVEALED_BITS) == 0
    alice = next(event.report for event in pair.events["alice"] if isinstance(event, KeyReady))
    assert alice.key_errors is None
    assert "unknown to this side" in str(alice)


@pytest.mark.parametrize("fallback", ["cascade", "drop"])
def test_frames_that_ldpc_gives_up_fall_back(fallback: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plan_for_part_of_the_errors(monkeypatch, one_in=5)
    pair = ldpc_pair(fallback=None if fallback == "drop" else qp.Cascade(), blind_rounds=1)
    for role in ("alice", "bob"):
        ends = [e.report for e in pair.events[role] if isinstance(e, KeyReady)] + [e.report for e in pair.aborts(role)]
        assert ends[0].ldpc_failed_frames > 0
        if fallback == "drop":
            assert ends[0].ledger.bits(Cause.DROPPED_FRAMES) > 0
    assert pair.keys("alice") == pair.keys("bob")
    assert fallback == "drop" or pair.keys("alice") != {}


def test_auto_looks_at_the_round_trip() -> None:
    for round_trip_ms, most_rounds in ((0.0, None), (50.0, 12)):
        pair = corrected_pair(qp.Auto(ldpc=qp.Ldpc(frame_bits=2**14), round_trip_ms=round_trip_ms))
        report = next(event.report for event in pair.events["bob"] if isinstance(event, KeyReady))
        assert pair.keys("alice") == pair.keys("bob")
        assert (
            report.reconciliation_rounds > 50 if most_rounds is None else (report.reconciliation_rounds <= most_rounds)
        )


def test_intensities_that_are_not_those_of_the_link_are_refused_at_once() -> None:
    plain, _ = bb84_records(4000)
    labelled = qp.PreparedPulses(bases=plain.bases, bits=plain.bits, intensities=np.arange(plain.pulses) % 3)
    for link, record, message in (
        (LINKS["two decoys"], plain, "has no intensities"),
        (LINKS["bb84"], labelled, "this link has none"),
        (LINKS["one decoy"], labelled, "6666 pulses have intensity 2"),
    ):
        session = Pair(link).sessions["alice"]
        with pytest.raises(qp.InputError, match=message):
            session.submit(record)
        assert session.records_waiting == 0


def fixed_pair(planned_key_bits: int) -> Pair:
    pair = Pair(small_link(security={"planned_key_bits": planned_key_bits}))
    pair.submit(*bb84_records(40_000))
    pair.finish()
    pair.run()
    return pair


def test_a_planned_length_is_given_whole_or_not_at_all() -> None:
    pair = fixed_pair(1000)
    assert pair.keys("alice") == pair.keys("bob") != {}
    report = next(event.report for event in pair.events["alice"] if isinstance(event, KeyReady))
    assert report.secret is not None
    assert report.secret.form == "fixed-length"
    assert report.key_length_bits + report.authentication_bits == 1000
    pair = fixed_pair(100_000)
    for role in ("alice", "bob"):
        assert pair.keys(role) == {}
        assert [event.reason for event in pair.aborts(role)] == [AbortReason.NO_KEY_LEFT]


@pytest.mark.parametrize("name", LINKS)
def test_every_kind_has_a_fixed_length_form(name: str) -> None:
    both = records(name)
    for planned in (1000, 10**7):
        result = qp.distill(*both, changed(LINKS[name], security={"planned_key_bits": planned}))  # type: ignore[arg-type]
        for report in (*result.reports, *result.peer_reports):
            assert report.secret is not None
            assert report.secret.form == "fixed-length"
            if planned == 1000:
                assert report.key_length_bits + report.authentication_bits == report.secret.bits == planned
            else:
                assert (report.secret.bits, report.abort_reason) == (0, "no_key_left")
                assert "10000000 were planned" in report.secret.reason
