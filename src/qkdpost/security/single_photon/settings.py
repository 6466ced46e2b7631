"""Settings of the bound for a single-photon source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from qkdpost.checks import choice, flag, whole_number
from qkdpost.errors import ConfigurationError
from qkdpost.security.phase_errors import Concentration, check_concentration

__all__ = [
    "MAX_FIRST_RECORDS",
    "MAX_POSSIBLE_RUNS",
    "MAX_RECORDS_IN_BLOCK",
    "MultiphotonCount",
    "SinglePhotonBoundSettings",
]

MAX_RECORDS_IN_BLOCK = 512
"""A session's block holds no more records, whatever their detections."""
MAX_FIRST_RECORDS = 2**31
"""How many numbers a record of a session can have, and so a block's first one: a record each second for 68 years."""
MAX_POSSIBLE_RUNS = MAX_FIRST_RECORDS * MAX_RECORDS_IN_BLOCK
"""How many runs of pulses a block of a session can be."""

MultiphotonCount = Literal["exact", "chernoff"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SinglePhotonBoundSettings:
    """How the bound counts errors and pulses with several photons.

    Args:
        concentration: "hypergeometric", exact, or "serfling".
        multiphoton: how the pulses with several photons are counted: by the "exact" binomial distribution, or by a
            "chernoff" bound.
        source_monitored: whether brightness and g2 were measured beside the block; changes nothing but the
            assumptions that the result lists.
        possible_runs: how many runs of pulses the block might have been, as far as detections decided where it began
            and ended; see `bound`. The default is what a session allows.

    Raises:
        ConfigurationError: an unknown concentration or count.
        InputError: `possible_runs` outside 1 ... 2^63, or `source_monitored` is no truth value.

    >>> import qkdpost as qp
    >>> qp.security.SinglePhotonBoundSettings(multiphoton="chernoff").concentration
    'hypergeometric'
    """

    concentration: Concentration = "hypergeometric"
    multiphoton: MultiphotonCount = "exact"
    source_monitored: bool = False
    possible_runs: int = MAX_POSSIBLE_RUNS

    def __post_init__(self) -> None:
        check_concentration(self.concentration)
        choice("multiphoton", self.multiphoton, get_args(MultiphotonCount), error=ConfigurationError)
        object.__setattr__(self, "source_monitored", flag("source_monitored", self.source_monitored))
        runs = whole_number("possible_runs", self.possible_runs, least=1, most=2**63)
        object.__setattr__(self, "possible_runs", runs)
