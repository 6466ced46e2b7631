"""A link of BBM92 with entangled pairs to be planned."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import InitVar, dataclass, replace
from typing import Any, Self

from qkdpost.checks import keep, real_number
from qkdpost.planning.expectation import pair_rates
from qkdpost.planning.parameters import BIASES, charged_length, errors_as_in_test, expit, logit
from qkdpost.planning.planned_link import DETECTORS, FIBRE, PlannedLink, check_link_parts
from qkdpost.progress import Progress
from qkdpost.protocols.bbm92 import BBM92
from qkdpost.records import Detections
from qkdpost.security import bbm92
from qkdpost.security.epsilon import Epsilon
from qkdpost.security.qubits.tally import Tally
from qkdpost.security.result import SecretLength
from qkdpost.simulation.bbm92 import simulate_bbm92
from qkdpost.simulation.devices import Fibre, GatedDetectors
from qkdpost.simulation.draws import RandomDraws

__all__ = ["BBM92Link"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BBM92Link(PlannedLink):
    """BBM92 with a source of pairs at Alice's and a fibre to Bob.

    Args:
        pairs_per_slot: the mean number of pairs.
        misalignment: how probably the outcomes of a pair differ in equal bases.
        fibre: the channel to Bob.
        fibre_km: a length for the fibre, in the place of its own; `fibre.length_km` reads it.
        alice_detectors: hers.
        bob_detectors: his.
        test_probability: how probably each side chooses the test basis.
        pulse_rate_hz: slots per second.

    >>> import qkdpost as qp
    >>> link = qp.planning.BBM92Link(fibre_km=20, pairs_per_slot=0.02)
    >>> qp.planning.expected_length(link, pulses=1e9).bits > 10**5
    True
    """

    pairs_per_slot: float = 0.01
    misalignment: float = 0.01
    fibre: Fibre = FIBRE
    fibre_km: InitVar[float | None] = None
    alice_detectors: GatedDetectors = DETECTORS
    bob_detectors: GatedDetectors = DETECTORS
    test_probability: float = 0.1
    pulse_rate_hz: float = 1e9

    def __post_init__(self, fibre_km: float | None) -> None:
        keep(self, "pairs_per_slot", real_number("pairs_per_slot", self.pairs_per_slot, above=0.0, below=10.0))
        keep(self, "misalignment", real_number("misalignment", self.misalignment, least=0.0, most=1.0))
        check_link_parts(self, fibre_km, ("alice_detectors", "bob_detectors"))

    def expected_tally(self, pulses: int) -> Tally:
        """Return the expected counts of a block of `pulses` slots, rounded; dead times are left out."""
        reach, dark = self._receivers()
        rates = pair_rates(self.pairs_per_slot, reach, self.misalignment, dark)
        key_share, test_share = (1.0 - self.test_probability) ** 2, self.test_probability**2
        return Tally(
            key_bits=round(pulses * key_share * rates.detection),
            test_bits=round(pulses * test_share * rates.detection),
            test_errors=round(pulses * test_share * rates.error),
        )

    def secret_length(self, pulses: int, efficiency: float | None, epsilon: Epsilon, **options: Any) -> SecretLength:
        """Return the secret length of the expected tally of `pulses` slots; efficiency None for 1.1."""
        tally = self.expected_tally(pulses)
        return charged_length(bbm92.secret_length, tally, errors_as_in_test(tally), efficiency, epsilon, **options)

    def starting_points(self) -> Iterator[Self]:
        """Yield a coarse grid of choices to start a search from."""
        for pairs in (0.1, 0.01):
            yield from (replace(self, pairs_per_slot=pairs, test_probability=bias) for bias in BIASES)

    def free_parameters(self) -> list[float]:
        """Return the brightness and the basis bias."""
        return [math.log(self.pairs_per_slot), logit(self.test_probability)]

    def with_free_parameters(self, values: Sequence[float]) -> Self:
        """Return the same link with other choices."""
        return replace(self, pairs_per_slot=math.exp(min(0.0, values[0])), test_probability=expit(values[1]))

    def protocol_settings(self) -> BBM92:
        """Return the settings of BBM92 in numbered slots; they state nothing of the devices."""
        return BBM92()

    def expected_detections(self, pulses: float) -> float:
        """Return how many detections of any basis Bob is expected to have, with Alice's or without."""
        reach, dark = self._receivers()
        seen = math.exp(-self.pairs_per_slot * reach[1]) * (1.0 - dark[1]) ** 2
        return pulses * (1.0 - seen)

    def simulate(
        self, *, pulses: float, rng: RandomDraws, progress: bool | Progress = False
    ) -> tuple[Detections, Detections]:
        """Draw what both sides record of `pulses` slots, by the same devices and choices.

        Args:
            pulses: how many; a whole float is allowed.
            rng: a generator of numpy, or a seed for one.
            progress: True to draw how far it has got, or a function that is told, as `Progress`.

        Raises:
            InputError: a number out of range.
        """
        return simulate_bbm92(
            slots=pulses,
            rng=rng,
            pairs_per_slot=self.pairs_per_slot,
            fibre=self.fibre,
            alice_detectors=self.alice_detectors,
            bob_detectors=self.bob_detectors,
            misalignment=self.misalignment,
            test_probability=self.test_probability,
            progress=progress,
        )

    def _receivers(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return how probably a photon is seen by Alice and by Bob, and either's dark counts."""
        reach = (self.alice_detectors.efficiency, self.bob_detectors.efficiency * self.fibre.transmittance)
        return reach, (self.alice_detectors.dark_count_probability, self.bob_detectors.dark_count_probability)
