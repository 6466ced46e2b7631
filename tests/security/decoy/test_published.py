from __future__ import annotations

import math
from dataclasses import replace

import pytest

from qkdpost.errors import ConfigurationError, InputError
from qkdpost.security import decoy_bb84
from qkdpost.security.decoy.photon_statistics import PhotonStatistics
from qkdpost.security.decoy.published.estimates import DecoyCounts, lim_2014, rusca_2018, wiesemann_2026
from qkdpost.security.decoy.published.lengths import DecoyAcceptance, published_estimate
from qkdpost.security.decoy.tally import DecoyTally
from qkdpost.security.epsilon import Epsilon
from qkdpost.statistics.entropy import binary_entropy
from support.tallies import VECTOR_B1

ONE_DECOY = {
    "A0": (
        DecoyCounts(
            source=PhotonStatistics((0.5, 0.15), (0.9, 0.1)),
            key_counts=(36361347.850457735, 1214348.0169456508),
            test_counts=(448905.5290179964, 14991.950826489508),
            key_errors=(728346.9337069179, 24411.384109083654),
            test_errors=(8991.93745317182, 301.3751124578227),
        ),
        (1e-12, 1e-12, 6173186.200188048),
        (455837.2477147954, 19535806.534566287, 127841.82527646636, 13904.153107128965, 0.12421608443743307),
        2786507.928698373,
    ),
    "A1": (
        DecoyCounts(
            source=PhotonStatistics((0.45, 0.12), (0.7, 0.3)),
            key_counts=(22254350.922225982, 2585490.503503579),
            test_counts=(693042.0702423318, 80517.00529941946),
            key_errors=(222583.1956290975, 25871.902371765605),
            test_errors=(6931.656611286776, 805.6993818196904),
        ),
        (1e-10, 1e-15, 2328426.7634712434),
        (183873.47391325657, 15505789.140824622, 433232.9128090274, 10154.012197793523, 0.031251822824507225),
        10066216.560186753,
    ),
    "A3": (
        DecoyCounts(
            source=PhotonStatistics((0.5, 0.15), (0.8, 0.2)),
            key_counts=(323970827.5847449, 24311135.64726761),
            test_counts=(3999639.846725243, 300137.4771267604),
            key_errors=(3265110.1349829943, 249461.77591123513),
            test_errors=(40310.0016664567, 3079.7750112498143),
        ),
        (1e-12, 1e-12, 32884931.489497058),
        (2106404.3397622746, 198859170.45622268, 2274728.016284323, 54890.028435190434, 0.02780324636677982),
        129532546.78594093,
    ),
    "B1": (
        DecoyCounts(
            source=PhotonStatistics((0.5, 0.15), (0.7, 0.3)),
            key_counts=(9_000_000, 1_000_000),
            test_counts=(900_000, 100_000),
            key_errors=(90_000, 12_000),
            test_errors=(9_000, 1_200),
        ),
        (1e-9, 1e-15, 952546.8960492149),
        (90891.5328635388, 4302258.501871553, 388474.0499675611, 13414.0084697027, 0.0426394222),
        2255610.0,
    ),
    "B2": (
        DecoyCounts(
            source=PhotonStatistics((0.45, 0.12), (0.7, 0.3)),
            key_counts=(22254351, 2585490),
            test_counts=(693042, 80517),
            key_errors=(222583, 25872),
            test_errors=(6932, 806),
        ),
        (1e-10, 1e-15, 2328426.002714915),
        (None, 15505782.308378901, 433227.0976055936, 10153.8134814283, 0.0312517298),
        10066219.0,
    ),
}


@pytest.mark.parametrize("name", ONE_DECOY)
def test_wiesemann_with_one_decoy(name: str) -> None:
    """The authors' program, executed with its locals captured (A) and on whole numbers (B)."""
    counts, (secrecy, correctness, leakage), (empty, key, test, errors, rate), length = ONE_DECOY[name]
    found = wiesemann_2026(counts, secrecy / 15)
    if empty is not None:
        assert found.vacuum_upper == pytest.approx(empty, rel=1e-12)
    _just_below(found.key, key)
    _just_below(found.test, test)
    _just_below(-found.test_errors, -errors)
    assert found.phase_error_rate == pytest.approx(rate, rel=2e-9)
    assert found.vacuum == 0.0
    bits = found.key * (1 - binary_entropy(found.phase_error_rate)) - leakage - math.log2(2 / correctness)
    bits -= 4 * math.log2(15 / (secrecy * 2**0.25))
    if length == int(length):
        assert bits == pytest.approx(length, abs=1.0)
    else:
        _just_below(bits, length)


