from __future__ import annotations

import math
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkdpost.errors import ConfigurationError, InputError
from qkdpost.security.decoy.analytic import (
    INTERVALS,
    clopper_pearson_intervals,
    hoeffding_intervals,
    rounding_error,
    single_photon_errors_upper,
    single_photons_lower,
    vacuum_lower,
    vacuum_upper_by_errors,
)
from qkdpost.security.decoy.certified import IncompatibleCounts
from qkdpost.security.decoy.linear_program import DecoyProgram
from qkdpost.security.decoy.photon_statistics import PhotonStatistics
from qkdpost.security.decoy.single_photons import count_events, estimate_single_photons
from qkdpost.security.decoy.tally import DecoyTally
from qkdpost.statistics.concentration import trials_upper_bound
from reference.links import DecoyLink

THREE = PhotonStatistics((0.5, 0.15, 2e-4), (0.4, 0.45, 0.15))
KEY, TEST, ERRORS = (7_000_000, 2_700_000, 4_000), (700_000, 270_000, 400), (7_000, 2_900, 200)
TAIL = 1e-10 / 21


@pytest.mark.parametrize("gap", [0.35, 1e-2, 1e-4, 1e-6])
@pytest.mark.parametrize("weakest", [None, 2e-4])
def test_rounding_is_covered_however_close_intensities_are(gap: float, weakest: float | None) -> None:
    """The analytic bound in whole numbers and rational ones, with the floats' own values."""
    intensities = (0.5, 0.5 - gap) if weakest is None else (0.5, 0.5 - gap - weakest, weakest)
    probabilities = (0.7, 0.3) if weakest is None else (0.4, 0.45, 0.15)
    source = PhotonStatistics(intensities, probabilities)
    counts = (9_000_001, 8_999_990, 4_000)[: len(intensities)]
    intervals = tuple((float(count), float(count)) for count in counts)
    mu = [Fraction(k) for k in intensities]
    weights = [_exp(k) / Fraction(p) for k, p in zip(mu, probabilities, strict=True)]
    low = [weight * count for weight, count in zip(weights, counts, strict=True)]
    tau = [sum(Fraction(p) / _exp(k) * k**n for k, p in zip(mu, probabilities, strict=True)) for n in (0, 1)]
    if weakest is None:
        ratio = (mu[1] / mu[0]) ** 2
        exact = tau[1] * mu[0] / (mu[1] * (mu[0] - mu[1])) * (low[1] - ratio * low[0])
    else:
        bracket = low[1] - low[2] - (mu[1] ** 2 - mu[2] ** 2) / mu[0] ** 2 * low[0]
        exact = tau[1] * mu[0] * bracket / (mu[0] * (mu[1] - mu[2]) - mu[1] ** 2 + mu[2] ** 2)
    found = single_photons_lower(source, intervals, 0.0)
    most = Fraction(rounding_error(source, 0.0, intervals))
    assert abs(Fraction(found) - exact) <= most
    empty = tau[0] * (mu[-2] * low[-1] - mu[-1] * low[-2]) / (mu[-2] - mu[-1])
    if empty > 0:
        assert abs(Fraction(vacuum_lower(source, intervals)) - empty) <= most
    wrong = tau[1] * (low[-2] - low[-1]) / (mu[-2] - mu[-1])
    if wrong > 0:
        assert abs(Fraction(single_photon_errors_upper(source, intervals)) - wrong) <= most


def _exp(x: Fraction) -> Fraction:
    return sum((x**n / math.factorial(n) for n in range(25)), start=Fraction(0))


def test_photon_statistics() -> None:
    assert THREE.photon_probability(0) == pytest.approx(0.7799008562761294, rel=1e-15)
    assert THREE.photon_probability(1) == pytest.approx(0.17943391435181807, rel=1e-14)
    for photons, expected in (
        (0, (0.311080904621, 0.496625418826, 0.192293676553)),
        (1, (0.676049075676, 0.323783765285, 0.000167159039)),
        (2, (0.87436992713, 0.125629986392, 8.6478e-08)),
    ):
        assert THREE.label_probabilities(photons) == pytest.approx(expected, rel=1e-5)
        assert math.fsum(THREE.label_probabilities(photons)) == pytest.approx(1.0, rel=1e-15)
    dark = PhotonStatistics((0.5, 0.0), (0.9, 0.1))
    assert dark.label_probabilities(3) == (1.0, 0.0)
    assert dark.label_probabilities(0)[1] > 0.1


