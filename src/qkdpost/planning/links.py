"""Links to be planned, one record per kind of QKD: devices, and the parameters that may be chosen.

Each gives its expected tally for a number of pulses, applies the same bound as a session does, and knows which of
its parameters an optimiser may turn, as a vector of unbounded real numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from qkdpost.checks import described, instance, real_number
from qkdpost.errors import InputError
from qkdpost.planning.coherent_link import MAX_PULSES, GaussianLink
from qkdpost.planning.expectation import (
    coherent_rates,
    one_or_two_photon_rates,
    pair_rates,
    with_detector_memory,
)
from qkdpost.planning.parameters import expected_disclosure, expit, logit, neighbours, rounded_counts
from qkdpost.security import bbm92, decoy_bb84, single_photon
from qkdpost.security.decoy.tally import DecoyTally
from qkdpost.security.epsilon import Epsilon
from qkdpost.security.qubits.tally import Tally
from qkdpost.security.result import SecretLength
from qkdpost.security.single_photon.tally import SinglePhotonTally
from qkdpost.simulation.devices import Fibre, GatedDetectors, ImperfectPhotonSource, WeakCoherentSource

__all__ = ["AnyLink", "BBM92Link", "DecoyBB84Link", "GaussianLink", "SinglePhotonBB84Link", "expected_length"]


LASER = WeakCoherentSource()
SINGLE_PHOTONS = ImperfectPhotonSource()
FIBRE = Fibre()
DETECTORS = GatedDetectors()


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoyBB84Link:
    """BB84 with weak coherent pulses and decoy intensities.

    Args:
        source: intensities, their probabilities, misalignment. The optimiser keeps the weakest of three.
        fibre: the channel.
        detectors: the receiver's.
        test_probability: how probably each side chooses the test basis.
        pulse_rate_hz: pulses per second.
    """

    source: WeakCoherentSource = LASER
    fibre: Fibre = FIBRE
    detectors: GatedDetectors = DETECTORS
    test_probability: float = 0.1
    pulse_rate_hz: float = 1e9

    def __post_init__(self) -> None:
        instance("source", self.source, WeakCoherentSource)
        _check_link(self, ("detectors",))

    def expected_tally(self, pulses: int) -> DecoyTally:
        """Return the expected counts of a block of `pulses` pulses, rounded."""
        plain = [
            coherent_rates(mean * self.fibre.transmittance, self.source.misalignment, self.detectors)
            for mean in self.source.intensities
        ]
        weights = list(self.source.probabilities)
        rates = with_detector_memory(plain, weights, self.detectors)
        key_share, test_share = (1.0 - self.test_probability) ** 2, self.test_probability**2
        return DecoyTally(
            intensities=self.source.intensities,
            probabilities=self.source.probabilities,
            key_counts=rounded_counts(pulses * key_share, weights, [rate.detection for rate in rates]),
            test_counts=rounded_counts(pulses * test_share, weights, [rate.detection for rate in rates]),
            test_errors=rounded_counts(pulses * test_share, weights, [rate.error for rate in rates]),
            key_errors=rounded_counts(pulses * key_share, weights, [rate.error for rate in rates]),
        )

    def secret_length(self, pulses: int, efficiency: float, epsilon: Epsilon, **options: Any) -> SecretLength:
        """Return the secret length of the expected tally of `pulses` pulses."""
        tally = self.expected_tally(pulses)
        disclosed = expected_disclosure(tally.key_bits, sum(tally.key_errors or ()), efficiency, epsilon)
        return decoy_bb84.secret_length(
            tally,
            leakage_bits=disclosed.leakage_bits,
            verification_bits=disclosed.verification_bits,
            epsilon=epsilon,
            **options,
        )

    def starting_points(self) -> Iterator[DecoyBB84Link]:
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
                    yield from (replace(self, source=source, test_probability=bias) for bias in _BIASES)

    def free_parameters(self) -> list[float]:
        """Return intensities, their probabilities and the basis bias."""
        intensities, probabilities = self.source.intensities, self.source.probabilities
        floor = intensities[-1] if len(intensities) > 2 else 0.0
        steps = [logit((inner - floor) / (outer - floor)) for outer, inner in neighbours(intensities)]
        shares = [math.log(probability / probabilities[-1]) for probability in probabilities[:-1]]
        return [math.log(intensities[0] - floor), *steps, *shares, logit(self.test_probability)]

    def with_free_parameters(self, values: Sequence[float]) -> DecoyBB84Link:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SinglePhotonBB84Link:
    """BB84 with a single-photon source of known brightness and g2.

    Args:
        source: brightness, g2, misalignment; taken to be upper limits. The optimiser may attenuate it.
        fibre: the channel.
        detectors: the receiver's.
        test_probability: how probably each side chooses the test basis.
        pulse_rate_hz: pulses per second.
        attenuation: what part of the brightness is used, above 0 and at most 1.
    """

    source: ImperfectPhotonSource = SINGLE_PHOTONS
    fibre: Fibre = FIBRE
    detectors: GatedDetectors = DETECTORS
    test_probability: float = 0.1
    pulse_rate_hz: float = 8e7
    attenuation: float = 1.0

    def __post_init__(self) -> None:
        instance("source", self.source, ImperfectPhotonSource)
        _check_link(self, ("detectors",))
        _keep(self, "attenuation", real_number("attenuation", self.attenuation, above=0.0, most=1.0))

    def expected_tally(self, pulses: int) -> SinglePhotonTally:
        """Return the expected counts of a block of `pulses` pulses, rounded."""
        source = replace(self.source, mean_photons=self.source.mean_photons * self.attenuation)
        one, two = source.photon_probabilities
        plain = one_or_two_photon_rates(one, two, self.fibre.transmittance, source.misalignment, self.detectors)
        (rates,) = with_detector_memory([plain], [1.0], self.detectors)
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

    def secret_length(self, pulses: int, efficiency: float, epsilon: Epsilon, **options: Any) -> SecretLength:
        """Return the secret length of the expected tally of `pulses` pulses."""
        tally = self.expected_tally(pulses)
        wrong = round(tally.key_bits * tally.test_errors / max(1, tally.test_bits))
        disclosed = expected_disclosure(tally.key_bits, wrong, efficiency, epsilon)
        return single_photon.secret_length(
            tally,
            leakage_bits=disclosed.leakage_bits,
            verification_bits=disclosed.verification_bits,
            epsilon=epsilon,
            **options,
        )

    def starting_points(self) -> Iterator[SinglePhotonBB84Link]:
        """Yield a coarse grid of choices to start a search from."""
        yield from (replace(self, test_probability=bias) for bias in _BIASES)

    def free_parameters(self) -> list[float]:
        """Return attenuation and basis bias."""
        return [logit(min(0.999, self.attenuation)), logit(self.test_probability)]

    def with_free_parameters(self, values: Sequence[float]) -> SinglePhotonBB84Link:
        """Return the same link with other choices."""
        return replace(self, attenuation=expit(values[0]), test_probability=expit(values[1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class BBM92Link:
    """BBM92 with a source of pairs at Alice's and a fibre to Bob.

    Args:
        pairs_per_slot: the mean number of pairs.
        misalignment: how probably the outcomes of a pair differ in equal bases.
        fibre: the channel to Bob.
        alice_detectors: hers.
        bob_detectors: his.
        test_probability: how probably each side chooses the test basis.
        pulse_rate_hz: slots per second.
    """

    pairs_per_slot: float = 0.01
    misalignment: float = 0.01
    fibre: Fibre = FIBRE
    alice_detectors: GatedDetectors = DETECTORS
    bob_detectors: GatedDetectors = DETECTORS
    test_probability: float = 0.1
    pulse_rate_hz: float = 1e9

    def __post_init__(self) -> None:
        _keep(self, "pairs_per_slot", real_number("pairs_per_slot", self.pairs_per_slot, above=0.0, below=10.0))
        _keep(self, "misalignment", real_number("misalignment", self.misalignment, least=0.0, most=1.0))
        _check_link(self, ("alice_detectors", "bob_detectors"))

    def expected_tally(self, pulses: int) -> Tally:
        """Return the expected counts of a block of `pulses` slots, rounded; dead times are left out."""
        reach = (self.alice_detectors.efficiency, self.bob_detectors.efficiency * self.fibre.transmittance)
        dark = (self.alice_detectors.dark_count_probability, self.bob_detectors.dark_count_probability)
        rates = pair_rates(self.pairs_per_slot, reach, self.misalignment, dark)
        key_share, test_share = (1.0 - self.test_probability) ** 2, self.test_probability**2
        return Tally(
            key_bits=round(pulses * key_share * rates.detection),
            test_bits=round(pulses * test_share * rates.detection),
            test_errors=round(pulses * test_share * rates.error),
        )

    def secret_length(self, pulses: int, efficiency: float, epsilon: Epsilon, **options: Any) -> SecretLength:
        """Return the secret length of the expected tally of `pulses` slots."""
        tally = self.expected_tally(pulses)
        wrong = round(tally.key_bits * tally.test_errors / max(1, tally.test_bits))
        disclosed = expected_disclosure(tally.key_bits, wrong, efficiency, epsilon)
        return bbm92.secret_length(
            tally,
            leakage_bits=disclosed.leakage_bits,
            verification_bits=disclosed.verification_bits,
            epsilon=epsilon,
            **options,
        )

    def starting_points(self) -> Iterator[BBM92Link]:
        """Yield a coarse grid of choices to start a search from."""
        for pairs in (0.1, 0.01):
            yield from (replace(self, pairs_per_slot=pairs, test_probability=bias) for bias in _BIASES)

    def free_parameters(self) -> list[float]:
        """Return the brightness and the basis bias."""
        return [math.log(self.pairs_per_slot), logit(self.test_probability)]

    def with_free_parameters(self, values: Sequence[float]) -> BBM92Link:
        """Return the same link with other choices."""
        return replace(self, pairs_per_slot=math.exp(min(0.0, values[0])), test_probability=expit(values[1]))


_BIASES = (0.5, 0.3, 0.15, 0.07, 0.03, 0.01, 0.003)
_INTENSITIES = ((0.5, 0.4), (0.5, 0.2), (0.35, 0.5))
"""The strongest intensity, and the next as a part of it."""

AnyLink: TypeAlias = DecoyBB84Link | SinglePhotonBB84Link | BBM92Link | GaussianLink


def expected_length(
    link: AnyLink, *, pulses: int, epsilon: Epsilon | float = 1e-10, efficiency: float | None = None, **options: Any
) -> SecretLength:
    """Return the secret length of the tally that a link is expected to give, by the bound that a session would use.

    Args:
        link: the devices and choices.
        pulses: how many pulses make a block.
        epsilon: the budget, or a total.
        efficiency: f of error correction: it discloses f n h(error rate); None for 1.1. A `GaussianLink` has a
            reconciliation_efficiency of its own.
        options: for the kind's `secret_length`, as ``method="analytic"``.

    Raises:
        InputError: pulses or efficiency out of range, or `link` is not a link to be planned.
    """
    link, budget = check_link(link), Epsilon.coerce(epsilon)
    if efficiency is not None:
        efficiency = real_number("efficiency", efficiency, least=1.0, most=MAX_EFFICIENCY)
    if isinstance(link, GaussianLink):
        return link.secret_length(check_pulses("pulses", pulses), efficiency, budget, **options)
    factor = DEFAULT_EFFICIENCY if efficiency is None else efficiency
    return link.secret_length(check_pulses("pulses", pulses), factor, budget, **options)


DEFAULT_EFFICIENCY = 1.1
"""Of error correction of qubits."""
MAX_EFFICIENCY = 1e6
"""Of error correction: far above that of any code, and far from overflow when it is multiplied."""


def check_pulses(name: str, pulses: float) -> int:
    """Return a number of pulses as an integer; a whole float is allowed, for people write 1e9.

    Raises:
        InputError: it is not a whole number in 1 ... 2^53.
    """
    number = real_number(name, pulses, least=1, most=2.0**53)
    if not number.is_integer():
        raise InputError(f"{name} must be a whole number; found {number!r}")
    return int(number)


def largest_block(link: AnyLink) -> int:
    """Return how many pulses a block of a link may have at most."""
    return MAX_PULSES if isinstance(link, GaussianLink) else 2**53


def check_link(link: AnyLink) -> AnyLink:
    """Return a link to be planned.

    Raises:
        InputError: it is not one.
    """
    if not isinstance(link, DecoyBB84Link | SinglePhotonBB84Link | BBM92Link | GaussianLink):
        raise InputError(
            f"link must be a DecoyBB84Link, SinglePhotonBB84Link, BBM92Link or GaussianLink; found {described(link)}. "
            "A LinkConfig is what two hosts agree on; a link to be planned has its devices"
        )
    return link


def _check_link(link: DecoyBB84Link | SinglePhotonBB84Link | BBM92Link, detectors: tuple[str, ...]) -> None:
    """Check what every link has."""
    hint = "One length of fibre makes one link: for several, ask for each, or use rate_curve(distances_km=...)"
    instance("fibre", link.fibre, Fibre, hint=hint)
    for name in detectors:
        instance(name, getattr(link, name), GatedDetectors)
    _keep(link, "test_probability", real_number("test_probability", link.test_probability, above=0.0, below=1.0))
    _keep(link, "pulse_rate_hz", real_number("pulse_rate_hz", link.pulse_rate_hz, above=0.0, most=1e18))


def _keep(link: AnyLink, name: str, value: float) -> None:
    object.__setattr__(link, name, value)