def _just_below(found: float, expected: float) -> None:
    """Ours is moved to the safe side by what floating point may have added."""
    assert -1e-9 * abs(expected) <= found - expected <= 1e-12 * abs(expected)


@pytest.mark.parametrize(
    ("source", "counts", "secrecy", "leakage", "expected", "length"),
    [
        (
            PhotonStatistics((0.5, 0.15, 2e-4), (0.4, 0.45, 0.15)),
            ((7_000_000, 2_700_000, 4_000), (700_000, 270_000, 400), (7_000, 2_900, 200)),
            1e-10,
            939777.0741206666,
            (0.0, 7259255.137969068, 686029.1725722763, 10086.1273664533, 0.021125276),
            5246993.587,
        ),
        (
            PhotonStatistics((0.45, 0.15, 1e-3), (0.6, 0.3, 0.1)),
            (
                (6_200_000_000, 1_050_000_000, 6_000_000),
                (150_000_000, 26_000_000, 150_000),
                (3_000_000, 530_000, 40_000),
            ),
            1e-12,
            1244867886.4184985,
            (22082088.66018237, 4697938150.969491, 117063620.48090225, 2484526.508093436, 0.0217401791270142),
            2743198760.142,
        ),
    ],
)
def test_wiesemann_with_two_decoys(
    *,
    source: PhotonStatistics,
    counts: tuple[tuple[int, ...], ...],
    secrecy: float,
    leakage: float,
    expected: tuple[float, ...],
    length: float,
) -> None:
    """C1 and C3; the vacuum term, where there is one, is beside the length."""
    found = wiesemann_2026(
        DecoyCounts(source=source, key_counts=counts[0], test_counts=counts[1], test_errors=counts[2]), secrecy / 17
    )
    parts = (found.vacuum, found.key, found.test, found.test_errors, found.phase_error_rate)
    assert parts == pytest.approx(expected, rel=1e-8)
    bits = found.key * (1 - binary_entropy(found.phase_error_rate)) - leakage - math.log2(2 / 1e-15)
    bits -= 4 * math.log2(17 / (secrecy * 2**0.25))
    assert -1e-10 * length <= bits - length <= 1e-3
    if found.vacuum:
        assert -1e-10 * length <= bits + found.vacuum - 2765280848.802 <= 1e-3


STANDARD = DecoyTally(
    intensities=(0.5, 0.15, 2e-4),
    probabilities=(0.4, 0.45, 0.15),
    key_counts=(7_000_000, 2_700_000, 4_000),
    test_counts=(700_000, 270_000, 400),
    test_errors=(7_000, 2_900, 200),
)
STANDARD_COUNTS = DecoyCounts(
    source=PhotonStatistics((0.5, 0.15, 2e-4), (0.4, 0.45, 0.15)),
    key_counts=STANDARD.key_counts,
    test_counts=STANDARD.test_counts,
    test_errors=STANDARD.test_errors,
)


def test_lim_2014() -> None:
    found = lim_2014(STANDARD_COUNTS, 1e-10)
    assert found.key == pytest.approx(7258502.800859837, rel=1e-13)
    assert found.test == pytest.approx(685791.2626889318, rel=1e-13)
    assert found.test_errors == pytest.approx(11391.328934678451, rel=1e-13)
    assert found.phase_error_rate == pytest.approx(0.018136304180233476, rel=1e-12)
    bits = found.vacuum + found.key * (1 - binary_entropy(found.phase_error_rate)) - 939777.0741206666
    assert math.floor(bits - 6 * math.log2(21e10) - math.log2(2e15)) == 5368713
    assert 6 * math.log2(21 / 1e-9) + math.log2(2 / 1e-15) == pytest.approx(256.5669430839006)


def test_lim_2014_through_the_public_face() -> None:
    epsilon = Epsilon(secrecy=1e-10, correctness=1e-15, authentication=1e-15)
    result = decoy_bb84.secret_length(STANDARD, leakage_bits=939777, epsilon=epsilon, bound="lim-2014", two_way=False)
    assert math.floor(math.fsum(term.bits for term in result.terms) - 0.0741206666) == 5368713
    assert not result.rigorous
    assert "NOT a proven bound" in str(result)
    assert result.epsilon.secrecy == pytest.approx(1e-10)


