from __future__ import annotations

import math

import numpy as np
import pytest

from qkdpost.health.statistics import excess_bits, relative_entropy, share_interval, shortfall_bits


def exact_tail(count: int, trials: int, probability: float) -> float:
    """P[at least count successes]."""
    return math.fsum(
        math.comb(trials, k) * probability**k * (1.0 - probability) ** (trials - k) for k in range(count, trials + 1)
    )


@pytest.mark.parametrize("probability", [0.01, 0.3, 2 / 3])
@pytest.mark.parametrize("trials", [1, 10, 60])
def test_no_count_is_called_rarer_than_it_is(trials: int, probability: float) -> None:
    for count in range(trials + 1):
        bound = 2.0 ** -excess_bits(count, trials, probability)
        assert bound >= exact_tail(count, trials, probability) * (1.0 - 1e-12)
        assert excess_bits(count, trials, probability) == pytest.approx(
            shortfall_bits(trials - count, trials, 1.0 - probability)
        )


@pytest.mark.parametrize(("count", "trials"), [(0, 50), (3, 50), (25, 50), (50, 50), (1000, 10**6)])
def test_the_ends_of_an_interval_are_as_rare_as_was_said(count: int, trials: int) -> None:
    least, most = share_interval(count, trials, 20.0)
    assert least <= count / trials <= most
    if count:
        assert excess_bits(count, trials, least) == pytest.approx(20.0)
    if count < trials:
        assert shortfall_bits(count, trials, most) == pytest.approx(20.0)


def test_nothing_is_known_of_nothing() -> None:
    assert share_interval(0, 0, 40.0) == (0.0, 1.0)
    assert excess_bits(0, 0, 0.5) == shortfall_bits(0, 0, 0.5) == 0.0
    assert relative_entropy(0.5, 0.0) == math.inf
    assert relative_entropy(1.0, 1.0) == 0.0
    assert shortfall_bits(np.int64(0), 40, 0.5) == 40.0
