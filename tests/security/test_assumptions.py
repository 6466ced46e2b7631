"""What each bound takes for granted is said in its result, and which of its steps no published proof covers."""

from __future__ import annotations

import math
from typing import Any

import pytest

from qkdpost.security import SecretLength, bb84, bbm92, decoy_bb84, gaussian, single_photon
from qkdpost.security.decoy.detector_mismatch import DetectorMismatch
from qkdpost.security.decoy.tally import DecoyTally
from qkdpost.security.gaussian.settings import GaussianBoundSettings
from qkdpost.security.qubits.tally import SampledTally, Tally
from qkdpost.security.single_photon.tally import SinglePhotonTally
from reference.gaussian_blocks import Block

QUBITS = Tally(key_bits=10**6, test_bits=10**5, test_errors=1_000)
SAMPLED = SampledTally(key_counts=(10**6, 10**5), test_counts=(10**5, 10**4), test_errors=(1_000, 100))
DECOYS = DecoyTally(
    intensities=(0.5, 0.15, 2e-4),
    probabilities=(0.4, 0.45, 0.15),
    key_counts=(7_000_000, 2_700_000, 4_000),
    test_counts=(700_000, 270_000, 400),
    test_errors=(7_000, 2_900, 200),
)
ONE_DECOY = DecoyTally(
    intensities=(0.5, 0.15),
    probabilities=(0.7, 0.3),
    key_counts=(9_000_000, 1_000_000),
    test_counts=(900_000, 100_000),
    test_errors=(9_000, 1_200),
    key_errors=(90_000, 12_000),
)
PHOTONS = SinglePhotonTally(
    pulses_sent=10**8,
    key_probability=0.75**2,
    test_probability=0.25**2,
    mean_photons=0.02,
    g2=0.036,
    key_bits=404_000,
    test_bits=45_000,
    test_errors=680,
)
KINDS: dict[str, tuple[Any, Any]] = {
    "bb84": (bb84, QUBITS),
    "bb84, sample": (bb84, SAMPLED),
    "bbm92": (bbm92, QUBITS),
    "decoys": (decoy_bb84, DECOYS),
    "single photons": (single_photon, PHOTONS),
}


def length(name: str, **options: Any) -> SecretLength:
    module, tally = KINDS[name]
    result: SecretLength = module.secret_length(tally, leakage_bits=100_000, epsilon=1e-10, **options)
    return result


@pytest.mark.parametrize("name", KINDS)
def test_what_every_kind_needs_is_said(name: str) -> None:
    said = "\n".join(length(name).assumptions)
    assert "with the same probabilities in every round of a block" in said
    assert "never by bases, outcomes or intensities" in said
    assert "hash key that stays secret for ever" in said
    assert "epsilons of all blocks add up" in said
    assert "were the receiver's two detectors mismatched, this length would be too long" in said
    assert "conjugate bases" in said
    assert ("neither side's bases were known" in said) == (name == "bbm92")
    if name == "decoys":
        assert "with the same probabilities in every round and independently of basis" in said


@pytest.mark.parametrize("name", KINDS)
def test_unproven_steps_are_an_attribute_and_are_printed(name: str) -> None:
    result = length(name)
    assert any("that the error pattern may be public" in step for step in result.unproven)
    assert result.to_dict()["unproven"] == list(result.unproven)
    text = str(result)
    assert "rests on what no published proof covers:" in text
    assert all(step in text for step in result.unproven)


def test_time_tags_and_single_photons_say_what_is_not_proven() -> None:
    assert any("clicks in both bases" in step for step in length("bbm92", time_tags=True).unproven)
    assert not any("clicks in both bases" in step for step in length("bbm92").unproven)
    assert any("several photons" in step for step in length("single photons").unproven)


def test_one_way_decoys_rest_on_the_theorem_alone() -> None:
    result = length("decoys", two_way=False)
    assert result.unproven == ()
    assert "no published proof" not in str(result)
    partial = length("decoys", two_way=False, accounting="partial-states")
    assert any("partial-states" in step for step in partial.unproven)


@pytest.mark.parametrize("bound", ["tomamichel-leverrier-2017", "lim-2021", "tlgr-2012"])
def test_a_published_name_with_the_argument_for_two_ways_says_exactly_that(bound: str) -> None:
    result = length("bb84", bound=bound, tolerated_error_rate=0.02)
    assert f"bound: {bound} (one-way theorem + this library's argument for a public error pattern)" in str(result)
    assert any("one-way theorem + this library's argument" in step for step in result.unproven)


