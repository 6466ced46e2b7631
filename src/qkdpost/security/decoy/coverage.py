"""Whether a proof covers a link with decoy states: asked before a session begins, and of every tally."""

from __future__ import annotations

from collections.abc import Sequence

from qkdpost.errors import ConfigurationError
from qkdpost.security.decoy.analytic import has_analytic_bound
from qkdpost.security.decoy.detector_mismatch import DetectorMismatch
from qkdpost.security.decoy.settings import DecoyBoundSettings
from qkdpost.security.decoy.single_photons import rules_of_source
from qkdpost.security.decoy.tally import Intensity, fixed_intensities, has_intervals

__all__ = ["check_coverage", "check_mismatch"]


def check_coverage(
    settings: DecoyBoundSettings,
    intensities: tuple[Intensity, ...],
    probabilities: tuple[float, ...],
    *,
    one_way: bool,
    two_way: bool,
) -> None:
    """Check that there is a bound for a link with these intensities.

    Args:
        settings: of the bound.
        intensities: mean photon numbers or intervals of them, strictly decreasing.
        probabilities: with which each is chosen.
        one_way: whether correction of a block may keep the error pattern to itself.
        two_way: whether it may publish the error pattern, and with it the errors of the key.

    Raises:
        ConfigurationError: there is none.
    """
    check_mismatch(settings.detectors, intensities, two_way=two_way, by_key_errors=two_way and len(intensities) == 2)
    if len(intensities) == 2 and one_way:
        raise ConfigurationError(
            "with two intensities the rounds without a photon are bounded by the errors of the key, which one-way "
            "correction does not publish: correct by Cascade(), or by Ldpc with blind_rounds of 1 or more"
        )
    if settings.bound == "variable-length":
        rules_of_source(intensities, probabilities).check(settings.method)
        return
    points = fixed_intensities(intensities, f"bound {settings.bound!r}", error=ConfigurationError)
    if not has_analytic_bound(points):
        raise ConfigurationError(
            f"bound {settings.bound!r} is for two intensities above 0, or three of which the first exceeds the sum of "
            f"the others; found {intensities}"
        )


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
            "mismatched detectors need one-way correction, as Ldpc(blind_rounds=0, fallback=None): no proof joins them "
            "with a public error pattern, and two-way correction publishes it"
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
