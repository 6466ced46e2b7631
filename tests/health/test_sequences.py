from __future__ import annotations

import numpy as np
import pytest

from qkdpost.bits import Bits
from qkdpost.health.sequences import MAX_LAG, WINDOW_BITS, SequenceHealth, spread_over
from reference import runs as slow


@pytest.mark.parametrize("size", [0, 1, 255, 256, 5000, 64 * 128 * 8, 300_000])
def test_counts_are_those_of_the_twins(size: int) -> None:
    bits = (np.random.default_rng(size).random(size) < 0.4).astype(np.uint8)
    health = SequenceHealth.of(Bits.from_array(bits))
    listed = bits.tolist()
    windows = slow.window_ones(listed, WINDOW_BITS)
    assert (health.length, health.ones) == (size, sum(listed))
    assert (health.longest_zeros, health.longest_ones) == (slow.longest_run(listed, 0), slow.longest_run(listed, 1))
    assert (health.windows, health.min_ones) == (len(windows), min(windows, default=WINDOW_BITS))
    assert health.max_ones == max(windows, default=0)
    if size == 5000:  # one stretch: 78 words, of which the last three are partners alone
        assert health.pairs == 64 * 75
        wanted = [slow.disagreements(listed, [0], 64 * 75, lag) for lag in range(1, MAX_LAG + 1)]
        assert health.disagreements.tolist() == wanted
    assert health.pairs <= max(0, size - MAX_LAG)
    assert (health.pairs > 0) == (size >= 256)


def test_counts_add_up() -> None:
    rng = np.random.default_rng(1)
    one, two = (SequenceHealth.of(Bits.from_array(rng.integers(0, 2, size))) for size in (3000, 700))
    both = one + two
    assert (both.length, both.ones, both.windows) == (3700, one.ones + two.ones, 2)
    assert both.longest_ones == max(one.longest_ones, two.longest_ones)
    assert (both.min_ones, both.max_ones) == (one.min_ones, one.max_ones)
    assert (both.disagreements == one.disagreements + two.disagreements).all()
    assert both.pairs == one.pairs + two.pairs


@pytest.mark.parametrize("last", [0, 1, 6, 7, 255, 65_535, 10**6 + 1])
@pytest.mark.parametrize("number", [1, 2, 3, 8])
def test_places_are_those_of_a_straight_line(last: int, number: int) -> None:
    assert spread_over(last, number) == np.linspace(0, last, number).astype(np.int64).tolist()


@pytest.mark.parametrize("windows", [0, 1, 15, 16, 33, 127, 128, 1000])
def test_parts_make_up_the_sequence(windows: int) -> None:
    bits = (np.random.default_rng(windows).random(windows * WINDOW_BITS + 70) < 0.4).astype(np.uint8)
    parts = SequenceHealth.of(Bits.from_array(bits)).parts
    ends = np.cumsum([length for _, length in parts]).tolist()
    assert len(parts) == max(1, min(8, windows // 16))
    assert ends[-1] == bits.size
    assert all(length % WINDOW_BITS == 0 for _, length in parts[:-1])
    assert [ones for ones, _ in parts] == [int(part.sum()) for part in np.split(bits, ends[:-1])]
