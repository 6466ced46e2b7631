"""Which of the receiver's pulses is which of the sender's: found from some that the sender discloses.

The pattern is public and is not secret from anyone; what it tells is cut from both records. Where it lies is fixed by
the number of pulses alone: were pulses chosen by what they carry, those that are left would be known in part.
Who forges a pattern on its way shifts or scatters the receiver's numbers. That is no more than an adversary can do by
delaying the light itself: the numbers are public anyway, bases and outcomes are the receiver's and fixed before, and
the protocol's own comparison of errors then finds no key. Nothing of a channel is estimated from the pattern.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.fft import fft, ifft, next_fast_len
from scipy.special import bdtrc

from qkdpost.bits import Bits, concatenate
from qkdpost.checks import instance, whole_number, whole_numbers
from qkdpost.errors import InputError
from qkdpost.labels import Labels
from qkdpost.records import Detections, PreparedPulses

__all__ = [
    "Alignment",
    "AlignmentPattern",
    "NoAlignment",
    "align",
    "alignment_pattern",
    "check_outcomes",
    "find_alignment",
]

MAX_FALSE_ALIGNMENT = 1e-12
"""How probably records that have nothing to do with each other are aligned at most, counted over all offsets tried."""
DEFAULT_SEARCH_PULSES = 2**23
_BLOCK_OFFSETS = 2**17
_MAGIC = b"qkdpulse"
_HEAD_BYTES = len(_MAGIC) + 24
_STEPS = (-1, 1, -2, 2, -3, 3)

Slots = NDArray[np.int64]
_Record = tuple[Slots, NDArray[np.uint8], NDArray[np.uint8]]
"""The receiver's numbers of pulses, increasing, the bases, and the outcomes."""


