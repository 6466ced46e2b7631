"""Unbounded parameters for an optimiser, of the choices of a link; and what a block of it is expected to disclose."""

from __future__ import annotations

import math
from collections.abc import Sequence

from qkdpost.checks import real_number
from qkdpost.security.disclosed import Disclosed
from qkdpost.security.epsilon import Epsilon
from qkdpost.security.leakage import DEFAULT_EFFICIENCY, MAX_EFFICIENCY, expected_leakage

__all__ = [
    "BIASES",
    "check_efficiency",
    "expected_disclosure",
    "expit",
    "logit",
    "neighbours",
    "rounded_counts",
]


BIASES = (0.5, 0.3, 0.15, 0.07, 0.03, 0.01, 0.003)
"""Probabilities of the test basis that a search starts from."""


def check_efficiency(efficiency: object) -> float:
    """Return an efficiency f of error correction of qubits.

    Raises:
        InputError: it is no number in 1 ... 10^6.
    """
    return real_number("efficiency", efficiency, least=1.0, most=MAX_EFFICIENCY)


def expected_disclosure(key_bits: int, errors: int, efficiency: float | None, epsilon: Epsilon) -> Disclosed:
    """Return what correction and verification of the key are expected to disclose."""
    efficiency = DEFAULT_EFFICIENCY if efficiency is None else efficiency
    rate = min(0.5, errors / key_bits) if key_bits else 0.0
    verification = epsilon.verification_charge_bits
    correction = expected_leakage(key_bits, rate, efficiency=efficiency)
    return Disclosed(leakage_bits=correction + verification, verification_bits=verification, two_way=True)


def rounded_counts(scale: float, weights: Sequence[float], rates: Sequence[float]) -> tuple[int, ...]:
    """Return the expected counts of each label, rounded.

    Args:
        scale: how many rounds there are.
        weights: how often each label is sent.
        rates: how probably a round of each label counts.
    """
    return tuple(round(scale * weight * rate) for weight, rate in zip(weights, rates, strict=True))


def neighbours(intensities: Sequence[float]) -> list[tuple[float, float]]:
    """Return each pair of neighbouring intensities that an optimiser may turn: all but the weakest of three."""
    moving = intensities[:-1] if len(intensities) > 2 else intensities
    return [(moving[index], moving[index + 1]) for index in range(len(moving) - 1)]


def logit(fraction: float) -> float:
    """Return log(x / (1 - x)), which makes a fraction an unbounded parameter; clipped near 0 and 1."""
    fraction = min(1.0 - 1e-9, max(1e-9, fraction))
    return math.log(fraction / (1.0 - fraction))


def expit(logit: float) -> float:
    """Return the inverse of `logit`, clipped."""
    return 1.0 / (1.0 + math.exp(-max(-16.0, min(16.0, logit))))
