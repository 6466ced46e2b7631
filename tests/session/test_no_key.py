"""Where no key is left, both hosts say so and which term took it, whatever the kind and the form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from msgspec import structs

import qkdpost as qp
from qkdpost.security import DecoyAcceptance, QubitAcceptance
from support.link import changed, seeded_source

TWO_DECOYS = qp.LinkConfig(protocol=qp.DecoyBB84(intensities=(0.5, 0.15, 2e-4), probabilities=(0.6, 0.3, 0.1)))
ONE_DECOY = changed(TWO_DECOYS, protocol={"intensities": (0.5, 0.15), "probabilities": (0.7, 0.3)})
SINGLE_PHOTONS = qp.LinkConfig(protocol=qp.SinglePhotonBB84(mean_photons=0.2, g2=0.02, test_probabilities=(0.1, 0.1)))
QUBITS = qp.LinkConfig(protocol=qp.BB84())
PAIRS = qp.LinkConfig(protocol=qp.BBM92())
THRESHOLDS = DecoyAcceptance(single_photons=100, phase_error_rate=0.05, leakage_bits=10**6)
EXACT = QubitAcceptance(key_bits=100_000, test_bits=1000, tolerated_error_rate=0.05, leakage_bits=50_000)
LIM = qp.Security(bound="lim-2021", acceptance=EXACT)


def wiesemann(thresholds: DecoyAcceptance) -> qp.Security:
    return qp.Security(bound="wiesemann-2026", acceptance=thresholds)


def noisy(link: qp.LinkConfig) -> Any:
    """Return records of 12 % errors at no distance."""
    rng, sim = np.random.default_rng(8), qp.simulation
    match link.protocol.kind:
        case "decoy-bb84":
            source = sim.WeakCoherentSource(misalignment=0.12)
            return sim.decoy_bb84(
                link, pulses=20_000_000, fibre_km=10, rng=rng, source=source, test_probabilities=(0.2, 0.2)
            )
        case "single-photon-bb84":
            source = sim.ImperfectPhotonSource(mean_photons=0.2, misalignment=0.12)
            return sim.single_photon_bb84(link, pulses=5_000_000, rng=rng, source=source)
        case "bbm92":
            return sim.bbm92(slots=2_000_000, pairs_per_slot=0.9, test_probability=0.1, rng=rng)
        case _:
            return sim.bb84(pulses=2_000_000, rng=rng, source=sim.SinglePhotonSource(misalignment=0.12))


def far(link: qp.LinkConfig) -> Any:
    rng, sim = np.random.default_rng(9), qp.simulation
    match link.protocol.kind:
        case "decoy-bb84":
            return sim.decoy_bb84(link, pulses=5_000_000, fibre_km=120, rng=rng, test_probabilities=(0.2, 0.2))
        case "single-photon-bb84":
            return sim.single_photon_bb84(link, pulses=5_000_000, fibre_km=100, rng=rng)
        case "bbm92":
            return sim.bbm92(slots=20_000_000, pairs_per_slot=0.02, fibre_km=30, rng=rng)
        case _:
            return sim.bb84(pulses=2_000_000, fibre_km=120, rng=rng)


CASES: dict[str, tuple[qp.LinkConfig, Any, str]] = {
    "two decoys, noisy": (TWO_DECOYS, noisy, "correction with"),
    "two decoys, far": (TWO_DECOYS, far, "certified rounds is zero"),
    "one decoy, noisy": (ONE_DECOY, noisy, "phase errors with"),
    "one decoy, far": (ONE_DECOY, far, "certified rounds is zero"),
    "single photons, noisy": (SINGLE_PHOTONS, noisy, "phase errors with"),
    "single photons, far": (SINGLE_PHOTONS, far, "may be of several photons"),
    "qubits, noisy": (QUBITS, noisy, "phase errors with"),
    "qubits, far": (QUBITS, far, "phase errors with"),
    "qubits, sampled, noisy": (changed(QUBITS, protocol={"test": "sample"}), noisy, "phase errors with"),
    "pairs, noisy": (PAIRS, noisy, "phase errors with"),
    "pairs, far": (PAIRS, far, "phase errors with"),
    "planned, noisy": (changed(QUBITS, security={"planned_key_bits": 1000}), noisy, "phase errors with"),
    "lim-2021, noisy": (changed(QUBITS, security=LIM), noisy, "exceeds the tolerated"),
    "lim-2021, far": (changed(QUBITS, security=LIM), far, "threshold key_bits 100000"),
    "wiesemann, noisy": (
        changed(TWO_DECOYS, security=wiesemann(THRESHOLDS)), noisy, "not accepted: phase-error rate",
    ),
    "wiesemann, one decoy, far": (
        changed(ONE_DECOY, security=wiesemann(THRESHOLDS)), far, "not accepted: single photons",
    ),
    "wiesemann, costs": (
        changed(TWO_DECOYS, security=wiesemann(structs.replace(THRESHOLDS, single_photons=0, phase_error_rate=0.5))),
        noisy,
        "single photons is zero",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_both_hosts_say_what_took_the_key(name: str) -> None:
    link, records, words = CASES[name]
    result = qp.distill(*records(link), link, random_source=seeded_source(name.encode()))
    assert len(result.key) == 0
    for report in (result.reports[0], result.peer_reports[0]):
        assert report.abort_reason in ("no_key_left", "too_few_bits")
        assert words in str(report.abort_detail)
        assert report.key_length_bits == 0
        printed = str(report)
        assert words in printed
        assert "key delivered" not in printed
        assert report.to_dict()["abort_detail"] == report.abort_detail
        if report.secret is not None:
            assert report.secret.bits == 0
            assert report.secret.reason
            assert "secret length: 0 bits" in printed
