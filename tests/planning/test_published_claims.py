"""What the decoy papers print of simulated links, through their own formulas, channel models and optimisation.

The formulas are those of `decoy_published`; the channel models, which differ from paper to paper, are written here.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import optimize

from qkdpost.security.decoy_published import DecoyCounts, PublishedEstimate, lim_2014, rusca_2018
from qkdpost.security.entropy import binary_entropy
from qkdpost.security.photon_statistics import PhotonStatistics

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
    """Within five per cent of the printed figure, as it was digitised by others.

    Only from 10^6 on: at 10^5 and 10^4 the printed formula, taken literally, gives 0.82 and 0.46 of the digitised
    curve at 50 km (0.99 and 0.62 with counts clipped at zero); what the figure did there is not known.
    """
    assert _maximum(_lim_rate(block, distance_km), LIM_STARTS) == pytest.approx(digitised, rel=0.05)


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
