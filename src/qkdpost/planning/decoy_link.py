"""A link of BB84 with decoy states to be planned."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import InitVar, dataclass, replace
from typing import Any, Self

from qkdpost.checks import instance
from qkdpost.planning.expectation import RoundRates, coherent_rates, with_detector_memory
from qkdpost.planning.parameters import BIASES, charged_length, expit, logit, neighbours, rounded_counts
from qkdpost.planning.planned_link import DETECTORS, FIBRE, PlannedLink, check_link_parts
from qkdpost.progress import Progress
from qkdpost.protocols.decoy_bb84 import DecoyBB84
from qkdpost.records import Detections, PreparedPulses
from qkdpost.security import decoy_bb84
from qkdpost.security.decoy.tally import DecoyTally
from qkdpost.security.epsilon import Epsilon
from qkdpost.security.result import SecretLength
from qkdpost.simulation.decoy_bb84 import simulate_decoy_bb84
from qkdpost.simulation.devices import Fibre, GatedDetectors, WeakCoherentSource
from qkdpost.simulation.draws import RandomDraws

__all__ = ["DecoyBB84Link"]

LASER = WeakCoherentSource()
_INTENSITIES = ((0.5, 0.4), (0.5, 0.2), (0.35, 0.5))
"""The strongest intensity, and the next as a part of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoyBB84Link(PlannedLink):
    """BB84 with weak coherent pulses and decoy intensities.

    Args:
        source: intensities, their probabilities, misalignment. The optimiser keeps the weakest of three.
        fibre: the channel.
        fibre_km: a length for the fibre, in the place of its own; `fibre.length_km` reads it.
        detectors: the receiver's.
        test_probability: how probably each side chooses the test basis.
        pulse_rate_hz: pulses per second.

    >>> import qkdpost as qp
    >>> link = qp.planning.DecoyBB84Link(fibre_km=50)
    >>> qp.planning.expected_length(link, pulses=1e10).bits > 10**6
    True
    """

    source: WeakCoherentSource = LASER
    fibre: Fibre = FIBRE
    fibre_km: InitVar[float | None] = None
    detectors: GatedDetectors = DETECTORS
    test_probability: float = 0.1
    pulse_rate_hz: float = 1e9

    def __post_init__(self, fibre_km: float | None) -> None:
        instance("source", self.source, WeakCoherentSource)
        check_link_parts(self, fibre_km, ("detectors",))

    def expected_tally(self, pulses: int) -> DecoyTally:
        """Return the expected counts of a block of `pulses` pulses, rounded."""
        weights, rates = list(self.source.probabilities), self._rates()
        key_share, test_share = (1.0 - self.test_probability) ** 2, self.test_probability**2
        return DecoyTally(
            intensities=self.source.intensities,
            probabilities=self.source.probabilities,
            key_counts=rounded_counts(pulses * key_share, weights, [rate.detection for rate in rates]),
            test_counts=rounded_counts(pulses * test_share, weights, [rate.detection for rate in rates]),
            test_errors=rounded_counts(pulses * test_share, weights, [rate.error for rate in rates]),
            key_errors=rounded_counts(pulses * key_share, weights, [rate.error for rate in rates]),
        )

    def secret_length(self, pulses: int, efficiency: float | None, epsilon: Epsilon, **options: Any) -> SecretLength:
        """Return the secret length of the expected tally of `pulses` pulses; efficiency None for 1.1."""
        tally = self.expected_tally(pulses)
        return charged_length(
            decoy_bb84.secret_length, tally, sum(tally.key_errors or ()), efficiency, epsilon, **options
        )

    def starting_points(self) -> Iterator[Self]:
        """Yield a coarse grid of choices to start a search from."""
        count = len(self.source.intensities)
        for strongest, part in _INTENSITIES:
            upper = [strongest * part**step for step in range(count if count == 2 else count - 1)]
            intensities = (*upper, *self.source.intensities[len(upper) :])
            for weight in (1.0, 3.0):
                total = weight + count - 1
                probabilities = (weight / total, *(1.0 / total for _ in range(count - 1)))
                if intensities[-2] > intensities[-1]:
                    source = replace(self.source, intensities=intensities, probabilities=probabilities)
                    yield from (replace(self, source=source, test_probability=bias) for bias in BIASES)

    def free_parameters(self) -> list[float]:
        """Return intensities, their probabilities and the basis bias."""
        intensities, probabilities = self.source.intensities, self.source.probabilities
        floor = intensities[-1] if len(intensities) > 2 else 0.0
        steps = [logit((inner - floor) / (outer - floor)) for outer, inner in neighbours(intensities)]
        shares = [math.log(probability / probabilities[-1]) for probability in probabilities[:-1]]
        return [math.log(intensities[0] - floor), *steps, *shares, logit(self.test_probability)]

    def with_free_parameters(self, values: Sequence[float]) -> Self:
        """Return the same link with other choices."""
        count = len(self.source.intensities)
        floor = self.source.intensities[-1] if count > 2 else 0.0
        above = [math.exp(min(2.0, values[0]))]
        moving = count - 1 if count > 2 else count
        for step in values[1:moving]:
            above.append(above[-1] * expit(step))
        intensities = [floor + value for value in above] + ([floor] if count > 2 else [])
        raw = [math.exp(max(-12.0, min(12.0, value))) for value in values[moving : moving + count - 1]] + [1.0]
        source = replace(
            self.source,
            intensities=tuple(intensities),
            probabilities=tuple(value / math.fsum(raw) for value in raw),
        )
        return replace(self, source=source, test_probability=expit(values[-1]))

    def protocol_settings(self) -> DecoyBB84:
        """Return the settings of decoy-state BB84 with this source."""
        return DecoyBB84(intensities=self.source.intensities, probabilities=self.source.probabilities)

    def expected_detections(self, pulses: float) -> float:
        """Return how many detections of any basis are expected."""
        shares = zip(self.source.probabilities, self._rates(), strict=True)
        return pulses * math.fsum(share * rate.detection for share, rate in shares)

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
        return simulate_decoy_bb84(
            pulses=pulses,
            rng=rng,
            fibre=self.fibre,
            source=self.source,
            detectors=self.detectors,
            test_probabilities=(self.test_probability, self.test_probability),
            progress=progress,
        )

    def _rates(self) -> list[RoundRates]:
        """Return how probably a pulse of each intensity is detected, and wrong."""
        plain = [
            coherent_rates(mean * self.fibre.transmittance, self.source.misalignment, self.detectors)
            for mean in self.source.intensities
        ]
        return with_detector_memory(plain, list(self.source.probabilities), self.detectors)
