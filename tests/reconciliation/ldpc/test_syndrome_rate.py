"""Error rates from syndromes, beside the true ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import gamma, norm

from qkdpost.reconciliation.ldpc.codes import code_names, load_code
from qkdpost.reconciliation.ldpc.frame_layout import frame_layout
from qkdpost.reconciliation.ldpc.syndrome_rate import CheckCounts, RateEstimate, parities_of_key_bits, revised_rate
from reference.belief import dense_matrix

UNKNOWN = RateEstimate(0.03, 0.0)
"""A rate that nobody measured."""


def _seen(rate: float, degrees: NDArray[np.int64], frames: int, generator: np.random.Generator) -> CheckCounts:
    chance = (1 - (1 - 2 * rate) ** degrees) / 2
    odd = np.where(degrees > 0, generator.binomial(frames, chance), frames)
    return CheckCounts(degrees, odd, frames)


@pytest.mark.parametrize("rate", [0.005, 0.03, 0.11, 0.2])
def test_syndromes_tell_the_error_rate_and_how_well(rate: float) -> None:
    generator = np.random.default_rng(1)
    degrees = np.repeat([0, 6, 7, 20], 2000)
    deviations = []
    for _ in range(40):
        found = revised_rate(UNKNOWN, _seen(rate, degrees, 3, generator))
        deviations.append(math.log(found.error_rate / rate) / found.uncertainty)
    # The variance is doubled for checks that share bits; these do not.
    assert 0.4 < np.std(deviations) < 1.0
    assert abs(np.mean(deviations)) < 0.4


def test_no_checks_tell_nothing() -> None:
    nothing = CheckCounts(np.zeros(5, dtype=np.int64), np.ones(5, dtype=np.int64), 2)
    assert revised_rate(RateEstimate(0.03, 0.1), nothing) == RateEstimate(0.03, 0.1)


@pytest.mark.parametrize("errors", [4, 20, 400])
def test_what_is_known_beforehand_is_a_gamma_law(errors: int) -> None:
    """Checks of very many bits are odd by chance, whatever the rate: what was known remains."""
    degrees = np.repeat([5000], 100)
    found = revised_rate(RateEstimate(0.03, errors**-0.5), CheckCounts(degrees, np.repeat([1], 100), 2))
    low, median, high = np.log(gamma(errors, scale=0.03 / errors).ppf(norm.cdf([-1, 0, 1])))
    assert found.error_rate == pytest.approx(math.exp(median), rel=0.01)
    assert found.uncertainty == pytest.approx((high - low) / 2, rel=0.05)


def test_estimates_are_weighed_unless_they_contradict_each_other() -> None:
    generator = np.random.default_rng(2)
    degrees = np.repeat([6], 1000)
    seen = _seen(0.032, degrees, 4, generator)
    alone = revised_rate(UNKNOWN, seen)
    both = revised_rate(RateEstimate(0.028, alone.uncertainty), seen)
    assert 0.028 < both.error_rate < alone.error_rate
    assert both.uncertainty == pytest.approx(alone.uncertainty / 2**0.5, rel=0.1)
    contradicted = revised_rate(RateEstimate(0.005, 0.05), seen)
    assert contradicted.error_rate == pytest.approx(alone.error_rate, rel=0.01)


def test_few_checks_that_are_odd_by_chance_do_not_overrule_what_is_known() -> None:
    degrees = np.repeat([30], 20)
    found = revised_rate(RateEstimate(0.037, 0.33), CheckCounts(degrees, np.repeat([1, 0], [13, 7]), 1))
    assert found.error_rate < 0.08


@pytest.mark.parametrize("share", [0.0, 0.2, 0.4])
def test_parities_are_of_key_bits_alone(share: float) -> None:
    names = [name for name in code_names() if load_code(name).frame_bits == 1 << 14]
    name = min(names, key=lambda name: abs(load_code(name).rows / load_code(name).columns - 0.38))
    code = load_code(name)
    layout = frame_layout(name, int(share * code.syndrome_bits), 2000)
    degrees, first, second = parities_of_key_bits(code, layout)
    matrix = dense_matrix(code)
    sums = np.where((first == second)[:, None], matrix[first], matrix[first] ^ matrix[second])
    assert not sums[:, layout.punctured].any()
    assert first.size > 0.3 * code.syndrome_bits
    assert np.array_equal(sums[:, layout.key].sum(axis=1), degrees)
    alone = first == second
    assert np.array_equal(np.flatnonzero(~matrix[:, layout.punctured].any(axis=1)), first[alone])
