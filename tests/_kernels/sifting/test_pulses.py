"""The kernels of pulse numbers beside their twins; times are eighths, so that no sum rounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qkdpost._kernels.sifting import pulses
from reference import pulses as reference


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=80), st.integers(0, 5), st.integers(1, 6))
def test_syncs_are_counted_as_by_the_twin(times: list[int], start: int, patience: int) -> None:
    ticks = np.array(sorted(times), dtype=np.int64)
    start = min(start, ticks.size - 1)
    counts = np.empty(ticks.size, dtype=np.int64)
    accepted, lost_at = pulses.follow_sync(ticks, start, 97.0, 9.0, patience, counts)
    numbers, expected_lost = reference.followed(ticks.tolist(), start, 97.0, 9.0, patience)
    done = ticks.size if lost_at < 0 else lost_at
    assert lost_at == expected_lost
    assert counts[:done].tolist() == numbers[:done]
    assert accepted == sum(number >= 0 for number in numbers)


@given(
    st.lists(st.integers(-2000, 4000), max_size=60),
    st.lists(st.tuples(st.integers(1, 40), st.integers(1, 9)), min_size=1, max_size=8),
)
def test_coordinates_are_those_of_the_twin(times: list[int], steps: list[tuple[int, int]]) -> None:
    knots = np.cumsum([(0, 0), *steps], axis=0).astype(np.float64)
    ticks = np.array(sorted(times), dtype=np.int64) + 10**15
    found = np.empty(ticks.size)
    pulses.pulse_coordinates(ticks, 10**15, knots[:, 0].copy(), knots[:, 1].copy(), found)
    expected = reference.coordinates(ticks.tolist(), 10**15, knots[:, 0].tolist(), knots[:, 1].tolist())
    assert found.tolist() == pytest.approx(expected, rel=1e-12, abs=1e-9)


clicks = st.lists(st.tuples(st.integers(-200, 800), st.integers(0, 2)), max_size=50)


@given(clicks)
def test_clicks_fold_as_by_the_twin(found: list[tuple[int, int]]) -> None:
    coordinates = np.array([eighth / 8 for eighth, _ in found])
    detectors = np.array([detector for _, detector in found], dtype=np.uint8)
    histogram = np.zeros((3, 16), dtype=np.int64)
    pulses.fold(coordinates, detectors, histogram)
    assert histogram.tolist() == reference.folded(coordinates.tolist(), detectors.tolist(), 3, 16)


@given(clicks)
def test_the_shortest_intervals_are_those_of_the_twin(found: list[tuple[int, int]]) -> None:
    found.sort()
    ticks = np.array([tick for tick, _ in found], dtype=np.int64)
    detectors = np.array([detector for _, detector in found], dtype=np.uint8)
    far = np.full(3, 2**62, dtype=np.int64)
    pulses.shortest_intervals(ticks, detectors, -far, far)
    for interval, expected in zip(far.tolist(), reference.shortest(ticks, detectors, 3), strict=True):
        assert interval == expected or (expected == float("inf") and interval > 2**61)


def test_folding_has_the_power_of_the_twin() -> None:
    generator = np.random.default_rng(1)
    times, frequencies = np.sort(generator.uniform(0, 50, 37)), generator.uniform(0.5, 2, 5)
    found = np.zeros(5)
    pulses.folding_power(times, 8, frequencies, 4, found)
    assert found.tolist() == pytest.approx(reference.powers(times.tolist(), 8, frequencies.tolist(), 4))


@given(st.lists(st.integers(0, 100), max_size=50), st.integers(0, 300))
def test_clicks_are_sorted_or_too_far_from_it(values: list[int], moves: int) -> None:
    coordinates, detectors = np.array(values, dtype=np.float64), np.arange(len(values), dtype=np.uint8)
    needed = sum(values[before] > value for at, value in enumerate(values) for before in range(at))
    assert pulses.sort_by_coordinate(coordinates, detectors, moves) == (needed <= moves)
    assert [values[detector] for detector in detectors] == coordinates.tolist()
    if needed <= moves:
        assert detectors.tolist() == sorted(range(len(values)), key=lambda at: values[at])


GATES = {0: [(0.0, 0), (0.25, 1)], 1: [(0.25, 2)], 2: [(0.25, 3), (0.5, 1)]}


@given(clicks, st.integers(0, 40), st.integers(-200, 100))
def test_pulses_are_told_as_by_the_twin(found: list[tuple[int, int]], dead_time: int, blind: int) -> None:
    found.sort()
    # Sixty-fourths off the eighths, so that no click lies on the edge of a gate.
    listed = [(eighth / 8 + 1 / 64, detector) for eighth, detector in found]
    centres, symbols = np.zeros((3, 2)), np.full((3, 2), 255, dtype=np.uint8)
    for detector, gates in GATES.items():
        for column, (phase, symbol) in enumerate(gates):
            centres[detector, column], symbols[detector, column] = phase, symbol
    coordinates = np.array([coordinate for coordinate, _ in listed])
    detectors = np.array([detector for _, detector in listed], dtype=np.uint8)
    slots, clicked = np.empty(len(listed), dtype=np.int64), np.empty(len(listed), dtype=np.uint8)
    inside = np.zeros(3, dtype=np.int64)
    told, left_out = pulses.collect_pulses(
        coordinates,
        detectors,
        centres,
        symbols,
        0.0625,
        -0.0625,
        0.5625,
        dead_time / 4,
        blind / 8,
        slots,
        clicked,
        inside,
    )
    expected, missing, counts = reference.told_pulses(listed, GATES, 0.0625, dead_time / 4, blind / 8)
    sets = [{symbol for symbol in range(8) if mask >> symbol & 1} for mask in clicked[:told].tolist()]
    assert dict(zip(slots[:told].tolist(), sets, strict=True)) == expected
    assert (left_out, inside.tolist()) == (missing, list(counts.values()))
