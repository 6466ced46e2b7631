"""A link of BB84 with a single-photon source to be planned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import InitVar, dataclass, replace
from typing import Any, Self

from qkdpost.checks import instance, keep, real_number
from qkdpost.planning.expectation import RoundRates, one_or_two_photon_rates, with_detector_memory
from qkdpost.planning.parameters import BIASES, charged_length, errors_as_in_test, expit, logit
from qkdpost.planning.planned_link import DETECTORS, FIBRE, PlannedLink, check_link_parts
from qkdpost.progress import Progress
from qkdpost.protocols.single_photon_bb84 import SinglePhotonBB84
from qkdpost.records import Detections, PreparedPulses
from qkdpost.security import single_photon
from qkdpost.security.epsilon import Epsilon
from qkdpost.security.result import SecretLength
from qkdpost.security.single_photon.tally import SinglePhotonTally
from qkdpost.simulation.devices import Fibre, GatedDetectors, ImperfectPhotonSource
from qkdpost.simulation.draws import RandomDraws
from qkdpost.simulation.single_photon import simulate_single_photon_bb84

__all__ = ["SinglePhotonBB84Link"]

SINGLE_PHOTONS = ImperfectPhotonSource()


@dataclass(frozen=True, slots=True, kw_only=True)
class SinglePhotonBB84Link(PlannedLink):
    """BB84 with a single-photon source of known brightness and g2.

    Args:
        source: brightness, g2, misalignment; taken to be upper limits. The optimiser may attenuate it.
        fibre: the channel.
        fibre_km: a length for the fibre, in the place of its own; `fibre.length_km` reads it.
        detectors: the receiver's.
        test_probability: how probably each side chooses the test basis.
        pulse_rate_hz: pulses per second.
        attenuation: what part of the brightness is used, above 0 and at most 1.

    >>> import qkdpost as qp
    >>> link = qp.planning.SinglePhotonBB84Link(fibre_km=20)
    >>> qp.planning.expected_length(link, pulses=1e9).bits > 10**5
    True
    """

    source: ImperfectPhotonSource = SINGLE_PHOTONS
    fibre: Fibre = FIBRE
    fibre_km: InitVar[float | None] = None
    detectors: GatedDetectors = DETECTORS
    test_probability: float = 0.1
    pulse_rate_hz: float = 8e7
    attenuation: float = 1.0

    def __post_init__(self, fibre_km: float | None) -> None:
        instance("source", self.source, ImperfectPhotonSource)
        check_link_parts(self, fibre_km, ("detectors",))
        keep(self, "attenuation", real_number("attenuation", self.attenuation, above=0.0, most=1.0))

    def expected_tally(self, pulses: int) -> SinglePhotonTally:
        """Return the expected counts of a block of `pulses` pulses, rounded."""
        source, rates = self._used_source(), self._rates()
        key_share, test_share = (1.0 - self.test_probability) ** 2, self.test_probability**2
        return SinglePhotonTally(
            pulses_sent=pulses,
            key_probability=key_share,
            test_probability=test_share,
            mean_photons=source.mean_photons,
            g2=source.g2,
            key_bits=round(pulses * key_share * rates.detection),
            test_bits=round(pulses * test_share * rates.detection),
            test_errors=round(pulses * test_share * rates.error),
        )

    def secret_length(self, pulses: int, efficiency: float | None, epsilon: Epsilon, **options: Any) -> SecretLength:
        """Return the secret length of the expected tally of `pulses` pulses; efficiency None for 1.1."""
        tally = self.expected_tally(pulses)
        return charged_length(
            single_photon.secret_length, tally, errors_as_in_test(tally), efficiency, epsilon, **options
        )

    def starting_points(self) -> Iterator[Self]:
        """Yield a coarse grid of choices to start a search from."""
        yield from (replace(self, test_probability=bias) for bias in BIASES)

    def free_parameters(self) -> list[float]:
        """Return attenuation and basis bias."""
        return [logit(min(0.999, self.attenuation)), logit(self.test_probability)]

    def with_free_parameters(self, values: Sequence[float]) -> Self:
        """Return the same link with other choices."""
        return replace(self, attenuation=expit(values[0]), test_probability=expit(values[1]))

    def protocol_settings(self) -> SinglePhotonBB84:
        """Return the settings of BB84 with this source, attenuated."""
        source = self._used_source()
        return SinglePhotonBB84(
            mean_photons=source.mean_photons,
            g2=source.g2,
            test_probabilities=(self.test_probability, self.test_probability),
        )

    def expected_detections(self, pulses: float) -> float:
        """Return how many detections of any basis are expected."""
        return pulses * self._rates().detection

    def simulate(
        self, *, pulses: float, rng: RandomDraws, progress: bool | Progress = False
    ) -> tuple[PreparedPulses, Detections]:
        """Draw what both sides record of `pulses` pulses, by the same devices and choices.

        Args:
            pulses: how many; a whole float is allowed.
            rng: a generator of numpy, or a seed for one.
            progress: True to draw how far it has got, or a function that is told, as `Progress`.

        Raises:
            InputError: a number out of range.
        """
        return simulate_single_photon_bb84(
            pulses=pulses,
            rng=rng,
            fibre=self.fibre,
            source=self._used_source(),
            detectors=self.detectors,
            test_probabilities=(self.test_probability, self.test_probability),
            progress=progress,
        )

    def _used_source(self) -> ImperfectPhotonSource:
        """Return the source with what is left of its brightness."""
        return replace(self.source, mean_photons=self.source.mean_photons * self.attenuation)

    def _rates(self) -> RoundRates:
        source = self._used_source()
        one, two = source.photon_probabilities
        plain = one_or_two_photon_rates(one, two, self.fibre.transmittance, source.misalignment, self.detectors)
        (rates,) = with_detector_memory([plain], [1.0], self.detectors)
        return rates
