"""From the errors of one complementary sample to the phase errors of the key rounds that it stands for."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, get_args

from qkdpost.checks import choice, whole_number
from qkdpost.errors import ConfigurationError, InputError
from qkdpost.statistics.concentration import check_tail
from qkdpost.statistics.sampling import hypergeometric_key_errors, serfling_deviation

__all__ = ["Concentration", "check_concentration", "max_phase_errors"]

Concentration = Literal["hypergeometric", "serfling"]

_key_errors = lru_cache(maxsize=16)(hypergeometric_key_errors)
"""A block asks twice, before correction and for its length."""


def check_concentration(concentration: str) -> None:
    """Check the name of a concentration inequality.

    Raises:
        ConfigurationError: it is unknown.
    """
    choice("concentration", concentration, get_args(Concentration), error=ConfigurationError)


def max_phase_errors(
    key_bits: int, test_bits: int, test_errors: int, tail: float, concentration: Concentration
) -> float:
    """Bound how many of the key rounds have a phase error, at a probability of failure.

    The test rounds are those of the complementary basis, a uniformly random subset of key and test rounds together.

    Args:
        key_bits: the rounds that were not seen in this basis.
        test_bits: the rounds that were.
        test_errors: how many of these differed.
        tail: the probability of failure; for a smoothing parameter eps, eps^2.
        concentration: "hypergeometric", exact, whole numbers; or "serfling".

    Returns:
        The number, 0 ... key_bits; all of them where nothing was tested.

    Raises:
        InputError: counts that are no whole numbers, more errors than test bits, or a tail outside 0 ... 1.
        ConfigurationError: an unknown concentration.
    """
    check_concentration(concentration)
    key_bits, test_bits = whole_number("key_bits", key_bits), whole_number("test_bits", test_bits)
    test_errors, tail = whole_number("test_errors", test_errors), check_tail(tail)
    if test_errors > test_bits:
        raise InputError(f"test_errors must not exceed test_bits; found {test_errors} > {test_bits}")
    if key_bits == 0 or test_bits == 0:
        return float(key_bits)
    if concentration == "hypergeometric":
        return float(_key_errors(key_bits, test_bits, test_errors, tail))
    rate = test_errors / test_bits + serfling_deviation(key_bits, test_bits, tail)
    return key_bits * min(1.0, rate)
