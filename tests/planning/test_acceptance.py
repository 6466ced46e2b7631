from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qkdpost as qp
from qkdpost.planning import plan_fixed_length
from qkdpost.reconciliation.ldpc.correction import LdpcCorrection
from qkdpost.reconciliation.method import CorrectionTask, plan_correction
from qkdpost.reconciliation.settings import FrameBits
from qkdpost.security import DecoyAcceptance, QubitAcceptance, bb84
from qkdpost.security.decoy.photon_statistics import PhotonStatistics
from qkdpost.security.decoy.published.estimates import DecoyCounts
from qkdpost.security.decoy.published.lengths import published_estimate
from qkdpost.security.decoy.tally import DecoyTally
from qkdpost.security.epsilon import Epsilon
from support.link import changed, decoy_links

QUBITS = qp.Tally(key_bits=100_000, test_bits=20_000, test_errors=300)
LINK = qp.LinkConfig(protocol=qp.BB84())
DECOY_LINKS = decoy_links()


def expected_decoys(name: str, pulses: int = 10**9) -> DecoyTally:
    link = DECOY_LINKS[name]
    source = qp.simulation.WeakCoherentSource(
        intensities=link.protocol.intensities, probabilities=link.protocol.probabilities
    )
    planned = qp.planning.DecoyBB84Link(source=source, fibre=qp.simulation.Fibre(length_km=50.0), test_probability=0.2)
    return planned.expected_tally(pulses)


@pytest.mark.parametrize("bound", ["lim-2021", "tomamichel-leverrier-2017"])
def test_qubit_thresholds_leave_room_on_the_safe_side(bound: str) -> None:
    plan = plan_fixed_length(LINK, QUBITS, bound=bound)
    acceptance = plan.config.security.acceptance
    assert isinstance(acceptance, QubitAcceptance)
    assert acceptance.key_bits < QUBITS.key_bits
    assert acceptance.test_bits < QUBITS.test_bits
    assert acceptance.tolerated_error_rate > QUBITS.test_errors / QUBITS.test_bits
    variable = bb84.secret_length(QUBITS, leakage_bits=acceptance.leakage_bits, epsilon=LINK.security.epsilon)
    assert 0 < plan.result.bits < variable.bits
    assert plan.config == changed(LINK, security={"bound": bound, "acceptance": acceptance})


@pytest.mark.parametrize("bound", ["lim-2021", "tomamichel-leverrier-2017"])
def test_honest_blocks_meet_qubit_thresholds(bound: str) -> None:
    acceptance = plan_fixed_length(LINK, QUBITS, bound=bound, deviations=3.0).config.security.acceptance
    assert isinstance(acceptance, QubitAcceptance)
    rng = np.random.default_rng(1)
    key, test = rng.poisson(QUBITS.key_bits, 20_000), rng.poisson(QUBITS.test_bits, 20_000)
    errors = rng.binomial(acceptance.test_bits, QUBITS.test_errors / QUBITS.test_bits, 20_000)
    good = (key - qp.estimation.sample_size(QUBITS.key_bits) - 50 >= acceptance.key_bits) & (
        test >= acceptance.test_bits
    )
    good &= errors <= acceptance.tolerated_error_rate * acceptance.test_bits
    assert 0.99 < good.mean() < 1.0


@pytest.mark.parametrize("name", DECOY_LINKS)
def test_honest_blocks_meet_decoy_thresholds(name: str) -> None:
    link, expected = DECOY_LINKS[name], expected_decoys(name)
    plan = plan_fixed_length(link, expected, bound="wiesemann-2026", deviations=3.0)
    acceptance = plan.config.security.acceptance
    assert isinstance(acceptance, DecoyAcceptance)
    assert plan.result.bits > 0
    rng = np.random.default_rng(2)
    source = PhotonStatistics(link.protocol.intensities, link.protocol.probabilities)
    share = 1.0 - qp.estimation.sample_size(expected.key_bits) / expected.key_bits
    accepted = 0
    for _ in range(1000):
        key = rng.poisson(np.array(expected.key_counts) * share)
        test = rng.poisson(expected.test_counts)
        counts = DecoyCounts(
            source=source,
            key_counts=key.tolist(),
            test_counts=test.tolist(),
            test_errors=rng.poisson(expected.test_errors).tolist(),
            key_errors=rng.poisson(np.array(expected.key_errors) * share).tolist(),
        )
        found = published_estimate("wiesemann-2026", counts, Epsilon.split(link.security.epsilon))
        accepted += found.key >= acceptance.single_photons and found.phase_error_rate <= acceptance.phase_error_rate
    assert 980 <= accepted <= 1000


