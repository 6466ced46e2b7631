"""The devices of a simulated link, each with its units in its names."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from qkdpost.checks import keep, numbers, real_number, whole_number
from qkdpost.errors import InputError
from qkdpost.security.decoy.tally import check_intensities

__all__ = [
    "Fibre",
    "GatedDetectors",
    "ImperfectPhotonSource",
    "SinglePhotonSource",
    "TaggingReceiver",
    "WeakCoherentSource",
    "with_length",
]

MAX_PHOTONS = 1e6
MAX_RATE_HZ = 1e12
MAX_TIME_PS = 1e18
"""Eleven days: later times are no whole picoseconds in floating point, and soon no 64-bit ticks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SinglePhotonSource:
    """A source that sends at most one photon in a pulse.

    Args:
        efficiency: the probability that a pulse leaves the sender with its photon.
        misalignment: the probability that a photon is found in the wrong detector of its own basis.

    >>> import qkdpost as qp
    >>> source = qp.simulation.SinglePhotonSource(efficiency=0.9, misalignment=0.005)
    >>> alice, bob = qp.simulation.bb84(pulses=1000, rng=1, source=source)
    >>> alice.pulses
    1000
    """

    efficiency: float = 0.5
    misalignment: float = 0.01

    def __post_init__(self) -> None:
        _keep_reals(self, ("efficiency", "misalignment"), most=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImperfectPhotonSource:
    """A source that sends no photon, one, or two in a pulse.

    Args:
        mean_photons: the mean number <n> at the channel's input.
        g2: <n (n - 1)> / <n>^2 there; the probability of two photons is g2 <n>^2 / 2.
        misalignment: the probability that a photon is found in the wrong detector of its own basis.

    >>> import qkdpost as qp
    >>> qp.simulation.ImperfectPhotonSource(mean_photons=0.5, g2=0.04).photon_probabilities
    (0.49, 0.005)
    """

    mean_photons: float = 0.5
    g2: float = 0.02
    misalignment: float = 0.01

    def __post_init__(self) -> None:
        _keep_reals(self, ("mean_photons", "g2"), most=MAX_PHOTONS)
        _keep_reals(self, ("misalignment",), most=1.0)
        one, two = self.photon_probabilities
        if not (one >= 0 and two >= 0 and one + two <= 1):
            raise InputError(
                f"no source of at most two photons has mean {self.mean_photons} and g2 {self.g2}: "
                f"one photon would have probability {one}, two {two}"
            )

    @property
    def photon_probabilities(self) -> tuple[float, float]:
        """The probabilities that a pulse has one photon and two."""
        two = self.g2 * self.mean_photons**2 / 2
        return self.mean_photons - 2 * two, two


@dataclass(frozen=True, slots=True, kw_only=True)
class WeakCoherentSource:
    """An attenuated laser whose pulses have random phase and one of several intensities.

    Args:
        intensities: mean photon numbers at the channel's input, strictly decreasing.
        probabilities: how probably each is chosen.
        misalignment: the part of the light that goes to the wrong detector of its own basis.

    >>> import qkdpost as qp
    >>> source = qp.simulation.WeakCoherentSource(intensities=(0.6, 0.2), probabilities=(0.8, 0.2))
    >>> alice, bob = qp.simulation.decoy_bb84(pulses=1000, rng=1, source=source)
    >>> alice.intensities.where(1).weight() < 400
    True
    """

    intensities: tuple[float, ...] = (0.5, 0.1, 0.0)
    probabilities: tuple[float, ...] = (0.7, 0.2, 0.1)
    misalignment: float = 0.01

    def __post_init__(self) -> None:
        intensities, probabilities = check_intensities(self.intensities, self.probabilities)
        keep(self, "intensities", intensities)
        keep(self, "probabilities", probabilities)
        _keep_reals(self, ("misalignment",), most=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fibre:
    """A quantum channel that loses photons.

    Args:
        length_km: its length.
        loss_db_per_km: its attenuation.
        excess_loss_db: connectors, splices, receiver optics.

    >>> import qkdpost as qp
    >>> qp.simulation.Fibre(50, excess_loss_db=1.0).transmittance
    0.07943282347242814
    """

    length_km: float = field(default=0.0, kw_only=False)
    loss_db_per_km: float = 0.2
    excess_loss_db: float = 0.0

    def __post_init__(self) -> None:
        _keep_reals(self, ("length_km", "loss_db_per_km", "excess_loss_db"))

    @property
    def transmittance(self) -> float:
        """The probability that a photon arrives."""
        return float(10 ** (-(self.length_km * self.loss_db_per_km + self.excess_loss_db) / 10))


@dataclass(frozen=True, slots=True, kw_only=True)
class GatedDetectors:
    """The two detectors of a receiver that chooses a basis in every slot.

    Args:
        efficiency: the probability that an arriving photon makes a click.
        dark_count_probability: the probability of a click without a photon, of one detector in one slot.
        dead_time_slots: for how many slots after a click both detectors are blind.
        afterpulse_probability: how probably a click is followed by a false one of the same detector.
        afterpulse_slots: how long after the dead time that one comes in the mean, in slots; its delay is geometric.

    >>> import qkdpost as qp
    >>> detectors = qp.simulation.GatedDetectors(efficiency=0.8, dark_count_probability=1e-8)
    >>> alice, bob = qp.simulation.bb84(pulses=1000, rng=1, detectors=detectors)
    >>> 300 < bob.events < 500
    True
    """

    efficiency: float = 0.2
    dark_count_probability: float = 1e-6
    dead_time_slots: int = 0
    afterpulse_probability: float = 0.0
    afterpulse_slots: float = 10.0

    def __post_init__(self) -> None:
        _keep_reals(self, ("efficiency", "dark_count_probability", "afterpulse_probability"), most=1.0)
        _keep_reals(self, ("afterpulse_slots",), least=1.0, most=2.0**40)
        keep(self, "dead_time_slots", whole_number("dead_time_slots", self.dead_time_slots, most=2**40))


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggingReceiver:
    """Four free-running detectors behind a beam splitter that chooses the basis, and a time tagger.

    Args:
        transmittance: the probability that a photon of a pair reaches this receiver and makes a click.
        test_probability: the probability that it does so in the test basis.
        dark_count_rate_hz: clicks without a photon, of each detector.
        jitter_ps: standard deviation of the time of a click.
        delays_ps: how late each channel's clicks are tagged, channels as in `records.TimeTags`.
        dead_time_ps: for how long a detector is blind after a click.
        echo_probability: how probably a click is followed by a false one of the same channel.
        echo_delay_ps: how long after the click the echo comes; the dead time does not suppress it.

    >>> import qkdpost as qp
    >>> receiver = qp.simulation.TaggingReceiver(transmittance=0.2, jitter_ps=80.0)
    >>> alice, bob = qp.simulation.bbm92_time_tags(duration_s=0.01, pair_rate_hz=1e6, rng=1, bob=receiver)
    >>> bob.ticks.size > alice.ticks.size
    True
    """

    transmittance: float = 0.1
    test_probability: float = 0.5
    dark_count_rate_hz: float = 500.0
    jitter_ps: float = 150.0
    delays_ps: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    dead_time_ps: float = 0.0
    echo_probability: float = 0.0
    echo_delay_ps: float = 16_000.0

    def __post_init__(self) -> None:
        _keep_reals(self, ("transmittance", "test_probability", "echo_probability"), most=1.0)
        _keep_reals(self, ("dark_count_rate_hz",), most=MAX_RATE_HZ)
        _keep_reals(self, ("jitter_ps", "dead_time_ps", "echo_delay_ps"), most=MAX_TIME_PS)
        delays = numbers("delays_ps", self.delays_ps, count=4, each="channel", least=-MAX_TIME_PS, most=MAX_TIME_PS)
        keep(self, "delays_ps", delays)


def with_length(fibre: Fibre, fibre_km: float | None) -> Fibre:
    """Return the fibre, of the length that is given, if one is.

    Raises:
        InputError: `fibre_km` is no length.
    """
    return fibre if fibre_km is None else replace(fibre, length_km=real_number("fibre_km", fibre_km, least=0.0))


def _keep_reals(device: object, names: Iterable[str], *, least: float = 0.0, most: float = math.inf) -> None:
    for name in names:
        keep(device, name, real_number(name, getattr(device, name), least=least, most=most))
