"""What is counted of one record when it is submitted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce, singledispatch
from operator import add

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.bits.packing import count_common_ones
from qkdpost._kernels.bits.runs import compare_by_distance
from qkdpost.bits import Bits, concatenate, partition
from qkdpost.health.quadratures import QuadratureHealth
from qkdpost.health.sequences import SequenceHealth, no_lags, spread_over
from qkdpost.labels import LABEL_PLANES, Labels
from qkdpost.records import (
    CoherentStates,
    Detections,
    PreparedPulses,
    QuadratureOutcomes,
    RawRecord,
    TimeTags,
)

__all__ = ["RecordHealth", "add_up", "summarise"]

PIECES = 8
PIECE_BITS = 2**14
"""The outcomes of either basis are looked at in order in this number of pieces of a record, each of this many bits."""
MAX_SLOTS = 2**20
MAX_SLOT_PAIRS = 2**16
"""How many detections of a record, and how many pairs of them, are compared by their distance in slots."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RecordHealth:
    """Counts of a host's own record, or of all its records of a block. Secret, as are the bits that are counted.

    Args:
        prepared: whether the bits were prepared; else they were detected.
        outcomes: how many there were of each basis and value: 0 and 1 of the key basis, 0 and 1 of the test basis;
            for a record of time tags, the clicks of the detectors 0, 1, 2 and 3.
        double_clicks: detections in which both detectors of a basis clicked, where the record says so.
        intensities: of how many pulses each intensity was chosen, with decoy states; else empty.
        sequences: the counts of each sequence of bits, by name.
        slot_pairs: of detections in numbered slots, how many pairs of them lie 1 ... `MAX_LAG` slots apart; int64,
            shape (MAX_LAG,).
        slot_disagreements: in how many of these the bases differ.
        quadratures: of records of continuous variables, which have no bits; else None.
        pulses: how many pulses, slots or symbols the record covers, whatever came of them; 0 of time tags.
        seconds: of time tags, from the first click to the last; else None. Neither is secret.
    """

    prepared: bool
    outcomes: tuple[int, int, int, int] = field(repr=False)
    double_clicks: int = 0
    intensities: tuple[int, ...] = ()
    sequences: Mapping[str, SequenceHealth] = field(default_factory=dict, repr=False)
    slot_pairs: NDArray[np.int64] = field(default_factory=no_lags, repr=False)
    slot_disagreements: NDArray[np.int64] = field(default_factory=no_lags, repr=False)
    quadratures: QuadratureHealth | None = field(default=None, repr=False)
    pulses: int = 0
    seconds: float | None = None

    @property
    def total(self) -> int:
        """All pulses, detections or clicks."""
        return sum(self.outcomes)

    @property
    def in_test_basis(self) -> int:
        """How many of them were in the test basis."""
        return self.outcomes[2] + self.outcomes[3]

    def __add__(self, other: RecordHealth) -> RecordHealth:
        """Return the counts of both records, which are of one kind."""
        first, second, third, fourth = map(add, self.outcomes, other.outcomes)
        return RecordHealth(
            prepared=self.prepared,
            outcomes=(first, second, third, fourth),
            double_clicks=self.double_clicks + other.double_clicks,
            intensities=tuple(map(add, self.intensities, other.intensities)),
            sequences={name: own + other.sequences[name] for name, own in self.sequences.items()},
            slot_pairs=self.slot_pairs + other.slot_pairs,
            slot_disagreements=self.slot_disagreements + other.slot_disagreements,
            quadratures=_both(self.quadratures, other.quadratures),
            pulses=self.pulses + other.pulses,
            seconds=None if self.seconds is None or other.seconds is None else self.seconds + other.seconds,
        )


def _both(first: QuadratureHealth | None, second: QuadratureHealth | None) -> QuadratureHealth | None:
    return first if second is None else second if first is None else first + second


def add_up(healths: Iterable[RecordHealth]) -> RecordHealth:
    """Return the counts of several records of one kind, at least one, together."""
    return reduce(add, healths)


@singledispatch
def summarise(record: RawRecord) -> RecordHealth:
    """Count what shows in a record by itself whether its devices are in order.

    A record type from elsewhere brings a function of its own by `summarise.register`; one that brings none is not
    tested, and no count of it is shown.

    >>> record = Detections(pulses=9, slots=[0, 2, 5], bases=[0, 0, 1], outcomes=[1, 0, 1])
    >>> summarise(record).outcomes
    (1, 1, 0, 1)
    """
    return RecordHealth(prepared=False, outcomes=(0, 0, 0, 0))