@pytest.mark.parametrize("name", [None, *DECOY_LINKS])
def test_more_margin_is_less_key(name: str | None) -> None:
    link, expected, bound = (LINK, QUBITS, "lim-2021") if name is None else (
        DECOY_LINKS[name], expected_decoys(name), "wiesemann-2026"
    )  # fmt: skip
    for option, values in (("deviations", (0.0, 2.0, 6.0)), ("efficiency", (1.0, 1.1, 1.5))):
        settings: list[dict[str, Any]] = [{option: value} for value in values]
        lengths = [plan_fixed_length(link, expected, bound=bound, **each).result.bits for each in settings]
        assert lengths[0] > lengths[1] > lengths[2] > 0


@given(
    st.integers(12, 22).map(lambda exponent: 2**exponent),
    st.sampled_from(get_args(FrameBits)),
    st.integers(0, 16),
    st.integers(100, 499_999),
    st.integers(0, 500),
)
@settings(max_examples=60)
def test_every_verdict_of_ldpc_has_room_whatever_the_error_rate(
    key_bits: int, frame_bits: FrameBits, blind_rounds: int, error_rate_ppm: int, uncertainty: int
) -> None:
    expected = qp.Tally(key_bits=key_bits, test_bits=key_bits, test_errors=key_bits // 100)
    ldpc = qp.Ldpc(frame_bits=frame_bits, blind_rounds=blind_rounds)
    of_cascade, of_ldpc = (
        plan_fixed_length(changed(LINK, correction=method), expected, bound="lim-2021").config.security.acceptance
        for method in (qp.Cascade(), ldpc)
    )
    assert isinstance(of_cascade, QubitAcceptance)
    assert isinstance(of_ldpc, QubitAcceptance)
    room = of_ldpc.leakage_bits - of_cascade.leakage_bits
    task = CorrectionTask(
        block_bits=of_ldpc.key_bits, qber_ppm=error_rate_ppm, uncertainty_permille=uncertainty, frame_bits=2**14
    )
    plan = plan_correction(ldpc, task)
    assert not isinstance(plan, LdpcCorrection) or plan.plan.frames * (1 + plan.plan.requests) <= room


def test_the_error_rate_of_the_key_may_be_another() -> None:
    plain = plan_fixed_length(LINK, QUBITS, bound="lim-2021")
    noisy = plan_fixed_length(LINK, QUBITS, bound="lim-2021", key_error_rate=0.05)
    assert noisy.config.security.acceptance.leakage_bits > 2 * plain.config.security.acceptance.leakage_bits  # type: ignore[union-attr]
    assert (
        noisy.config.security.acceptance.tolerated_error_rate == plain.config.security.acceptance.tolerated_error_rate
    )  # type: ignore[union-attr]


def test_no_key_says_why() -> None:
    plan = plan_fixed_length(LINK, qp.Tally(key_bits=3000, test_bits=300, test_errors=20), bound="lim-2021")
    assert plan.result.bits == 0
    assert "phase errors" in plan.result.reason
    far = plan_fixed_length(DECOY_LINKS["two decoys"], expected_decoys("two decoys", 10**5), bound="wiesemann-2026")
    assert far.result.bits == 0
    assert far.result.reason


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(qp.ConfigurationError, match="DecoyTally"):
        plan_fixed_length(DECOY_LINKS["one decoy"], QUBITS, bound="wiesemann-2026")
    with pytest.raises(qp.ConfigurationError, match="tallied as Tally"):
        plan_fixed_length(LINK, expected_decoys("one decoy"), bound="lim-2021")
    with pytest.raises(qp.ConfigurationError, match=r"bound must be one of .* for kind"):
        plan_fixed_length(LINK, QUBITS, bound="wiesemann-2026")
    for link, expected in ((LINK, QUBITS), (DECOY_LINKS["one decoy"], expected_decoys("one decoy"))):
        with pytest.raises(qp.ConfigurationError, match="has no thresholds"):
            plan_fixed_length(link, expected, bound="variable-length")
    for bound in ("rusca-2018", "guess-2030"):
        with pytest.raises(qp.ConfigurationError, match="bound"):
            plan_fixed_length(DECOY_LINKS["one decoy"], expected_decoys("one decoy"), bound=bound)
    brighter = changed(DECOY_LINKS["one decoy"], protocol={"intensities": (0.6, 0.15)})
    with pytest.raises(qp.ConfigurationError, match="other intensities"):
        plan_fixed_length(brighter, expected_decoys("one decoy"), bound="wiesemann-2026")
    without = replace(expected_decoys("one decoy"), key_errors=None)
    with pytest.raises(qp.ConfigurationError, match="key_errors"):
        plan_fixed_length(DECOY_LINKS["one decoy"], without, bound="wiesemann-2026")
    with pytest.raises(qp.InputError, match="too few"):
        plan_fixed_length(LINK, qp.Tally(key_bits=9, test_bits=9, test_errors=0), bound="lim-2021")
    for options in ({"efficiency": 0.9}, {"deviations": -1.0}, {"key_error_rate": 0.7}, {"efficiency": float("nan")}):
        with pytest.raises(qp.InputError):
            plan_fixed_length(LINK, QUBITS, bound="lim-2021", **options)
