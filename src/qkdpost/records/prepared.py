"""The record of a side that prepares pulses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from numpy.typing import ArrayLike

from qkdpost.bits import Bits, BitsLike
from qkdpost.display import html_table
from qkdpost.errors import InputError
from qkdpost.labels import MAX_LABEL, Labels
from qkdpost.records.bases import BASES_HINT

__all__ = ["PreparedPulses"]


@dataclass(frozen=True, slots=True, weakref_slot=True, kw_only=True)
class PreparedPulses:
    """What the sending side of a prepare-and-measure link did, pulse by pulse.

    Args:
        bases: the basis of every pulse, 0 key, 1 test; shape (pulses,). Public only after detection.
        bits: the bit of every pulse; shape (pulses,). Secret.
        intensities: with decoy states, which of the link's intensities every pulse had: 0 is the first, 7 the last
            possible; integers, shape (pulses,), or `Labels`. Public only after detection.

    >>> PreparedPulses([0, 1, 1], [0, 0, 1], intensities=[0, 2, 0])
    PreparedPulses(pulses=3, with intensities)
    """

    bases: Bits = field(repr=False)
    bits: Bits = field(repr=False)
    intensities: Labels | None = field(repr=False)

    def __init__(self, bases: BitsLike, bits: BitsLike, intensities: ArrayLike | Labels | None = None) -> None:
        object.__setattr__(self, "bases", Bits.coerce(bases, name="bases", hint=BASES_HINT))
        object.__setattr__(self, "bits", Bits.coerce(bits))
        labels = intensities if isinstance(intensities, Labels | None) else Labels.from_array(intensities)
        if labels is not None and len(labels) != len(self.bits):
            raise InputError(
                f"intensities must have one entry per pulse; found {len(labels)} for {len(self.bits)} pulses"
            )
        object.__setattr__(self, "intensities", labels)
        if len(self.bases) != len(self.bits):
            raise InputError(
                f"bases and bits must have one entry per pulse; found {len(self.bases)} bases, {len(self.bits)} bits"
            )

    def __repr__(self) -> str:
        return f"PreparedPulses(pulses={self.pulses}{', with intensities' if self.intensities is not None else ''})"

    def _repr_html_(self) -> str:
        test = self.bases.weight()
        rows = [
            ("pulses", f"{self.pulses:,}"),
            ("of these in key / test basis", f"{self.pulses - test:,} / {test:,}"),
        ]
        if self.intensities is not None:
            counts = (self.intensities.where(label).weight() for label in range(MAX_LABEL + 1))
            rows += [(f"with intensity {label}", f"{count:,}") for label, count in enumerate(counts) if count]
        return html_table("PreparedPulses", rows)

    @property
    def pulses(self) -> int:
        """The number of pulses sent."""
        return len(self.bits)

    @property
    def events(self) -> int:
        """No detection: 0."""
        return 0

    def check_for(self, settings: object) -> None:
        """Check that the pulses have the intensities of the link, `settings.intensities`, and none if it has none.

        Raises:
            InputError: they have not.
        """
        intensities: Sequence[float] = getattr(settings, "intensities", ())
        if self.intensities is None:
            if intensities:
                raise InputError(
                    f"the record has no intensities; every pulse of this link has one of {len(intensities)}: "
                    f"PreparedPulses(intensities=...), 0 for {intensities[0]}"
                )
            return
        if not intensities:
            raise InputError(
                "the record has intensities, and this link has none; use a link with decoy states, or leave them out"
            )
        for label in range(len(intensities), 1 << len(self.intensities.planes)):
            count = self.intensities.where(label).weight()
            if count:
                raise InputError(
                    f"{count} pulses have intensity {label}; the link has {len(intensities)} intensities, "
                    f"numbered 0 ... {len(intensities) - 1}"
                )
