"""A BB84 link with a source of single photons and a receiver that chooses its basis in every slot."""

from __future__ import annotations

import numpy as np

from qkdpost.config import LinkConfig
from qkdpost.errors import ConfigurationError
from qkdpost.records import Detections, PreparedPulses
from qkdpost.simulation.devices import Fibre, GatedDetectors, SinglePhotonSource, check_count, check_probabilities
from qkdpost.simulation.draws import biased_bits, rare_slots, uniform_bits
from qkdpost.simulation.receiver import detect

__all__ = ["check_kind", "prepare", "simulate_bb84"]

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
    """Draw what both sides of a BB84 link record; the receiver is that of `receiver.detect`.

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
    check_kind(link, "bb84")
    fibre = fibre or Fibre(length_km=fibre_km)
    prepared = prepare(rng, pulses, test_probability)
    arrivals = rare_slots(rng, pulses, source.efficiency * fibre.transmittance * detectors.efficiency)
    detections = detect(
        rng,
        prepared,
        arrivals,
        np.ones(arrivals.size, dtype=np.int64),
        detectors=detectors,
        misalignment=source.misalignment,
        test_probability=test_probability,
    )
    return prepared, detections


def check_kind(link: LinkConfig | None, kind: str) -> None:
    """Raise ConfigurationError if a link is given and of another kind."""
    if link is not None and link.kind != kind:
        raise ConfigurationError(f"this simulates a link of kind {kind!r}; found {link.kind!r}")


def prepare(rng: np.random.Generator, pulses: int, test_probability: float) -> PreparedPulses:
    """Draw bases and bits of `pulses` pulses.

    Raises:
        InputError: fewer than no pulses, or the probability of the test basis is none.
    """
    check_count(pulses=pulses)
    check_probabilities(test_probability=test_probability)
    return PreparedPulses(bases=biased_bits(rng, pulses, test_probability), bits=uniform_bits(rng, pulses))
