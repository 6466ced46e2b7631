"""Density evolution against known thresholds, and the search that uses it."""

from __future__ import annotations

import numpy as np
import pytest

from qkdpost._kernels.ldpc.density import combine_densities
from qkdpost.errors import InputError
from qkdpost.reconciliation.ldpc.decoders import Arithmetic
from qkdpost.reconciliation.ldpc_design.degree_search import DegreeSearch, search_degrees, threshold_efficiency
from qkdpost.reconciliation.ldpc_design.density_evolution import FINE, error_rate_of_efficiency, evolve, trace
from qkdpost.reconciliation.ldpc_design.node_densities import Ensemble, check_table
from qkdpost.statistics.entropy import binary_entropy

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


def _double_sum(left: np.ndarray, right: np.ndarray, table: np.ndarray) -> np.ndarray:
    expected = np.zeros_like(left)
    for first in range(left.shape[1]):
        for second in range(right.shape[1]):
            expected[:, table[first, second]] += left[:, first] * right[:, second]
    return expected


def test_densities_combine_as_a_double_sum() -> None:
    generator = np.random.default_rng(1)
    table = generator.integers(0, 9, (9, 9), dtype=np.uint8)
    left, right = generator.random((2, 9)), generator.random((2, 9))
    output = np.full((2, 9), np.nan)
    combine_densities(left, right, table, 9, np.zeros((4, 10)), output)
    assert np.allclose(output, _double_sum(left, right, table))


@pytest.mark.parametrize("correction", [1, 17, 40])
def test_levels_far_apart_are_summed_by_tails(correction: int) -> None:
    generator = np.random.default_rng(correction)
    left, right = generator.random((2, 256)), generator.random((2, 256))
    left[0, 200:] = left[1, 200:] = 0.0
    output = np.full((2, 256), np.nan)
    combine_densities(left, right, check_table(correction), correction, np.zeros((4, 257)), output)
    assert np.allclose(output, _double_sum(left, right, check_table(correction)))


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
    plain = Arithmetic(units_per_nat=8, correction=0, max_magnitude=127)
    assert evolve(_published(), 0.022, 300) is not None
    assert evolve(_published(), 0.022, 300, plain) is None


def test_efficiency_and_error_rate_belong_together() -> None:
    rate = error_rate_of_efficiency(0.2, 1.1)
    assert binary_entropy(rate) * 1.1 == pytest.approx(0.2)
    threshold = threshold_efficiency(REGULAR, 200)
    assert 0.075 < error_rate_of_efficiency(0.5, threshold) < 0.084


@pytest.mark.parametrize("in_order", [False, True])
def test_slopes_are_differences(in_order: bool) -> None:
    """With the first messages fixed, the first slopes are what the first error gains by a bit of a column more."""
    columns = {2: 7.5, 3: 12.0, 6: 4.5}
    degrees = (2, 3, 4, 6)
    base = trace(Ensemble(rows=8, columns=columns), 0.05, 3, in_order=in_order, degrees=degrees)
    for index, degree in enumerate(degrees):
        more = {**columns, degree: columns.get(degree, 0.0) + 1e-4}
        found = trace(Ensemble(rows=8, columns=more), 0.05, 1, in_order=in_order)
        assert (found.errors[1] - base.errors[1]) / 1e-4 == pytest.approx(base.slopes[0, index], rel=1e-3)


def test_high_degrees_do_not_wrap_around() -> None:
    """The sum of 50 messages at the top is right, not wrong: the transform is long enough."""
    found = trace(Ensemble(rows=60, columns={2: 50, 3: 150, 50: 56}), 0.001, 50)
    assert found.converged
    assert np.all(np.diff(found.errors) < 0)


SMALL = DegreeSearch(rows=8, width=24, iterations=30, degrees=(2, 3, 4, 6), max_of_degree_two=7)


def test_the_search_improves_and_repeats_itself() -> None:
    columns, threshold = search_degrees(SMALL)
    assert (columns, threshold) == search_degrees(SMALL)
    assert sum(columns.values()) == 24
    assert columns.get(2, 0) < 8
    by_hand = threshold_efficiency(Ensemble(rows=8, columns={2: 6, 3: 15, 6: 3}), 30)
    assert threshold < by_hand
    assert threshold == pytest.approx(threshold_efficiency(Ensemble(rows=8, columns=columns), 30), abs=0.001)


def test_the_search_goes_on_from_what_is_given() -> None:
    start = {2: 6, 3: 15, 6: 3}
    _, threshold = search_degrees(SMALL, start)
    assert threshold <= threshold_efficiency(Ensemble(rows=8, columns=start), 30)


@pytest.mark.parametrize(
    ("degrees", "max_of_degree_two"), [((3, 4), 7), ((2, 9), 7), ((2, 4, 3), 7), ((2, 3), -1), ((2, 3), 25)]
)
def test_searches_that_cannot_be_are_refused(degrees: tuple[int, ...], max_of_degree_two: int) -> None:
    with pytest.raises(InputError):
        DegreeSearch(rows=8, width=24, iterations=30, degrees=degrees, max_of_degree_two=max_of_degree_two)


def test_ensembles_that_cannot_be_are_refused() -> None:
    with pytest.raises(InputError):
        Ensemble(rows=1, columns={2: 4})
    with pytest.raises(InputError):
        Ensemble(rows=4, columns={5: 4})
    with pytest.raises(InputError):
        Ensemble(rows=4, columns={2: 3})