@summarise.register
def _summarise_detections(record: Detections) -> RecordHealth:
    health = replace(_summarise_detected(record.bases, record.bits, record.double_clicks), pulses=record.pulses)
    _compare_in_slots(record, health)
    return health


@summarise.register
def _summarise_time_tags(record: TimeTags) -> RecordHealth:
    bases, bits = (_channel_bits(record.channels & np.uint8(mask)) for mask in (2, 1))
    return replace(_summarise_detected(bases, bits, 0), seconds=record.duration_s)


@summarise.register
def _summarise_prepared(record: PreparedPulses) -> RecordHealth:
    sequences = {"prepared bits": SequenceHealth.of(record.bits), "prepared bases": SequenceHealth.of(record.bases)}
    intensities: tuple[int, ...] = ()
    if record.intensities is not None:
        intensities = _count_labels(record.intensities)
        for place, plane in enumerate(record.intensities.planes):
            # A plane of zeros alone, as of fewer intensities than it takes, is seen by how often each occurs.
            planes = SequenceHealth.of(plane) if any(intensities[1 << place :]) else SequenceHealth()
            sequences[f"intensities (bit {place} of their numbers)"] = planes
    return RecordHealth(
        prepared=True,
        outcomes=_count_outcomes(record.bases, record.bits),
        intensities=intensities,
        sequences=sequences,
        pulses=record.pulses,
    )


@summarise.register
def _summarise_states(record: CoherentStates) -> RecordHealth:
    quadratures = QuadratureHealth.of(record.symbols)
    return RecordHealth(prepared=True, outcomes=(0, 0, 0, 0), quadratures=quadratures, pulses=record.events)


@summarise.register
def _summarise_outcomes(record: QuadratureOutcomes) -> RecordHealth:
    choices = {} if record.quadratures is None else {"quadrature bases": SequenceHealth.of(record.quadratures)}
    return RecordHealth(
        prepared=False,
        outcomes=(0, 0, 0, 0),
        sequences=choices,
        quadratures=QuadratureHealth.of(record.values),
        pulses=record.events,
    )


def _summarise_detected(bases: Bits, bits: Bits, double_clicks: int) -> RecordHealth:
    of_test, of_key = partition(_pieces(bits), _pieces(bases))
    return RecordHealth(
        prepared=False,
        outcomes=_count_outcomes(bases, bits),
        double_clicks=double_clicks,
        sequences={
            "detection bases": SequenceHealth.of(bases),
            "outcomes": SequenceHealth.of(bits),
            "outcomes of the key basis": SequenceHealth.of(of_key),
            "outcomes of the test basis": SequenceHealth.of(of_test),
        },
    )


def _compare_in_slots(record: Detections, health: RecordHealth) -> None:
    """Compare bases by the distance in slots: most slots are empty; a period of theirs shows nowhere else."""
    slots = record.slots[:MAX_SLOTS]
    compare_by_distance(slots, record.bases.words, MAX_SLOT_PAIRS, health.slot_pairs, health.slot_disagreements)


def _count_outcomes(bases: Bits, bits: Bits) -> tuple[int, int, int, int]:
    test, ones, test_ones = bases.weight(), bits.weight(), count_common_ones(bases.words, bits.words)
    key_ones = ones - test_ones
    return len(bits) - test - key_ones, key_ones, test - test_ones, test_ones


def _count_labels(labels: Labels) -> tuple[int, ...]:
    """Return how often each label occurs, plane by plane: those with a bit set, and the rest."""
    counts = [len(labels)] + [0] * ((1 << LABEL_PLANES) - 1)
    parts = {0: ~Bits.zeros(len(labels))}
    for place, plane in enumerate(labels.planes):
        if not plane.weight():
            continue
        for label, mask in list(parts.items()):
            both = mask & plane
            parts[label | 1 << place] = both
            counts[label | 1 << place] = both.weight()
            parts[label] = mask & ~plane
            counts[label] -= counts[label | 1 << place]
    return tuple(counts)


def _channel_bits(channels: NDArray[np.uint8]) -> Bits:
    """Pack one bit for each entry: whether it is not 0."""
    return Bits.from_bytes(np.packbits(channels, bitorder="little"), channels.size)


def _pieces(bits: Bits) -> Bits:
    if len(bits) <= PIECES * PIECE_BITS:
        return bits
    starts = spread_over(len(bits) // 64 - PIECE_BITS // 64, PIECES)
    return concatenate(bits[64 * start : 64 * start + PIECE_BITS] for start in starts)
