"""Which of the receiver's pulses is which of the sender's: found from some that the sender discloses.

Who forges a pattern on its way shifts or scatters the receiver's numbers. That is no more than an adversary can do by
delaying the light itself: the numbers are public anyway, bases and outcomes are the receiver's and fixed before, and
the protocol's own comparison of errors then finds no key. Nothing of a channel is estimated from the pattern.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc

from qkdpost.bits import Bits
from qkdpost.checks import instance, whole_number
from qkdpost.errors import InputError
from qkdpost.records import Detections
from qkdpost.sifting.pulse_numbering.agreement import (
    MAX_FALSE_ALIGNMENT,
    NumberedRecord,
    agreement,
    best_offsets,
    chance_of,
)
from qkdpost.sifting.pulse_numbering.pattern import AlignmentPattern

__all__ = ["Alignment", "NoAlignment", "align", "check_outcomes", "find_alignment"]

DEFAULT_SEARCH_PULSES = 2**23
_STEPS = (-1, 1, -2, 2, -3, 3)

Slots = NDArray[np.int64]


class NoAlignment(InputError):
    """The receiver's detections agree with the disclosed pulses at no offset that was tried.

    >>> import qkdpost as qp
    >>> from qkdpost import sifting
    >>> issubclass(sifting.NoAlignment, qp.InputError)
    True
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """How the receiver's numbers of pulses became the sender's.

    Args:
        offset: what was added to the receiver's numbers.
        compared: detections of disclosed pulses in the same basis.
        agreed: how many of them had the disclosed bit.
        false_alarm_probability: how probably chance gives as good an agreement at some offset tried.
        offsets_tried: how many those were.

    >>> from qkdpost import sifting
    >>> alignment = sifting.Alignment(
    ...     offset=12, compared=400, agreed=396, false_alarm_probability=1e-80, offsets_tried=1000
    ... )
    >>> alignment.offset
    12
    """

    offset: int
    compared: int
    agreed: int
    false_alarm_probability: float
    offsets_tried: int


def align(
    detections: Detections, pattern: AlignmentPattern, *, search_pulses: int = DEFAULT_SEARCH_PULSES
) -> tuple[Detections, Alignment]:
    """Find how the receiver's numbers of pulses differ from the sender's, and cut the disclosed ones out.

    For users who number pulses themselves; `pulse_numbers(..., pattern=...)` does it on its own.

    >>> import numpy as np, qkdpost as qp
    >>> alice, bob = qp.simulation.bb84(pulses=400_000, rng=np.random.default_rng(1))
    >>> late = qp.Detections(pulses=bob.pulses + 777, slots=bob.slots + 777, bases=bob.bases, outcomes=bob.bits)
    >>> pattern, rest = qp.sifting.alignment_pattern(alice)
    >>> aligned, alignment = qp.sifting.align(late, pattern)
    >>> alignment.offset, aligned.pulses == rest.pulses
    (-777, True)

    At an offset that is wrong each detection of a disclosed pulse in its basis agrees with probability 1/2, since the
    sender's bits are random; the probability that chance gives as good an agreement, times the offsets tried, is
    stated and at most 1e-12.

    Args:
        detections: of the receiver, in its own numbers.
        pattern: as the sender disclosed it.
        search_pulses: offsets up to this many pulses either way are tried, those near 0 first; a million take some
            tenths of a second.

    Returns:
        The detections of pulses that were not disclosed, numbered as in the sender's remaining record, and how.

    Raises:
        NoAlignment: at no offset do they agree better than by chance.
        InputError: the count of pulses was lost between two stretches.
    """
    instance("detections", detections, Detections)
    bases, bits = (np.asarray(part).astype(np.uint8) for part in (detections.bases, detections.bits))
    found = find_alignment(detections.slots, bases, bits, pattern, search_pulses=search_pulses)
    slots, left = pattern.renumbered(detections.slots + found.offset)
    # The count of double clicks, of the whole record, is kept for the report.
    aligned = Detections.with_drawn_bits(
        pattern.remaining_pulses,
        slots[left],
        Bits.from_array(bases[left]),
        Bits.from_array(bits[left]),
        double_clicks=detections.double_clicks,
    )
    return aligned, found


