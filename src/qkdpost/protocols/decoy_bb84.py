"""BB84 with decoy states: weak coherent pulses of several intensities."""

from __future__ import annotations

from typing import get_args

from qkdpost.bits import Bits
from qkdpost.checks import choice, instance, keep
from qkdpost.errors import ConfigurationError
from qkdpost.labels import Labels
from qkdpost.protocols.protocol import Protocol, ProtocolSettings
from qkdpost.protocols.slots import PREPARE_AND_MEASURE
from qkdpost.reconciliation.settings import CorrectionSettings
from qkdpost.records import Detections, PreparedPulses
from qkdpost.security.decoy import bound
from qkdpost.security.decoy.acceptance import DecoyAcceptance
from qkdpost.security.decoy.coverage import check_coverage
from qkdpost.security.decoy.detector_mismatch import DetectorMismatch
from qkdpost.security.decoy.settings import DecoyBound, DecoyBoundSettings
from qkdpost.security.decoy.tally import DecoyTally, Intensity, check_intensity_ranges
from qkdpost.security.settings import Security
from qkdpost.stages.outcomes import ComparedRounds

__all__ = ["PROTOCOL", "DecoyBB84", "tally_decoy_pulses"]


class DecoyBB84(ProtocolSettings, frozen=True, kw_only=True, tag="decoy-bb84"):
    """Settings of BB84 with decoy states.

    Args:
        intensities: mean photon numbers of the pulses, strictly decreasing, 2 to 8 of them. Each is a number, or a pair
            (least, largest) where it is known to lie in an interval, as (0.45, 0.55): the key is then the worst over
            all that pulses may have had in there; for the variable-length bound. With two, correction must be two-way:
            their bound needs to know the errors of the key.
        probabilities: how probably each intensity is chosen; they add up to one.
        detectors: how far Bob's two detectors may differ; None: they are taken to be matched. For three intensities or
            more, each a number, and the variable-length bound, and only with one-way correction: `Ldpc(blind_rounds=0,
            fallback=None)`. No proof joins mismatched detectors with a public error pattern; and for other kinds this
            library has none.

    Raises:
        ConfigurationError: intensities or probabilities out of range, or no `DetectorMismatch`.

    >>> import qkdpost as qp
    >>> settings = qp.DecoyBB84(intensities=(0.5, 0.1, 0.0), probabilities=(0.7, 0.2, 0.1))
    >>> qp.LinkConfig(protocol=settings).protocol.kind
    'decoy-bb84'
    """

    intensities: tuple[Intensity, ...]
    probabilities: tuple[float, ...]
    detectors: DetectorMismatch | None = None

    def __post_init__(self) -> None:
        means, shares = check_intensity_ranges(self.intensities, self.probabilities, error=ConfigurationError)
        keep(self, "intensities", means)
        keep(self, "probabilities", shares)
        if self.detectors is not None:
            hint = "None: they are matched"
            instance("detectors", self.detectors, DetectorMismatch, hint=hint, error=ConfigurationError)

    @property
    def needs_one_way(self) -> bool:
        """Whether the bound holds for one-way correction only."""
        return self.detectors is not None

    def check_link(self, correction: CorrectionSettings, security: Security) -> None:
        """Check that there is a bound for these intensities, detectors and directions of correction.

        Raises:
            ConfigurationError: there is none.
        """
        check_coverage(
            _bound_settings(self, security),
            self.intensities,
            self.probabilities,
            one_way=correction.may_be_one_way,
            two_way=not correction.corrects_one_way,
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
        bound=choice("bound", security.bound, get_args(DecoyBound), error=ConfigurationError),
        concentration=security.concentration,
        detectors=settings.detectors,
        acceptance=security.thresholds(DecoyAcceptance),
    )


PROTOCOL: Protocol[DecoyBB84, DecoyTally, DecoyBoundSettings] = Protocol(
    settings=DecoyBB84,
    alice_records=PreparedPulses,
    bob_records=Detections,
    reference="alice",
    stages=PREPARE_AND_MEASURE,
    tally=tally_decoy_pulses,
    bound=bound.apply_bound,
    bound_settings=_bound_settings,
    fixed_length={"wiesemann-2026": DecoyAcceptance},
)
