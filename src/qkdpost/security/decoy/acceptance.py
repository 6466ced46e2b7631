"""The thresholds of the fixed-length bounds for weak pulses with decoy intensities."""

from __future__ import annotations

from qkdpost.checks import keep, real_number, whole_number
from qkdpost.security.thresholds import Acceptance

__all__ = ["DecoyAcceptance"]


class DecoyAcceptance(Acceptance, frozen=True, kw_only=True):
    """The thresholds of a fixed-length protocol for weak pulses with decoy intensities.

    A block is accepted if its observed counts prove at least the single photons below at no more than the phase-error
    rate, and its leakage does not exceed the threshold; the length is that of the thresholds, never that of the data.
    The estimates are functions of the observed counts, so that this is a set of counts that was fixed beforehand: the
    largest one for which the length holds.

    Args:
        vacuum: the minimum of key detections without a photon; 0 if there is no vacuum term.
        single_photons: the minimum of key detections by one photon.
        phase_error_rate: the maximum.
        leakage_bits: the maximum that may be charged, verification and dropped frames included.

    Raises:
        InputError: a count outside 0 ... 2^53, or a rate outside 0 ... 1/2.

    >>> import qkdpost as qp
    >>> qp.security.DecoyAcceptance(
    ...     vacuum=0, single_photons=1_000_000, phase_error_rate=0.03, leakage_bits=200_000
    ... ).single_photons
    1000000
    """

    vacuum: int = 0
    single_photons: int
    phase_error_rate: float
    leakage_bits: int

    def __post_init__(self) -> None:
        for name in ("vacuum", "single_photons", "leakage_bits"):
            keep(self, name, whole_number(name, getattr(self, name)))
        rate = real_number("phase_error_rate", self.phase_error_rate, least=0.0, most=0.5)
        keep(self, "phase_error_rate", rate)

    @property
    def needs_one_way(self) -> bool:
        """Whether there is a vacuum term: two-way correction reveals those bits to whoever caused the clicks."""
        return self.vacuum > 0