def test_rusca_2018() -> None:
    counts = ONE_DECOY["B1"][0]
    found = rusca_2018(counts, 1e-9, events=21)
    assert found.vacuum_upper == pytest.approx(91029.5455, rel=1e-9)
    assert found.vacuum == 0.0
    assert found.key == pytest.approx(4301286.935, rel=1e-10)
    assert found.test == pytest.approx(388166.8136, rel=1e-9)
    assert found.test_errors == pytest.approx(13421.7778, rel=1e-8)
    assert found.phase_error_rate == pytest.approx(0.0373059678, rel=1e-9)
    bits = found.key * (1 - binary_entropy(found.phase_error_rate)) - 952546.8960492149
    assert math.floor(bits - 6 * math.log2(19e9) - math.log2(2e15)) == 2360045


def test_rusca_2018_against_an_implementation_in_interval_arithmetic() -> None:
    counts = DecoyCounts(
        source=PhotonStatistics((0.51, 0.15), (0.7, 0.3)),
        key_counts=(8875913, 1124087),
        test_counts=(165048, 20902),
        key_errors=(185856, 26055),
        test_errors=(3456, 484),
    )
    for events, length in ((19, 1464719.0887320058), (21, 1464306.209)):
        found = rusca_2018(counts, 1e-9, events=events)
        assert found.vacuum_upper == pytest.approx(167020.1792587285, rel=1e-13)
        assert found.key == pytest.approx(5396516.268816283, rel=1e-13)
        assert found.test == pytest.approx(76462.2755485758, rel=1e-12)
        assert found.test_errors == pytest.approx(5411.812583855381, rel=1e-13)
        bits = found.key * (1 - binary_entropy(found.phase_error_rate)) - 1776924
        bits -= 6 * math.log2(19e9) + math.log2(2e15)
        assert bits == pytest.approx(length, abs=1e-3)
        if events == 19:
            assert bits == pytest.approx(length, rel=1e-14)
            assert found.phase_error_rate == pytest.approx(0.07917365937798954, rel=1e-13)


def test_each_ledger_adds_up_to_its_secrecy() -> None:
    epsilon = Epsilon(secrecy=1e-9, correctness=1e-15, authentication=1e-15)
    for tally, bound, parts in (
        (VECTOR_B1, "wiesemann-2026", 15),
        (VECTOR_B1, "rusca-2018", 19),
        (STANDARD, "lim-2014", 21),
        (STANDARD, "wiesemann-2026", 17),
    ):
        result = decoy_bb84.secret_length(tally, leakage_bits=952547, epsilon=epsilon, bound=bound)
        assert sum(term.weight for term in result.epsilon.terms) == parts
        assert result.epsilon.secrecy == pytest.approx(1e-9, rel=1e-12)
        assert result.form == "fixed-length"
    result = decoy_bb84.secret_length(VECTOR_B1, leakage_bits=952547, epsilon=epsilon, bound="wiesemann-2026")
    assert abs(result.bits - 2255610) <= 1


def test_the_vacuum_term_is_kept_only_one_way() -> None:
    tally = DecoyTally(
        intensities=(0.45, 0.15, 1e-3),
        probabilities=(0.6, 0.3, 0.1),
        key_counts=(6_200_000_000, 1_050_000_000, 6_000_000),
        test_counts=(150_000_000, 26_000_000, 150_000),
        test_errors=(3_000_000, 530_000, 40_000),
    )
    arguments = {"leakage_bits": 1_244_867_887, "epsilon": 1e-10, "bound": "wiesemann-2026"}
    both = [decoy_bb84.secret_length(tally, two_way=two_way, **arguments).bits for two_way in (False, True)]
    assert both[0] - both[1] == pytest.approx(22_080_000, rel=1e-2)


def test_acceptance_fixes_the_length() -> None:
    acceptance = DecoyAcceptance(single_photons=7_000_000, phase_error_rate=0.025, leakage_bits=950_000)
    arguments = {"epsilon": 1e-10, "bound": "wiesemann-2026", "acceptance": acceptance}
    good = decoy_bb84.secret_length(STANDARD, leakage_bits=939_778, **arguments)
    better = decoy_bb84.secret_length(STANDARD, leakage_bits=900_000, **arguments)
    assert good.bits == better.bits > 4_000_000
    leaky = decoy_bb84.secret_length(STANDARD, leakage_bits=950_001, **arguments)
    assert (leaky.bits, "leakage" in leaky.reason) == (0, True)
    for strict, name in (
        (DecoyAcceptance(single_photons=8_000_000, phase_error_rate=0.025, leakage_bits=950_000), "single photons"),
        (DecoyAcceptance(single_photons=7_000_000, phase_error_rate=0.02, leakage_bits=950_000), "phase-error rate"),
    ):
        refused = decoy_bb84.secret_length(STANDARD, leakage_bits=939_778, **(arguments | {"acceptance": strict}))
        assert refused.bits == 0
        assert name in refused.reason
    with pytest.raises(InputError):
        DecoyAcceptance(single_photons=-1, phase_error_rate=0.1, leakage_bits=0)
    with pytest.raises(ConfigurationError, match="leave acceptance out"):
        decoy_bb84.secret_length(STANDARD, leakage_bits=1, epsilon=1e-10, acceptance=acceptance)


