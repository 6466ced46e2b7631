"""A BB84 link with a source of single photons and a receiver that chooses its basis in every slot."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from qkdpost.checks import instance, numbers, real_number, whole_real
from qkdpost.config import LinkConfig
from qkdpost.errors import ConfigurationError
from qkdpost.progress import Progress, telling
from qkdpost.protocols.bb84 import BB84
from qkdpost.protocols.protocol import ProtocolSettings
from qkdpost.records import Detections, PreparedPulses
from qkdpost.simulation.devices import Fibre, GatedDetectors, SinglePhotonSource, with_length
from qkdpost.simulation.draws import MAX_PULSES, RandomDraws, biased_bits, generator, rare_slots, uniform_bits
from qkdpost.simulation.receiver import detect

__all__ = [
    "ARRIVED",
    "DETECTED",
    "PREPARED",
    "check_devices",
    "pair_of_probabilities",
    "prepare",
    "settings_of",
    "simulate_bb84",
]

_Settings = TypeVar("_Settings", bound=ProtocolSettings)

PREPARED, ARRIVED, DETECTED = "pulses are prepared; steps", "photons have arrived; steps", "clicks are recorded; steps"
"""What is told of a simulation as it goes on."""
DEFAULT_SOURCE = SinglePhotonSource()
DEFAULT_DETECTORS = GatedDetectors()


def simulate_bb84(
    link: LinkConfig | None = None,
    *,
    pulses: float,
    rng: RandomDraws,
    fibre_km: float | None = None,
    fibre: Fibre | None = None,
    source: SinglePhotonSource = DEFAULT_SOURCE,
    detectors: GatedDetectors = DEFAULT_DETECTORS,
    test_probability: float = 0.1,
    progress: bool | Progress = False,
) -> tuple[PreparedPulses, Detections]:
    """Draw what both sides of a BB84 link record; the receiver is that of `receiver.detect`.

    Memory is 2 bits for each pulse and some tens of bytes for each detection.

    Args:
        link: if given, checked to be of kind "bb84".
        pulses: how many pulses are sent; a whole float is allowed.
        rng: a generator of numpy, or a seed for one; gives all draws, the bits of double clicks among them.
        fibre_km: the length of the fibre.
        fibre: the channel; by default 0.2 dB/km, and no length.
        source: the sender's source.
        detectors: the receiver's detectors.
        test_probability: how probably each side chooses the test basis.
        progress: True to draw how far it has got, or a function that is told, as `Progress`.

    Returns:
        The sender's record and the receiver's.

    Raises:
        ConfigurationError: the link is of another kind.
        InputError: a parameter is out of range.

    >>> import qkdpost as qp
    >>> alice, bob = qp.simulation.bb84(pulses=1e5, rng=1, fibre_km=20)
    >>> alice.pulses, 3000 < bob.events < 5000
    (100000, True)
    """
    settings_of(link, BB84)
    rng = generator(rng)
    channel, _ = check_devices(fibre, fibre_km, detectors)
    instance("source", source, SinglePhotonSource)
    with telling(progress) as tell:
        prepared = prepare(rng, pulses, test_probability)
        tell(PREPARED, 1, 3)
        reach = source.efficiency * channel.transmittance * detectors.efficiency
        arrivals = rare_slots(rng, prepared.pulses, reach)
        tell(ARRIVED, 2, 3)
        detections = detect(
            rng,
            prepared,
            arrivals,
            np.ones(arrivals.size, dtype=np.int64),
            detectors=detectors,
            misalignment=source.misalignment,
            test_probability=test_probability,
        )
        tell(DETECTED, 3, 3)
    return prepared, detections


def settings_of(link: LinkConfig | None, settings: type[_Settings]) -> _Settings | None:
    """Return the settings of a link's kind, if a link is given.

    Raises:
        InputError: something else than a link is given.
        ConfigurationError: the link is of another kind.
    """
    if link is None:
        return None
    found = instance("link", link, LinkConfig).protocol
    if not isinstance(found, settings):
        raise ConfigurationError(f"this simulates a link with {settings.__name__}; found kind {found.kind!r}")
    return found


def check_devices(
    fibre: Fibre | None, fibre_km: float | None, detectors: GatedDetectors
) -> tuple[Fibre, GatedDetectors]:
    """Return the channel, of the length that is given, and the detectors.

    Raises:
        InputError: they are none.
    """
    channel = Fibre() if fibre is None else instance("fibre", fibre, Fibre)
    return with_length(channel, fibre_km), instance("detectors", detectors, GatedDetectors)


def pair_of_probabilities(test_probabilities: tuple[float, float]) -> tuple[float, float]:
    """Return how probably Alice and Bob choose the test basis.

    Raises:
        InputError: they are not two probabilities.
    """
    alice, bob = numbers("test_probabilities", test_probabilities, count=2, each="side", least=0.0, most=1.0)
    return alice, bob


def prepare(rng: np.random.Generator, pulses: float, test_probability: float) -> PreparedPulses:
    """Draw bases and bits of `pulses` pulses.

    Raises:
        InputError: fewer than no pulses, more than `MAX_PULSES`, or the probability of the test basis is none.
    """
    count = whole_real("pulses", pulses, most=MAX_PULSES)
    probability = real_number("test_probability", test_probability, least=0.0, most=1.0)
    return PreparedPulses(bases=biased_bits(rng, count, probability), bits=uniform_bits(rng, count))