def test_pulses_without_light_to_speak_of() -> None:
    """Products of subnormal intensities were divided by; a photon number of the faintest allowed has a label."""
    for faint in ((0.5, 5e-324), (1e-200, 1e-201), (0.0, 0.0), (math.nan, 0.1)):
        with pytest.raises(InputError, match="intensit"):
            PhotonStatistics(faint, (0.5, 0.5))
        with pytest.raises(InputError, match="intensit"):
            DecoyTally(
                intensities=faint,
                probabilities=(0.5, 0.5),
                key_counts=(9, 1),
                test_counts=(9, 1),
                test_errors=(0, 0),
                key_errors=(0, 0),
            )
    faintest = PhotonStatistics((1e-11, 0.99e-11), (0.3, 0.7))
    for photons in (1, 20, 61):
        shares = faintest.label_probabilities(photons)
        assert math.fsum(shares) == pytest.approx(1.0, rel=1e-14)
        assert shares[1] / shares[0] == pytest.approx(7 / 3 * 0.99**photons, rel=1e-12)


def test_intervals_of_the_standard_block() -> None:
    assert clopper_pearson_intervals(KEY, TAIL) == (
        pytest.approx((6990476.713081, 7009509.436875), abs=1e-4),
        pytest.approx((2690494.900561, 2709518.975274), abs=1e-4),
        pytest.approx((3584.17296, 4447.133563), abs=1e-5),
    )
    assert clopper_pearson_intervals(ERRORS, TAIL) == (
        pytest.approx((6677.976566, 7309.933393), abs=1e-5),
        pytest.approx((2596.697318, 3216.633204), abs=1e-5),
        pytest.approx((118.688807, 311.468499), abs=1e-5),
    )
    assert INTERVALS["kullback-leibler"](KEY, TAIL) == (
        pytest.approx((6989907.557189, 7010077.054227), abs=1e-4),
        pytest.approx((2689927.543174, 2710087.874066), abs=1e-4),
        pytest.approx((3560.606018, 4474.120743), abs=1e-5),
    )


@given(st.lists(st.integers(0, 10**9), min_size=2, max_size=5), st.sampled_from([1e-2, 1e-10, 1e-30]))
def test_intervals_are_nested_and_hold_what_was_seen(counts: list[int], tail: float) -> None:
    total = sum(counts)
    exact, loose, looser = (
        INTERVALS[name](counts, tail) for name in ("clopper-pearson", "kullback-leibler", "hoeffding")
    )
    slack = 1e-9 * (total + 1)
    for count, tight, wide, widest in zip(counts, exact, loose, looser, strict=True):
        assert tight[0] <= count <= tight[1]
        assert wide[0] <= tight[0] + slack or tight[0] == count - 1
        assert wide[1] >= tight[1] - slack or tight[1] == count + 1
        assert widest[0] <= wide[0] + slack
        assert widest[1] >= wide[1] - slack


def test_analytic_bounds_of_two_decoys() -> None:
    key, test, errors = (hoeffding_intervals(counts, TAIL, clip=False) for counts in (KEY, TEST, ERRORS))
    assert vacuum_lower(THREE, key) == 0.0
    assert single_photons_lower(THREE, key, 0.0) == pytest.approx(7258502.800859837, rel=1e-14)
    assert single_photons_lower(THREE, test, 0.0) == pytest.approx(685791.2626889318, rel=1e-14)
    assert single_photon_errors_upper(THREE, errors) == pytest.approx(11391.328934678451, rel=1e-14)


