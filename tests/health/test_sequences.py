from __future__ import annotations

import numpy as np
import pytest

from qkdpost.bits import Bits
from qkdpost.health.sequences import MAX_LAG, WINDOW_BITS, SequenceHealth
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