def test_bounds_that_do_not_fit_are_refused() -> None:
    two = DecoyTally(
        intensities=(0.5, 0.15), probabilities=(0.7, 0.3), key_counts=(9, 1), test_counts=(9, 1), test_errors=(0, 0)
    )
    for tally, bound, match in (
        (two, "lim-2014", "two decoys"),
        (two, "rusca-2018", "key_errors"),
        (two, "wiesemann-2026", "key_errors"),
        (STANDARD, "rusca-2018", "one decoy"),
        (STANDARD, "guess-2030", "bound must be one of"),
    ):
        with pytest.raises(ConfigurationError, match=match):
            decoy_bb84.secret_length(tally, leakage_bits=0, epsilon=1e-10, bound=bound)


def test_one_decoy_without_a_photon_number_is_refused() -> None:
    tally = replace(VECTOR_B1, intensities=(0.5, 0.0))
    with pytest.raises(ConfigurationError, match="above zero"):
        decoy_bb84.secret_length(tally, leakage_bits=0, epsilon=1e-9, bound="wiesemann-2026")


def test_one_decoy_has_no_vacuum_term_even_one_way() -> None:
    """Its bound announces errors of the key; a vacuum term would need them charged."""
    tally = DecoyTally(
        intensities=(0.5, 0.05),
        probabilities=(0.5, 0.5),
        key_counts=(1_000_000, 900_000),
        test_counts=(100_000, 90_000),
        key_errors=(400_000, 430_000),
        test_errors=(40_000, 43_000),
    )
    counts = DecoyCounts(
        source=PhotonStatistics(tally.intensities, tally.probabilities),
        key_counts=tally.key_counts,
        test_counts=tally.test_counts,
        test_errors=tally.test_errors,
        key_errors=tally.key_errors,
    )
    assert published_estimate("wiesemann-2026", counts, Epsilon.split(1e-9)).vacuum > 0
    one, two = (
        decoy_bb84.secret_length(tally, leakage_bits=0, epsilon=1e-9, bound="wiesemann-2026", two_way=two_way)
        for two_way in (False, True)
    )
    assert [term.bits for term in one.terms] == [term.bits for term in two.terms]
    assert next(term for term in one.terms if term.name == "vacuum").bits == 0


@pytest.mark.parametrize(
    "tally",
    [
        replace(
            VECTOR_B1,
            key_counts=VECTOR_B1.key_counts[::-1],
            test_counts=VECTOR_B1.test_counts[::-1],
            key_errors=VECTOR_B1.key_errors[::-1],  # type: ignore[index]
            test_errors=VECTOR_B1.test_errors[::-1],
        ),
        DecoyTally(
            intensities=(0.5, 0.15, 0.01),
            probabilities=(0.4, 0.4, 0.2),
            key_counts=(2_700_000, 7_000_000, 1_000),
            test_counts=(270_000, 700_000, 100),
            test_errors=(2_700, 7_000, 50),
        ),
        DecoyTally(
            intensities=(0.5, 0.15, 0.01),
            probabilities=(0.4, 0.4, 0.2),
            key_counts=(1_000_000, 1_000_000, 1_000_000),
            test_counts=(100_000, 100_000, 100_000),
            test_errors=(500, 500, 500),
        ),
    ],
    ids=["one decoy, exchanged", "two decoys, exchanged", "more of the weakest than of empty pulses"],
)
@pytest.mark.parametrize("two_way", [False, True])
def test_wiesemann_certifies_nothing_of_counts_that_no_photon_numbers_explain(
    tally: DecoyTally, *, two_way: bool
) -> None:
    result = decoy_bb84.secret_length(tally, leakage_bits=0, epsilon=1e-9, bound="wiesemann-2026", two_way=two_way)
    assert result.bits == 0
    assert result.phase_error_rate == 0.5
    assert all(term.bits <= 0 for term in result.terms)