class NoAlignment(InputError):
    """The receiver's detections agree with the disclosed pulses at no offset that was tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlignmentPattern:
    """Pulses that the sender discloses so that the receiver can number his: public, and no part of any key.

    Args:
        pulses: how many the sender sent, these included.
        starts: the first pulse of each disclosed stretch, increasing.
        length: how many pulses each stretch has.
        bases: of the pulses of all stretches, one after another.
        bits: likewise.
    """

    pulses: int
    starts: tuple[int, ...]
    length: int
    bases: Bits = field(repr=False)
    bits: Bits = field(repr=False)

    def __post_init__(self) -> None:
        pulses = whole_number("pulses", self.pulses)
        length = whole_number("length", self.length, least=1, most=max(pulses, 1))
        starts = whole_numbers("starts", self.starts)
        ends = [0, *(start + length for start in starts)]
        if not starts or any(start < end for start, end in zip([*starts, pulses], ends, strict=True)):
            raise InputError(f"starts must name stretches of {length} in {pulses} pulses that do not overlap")
        if (
            not len(instance("bases", self.bases, Bits))
            == len(instance("bits", self.bits, Bits))
            == len(starts) * length
        ):
            raise InputError(f"a pattern of {len(starts)} stretches has a basis and a bit for each of {length} pulses")
        for name, value in (("pulses", pulses), ("length", length), ("starts", starts)):
            object.__setattr__(self, name, value)

    def to_bytes(self) -> bytes:
        """Return the pattern as bytes, to be sent: numbers of 8 bytes, lowest byte first, then bases, then bits."""
        numbers = (self.pulses, self.length, len(self.starts), *self.starts)
        return _MAGIC + struct.pack(f"<{len(numbers)}Q", *numbers) + self.bases.to_bytes() + self.bits.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> AlignmentPattern:
        """Read what `to_bytes` made.

        >>> import numpy as np, qkdpost as qp
        >>> alice, _ = qp.simulation.bb84(pulses=10_000, rng=np.random.default_rng(1))
        >>> pattern, rest = qp.sifting.alignment_pattern(alice)
        >>> qp.sifting.AlignmentPattern.from_bytes(pattern.to_bytes()) == pattern
        True

        Raises:
            InputError: these bytes are no pattern.
        """
        data = bytes(instance("data", data, bytes))
        if not data.startswith(_MAGIC) or len(data) < _HEAD_BYTES:
            raise InputError("these bytes do not begin as a pattern made by AlignmentPattern.to_bytes does")
        pulses, length, stretches = struct.unpack_from("<3Q", data, len(_MAGIC))
        size = (stretches * length + 7) // 8
        if len(data) != _HEAD_BYTES + 8 * stretches + 2 * size:
            raise InputError(f"{len(data)} bytes are not {stretches} stretches of {length} pulses")
        starts = struct.unpack_from(f"<{stretches}Q", data, _HEAD_BYTES)
        first = _HEAD_BYTES + 8 * stretches
        return cls(
            pulses=pulses,
            starts=starts,
            length=length,
            bases=Bits.from_bytes(data[first : first + size], stretches * length),
            bits=Bits.from_bytes(data[first + size :], stretches * length),
        )

    @property
    def remaining_pulses(self) -> int:
        """How many pulses are left when those of the pattern are cut out."""
        return self.pulses - len(self.starts) * self.length

    def renumbered(self, slots: Slots) -> tuple[Slots, NDArray[np.bool_]]:
        """Return the numbers of pulses in what is left, and which of `slots` are left; both of shape (n,)."""
        starts = np.array(self.starts, dtype=np.int64)
        before = np.searchsorted(starts, slots, side="right")
        disclosed = (before > 0) & (slots < starts[np.maximum(before - 1, 0)] + self.length)
        left = ~disclosed & (slots >= 0) & (slots < self.pulses)
        return slots - before * self.length, left


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """How the receiver's numbers of pulses became the sender's.

    Args:
        offset: what was added to the receiver's numbers.
        compared: detections of disclosed pulses in the same basis.
        agreed: how many of them had the disclosed bit.
        false_alarm_probability: how probably chance gives as good an agreement at some offset tried.
        offsets_tried: how many those were.
    """

    offset: int
    compared: int
    agreed: int
    false_alarm_probability: float
    offsets_tried: int


def alignment_pattern(
    prepared: PreparedPulses, *, stretches: int = 4, pulses_each: int | None = None
) -> tuple[AlignmentPattern, PreparedPulses]:
    """Disclose a few stretches of pulses, evenly over the record, and cut them out of it.

    >>> import numpy as np, qkdpost as qp
    >>> alice, _ = qp.simulation.bb84(pulses=100_000, rng=np.random.default_rng(1))
    >>> pattern, rest = qp.sifting.alignment_pattern(alice)
    >>> pattern.starts, pattern.length, rest.pulses
    ((12438, 37438, 62438, 87438), 125, 99500)

    Send `pattern` to the receiver over any channel, once he has detected; keep `rest` for the session.

    Args:
        prepared: what the sender sent; secret.
        stretches: how many. Each is checked by itself: pulses that were lost count between two of them are found.
        pulses_each: how many pulses each has; some 200 of them must be detected in the basis in which they were sent.
            By default all stretches together are half a percent of the pulses.

    Returns:
        The pattern, public, and the sender's record of what is left, secret.

    Raises:
        InputError: the stretches do not fit into the record.
    """
    instance("prepared", prepared, PreparedPulses)
    stretches = whole_number("stretches", stretches, least=1, most=4096)
    each = max(1, prepared.pulses // (200 * stretches)) if pulses_each is None else pulses_each
    length = whole_number("pulses_each", each, least=1, most=max(1, prepared.pulses // stretches))
    if stretches * length >= prepared.pulses:
        raise InputError(f"{stretches} stretches of {length} pulses leave nothing of {prepared.pulses}")
    starts = tuple((2 * place + 1) * prepared.pulses // (2 * stretches) - length // 2 for place in range(stretches))
    kept, cut = _cutter(prepared.pulses, starts, length)
    labels = prepared.intensities
    rest = PreparedPulses(
        bases=kept(prepared.bases),
        bits=kept(prepared.bits),
        intensities=None if labels is None else Labels(tuple(kept(plane) for plane in labels.planes)),
    )
    pattern = AlignmentPattern(
        pulses=prepared.pulses, starts=starts, length=length, bases=cut(prepared.bases), bits=cut(prepared.bits)
    )
    return pattern, rest


def align(
    detections: Detections, pattern: AlignmentPattern, *, search_pulses: int = DEFAULT_SEARCH_PULSES
) -> tuple[Detections, Alignment]:
    """Find how the receiver's numbers of pulses differ from the sender's, and cut the disclosed ones out.

    For who numbers pulses by himself; `pulse_numbers(..., pattern=...)` does it on its own.

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
        detections: of the receiver, in his own numbers.
        pattern: as the sender disclosed it.
        search_pulses: offsets of so many pulses either way are tried, those near 0 first; a million take some tenths of
            a second.

    Returns:
        The detections of pulses that were not disclosed, numbered as in the sender's remaining record, and how.

    Raises:
        NoAlignment: at no offset do they agree better than by chance.
        InputError: pulses were lost count of between two stretches.
    """
    instance("detections", detections, Detections)
    bases, bits = (np.asarray(part).astype(np.uint8) for part in (detections.bases, detections.bits))
    found = find_alignment(detections.slots, bases, bits, pattern, search_pulses=search_pulses)
    slots, left = pattern.renumbered(detections.slots + found.offset)
    aligned = Detections(
        pulses=pattern.remaining_pulses, slots=slots[left], bases=bases[left], outcomes=Bits.from_array(bits[left])
    )
    # Bits of double clicks are drawn already; the count, of the whole record, is kept for the report.
    object.__setattr__(aligned, "double_clicks", detections.double_clicks)
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
    offset, opposite = _best_offsets(record, pattern, reach)
    tried = 2 * reach + 1
    compared, agreed = _agreement(record, pattern, offset)
    chance = _chance(compared, agreed, tried)
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
        InputError: it does; the message names the detector and the delay to tell.
    """
    for basis, bit in ((0, 0), (0, 1), (1, 0), (1, 1)):
        own = (bases == basis) & (bits == bit)
        record = slots[own], bases[own], bits[own]
        compared, agreed = _agreement(record, pattern, offset)
        if compared < 40 or agreed > 0.75 * compared:
            continue
        for step in _STEPS:
            if _chance(*_agreement(record, pattern, offset - step), 4 * len(_STEPS)) < MAX_FALSE_ALIGNMENT:
                raise InputError(
                    f"clicks of detector {detectors_of(basis, bit)} fit the disclosed pulses if they came {step:+d} "
                    "periods late against the others: tell delays_ps, with so many periods more for this detector"
                )


