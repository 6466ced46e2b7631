"""A BB84 link whose single-photon source sometimes sends two photons."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from qkdpost.checks import instance
from qkdpost.config import LinkConfig
from qkdpost.progress import Progress, telling
from qkdpost.protocols.single_photon_bb84 import SinglePhotonBB84
from qkdpost.records import Detections, PreparedPulses
from qkdpost.simulation.bb84 import (
    ARRIVED,
    DETECTED,
    PREPARED,
    check_devices,
    pair_of_probabilities,
    prepare,
    settings_of,
)
from qkdpost.simulation.devices import Fibre, GatedDetectors, ImperfectPhotonSource
from qkdpost.simulation.draws import RandomDraws, generator, rare_slots
from qkdpost.simulation.receiver import detect

__all__ = ["simulate_single_photon_bb84"]

DEFAULT_SOURCE = ImperfectPhotonSource()
DEFAULT_DETECTORS = GatedDetectors()


def simulate_single_photon_bb84(
    link: LinkConfig | None = None,
    *,
    pulses: float,
    rng: RandomDraws,
    fibre_km: float | None = None,
    fibre: Fibre | None = None,
    source: ImperfectPhotonSource = DEFAULT_SOURCE,
    detectors: GatedDetectors = DEFAULT_DETECTORS,
    test_probabilities: tuple[float, float] = (0.1, 0.1),
    progress: bool | Progress = False,
) -> tuple[PreparedPulses, Detections]:
    """Draw what both sides of such a link record; the receiver is that of `receiver.detect`.

    Args:
        link: if given, of kind "single-photon-bb84"; its mean photon number, g2 and test probabilities are used.
        pulses: how many pulses are sent; a whole float is allowed.
        rng: a generator of numpy, or a seed for one; gives all draws, the bits of double clicks among them.
        fibre_km: the length of the fibre.
        fibre: the channel; by default 0.2 dB/km, and no length.
        source: the sender's source.
        detectors: the receiver's detectors.
        test_probabilities: how probably Alice and Bob choose the test basis.
        progress: True to draw how far it has got, or a function that is told, as `Progress`.

    Returns:
        The sender's record and the receiver's.

    Raises:
        ConfigurationError: the link is of another kind.
        InputError: a parameter is out of range.

    >>> import qkdpost as qp
    >>> alice, bob = qp.simulation.single_photon_bb84(pulses=1e5, rng=1, fibre_km=20)
    >>> 3000 < bob.events < 5000
    True
    """
    settings = settings_of(link, SinglePhotonBB84)
    rng = generator(rng)
    channel, _ = check_devices(fibre, fibre_km, detectors)
    instance("source", source, ImperfectPhotonSource)
    test_probabilities = pair_of_probabilities(test_probabilities)
    if settings is not None:
        source = replace(source, mean_photons=settings.mean_photons, g2=settings.g2)
        test_probabilities = settings.test_probabilities
    reach = channel.transmittance * detectors.efficiency
    one, two = source.photon_probabilities
    both = two * reach**2
    single = one * reach + two * 2 * reach * (1 - reach)
    with telling(progress) as tell:
        prepared = prepare(rng, pulses, test_probabilities[0])
        tell(PREPARED, 1, 3)
        arrivals = rare_slots(rng, prepared.pulses, single + both)
        share = both / (single + both) if both else 0.0
        photons = 1 + (rng.random(arrivals.size) < share).astype(np.int64)
        tell(ARRIVED, 2, 3)
        detections = detect(
            rng,
            prepared,
            arrivals,
            photons,
            detectors=detectors,
            misalignment=source.misalignment,
            test_probability=test_probabilities[1],
        )
        tell(DETECTED, 3, 3)
    return prepared, detections
