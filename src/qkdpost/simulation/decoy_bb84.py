"""A BB84 link with weak coherent pulses of several intensities."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from qkdpost.checks import instance
from qkdpost.config import LinkConfig
from qkdpost.progress import Progress, telling
from qkdpost.protocols.decoy_bb84 import DecoyBB84
from qkdpost.records import Detections, PreparedPulses
from qkdpost.security.decoy.tally import middles_of_intensities
from qkdpost.simulation.bb84 import ARRIVED, DETECTED, check_devices, pair_of_probabilities, prepare, settings_of
from qkdpost.simulation.devices import Fibre, GatedDetectors, WeakCoherentSource
from qkdpost.simulation.draws import RandomDraws, generator, random_labels, rare_slots, truncated_poisson
from qkdpost.simulation.receiver import detect

__all__ = ["send_decoy", "simulate_decoy_bb84"]

DEFAULT_SOURCE = WeakCoherentSource()
DEFAULT_DETECTORS = GatedDetectors()


def simulate_decoy_bb84(
    link: LinkConfig | None = None,
    *,
    pulses: float,
    rng: RandomDraws,
    fibre_km: float | None = None,
    fibre: Fibre | None = None,
    source: WeakCoherentSource = DEFAULT_SOURCE,
    detectors: GatedDetectors = DEFAULT_DETECTORS,
    test_probabilities: tuple[float, float] = (0.1, 0.1),
    progress: bool | Progress = False,
) -> tuple[PreparedPulses, Detections]:
    """Draw what both sides of a decoy-state link record; the receiver is that of `receiver.detect`.

    The photons that would be seen of a pulse of intensity mu have a Poisson distribution of mean mu times the
    transmittance and the efficiency. Memory is 5 bits for each pulse and some tens of bytes for each detection.

    Args:
        link: if given, of kind "decoy-bb84"; its intensities and their probabilities are used.
        pulses: how many pulses are sent; a whole float is allowed.
        rng: a generator of numpy, or a seed for one; gives all draws, the bits of double clicks among them.
        fibre_km: the length of the fibre.
        fibre: the channel; by default 0.2 dB/km, and no length.
        source: the sender's source.
        detectors: the receiver's detectors.
        test_probabilities: how probably Alice and Bob choose the test basis.
        progress: True to draw how far it has got, or a function that is told, as `Progress`.

    Returns:
        The sender's record, with intensities, and the receiver's.

    Raises:
        ConfigurationError: the link is of another kind.
        InputError: a parameter is out of range.

    >>> import qkdpost as qp
    >>> alice, bob = qp.simulation.decoy_bb84(pulses=1e5, rng=1, fibre_km=20)
    >>> 2000 < bob.events < 4000
    True
    """
    settings = settings_of(link, DecoyBB84)
    rng = generator(rng)
    channel, _ = check_devices(fibre, fibre_km, detectors)
    instance("source", source, WeakCoherentSource)
    test_probabilities = pair_of_probabilities(test_probabilities)
    if settings is not None:
        middles = middles_of_intensities(settings.intensities)
        source = replace(source, intensities=middles, probabilities=settings.probabilities)
    reach = channel.transmittance * detectors.efficiency
    with telling(progress) as tell:
        prepared, arrivals, photons = send_decoy(rng, pulses, source, reach, test_probabilities[0])
        tell(ARRIVED, 1, 2)
        detections = detect(
            rng,
            prepared,
            arrivals,
            photons,
            detectors=detectors,
            misalignment=source.misalignment,
            test_probability=test_probabilities[1],
        )
        tell(DETECTED, 2, 2)
    return prepared, detections


def send_decoy(
    rng: np.random.Generator, pulses: float, source: WeakCoherentSource, reach: float, test_probability: float
) -> tuple[PreparedPulses, NDArray[np.int64], NDArray[np.int64]]:
    """Draw what is sent, and of which pulses how many photons would be seen.

    Args:
        rng: gives all draws.
        pulses: how many are sent.
        source: intensities and their probabilities.
        reach: the probability that a photon arrives and is seen.
        test_probability: how probably a pulse is prepared in the test basis.

    Returns:
        The sender's record, the pulses of which at least one photon would be seen, increasing, and how many of each.
    """
    means = np.array(source.intensities) * reach
    plain = prepare(rng, pulses, test_probability)
    count = plain.pulses
    labels = random_labels(rng, count, source.probabilities)
    prepared = PreparedPulses(bases=plain.bases, bits=plain.bits, intensities=labels)

    # Slots are drawn as for the brightest intensity; those of the others are then kept as rarely as they must.
    seen = -np.expm1(-means)
    arrivals = rare_slots(rng, count, float(seen[0]))
    digits = [np.asarray(plane).astype(np.int64) << number for number, plane in enumerate(labels.take(arrivals).planes)]
    at = np.sum(digits, axis=0)
    kept = rng.random(arrivals.size) * seen[0] < seen[at]
    arrivals, at = arrivals[kept], at[kept]
    return prepared, arrivals, truncated_poisson(rng, means[at])
