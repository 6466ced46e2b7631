"""A BBM92 link: photon pairs, one of each to either side, in numbered slots or in continuous time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkdpost.checks import instance, real_number, whole_real
from qkdpost.config import LinkConfig
from qkdpost.errors import InputError
from qkdpost.progress import Progress, telling
from qkdpost.protocols.bbm92 import BBM92
from qkdpost.protocols.bbm92_time_tags import BBM92TimeTags
from qkdpost.records import Detections, TimeTags
from qkdpost.simulation.bb84 import check_devices, settings_of
from qkdpost.simulation.devices import MAX_RATE_HZ, MAX_TIME_PS, Fibre, GatedDetectors, TaggingReceiver
from qkdpost.simulation.draws import (
    RandomDraws,
    generator,
    live_after_dead_time,
    outcomes_of_clicks,
    rare_slots,
    union_of,
)

__all__ = ["simulate_bbm92", "simulate_bbm92_time_tags"]

DEFAULT_DETECTORS = GatedDetectors()
DEFAULT_RECEIVER = TaggingReceiver()
MAX_EVENTS = 1e9


def simulate_bbm92(
    link: LinkConfig | None = None,
    *,
    slots: float,
    rng: RandomDraws,
    pairs_per_slot: float = 0.01,
    fibre_km: float | None = None,
    fibre: Fibre | None = None,
    alice_detectors: GatedDetectors = DEFAULT_DETECTORS,
    bob_detectors: GatedDetectors = DEFAULT_DETECTORS,
    misalignment: float = 0.01,
    test_probability: float = 0.1,
    progress: bool | Progress = False,
) -> tuple[Detections, Detections]:
    """Draw what both sides detect of photon pairs whose outcomes are equal in either basis.

    The number of pairs in a slot has a Poisson distribution; the source stands at Alice's, the fibre leads to Bob.
    Memory follows the detections, not the slots.

    Args:
        link: if given, checked to be of kind "bbm92".
        slots: how many slots there are; a whole float is allowed.
        rng: a generator of numpy, or a seed for one; gives all draws, the bits of double clicks among them.
        pairs_per_slot: the mean number of pairs.
        fibre_km: the length of the fibre to Bob.
        fibre: that fibre; by default 0.2 dB/km, and no length.
        alice_detectors: hers; afterpulses are left out here.
        bob_detectors: his; likewise.
        misalignment: how probably the outcomes of a pair differ in equal bases.
        test_probability: how probably each side chooses the test basis in a slot.
        progress: True to draw how far it has got, or a function that is told, as `Progress`.

    Returns:
        Alice's and Bob's record.

    Raises:
        ConfigurationError: the link is of another kind.
        InputError: a parameter is out of range.

    >>> import qkdpost as qp
    >>> alice, bob = qp.simulation.bbm92(slots=1e6, rng=1, pairs_per_slot=0.05, fibre_km=10)
    >>> alice.events > bob.events > 5000
    True
    """
    settings_of(link, BBM92)
    rng = generator(rng)
    slots = whole_real("slots", slots)
    misalignment = real_number("misalignment", misalignment, least=0.0, most=1.0)
    test_probability = real_number("test_probability", test_probability, least=0.0, most=1.0)
    pairs_per_slot = real_number("pairs_per_slot", pairs_per_slot, least=0.0)
    instance("alice_detectors", alice_detectors, GatedDetectors)
    channel, _ = check_devices(fibre, fibre_km, instance("bob_detectors", bob_detectors, GatedDetectors))
    reach = (alice_detectors.efficiency, bob_detectors.efficiency * channel.transmittance)
    dark_counts = 2 * slots * (alice_detectors.dark_count_probability + bob_detectors.dark_count_probability)
    _check_events("slots", dark_counts)
    with telling(progress) as tell:
        seen = _seen_pairs(rng, slots * pairs_per_slot, reach)
        tell("photons have arrived; steps", 1, 3)
        places = rng.integers(0, max(slots, 1), size=(seen.shape[1],))
        photons = [places[seen[side]] for side in range(2)]
        dark = [
            [rare_slots(rng, slots, detectors.dark_count_probability) for _ in range(2)]
            for detectors in (alice_detectors, bob_detectors)
        ]
        listed = [union_of(photons[side], *dark[side]) for side in range(2)]
        bases = [(rng.random(item.size) < test_probability).astype(np.uint8) for item in listed]

        # Where both photons of a pair are seen in equal bases the outcomes are correlated, otherwise each is random.
        results = rng.integers(0, 2, size=seen.shape, dtype=np.uint8)
        both = np.flatnonzero(seen[0] & seen[1])
        chosen = [bases[side][np.searchsorted(listed[side], places[both])] for side in range(2)]
        equal = both[chosen[0] == chosen[1]]
        results[1, equal] = results[0, equal] ^ (rng.random(equal.size) < misalignment)

        sides = []
        for side, detectors in enumerate((alice_detectors, bob_detectors)):
            clicked = np.zeros(listed[side].size, dtype=np.uint8)
            at = np.searchsorted(listed[side], photons[side])
            np.bitwise_or.at(clicked, at, np.uint8(1) << results[side, seen[side]])
            for outcome in range(2):
                clicked[np.searchsorted(listed[side], dark[side][outcome])] |= np.uint8(1 << outcome)
            live = live_after_dead_time(listed[side], detectors.dead_time_slots)
            sides.append(
                Detections(
                    pulses=slots,
                    slots=listed[side][live],
                    bases=bases[side][live],
                    outcomes=outcomes_of_clicks(clicked[live]),
                    random_source=rng.bytes,
                )
            )
            tell("a side's clicks are recorded; steps", 2 + side, 3)
    return sides[0], sides[1]


def simulate_bbm92_time_tags(
    link: LinkConfig | None = None,
    *,
    duration_s: float,
    pair_rate_hz: float,
    rng: RandomDraws,
    alice: TaggingReceiver = DEFAULT_RECEIVER,
    bob: TaggingReceiver = DEFAULT_RECEIVER,
    misalignment: float = 0.01,
    clock_offset_ps: float = 0.0,
    clock_drift_ppm: float = 0.0,
    tick_ps: float = 1.0,
    progress: bool | Progress = False,
) -> tuple[TimeTags, TimeTags]:
    """Draw both sides' time tags of a continuous source of photon pairs with equal outcomes.

    Args:
        link: if given, checked to be of kind "bbm92-time-tags".
        duration_s: how long both sides record.
        pair_rate_hz: pairs per second.
        rng: a generator of numpy, or a seed for one; gives all draws.
        alice: her receiver, with all loss on the way to it.
        bob: his.
        misalignment: how probably the outcomes of a pair differ in equal bases.
        clock_offset_ps: what Bob's clock shows more at the beginning.
        clock_drift_ppm: how much faster it runs.
        tick_ps: the length of a tick of both.
        progress: True to draw how far it has got, or a function that is told, as `Progress`.

    Raises:
        ConfigurationError: the link is of another kind.
        InputError: a parameter is out of range.

    >>> import qkdpost as qp
    >>> alice, bob = qp.simulation.bbm92_time_tags(duration_s=0.1, pair_rate_hz=1e6, rng=1)
    >>> alice.ticks.size > 9000, alice.tick_ps
    (True, 1.0)
    """
    settings_of(link, BBM92TimeTags)
    rng = generator(rng)
    for name, receiver in (("alice", alice), ("bob", bob)):
        instance(name, receiver, TaggingReceiver)
    misalignment = real_number("misalignment", misalignment, least=0.0, most=1.0)
    duration_s = real_number("duration_s", duration_s, above=0.0, most=MAX_TIME_PS * 1e-12)
    pair_rate_hz = real_number("pair_rate_hz", pair_rate_hz, least=0.0, most=MAX_RATE_HZ)
    clock_offset_ps = real_number("clock_offset_ps", clock_offset_ps, least=-MAX_TIME_PS, most=MAX_TIME_PS)
    clock_drift_ppm = real_number("clock_drift_ppm", clock_drift_ppm, least=-1e5, most=1e5)
    tick_ps = real_number("tick_ps", tick_ps, least=1.0 / 16, most=1e12)
    dark = 4 * duration_s * (alice.dark_count_rate_hz + bob.dark_count_rate_hz)
    _check_events("duration_s", dark)
    with telling(progress) as tell:
        seen = _seen_pairs(rng, duration_s * pair_rate_hz, (alice.transmittance, bob.transmittance))
        tell("photons have arrived; steps", 1, 3)
        times = rng.uniform(0, duration_s * 1e12, size=(seen.shape[1],))
        in_test = [rng.random((seen.shape[1],)) < side.test_probability for side in (alice, bob)]
        results = rng.integers(0, 2, size=seen.shape, dtype=np.uint8)
        equal = in_test[0] == in_test[1]
        results[1, equal] = results[0, equal] ^ (rng.random(np.count_nonzero(equal)) < misalignment)
        tags = []
        for side, receiver in enumerate((alice, bob)):
            channels = results[side] + 2 * in_test[side].astype(np.uint8)
            clicks = _receive(rng, receiver, times[seen[side]], channels[seen[side]], duration_s)
            offset_ps, drift_ppm = (clock_offset_ps, clock_drift_ppm) if side else (0.0, 0.0)
            tags.append(_tag(*clicks, offset_ps, drift_ppm, tick_ps))
            tell("a side's clicks are tagged; steps", 2 + side, 3)
    return tags[0], tags[1]


def _seen_pairs(rng: np.random.Generator, pairs: float, reach: tuple[float, float]) -> NDArray[np.bool_]:
    """Return for each pair of which a photon is seen by whom; shape (2, n). `pairs` is the mean number made."""
    own, other = reach
    means = pairs * np.array([own * other, own * (1 - other), (1 - own) * other])
    _check_events("the number of pairs", float(means.sum()))
    both, first, second = (int(count) for count in rng.poisson(means))
    seen = np.ones((2, both + first + second), dtype=np.bool_)
    seen[1, both : both + first] = False
    seen[0, both + first :] = False
    return seen


def _check_events(name: str, expected: float) -> None:
    """Refuse what no memory holds before anything is drawn."""
    if not expected <= MAX_EVENTS:
        raise InputError(
            f"{name} must be smaller: {expected:.3g} clicks are expected, at most {MAX_EVENTS:.3g} are drawn"
        )


def _receive(
    rng: np.random.Generator,
    receiver: TaggingReceiver,
    times: NDArray[np.float64],
    channels: NDArray[np.uint8],
    duration_s: float,
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Return times and channels of all clicks: photons late by jitter, dark counts, less dead time, with echoes."""
    dark = rng.poisson(receiver.dark_count_rate_hz * duration_s, size=4)
    times = np.concatenate([times, rng.uniform(0, duration_s * 1e12, size=int(dark.sum()))])
    channels = np.concatenate([channels, np.repeat(np.arange(4, dtype=np.uint8), dark)])
    times = times + rng.normal(0, receiver.jitter_ps, size=times.size) + np.array(receiver.delays_ps)[channels]
    order = np.argsort(times)
    times, channels = times[order], channels[order]
    live = np.ones(times.size, dtype=np.bool_)
    for channel in range(4):
        own = np.flatnonzero(channels == channel)
        live[own] = live_after_dead_time(np.rint(times[own]).astype(np.int64), round(receiver.dead_time_ps))
    times, channels = times[live], channels[live]
    echoed = rng.random(times.size) < receiver.echo_probability
    echoes = times[echoed] + receiver.echo_delay_ps
    return np.concatenate([times, echoes]), np.concatenate([channels, channels[echoed]])


def _tag(
    times: NDArray[np.float64], channels: NDArray[np.uint8], offset_ps: float, drift_ppm: float, tick_ps: float
) -> TimeTags:
    ticks = np.rint((times * (1 + drift_ppm * 1e-6) + offset_ps) / tick_ps).astype(np.int64)
    order = np.argsort(ticks, kind="stable")
    return TimeTags(ticks=ticks[order], channels=channels[order], tick_ps=tick_ps)
