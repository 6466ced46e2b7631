from __future__ import annotations

import numpy as np
import pytest

from qkdpost._kernels.bits.runs import compare_by_distance, count_disagreements, longest_run, window_ones
from qkdpost.bits import Bits
from reference import runs as slow

EVERY = np.uint64(2**64 - 1)


def vectors() -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    found = [(rng.random(size) < share).astype(np.uint8) for size in (0, 1, 63, 64, 65, 700) for share in (0.02, 0.5)]
    for length in (1, 5, 61, 62, 63, 64, 65, 127, 128, 200):
        for start in (0, 1, 60, 64, 130):
            vector = np.zeros(400, dtype=np.uint8)
            vector[start : start + length] = 1
            found.append(vector)
    return [*found, *(1 - vector for vector in found)]


@pytest.mark.parametrize("place", range(len(vectors())))
def test_runs_are_those_of_the_twin(place: int) -> None:
    bits = vectors()[place]
    words = Bits.from_array(bits).words
    assert longest_run(words, bits.size, np.uint64(0)) == slow.longest_run(bits.tolist(), 1)
    assert longest_run(words, bits.size, EVERY) == slow.longest_run(bits.tolist(), 0)


def test_ones_of_windows_are_those_of_the_twin() -> None:
    bits = (np.random.default_rng(2).random(64 * 11) < 0.3).astype(np.uint8)
    counts = np.zeros(3, dtype=np.int64)
    window_ones(Bits.from_array(bits).words, 3, counts)
    assert counts.tolist() == slow.window_ones(bits.tolist(), 192)


def test_disagreements_are_those_of_the_twin() -> None:
    bits = (np.random.default_rng(3).random(64 * 20) < 0.3).astype(np.uint8)
    counts = np.zeros(128, dtype=np.int64)
    count_disagreements(Bits.from_array(bits).words, np.array([0, 9], dtype=np.int64), 8, counts)
    wanted = [slow.disagreements(bits.tolist(), (0, 9 * 64), 8 * 64, lag) for lag in range(1, 129)]
    assert counts.tolist() == wanted


def test_pairs_by_distance_are_those_of_the_twin() -> None:
    rng = np.random.default_rng(4)
    slots = np.flatnonzero(rng.random(2000) < 0.15)
    bits = rng.integers(0, 2, slots.size)
    pairs, unlike = np.zeros((2, 40), dtype=np.int64)
    seen = compare_by_distance(slots, Bits.from_array(bits).words, 10**9, pairs, unlike)
    wanted = [slow.by_distance(slots.tolist(), bits.tolist(), distance) for distance in range(1, 41)]
    assert list(zip(pairs.tolist(), unlike.tolist(), strict=True)) == wanted
    assert seen == pairs.sum()
    assert compare_by_distance(slots, Bits.from_array(bits).words, 5, pairs, unlike) < 60


def test_slots_in_disorder_count_nothing_outside() -> None:
    """A record's owner may alter its array after it was checked."""
    slots = np.array([5, 9, 3, -(2**62), 2**62, 2**62, 4, 6], dtype=np.int64)
    room = np.zeros((2, 3 * 128), dtype=np.int64)
    pairs, unlike = room[0, 128:256], room[1, 128:256]
    compare_by_distance(slots, Bits.from_array([0, 1] * 4).words, 10**9, pairs, unlike)
    assert room[:, :128].sum() == room[:, 256:].sum() == 0
    assert pairs.sum() == 2
