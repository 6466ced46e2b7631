"""What the error rates of a block point to: the usual mistakes of a set-up, in a sentence each.

All of it follows from counts that are public.
"""

from __future__ import annotations

import math

__all__ = ["hints_of_error_rates"]

MIN_COMPARED = 100
"""Of fewer compared rounds nothing is said."""
OPPOSITE = 0.85
"""Above this rate the outcomes are opposite rather than wrong."""
_TOLERANCE = 0.07
"""How far from 1/2, or 1/4, a rate may be to be taken for it."""
_DEVIATIONS = 5.0
"""Beside this: how many standard deviations of chance."""
_GOOD = 0.15
_UNRELATED = (
    "outcomes are not correlated: the records are shifted against each other, or the bases mean different things on "
    "the two sides; compare slots or clocks, and which basis is 0"
)
_QUARTER = (
    "a quarter of the outcomes differ in either basis: as if every photon were measured on its way in a basis at "
    "random, or a detector of each basis belonged to the other one; compare their order"
)


def hints_of_error_rates(key: tuple[int, int], test: tuple[int, int]) -> tuple[str, ...]:
    """Return what to look at first.

    Args:
        key: errors and compared rounds of the key basis.
        test: and of the test basis.

    >>> hints_of_error_rates((2, 200), (1996, 2000))
    ('nearly all outcomes of the test basis differ: name its two detectors of one side in the opposite order',)
    """
    counts = _enough(key, test)
    rates = {name: errors / compared for name, (errors, compared) in counts.items()}
    opposite = {name for name, rate in rates.items() if rate > OPPOSITE}
    unrelated = {name for name, rate in rates.items() if abs(rate - 0.5) < _TOLERANCE}
    quarter = {name for name, rate in rates.items() if abs(rate - 0.25) < _TOLERANCE}
    good = {name for name, rate in rates.items() if rate < _GOOD}
    hints: tuple[str, ...] = ()
    if rates and opposite == set(rates):
        hints = ("nearly all outcomes differ: name the detectors of one side in the opposite order",)
    elif opposite:
        hints = tuple(
            f"nearly all outcomes of the {name} basis differ: name its two detectors of one side in the opposite order"
            for name in sorted(opposite)
        )
    elif unrelated and _may_all_be(0.5, counts):
        hints = (_UNRELATED,)
    elif quarter and len(counts) == len((key, test)) and _may_all_be(0.25, counts):
        hints = (_QUARTER,)
    elif good and unrelated | quarter:
        (name,) = unrelated | quarter
        hints = (f"only the {name} basis is bad: look at its alignment and its detectors, not at slots or clocks",)
    return hints


def _may_all_be(rate: float, counts: dict[str, tuple[int, int]]) -> bool:
    """Tell whether no basis contradicts a rate by more than chance, of which small samples have much."""
    return all(
        abs(errors / compared - rate) < _TOLERANCE + _DEVIATIONS * math.sqrt(rate * (1.0 - rate) / compared)
        for errors, compared in counts.values()
    )


def _enough(key: tuple[int, int], test: tuple[int, int]) -> dict[str, tuple[int, int]]:
    return {name: counts for name, counts in (("key", key), ("test", test)) if counts[1] >= MIN_COMPARED}
