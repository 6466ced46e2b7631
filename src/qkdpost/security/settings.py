"""How secret the key shall be, and by which proof: the same on both hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeVar, get_args

from qkdpost.checks import RegisteredName, Settings, choice, described, instance, keep, real_number, whole_number
from qkdpost.errors import ConfigurationError
from qkdpost.security.phase_errors import Concentration
from qkdpost.security.thresholds import Acceptance

__all__ = ["VARIABLE_LENGTH", "BoundName", "FixedLengthBound", "Security"]

_Thresholds = TypeVar("_Thresholds", bound=Acceptance)

VARIABLE_LENGTH: Literal["variable-length"] = "variable-length"
"""The bound that every kind has: its length follows from the counts of the block."""
FixedLengthBound = Literal["tomamichel-leverrier-2017", "lim-2021", "wiesemann-2026", "fixed-length", "second-order"]
"""The fixed-length bounds of the kinds that are in the package."""

if TYPE_CHECKING:
    BoundName = Literal["variable-length"] | FixedLengthBound | RegisteredName
else:
    BoundName = str  # what a file of settings may hold: the kind knows whether there is such a bound


class Security(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The security parameter, the bound, and what was set for it before the data were seen.

    Args:
        epsilon: total security parameter of a block's key, 10^-30 ... 0.1: secrecy, correctness and authentication
            together.
        bound: the security proof that gives the length of the key: "variable-length", for every kind; or a published
            fixed-length one that the kind offers: "tomamichel-leverrier-2017" or "lim-2021" for one qubit a round,
            "wiesemann-2026" for decoy states with two or three intensities. Published formulas that are no bounds
            (lim-2014, rusca-2018) are not offered here, nor is tlgr-2012, which its successors improve on. For
            single-photon sources, and where a sample of both bases is disclosed, no fixed-length form is published that
            is a bound: use `planned_key_bits`.
        acceptance: the thresholds of a fixed-length bound, set before the data are seen: a `QubitAcceptance` or, for
            "wiesemann-2026", a `DecoyAcceptance` (both in `qkdpost.security`). Each host enforces them on what it saw
            itself. `planning.plan_fixed_length` makes them.
        planned_key_bits: 0: the length follows from the counts (variable-length); else the length that was set before
            any data were seen: a block gives exactly that many bits if the variable-length bound allows them, or none.
            The first 384 of them return to the pool of authentication key.
        concentration: the tail bound inside "variable-length": "hypergeometric" (exact) or "serfling".

    Raises:
        ConfigurationError: a value out of range, or values that contradict each other.

    >>> import qkdpost as qp
    >>> link = qp.LinkConfig(protocol=qp.BB84(), security=qp.Security(epsilon=1e-12, planned_key_bits=10_000))
    >>> link.security.epsilon
    1e-12
    """

    epsilon: float = 1e-10
    bound: BoundName = VARIABLE_LENGTH
    acceptance: Acceptance | None = None
    planned_key_bits: int = 0
    concentration: Concentration = "hypergeometric"

    def __post_init__(self) -> None:
        keep(self, "epsilon", real_number("epsilon", self.epsilon, least=1e-30, most=0.1, error=ConfigurationError))
        planned = whole_number("planned_key_bits", self.planned_key_bits, most=2**40, error=ConfigurationError)
        keep(self, "planned_key_bits", planned)
        concentrations = get_args(Concentration)
        keep(
            self,
            "concentration",
            choice("concentration", self.concentration, concentrations, error=ConfigurationError),
        )
        if not isinstance(self.bound, str):
            raise ConfigurationError(f"bound must be the name of a bound; found {described(self.bound)}")
        keep(self, "bound", str(self.bound))
        if self.acceptance is not None:
            instance("acceptance", self.acceptance, Acceptance, error=ConfigurationError)
        if self.bound == VARIABLE_LENGTH and self.acceptance is not None:
            raise ConfigurationError(f"bound {self.bound!r} has no acceptance thresholds; leave acceptance out")
        if self.bound != VARIABLE_LENGTH and self.planned_key_bits:
            raise ConfigurationError(
                f"with bound {self.bound!r} the length follows from acceptance; leave planned_key_bits at 0"
            )

    def thresholds(self, kind: type[_Thresholds]) -> _Thresholds | None:
        """Return the acceptance thresholds, if there are any, for a bound that takes those of `kind`.

        Raises:
            ConfigurationError: they are of another kind.
        """
        if self.acceptance is None:
            return None
        return instance("acceptance", self.acceptance, kind, error=ConfigurationError)

    @property
    def exact_sizes(self) -> tuple[int, int] | None:
        """How many key and test bits a block must have exactly, where the proof speaks of fixed numbers."""
        return None if self.acceptance is None else self.acceptance.exact_sizes

    @property
    def needs_one_way(self) -> bool:
        """Whether the thresholds can be met with one-way correction only."""
        return self.acceptance is not None and self.acceptance.needs_one_way
