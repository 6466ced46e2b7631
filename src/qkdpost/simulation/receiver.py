"""A receiver that chooses a basis in every slot: from photons that would be seen to what it records."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from qkdpost.records import Detections, PreparedPulses
from qkdpost.simulation.devices import GatedDetectors
from qkdpost.simulation.draws import live_after_dead_time, outcomes_of_clicks, rare_slots, union_of

__all__ = ["detect"]

Clicks: TypeAlias = tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.uint8]]
"""Slots, bases, and which detectors clicked."""


def detect(
    rng: np.random.Generator,
    prepared: PreparedPulses,
    arrivals: NDArray[np.int64],
    photons: NDArray[np.int64],
    *,
    detectors: GatedDetectors,
    misalignment: float,
    test_probability: float,
) -> Detections:
    """Draw what a receiver records of the photons that its detectors would see.

    Each photon goes to the detector of the pulse's bit or, with the probability of misalignment, to the other; in the
    other basis to either. Detectors click in the dark; both may click. After a click both are blind for the dead
    time. A click may be followed by an afterpulse of its detector, which causes no further ones.

    Args:
        rng: gives all draws, the bits of double clicks among them.
        prepared: what was sent.
        arrivals: the slots in which a photon would be seen, increasing, shape (n,).
        photons: how many in each, shape (n,).
        detectors: the receiver's detectors.
        misalignment: the probability that a photon is found in the wrong detector of its basis.
        test_probability: how probably the receiver chooses the test basis.
    """
    dark = [rare_slots(rng, prepared.pulses, detectors.dark_count_probability) for _ in range(2)]
    slots = union_of(arrivals, *dark)
    slots = slots[live_after_dead_time(slots, detectors.dead_time_slots)]
    bases = rng.random(slots.size) < test_probability

    seen = np.zeros(slots.size, dtype=np.int64)
    seen[np.isin(slots, arrivals, assume_unique=True)] = photons[np.isin(arrivals, slots, assume_unique=True)]
    same = bases == np.asarray(prepared.bases.take(slots))
    wrong = rng.binomial(seen, np.where(same, misalignment, 0.5))
    bits = np.asarray(prepared.bits.take(slots))
    clicked = (seen > wrong).astype(np.uint8) << bits | (wrong > 0).astype(np.uint8) << (bits ^ np.uint8(1))
    for detector in range(2):
        hit = np.isin(slots, dark[detector], assume_unique=True)
        clicked |= hit.astype(np.uint8) << np.uint8(detector)

    if detectors.afterpulse_probability > 0:
        found = (slots, bases, clicked)
        slots, bases, clicked = _with_afterpulses(rng, found, detectors, prepared.pulses, test_probability)
    outcomes = outcomes_of_clicks(clicked)
    return Detections(prepared.pulses, slots, bases, outcomes, random_source=rng.bytes)


def _with_afterpulses(
    rng: np.random.Generator,
    found: Clicks,
    detectors: GatedDetectors,
    pulses: int,
    test_probability: float,
) -> Clicks:
    """Add false clicks some time after the ones found, in slots of their own or in those of others."""
    slots, bases, clicked = found
    later: list[NDArray[np.int64]] = []
    marks: list[NDArray[np.uint8]] = []
    for detector in range(2):
        causes = slots[(clicked >> np.uint8(detector) & np.uint8(1)) == 1]
        causes = causes[rng.random(causes.size) < detectors.afterpulse_probability]
        delays = rng.geometric(1 / detectors.afterpulse_slots, size=causes.size)
        false = causes + detectors.dead_time_slots + delays
        later.append(false[false < pulses])
        marks.append(np.full(later[-1].size, 1 << detector, dtype=np.uint8))
    every = union_of(slots, *later)
    place = np.searchsorted(every, np.concatenate([slots, *later]))
    all_clicked = np.zeros(every.size, dtype=np.uint8)
    np.bitwise_or.at(all_clicked, place, np.concatenate([clicked, *marks]))
    all_bases = rng.random(every.size) < test_probability
    all_bases[place[: slots.size]] = bases
    live = live_after_dead_time(every, detectors.dead_time_slots)
    return every[live], all_bases[live], all_clicked[live]
