"""The error rate as estimated from syndromes: a sum of d key bits is odd with probability (1 - (1 - 2 Q)^d) / 2.

What is known beforehand are e errors of a sample: the rate follows a gamma law of that many. The checks share bits, so
they hold less information than independent ones, and their likelihood counts half. Where the syndromes contradict the
sample they are believed: a hundredth of the law beforehand is spread over all rates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.ldpc.syndromes import count_summands
from qkdpost.reconciliation.ldpc.codes import QuasiCyclicCode
from qkdpost.reconciliation.ldpc.frame_layout import FrameLayout

__all__ = ["CheckCounts", "RateEstimate", "parities_of_key_bits", "revised_rate"]

Rates = NDArray[np.float64]

_LEAST, _MOST = 1e-6, 0.499
_POINTS = 256
_DEVIATIONS = 6.0
_SHARED_BITS = 0.5
_DISTRUST = 0.01
_QUANTILES = (0.1587, 0.5, 0.8413)
"""Of a normal law, at one standard deviation below the mean, at the mean, and at one above."""


@dataclass(frozen=True, slots=True)
class RateEstimate:
    """An error rate and its relative standard error."""

    error_rate: float
    uncertainty: float


@dataclass(frozen=True, slots=True)
class CheckCounts:
    """What syndromes show.

    Args:
        degrees: of each check, how many bits that may be wrong it sums, int64, shape (checks,).
        odd: in how many frames it is odd, int64, shape (checks,).
        frames: how many were counted.
    """

    degrees: NDArray[np.int64]
    odd: NDArray[np.int64]
    frames: int


def revised_rate(planned: RateEstimate, seen: CheckCounts) -> RateEstimate:
    """Return the error rate by what was known beforehand and by what the syndromes show.

    Args:
        planned: what was known; with an uncertainty of 0 it is a rate that nobody measured, which weighs nothing
            beside the syndromes.
        seen: what they show.

    Returns:
        The median, and half of what lies between the quantiles of one standard deviation, both of the logarithm.
    """
    used = seen.degrees > 0
    if not used.any():
        return planned
    degree = np.arange(int(seen.degrees.max()) + 1, dtype=np.float64)
    totals = seen.frames * np.bincount(seen.degrees[used], minlength=degree.size).astype(np.float64)
    odds = np.bincount(seen.degrees[used], weights=seen.odd[used], minlength=degree.size).astype(np.float64)
    low, high = math.log(_LEAST), math.log(_MOST)
    while True:
        points = np.linspace(low, high, _POINTS)
        rates = np.exp(points)
        weights = _normalised(_log_prior(rates, planned) + _SHARED_BITS * _log_likelihood(rates, degree, totals, odds))
        spacing = (high - low) / (_POINTS - 1)
        below, middle, above = np.interp(_QUANTILES, np.cumsum(weights) - weights / 2, points).tolist()
        deviation = (above - below) / 2
        if deviation > 4.0 * spacing or spacing < 1e-6:
            return RateEstimate(math.exp(middle), deviation)
        reach = _DEVIATIONS * (deviation + spacing)
        low, high = max(math.log(_LEAST), middle - reach), min(math.log(_MOST), middle + reach)


def _normalised(logarithms: Rates) -> Rates:
    weights = np.exp(logarithms - logarithms.max())
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def _log_prior(rates: Rates, planned: RateEstimate) -> Rates:
    """Return the logarithm of the density of the rate's logarithm beforehand, relative to its peak."""
    if planned.uncertainty <= 0.0:
        return np.zeros_like(rates)
    errors = planned.uncertainty**-2
    ratio = rates / planned.error_rate
    density = np.exp(errors * (np.log(ratio) - ratio + 1.0))
    everywhere = _DISTRUST * math.sqrt(2 * math.pi / errors) / math.log(_MOST / _LEAST)
    return np.asarray(np.log(density + everywhere), dtype=np.float64)


def _log_likelihood(rates: Rates, degree: Rates, totals: Rates, odds: Rates) -> Rates:
    used = totals > 0
    chance = (1.0 - (1.0 - 2.0 * rates[:, None]) ** degree[used]) / 2.0
    return np.asarray(np.log(chance) @ odds[used] + np.log1p(-chance) @ (totals - odds)[used], dtype=np.float64)


def parities_of_key_bits(
    code: QuasiCyclicCode, layout: FrameLayout
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the parities of key bits alone that the syndrome contains.

    These are checks without a punctured bit, and sums of two checks whose only punctured bit they share.

    Returns:
        How many key bits each sums; its first check; its second check, or the first again where it is alone.
    """
    owners, keys = _bits_of_checks(code, layout)
    alone = np.flatnonzero(owners == 0)
    owned = np.flatnonzero(owners > 0)
    owned = owned[np.argsort(owners[owned], kind="stable")]
    again = np.flatnonzero(owners[owned][1:] == owners[owned][:-1])
    left, right = owned[again], owned[again + 1]
    first, second = np.concatenate([alone, left]), np.concatenate([alone, right])
    return keys[first] + np.where(first == second, 0, keys[second]), first, second


def _bits_of_checks(code: QuasiCyclicCode, layout: FrameLayout) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return, for each check, the number of its only punctured bit, 0 for none and -1 for more; and its key bits."""
    kinds = np.zeros(code.frame_bits, dtype=np.int64)
    kinds[layout.key] = -1
    kinds[layout.punctured] = np.arange(1, layout.punctured.size + 1)
    owners, keys = np.empty((2, code.syndrome_bits), dtype=np.int64)
    count_summands(code.row_starts, code.edge_bits, code.edge_shifts, code.size, kinds, keys, owners)
    return owners, keys
