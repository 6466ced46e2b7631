"""Continuous variables: Gaussian-modulated coherent states, measured by homodyne or heterodyne detection."""

from __future__ import annotations

from typing import TypeAlias, get_args

from qkdpost.checks import choice, keep, real_number, whole_number
from qkdpost.errors import ConfigurationError
from qkdpost.protocols.protocol import Protocol, ProtocolSettings
from qkdpost.reconciliation.settings import CorrectionSettings, Multidimensional, Slices
from qkdpost.records import CoherentStates, QuadratureOutcomes
from qkdpost.security.disclosed import Disclosed
from qkdpost.security.epsilon import Epsilon
from qkdpost.security.gaussian.acceptance import GaussianAcceptance
from qkdpost.security.gaussian.secret_length import apply_bound as bound_of_rotations
from qkdpost.security.gaussian.settings import (
    FIXED_LENGTH,
    Attacks,
    Detection,
    GaussianBound,
    GaussianBoundSettings,
    Receiver,
)
from qkdpost.security.gaussian.slices.bound import SlicedTally
from qkdpost.security.gaussian.slices.bound import apply_bound as bound_of_slices
from qkdpost.security.gaussian.tally import GaussianTally
from qkdpost.security.result import SecretLength
from qkdpost.security.settings import VARIABLE_LENGTH, Security
from qkdpost.stages.continuous.standard import REVERSE_RECONCILIATION

__all__ = ["PROTOCOL", "GaussianCV"]

Tally: TypeAlias = GaussianTally | SlicedTally


class GaussianCV(ProtocolSettings, frozen=True, kw_only=True, tag="gaussian-cv"):
    """Settings of QKD with Gaussian-modulated coherent states. Variances are in units of shot noise.

    Args:
        modulation_variance: variance of either quadrature of the states that are sent, twice their mean photon number,
            as calibrated; above 0, at most 1000. Records state theirs, and the tolerance is what they may differ by.
        efficiency: of the receiver, above 0, at most 1: detection and all losses that nobody else can reach.
        detection: "heterodyne", both quadratures of every state; or "homodyne", one that Bob chooses at random and
            announces afterwards.
        receiver: "trusted": nobody reaches into Bob's receiver, so that its loss and electronic noise are not Eve's;
            or "untrusted".
        attacks: that the key is secure against: "gaussian-collective", or
            "phase-insensitive-gaussian-collective", which leaves out a test that costs a part of the key.
        modulation_tolerance: how far the true variance may lie from `modulation_variance`, as a part of it; the bound
            takes the worse end.
        efficiency_tolerance: the same of `efficiency`.
        disclosed_symbols: how many symbols of a block are disclosed to set up correction, 2^10 ... 2^24; with homodyne
            detection at least 2^12, so that there are enough of either quadrature. They make no key, and no part of the
            bound rests on them.

    Raises:
        ConfigurationError: a value out of range.

    >>> import qkdpost as qp
    >>> link = qp.LinkConfig(protocol=qp.GaussianCV(modulation_variance=4.0, efficiency=0.6, receiver="untrusted"))
    >>> type(link.correction).__name__, qp.LinkConfig.from_toml(link.to_toml()) == link
    ('Multidimensional', True)
    """

    modulation_variance: float
    efficiency: float
    detection: Detection = "heterodyne"
    receiver: Receiver = "trusted"
    attacks: Attacks = "gaussian-collective"
    modulation_tolerance: float = 0.01
    efficiency_tolerance: float = 0.01
    disclosed_symbols: int = 2**17

    def __post_init__(self) -> None:
        for name, most in (("modulation_variance", 1000.0), ("efficiency", 1.0)):
            value = real_number(name, getattr(self, name), above=0.0, most=most, error=ConfigurationError)
            keep(self, name, value)
        for name in ("modulation_tolerance", "efficiency_tolerance"):
            value = real_number(name, getattr(self, name), least=0.0, most=0.5, error=ConfigurationError)
            keep(self, name, value)
        for name, offered in (("detection", Detection), ("receiver", Receiver), ("attacks", Attacks)):
            chosen = choice(name, getattr(self, name), get_args(offered), error=ConfigurationError)
            keep(self, name, chosen)
        least = 2**10 if self.detection == "heterodyne" else 2**12
        disclosed = whole_number(
            "disclosed_symbols", self.disclosed_symbols, least=least, most=2**24, error=ConfigurationError
        )
        keep(self, "disclosed_symbols", disclosed)

    @property
    def corrections(self) -> tuple[CorrectionSettings, ...]:
        """Reverse reconciliation alone corrects continuous outcomes: by rotations, or by slices on short links."""
        return (Multidimensional(), Slices())

    def check_link(self, correction: CorrectionSettings, security: Security) -> None:
        """Check that outcomes of one state are not torn apart, and that the bound is one of how they are corrected.

        Raises:
            ConfigurationError: heterodyne detection with one dimension, or slices with another bound than that of
                variable length.
        """
        if isinstance(correction, Slices) and security.bound != VARIABLE_LENGTH:
            raise ConfigurationError(
                f"correction by Slices() has a bound of variable length only; found {security.bound!r}. Thresholds of "
                "acceptance are about rotated outcomes: those of sliced ones would have to hold their variances too, "
                "of which the entropy of labels is made. Security(planned_key_bits=...) gives one length or none"
            )
        if self.detection == "heterodyne" and getattr(correction, "dimension", 2) < 2:
            raise ConfigurationError(
                "heterodyne detection gives two outcomes for each state, which Eve's system belongs to: dimension "
                "must be at least 2; found 1"
            )


def _bound_settings(settings: GaussianCV, security: Security) -> GaussianBoundSettings:
    return GaussianBoundSettings(
        modulation_variance=settings.modulation_variance,
        modulation_tolerance=settings.modulation_tolerance,
        efficiency=settings.efficiency,
        efficiency_tolerance=settings.efficiency_tolerance,
        detection=settings.detection,
        receiver=settings.receiver,
        attacks=settings.attacks,
        bound=choice("bound", security.bound, get_args(GaussianBound), error=ConfigurationError),
        acceptance=security.thresholds(GaussianAcceptance),
    )


def _tally(settings: GaussianCV, tally: Tally, key_errors: tuple[int, ...] | None) -> Tally:
    """The stages of this kind hand the tally on as it is."""
    return tally


def _bound(tally: Tally, disclosed: Disclosed, budget: Epsilon, settings: GaussianBoundSettings) -> SecretLength:
    """Apply the bound that goes with how outcomes were corrected, which the tally tells."""
    if isinstance(tally, SlicedTally):
        return bound_of_slices(tally, disclosed, budget, settings)
    return bound_of_rotations(tally, disclosed, budget, settings)


PROTOCOL: Protocol[GaussianCV, Tally, GaussianBoundSettings] = Protocol(
    settings=GaussianCV,
    alice_records=CoherentStates,
    bob_records=QuadratureOutcomes,
    reference="bob",
    stages=REVERSE_RECONCILIATION,
    tally=_tally,
    bound=_bound,
    bound_settings=_bound_settings,
    fixed_length=FIXED_LENGTH,
)
