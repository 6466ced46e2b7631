"""Intensities in intervals: never more than what is certified by whoever knows where in there they were."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qkdpost as qp
from qkdpost.errors import ConfigurationError, InputError
from qkdpost.security import decoy_bb84, intensity_sensitivity
from qkdpost.security.decoy.acceptance import DecoyAcceptance
from qkdpost.security.decoy.analytic import (
    single_photon_errors_upper,
    single_photons_lower,
    vacuum_lower,
    vacuum_upper_by_errors,
)
from qkdpost.security.decoy.detector_mismatch import DetectorMismatch
from qkdpost.security.decoy.linear_program import DecoyProgram
from qkdpost.security.decoy.photon_statistics import PhotonStatistics
from qkdpost.security.decoy.ranges.bounds import RangeRules
from qkdpost.security.decoy.ranges.intensities import IntensityRanges
from qkdpost.security.decoy.ranges.linear_program import RangeProgram
from qkdpost.security.decoy.single_photons import estimate_single_photons, point_estimate
from qkdpost.security.decoy.tally import DecoyTally

SHARES = {2: (0.7, 0.3), 3: (0.7, 0.2, 0.1), 4: (0.4, 0.3, 0.2, 0.1)}
LINES = [(0.5, 0.1, 0.0), (0.5, 0.15, 2e-4), (0.5, 0.1), (0.7, 0.3, 0.1, 0.01)]


def spread(means: tuple[float, ...], part: float) -> tuple[Any, ...]:
    return tuple((mean * (1 - part), mean * (1 + part)) if mean else 0.0 for mean in means)


def honest(stated: tuple[Any, ...], actual: tuple[float, ...], pulses: float = 1e11, loss: float = 0.01) -> DecoyTally:
    """Counts that an honest line gives in the mean with some intensities, told as coming from others."""
    shares = SHARES[len(actual)]

    def counts(basis: float, wrong: float | None) -> tuple[int, ...]:
        clicks = [1 - math.exp(-mean * loss) for mean in actual]
        seen = [click + 1e-7 if wrong is None else click * wrong + 5e-8 for click in clicks]
        return tuple(round(pulses * basis * share * part) for share, part in zip(shares, seen, strict=True))

    return DecoyTally(
        intensities=stated,
        probabilities=shares,
        key_counts=counts(0.81, None),
        test_counts=counts(0.01, None),
        test_errors=counts(0.01, 0.01),
        key_errors=counts(0.81, 0.01) if len(actual) == 2 else None,
    )


def bits(tally: DecoyTally, **options: Any) -> int:
    return decoy_bb84.secret_length(tally, leakage_bits=0, epsilon=1e-10, **options).bits


@pytest.mark.parametrize("method", ["linear-program", "analytic"])
@pytest.mark.parametrize("line", [LINES[0], LINES[2]], ids=["two decoys", "one decoy"])
@pytest.mark.parametrize(
    ("signal", "decoy", "too_much"),
    [(1.0, 1.0, 0.0), (0.9, 1.0, 0.03), (1.0, 1.1, 0.07), (0.9, 1.1, 0.17), (1.1, 1.1, None), (0.9, 0.9, None)],
)
def test_drift_that_nobody_told_gives_too_much_and_intervals_never(
    method: str, line: tuple[float, ...], signal: float, decoy: float, too_much: float | None
) -> None:
    actual = (line[0] * signal, line[1] * decoy, *line[2:])
    certified = bits(honest(actual, actual), method=method)
    if too_much is not None:
        assert bits(honest(line, actual), method=method) >= certified * (1 + too_much)
    within = bits(honest(spread(line, 0.101), actual), method=method)
    assert 0 < within <= certified


def rounds(rng: np.random.Generator, source: IntensityRanges) -> tuple[list[float], list[float]]:
    """Rounds with 0 ... 14 photons, some with one set of intensities, some with another: true numbers, mean counts."""
    numbers, means = [], [0.0] * len(source.lows)
    for photons in range(15):
        true = 0.0
        for _ in range(2):
            many = rng.choice([0.0, 1.0]) * 10.0 ** rng.uniform(-3, 6) / 4.0**photons
            ends = rng.choice([0.0, 1.0, rng.random()], size=len(source.lows))
            mu = [low + end * (high - low) for low, high, end in zip(source.lows, source.highs, ends, strict=True)]
            joint = [p * math.exp(-m) * m**photons for p, m in zip(source.probabilities, mu, strict=True)]
            for label, value in enumerate(joint):
                means[label] += many * value / math.fsum(joint)
            true += many
        numbers.append(true)
    return numbers, means


@pytest.mark.parametrize("line", [*LINES, (0.9, 0.4, 0.1), (5.0, 2.0, 0.5)], ids=str)
def test_certified_numbers_hold_whatever_each_pulse_had(line: tuple[float, ...]) -> None:
    rng = np.random.default_rng(7)
    for part in [0.0, 1e-3, 0.02, 0.1, 0.2] * 8:
        lows, highs = tuple(m * (1 - part) for m in line), tuple(m * (1 + part) for m in line)
        source = IntensityRanges(lows, highs, SHARES[len(line)])
        numbers, means = rounds(rng, source)
        total = math.ceil(math.fsum(numbers)) + 1
        numbers[0] += total - math.fsum(numbers)  # whole rounds: the rest were empty, with the lowest intensities
        joint = [p * math.exp(-m) for p, m in zip(source.probabilities, lows, strict=True)]
        rest = total - math.fsum(means)
        means = [mean + rest * value / math.fsum(joint) for mean, value in zip(means, joint, strict=True)]
        slack = 1e-6 * total
        intervals = tuple((max(0.0, mean - 1e-7 * total), mean + 1e-7 * total) for mean in means)
        rules = RangeRules(source)
        for photons in (0, 1, 2):
            program = RangeProgram(source, total, intervals)
            assert program.least(photons) <= numbers[photons] + slack
            assert program.most(photons) >= numbers[photons] - slack
            assert rules.max_rounds_with_photons(intervals, photons) >= numbers[photons] - slack
        if rules.analytic:
            cap = None if len(line) > 2 else numbers[0]
            assert rules.single_photons_lower(total, intervals, cap) <= numbers[1] + slack
            assert rules.single_photon_errors_upper(total, intervals) >= numbers[1] - slack
            assert rules.vacuum_upper_by_errors(intervals, 1) >= numbers[0] - slack
            assert len(line) == 2 or rules.vacuum_lower(intervals) <= numbers[0] + slack


BRIGHT = [((1.1, 1.3), (0.1, 0.12)), ((1.2, 1.9), (0.2, 0.25)), ((1.0, 2.0), (0.05, 0.05)), ((1.4, 1.5), (0.0, 0.3))]


@pytest.mark.parametrize("ends", BRIGHT, ids=str)
def test_one_decoy_below_a_signal_above_one_photon(ends: tuple[tuple[float, float], ...]) -> None:
    """Above one photon in the mean a brighter pulse is less often of one: the other end is the worst."""
    lows, highs = (end[0] for end in ends), (end[1] for end in ends)
    rules = RangeRules(IntensityRanges(tuple(lows), tuple(highs), SHARES[2]))
    total = 10**9
    for means in itertools.product(*ends):
        joint = [share * mean * math.exp(-mean) for share, mean in zip(SHARES[2], means, strict=True)]
        exact = tuple((total * part / math.fsum(joint),) * 2 for part in joint)
        assert rules.program(total, exact, None, strict=False).most(1) >= total * (1 - 1e-9)
        if rules.analytic:
            assert rules.single_photon_errors_upper(total, exact) >= total * (1 - 1e-9)
            assert rules.vacuum_lower(exact) <= 1e-9 * total


@pytest.mark.parametrize(
    "line",
    [((2.4, 2.6), 0.3), ((5.0, 12.0), (0.1, 0.2)), ((0.5, 0.6), (0.45, 0.49), 0.1), (0.5, (0.0, 0.1)), LINES[3]],
    ids=str,
)
def test_intervals_that_the_analytic_bounds_do_not_hold_for_are_refused(line: tuple[Any, ...]) -> None:
    stated = tuple((end, end + 1e-6) if isinstance(end, float) else end for end in line)
    tally = honest(stated, tuple(end[0] for end in stated), pulses=1e9)
    with pytest.raises(ConfigurationError, match="use method 'linear-program'"):
        bits(tally, method="analytic")
    assert bits(tally) >= 0


@pytest.mark.parametrize("line", LINES[:3])
def test_intervals_of_no_width_are_points(line: tuple[float, ...]) -> None:
    shares = SHARES[len(line)]
    points, ranges = PhotonStatistics(line, shares), IntensityRanges(line, line, shares)
    counts = honest(line, line).key_counts
    intervals = tuple((0.999 * count, 1.001 * count + 5.0) for count in counts)
    rules, total = RangeRules(ranges), sum(counts)
    cap = None if len(line) == 3 else 1e4
    empty = vacuum_lower(points, intervals) if cap is None else cap
    close = {"rel": 1e-6, "abs": 1.0}
    assert rules.single_photons_lower(total, intervals, cap) == pytest.approx(
        single_photons_lower(points, intervals, empty), **close
    )
    assert rules.single_photon_errors_upper(total, intervals) == pytest.approx(
        single_photon_errors_upper(points, intervals), **close
    )
    assert rules.vacuum_upper_by_errors(intervals, 1) == pytest.approx(
        vacuum_upper_by_errors(points, intervals, 1), **close
    )
    if len(line) == 3:
        assert rules.vacuum_lower(intervals) == pytest.approx(vacuum_lower(points, intervals), **close)
    for photons, (least, most) in itertools.product((0, 1, 2), [("least", "most")]):
        for name in (least, most):
            found = getattr(RangeProgram(ranges, total, intervals), name)(photons)
            assert found == pytest.approx(getattr(DecoyProgram(points, total, intervals), name)(photons), **close)
    for photons in range(8):
        for (low, high), share in zip(ranges.label_ranges(photons), points.label_probabilities(photons), strict=True):
            assert low <= share * (1 + 1e-15)
            assert high >= share * (1 - 1e-15)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(LINES), st.floats(0.0, 0.2), st.floats(0.0, 0.05), st.floats(7, 12))
def test_wider_intervals_never_give_more(line: tuple[float, ...], part: float, more: float, size: float) -> None:
    def length(spread_part: float) -> int:
        return bits(honest(spread(line, spread_part), line, pulses=10.0**size), method="linear-program")

    slack = 2 + 1e-7 * 10.0**size * 0.01
    assert length(part + more) <= length(part) + slack


def test_a_wrong_solver_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    source = IntensityRanges((0.45, 0.09, 0.0), (0.55, 0.11, 0.0), SHARES[3])
    counts = honest(LINES[0], LINES[0]).key_counts
    intervals = tuple((0.999 * count, 1.001 * count + 5.0) for count in counts)
    program = RangeProgram(source, sum(counts), intervals)
    right = program.least(1), program.most(1)
    rng = np.random.default_rng(3)
    rows, columns = program._constraints(6)[0].shape
    assert columns == 7 * 4 + 1 + 3
    for _ in range(50):
        scale = 10.0 ** rng.uniform(-3, 3)

        class Wrong:
            status = 0

            class ineqlin:
                marginals = scale * rng.normal(size=rows)

            class eqlin:
                marginals = scale * rng.normal(size=2)

        monkeypatch.setattr("qkdpost.security.decoy.certified._solve", lambda *_, answer=Wrong: answer)
        assert program.least(1) <= right[0]
        assert program.most(1) >= right[1]


def test_what_a_drift_would_do_is_told() -> None:
    tally = honest(LINES[0], LINES[0], pulses=1e10)
    found = intensity_sensitivity(tally, leakage_bits=0, epsilon=1e-10, method="analytic")
    assert found.as_stated == bits(tally, method="analytic")
    assert found.as_stated > 1.1 * found.at_worst
    assert found.at_worst > found.within > 0
    assert "state intervals" in str(found)
    less = intensity_sensitivity(tally, leakage_bits=0, epsilon=1e-10, drift=0.01, method="analytic")
    assert found.within < less.within < found.as_stated
    for wrong in (0.0, 1.0, math.nan, "0.1"):
        with pytest.raises(InputError, match="drift"):
            intensity_sensitivity(tally, leakage_bits=0, epsilon=1e-10, drift=wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="interval"):
        intensity_sensitivity(replace(tally, intensities=spread(LINES[0], 0.1)), leakage_bits=0, epsilon=1e-10)


def test_results_say_whether_intensities_are_points() -> None:
    points, ranges = honest(LINES[0], LINES[0]), honest(spread(LINES[0], 0.1), LINES[0])
    stated = decoy_bb84.secret_length(points, leakage_bits=0, epsilon=1e-10)
    within = decoy_bb84.secret_length(ranges, leakage_bits=0, epsilon=1e-10)
    assert any("exactly as stated" in line and "17 to 25 %" in line for line in stated.assumptions)
    assert any("lies in the interval" in line and "the pulse's basis and bit" in line for line in within.assumptions)
    assert within.bits <= within.asymptotic_bits < stated.asymptotic_bits


def test_the_estimate_without_statistics_is_never_below_the_bound() -> None:
    tally = honest(spread(LINES[0], 0.05), LINES[0], pulses=1e8)
    for method in ("linear-program", "analytic"):
        bound = estimate_single_photons(tally, method=method, intervals="clopper-pearson", tail=1e-3)  # type: ignore[arg-type]
        point = point_estimate(tally, method, bound)  # type: ignore[arg-type]
        assert point.key >= bound.key > 0
        assert point.test_errors <= bound.test_errors


def test_intervals_are_normalised_and_refused_where_they_cannot_be() -> None:
    tally = honest(([0.45, 0.55], (np.float32(0.09), 0.1), 0), LINES[0])
    assert tally.intensities[0] == (0.45, 0.55)
    assert tally.intensities[2] == 0.0
    same = honest(((0.5, 0.5), (0.1, 0.1), (0.0, 0.0)), LINES[0])
    assert same.intensities == LINES[0]
    for wrong in (
        ((0.55, 0.45), 0.1, 0.0),
        ((0.05, 0.55), 0.1, 0.0),
        ((0.5, 0.6, 0.7), 0.1, 0.0),
        ((0.5,), 0.1, 0.0),
        (("0.4", "0.5"), 0.1, 0.0),
        ((0.5, math.nan), 0.1, 0.0),
        ((0.5, 21.0), 0.1, 0.0),
        (0.5, (-0.1, 0.1), 0.0),
        (0.5, (1e-20, 0.1), 0.0),
        ("ab", 0.1, 0.0),
    ):
        with pytest.raises(InputError, match="intensit"):
            honest(wrong, LINES[0])
    assert 0 < bits(honest((0.5, 0.1, (0.0, 1e-4)), LINES[0])) < bits(honest(LINES[0], LINES[0]))


def test_bounds_that_take_no_intervals_say_so() -> None:
    tally = honest(spread(LINES[0], 0.1), LINES[0])
    for bound in ("wiesemann-2026", "lim-2014"):
        with pytest.raises(ConfigurationError, match="takes intensities that are numbers"):
            bits(tally, bound=bound)
    with pytest.raises(ConfigurationError, match="mismatched detectors need intensities that are numbers"):
        told = DetectorMismatch(dark_count_probability=1e-6, efficiency_deviation=0.01, dark_count_deviation=0.0)
        bits(tally, two_way=False, detectors=told)
    close = DecoyTally(
        intensities=((1.02, 1.03), (1.0, 1.01), 0.5),
        probabilities=(1e-20, 1e-9, 1 - 1e-9),
        key_counts=(0, 10, 10**6),
        test_counts=(0, 10, 10**6),
        test_errors=(0, 0, 0),
    )
    with pytest.raises(ConfigurationError, match="too close together"):
        bits(close)


def test_a_link_takes_intervals() -> None:
    link = qp.LinkConfig(
        protocol=qp.DecoyBB84(intensities=[[0.48, 0.52], [0.095, 0.105], 0.0], probabilities=(0.7, 0.2, 0.1))
    )
    assert link.protocol.intensities == ((0.48, 0.52), (0.095, 0.105), 0.0)
    assert link == qp.LinkConfig(
        protocol=qp.DecoyBB84(intensities=((0.48, 0.52), (0.095, 0.105), (0.0, 0.0)), probabilities=(0.7, 0.2, 0.1))
    )
    with pytest.raises(ConfigurationError, match="takes intensities that are numbers"):
        qp.LinkConfig(
            protocol=link.protocol,
            security=qp.Security(
                bound="wiesemann-2026",
                acceptance=DecoyAcceptance(single_photons=1, phase_error_rate=0.1, leakage_bits=5),
            ),
        )
    with pytest.raises(ConfigurationError, match="intensities"):
        qp.LinkConfig(protocol=qp.DecoyBB84(intensities=5, probabilities=(0.5, 0.5)))  # type: ignore[arg-type]
