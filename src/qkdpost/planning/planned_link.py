"""What every link has that can be planned, whatever its kind of QKD."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

from qkdpost.blocks import Blocks
from qkdpost.checks import instance, keep, real_number, whole_real
from qkdpost.config import LinkConfig
from qkdpost.errors import ConfigurationError
from qkdpost.health.limits import RecordLimits
from qkdpost.progress import Progress
from qkdpost.protocols.protocol import ProtocolSettings
from qkdpost.reconciliation.settings import CorrectionSettings
from qkdpost.records import RawRecord
from qkdpost.security.epsilon import Epsilon
from qkdpost.security.result import SecretLength
from qkdpost.security.settings import Security
from qkdpost.simulation.devices import Fibre, GatedDetectors, with_length
from qkdpost.simulation.draws import RandomDraws

__all__ = [
    "DETECTORS",
    "FIBRE",
    "MAX_PULSES",
    "PlannedLink",
    "check_link_parts",
    "check_pulses",
]

FIBRE = Fibre()
DETECTORS = GatedDetectors()
MAX_PULSES = 2**53
"""Larger numbers of pulses are not whole in floating point."""


class PlannedLink(ABC):
    """A link to be planned: its devices, and what may be chosen; one class for each kind of QKD.

    What is planned is also what runs: `link_config` gives the configuration for both hosts, `simulate` records of these
    devices, `expected_tally` and `secret_length` what they are expected to give.

    >>> import qkdpost as qp
    >>> link = qp.planning.BBM92Link(fibre_km=10, pairs_per_slot=0.05, test_probability=0.3)
    >>> alice, bob = link.simulate(pulses=1e7, rng=1)
    >>> result = qp.distill(alice, bob, link.link_config(pulses=1e7, epsilon=1e-9))
    >>> len(result.key) > 1000
    True
    """

    __slots__ = ()

    max_pulses: ClassVar[int] = MAX_PULSES
    """Pulses that a block may have at most."""

    @property
    @abstractmethod
    def fibre(self) -> Fibre:
        """The channel."""

    @property
    @abstractmethod
    def pulse_rate_hz(self) -> float:
        """Pulses, slots or symbols per second."""

    def over(self, fibre_km: float) -> Self:
        """Return the same link over another length of fibre.

        Raises:
            InputError: it is no length.
        """
        length: Any = {"fibre_km": real_number("fibre_km", fibre_km, least=0.0)}
        return replace(self, **length)  # type: ignore[type-var]

    @abstractmethod
    def protocol_settings(self) -> ProtocolSettings:
        """Return the settings of the kind of QKD that go with the devices and the choices."""

    @abstractmethod
    def expected_detections(self, pulses: float) -> float:
        """Return how many detections a block counts by is expected to have, of `pulses` pulses."""

    @abstractmethod
    def expected_tally(self, pulses: int) -> Any:
        """Return the expected counts of a block of `pulses` pulses, rounded."""

    @abstractmethod
    def secret_length(self, pulses: int, efficiency: float | None, epsilon: Epsilon, **options: Any) -> SecretLength:
        """Return the secret length of the expected tally of `pulses` pulses; efficiency None for what is usual."""

    @abstractmethod
    def simulate(
        self, *, pulses: float, rng: RandomDraws, progress: bool | Progress = False
    ) -> tuple[RawRecord, RawRecord]:
        """Draw what both sides record of `pulses` pulses, by the same devices and choices."""

    @abstractmethod
    def starting_points(self) -> Iterator[Self]:
        """Yield a coarse grid of choices to start a search from."""

    @abstractmethod
    def free_parameters(self) -> list[float]:
        """Return what may be chosen, as real numbers without bounds."""

    @abstractmethod
    def with_free_parameters(self, values: Sequence[float]) -> Self:
        """Return the same link with other choices."""

    def default_correction(self) -> CorrectionSettings:
        """Return how the link corrects errors, unless it is told otherwise."""
        return self.protocol_settings().default_correction

    def link_config(
        self,
        *,
        pulses: float | None = None,
        epsilon: float | None = None,
        correction: CorrectionSettings | None = None,
        security: Security | None = None,
        blocks: Blocks | None = None,
        record_limits: RecordLimits | None = None,
    ) -> LinkConfig:
        """Return the configuration for both hosts of a link with these devices and choices.

        Args:
            pulses: the size of a block, which then closes at as many detections as that many pulses are expected to
                give; None: the default of `Blocks`.
            epsilon: the security parameter of a block; None: that of `Security`.
            correction: how errors are corrected; None: as the link says, or the kind's default.
            security: in the place of `epsilon`, where there is more to say.
            blocks: in the place of `pulses`, likewise.
            record_limits: what hosts tolerate in their own records; None: the default.

        Raises:
            InputError: a number out of range.
            ConfigurationError: arguments that exclude each other, or parts that contradict each other; more
                detections than a block may have.
        """
        if security is not None and epsilon is not None:
            raise ConfigurationError("give epsilon or security, which has an epsilon of its own; found both")
        if blocks is not None and pulses is not None:
            raise ConfigurationError("give pulses or blocks, which say when a block closes; found both")
        if security is None:
            security = Security() if epsilon is None else Security(epsilon=epsilon)
        if blocks is None:
            blocks = Blocks() if pulses is None else self._blocks_of(check_pulses("pulses", pulses))
        return LinkConfig(
            protocol=self.protocol_settings(),
            correction=self.default_correction() if correction is None else correction,
            security=security,
            blocks=blocks,
            record_limits=RecordLimits() if record_limits is None else record_limits,
        )

    def _blocks_of(self, pulses: int) -> Blocks:
        most = Blocks().max_detections
        detections = max(1, round(self.expected_detections(pulses)))
        return Blocks(detections=detections, max_detections=max(most, min(2**30, 2 * detections)))


def check_pulses(name: str, pulses: object) -> int:
    """Return a number of pulses as an integer; a whole float is allowed, for people write 1e9.

    Raises:
        InputError: it is not a whole number in 1 ... 2^53.
    """
    return whole_real(name, pulses, least=1, most=MAX_PULSES)


def check_link_parts(link: Any, fibre_km: float | None, detectors: tuple[str, ...]) -> None:
    """Check what the links of qubits have in common, and give the fibre its length.

    Raises:
        InputError: a part of another type, or a number out of range.
    """
    hint = "One length of fibre makes one link: for several, ask for each, or use rate_curve(distances_km=...)"
    keep(link, "fibre", with_length(instance("fibre", link.fibre, Fibre, hint=hint), fibre_km))
    for name in detectors:
        instance(name, getattr(link, name), GatedDetectors)
    keep(link, "test_probability", real_number("test_probability", link.test_probability, above=0.0, below=1.0))
    keep(link, "pulse_rate_hz", real_number("pulse_rate_hz", link.pulse_rate_hz, above=0.0, most=1e18))
