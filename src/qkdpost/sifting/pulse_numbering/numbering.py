"""From a receiver's raw time tags to detections in numbered pulses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkdpost._kernels.sifting.pulses import shortest_intervals
from qkdpost.bits import Bits, BitsLike
from qkdpost.checks import instance, integer_vector, real_number, whole_number
from qkdpost.errors import InputError
from qkdpost.records import DOUBLE_CLICK, MAX_SPAN_TICKS, MAX_TICK, MAX_TICK_PS, MIN_TICK_PS, Detections
from qkdpost.sifting.pulse_numbering.alignment import (
    DEFAULT_SEARCH_PULSES,
    Alignment,
    NoAlignment,
    check_outcomes,
    find_alignment,
)
from qkdpost.sifting.pulse_numbering.clock import PulseClock
from qkdpost.sifting.pulse_numbering.encoding import PulseEncoding, channel_number
from qkdpost.sifting.pulse_numbering.events import PulseEvents, collect_events, in_coordinate_order
from qkdpost.sifting.pulse_numbering.gates import Gates, find_gates, fold_clicks
from qkdpost.sifting.pulse_numbering.pattern import AlignmentPattern
from qkdpost.sifting.pulse_numbering.period import clock_from_clicks
from qkdpost.sifting.pulse_numbering.record import DetectorCount, PulseRecord, three_digits
from qkdpost.sifting.pulse_numbering.sync import SyncCount, clock_from_sync

__all__ = ["pulse_numbers"]

MAX_INTERVALS_FROM_SYNC = 16
"""Clicks further than this from every sync are not used: there the clock is not known."""


@dataclass(frozen=True, slots=True)
class _Clicks:
    """The detectors' clicks, in the order of time: ticks, and the place of each detector in the encoding."""

    ticks: NDArray[np.int64] = field(repr=False)
    detectors: NDArray[np.uint8] = field(repr=False)