def find_alignment(
    slots: Slots,
    bases: NDArray[np.uint8],
    bits: NDArray[np.uint8],
    pattern: AlignmentPattern,
    *,
    search_pulses: int = DEFAULT_SEARCH_PULSES,
) -> Alignment:
    """Find the offset; slots, increasing, may be negative. Else as `align`."""
    instance("pattern", pattern, AlignmentPattern)
    reach = whole_number("search_pulses", search_pulses, most=2**34)
    record = (slots, bases, bits)
    offset, opposite = best_offsets(record, pattern, reach)
    tried = 2 * reach + 1
    compared, agreed = agreement(record, pattern, offset)
    chance = chance_of(compared, agreed, tried)
    if chance > MAX_FALSE_ALIGNMENT:
        raise NoAlignment(_why_not(record, pattern, reach, (compared, agreed), opposite))
    _check_stretches(record, pattern, offset)
    return Alignment(
        offset=offset, compared=compared, agreed=agreed, false_alarm_probability=chance, offsets_tried=tried
    )


def check_outcomes(
    slots: Slots,
    bases: NDArray[np.uint8],
    bits: NDArray[np.uint8],
    pattern: AlignmentPattern,
    offset: int,
    detectors_of: Callable[[int, int], tuple[int, ...]],
) -> None:
    """Refuse a record in which some detector fits the pattern only some pulses before or after the others.

    Raises:
        InputError: it does; the message names the detector and the delay to give.
    """
    for basis, bit in ((0, 0), (0, 1), (1, 0), (1, 1)):
        own = (bases == basis) & (bits == bit)
        record = slots[own], bases[own], bits[own]
        compared, agreed = agreement(record, pattern, offset)
        if compared < 40 or agreed > 0.75 * compared:
            continue
        for step in _STEPS:
            if chance_of(*agreement(record, pattern, offset - step), 4 * len(_STEPS)) < MAX_FALSE_ALIGNMENT:
                raise InputError(
                    f"clicks of detector {detectors_of(basis, bit)} fit the disclosed pulses if they came {step:+d} "
                    "periods late against the others: give delays_ps, with that many periods more for this detector"
                )


def _why_not(
    record: NumberedRecord,
    pattern: AlignmentPattern,
    reach: int,
    best: tuple[int, int],
    opposite: int,
) -> str:
    """Say why there is no alignment: outcomes or bases exchanged, too few detections, or none within the search."""
    slots, bases, bits = record
    compared, agreed = agreement(record, pattern, opposite)
    if chance_of(compared, compared - agreed, 2 * reach + 1) <= MAX_FALSE_ALIGNMENT:
        return (
            f"at offset {opposite} outcomes are opposite: {agreed} of {compared} agree; name the detectors of each "
            "basis in the opposite order"
        )
    exchanged = (slots, bases ^ np.uint8(1), bits)
    offset, _ = best_offsets(exchanged, pattern, reach)
    compared, agreed = agreement(exchanged, pattern, offset)
    if chance_of(compared, agreed, 2 * reach + 1) <= MAX_FALSE_ALIGNMENT:
        return f"at offset {offset} the bases are exchanged: name the test basis' detectors as the key basis', and back"
    return (
        f"the detections agree with the disclosed pulses at no offset within +-{reach} pulses: the best has "
        f"{best[1]} of {best[0]}. Widen search_pulses; or disclose more pulses (alignment_pattern's pulses_each) if "
        "these are fewer than 100"
    )


def _check_stretches(record: NumberedRecord, pattern: AlignmentPattern, offset: int) -> None:
    """Refuse a record in which some stretches do not fit the offset that all together have."""
    counts = [agreement(record, pattern, offset, place) for place in range(len(pattern.starts))]
    compared, agreed = (sum(column) for column in zip(*counts, strict=True))
    for place, (here, right) in enumerate(counts):
        # As the others agree, so few of this stretch would agree once in 10^12 records; 60 at least are needed.
        typical = (agreed - right) / max(1, compared - here)
        if here >= 60 and right < 0.75 * here and 1 - bdtrc(right, here, max(0.75, min(typical, 0.999))) < 1e-12:
            raise InputError(
                f"the count of pulses was lost: at offset {offset} only {right} of {here} detections agree in the "
                f"stretch from pulse {pattern.starts[place]} on, though {agreed} of {compared} do in all. Look for a "
                "gap in the sync or in the clicks, and submit the pieces before and after it apart"
            )
