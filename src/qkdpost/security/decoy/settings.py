"""Settings of the bounds for decoy states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from qkdpost.checks import choice, instance
from qkdpost.errors import ConfigurationError
from qkdpost.security.decoy.acceptance import DecoyAcceptance
from qkdpost.security.decoy.analytic import IntervalMethod
from qkdpost.security.decoy.budget import Accounting, check_accounting
from qkdpost.security.decoy.detector_mismatch import DetectorMismatch
from qkdpost.security.decoy.published.lengths import PublishedDecoyBound
from qkdpost.security.decoy.single_photons import DecoyMethod, check_method
from qkdpost.security.phase_errors import Concentration, check_concentration

__all__ = ["DecoyBound", "DecoyBoundSettings"]

DecoyBound = Literal["variable-length", PublishedDecoyBound]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoyBoundSettings:
    """The choice of a bound, how it estimates single photons, and the thresholds of a fixed-length one.

    Args:
        bound: "variable-length", or one of `published.lengths.PUBLISHED`, which are fixed-length.
        method: "linear-program" over all photon numbers, or "analytic". For the variable-length bound.
        intervals: of the mean counts: "clopper-pearson", "kullback-leibler" or "hoeffding". For the same.
        concentration: "hypergeometric", exact, or "serfling". For the same.
        accounting: where decoy events enter epsilon, see `budget`. For the same.
        detectors: how far the receiver's two detectors may differ; None if they are taken to be matched. For the same.
        acceptance: for a fixed-length bound: the thresholds that were set before the data were seen; None takes the
            counts themselves for the thresholds.

    Raises:
        ConfigurationError: a name that is unknown, or a field that the bound does not take.

    >>> import qkdpost as qp
    >>> qp.security.DecoyBoundSettings(method="analytic").bound
    'variable-length'
    """

    bound: DecoyBound = "variable-length"
    method: DecoyMethod = "linear-program"
    intervals: IntervalMethod = "clopper-pearson"
    concentration: Concentration = "hypergeometric"
    accounting: Accounting = "published"
    detectors: DetectorMismatch | None = None
    acceptance: DecoyAcceptance | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "bound", choice("bound", self.bound, get_args(DecoyBound), error=ConfigurationError))
        check_method(self.method)
        choice("intervals", self.intervals, get_args(IntervalMethod), error=ConfigurationError)
        check_concentration(self.concentration)
        check_accounting(self.accounting)
        if self.detectors is not None:
            instance("detectors", self.detectors, DetectorMismatch, error=ConfigurationError)
            if self.bound != "variable-length":
                raise ConfigurationError(
                    f"bound {self.bound!r} takes matched detectors only: leave detectors out, or use the "
                    "variable-length bound"
                )
        if self.acceptance is not None:
            instance("acceptance", self.acceptance, DecoyAcceptance, error=ConfigurationError)
            if self.bound == "variable-length":
                raise ConfigurationError("a variable-length bound takes no thresholds: leave acceptance out")
