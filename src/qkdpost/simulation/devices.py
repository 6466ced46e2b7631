"""The devices of a simulated link, each with its units in its names."""

from __future__ import annotations

from dataclasses import dataclass

from qkdpost.errors import InputError
from qkdpost.tallies import check_intensities

__all__ = [
    "Fibre",
    "GatedDetectors",
    "ImperfectPhotonSource",
    "SinglePhotonSource",
    "TaggingReceiver",
    "WeakCoherentSource",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SinglePhotonSource:
    """A source that sends at most one photon in a pulse.

    Args:
        efficiency: the probability that a pulse leaves the sender with its photon.
        misalignment: the probability that a photon is found in the wrong detector of its own basis.
    """

    efficiency: float = 0.5
    misalignment: float = 0.01

    def __post_init__(self) -> None:
        check_probabilities(efficiency=self.efficiency, misalignment=self.misalignment)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImperfectPhotonSource:
    """A source that sends no photon, one, or two in a pulse.

    Args:
        mean_photons: the mean number <n> at the channel's input.
        g2: <n (n - 1)> / <n>^2 there; the probability of two photons is g2 <n>^2 / 2.
        misalignment: the probability that a photon is found in the wrong detector of its own basis.
    """

    mean_photons: float = 0.5
    g2: float = 0.02
    misalignment: float = 0.01

    def __post_init__(self) -> None:
        check_probabilities(misalignment=self.misalignment)
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
    """

    intensities: tuple[float, ...] = (0.5, 0.1, 0.0)
    probabilities: tuple[float, ...] = (0.7, 0.2, 0.1)
    misalignment: float = 0.01

    def __post_init__(self) -> None:
        check_intensities(self.intensities, self.probabilities)
        check_probabilities(misalignment=self.misalignment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fibre:
    """A quantum channel that loses photons.

    Args:
        length_km: its length.
        loss_db_per_km: its attenuation.
        excess_loss_db: connectors, splices, receiver optics.
    """

    length_km: float = 0.0
    loss_db_per_km: float = 0.2
    excess_loss_db: float = 0.0

    def __post_init__(self) -> None:
        for name in ("length_km", "loss_db_per_km", "excess_loss_db"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise InputError(f"{name} must be at least 0; found {getattr(self, name)}")

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
    """

    efficiency: float = 0.2
    dark_count_probability: float = 1e-6
    dead_time_slots: int = 0
    afterpulse_probability: float = 0.0
    afterpulse_slots: float = 10.0

    def __post_init__(self) -> None:
        check_probabilities(
            efficiency=self.efficiency,
            dark_count_probability=self.dark_count_probability,
            afterpulse_probability=self.afterpulse_probability,
        )
        if not 1 <= self.afterpulse_slots <= 2**40:
            raise InputError(f"afterpulse_slots must lie in 1 ... 2^40; found {self.afterpulse_slots}")
        if not 0 <= self.dead_time_slots <= 2**40:
            raise InputError(f"dead_time_slots must lie in 0 ... 2^40; found {self.dead_time_slots}")


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
        check_probabilities(
            transmittance=self.transmittance,
            test_probability=self.test_probability,
            echo_probability=self.echo_probability,
        )
        for name in ("dark_count_rate_hz", "jitter_ps", "dead_time_ps", "echo_delay_ps"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise InputError(f"{name} must be at least 0; found {getattr(self, name)}")
        if len(self.delays_ps) != 4:
            raise InputError(f"delays_ps must name four channels; found {len(self.delays_ps)}")


def check_count(**values: int) -> None:
    """Raise InputError for the first of the named values that is negative."""
    for name, value in values.items():
        if value < 0:
            raise InputError(f"{name} must not be negative; found {value}")


def check_probabilities(**values: float) -> None:
    """Raise InputError for the first of the named values outside of 0 ... 1."""
    for name, value in values.items():
        if not 0 <= value <= 1:
            raise InputError(f"{name} must be a probability in 0 ... 1; found {value}")
