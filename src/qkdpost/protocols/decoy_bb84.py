"""BB84 with decoy states: weak coherent pulses of several intensities."""

from __future__ import annotations

from functools import partial

from qkdpost.bits import Bits
from qkdpost.checks import instance, keep
from qkdpost.errors import ConfigurationError
from qkdpost.labels import Labels
from qkdpost.protocols.compared import ComparedRounds
from qkdpost.protocols.protocol import Protocol, ProtocolSettings
from qkdpost.reconciliation.settings import CorrectionSettings
from qkdpost.records import Detections, PreparedPulses
from qkdpost.security.decoy import bound
from qkdpost.security.decoy.acceptance import DecoyAcceptance
from qkdpost.security.decoy.detector_mismatch import DetectorMismatch
from qkdpost.security.decoy.settings import DecoyBoundSettings
from qkdpost.security.settings import VARIABLE_LENGTH, Security
from qkdpost.sifting.slots.conversation import answer_slots, match_to_prepared, report_slots
from qkdpost.tallies import DecoyTally, Intensity, check_intensity_ranges, fixed_intensities

__all__ = ["PROTOCOL", "DecoyBB84", "tally_decoy_pulses"]

ONE_WAY = "Ldpc(blind_rounds=0, fallback=None)"
"""How one-way correction is asked for, for messages."""


class DecoyBB84(ProtocolSettings, frozen=True, kw_only=True, tag="decoy-bb84"):
    """Settings of BB84 with decoy states.

    Raises:
        ConfigurationError: intensities or probabilities that cannot be, or no `DetectorMismatch`.
    """

    intensities: tuple[Intensity, ...]
    """Mean photon numbers of the pulses, strictly decreasing, 2 to 8 of them. Each is a number, or a pair (least,
    largest) where it is known to lie in an interval, as (0.45, 0.55): the key is then the worst over all that pulses
    may have had in there; for the variable-length bound. With two, correction must be two-way: their bound needs to
    know the errors of the key."""
    probabilities: tuple[float, ...]
    """With which each intensity is chosen."""
    detectors: DetectorMismatch | None = None
    """How different Bob's two detectors may be; None: they are taken to be alike. For three intensities or more and
    the variable-length bound, and only with one-way correction: `Ldpc(blind_rounds=0, fallback=None)`. No proof joins a
    difference of detectors with a public error pattern; and none is at hand here for other kinds."""

    def __post_init__(self) -> None:
        means, shares = check_intensity_ranges(self.intensities, self.probabilities, error=ConfigurationError)
        keep(self, "intensities", means)
        keep(self, "probabilities", shares)
        if self.detectors is not None:
            hint = "None: they are alike"
            instance("detectors", self.detectors, DetectorMismatch, hint=hint, error=ConfigurationError)

    @property
    def needs_one_way(self) -> bool:
        """Whether the bound holds for one-way correction only."""
        return self.detectors is not None

    def check_link(self, correction: CorrectionSettings, security: Security) -> None:
        """Check that the bound can be had with these intensities, and correction in the direction that it needs.

        Raises:
            ConfigurationError: it cannot.
        """
        if len(self.intensities) == 2 and correction.may_be_one_way:
            raise ConfigurationError(
                "with two intensities the pulses without a photon are bounded by the errors of the key, which one-way "
                "correction does not tell: correct by Cascade(), or by Ldpc with blind_rounds of 1 or more"
            )
        if security.bound != VARIABLE_LENGTH:
            _check_published(security.bound, self.intensities)
        if self.detectors is None:
            return
        if security.bound != VARIABLE_LENGTH:
            raise ConfigurationError(
                f"detectors that are not alike are covered by bound 'variable-length' alone; found {security.bound!r}"
            )
        if not correction.corrects_one_way:
            raise ConfigurationError(
                f"with detectors that are not alike no proof allows two-way correction: correct by {ONE_WAY}"
            )


def _check_published(name: str, intensities: tuple[Intensity, ...]) -> None:
    points = fixed_intensities(intensities, f"bound {name!r}", error=ConfigurationError)
    analytic = points[-1] > 0.0 if len(points) == 2 else False
    if len(points) == 3:
        analytic = points[0] > points[1] + points[2]
    if not analytic:
        raise ConfigurationError(
            f"bound {name!r} is for two intensities above 0, or three of which the first exceeds the sum of the "
            f"others; found {intensities}"
        )


def tally_decoy_pulses(settings: DecoyBB84, rounds: ComparedRounds, key_errors: tuple[int, ...] | None) -> DecoyTally:
    """Tally detections and errors per intensity; errors of the key only where its error pattern is public.

    Bits of dropped frames must be among `key_errors`: nothing is known of them, and more errors of the key never
    lengthen it.
    """
    key = [_where(rounds.key_labels, number) for number in range(len(settings.intensities))]
    test = [_where(rounds.test_labels, number) for number in range(len(settings.intensities))]
    return DecoyTally(
        intensities=settings.intensities,
        probabilities=settings.probabilities,
        key_counts=tuple(mask.weight() for mask in key),
        test_counts=tuple(mask.weight() for mask in test),
        test_errors=tuple((mask & rounds.test_difference).weight() for mask in test),
        key_errors=key_errors,
    )


def _where(labels: Labels | None, number: int) -> Bits:
    return Bits.zeros(0) if labels is None else labels.where(number)


def _bound_settings(settings: DecoyBB84, security: Security) -> DecoyBoundSettings:
    return DecoyBoundSettings(
        bound=security.bound,
        concentration=security.concentration,
        detectors=settings.detectors,
        acceptance=security.thresholds(DecoyAcceptance),
    )


PROTOCOL: Protocol[DecoyBB84, DecoyTally, DecoyBoundSettings] = Protocol(
    settings=DecoyBB84,
    alice_records=PreparedPulses,
    bob_records=Detections,
    alice_sift=partial(answer_slots, matcher=match_to_prepared),
    bob_sift=report_slots,
    tally=tally_decoy_pulses,
    bound=bound.apply_bound,
    bound_settings=_bound_settings,
    fixed_length={"wiesemann-2026": DecoyAcceptance},
)
