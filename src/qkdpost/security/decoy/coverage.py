"""Whether a proof covers a link with decoy states: asked before a session begins, and of every tally."""

from __future__ import annotations

from collections.abc import Sequence

from qkdpost.errors import ConfigurationError
from qkdpost.security.decoy.acceptance import DecoyAcceptance
from qkdpost.security.decoy.analytic import check_analytic
from qkdpost.security.decoy.detector_mismatch import DetectorMismatch
from qkdpost.security.decoy.settings import DecoyBoundSettings
from qkdpost.security.decoy.single_photons import rules_of_source
from qkdpost.tallies import Intensity, fixed_intensities, has_intervals

__all__ = ["check_coverage", "check_mismatch"]


def check_coverage(
    settings: DecoyBoundSettings,
    intensities: Sequence[Intensity],
    probabilities: Sequence[float],
    *,
    two_way: bool,
) -> None:
    """Check that there is a bound for a link with these intensities.

    Args:
        settings: which bound, and what it is told.
        intensities: mean photon numbers or intervals of them, strictly decreasing.
        probabilities: with which each is chosen.
        two_way: whether correction may publish the error pattern, and with it the errors of the key.

    Raises:
        ConfigurationError: there is none; the message says which rule stands against it.
    """
    check_mismatch(settings.detectors, intensities, two_way=two_way, by_key_errors=two_way and len(intensities) == 2)
    if len(intensities) == 2 and not two_way:
        raise ConfigurationError(
            "with two intensities the rounds without a photon are bounded by the errors of the key, which one-way "
            "correction does not publish: use two-way correction, or three intensities"
        )
    if settings.bound == "variable-length":
        rules_of_source(tuple(intensities), tuple(probabilities)).check(settings.method)
        return
    check_analytic(fixed_intensities(intensities, f"bound {settings.bound!r}", error=ConfigurationError))
    _check_vacuum(settings.acceptance, two_way=two_way)


def check_mismatch(
    detectors: DetectorMismatch | None, intensities: Sequence[Intensity], *, two_way: bool, by_key_errors: bool
) -> None:
    """Check that a proof covers mismatched detectors, if these are.

    Args:
        detectors: how far they may differ; None, which is always covered, if they are taken to be matched.
        intensities: mean photon numbers or intervals of them.
        two_way: whether the error pattern is public.
        by_key_errors: whether single photons are bounded by the key's errors, as with one decoy.

    Raises:
        ConfigurationError: no proof does.
    """
    if detectors is None:
        return
    if two_way:
        raise ConfigurationError(
            "mismatched detectors need one-way correction: no proof joins them with a public error pattern; found "
            "two-way correction"
        )
    if has_intervals(intensities):
        raise ConfigurationError(
            f"mismatched detectors need intensities that are numbers; found intervals in {tuple(intensities)}"
        )
    if by_key_errors:
        raise ConfigurationError(
            "mismatched detectors need three intensities or more: with two, single photons are bounded by the errors "
            "of the key, which no proof joins with them"
        )


def _check_vacuum(acceptance: DecoyAcceptance | None, *, two_way: bool) -> None:
    if acceptance is not None and acceptance.vacuum and two_way:
        raise ConfigurationError(
            f"acceptance.vacuum must be 0 with two-way correction, which tells the bits of empty pulses to whoever "
            f"caused the clicks; found {acceptance.vacuum}"
        )