def pulse_numbers(
    ticks: ArrayLike,
    channels: ArrayLike,
    *,
    tick_ps: float,
    encoding: PulseEncoding,
    period_ps: float,
    dead_time_ps: float,
    sync_channel: int | None = None,
    divider: int = 1,
    pattern: AlignmentPattern | None = None,
    search_pulses: int = DEFAULT_SEARCH_PULSES,
    pulses: int | None = None,
    offset: int = 0,
    gate_ps: float | None = None,
    delays_ps: Mapping[int, float] | None = None,
    chosen_bases: BitsLike | None = None,
) -> PulseRecord:
    """Turn the raw tags of a receiver of pulses into `Detections`.

    Pulses are numbered by a sync channel, or from the clicks alone; clicks are gated around the pulses; detectors and
    time bins become bases and outcomes by `encoding`; pulses during which a detector was recovering are left out; and
    the numbers are made the sender's by pulses that the sender discloses, which are cut out of both records.

    >>> import numpy as np, qkdpost as qp
    >>> tagged = qp.simulation.pulsed_time_tags(pulses=2_000_000, fibre_km=5, rng=np.random.default_rng(1))
    >>> pattern, alice = qp.sifting.alignment_pattern(tagged.prepared)         # Alice's; `pattern` goes to Bob
    >>> record = qp.sifting.pulse_numbers(                                     # Bob's
    ...     tagged.ticks, tagged.channels, tick_ps=tagged.tick_ps, period_ps=10_000, sync_channel=5, divider=1000,
    ...     encoding=qp.sifting.PulseEncoding.polarisation(key=(1, 2), test=(3, 4)), dead_time_ps=50_000,
    ...     pattern=pattern,
    ... )
    >>> record.detections.pulses == alice.pulses
    True

    `print(record)` shows the period, missed syncs, gates and detectors.

    What is never announced: arrival times, gates, which detector. What is announced is the number of a pulse. That it
    does not reveal the detector rests on three things here: the clock is one for all detectors; each one's delay is
    taken off before its clicks are given to pulses; every detector was ready in every pulse announced. What remains is
    that detectors of different jitter lose different shares outside of the gates; print the record to see these. And
    light that an adversary aims at one detector within the dead time of a pulse: see docs/pulse_numbers.md.

    A detector with several time bins that recovers for longer than they are apart sees at most the first click of a
    pulse. Two photons in one pulse are then no double click, and early is favoured in such pulses: the proof takes for
    granted that there are none.

    Args:
        ticks: of every tag, as the tagger writes them, in the order of time; integers, shape (n,). Secret.
        channels: of every tag; any integers, shape (n,). Secret.
        tick_ps: the length of a tick in picoseconds.
        encoding: which channels are detectors, and what their clicks stand for.
        period_ps: the nominal period of the pulses: good to 1 % with a sync, to 100 ppm without.
        dead_time_ps: for how long a detector recovers after a click, at most. State it well above the data sheet's
            figure; 0 only for detectors that need not recover.
        sync_channel: the channel of the sync; None to number the pulses from the clicks alone.
        divider: a sync comes once in `divider` pulses.
        pattern: pulses that the sender disclosed; the result's numbers are then those of what is left of the sender's
            record.
        search_pulses: how far the offset is searched for with a pattern.
        pulses: without a pattern: how many pulses the record covers; by default up to the last click.
        offset: without a pattern: the sender's number of the receiver's pulse 0, with which the first sync came (or
            around the first click, without a sync).
        gate_ps: the full width of the gates; by default the one that leaves most key.
        delays_ps: channel -> how late each detector is against the others, to a quarter of a period; needed only where
            they differ by more than half a period.
        chosen_bases: for `PulseEncoding.active_choice`: the basis of every pulse, counted from the first sync, shape
            (m,). Clicks of pulses beyond are not used.

    Raises:
        InputError: a record or an argument is invalid: tags out of order, a channel that has none, a period, sync or
            divider that does not fit the tags, windows that overlap.
        NoAlignment: the pattern fits nowhere.
    """
    instance("encoding", encoding, PulseEncoding, hint="Write PulseEncoding.polarisation(key=(1, 2), test=(3, 4))")
    tick_ps = real_number("tick_ps", tick_ps, least=MIN_TICK_PS, most=MAX_TICK_PS, unit="ps")
    period_ps = real_number("period_ps", period_ps, least=4 * tick_ps, most=1e12, unit="ps")
    dead_time_ps = real_number("dead_time_ps", dead_time_ps, least=0, most=1e12, unit="ps")
    if pattern is not None:
        instance("pattern", pattern, AlignmentPattern, hint="The sender makes it with alignment_pattern")
    divider = whole_number("divider", divider, least=1, most=2**40)
    bases = _chosen(encoding, chosen_bases, sync_channel)
    times, numbers = _checked_tags(ticks, channels)
    clicks, sync_ticks, others = _separate(times, numbers, encoding, sync_channel)
    clock, sync, used, start_tick = _clock_of(clicks, sync_ticks, int(times[0]), tick_ps, period_ps, divider)
    period = clock.period_ps
    coordinates = clock.coordinates(used.ticks)
    folded = fold_clicks(coordinates, used.detectors, len(encoding.detectors), period_ps=period, tick_ps=tick_ps)
    gates = find_gates(folded, encoding, period_ps=period, gate_ps=gate_ps, delays_ps=delays_ps)
    start = float(clock.coordinates(np.array([start_tick]))[0])

    def events(shift: float) -> PulseEvents:
        moved = gates.moved(shift)
        ordered = in_coordinate_order(coordinates, used.detectors, moved.delays)
        found = collect_events(
            *ordered, encoding, moved, dead_time=dead_time_ps / period, record_start=start - float(moved.delays.min())
        )
        return found if bases is None else _with_chosen(found, bases)

    found, alignment = _aligned(events, gates, encoding, pattern, search_pulses)
    detections, outside = _detections(found, alignment, pattern, pulses, offset)
    double = found.outcomes == DOUBLE_CLICK
    return PulseRecord(
        detections=detections,
        clock=clock,
        sync=sync,
        alignment=alignment,
        gate_ps=2 * gates.half_width * period,
        detectors=_counts(used, encoding, gates, found, period, tick_ps),
        other_channels=others,
        outside=clicks.ticks.size - used.ticks.size + outside,
        dead_time_pulses=found.left_out,
        double_clicks=int((double & ~found.cross).sum()),
        cross_clicks=int(found.cross.sum()),
        histogram=gates.histogram,
    )


