"""How waterfalls are measured, and that those in the manifest are what a code does."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from qkdpost.reconciliation.ldpc.codes import code_names, load_code, manifest
from qkdpost.reconciliation.ldpc_design import waterfalls
from qkdpost.reconciliation.ldpc_design.waterfalls import (
    channel_width,
    count_failures,
    fit_waterfall,
    measure_middle,
    measure_waterfall,
)


def test_a_normal_law_is_found_again() -> None:
    generator = np.random.default_rng(3)
    points = [
        (efficiency, int(generator.binomial(4000, norm.sf((efficiency - 1.1) / 0.02))), 4000)
        for efficiency in np.arange(1.06, 1.15, 0.01)
    ]
    middle, width = fit_waterfall(points)
    assert middle == pytest.approx(1.1, abs=0.001)
    assert width == pytest.approx(0.02, rel=0.05)


def test_the_middle_is_found_from_two_points(monkeypatch: pytest.MonkeyPatch) -> None:
    def exact(_code: object, _decoder: str, efficiency: float, frames: int, _seed: int) -> tuple[int, int]:
        return round(frames * norm.sf((efficiency - 1.1) / 0.02)), 0

    monkeypatch.setattr(waterfalls, "count_failures", exact)
    middle, width = measure_middle(load_code("qc156-0064"), "fast", 2000, (1.115, 0.02))
    assert middle == pytest.approx(1.1, abs=0.0005)
    assert width == 0.02


def test_failures_grow_towards_the_limit_and_repeat_themselves() -> None:
    code = load_code("qc156-0064")
    counts = [count_failures(code, "fast", efficiency, 64) for efficiency in (1.0, 1.1, 1.3)]
    assert counts[0][0] == 64
    assert counts[2] == (0, 0)
    assert counts[1] == count_failures(code, "fast", 1.1, 64)


def test_the_channel_scatters_as_counts_of_errors_do() -> None:
    """At f = 1.1 the standard deviation of h(errors / n) / h(Q) times 1.1, from the exact binomial law's quantiles."""
    code = load_code("qc052-0064")
    fraction = code.rows / code.columns
    rates = np.linspace(0.02, 0.04, 20001)
    entropy = -rates * np.log2(rates) - (1 - rates) * np.log2(1 - rates)
    rate = float(np.interp(fraction / 1.1, entropy, rates))
    deviation = np.sqrt(rate * (1 - rate) / code.frame_bits)
    above, below = np.interp([rate + deviation, rate - deviation], rates, entropy)
    assert channel_width(code) == pytest.approx(1.1 * (above - below) / 2 / np.interp(rate, rates, entropy), rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["qc046-0128", "qc110-0256", "qc052-0064"])
def test_a_waterfall_lies_where_the_manifest_says(name: str) -> None:
    law = manifest()["codes"][name]["waterfall"]["fast"]
    middle, width = measure_waterfall(load_code(name), "fast", 256, law[0] / 1e6, seed=77)
    assert middle == pytest.approx(law[0] / 1e6, abs=0.2 * law[1] / 1e6 + 0.002)
    assert width == pytest.approx(law[1] / 1e6, rel=0.3)


def test_every_code_has_a_waterfall_above_the_limit() -> None:
    for name in code_names():
        for middle, width in manifest()["codes"][name]["waterfall"].values():
            assert 1_000_000 < middle < 1_500_000
            assert 0 < width < 400_000
