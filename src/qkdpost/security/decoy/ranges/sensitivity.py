"""What intensities that are not as stated would do to a length: a question for planning, and for reports of a link."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

from qkdpost.checks import real_number
from qkdpost.security.decoy import bound
from qkdpost.security.decoy.single_photons import counted
from qkdpost.security.decoy.tally import DecoyTally, fixed_intensities
from qkdpost.security.epsilon import Epsilon

__all__ = ["IntensitySensitivity", "intensity_sensitivity"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IntensitySensitivity:
    """How a length depends on its intensities.

    Args:
        drift: by what part of itself each intensity may be off.
        as_stated: the secret bits with the intensities of the tally.
        at_worst: with the worst set of those that are off by all of the drift, either way, the same in every pulse.
            What `as_stated` has more is not secret if that set was the true one.
        within: with all that pulses may have had in between, each its own: what intervals in the tally give, and what
            holds whatever the drift.

    >>> import qkdpost as qp
    >>> import inspect
    >>> "tally" in inspect.signature(qp.security.intensity_sensitivity).parameters
    True
    """

    drift: float
    as_stated: int
    at_worst: int
    within: int

    def __str__(self) -> str:
        part = f"{self.drift:.3g} of themselves"
        return (
            f"{self.as_stated:,} bits with intensities as stated; {self.at_worst:,} if they are off by {part} the "
            f"worst way; {self.within:,} for all that lies in between (state intervals)"
        )


def intensity_sensitivity(
    tally: DecoyTally, *, leakage_bits: int, epsilon: Epsilon | float, drift: float = 0.1, **options: Any
) -> IntensitySensitivity:
    """Return what an undeclared drift of the intensities would do to a length.

    The bound takes intensities at their word. A signal that is weaker than stated, or a decoy that is stronger, makes
    it certify too many single photons.

    Args:
        tally: the block's counts, with intensities that are numbers.
        leakage_bits: as in `decoy_bb84.secret_length`.
        epsilon: as there.
        drift: by what part of itself each intensity may be off; less than what would make two of them meet.
        options: for `decoy_bb84.secret_length`, as ``two_way=False``.

    Raises:
        InputError: a tally with intervals, or a drift outside 0 ... 1.
        ConfigurationError: as in `decoy_bb84.secret_length`.

    >>> tally = DecoyTally(
    ...     intensities=(0.5, 0.1, 0.0), probabilities=(0.7, 0.2, 0.1), key_counts=(28_000_000, 1_600_000, 10),
    ...     test_counts=(3_500_000, 200_000, 1), test_errors=(35_000, 2_000, 0))
    >>> found = intensity_sensitivity(tally, leakage_bits=3_000_000, epsilon=1e-10)
    >>> found.as_stated > found.at_worst > found.within > 0
    True
    """
    tally = counted(tally)
    means = fixed_intensities(tally.intensities, "intensity_sensitivity")
    drift = real_number("drift", drift, above=0.0, below=1.0)

    def bits(intensities: tuple[Any, ...]) -> int:
        moved = replace(tally, intensities=intensities)
        return bound.secret_length(moved, leakage_bits=leakage_bits, epsilon=epsilon, **options).bits

    ends = [(mean * (1.0 - drift), mean * (1.0 + drift)) if mean else (0.0,) for mean in means]
    return IntensitySensitivity(
        drift=drift,
        as_stated=bits(means),
        at_worst=min(bits(corner) for corner in itertools.product(*ends)),
        within=bits(tuple(pair if len(pair) == 2 else 0.0 for pair in ends)),
    )
