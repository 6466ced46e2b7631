"""Where no key is left, both hosts say so and which term took it, whatever the kind and the form."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import qkdpost as qp
from qkdpost.security import DecoyAcceptance, QubitAcceptance
from support.link import seeded_source

TWO_DECOYS = qp.LinkConfig(
    kind="decoy-bb84",
    intensities=(0.5, 0.15, 2e-4),
    intensity_probabilities=(0.6, 0.3, 0.1),
    test_probabilities=(0.2, 0.2),
)
ONE_DECOY = replace(TWO_DECOYS, intensities=(0.5, 0.15), intensity_probabilities=(0.7, 0.3))
SINGLE_PHOTONS = qp.LinkConfig(kind="single-photon-bb84", mean_photons=0.2, g2=0.02, test_probabilities=(0.1, 0.1))
QUBITS = qp.LinkConfig(kind="bb84")
PAIRS = qp.LinkConfig(kind="bbm92")
THRESHOLDS = DecoyAcceptance(single_photons=100, phase_error_rate=0.05, leakage_bits=10**6)
EXACT = QubitAcceptance(key_bits=100_000, test_bits=1000, tolerated_error_rate=0.05, leakage_bits=50_000)


def noisy(link: qp.LinkConfig) -> Any:
    """Return records of 12 % errors at no distance."""
    rng, sim = np.random.default_rng(8), qp.simulation
    match link.kind:
        case "decoy-bb84":
            source = sim.WeakCoherentSource(misalignment=0.12)
            return sim.decoy_bb84(link, pulses=20_000_000, fibre_km=10, rng=rng, source=source)
        case "single-photon-bb84":
            source = sim.ImperfectPhotonSource(mean_photons=0.2, misalignment=0.12)
            return sim.single_photon_bb84(link, pulses=5_000_000, rng=rng, source=source)
        case "bbm92":
            return sim.bbm92(slots=2_000_000, pairs_per_slot=0.9, test_probability=0.1, rng=rng)
        case _:
            return sim.bb84(pulses=2_000_000, rng=rng, source=sim.SinglePhotonSource(misalignment=0.12))


def far(link: qp.LinkConfig) -> Any:
    rng, sim = np.random.default_rng(9), qp.simulation
    match link.kind:
        case "decoy-bb84":
            return sim.decoy_bb84(link, pulses=5_000_000, fibre_km=120, rng=rng)
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
    "qubits, sampled, noisy": (replace(QUBITS, test="sample"), noisy, "phase errors with"),
    "pairs, noisy": (PAIRS, noisy, "phase errors with"),
    "pairs, far": (PAIRS, far, "phase errors with"),
    "planned, noisy": (replace(QUBITS, planned_key_bits=1000), noisy, "phase errors with"),
    "lim-2021, noisy": (replace(QUBITS, bound="lim-2021", acceptance=EXACT), noisy, "exceeds the tolerated"),
    "lim-2021, far": (replace(QUBITS, bound="lim-2021", acceptance=EXACT), far, "threshold key_bits 100000"),
    "wiesemann, noisy": (
        replace(TWO_DECOYS, bound="wiesemann-2026", acceptance=THRESHOLDS), noisy, "not accepted: phase-error rate",
    ),
    "wiesemann, one decoy, far": (
        replace(ONE_DECOY, bound="wiesemann-2026", acceptance=THRESHOLDS), far, "not accepted: single photons",
    ),
    "wiesemann, costs": (
        replace(
            TWO_DECOYS, bound="wiesemann-2026", acceptance=replace(THRESHOLDS, single_photons=0, phase_error_rate=0.5)
        ),
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
