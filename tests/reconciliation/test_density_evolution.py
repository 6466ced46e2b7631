"""Density evolution against known thresholds, and the search that uses it."""

from __future__ import annotations

import numpy as np
import pytest

from qkdpost._kernels.density import combine_densities
from qkdpost.errors import InputError
from qkdpost.reconciliation.degree_search import search_degrees, threshold_efficiency
from qkdpost.reconciliation.density_evolution import (
    FINE,
    Ensemble,
    binary_entropy,
    check_table,
    error_rate_of_efficiency,
    evolve,
)
from qkdpost.reconciliation.ldpc_decoders import Arithmetic

REGULAR = Ensemble(rows=6, columns={3: 12})
# Blind reconciliation, appendix B, rate 0.8: edge fractions as printed there; threshold 0.0289413 for sum-product.
PUBLISHED_EDGES = {
    2: 0.0667948,
    3: 0.194832,
    4: 0.0570523,
    5: 0.0645024,
    9: 0.204606,
    15: 0.0964409,
    29: 0.23872,
    35: 0.0770523,
}


def _published() -> Ensemble:
    nodes = {degree: share / degree for degree, share in PUBLISHED_EDGES.items()}
    scale = 100_000 / sum(nodes.values())
    return Ensemble(rows=20_000, columns={degree: round(scale * share) for degree, share in nodes.items()})


def test_densities_combine_as_a_double_sum() -> None:
    generator = np.random.default_rng(1)
    table = generator.integers(0, 9, (9, 9), dtype=np.uint8)
    left, right = generator.random((2, 9)), generator.random((2, 9))
    expected = np.zeros((2, 9))
    for first in range(9):
        for second in range(9):
            expected[:, table[first, second]] += left[:, first] * right[:, second]
    output = np.zeros((2, 9))
    combine_densities(left, right, table, 0.0, output)
    assert np.allclose(output, expected)


def test_the_check_is_near_the_exact_combination() -> None:
    half_units = 2 * FINE.units_per_nat
    levels = np.arange(1, 200) / half_units
    exact = 2 * np.arctanh(np.multiply.outer(np.tanh(levels / 2), np.tanh(levels / 2)))
    table = check_table(FINE.correction)[1:200, 1:200]
    assert np.abs(table - half_units * exact).max() < 3.0
    assert np.array_equal(check_table(0), np.minimum.outer(np.arange(256), np.arange(256)))


def test_threshold_of_the_regular_code() -> None:
    """Regular (3, 6): 0.084 for belief propagation (Richardson and Urbanke); A-min* loses a little."""
    assert evolve(REGULAR, 0.0765, 1000) is not None
    assert evolve(REGULAR, 0.0855, 1000) is None


def test_threshold_of_a_published_distribution() -> None:
    assert abs(_published().edges / 20_000 - 1 / (0.708874 / 30 + 0.291126 / 31)) < 0.05
    assert evolve(_published(), 0.0280, 1000) is not None
    assert evolve(_published(), 0.0292, 1000) is None


def test_plain_min_sum_fails_where_the_corrected_one_succeeds() -> None:
    plain = Arithmetic(units_per_nat=8, correction=0, most_magnitude=127)
    assert evolve(_published(), 0.022, 300) is not None
    assert evolve(_published(), 0.022, 300, plain) is None


def test_efficiency_and_error_rate_belong_together() -> None:
    rate = error_rate_of_efficiency(0.2, 1.1)
    assert binary_entropy(rate) * 1.1 == pytest.approx(0.2)
    assert binary_entropy(0.0) == binary_entropy(1.0) == 0.0
    threshold = threshold_efficiency(REGULAR, 200)
    assert 0.075 < error_rate_of_efficiency(0.5, threshold) < 0.084


def test_the_search_improves_and_repeats_itself() -> None:
    first = search_degrees(8, 24, iterations=30, trials=6, seed=5)
    assert first == search_degrees(8, 24, iterations=30, trials=6, seed=5)
    columns, threshold = first
    assert sum(columns.values()) == 24
    assert columns.get(2, 0) < 8
    assert threshold <= threshold_efficiency(Ensemble(rows=8, columns={2: 6, 3: 15, 6: 3}), 30)


def test_ensembles_that_cannot_be_are_refused() -> None:
    with pytest.raises(InputError):
        Ensemble(rows=1, columns={2: 4})
    with pytest.raises(InputError):
        Ensemble(rows=4, columns={5: 4})
    with pytest.raises(InputError):
        Ensemble(rows=4, columns={2: 3})
