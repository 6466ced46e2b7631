"""The entropy of the labels of sliced outcomes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from qkdpost.errors import InputError
from qkdpost.security.gaussian.slices.entropy import EVENTS, LabelEntropy, label_entropy
from qkdpost.statistics.gaussian.moments import QuadratureMoments
from qkdpost.statistics.gaussian.wrapped import cell_entropy

WIDTH = 1.37
LEVELS = 3


def _moments(outcomes: np.ndarray) -> QuadratureMoments:
    """Sums over outcomes of both quadratures, shape (symbols, 2); what was sent does not matter here."""
    outcomes = outcomes.astype(np.float64)
    x, p = outcomes[:, 0], outcomes[:, 1]
    return QuadratureMoments(
        counts=(x.size, p.size),
        sent=(0.0, 0.0),
        measured=(x.sum(), p.sum()),
        sent_squares=(0.0, 0.0, 0.0),
        measured_squares=(x @ x, p @ p, x @ p),
        products=(0.0, 0.0, 0.0, 0.0),
        fourth_powers=((x**4).sum(), (p**4).sum()),
        lagged=(0.0,) * 8,
    )


def _ideal(symbols: int, variances: tuple[float, float] = (1.0, 1.0), covariance: float = 0.0) -> QuadratureMoments:
    """Sums that are exactly what is expected."""
    return QuadratureMoments(
        counts=(symbols, symbols),
        sent=(0.0, 0.0),
        measured=(0.0, 0.0),
        sent_squares=(0.0, 0.0, 0.0),
        measured_squares=(symbols * variances[0], symbols * variances[1], symbols * covariance),
        products=(0.0, 0.0, 0.0, 0.0),
        fourth_powers=(3.0 * symbols, 3.0 * symbols),
        lagged=(0.0,) * 8,
    )


def _entropy(moments: QuadratureMoments, detection: str = "heterodyne", probability: float = 1e-11) -> LabelEntropy:
    return label_entropy(
        moments,
        key_reals=sum(moments.counts),
        detection=detection,  # type: ignore[arg-type]
        width=WIDTH,
        levels=LEVELS,
        probability=probability,
    )


def test_entropy_tends_to_that_of_the_law() -> None:
    limit = cell_entropy(1.0, WIDTH, 8)
    gaps = []
    for symbols in (10**5, 10**7, 10**9):
        found = _entropy(_ideal(symbols))
        assert found.symbols == symbols
        gaps.append(limit - found.bits / (2 * symbols))
    assert gaps[0] > gaps[1] > gaps[2] > 0.0
    # The limit of the variance lies z sqrt(2 / n) below, and an entropy loses at most 0.72 bits a unit of ln v.
    assert gaps[2] < 0.7214 * 6.8 * math.sqrt(2.0 / 1e9) + 5e-5


def test_homodyne_counts_the_outcomes_of_either_quadrature() -> None:
    found = _entropy(_ideal(10**7, (1.0, 0.9)), "homodyne")
    assert (found.symbols, found.reals_per_symbol, found.correlation) == (2 * 10**7, 1, 0.0)
    limit = 10**7 * (cell_entropy(1.0, WIDTH, 8) + cell_entropy(0.9, WIDTH, 8))
    assert 0.998 * limit < found.bits < limit


def _homodyne(counts: tuple[int, int], variances: tuple[float, float]) -> QuadratureMoments:
    return replace(
        _ideal(1),
        counts=counts,
        measured_squares=(counts[0] * variances[0], counts[1] * variances[1], 0.0),
        fourth_powers=(3.0 * counts[0], 3.0 * counts[1]),
    )


@pytest.mark.parametrize("counts", [(3 * 10**7, 10**6), (10**6, 3 * 10**7)])
def test_unequal_quadratures_count_as_often_as_they_were_measured(counts: tuple[int, int]) -> None:
    """Half of the block for either would give too much where the one with less entropy was measured more often."""
    variances = (0.3, 1.0)
    each = [cell_entropy(variance, WIDTH, 8) for variance in variances]
    found = _entropy(_homodyne(counts, variances), "homodyne")
    exact = counts[0] * each[0] + counts[1] * each[1]
    halves = sum(counts) * sum(each) / 2.0
    assert 0.99 * exact < found.bits < exact
    assert found.likely_bits == pytest.approx(exact, rel=1e-6)
    assert (found.bits < halves) == (counts[0] > counts[1])
    assert abs(exact / halves - 1.0) > 0.3


def test_what_was_counted_and_is_no_key_is_taken_off_at_its_dearest() -> None:
    counts, key_reals = (10**7, 10**6), 10**7
    moments = _homodyne(counts, (0.3, 1.0))
    found = label_entropy(
        moments, key_reals=key_reals, detection="homodyne", width=WIDTH, levels=LEVELS, probability=1e-11
    )
    # Whichever 10^7 they were, they hold that much at least: all of the second quadrature may be missing.
    assert 0.99 * key_reals * cell_entropy(0.3, WIDTH, 8) < found.bits < key_reals * cell_entropy(0.3, WIDTH, 8)


@pytest.mark.parametrize("covariance", [0.0, 0.05, -0.09, 0.3])
def test_two_correlated_labels_have_the_entropy_at_least_that_is_claimed(covariance: float) -> None:
    """The joint entropy by sums over cells of both, each cut into 16 places (which only adds 10^-3)."""
    fine, cells = 16, 8
    edges = (np.arange(-cells * fine, cells * fine) + 0.5) * (WIDTH / fine)
    x, p = np.meshgrid(edges, edges, indexing="ij")
    density = multivariate_normal([0, 0], [[1.0, covariance], [covariance, 1.0]]).pdf(np.dstack([x, p]))
    weights = (density / density.sum()).reshape(2, cells, fine, 2, cells, fine).sum(axis=(0, 3))

    def bits(weight: np.ndarray) -> float:
        return float(-np.sum(weight[weight > 0] * np.log2(weight[weight > 0])))

    joint = bits(weights) - bits(weights.sum(axis=(0, 2)))
    claimed = 2 * cell_entropy(1.0, WIDTH, cells) + 0.5 * math.log2(1 - covariance**2)
    assert claimed <= joint + 1e-6
    assert joint - claimed < 0.5 * math.log2(1 / (1 - covariance**2)) + 2e-3
    found = _entropy(_ideal(10**9, covariance=covariance))
    if abs(covariance) < 0.09:
        assert found.bits / 1e9 < claimed
        assert found.correlation > abs(covariance)
    else:
        assert (found.bits == 0.0) == (found.correlation > 0.1)


def test_an_offset_changes_nothing() -> None:
    generator = np.random.default_rng(1)
    outcomes = generator.standard_normal((20_000, 2))
    still, moved = (
        _entropy(_moments(outcomes), probability=1e-3),
        _entropy(_moments(outcomes + np.array([0.4, -3.0])), probability=1e-3),
    )
    assert moved.bits == pytest.approx(still.bits, rel=1e-9)


@pytest.mark.parametrize("outcomes", [120, 400])
def test_limits_hold_as_often_as_they_promise(outcomes: int) -> None:
    """Each limit fails in 5 % at most: of 2,000 blocks in 180 or more with a probability below 10^-12."""
    generator = np.random.default_rng(outcomes)
    covariance = np.array([[1.3, 0.04], [0.04, 0.8]])
    root = np.linalg.cholesky(covariance)
    correlation = 0.04 / math.sqrt(1.3 * 0.8)
    failed = np.zeros(3, dtype=int)
    for _ in range(2000):
        drawn = generator.standard_normal((outcomes, 2)) @ root.T + [0.3, 0.0]
        found = _entropy(_moments(drawn), probability=0.05)
        failed += np.array(
            [found.variances[0] > 1.3, found.variances[1] > 0.8, found.correlation < correlation], dtype=int
        )
    assert np.all(failed[:2] < 180)
    # Four events bear upon a correlation above 0: with 20 % at most, 600 of 2,000 come with less than 10^-25.
    assert failed[2] < 600


def test_rebuilt_outcomes_cost_no_more_than_a_place() -> None:
    generator = np.random.default_rng(2)
    outcomes = generator.standard_normal((10_000, 2))
    cells = np.floor(outcomes / WIDTH * 65536)
    rebuilt = (cells + 0.5) * (WIDTH / 65536)
    exact, rounded = (_entropy(_moments(values), probability=1e-3) for values in (outcomes, rebuilt))
    assert rounded.bits == pytest.approx(exact.bits, rel=1e-5)


def test_more_variance_symbols_and_levels_never_give_less() -> None:
    def bits(symbols: int, variance: float, levels: int) -> float:
        moments = _ideal(symbols, (variance, variance))
        found = label_entropy(
            moments, key_reals=2 * symbols, detection="heterodyne", width=WIDTH, levels=levels, probability=1e-10
        )
        return found.bits

    assert bits(10**6, 1.0, 3) < bits(10**6, 1.01, 3) < bits(10**6, 2.0, 3)
    assert bits(10**6, 1.0, 3) < bits(2 * 10**6, 1.0, 3)
    assert bits(10**6, 3.0, 2) < bits(10**6, 3.0, 3) <= bits(10**6, 3.0, 4)


@pytest.mark.parametrize("symbols", [0, 1, 2, 10, 100])
@pytest.mark.parametrize("variance", [0.0, 1e-12, 1.0, 1e12])
def test_no_counts_crash_it(symbols: int, variance: float) -> None:
    moments = _ideal(symbols, (variance, variance))
    for detection, events in EVENTS.items():
        assert events in (2, 6)
        found = _entropy(moments, detection)
        assert 0.0 <= found.bits <= 2 * symbols * LEVELS
        assert found.bits <= found.likely_bits <= 2 * symbols * LEVELS
        if symbols < 100:
            assert found.reason


@pytest.mark.parametrize(
    "change",
    [
        {"width": 0.0},
        {"key_reals": 2001},
        {"key_reals": -1},
        {"width": math.nan},
        {"levels": 0},
        {"levels": 9},
        {"probability": 0.0},
        {"detection": "both"},
    ],
)
def test_numbers_out_of_range_are_refused(change: dict[str, object]) -> None:
    arguments: dict[str, object] = {
        "key_reals": 2000,
        "detection": "heterodyne",
        "width": WIDTH,
        "levels": 3,
        "probability": 1e-10,
    }
    with pytest.raises(InputError):
        label_entropy(_ideal(1000), **(arguments | change))  # type: ignore[arg-type]
