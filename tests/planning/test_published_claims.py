"""What the decoy papers print of simulated links, through their own formulas, channel models and optimisation.

The formulas are those of `decoy_published`; the channel models, which differ from paper to paper, are written here.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import optimize

from qkdpost.security.decoy.photon_statistics import PhotonStatistics
from qkdpost.security.decoy.published.estimates import DecoyCounts, PublishedEstimate, lim_2014, rusca_2018
from qkdpost.statistics.entropy import binary_entropy

CORRECTNESS = 1e-15


def _share(x: float) -> float:
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, x))))


def _maximum(rate: Callable[[np.ndarray], float], starts: list[list[float]]) -> float:
    """The best of a few searches, each started again where it ended."""
    best = -math.inf
    for start in starts:
        x = np.array(start)
        for _ in range(3):
            found = optimize.minimize(
                lambda v: -1e6 * rate(v), x, method="Nelder-Mead", options={"maxfev": 800, "xatol": 1e-4, "fatol": 1e-9}
            )
            x = found.x
        best = max(best, -1e-6 * float(found.fun))
    return best


def _length(found: PublishedEstimate, leakage: float, secrecy: float, events: int) -> float:
    bits = found.vacuum + found.key * (1 - binary_entropy(found.phase_error_rate)) - leakage
    return bits - 6 * math.log2(events / secrecy) - math.log2(2 / CORRECTNESS)


def _lim_rate(block: float, distance_km: float) -> Callable[[np.ndarray], float]:
    """Bits per pulse of Lim et al.: block size fixed in key detections, secrecy 1e-15 for each secret bit."""
    dark, after, misalignment, weakest, factor = 6e-7, 0.04, 5e-3, 2e-4, 1.16
    system = 0.1 * 10 ** (-0.2 * distance_km / 10)

    def rate(v: np.ndarray) -> float:
        bias, first = _share(v[0]), 0.05 + 0.95 * _share(v[1])
        second = weakest + (first - weakest) * _share(v[2])
        raw = np.exp(np.clip([v[3], v[4], 0.0], -20, 20))
        weights = raw / raw.sum()
        means = np.array([first, second, weakest])
        if first <= second + weakest or second <= 1.01 * weakest:
            return -1e9
        seen = 1 - (1 - 2 * dark) * np.exp(-system * means)
        wrong = dark + misalignment * (1 - np.exp(-system * means)) + after * seen / 2
        seen = seen * (1 + after)
        detected = float(weights @ seen)
        pulses = block / (bias**2 * detected)
        scale = pulses * weights
        key, test = scale * bias**2 * seen, scale * (1 - bias) ** 2 * seen
        counts = DecoyCounts(
            source=PhotonStatistics(tuple(means), tuple(weights)),
            key_counts=tuple(key),
            test_counts=tuple(test),
            test_errors=tuple(scale * (1 - bias) ** 2 * wrong),
        )
        leakage = factor * block * binary_entropy(float(weights @ wrong) / detected)
        bits = 0.3 * block
        for _ in range(4):
            secrecy = 1e-15 * max(1.0, bits)
            bits = _length(lim_2014(counts, secrecy), leakage, secrecy, 21)
        return bits / pulses if bits > 0 else bits  # below zero, fewer pulses would look better

    return rate


LIM_STARTS = [[1.8, 0.0, -0.3, 0.8, 1.0], [2.6, -0.5, -0.5, 2.0, 0.5], [0.5, 0.3, 0.0, 0.5, 0.5]]


@pytest.mark.parametrize(
    ("block", "distance_km", "digitised"),
    [
        (1e7, 0, 5.19e-3),
        (1e7, 50, 4.99e-4),
        (1e7, 100, 4.64e-5),
        (1e9, 0, 8.85e-3),
        (1e9, 50, 8.54e-4),
        (1e9, 100, 8.17e-5),
        (1e6, 50, 3.17e-4),
    ],
)
def test_the_curves_of_lim_2014(block: float, distance_km: float, digitised: float) -> None:
    """Within five per cent of the printed figure, as it was digitised by others; from 10^6 on, see the next test."""
    assert _maximum(_lim_rate(block, distance_km), LIM_STARTS) == pytest.approx(digitised, rel=0.05)


def _logit(share: float) -> float:
    return math.log(share / (1 - share))


def _lim_rate_written_out(
    *, block: float, distance_km: float, bias: float, first: float, part: float, p: list[float]
) -> float:
    """The printed equations once more, Eqs. 1 to 5 and the channel of section IV, in plain numbers."""

    def h(x: float) -> float:
        return -x * math.log2(x) - (1 - x) * math.log2(1 - x)

    system = 0.1 * 10 ** (-0.2 * distance_km / 10)
    mu = [first, 2e-4 + (first - 2e-4) * part, 2e-4]
    clicks = [1 - (1 - 2 * 6e-7) * math.exp(-system * k) for k in mu]
    errors = [6e-7 + 5e-3 * (1 - math.exp(-system * k)) + 0.04 * d / 2 for k, d in zip(mu, clicks, strict=True)]
    rates = [1.04 * d for d in clicks]
    detected = sum(q * r for q, r in zip(p, rates, strict=True))
    pulses = block / (bias**2 * detected)
    n_x = [pulses * bias**2 * q * r for q, r in zip(p, rates, strict=True)]
    n_z = [pulses * (1 - bias) ** 2 * q * r for q, r in zip(p, rates, strict=True)]
    m_z = [pulses * (1 - bias) ** 2 * q * e for q, e in zip(p, errors, strict=True)]
    leakage = 1.16 * block * h(sum(q * e for q, e in zip(p, errors, strict=True)) / detected)
    tau = [sum(q * math.exp(-k) * k**n for q, k in zip(p, mu, strict=True)) for n in (0, 1)]
    bits = 0.3 * block
    for _ in range(4):
        secrecy = 1e-15 * max(1.0, bits)

        def ends(counts: list[float], sign: int, secrecy: float = secrecy) -> list[float]:
            deviation = math.sqrt(sum(counts) / 2 * math.log(21 / secrecy))
            return [math.exp(k) / q * (c + sign * deviation) for k, q, c in zip(mu, p, counts, strict=True)]

        def one_photon(counts: list[float], ends=ends) -> tuple[float, float]:
            low, high = ends(counts, -1), ends(counts, 1)
            empty = max(0.0, tau[0] * (mu[1] * low[2] - mu[2] * high[1]) / (mu[1] - mu[2]))
            bracket = low[1] - high[2] - (mu[1] ** 2 - mu[2] ** 2) / mu[0] ** 2 * (high[0] - empty / tau[0])
            return empty, tau[1] * mu[0] * bracket / (mu[0] * (mu[1] - mu[2]) - mu[1] ** 2 + mu[2] ** 2)

        (empty, s_x), (_, s_z) = one_photon(n_x), one_photon(n_z)
        wrong = tau[1] * (ends(m_z, 1)[1] - ends(m_z, -1)[2]) / (mu[1] - mu[2])
        rate = wrong / s_z
        inner = (s_z + s_x) / (s_z * s_x * (1 - rate) * rate) * 21**2 / secrecy**2
        phase = rate + math.sqrt((s_z + s_x) * (1 - rate) * rate / (s_z * s_x * math.log(2)) * math.log2(inner))
        bits = empty + s_x * (1 - h(phase)) - leakage - 6 * math.log2(21 / secrecy) - math.log2(2 / CORRECTNESS)
    return bits / pulses


# bias, mu_1, where mu_2 lies between mu_3 and mu_1, p_1, p_2; the rate there; the digitised rate
SMALL_BLOCKS = {
    (1e4, 0): ([0.490, 0.504, 0.183, 0.028, 0.475], 2.0842586726e-4, 4.47e-4),
    (1e4, 50): ([0.482, 0.482, 0.185, 0.028, 0.477], 1.8831618351e-5, 4.13e-5),
    (1e4, 100): ([0.405, 0.486, 0.199, 0.034, 0.495], 9.9130249617e-7, 3.15e-6),
    (1e5, 0): ([0.659, 0.473, 0.349, 0.098, 0.558], 1.3075390792e-3, 1.58e-3),
    (1e5, 50): ([0.656, 0.454, 0.350, 0.097, 0.558], 1.2360590703e-4, 1.50e-4),
    (1e5, 100): ([0.634, 0.457, 0.353, 0.100, 0.561], 1.0403229324e-5, 1.29e-5),
}


@pytest.mark.parametrize(("block", "distance_km"), SMALL_BLOCKS)
def test_lim_2014_at_small_blocks_is_the_printed_formula_and_not_the_figure(block: float, distance_km: float) -> None:
    """Below 10^6 detections the printed formula lies below the printed figure, and this pins by how much.

    At these choices, which a global search found and which the next test challenges, the formula as printed gives 0.32
    to 0.47 of the digitised figure at 10^4 and 0.81 to 0.83 at 10^5. It is not the search: the global one agrees with
    the local one. Nor the reading of the figure, which is good to five per cent at 10^6 to 10^9. Nor lambda_EC: of
    10^4 detections it takes some 1,960 bits, and the figure has 1,650 more than the formula, but of 10^5 it takes
    19,200 of which 4,400 are missing, of 10^6 191,500 and 9,900. What is missing is much the same at every distance
    and grows a little more slowly than the root of the block: the figure has smaller statistical deviations at small
    blocks than the equations. None of the readings that were tried repairs 10^4 without spoiling 10^6 or 10^7: counts
    clipped to what they can be (at 50 km 0.62 of the figure at 10^4, 0.99 at 10^5, and 1.11 at 10^6), gamma times
    ln 2 instead of divided by it (0.56, 0.89, 1.00), a fixed secrecy of 1e-9 (0.61, 0.89, 0.98), and deviations from
    the counts of each intensity (1.6, 1.9, 1.8).
    """
    (bias, first, part, p_1, p_2), expected, digitised = SMALL_BLOCKS[(block, distance_km)]
    p = [p_1, p_2, 1 - p_1 - p_2]
    written_out = _lim_rate_written_out(block=block, distance_km=distance_km, bias=bias, first=first, part=part, p=p)
    vector = [_logit(bias), _logit((first - 0.05) / 0.95), _logit(part), math.log(p_1 / p[2]), math.log(p_2 / p[2])]
    assert _lim_rate(block, distance_km)(np.array(vector)) == pytest.approx(written_out, rel=1e-9)
    assert written_out == pytest.approx(expected, rel=1e-9)
    assert written_out < 0.84 * digitised


@pytest.mark.slow
@pytest.mark.parametrize(("block", "distance_km"), SMALL_BLOCKS)
def test_no_global_search_finds_more_of_lim_2014(block: float, distance_km: float) -> None:
    rate = _lim_rate(block, distance_km)
    box = [(-2, 4), (-3, 2), (-3, 2), (-4, 3), (-3, 4)]
    found = optimize.differential_evolution(
        lambda v: -1e6 * rate(v), box, maxiter=150, popsize=14, seed=2, tol=1e-8, polish=False
    )
    assert _maximum(rate, [found.x.tolist()]) == pytest.approx(SMALL_BLOCKS[(block, distance_km)][1], rel=1e-3)


def test_the_ratio_of_lim_2014() -> None:
    at_hundred = [_maximum(_lim_rate(block, 100), LIM_STARTS) for block in (1e7, 1e9)]
    assert at_hundred[1] / at_hundred[0] == pytest.approx(1.75, rel=0.05)


@pytest.mark.slow
def test_the_reach_of_lim_2014() -> None:
    """135 km with 10^4 detections: key at 130 km, none at 140, wherever a global search looks."""
    box = [(-3, 5), (-4, 4), (-4, 4), (-4, 5), (-4, 5)]
    best = []
    for distance_km in (130, 140):
        rate = _lim_rate(1e4, distance_km)
        found = optimize.differential_evolution(
            lambda v, rate=rate: -1e6 * rate(v), box, maxiter=120, popsize=12, seed=1, tol=1e-10, polish=False
        )
        best.append(_maximum(rate, [found.x.tolist()]))
    assert best[0] > 0 > best[1]


def _rusca_rate(block: float, distance_km: float, decoys: int) -> Callable[[np.ndarray], float]:
    """Bits per pulse of Rusca et al.: 1 GHz, 100 ns dead time, efficiency one half; block in key detections."""
    dark, misalignment, factor, secrecy = 1e-8, 0.01, 1.16, 1e-9
    system = 0.5 * 10 ** (-0.2 * distance_km / 10)
    weakest = 1e-3

    def rate(v: np.ndarray) -> float:
        bias, first = _share(v[0]), 0.05 + 0.95 * _share(v[1])
        if decoys == 1:
            means = np.array([first, first * _share(v[2])])
            raw = np.exp(np.clip([v[3], 0.0], -20, 20))
        else:
            means = np.array([first, weakest + (first - weakest) * _share(v[2]), weakest])
            raw = np.exp(np.clip([v[3], v[4], 0.0], -20, 20))
            if means[0] <= means[1] + means[2]:
                return -1e9
        if np.any(np.diff(means) > -1e-5):
            return -1e9
        weights = raw / raw.sum()
        arrived = 1 - np.exp(-system * means)
        live = 1 / (1 + 100 * float(weights @ (arrived + dark)))
        seen, wrong = live * (arrived + dark), live * (arrived * misalignment + dark / 2)
        pulses = block / (bias * float(weights @ seen))
        scale = pulses * weights
        counts = DecoyCounts(
            source=PhotonStatistics(tuple(means), tuple(weights)),
            key_counts=tuple(scale * bias * seen),
            test_counts=tuple(scale * (1 - bias) * seen),
            test_errors=tuple(scale * (1 - bias) * wrong),
            key_errors=tuple(scale * bias * wrong),
        )
        leakage = factor * block * binary_entropy(float(weights @ wrong) / float(weights @ seen))
        found = rusca_2018(counts, secrecy) if decoys == 1 else lim_2014(counts, secrecy)
        bits = _length(found, leakage, secrecy, 19 if decoys == 1 else 21)
        return bits / pulses if bits > 0 else bits

    return rate


@pytest.mark.parametrize("block", [1e5, 1e6, 1e7, 1e8])
@pytest.mark.parametrize("distance_km", [50, 100])
def test_one_decoy_is_as_good_as_two_up_to_1e8(block: float, distance_km: float) -> None:
    one = _maximum(_rusca_rate(block, distance_km, 1), [[1.8, 0.0, -0.8, 0.8], [2.6, -0.5, -1.0, 1.5]])
    two = _maximum(_rusca_rate(block, distance_km, 2), [[1.8, 0.0, -0.8, 0.8, 0.8], [2.6, -0.5, -0.5, 2.0, 0.5]])
    assert one > 0
    assert one >= two * (1 - 1e-3)
