"""A decoy-state link whose receiver has a time tagger: the raw tags, with a sync, and what the pulses really were."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from qkdpost.bits import Bits
from qkdpost.checks import instance
from qkdpost.config import LinkConfig
from qkdpost.progress import Progress, telling
from qkdpost.protocols.decoy_bb84 import DecoyBB84
from qkdpost.records import DOUBLE_CLICK, Detections, PreparedPulses
from qkdpost.security.decoy.tally import middles_of_intensities
from qkdpost.simulation.bb84 import ARRIVED, DETECTED, check_devices, settings_of
from qkdpost.simulation.decoy_bb84 import send_decoy
from qkdpost.simulation.devices import Fibre, GatedDetectors, WeakCoherentSource
from qkdpost.simulation.draws import RandomDraws, generator, live_after_dead_time
from qkdpost.simulation.pulsed_devices import LaserClock, PulsedReceiver

__all__ = ["PulsedTimeTags", "simulate_pulsed_time_tags"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PulsedTimeTags:
    """Both sides' records, and the truth.

    Args:
        prepared: the sender's record.
        ticks: the receiver's tags in the order of time, shape (n,).
        channels: of each.
        tick_ps: the length of a tick.
        chosen_bases: for active choice: the basis of every pulse from the tagger's start.
        detections: what the receiver would have if he knew each click's pulse, with the same rule for dead time; dark
            counts within four standard deviations of a pulse are of that pulse.

    >>> import qkdpost as qp
    >>> tagged = qp.simulation.pulsed_time_tags(pulses=10_000, rng=1)
    >>> tagged.prepared.pulses, tagged.tick_ps
    (10000, 1.0)
    """

    prepared: PreparedPulses
    ticks: NDArray[np.int64] = field(repr=False)
    channels: NDArray[np.int64] = field(repr=False)
    tick_ps: float
    chosen_bases: Bits | None = field(repr=False)
    detections: Detections


_DARK = -1
DEFAULT_SOURCE = WeakCoherentSource()
DEFAULT_RECEIVER = PulsedReceiver()
DEFAULT_LASER = LaserClock()


@dataclass(frozen=True, slots=True)
class _Clicks:
    """Clicks in the order of time: when, of which detector, of which pulse (or none), and what it stands for."""

    times: NDArray[np.float64]
    detectors: NDArray[np.int64]
    slots: NDArray[np.int64]
    bins_ps: NDArray[np.float64]

    def chosen(self, which: NDArray[np.integer] | NDArray[np.bool_]) -> _Clicks:
        return _Clicks(self.times[which], self.detectors[which], self.slots[which], self.bins_ps[which])


def simulate_pulsed_time_tags(
    link: LinkConfig | None = None,
    *,
    pulses: float,
    rng: RandomDraws,
    fibre_km: float | None = None,
    fibre: Fibre | None = None,
    source: WeakCoherentSource = DEFAULT_SOURCE,
    receiver: PulsedReceiver = DEFAULT_RECEIVER,
    laser: LaserClock = DEFAULT_LASER,
    test_probability: float = 0.1,
    progress: bool | Progress = False,
) -> PulsedTimeTags:
    """Draw the raw tags of a receiver of decoy-state pulses, and what they are in truth.

    >>> import numpy as np, qkdpost as qp
    >>> tagged = qp.simulation.pulsed_time_tags(pulses=100_000, rng=np.random.default_rng(1))
    >>> sorted(set(tagged.channels.tolist()))
    [1, 2, 3, 4, 5]

    Args:
        link: if given, of kind "decoy-bb84"; its intensities and their probabilities count.
        pulses: how many the sender counts; a whole float is allowed.
        rng: a generator of numpy, or a seed for one; gives all draws, the bits of double clicks among them.
        fibre_km: the length of the fibre.
        fibre: the channel; by default 0.2 dB/km, and no length.
        source: the sender's source.
        receiver: detectors and tagger.
        laser: the clock of pulses, and the sync.
        test_probability: how probably the sender chooses the test basis.
        progress: True to draw how far it has got, or a function that is told, as `Progress`.

    Raises:
        ConfigurationError: the link is of another kind.
        InputError: a parameter is out of range.
    """
    settings = settings_of(link, DecoyBB84)
    rng = generator(rng)
    channel, _ = check_devices(fibre, fibre_km, GatedDetectors())
    for name, device, kind in (("source", source, WeakCoherentSource), ("receiver", receiver, PulsedReceiver)):
        instance(name, device, kind)
    instance("laser", laser, LaserClock)
    if settings is not None:
        middles = middles_of_intensities(settings.intensities)
        source = replace(source, intensities=middles, probabilities=settings.probabilities)
    reach = channel.transmittance * receiver.efficiency
    with telling(progress) as tell:
        prepared, arrivals, photons = send_decoy(rng, pulses, source, reach, test_probability)
        tell(ARRIVED, 1, 2)
        tagged = _record(rng, prepared, (arrivals, photons), receiver, laser, source.misalignment)
        tell(DETECTED, 2, 2)
    return tagged


def _record(
    rng: np.random.Generator,
    prepared: PreparedPulses,
    light: tuple[NDArray[np.int64], NDArray[np.int64]],
    receiver: PulsedReceiver,
    laser: LaserClock,
    misalignment: float,
) -> PulsedTimeTags:
    """Draw what the receiver records of pulses and how many photons of each would be seen."""
    (arrivals, photons), pulses = light, prepared.pulses
    total = laser.lead_pulses + pulses
    chosen = Bits.from_array(rng.random(total) < receiver.test_probability) if receiver.encoding == "active" else None
    arrivals = np.repeat(arrivals, photons)
    jitters = np.repeat(rng.normal(0, laser.jitter_ps, photons.size), photons)
    lit = _measured(rng, prepared, arrivals, receiver, misalignment, laser.lead_pulses, chosen)
    times = laser.times_ps(arrivals + laser.lead_pulses, total) + lit.bins_ps + jitters
    lit = replace(lit, times=times + rng.normal(0, receiver.jitter_ps, times.size))
    duration = float(laser.times_ps(np.array([total]), total)[0])
    clicks = _live(_with_dark(rng, lit, receiver, duration), receiver)
    ticks, channels = _tagged(rng, clicks, receiver, laser, total)
    return PulsedTimeTags(
        prepared=prepared,
        ticks=ticks,
        channels=channels,
        tick_ps=receiver.tick_ps,
        chosen_bases=chosen,
        detections=_in_truth(rng, clicks, receiver, laser, pulses, chosen),
    )


def _measured(
    rng: np.random.Generator,
    prepared: PreparedPulses,
    slots: NDArray[np.int64],
    receiver: PulsedReceiver,
    misalignment: float,
    lead: int,
    chosen: Bits | None,
) -> _Clicks:
    """Draw which detector each photon goes to, and in which time bin."""
    in_test = rng.random(slots.size) < receiver.test_probability
    middle = np.ones(slots.size, dtype=np.bool_)
    if chosen is not None:
        in_test = np.asarray(chosen.take(slots + lead)).astype(np.bool_)
    elif receiver.encoding == "time-bin":
        middle = rng.random(slots.size) < 0.5
    # Behind the interferometer the outer peaks separate early from late: a measurement in the key basis.
    basis = in_test & middle
    right = np.asarray(prepared.bases.take(slots)) == basis
    bits = np.where(right, np.asarray(prepared.bits.take(slots)), rng.integers(0, 2, slots.size))
    outcomes = bits ^ (right & (rng.random(slots.size) < misalignment))
    if receiver.encoding == "polarisation":
        return _Clicks(np.zeros(slots.size), 2 * basis + outcomes, slots, np.zeros(slots.size))
    if receiver.encoding == "active":
        return _Clicks(np.zeros(slots.size), outcomes, slots, np.zeros(slots.size))
    output = np.where(middle, outcomes, rng.integers(0, 2, slots.size))
    bins = np.where(in_test, np.where(middle, 1, 2 * outcomes), outcomes)
    return _Clicks(np.zeros(slots.size), np.where(in_test, 1 + output, 0), slots, bins * receiver.separation_ps)


def _with_dark(rng: np.random.Generator, lit: _Clicks, receiver: PulsedReceiver, duration_ps: float) -> _Clicks:
    dark = rng.poisson(receiver.dark_count_rate_hz * duration_ps * 1e-12, receiver.detectors)
    count = int(dark.sum())
    joined = _Clicks(
        np.concatenate([lit.times, rng.uniform(0, duration_ps, count)]),
        np.concatenate([lit.detectors, np.repeat(np.arange(receiver.detectors), dark)]),
        np.concatenate([lit.slots, np.full(count, _DARK)]),
        np.concatenate([lit.bins_ps, np.zeros(count)]),
    )
    return joined.chosen(np.argsort(joined.times, kind="stable"))


def _live(clicks: _Clicks, receiver: PulsedReceiver) -> _Clicks:
    live = np.ones(clicks.times.size, dtype=np.bool_)
    for detector in range(receiver.detectors):
        own = np.flatnonzero(clicks.detectors == detector)
        live[own] = live_after_dead_time(np.rint(clicks.times[own]).astype(np.int64), round(receiver.dead_time_ps))
    return clicks.chosen(live)


def _tagged(
    rng: np.random.Generator, clicks: _Clicks, receiver: PulsedReceiver, laser: LaserClock, total: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    times = [clicks.times + receiver.channel_delays_ps[clicks.detectors]]
    channels = [clicks.detectors + 1]
    if laser.divider:
        sent = np.arange(0, total, laser.divider, dtype=np.int64)
        come = sent[rng.random(sent.size) >= laser.missed_syncs]
        syncs = laser.times_ps(come, total) + rng.normal(0, laser.sync_jitter_ps, come.size)
        false = rng.uniform(0, float(laser.times_ps(np.array([total]), total)[0]), round(laser.false_syncs * sent.size))
        times += [syncs, false]
        channels.append(np.full(syncs.size + false.size, receiver.sync_channel))
    ticks = np.rint(np.concatenate(times) / receiver.tick_ps).astype(np.int64) + receiver.first_tick
    order = np.argsort(ticks, kind="stable")
    return ticks[order], np.concatenate(channels)[order]


def _in_truth(
    rng: np.random.Generator,
    clicks: _Clicks,
    receiver: PulsedReceiver,
    laser: LaserClock,
    pulses: int,
    chosen: Bits | None,
) -> Detections:
    """Give each click its true pulse, and leave out pulses that begin while a detector recovers."""
    total = laser.lead_pulses + pulses
    bins, symbols = _windows(receiver)
    spread = 4 * float(np.hypot(receiver.jitter_ps, laser.jitter_ps))
    mean_period = float(laser.times_ps(np.array([total]), total)[0]) / total
    # Of dark counts the nearest pulse is found by one step from the mean period's guess.
    guess = np.rint(clicks.times / mean_period).astype(np.int64)
    late = np.rint((clicks.times - laser.times_ps(guess, total) + spread) / laser.period_ps - 0.5).astype(np.int64)
    slots = np.where(clicks.slots == _DARK, guess + late, clicks.slots + laser.lead_pulses)
    phases = clicks.times - laser.times_ps(slots, total)
    nearest = np.argmin(np.abs(phases[:, None] - bins[clicks.detectors]), axis=1)
    symbol = symbols[clicks.detectors, nearest]
    distance = np.abs(phases - bins[clicks.detectors, nearest])
    gated = (distance <= spread) & (symbol >= 0)

    order = np.lexsort((clicks.times, slots))
    ordered_slots, times, gated, symbol = slots[order], clicks.times[order], gated[order], symbol[order]
    first = np.flatnonzero(np.diff(ordered_slots, prepend=-2))
    of_slot = np.cumsum(np.diff(ordered_slots, prepend=-2) != 0) - 1
    begins = laser.times_ps(ordered_slots[first], total) - spread
    # Whatever was seen in a pulse keeps the detectors busy from the end of its last window on: see `collect_events`.
    ends = laser.times_ps(ordered_slots, total) + bins.max() + spread
    busy = np.maximum.reduceat(np.where(gated, ends, times), first)
    before = np.concatenate([[0.0], np.maximum.accumulate(busy)[:-1]])
    ready = begins - before >= receiver.dead_time_ps
    early = ~gated & (times < ends)
    ready &= np.bincount(of_slot, weights=early, minlength=first.size) == 0
    masks = np.zeros(first.size, dtype=np.int64)
    np.bitwise_or.at(masks, of_slot[gated], np.left_shift(1, symbol[gated]))
    kept = ready & (masks > 0) & (ordered_slots[first] >= laser.lead_pulses) & (ordered_slots[first] < total)
    slot, masks = ordered_slots[first][kept], masks[kept]
    cross = (masks & 3 > 0) & (masks >> 2 > 0)
    bases = np.where(cross, rng.random(slot.size) < receiver.test_probability, masks >> 2 > 0)
    if chosen is not None:
        bases = np.asarray(chosen.take(slot)).astype(np.bool_)
    single = np.isin(masks, (1, 2, 4, 8))
    outcomes = np.where(single, np.isin(masks, (2, 8)), DOUBLE_CLICK)
    return Detections(pulses, slot - laser.lead_pulses, bases, outcomes, random_source=rng.bytes)


def _windows(receiver: PulsedReceiver) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return when each detector's windows come in a pulse, and what a click there stands for, -1 for nothing."""
    if receiver.encoding == "polarisation":
        return np.zeros((4, 1)), np.arange(4)[:, None]
    if receiver.encoding == "active":
        return np.zeros((2, 1)), np.arange(2)[:, None]
    bins = np.tile(np.arange(3) * receiver.separation_ps, (3, 1))
    return bins, np.array([[0, 1, -1], [0, 2, 1], [0, 3, 1]])
