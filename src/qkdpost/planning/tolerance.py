"""How many errors a link of qubits may have."""

from __future__ import annotations

from typing import Any

from qkdpost.errors import ConfigurationError
from qkdpost.planning.parameters import charged_length, check_efficiency
from qkdpost.planning.planned_link import check_pulses
from qkdpost.security import bb84
from qkdpost.security.epsilon import Epsilon
from qkdpost.security.leakage import DEFAULT_EFFICIENCY
from qkdpost.security.qubits.tally import Tally

__all__ = ["tolerated_error_rate"]


def tolerated_error_rate(
    *,
    key_bits: float,
    test_bits: float | None = None,
    epsilon: Epsilon | float = 1e-10,
    efficiency: float = DEFAULT_EFFICIENCY,
    **options: Any,
) -> float:
    """Return the largest error rate at which a block of BB84 or BBM92 with single photons is expected to give key.

    Both bases have that rate. With many rounds and an efficiency of 1 it approaches 11 %, where 1 - 2 h(Q) vanishes.

    Args:
        key_bits: sifted bits of the key, the sample that sets up correction not among them; a whole float is allowed.
        test_bits: compared bits of the test basis; None for as many.
        epsilon: the budget, or a total.
        efficiency: f of error correction: it discloses f n h(Q).
        options: for `security.bb84.secret_length`, as ``concentration="serfling"``.

    Returns:
        A rate with a whole number of errors in the test: one error more, and no key is left.

    Raises:
        InputError: a number out of range.
        ConfigurationError: no key even without errors; options that the bound does not take.

    >>> import qkdpost as qp
    >>> [round(qp.planning.tolerated_error_rate(key_bits=bits), 4) for bits in (1e4, 1e6)]
    [0.0823, 0.1003]
    """
    key = check_pulses("key_bits", key_bits)
    test = key if test_bits is None else check_pulses("test_bits", test_bits)
    budget, factor = Epsilon.coerce(epsilon), check_efficiency(efficiency)

    def gives_key(errors: int) -> bool:
        wrong = -(-key * errors // test)  # rounded up
        tally = Tally(key_bits=key, test_bits=test, test_errors=errors)
        return charged_length(bb84.secret_length, tally, wrong, factor, budget, **options).bits > 0

    if not gives_key(0):
        raise ConfigurationError(
            f"{key} key and {test} test bits give no key even without errors: plan larger blocks, or a larger epsilon"
        )
    low, high = 0, test // 2 + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if gives_key(middle) else (low, middle)
    return low / test