@pytest.mark.parametrize(
    ("source", "key", "test", "errors", "expected"),
    [
        (
            PhotonStatistics((0.9, 0.1, 0.0), (1 / 3, 1 / 3, 1 / 3)),
            (23_500_000, 2_650_000, 90),
            (24_700_000, 2_790_000, 95),
            (37_000, 4_300, 48),
            (11076372.700738952, 11676174.585127302, 31803.80808893034),
        ),
        (THREE, KEY, TEST, ERRORS, (7172349.89447704, 658547.3215676426, 13260.839882795748)),
    ],
)
def test_bounds_of_the_variable_length_program(
    *,
    source: PhotonStatistics,
    key: tuple[int, ...],
    test: tuple[int, ...],
    errors: tuple[int, ...],
    expected: tuple[float, float, float],
) -> None:
    """T1 and T2: two-sided deviations at eps_d^2 = 1e-24, not clipped."""
    ends = [hoeffding_intervals(counts, 1e-24 / 2, clip=False) for counts in (key, test, errors)]
    assert single_photons_lower(source, ends[0], vacuum_lower(source, ends[0])) == pytest.approx(expected[0], rel=1e-13)
    assert single_photons_lower(source, ends[1], vacuum_lower(source, ends[1])) == pytest.approx(expected[1], rel=1e-13)
    assert single_photon_errors_upper(source, ends[2]) == pytest.approx(expected[2], rel=1e-13)


@pytest.mark.parametrize(
    ("intervals", "expected"),
    [
        ("hoeffding", (7280061.783, 0.0, 691996.715, 10077.230)),
        ("kullback-leibler", (7391058.534, 11255.500, 727003.652, 9087.385)),
        ("clopper-pearson", (7394189.604, 11379.750, 727997.405, 8999.797)),
    ],
)
def test_linear_program_of_the_standard_block(intervals: str, expected: tuple[float, ...]) -> None:
    key, test, errors = (INTERVALS[intervals](counts, TAIL) for counts in (KEY, TEST, ERRORS))
    found = (
        DecoyProgram(THREE, sum(KEY), key).least(1),
        DecoyProgram(THREE, sum(KEY), key).least(0),
        DecoyProgram(THREE, sum(TEST), test).least(1),
        DecoyProgram(THREE, sum(ERRORS), errors).most(1),
    )
    assert found == pytest.approx(expected, rel=2e-9, abs=1e-3)


