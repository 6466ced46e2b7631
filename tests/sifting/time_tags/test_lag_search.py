from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import poisson

from qkdpost.sifting.time_tags.lag_search import count_by_chance


@given(st.floats(1e-12, 0.5), st.floats(1e-9, 1e6))
def test_counts_by_chance_are_those_of_the_poisson_law(chance: float, mean: float) -> None:
    assert count_by_chance(chance, mean) == int(poisson.isf(chance, mean))


@pytest.mark.parametrize("mean", [1e-6, 0.3, 5.0, 400.0])
def test_no_smaller_count_is_as_rare(mean: float) -> None:
    for chance in (0.5, 1e-3, 1e-9):
        count = count_by_chance(chance, mean)
        assert poisson.sf(count, mean) <= chance * (1 + 1e-6)
        assert count == 0 or poisson.sf(count - 1, mean) > chance * (1 - 1e-6) or math.isclose(chance, 0.5)
