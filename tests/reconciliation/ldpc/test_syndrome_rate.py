"""Error rates from syndromes, beside the true ones."""

from __future__ import annotations

import numpy as np
import pytest

from qkdpost.reconciliation.ldpc.codes import code_names, load_code
from qkdpost.reconciliation.ldpc.frame_layout import frame_layout
from qkdpost.reconciliation.ldpc.syndrome_rate import RateEstimate, combine, estimate_from_checks, parities_of_key_bits
from reference.belief import dense_matrix


@pytest.mark.parametrize("rate", [0.005, 0.03, 0.11, 0.2])
def test_syndromes_tell_the_error_rate_and_how_well(rate: float) -> None:
    generator = np.random.default_rng(1)
    degrees = np.repeat([0, 6, 7, 20], 2000)
    deviations = []
    for _ in range(40):
        chance = (1 - (1 - 2 * rate) ** degrees) / 2
        odd = np.where(degrees > 0, generator.binomial(3, chance), 3)
        found = estimate_from_checks(degrees, odd, 3)
        assert found is not None
        deviations.append((found.error_rate / rate - 1) / found.uncertainty)
    # The variance is doubled for checks that share bits; these do not.
    assert 0.4 < np.std(deviations) < 1.0
    assert abs(np.mean(deviations)) < 0.4


def test_no_checks_tell_nothing() -> None:
    assert estimate_from_checks(np.zeros(5, dtype=np.int64), np.ones(5, dtype=np.int64), 2) is None


def test_estimates_are_weighed_unless_they_contradict_each_other() -> None:
    planned = RateEstimate(0.03, 0.05)
    assert combine(planned, None) == planned
    both = combine(planned, RateEstimate(0.032, 0.05))
    assert 0.0305 < both.error_rate < 0.0315
    assert both.uncertainty == pytest.approx(0.05 / 2**0.5)
    assert combine(planned, RateEstimate(0.05, 0.05)) == RateEstimate(0.05, 0.05)
    assert combine(RateEstimate(0.03, 0.0), RateEstimate(0.031, 0.05)).error_rate == 0.031


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
