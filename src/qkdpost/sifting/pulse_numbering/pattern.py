"""Pulses that the sender discloses, by which the receiver's numbers of pulses are found to be the sender's.

The pattern is public and is not secret from anyone; what it shows is cut from both records. Where it lies is fixed by
the number of pulses alone: were pulses chosen by what they carry, those that are left would be known in part.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qkdpost.bits import Bits, concatenate
from qkdpost.checks import instance, whole_number, whole_numbers
from qkdpost.errors import InputError
from qkdpost.labels import Labels
from qkdpost.records import PreparedPulses

__all__ = ["AlignmentPattern", "alignment_pattern"]

_MAGIC = b"qkdpulse"
_HEAD_BYTES = len(_MAGIC) + 24

Slots = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlignmentPattern:
    """Pulses that the sender discloses so that the receiver can number its own: public, and no part of any key.

    Args:
        pulses: how many the sender sent, these included.
        starts: the first pulse of each disclosed stretch, increasing.
        length: how many pulses each stretch has.
        bases: of the pulses of all stretches, one after another.
        bits: likewise.

    >>> import qkdpost as qp
    >>> from qkdpost import sifting
    >>> alice, _ = qp.simulation.bb84(pulses=100_000, rng=1)
    >>> pattern, rest = sifting.alignment_pattern(alice)
    >>> isinstance(pattern, sifting.AlignmentPattern), pattern.pulses
    (True, 100000)
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


def alignment_pattern(
    prepared: PreparedPulses, *, stretches: int = 4, pulses_each: int | None = None
) -> tuple[AlignmentPattern, PreparedPulses]:
    """Disclose a few stretches of pulses, evenly over the record, and cut them out of it.

    >>> import numpy as np, qkdpost as qp
    >>> alice, _ = qp.simulation.bb84(pulses=100_000, rng=np.random.default_rng(1))
    >>> pattern, rest = qp.sifting.alignment_pattern(alice)
    >>> pattern.starts, pattern.length, rest.pulses
    ((12438, 37438, 62438, 87438), 125, 99500)

    Send `pattern` to the receiver over any channel, once detection is over; keep `rest` for the session.

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


def _cutter(pulses: int, starts: tuple[int, ...], length: int) -> tuple[Callable[[Bits], Bits], Callable[[Bits], Bits]]:
    """Return what keeps the bits outside of the stretches, and what keeps those inside."""
    ends = [0, *(start + length for start in starts)]
    gaps = list(zip(ends, [*starts, pulses], strict=True))

    def kept(bits: Bits) -> Bits:
        return concatenate(bits[first:last] for first, last in gaps)

    def cut(bits: Bits) -> Bits:
        return concatenate(bits[start : start + length] for start in starts)

    return kept, cut
