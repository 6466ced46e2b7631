"""Entropies of wrapped normal laws: vectors, integrals by another program, and how they move."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from qkdpost.errors import InputError
from qkdpost.statistics.gaussian.wrapped import cell_entropy, quantised_entropy, wrapped_entropy


@pytest.mark.parametrize(("reach", "bits", "entropy"), [(7.0, 7, 5.2404594217), (4.0, 6, 5.0477840296)])
def test_entropy_of_a_quantised_normal_law_as_computed_elsewhere(reach: float, bits: int, entropy: float) -> None:
    assert quantised_entropy(1.0, reach, 1 << bits) == pytest.approx(entropy, abs=5e-11)
    assert quantised_entropy(9.0, 3 * reach, 1 << bits) == pytest.approx(entropy, abs=5e-11)


@pytest.mark.parametrize("period", [0.3, 1.0, 1.4, 3.0, 8.0, 40.0])
def test_wrapped_entropy_is_the_integral(period: float) -> None:
    def minus_f_log_f(point: float) -> float:
        density = math.fsum(norm.pdf(point + turn * period) for turn in range(-60, 61))
        return -density * math.log2(density) if density > 0.0 else 0.0

    integral, _ = quad(minus_f_log_f, -period / 2, period / 2, epsabs=1e-12, limit=200)
    assert wrapped_entropy(1.0, period) == pytest.approx(integral, abs=1e-10)


def test_limits_of_narrow_and_of_wide_circles() -> None:
    assert wrapped_entropy(1.0, 0.5) == pytest.approx(math.log2(0.5), abs=1e-13)
    assert wrapped_entropy(4.0, 100.0) == pytest.approx(0.5 * math.log2(2 * math.pi * math.e * 4.0), abs=1e-12)


def test_entropy_of_cells_is_that_of_cells_given_places() -> None:
    """By sums over fine places: H(K, place) - H(place), the place cut into 2^10 parts."""
    width, cells, fine = 1.37, 8, 1024
    edges = np.arange(-12 * cells * fine, 12 * cells * fine + 1) * (width / fine)
    parts = np.diff(norm.cdf(edges)).reshape(-1, cells, fine).sum(axis=0)
    joint = -np.sum(parts[parts > 0] * np.log2(parts[parts > 0]))
    place = parts.sum(axis=0)
    assert cell_entropy(1.0, width, cells) == pytest.approx(joint + np.sum(place * np.log2(place)), abs=1e-6)


def test_more_variance_never_means_less_entropy() -> None:
    for width, cells in ((0.4, 8), (1.37, 8), (1.94, 4), (0.9, 16)):
        entropies = [cell_entropy(variance, width, cells) for variance in np.geomspace(0.05, 20.0, 80)]
        assert np.all(np.diff(entropies) > -1e-12)
        assert max(entropies) <= math.log2(cells)


@pytest.mark.parametrize(
    "call",
    [
        lambda: cell_entropy(0.0, 1.0, 8),
        lambda: cell_entropy(math.nan, 1.0, 8),
        lambda: cell_entropy(1.0, -1.0, 8),
        lambda: cell_entropy(1.0, 1.0, 1),
        lambda: wrapped_entropy(1.0, 1e6),
        lambda: quantised_entropy(1.0, 0.0, 8),
    ],
)
def test_numbers_out_of_range_are_refused(call: object) -> None:
    with pytest.raises(InputError):
        call()  # type: ignore[operator]
