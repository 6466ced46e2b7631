"""Error rates as they were observed, with exact intervals, and how much to sample for them.

These serve the setting-up of correction and the report. No secret length rests on them: the bounds of `security`
take the counts themselves and invert them with their own epsilon.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from qkdpost.checks import real_number, whole_number
from qkdpost.errors import InputError
from qkdpost.statistics.concentration import clopper_pearson_lower, clopper_pearson_upper
from qkdpost.statistics.sampling import hypergeometric_key_errors, hypergeometric_key_errors_lower

__all__ = ["ErrorRate", "estimate_error_rate", "sample_size", "sampled_error_bounds"]

MIN_SAMPLE = 256
"""Fewer compared bits say too little to choose a code by."""
BITS_PER_SAMPLE = 64
"""In a large block one key bit in this number is compared ..."""
MAX_SAMPLE = 16_384
"""... up to this number: the rate is then known to a fiftieth of itself from one per cent on."""
MIN_BITS_PER_SAMPLE = 8
"""However small the block, at most one key bit in this number is compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRate:
    """An observed error rate with an exact interval.

    Args:
        errors: how many compared bits differed.
        tested: how many were compared.
        lower: the interval's lower end.
        upper: the interval's upper end.
        confidence: with what probability such an interval holds the true rate, at least.

    >>> from qkdpost import estimation
    >>> found = estimation.estimate_error_rate(20, 1000)
    >>> found.lower < found.errors / found.tested < found.upper
    True
    """

    errors: int
    tested: int
    lower: float
    upper: float
    confidence: float

    @property
    def observed(self) -> float:
        """Errors per compared bit; 1/2, which says nothing, if none was compared."""
        return self.errors / self.tested if self.tested else 0.5

    def __str__(self) -> str:
        if not self.tested:
            return "not measured (0 of 0)"
        return (
            f"{100 * self.observed:.3f} % ({self.errors} of {self.tested}; "
            f"{100 * self.lower:.3f} ... {100 * self.upper:.3f} % at {100 * self.confidence:g} %)"
        )


def estimate_error_rate(errors: int, tested: int, *, confidence: float = 0.99) -> ErrorRate:
    """Return the observed rate with the interval of Clopper and Pearson for the probability of an error.

    Args:
        errors: how many compared bits differed.
        tested: how many were compared; with none, the interval is 0 ... 1.
        confidence: of the two-sided interval; each side gets half of the rest.

    Raises:
        InputError: more errors than tested bits, or a confidence outside 0 ... 1.

    >>> from qkdpost import estimation
    >>> found = estimation.estimate_error_rate(20, 1000, confidence=0.99)
    >>> round(found.lower, 4), round(found.upper, 4)
    (0.0104, 0.0344)
    """
    errors, tested = whole_number("errors", errors), whole_number("tested", tested)
    if errors > tested:
        raise InputError(f"errors must not exceed tested; found {errors} > {tested}")
    confidence, tail = _confidence_and_tail(confidence)
    lower = clopper_pearson_lower(tested, errors, tail) if tested else 0.0
    upper = clopper_pearson_upper(tested, errors, tail) if tested else 1.0
    return ErrorRate(errors=errors, tested=tested, lower=lower, upper=upper, confidence=confidence)


def sampled_error_bounds(remaining: int, tested: int, errors: int, *, confidence: float = 0.99) -> tuple[int, int]:
    """Bound the errors in the bits that were not sampled, from below and above, by the exact hypergeometric law.

    Args:
        remaining: bits that were not compared.
        tested: bits compared, drawn at random from all.
        errors: how many of these differed.
        confidence: of the two-sided interval; each side gets half of the rest.

    Returns:
        The least and the largest number of errors among the remaining bits.

    Raises:
        InputError: counts that contradict each other, or a confidence outside 0 ... 1.

    >>> from qkdpost import estimation
    >>> estimation.sampled_error_bounds(10_000, 1_000, 20)
    (99, 351)
    """
    remaining, tested, errors = (
        whole_number(name, value) for name, value in (("remaining", remaining), ("tested", tested), ("errors", errors))
    )
    _, tail = _confidence_and_tail(confidence)
    lower = hypergeometric_key_errors_lower(remaining, tested, errors, tail)
    return lower, hypergeometric_key_errors(remaining, tested, errors, tail)


def sample_size(key_bits: int) -> int:
    """Return how many key bits to compare in public so that correction can be set up.

    One in `BITS_PER_SAMPLE`, at least `MIN_SAMPLE` and at most `MAX_SAMPLE`, but never more than one in
    `MIN_BITS_PER_SAMPLE`. A poor estimate costs a few hundredths of the efficiency; a compared bit costs a key bit. The
    compared bits are drawn at random and leave the key; they say nothing about its phase errors.

    Raises:
        InputError: not a number of bits.

    >>> from qkdpost import estimation
    >>> [estimation.sample_size(bits) for bits in (1000, 10**5, 10**7)]
    [125, 1563, 16384]
    """
    key_bits = whole_number("key_bits", key_bits)
    wanted = min(MAX_SAMPLE, max(MIN_SAMPLE, math.ceil(key_bits / BITS_PER_SAMPLE)))
    return min(wanted, key_bits // MIN_BITS_PER_SAMPLE)


def _confidence_and_tail(confidence: float) -> tuple[float, float]:
    """Return the confidence of a two-sided interval and what is left to each side of it."""
    kept = real_number("confidence", confidence, above=0.0, below=1.0)
    return kept, (1.0 - kept) / 2.0


def __dir__() -> list[str]:
    """Offer the public names alone."""
    return sorted(__all__)
