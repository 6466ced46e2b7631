"""A BB84 link with a source of single photons and a receiver that chooses its basis in every slot."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkdpost.config import LinkConfig
from qkdpost.errors import ConfigurationError
from qkdpost.records import Detections, PreparedPulses
from qkdpost.simulation.devices import Fibre, GatedDetectors, SinglePhotonSource, check_probabilities
from qkdpost.simulation.draws import (
    biased_bits,
    live_after_dead_time,
    outcomes_of_clicks,
    rare_slots,
    uniform_bits,
)

__all__ = ["simulate_bb84"]

DEFAULT_SOURCE = SinglePhotonSource()
DEFAULT_DETECTORS = GatedDetectors()


def simulate_bb84(
    link: LinkConfig | None = None,
    *,
    pulses: int,
    rng: np.random.Generator,
    fibre_km: float = 0.0,
    fibre: Fibre | None = None,
    source: SinglePhotonSource = DEFAULT_SOURCE,
    detectors: GatedDetectors = DEFAULT_DETECTORS,
    test_probability: float = 0.1,
) -> tuple[PreparedPulses, Detections]:
    """Draw what both sides of a BB84 link record.

    A photon that arrives in its own basis is found in the detector of its bit, or with the probability of
    misalignment in the other; in the other basis it is found in either. Detectors click in the dark; both may click.
    Memory is 2 bits for each pulse and some tens of bytes for each detection.

    Args:
        link: if given, checked to be of kind "bb84".
        pulses: how many pulses are sent.
        rng: gives all draws but the bits of double clicks, which `Detections` draws itself.
        fibre_km: the length of a fibre of 0.2 dB/km; `fibre` in full overrides it.
        fibre: the channel.
        source: the sender's source.
        detectors: the receiver's detectors.
        test_probability: how probably each side chooses the test basis.

    Returns:
        The sender's record and the receiver's.

    Raises:
        ConfigurationError: the link is of another kind.
        InputError: a parameter is out of range.
    """
    if link is not None and link.kind != "bb84":
        raise ConfigurationError(f"this simulates a link of kind 'bb84'; found {link.kind!r}")
    check_probabilities(test_probability=test_probability)
    fibre = fibre or Fibre(length_km=fibre_km)
    prepared = PreparedPulses(bases=biased_bits(rng, pulses, test_probability), bits=uniform_bits(rng, pulses))
    photons = rare_slots(rng, pulses, source.efficiency * fibre.transmittance * detectors.efficiency)
    dark = [rare_slots(rng, pulses, detectors.dark_count_probability) for _ in range(2)]
    slots = np.unique(np.concatenate([photons, *dark]))
    slots = slots[live_after_dead_time(slots, detectors.dead_time_slots)]

    bases = (rng.random(slots.size) < test_probability).astype(np.uint8)
    same = bases == np.asarray(prepared.bases.take(slots))
    wrong = rng.random(slots.size) < np.where(same, source.misalignment, 0.5)
    detector = np.asarray(prepared.bits.take(slots)) ^ wrong
    clicked = _holds(slots, photons) << detector
    clicked |= _holds(slots, dark[0]) | _holds(slots, dark[1]) << np.uint8(1)
    detections = Detections(pulses=pulses, slots=slots, bases=bases, outcomes=outcomes_of_clicks(clicked))
    return prepared, detections


def _holds(slots: NDArray[np.int64], members: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return 1 where a slot is one of `members`; both increasing."""
    return np.isin(slots, members, assume_unique=True).astype(np.uint8)
