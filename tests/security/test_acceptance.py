"""Thresholds of fixed-length bounds: what they accept, and that the length never depends on the data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from qkdpost.errors import ConfigurationError
from qkdpost.security import bb84, bbm92, decoy_bb84
from qkdpost.security.decoy.acceptance import DecoyAcceptance
from qkdpost.security.decoy.photon_statistics import PhotonStatistics
from qkdpost.security.decoy.published.estimates import DecoyCounts
from qkdpost.security.decoy.published.lengths import published_estimate
from qkdpost.security.decoy.tally import DecoyTally
from qkdpost.security.epsilon import Epsilon
from qkdpost.security.qubits.acceptance import QubitAcceptance
from qkdpost.security.qubits.tally import Tally

BOUNDS = ("tomamichel-leverrier-2017", "lim-2021", "tlgr-2012")
EPSILON = Epsilon.split(1e-10)
VERIFICATION = EPSILON.verification_charge_bits
ACCEPTANCE = QubitAcceptance(key_bits=100_000, test_bits=10_000, tolerated_error_rate=0.02, leakage_bits=16_000)
MET = Tally(key_bits=100_000, test_bits=10_000, test_errors=150)


def length(tally: Tally, bound: str, *, leakage_bits: int = 15_000, **changes: Any) -> Any:
    arguments: dict[str, Any] = {"epsilon": EPSILON, "verification_bits": VERIFICATION, "acceptance": ACCEPTANCE}
    return bb84.secret_length(tally, leakage_bits=leakage_bits, bound=bound, **arguments | changes)


@pytest.mark.parametrize("bound", BOUNDS)
@given(errors=st.integers(0, 300), leakage=st.integers(VERIFICATION, 20_000), more=st.sampled_from([-1, 0, 1]))
def test_the_length_is_that_of_the_thresholds_or_nothing(bound: str, errors: int, leakage: int, more: int) -> None:
    tally = Tally(key_bits=100_000 + more, test_bits=10_000, test_errors=errors)
    result = length(tally, bound, leakage_bits=leakage)
    accepted = errors <= 200 and leakage <= 16_000 and more == 0
    planned = length(MET, bound).bits
    assert planned > 30_000
    assert result.bits == (planned if accepted else 0)
    assert result.form == "fixed-length"
    assert accepted == (not result.reason)
    assert accepted or "not accepted" in result.reason


@pytest.mark.parametrize("bound", BOUNDS)
def test_thresholds_give_what_the_same_counts_give(bound: str) -> None:
    """The length of the thresholds is that of the paper for exactly these sizes and this leakage."""
    plain = length(
        replace(MET, test_errors=200), bound, leakage_bits=16_000, acceptance=None, tolerated_error_rate=0.02
    )
    assert length(MET, bound).bits == plain.bits
    assert (
        bbm92.secret_length(
            MET,
            leakage_bits=15_000,
            bound=bound,
            epsilon=EPSILON,
            verification_bits=VERIFICATION,
            acceptance=ACCEPTANCE,
        ).bits
        == plain.bits
    )


@pytest.mark.parametrize("bound", BOUNDS)
def test_verification_that_is_still_to_come_is_provided_for(bound: str) -> None:
    """Before correction a block is not given up that could still be accepted, and the length is the same."""
    most = 16_000 - VERIFICATION
    assert length(MET, bound, leakage_bits=most, verification_bits=None).bits == length(MET, bound).bits
    assert "leakage" in length(MET, bound, leakage_bits=most + 1, verification_bits=None).reason


def test_leakage_thresholds_below_what_verification_costs_refuse_everything() -> None:
    tight = structs.replace(ACCEPTANCE, leakage_bits=VERIFICATION - 1)
    result = length(MET, "lim-2021", leakage_bits=VERIFICATION, acceptance=tight)
    assert (result.bits, "leakage" in result.reason) == (0, True)


def test_thresholds_and_a_tolerated_rate_exclude_each_other() -> None:
    with pytest.raises(ConfigurationError, match="needs either acceptance or tolerated_error_rate"):
        length(MET, "lim-2021", tolerated_error_rate=0.02)
    with pytest.raises(ConfigurationError, match="needs either acceptance or tolerated_error_rate"):
        length(MET, "lim-2021", acceptance=None)
    with pytest.raises(ConfigurationError, match="takes no thresholds"):
        length(MET, "variable-length")


DECOYS = DecoyTally(
    intensities=(0.5, 0.15, 2e-4),
    probabilities=(0.4, 0.45, 0.15),
    key_counts=(7_000_000, 2_700_000, 4000),
    test_counts=(700_000, 270_000, 400),
    test_errors=(7000, 2900, 200),
)
FOUND = published_estimate(
    "wiesemann-2026",
    DecoyCounts(
        source=PhotonStatistics(DECOYS.intensities, DECOYS.probabilities),
        key_counts=DECOYS.key_counts,
        test_counts=DECOYS.test_counts,
        test_errors=DECOYS.test_errors,
    ),
    EPSILON,
)


def decoy_length(acceptance: DecoyAcceptance, **changes: Any) -> Any:
    arguments: dict[str, Any] = {
        "leakage_bits": 939_778,
        "epsilon": EPSILON,
        "bound": "wiesemann-2026",
        "verification_bits": VERIFICATION,
    }
    return decoy_bb84.secret_length(DECOYS, acceptance=acceptance, **arguments | changes)


def test_decoy_counts_are_accepted_up_to_what_they_prove() -> None:
    exact = DecoyAcceptance(
        single_photons=int(FOUND.key), phase_error_rate=FOUND.phase_error_rate, leakage_bits=939_778
    )
    accepted = decoy_length(exact)
    assert accepted.bits > 4_000_000
    for tighter, name in (
        (structs.replace(exact, single_photons=exact.single_photons + 1), "single photons"),
        (structs.replace(exact, phase_error_rate=exact.phase_error_rate * (1 - 1e-12)), "phase-error rate"),
        (structs.replace(exact, leakage_bits=939_777), "leakage"),
    ):
        refused = decoy_length(tighter)
        assert refused.bits == 0
        assert refused.reason.startswith(f"not accepted: {name}")
    counts_as_thresholds = decoy_bb84.secret_length(
        DECOYS, leakage_bits=939_778, epsilon=EPSILON, bound="wiesemann-2026", verification_bits=VERIFICATION
    )
    assert accepted.bits <= counts_as_thresholds.bits <= accepted.bits + 1


def test_decoy_leakage_provides_for_verification() -> None:
    acceptance = DecoyAcceptance(single_photons=7_000_000, phase_error_rate=0.025, leakage_bits=950_000)
    most = 950_000 - VERIFICATION
    planned = decoy_length(acceptance).bits
    assert decoy_length(acceptance, leakage_bits=most, verification_bits=None).bits == planned
    assert "leakage" in decoy_length(acceptance, leakage_bits=most + 1, verification_bits=None).reason


@given(single_photons=st.integers(0, 8_000_000), rate=st.floats(0.0, 0.5), leakage=st.integers(900_000, 1_000_000))
def test_no_thresholds_give_more_than_the_counts_prove(single_photons: int, rate: float, leakage: int) -> None:
    """Whatever thresholds are set: an accepted block gives at most what its own counts would."""
    acceptance = DecoyAcceptance(single_photons=single_photons, phase_error_rate=rate, leakage_bits=leakage)
    from_counts = decoy_bb84.secret_length(
        DECOYS, leakage_bits=939_778, epsilon=EPSILON, bound="wiesemann-2026", verification_bits=VERIFICATION
    )
    assert decoy_length(acceptance).bits <= from_counts.bits
