"""Settings of the bounds for rounds of one qubit each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from qkdpost.checks import choice, instance, real_number
from qkdpost.errors import ConfigurationError
from qkdpost.security.phase_errors import Concentration, check_concentration
from qkdpost.security.qubits.acceptance import QubitAcceptance
from qkdpost.security.qubits.published import PublishedQubitBound

__all__ = ["QubitBound", "QubitBoundSettings"]

QubitBound = Literal["variable-length", PublishedQubitBound]


@dataclass(frozen=True, slots=True, kw_only=True)
class QubitBoundSettings:
    """The choice of a bound, and the thresholds of a fixed-length one.

    Args:
        bound: "variable-length", or one of `published.PUBLISHED`, which are fixed-length.
        concentration: how the test bits bound the key's phase errors in the variable-length theorem:
            "hypergeometric", exact, or "serfling".
        acceptance: for a fixed-length bound: all thresholds, which the tally and the leakage are compared with.
        tolerated_error_rate: for a fixed-length bound, in place of `acceptance`: the test error rate up to which the
            block is accepted. The tally's sizes and the leakage are then taken to be those that were set.

    Raises:
        ConfigurationError: an unknown bound or concentration; thresholds with a variable-length bound; a fixed-length
            bound without thresholds, or with both kinds of them.
        InputError: a tolerated error rate outside 0 ... 1/2.

    >>> import qkdpost as qp
    >>> qp.security.QubitBoundSettings(bound="lim-2021", tolerated_error_rate=0.02).max_error_rate
    0.02
    """

    bound: QubitBound = "variable-length"
    concentration: Concentration = "hypergeometric"
    acceptance: QubitAcceptance | None = None
    tolerated_error_rate: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "bound", choice("bound", self.bound, get_args(QubitBound), error=ConfigurationError))
        check_concentration(self.concentration)
        thresholds = (self.acceptance is not None) + (self.tolerated_error_rate is not None)
        if self.bound == "variable-length":
            if thresholds:
                raise ConfigurationError(
                    "a variable-length bound takes no thresholds: leave acceptance and tolerated_error_rate out"
                )
            return
        if thresholds != 1:
            raise ConfigurationError(
                f"bound {self.bound!r} is fixed-length and needs either acceptance or tolerated_error_rate, as set "
                f"before the data were seen; found {'both' if thresholds else 'neither'}"
            )
        if self.acceptance is not None:
            instance("acceptance", self.acceptance, QubitAcceptance, error=ConfigurationError)
        if self.tolerated_error_rate is not None:
            rate = real_number("tolerated_error_rate", self.tolerated_error_rate, least=0.0, below=0.5)
            object.__setattr__(self, "tolerated_error_rate", rate)

    @property
    def max_error_rate(self) -> float:
        """The test error rate up to which a fixed-length bound accepts a block; 0 with a variable-length bound."""
        if self.acceptance is not None:
            return self.acceptance.tolerated_error_rate
        return self.tolerated_error_rate or 0.0
