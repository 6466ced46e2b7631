"""What error correction is expected to disclose."""

from __future__ import annotations

import math

from qkdpost.checks import real_number, whole_real
from qkdpost.statistics.entropy import binary_entropy

__all__ = ["DEFAULT_EFFICIENCY", "MAX_EFFICIENCY", "expected_leakage"]

DEFAULT_EFFICIENCY = 1.1
"""Of error correction of qubits."""
MAX_EFFICIENCY = 1e6
"""Of error correction: far above that of any code, and far from overflow when it is multiplied."""


def expected_leakage(bits: float, error_rate: float, *, efficiency: float = DEFAULT_EFFICIENCY) -> int:
    """Return how many bits correction is expected to disclose: f n h(Q), rounded up.

    For planning: a session charges what was disclosed in truth. Verification comes on top,
    `Epsilon.verification_charge_bits`.

    Args:
        bits: n, of the key; a whole float is allowed.
        error_rate: Q of the key, 0 ... 1/2.
        efficiency: f; 1 is the limit, Cascade has 1.03 to 1.1, LDPC codes 1.05 to 1.3.

    Raises:
        InputError: a number out of range.

    >>> from qkdpost import security
    >>> security.expected_leakage(1e6, 0.02)
    155585
    >>> security.expected_leakage(1e6, 0.02, efficiency=1.0)
    141441
    """
    count = whole_real("bits", bits)
    rate = real_number("error_rate", error_rate, least=0.0, most=0.5)
    factor = real_number("efficiency", efficiency, least=1.0, most=MAX_EFFICIENCY)
    return math.ceil(factor * count * binary_entropy(rate))