def test_wiesemann_says_what_is_read_and_what_is_derived() -> None:
    both = length("decoys", bound="wiesemann-2026")
    assert "wiesemann-2026 (one-way theorem + this library's argument for a public error pattern)" in str(both)
    assert any("17" in step for step in both.unproven)
    one_way = length("decoys", bound="wiesemann-2026", two_way=False)
    assert "bound: wiesemann-2026\n" in str(one_way)
    assert len(one_way.unproven) == 1
    one_decoy = decoy_bb84.secret_length(ONE_DECOY, leakage_bits=10**6, epsilon=1e-10, bound="wiesemann-2026")
    assert not any("17" in step for step in one_decoy.unproven)


def test_what_unequal_detectors_would_do_is_said_until_they_are_told() -> None:
    alike = length("decoys", two_way=False)
    (line,) = (line for line in alike.assumptions if "detectors mismatched" in line)
    assert f"in the place of {alike.phase_error_rate:.4f}" in line
    worse = float(line.split("at most ")[1].split()[0])
    told = DetectorMismatch(dark_count_probability=0.0, efficiency_deviation=0.01, dark_count_deviation=0.0)
    mismatch = length("decoys", two_way=False, detectors=told)
    assert worse == pytest.approx(mismatch.phase_error_rate, abs=2e-3)
    assert not any("were the receiver's two detectors" in line for line in mismatch.assumptions)
    assert any("Serfling" in step for step in mismatch.unproven)


def coherent_states(**options: Any) -> SecretLength:
    settings = GaussianBoundSettings(modulation_variance=4.0, efficiency=0.9, **options)
    tally = Block.plain(4.0, math.sqrt(0.9 * 0.9 / 2), 1.02, 0.015, 10**9).expected()
    return gaussian.secret_length(tally, settings=settings, leakage_bits=10**8, epsilon=1e-10)


def test_coherent_states_say_their_class_of_attacks_and_no_more() -> None:
    tested, trusting = coherent_states(), coherent_states(attacks="phase-insensitive-gaussian-collective")
    for result in (tested, trusting):
        said = "\n".join(result.assumptions)
        assert "Nothing is claimed against general attacks" in said
        assert "hash key that stays secret for ever" in said
        assert "epsilons of all blocks add up" in said
        assert "calibration records went through the same filters" in said
        assert result.to_dict()["unproven"] == list(result.unproven) != []
        assert all(step in str(result) for step in result.unproven)
    assert "collective" in tested.attacks
    assert "phase-insensitive" not in tested.attacks
    assert "phase-insensitive" in trusting.attacks
    assert 0 < tested.bits < trusting.bits


def test_who_holds_the_receiver_s_loss_is_said_and_costs_key() -> None:
    trusted, untrusted = coherent_states(), coherent_states(receiver="untrusted")
    assert 0 < untrusted.bits < trusted.bits
    only = set(trusted.assumptions) - set(untrusted.assumptions)
    assert any("loss and electronic noise of the receiver are nobody's" in line for line in only)


@pytest.mark.parametrize("method", ["linear-program", "analytic"])
def test_exchanged_labels_are_told_as_such(method: str) -> None:
    exchanged = DecoyTally(
        intensities=DECOYS.intensities,
        probabilities=DECOYS.probabilities,
        key_counts=(2_700_000, 7_000_000, 4_000),
        test_counts=(270_000, 700_000, 400),
        test_errors=(2_900, 7_000, 200),
    )
    result = decoy_bb84.secret_length(exchanged, leakage_bits=0, epsilon=1e-10, method=method)  # type: ignore[arg-type]
    assert result.bits == 0
    assert "detections per pulse fall with intensity" in result.reason
    assert "are the labels exchanged?" in result.reason
    assert "0.15 has 2.3 times those of 0.5" in result.reason
    named = decoy_bb84.secret_length(exchanged, leakage_bits=0, epsilon=1e-10, bound="wiesemann-2026")
    assert named.bits == 0
    assert "are the labels exchanged?" in named.reason


def test_counts_of_another_source_are_told_as_such() -> None:
    """As many detections of 0.15 as of 0.5, and hardly any of next to no light: neither empty pulses nor photons."""
    other = DecoyTally(
        intensities=DECOYS.intensities,
        probabilities=DECOYS.probabilities,
        key_counts=(4_000_000, 4_500_000, 10),
        test_counts=(400_000, 450_000, 1),
        test_errors=(4_000, 4_500, 0),
    )
    result = decoy_bb84.secret_length(other, leakage_bits=0, epsilon=1e-10)
    assert result.bits == 0
    assert "no photon numbers explain these counts: are labels, their order and the intensities" in result.reason
