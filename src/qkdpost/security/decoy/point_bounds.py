"""The bounds of `analytic` and `linear_program` for exact intensities, moved by what floating point may be wrong by."""

from __future__ import annotations

from dataclasses import dataclass

from qkdpost.security.decoy.analytic import (
    Intervals,
    check_analytic,
    has_analytic_bound,
    max_rounds_with_photons,
    rounding_error,
    single_photon_errors_upper,
    single_photons_lower,
    vacuum_lower,
    vacuum_upper_by_errors,
)
from qkdpost.security.decoy.linear_program import DecoyProgram
from qkdpost.security.decoy.photon_statistics import PhotonStatistics

__all__ = ["PointRules"]

_PRODUCT_ROUNDING = 1e-11
"""More than a product of a few floating-point numbers can be wrong by, in parts of itself."""


@dataclass(frozen=True, slots=True)
class PointRules:
    """What is known of photon numbers where intensities are exact; every answer allows for rounding."""

    source: PhotonStatistics

    @property
    def analytic(self) -> bool:
        """Whether there are analytic bounds for these intensities."""
        return has_analytic_bound(self.source.intensities)

    def check(self, method: str) -> None:
        """Check that there is a bound by that method.

        Raises:
            ConfigurationError: there is none.
        """
        if method == "analytic":
            check_analytic(self.source.intensities)
        else:
            self.program(0, (), None, strict=False).check()

    def single_photons_lower(self, total: float, intervals: Intervals, vacuum: float | None) -> float:
        """Bound the rounds with one photon from below; may be negative. `vacuum` is needed with one decoy."""
        empty = vacuum_lower(self.source, intervals) if vacuum is None else vacuum
        return single_photons_lower(self.source, intervals, empty) - rounding_error(self.source, total, intervals)

    def single_photon_errors_upper(self, total: float, intervals: Intervals) -> float:
        """Bound the errors among rounds with one photon from above."""
        wrong = single_photon_errors_upper(self.source, intervals)
        return wrong + rounding_error(self.source, total, intervals)

    def vacuum_upper_by_errors(self, intervals: Intervals, label: int) -> float:
        """Bound the errors among rounds without a photon from above, by those of one label."""
        return vacuum_upper_by_errors(self.source, intervals, label) * (1.0 + _PRODUCT_ROUNDING)

    def max_rounds_with_photons(self, intervals: Intervals, photons: int) -> float:
        """Return an upper bound on the rounds with that number of photons, from the mean count of every label."""
        return max_rounds_with_photons(self.source, intervals, photons)

    def program(self, total: int, intervals: Intervals, vacuum_cap: float | None, *, strict: bool) -> DecoyProgram:
        """Return the linear program of one class of rounds."""
        return DecoyProgram(self.source, total, intervals, vacuum_cap, strict=strict)