def test_what_a_wrong_solver_says_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Multipliers at random give a valid, looser bound; so does a refusal to answer."""
    key = INTERVALS["clopper-pearson"](KEY, TAIL)
    honest = DecoyProgram(THREE, sum(KEY), key)
    right = honest.least(1), honest.most(1)
    rng = np.random.default_rng(5)
    for _ in range(200):
        scale = 10.0 ** rng.uniform(-3, 3)
        wrong = SimpleNamespace(
            status=0,
            ineqlin=SimpleNamespace(marginals=scale * rng.normal(size=10)),
            eqlin=SimpleNamespace(marginals=scale * rng.normal(size=2)),
        )
        monkeypatch.setattr("qkdpost.security.decoy.certified._solve", lambda *_, answer=wrong: answer)
        assert honest.least(1) <= right[0]
        assert honest.most(1) >= right[1]
    monkeypatch.setattr("qkdpost.security.decoy.certified._solve", lambda *_: SimpleNamespace(status=4))
    assert (honest.least(1), honest.most(1)) == (0.0, sum(KEY))


def test_counts_that_no_photon_numbers_explain() -> None:
    """More of the weakest label than even empty pulses would give: nothing can be said."""
    intervals = clopper_pearson_intervals((1000, 1000, 10**6), 1e-10)
    for strict in (False, True):
        program = DecoyProgram(THREE, 1_002_000, intervals, strict=strict)
        for ask in (program.least, program.most):
            with pytest.raises(IncompatibleCounts):
                ask(1)


@pytest.mark.parametrize("method", ["linear-program", "analytic"])
@pytest.mark.parametrize(
    "counts",
    [
        {"key_counts": (1, 6_326_616), "test_counts": (0, 28_720_298), "test_errors": (0, 14_360_149)},
        {"key_counts": (1_000_000, 9_000_000), "test_counts": (100_000, 900_000), "test_errors": (1_000, 9_000)},
    ],
    ids=["hardly any of the strong", "labels exchanged"],
)
def test_labels_mixed_up_certify_nothing(method: str, counts: dict[str, tuple[int, ...]]) -> None:
    tally = DecoyTally(
        intensities=(0.5, 0.1),
        probabilities=(0.7, 0.3),
        key_errors=tuple(n // 100 for n in counts["key_counts"]),
        **counts,
    )
    found = estimate_single_photons(tally, method=method, intervals="clopper-pearson", tail=1e-10)  # type: ignore[arg-type]
    assert (found.key, found.test, found.test_errors) == (0.0, 0.0, sum(tally.test_errors))


LINKS = st.builds(
    DecoyLink,
    intensities=st.sampled_from(
        [(0.5, 0.15, 2e-4), (0.6, 0.2, 0.0), (0.45, 0.12), (0.9, 0.1, 0.0), (0.3, 0.1, 0.01), (0.7, 0.4, 0.1, 0.01)]
    ),
    probabilities=st.just(()),
    transmittance=st.floats(-4, -0.3).map(lambda power: 10.0**power),
    dark=st.floats(-8, -5).map(lambda power: 10.0**power),
    misalignment=st.floats(0.0, 0.1),
).map(
    lambda link: DecoyLink(
        intensities=link.intensities,
        probabilities={2: (0.7, 0.3), 3: (0.5, 0.3, 0.2), 4: (0.4, 0.3, 0.2, 0.1)}[len(link.intensities)],
        transmittance=link.transmittance,
        dark=link.dark,
        misalignment=link.misalignment,
    )
)


@settings(max_examples=150, deadline=None)
@given(LINKS, st.floats(6, 13).map(lambda power: 10.0**power), st.sampled_from(list(INTERVALS)))
def test_bounds_hold_for_the_means_of_a_model(link: DecoyLink, pulses: float, intervals: str) -> None:
    """The truth lies inside, and the linear program is never looser than the analytic bound."""
    tally, truth = link.expected_tally(pulses), link.expected(pulses)
    found = estimate_single_photons(tally, method="linear-program", intervals=intervals, tail=1e-10)
    assert found.key <= truth["key"][:, 1].sum() * (1 + 1e-9) + 1
    assert found.test <= truth["test"][:, 1].sum() * (1 + 1e-9) + 1
    assert found.test_errors >= truth["test_errors"][:, 1].sum() * (1 - 1e-9) - 1
    if len(link.intensities) <= 3:
        analytic = estimate_single_photons(tally, method="analytic", intervals=intervals, tail=1e-10)
        assert found.key >= analytic.key
        assert found.test >= analytic.test
        assert found.test_errors <= analytic.test_errors


def test_a_huge_block_pins_the_single_photons_down() -> None:
    """What is left is what three labels cannot tell about pulses of three photons and more."""
    link = DecoyLink(intensities=(0.5, 0.1, 1e-3), probabilities=(0.5, 0.3, 0.2), transmittance=0.05)
    tally, truth = link.expected_tally(1e15), link.expected(1e15)
    found = estimate_single_photons(tally, method="linear-program", intervals="clopper-pearson", tail=1e-10)
    assert found.key == pytest.approx(truth["key"][:, 1].sum(), rel=0.04)
    assert found.test_errors == pytest.approx(truth["test_errors"][:, 1].sum(), rel=0.15)


def test_one_decoy_without_photons_goes_to_the_program() -> None:
    """Vacuum as the only decoy: there is no analytic bound, and the program certifies some single photons."""
    link = DecoyLink(intensities=(0.1, 0.0), probabilities=(0.8, 0.2), transmittance=0.1, misalignment=0.01)
    tally, truth = link.expected_tally(1e9), link.expected(1e9)
    found = estimate_single_photons(tally, method="linear-program", intervals="clopper-pearson", tail=1e-10)
    assert 0 <= found.key <= truth["key"][:, 1].sum()
    assert found.test_errors >= truth["test_errors"][:, 1].sum()
    with pytest.raises(ConfigurationError, match="above zero"):
        estimate_single_photons(tally, method="analytic", intervals="clopper-pearson", tail=1e-10)


def test_events_are_counted() -> None:
    two = DecoyTally(
        intensities=(0.5, 0.1), probabilities=(0.5, 0.5), key_counts=(1, 1), test_counts=(1, 1), test_errors=(0, 0)
    )
    assert count_events(two, "analytic") == 7
    assert (
        count_events(
            DecoyLink(intensities=(0.5, 0.1), probabilities=(0.5, 0.5), transmittance=0.1).expected_tally(1e6),
            "linear-program",
        )
        == 10
    )
    three = DecoyLink(intensities=(0.5, 0.1, 0.0), probabilities=(0.5, 0.3, 0.2), transmittance=0.1).expected_tally(1e6)
    assert count_events(three, "linear-program") == 18
    assert count_events(three, "analytic") == 12
    with pytest.raises(ConfigurationError):
        count_events(three, "guess")  # type: ignore[arg-type]


def test_fair_coin() -> None:
    for heads, tail in ((0, 1e-3), (5, 1e-6), (40, 1e-10)):
        most = trials_upper_bound(heads, 10**6, tail)
        ways = [sum(math.comb(n, i) for i in range(heads + 1)) / 2**n for n in (most, most + 1)]
        assert ways[1] <= tail < ways[0]
    assert trials_upper_bound(5, 3, 1e-3) == 3
    assert trials_upper_bound(5, 12, 1e-9) == 12


def test_vacuum_by_errors_needs_no_more_than_its_label() -> None:
    source = PhotonStatistics((0.5, 0.15), (0.7, 0.3))
    ends = hoeffding_intervals((90_000, 12_000), 1e-9 / 15)
    both = [vacuum_upper_by_errors(source, ends, label) for label in (0, 1)]
    assert 2 * (both[1] + 10823.8893282518 * math.sqrt(1.0)) == pytest.approx(90891.5328635388, rel=1e-9)
    assert both[0] > both[1]


@pytest.mark.parametrize(
    ("intensities", "probabilities"),
    [
        ((0.1, 0.5), (0.5, 0.5)),
        ((0.5, 0.5), (0.5, 0.5)),
        ((0.5,), (1.0,)),
        ((0.5, 0.1), (0.5, 0.4)),
        ((0.5, 0.1), (1.0, 0.0)),
        ((0.5, -0.1), (0.5, 0.5)),
        ((0.5, 0.1), (0.5, 0.3, 0.2)),
        ((50.0, 0.1), (0.5, 0.5)),
        ((math.nan, 0.1), (0.5, 0.5)),
    ],
)
def test_intensities_that_cannot_be_are_refused(
    intensities: tuple[float, ...], probabilities: tuple[float, ...]
) -> None:
    zeros = (0,) * len(intensities)
    with pytest.raises(InputError):
        DecoyTally(
            intensities=intensities, probabilities=probabilities, key_counts=zeros, test_counts=zeros, test_errors=zeros
        )


@pytest.mark.parametrize(
    "counts",
    [
        {"test_errors": (2, 0, 0)},
        {"key_counts": (1, 1)},
        {"key_counts": (-1, 1, 1)},
        {"key_counts": (2**53, 2**53, 0)},
        {"key_errors": (9, 9, 9)},
        {"test_counts": (1.5, 1, 1)},
    ],
)
def test_counts_that_cannot_be_are_refused(counts: dict[str, tuple[int, ...]]) -> None:
    good = {"key_counts": (5, 5, 5), "test_counts": (1, 1, 1), "test_errors": (0, 0, 0)}
    with pytest.raises(InputError):
        DecoyTally(intensities=(0.5, 0.1, 0.0), probabilities=(0.4, 0.3, 0.3), **(good | counts))


def test_close_intensities_are_refused_and_odd_sets_go_to_the_program() -> None:
    close = PhotonStatistics((0.5, 0.49999, 0.49998), (1e-9, 0.5, 0.5 - 1e-9))
    with pytest.raises(ConfigurationError, match="close together"):
        DecoyProgram(close, 10, ((1, 9), (1, 9), (1, 9))).least(1)
    with pytest.raises(ConfigurationError, match="linear program"):
        single_photons_lower(PhotonStatistics((0.5, 0.4, 0.3), (0.4, 0.3, 0.3)), ((1, 9),) * 3, 0.0)
    with pytest.raises(ConfigurationError, match="above zero"):
        single_photons_lower(PhotonStatistics((0.5, 0.0), (0.5, 0.5)), ((1, 9),) * 2, 0.0)
