"""The error rate as estimated from syndromes: a sum of d key bits is odd with probability (1 - (1 - 2 Q)^d) / 2."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qkdpost.reconciliation.ldpc.codes import QuasiCyclicCode
from qkdpost.reconciliation.ldpc.frame_layout import FrameLayout

__all__ = ["RateEstimate", "combine", "estimate_from_checks", "parities_of_key_bits"]

_MAX_UNCERTAINTY = 0.3


@dataclass(frozen=True, slots=True)
class RateEstimate:
    """An error rate and its relative standard error."""

    error_rate: float
    uncertainty: float


def estimate_from_checks(degrees: NDArray[np.int64], odd: NDArray[np.int64], frames: int) -> RateEstimate | None:
    """Return the error rate that makes the syndromes most likely, or None if they hold no information.

    Args:
        degrees: of each check, how many bits that may be wrong it sums, shape (checks,).
        odd: in how many frames it is odd, shape (checks,).
        frames: how many were counted.

    The checks share bits, so they hold less information than independent ones: the variance is doubled. Near one half
    they only show that the rate is not much lower; hence the upper limit on the uncertainty.
    """
    used = degrees > 0
    width = int(degrees.max(initial=0)) + 1
    totals = frames * np.bincount(degrees[used], minlength=width).astype(np.float64)
    odds = np.bincount(degrees[used], weights=odd[used], minlength=width).astype(np.float64)
    degree = np.arange(width, dtype=np.float64)
    low, high = 1e-6, 0.499
    for _ in range(40):
        rate = math.sqrt(low * high)
        low, high = (rate, high) if _score(rate, degree, totals, odds)[0] > 0 else (low, rate)
    information = _score(rate, degree, totals, odds)[1]
    if information <= 0:
        return None
    return RateEstimate(rate, min(math.sqrt(2 / information) / rate, _MAX_UNCERTAINTY))


def _score(
    rate: float, degree: NDArray[np.float64], totals: NDArray[np.float64], odds: NDArray[np.float64]
) -> tuple[float, float]:
    """Return the derivative of the logarithm of the likelihood by the rate, and Fisher's information."""
    used = totals > 0
    degree, totals, odds = degree[used], totals[used], odds[used]
    chance = (1 - (1 - 2 * rate) ** degree) / 2
    slope = degree * (1 - 2 * rate) ** (degree - 1)
    weight = slope / (chance * (1 - chance))
    return float(((odds - totals * chance) * weight).sum()), float((totals * slope * weight).sum())


def combine(planned: RateEstimate, seen: RateEstimate | None) -> RateEstimate:
    """Return what both estimates say together; where they contradict each other, what was seen."""
    if seen is None:
        return planned
    both = math.hypot(planned.uncertainty, seen.uncertainty)
    distance = math.log(seen.error_rate / planned.error_rate)
    if planned.uncertainty == 0 or abs(distance) > 3 * both:
        return seen
    share = (planned.uncertainty / both) ** 2
    return RateEstimate(
        min(planned.error_rate * math.exp(share * distance), 0.499), planned.uncertainty * seen.uncertainty / both
    )


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
    # One number for each bit: key bits in the lowest 16 digits, punctured ones in the next 16, their numbers above.
    weights = np.zeros(code.frame_bits, dtype=np.int64)
    weights[layout.key] = 1
    weights[layout.punctured] = (np.arange(1, layout.punctured.size + 1) << 32) + (1 << 16)
    twice = np.tile(weights.reshape(code.columns, code.size), 2)
    sums = np.zeros((code.rows, code.size), dtype=np.int64)
    for row, column, shift in code.edges.tolist():
        sums[row] += twice[column, shift : shift + code.size]
    keys, count, owners = (part.reshape(-1) for part in (sums & 0xFFFF, sums >> 16 & 0xFFFF, sums >> 32))
    return np.where(count > 1, -1, owners), keys