def _clock_of(
    clicks: _Clicks,
    sync_ticks: NDArray[np.int64] | None,
    start_tick: int,
    tick_ps: float,
    period_ps: float,
    divider: int,
) -> tuple[PulseClock, SyncCount | None, _Clicks, int]:
    """Return the clock of the pulses, from syncs if there are any, the clicks that it covers, and their first tick."""
    if sync_ticks is None:
        clock, *known = clock_from_clicks(clicks.ticks, tick_ps=tick_ps, period_ps=period_ps)
        return clock, None, *_known(clicks, start_tick, *known)
    clock, sync = clock_from_sync(sync_ticks, tick_ps=tick_ps, period_ps=period_ps, divider=divider)
    return clock, sync, *_near_sync(clicks, sync, start_tick, round(divider * period_ps / tick_ps))


def _checked_tags(ticks: ArrayLike, channels: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    times = integer_vector("ticks", ticks, least=-MAX_TICK, most=MAX_TICK)
    numbers = integer_vector("channels", channels)
    if times.size != numbers.size:
        raise InputError(f"every tag has one channel; found {times.size} ticks, {numbers.size} channels")
    if not times.size:
        raise InputError("there are no tags")
    back = np.flatnonzero(times[1:] < times[:-1])
    if back.size:
        at = int(back[0])
        raise InputError(
            f"ticks must be in the order of time; entry {at + 1} is {int(times[at]) - int(times[at + 1])} ticks before "
            f"the one before it, and there are {back.size} such entries. Sort tags that are out of order; a step back "
            "by a power of two is a counter that rolled over"
        )
    if int(times[-1]) - int(times[0]) > MAX_SPAN_TICKS:
        raise InputError(f"a record must span less than 2^53 ticks; found {int(times[-1]) - int(times[0])}")
    return times, numbers


def _separate(
    ticks: NDArray[np.int64], numbers: NDArray[np.int64], encoding: PulseEncoding, sync_channel: int | None
) -> tuple[_Clicks, NDArray[np.int64] | None, int]:
    """Return the detectors' clicks, the sync's tags, and how many tags are of other channels."""
    wanted = list(encoding.detectors)
    if sync_channel is not None:
        sync = channel_number("sync_channel", sync_channel)
        if sync in wanted:
            raise InputError(f"sync_channel {sync} is a detector of the encoding")
        wanted.append(sync)
    codes = _codes(numbers, wanted)
    counts = np.bincount(codes, minlength=len(wanted) + 1)
    for channel, count in zip(wanted, counts, strict=False):
        if not count:
            found = ", ".join(f"{number} ({three_digits(tags):,})" for number, tags in _channels_found(numbers))
            what = "sync_channel" if channel == sync_channel else "detector"
            raise InputError(f"{what} {channel} has no tag; the channels of this record are {found}")
    of_sync = codes == len(encoding.detectors) if sync_channel is not None else None
    of_detectors = np.flatnonzero(codes < len(encoding.detectors))
    clicks = _Clicks(ticks[of_detectors], codes[of_detectors])
    return clicks, None if of_sync is None else ticks[of_sync], int(counts[len(wanted)])


def _codes(numbers: NDArray[np.int64], wanted: list[int]) -> NDArray[np.uint8]:
    """Return the place of each channel in `wanted`, or their number for all others."""
    low, high = int(numbers.min()), int(numbers.max())
    if high - low < 2**16:
        table = np.full(high - low + 1, len(wanted), dtype=np.uint8)
        for place, channel in enumerate(wanted):
            if low <= channel <= high:
                table[channel - low] = place
        return table[numbers - low]
    codes = np.full(numbers.size, len(wanted), dtype=np.uint8)
    for place, channel in enumerate(wanted):
        codes[numbers == channel] = place
    return codes


def _channels_found(numbers: NDArray[np.int64]) -> list[tuple[int, int]]:
    channels, counts = np.unique(numbers, return_counts=True)
    return list(zip(channels[:16].tolist(), counts[:16].tolist(), strict=True))


def _chosen(encoding: PulseEncoding, chosen_bases: BitsLike | None, sync_channel: int | None) -> Bits | None:
    if not encoding.chosen:
        if chosen_bases is not None:
            raise InputError("chosen_bases is for PulseEncoding.active_choice; here the detector gives the basis")
        return None
    if chosen_bases is None:
        raise InputError("this encoding needs chosen_bases: the basis of every pulse, counted from the first sync")
    if sync_channel is None:
        raise InputError("chosen_bases count from the first sync; without a sync_channel they have no beginning")
    return Bits.coerce(chosen_bases)


def _known(clicks: _Clicks, start_tick: int, since: int, until: int) -> tuple[_Clicks, int]:
    """Return the clicks for which the clock is known, and the tick from which on all clicks are."""
    first, last = np.searchsorted(clicks.ticks, [since, until + 1])
    return _Clicks(clicks.ticks[first:last], clicks.detectors[first:last]), max(start_tick, since)


def _near_sync(clicks: _Clicks, sync: SyncCount, start_tick: int, interval: int) -> tuple[_Clicks, int]:
    reach = MAX_INTERVALS_FROM_SYNC * interval
    used, known_since = _known(clicks, start_tick, sync.first_tick - reach, sync.last_tick + reach)
    if 2 * used.ticks.size < clicks.ticks.size:
        raise InputError(
            f"{clicks.ticks.size - used.ticks.size} of {clicks.ticks.size} clicks came while there was no sync: its "
            f"tags lie in ticks {sync.first_tick} ... {sync.last_tick}, the clicks in {clicks.ticks[0]} ... "
            f"{clicks.ticks[-1]}"
        )
    return used, known_since


def _with_chosen(found: PulseEvents, bases: Bits) -> PulseEvents:
    known = (found.slots >= 0) & (found.slots < len(bases))
    slots = found.slots[known]
    return replace(
        found,
        slots=slots,
        bases=np.asarray(bases.take(slots)),
        outcomes=found.outcomes[known],
        cross=found.cross[known],
    )


def _aligned(
    events: Callable[[float], PulseEvents],
    gates: Gates,
    encoding: PulseEncoding,
    pattern: AlignmentPattern | None,
    search_pulses: int,
) -> tuple[PulseEvents, Alignment | None]:
    """Return the events and their alignment, under the shift of the gates that aligns where several fit the clicks."""
    if pattern is None:
        if len(gates.shifts) > 1:
            raise InputError(
                f"the time bins fit the period in {len(gates.shifts)} ways; only a pattern shows which is right, see "
                "alignment_pattern"
            )
        return events(0.0), None
    for shift in gates.shifts:
        found = events(shift)
        single = found.outcomes != DOUBLE_CLICK
        record = found.slots[single], found.bases[single], found.outcomes[single]
        try:
            alignment = find_alignment(*record, pattern, search_pulses=search_pulses)
        except NoAlignment:
            if shift == gates.shifts[-1]:
                raise
            continue
        check_outcomes(*record, pattern, alignment.offset, encoding.detectors_of)
        return found, alignment
    raise NoAlignment("no way in which the time bins fit the period was tried")


def _detections(
    found: PulseEvents,
    alignment: Alignment | None,
    pattern: AlignmentPattern | None,
    pulses: int | None,
    offset: int,
) -> tuple[Detections, int]:
    """Return the record in the sender's numbers, and how many events lie outside of it."""
    if pattern is not None and alignment is not None:
        total, shift = pattern.pulses, alignment.offset
        if pulses is not None or offset:
            raise InputError("pulses and offset follow from the pattern: leave them away")
    else:
        shift = whole_number("offset", offset, least=-(2**53))
        past = int(found.slots[-1]) + shift + 1 if found.slots.size else 0
        total = max(0, past) if pulses is None else whole_number("pulses", pulses)
    slots = found.slots + shift
    inside = (slots >= 0) & (slots < total)
    left, remaining = inside, total
    if pattern is not None:
        slots, left = pattern.renumbered(slots)
        remaining = pattern.remaining_pulses
    detections = Detections(pulses=remaining, slots=slots[left], bases=found.bases[left], outcomes=found.outcomes[left])
    return detections, int(inside.size - inside.sum())


def _counts(
    clicks: _Clicks, encoding: PulseEncoding, gates: Gates, found: PulseEvents, period: float, tick_ps: float
) -> dict[int, DetectorCount]:
    detectors = len(encoding.detectors)
    far = np.full(detectors, 2**62, dtype=np.int64)
    last = np.full(detectors, -(2**62), dtype=np.int64)
    shortest_intervals(clicks.ticks, clicks.detectors, last, far)
    all_clicks = np.bincount(clicks.detectors, minlength=detectors)
    return {
        channel: DetectorCount(
            clicks=int(all_clicks[place]),
            in_gates=found.in_gates[place],
            delay_ps=float(gates.delays[place] * period),
            shortest_interval_ps=float(far[place] * tick_ps) if all_clicks[place] > 1 else float("inf"),
        )
        for place, channel in enumerate(encoding.detectors)
    }