def _cutter(pulses: int, starts: tuple[int, ...], length: int) -> tuple[Callable[[Bits], Bits], Callable[[Bits], Bits]]:
    """Return what keeps the bits outside of the stretches, and what keeps those inside."""
    ends = [0, *(start + length for start in starts)]
    gaps = list(zip(ends, [*starts, pulses], strict=True))

    def kept(bits: Bits) -> Bits:
        return concatenate(bits[first:last] for first, last in gaps)

    def cut(bits: Bits) -> Bits:
        return concatenate(bits[start : start + length] for start in starts)

    return kept, cut


def _chance(compared: int, agreed: int, tried: int) -> float:
    """Return how probably at least `agreed` of `compared` fair coins fall right, in one of `tried` trials at most."""
    if not agreed:
        return 1.0
    return min(1.0, tried * float(bdtrc(agreed - 1, compared, 0.5)))


def _agreement(
    record: _Record,
    pattern: AlignmentPattern,
    offset: int,
    stretch: int | None = None,
) -> tuple[int, int]:
    """Return how many detections of disclosed pulses were made in their basis, and how many agree."""
    slots, bases, bits = record
    compared = agreed = 0
    for place, start in enumerate(pattern.starts):
        if stretch is not None and place != stretch:
            continue
        first, last = np.searchsorted(slots, [start - offset, start + pattern.length - offset])
        at = slots[first:last] + (offset - start + place * pattern.length)
        same = np.asarray(pattern.bases.take(at)) == bases[first:last]
        compared += int(same.sum())
        agreed += int((same & (np.asarray(pattern.bits.take(at)) == bits[first:last])).sum())
    return compared, agreed


def _symbols(bases: NDArray[np.uint8], bits: NDArray[np.uint8]) -> NDArray[np.complex64]:
    """Return +-1 for bits of the key basis and +-i for those of the test basis: products across bases are imaginary."""
    symbols: NDArray[np.complex64] = np.where(bases == 0, np.complex64(1), np.complex64(1j))
    symbols *= 1 - 2 * bits.astype(np.float32)
    return symbols


