"""Cells, places and soft values, against what they are defined to be, one real after another."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qkdpost._kernels import slices

LEVELS = 3
WIDTH = 0.37


def _slow_cut(outcome: float) -> tuple[int, int, int]:
    """Label, place and turn of one outcome."""
    cell = math.floor(outcome / WIDTH)
    turn = math.floor((cell + 4) / 8)
    return cell % 8, math.floor((outcome / WIDTH - cell) * 65536), turn


def _cut(outcomes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
    labels = np.zeros(outcomes.size, dtype=np.uint8)
    places = np.zeros(outcomes.size, dtype=np.uint16)
    turns = np.zeros(outcomes.size, dtype=np.int8)
    fits = slices.cut(outcomes, 1 / WIDTH, LEVELS, labels, places, turns)
    return labels, places, turns, fits


def test_outcomes_are_cut_as_their_twin_cuts_them() -> None:
    outcomes = (2.0 * np.random.default_rng(1).standard_normal(2000)).astype(np.float32)
    outcomes[:4] = (0.0, -1e-9, 200.0, -200.0)
    labels, places, turns, fits = _cut(outcomes)
    assert fits
    for outcome, label, place, turn in zip(outcomes, labels, places, turns, strict=True):
        expected = _slow_cut(float(outcome))
        assert (label, turn) == (expected[0], expected[2])
        # A place may differ by one where the products round differently.
        assert abs(int(place) - min(expected[1], 65535)) <= 1


def test_label_place_and_turn_give_the_outcome_back() -> None:
    outcomes = (1.5 * np.random.default_rng(2).standard_normal(3000)).astype(np.float32)
    labels, places, turns, _ = _cut(outcomes)
    turned = np.flatnonzero(turns).astype(np.uint32)
    assert turned.size > 100
    again = np.empty_like(outcomes)
    slices.rebuild(labels, places, turned, turns[turned], WIDTH, LEVELS, again)
    assert np.abs(again - outcomes).max() < 1.01 * WIDTH / 65536
    again_labels, _, again_turns, _ = _cut(again)
    assert np.array_equal(again_labels, labels)
    assert np.array_equal(again_turns, turns)


@pytest.mark.parametrize("outcome", [1e6, -1e6, 1e30])
def test_what_lies_too_far_out_is_told(outcome: float) -> None:
    assert not _cut(np.array([0.0, outcome], dtype=np.float32))[3]


@pytest.mark.parametrize("level", [0, 1, 2])
def test_soft_values_are_those_of_sums_over_all_cells(level: int) -> None:
    from qkdpost.reconciliation.slices.soft_values import soft_table

    deviation = WIDTH / 2.7
    generator = np.random.default_rng(3)
    outcomes = generator.standard_normal(500).astype(np.float32)
    expected = (outcomes + deviation * generator.standard_normal(500)).astype(np.float32)
    labels, places, _, _ = _cut(outcomes)
    values = np.empty_like(outcomes)
    table = soft_table((1 << level) * WIDTH / deviation)
    slices.soft_values(expected, labels, places, 1 / WIDTH, level, table, values)
    for index in range(500):
        known = int(labels[index]) & ((1 << level) - 1)
        sums = [-math.inf, -math.inf]
        for cell in range(-100, 100):
            if cell % (1 << level) == known:
                centre = (cell + (int(places[index]) + 0.5) / 65536) * WIDTH
                term = -((centre - float(expected[index])) ** 2) / (2 * deviation**2)
                bit = (cell >> level) & 1
                sums[bit] = np.logaddexp(sums[bit], term)
        assert values[index] == pytest.approx(sums[0] - sums[1], abs=2e-4 * (1 << level), rel=1e-4)


def test_labels_are_counted() -> None:
    labels = np.random.default_rng(4).integers(0, 8, 1000).astype(np.uint8)
    counts = np.zeros(8, dtype=np.int64)
    slices.count_labels(labels, counts)
    assert np.array_equal(counts, np.bincount(labels, minlength=8))
