"""Settings of the bounds for Gaussian modulation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from qkdpost.checks import choice, instance, real_number
from qkdpost.errors import ConfigurationError
from qkdpost.reconciliation.multidimensional.dimensions import dimension_of
from qkdpost.security.gaussian.acceptance import GaussianAcceptance
from qkdpost.security.gaussian.holevo import Detection, Receiver

__all__ = ["FIXED_LENGTH", "Attacks", "Detection", "GaussianBound", "GaussianBoundSettings", "Receiver"]

Attacks = Literal["gaussian-collective", "phase-insensitive-gaussian-collective"]

GaussianBound = Literal["variable-length", "fixed-length", "second-order"]

FIXED_LENGTH = {"fixed-length": GaussianAcceptance, "second-order": GaussianAcceptance}
"""The fixed-length bounds, with their thresholds."""

_COMPARISON = ("york", "lgg-2010")
_REFUSED = ("coherent", "general", "coherent attacks", "general attacks")


@dataclass(frozen=True, slots=True, kw_only=True)
class GaussianBoundSettings:
    """What both hosts agreed on before the block: devices with tolerances, the class of attacks, and the bound.

    Args:
        modulation_variance: V_A, of Alice's x and of her p, in units of shot noise.
        modulation_tolerance: by what part of itself it may be off, 0 ... 0.5; the end that gives less key is taken.
        efficiency: of Bob's receiver, all of it, above 0 and at most 1. What is above 1 with the tolerance counts as 1.
        efficiency_tolerance: by what part of itself it may be off, 0 ... 1; the upper end is taken.
        detection: "heterodyne" or "homodyne".
        receiver: "trusted": the receiver's loss and electronic noise are nobody's; "untrusted": the eavesdropper's.
        attacks: "gaussian-collective": that the channel treats both quadratures alike is tested on the block, and the
            limits are made for what may pass; "phase-insensitive-gaussian-collective": it is taken for granted, and
            said so in the result.
        dimension: that of the rotations, which the tally must then have; None takes that of the tally.
        bound: "variable-length"; or "fixed-length" or "second-order", with `acceptance`.
        acceptance: for a fixed-length bound: the thresholds that were set before the data were seen.

    Raises:
        ConfigurationError: a name or number that cannot be, thresholds where none belong, or none where they do.

    >>> import qkdpost as qp
    >>> qp.security.GaussianBoundSettings(modulation_variance=4.0, efficiency=0.6, receiver="untrusted").attacks
    'gaussian-collective'
    """

    modulation_variance: float
    modulation_tolerance: float = 0.0
    efficiency: float
    efficiency_tolerance: float = 0.0
    detection: Detection = "heterodyne"
    receiver: Receiver = "trusted"
    attacks: Attacks = "gaussian-collective"
    dimension: int | None = None
    bound: GaussianBound = "variable-length"
    acceptance: GaussianAcceptance | None = None

    def __post_init__(self) -> None:
        self._keep_number("modulation_variance", above=0.0, most=1e4)
        self._keep_number("modulation_tolerance", least=0.0, most=0.5)
        self._keep_number("efficiency", above=0.0, most=1.0)
        self._keep_number("efficiency_tolerance", least=0.0, most=1.0)
        self._keep_choice("detection", get_args(Detection))
        self._keep_choice("receiver", get_args(Receiver))
        if isinstance(self.attacks, str) and self.attacks in _REFUSED:
            raise ConfigurationError(
                f"attacks {self.attacks!r}: nothing is claimed against general attacks. What is known to lift a bound "
                "for Gaussian collective attacks to them needs an energy test on modes of its own and a random unitary "
                "that both hosts apply to their data before rotation, and this library has neither step; use "
                "'gaussian-collective'"
            )
        self._keep_choice("attacks", get_args(Attacks))
        if self.dimension is not None:
            object.__setattr__(self, "dimension", dimension_of(self.dimension, error=ConfigurationError))
        self._check_bound()

    def _keep_number(self, name: str, *, most: float, least: float = -math.inf, above: float = -math.inf) -> None:
        number = real_number(name, getattr(self, name), least=least, most=most, above=above, error=ConfigurationError)
        object.__setattr__(self, name, number)

    def _keep_choice(self, name: str, offered: tuple[str, ...]) -> None:
        object.__setattr__(self, name, choice(name, getattr(self, name), offered, error=ConfigurationError))

    def _check_bound(self) -> None:
        if isinstance(self.bound, str) and self.bound in _COMPARISON:
            raise ConfigurationError(
                f"bound {self.bound!r} is a published formula, kept in qkdpost.security.gaussian.published for "
                "comparison with its authors' numbers; it gives no key"
            )
        self._keep_choice("bound", get_args(GaussianBound))
        if self.acceptance is not None:
            instance("acceptance", self.acceptance, GaussianAcceptance, error=ConfigurationError)
        if (self.bound == "variable-length") != (self.acceptance is None):
            raise ConfigurationError(
                "a fixed-length bound needs acceptance, thresholds that were set before the data were seen, and a "
                f"variable-length one takes none; found bound {self.bound!r} and acceptance "
                f"{'None' if self.acceptance is None else 'given'}"
            )

    @property
    def modulation_variances(self) -> tuple[float, float]:
        """The ends of the interval of V_A."""
        off = self.modulation_tolerance * self.modulation_variance
        return self.modulation_variance - off, self.modulation_variance + off

    @property
    def largest_efficiency(self) -> float:
        """The upper end of the interval of the efficiency."""
        return min(1.0, self.efficiency * (1.0 + self.efficiency_tolerance))