def _best_offsets(record: _Record, pattern: AlignmentPattern, reach: int) -> tuple[int, int]:
    """Return the offset of most agreement over all stretches together, and that of most disagreement.

    Offsets near 0 are tried first, and no more once one agrees as chance would not in all of them.
    """
    slots, bases, bits = record
    seen = _symbols(bases, bits)
    size = next_fast_len(max(8 * pattern.length, _BLOCK_OFFSETS))
    lags = size - pattern.length + 1
    spectra = []
    for place in range(len(pattern.starts)):
        part = slice(place * pattern.length, (place + 1) * pattern.length)
        sent = _symbols(np.asarray(pattern.bases[part]), np.asarray(pattern.bits[part]))
        spectra.append(np.conj(fft(sent, size)))
    best = worst = (0.0, 0)
    for lowest in sorted(range(-reach, reach + 1, lags), key=lambda first: abs(first + lags // 2)):
        # At lag k of this block the receiver's pulse start + lowest + k is compared with the sender's pulse start.
        total = np.zeros(size, dtype=np.complex64)
        for start, spectrum in zip(pattern.starts, spectra, strict=True):
            first, last = np.searchsorted(slots, [start + lowest, start + lowest + size])
            dense = np.zeros(size, dtype=np.complex64)
            dense[slots[first:last] - (start + lowest)] = seen[first:last]
            total += fft(dense, overwrite_x=True) * spectrum
        scores = ifft(total, overwrite_x=True).real[: min(lags, reach - lowest + 1)]
        high, low = int(scores.argmax()), int(scores.argmin())
        worst = max(worst, (-float(scores[low]), -(lowest + low)))
        if float(scores[high]) > best[0]:
            best = float(scores[high]), -(lowest + high)
            if _chance(*_agreement(record, pattern, best[1]), 2 * reach + 1) <= MAX_FALSE_ALIGNMENT:
                break
    return best[1], worst[1]


def _why_not(
    record: _Record,
    pattern: AlignmentPattern,
    reach: int,
    best: tuple[int, int],
    opposite: int,
) -> str:
    """Say why there is no alignment: outcomes or bases exchanged, too few detections, or none within the search."""
    slots, bases, bits = record
    compared, agreed = _agreement(record, pattern, opposite)
    if _chance(compared, compared - agreed, 2 * reach + 1) <= MAX_FALSE_ALIGNMENT:
        return (
            f"at offset {opposite} outcomes are opposite: {agreed} of {compared} agree; name the detectors of each "
            "basis in the opposite order"
        )
    exchanged = (slots, bases ^ np.uint8(1), bits)
    offset, _ = _best_offsets(exchanged, pattern, reach)
    compared, agreed = _agreement(exchanged, pattern, offset)
    if _chance(compared, agreed, 2 * reach + 1) <= MAX_FALSE_ALIGNMENT:
        return f"at offset {offset} the bases are exchanged: name the test basis' detectors as the key basis', and back"
    return (
        f"the detections agree with the disclosed pulses at no offset within +-{reach} pulses: the best has "
        f"{best[1]} of {best[0]}. Widen search_pulses; or disclose more pulses (alignment_pattern's pulses_each) if "
        "these are fewer than 100"
    )


def _check_stretches(record: _Record, pattern: AlignmentPattern, offset: int) -> None:
    """Refuse a record in which some stretches do not fit the offset that all together have."""
    counts = [_agreement(record, pattern, offset, place) for place in range(len(pattern.starts))]
    compared, agreed = (sum(column) for column in zip(*counts, strict=True))
    for place, (here, right) in enumerate(counts):
        # As the others agree, so few of this stretch would agree once in 10^12 records; with 60 at least to tell.
        typical = (agreed - right) / max(1, compared - here)
        if here >= 60 and right < 0.75 * here and 1 - bdtrc(right, here, max(0.75, min(typical, 0.999))) < 1e-12:
            raise InputError(
                f"pulses were lost count of: at offset {offset} only {right} of {here} detections agree in the "
                f"stretch from pulse {pattern.starts[place]} on, though {agreed} of {compared} do in all. Look for a "
                "gap in the sync or in the clicks, and submit the pieces before and after it apart"
            )
