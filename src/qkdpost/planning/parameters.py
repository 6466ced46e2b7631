"""Unbounded parameters for an optimiser, of the choices of a link; and what a block of it is expected to disclose."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from qkdpost.checks import real_number
from qkdpost.security.disclosed import Disclosed
from qkdpost.security.epsilon import Epsilon
from qkdpost.security.leakage import DEFAULT_EFFICIENCY, MAX_EFFICIENCY, expected_leakage
from qkdpost.security.qubits.tally import Tally
from qkdpost.security.result import SecretLength
from qkdpost.security.single_photon.tally import SinglePhotonTally

__all__ = [
    "BIASES",
    "charged_length",
    "check_efficiency",
    "errors_as_in_test",
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


def _expected_disclosure(key_bits: int, errors: int, efficiency: float | None, epsilon: Epsilon) -> Disclosed:
    """Return what correction and verification of the key are expected to disclose."""
    efficiency = DEFAULT_EFFICIENCY if efficiency is None else efficiency
    rate = min(0.5, errors / key_bits) if key_bits else 0.0
    verification = epsilon.verification_charge_bits
    correction = expected_leakage(key_bits, rate, efficiency=efficiency)
    return Disclosed(leakage_bits=correction + verification, verification_bits=verification, two_way=True)


def charged_length(
    bound: Callable[..., SecretLength],
    tally: Any,
    key_errors: int,
    efficiency: float | None,
    epsilon: Epsilon,
    /,
    **options: Any,  # of the bound, one of which may be `bound`
) -> SecretLength:
    """Return a kind's bound on an expected tally, with what correction and verification will disclose."""
    disclosed = _expected_disclosure(tally.key_bits, key_errors, efficiency, epsilon)
    return bound(
        tally,
        leakage_bits=disclosed.leakage_bits,
        verification_bits=disclosed.verification_bits,
        epsilon=epsilon,
        **options,
    )


def errors_as_in_test(tally: Tally | SinglePhotonTally) -> int:
    """Return how many key bits are expected to be wrong, with the error rate of the test bits."""
    return round(tally.key_bits * tally.test_errors / max(1, tally.test_bits))


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
