"""The record of a side that detects in numbered slots."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkdpost.bits import Bits, BitsLike
from qkdpost.checks import increasing, small_vector, whole_number
from qkdpost.display import html_table
from qkdpost.errors import InputError
from qkdpost.records.bases import BASES_HINT, DOUBLE_CLICK
from qkdpost.records.dense import detected

__all__ = ["Detections"]

_DENSE_HINT = "Detections.from_outcomes(outcomes, bases=bases) takes an entry for each pulse"
_MASK_HINT = f"If this is a mask with an entry for each slot, give np.flatnonzero(mask). {_DENSE_HINT}"
_NO_CLICK_HINT = (
    f"{_DENSE_HINT}, -1 where nothing was detected; else leave those out: seen = np.flatnonzero(outcomes >= 0), "
    "slots[seen], bases[seen], outcomes[seen]"
)
_SORT_SLOTS_HINT = "Sort the record by slot; if this is a mask, give np.flatnonzero(mask)"
_ONE_SLOT_HINT = (
    "Name each slot once, with outcome 2 where both detectors clicked; if this is a mask, give np.flatnonzero(mask)"
)


@dataclass(frozen=True, slots=True, weakref_slot=True, kw_only=True, eq=False)
class Detections:
    """What a receiving side saw: the slots in which it detected, with basis and outcome.

    Slots in which a detector was still recovering from a click must be left out, whatever the others saw: the slot,
    which is announced, would reveal that it was not this one.

    Args:
        pulses: how many slots the record covers, detected or not; at most 2^53.
        slots: the slots with a detection, strictly increasing, each below `pulses`; integers, shape (n,).
        bases: the basis of each detection, 0 key, 1 test; shape (n,).
        outcomes: 0, 1, or `DOUBLE_CLICK`, which gets a random bit here and now: to discard double clicks is insecure.
            Shape (n,). Secret.
        random_source: where those bits come from: returns the number of truly random bytes asked for; the operating
            system's generator by default. A session's `random_source` does not serve here: they are drawn before.

    >>> Detections(10, slots=[1, 4, 9], bases=[0, 1, 0], outcomes=[0, 1, 1])
    Detections(pulses=10, detections=3, double_clicks=0)
    """

    pulses: int
    slots: NDArray[np.int64] = field(repr=False)
    bases: Bits = field(repr=False)
    bits: Bits = field(repr=False)
    double_clicks: int

    def __init__(
        self,
        pulses: int,
        slots: ArrayLike,
        bases: BitsLike,
        outcomes: BitsLike,
        *,
        random_source: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        object.__setattr__(self, "pulses", whole_number("pulses", pulses))
        object.__setattr__(self, "slots", _slots(slots))
        object.__setattr__(self, "bases", Bits.coerce(bases, name="bases", hint=BASES_HINT))
        bits, double_clicks = _resolve_double_clicks(outcomes, random_source)
        object.__setattr__(self, "bits", bits)
        object.__setattr__(self, "double_clicks", double_clicks)
        count = self.slots.size
        if len(self.bases) != count or len(bits) != count:
            raise InputError(
                "slots, bases and outcomes must have one entry per detection; "
                f"found {count} slots, {len(self.bases)} bases, {len(bits)} outcomes"
            )
        if count and (self.slots[0] < 0 or self.slots[-1] >= self.pulses):
            raise InputError(f"slots must lie in 0 ... {self.pulses - 1}; found {self.slots[0]} ... {self.slots[-1]}")

    @classmethod
    def from_outcomes(
        cls,
        outcomes: ArrayLike,
        *,
        bases: ArrayLike,
        none: int | None = -1,
        random_source: Callable[[int], bytes] = secrets.token_bytes,
    ) -> Detections:
        """Make the record of arrays with one entry for each pulse, sent and detected or not.

        Args:
            outcomes: 0, 1 or `DOUBLE_CLICK` where something was detected, `none` where nothing was; shape (pulses,): a
                list, an array of integers or whole floats, or a column of a table, in which missing entries (NaN, NA,
                None, masked) mean that nothing was detected. Secret.
            bases: 0 key, 1 test; shape (pulses,). What stands where nothing was detected is not looked at.
            none: the number that says so; it must be no outcome. None: only missing entries do.
            random_source: for double clicks, as in `Detections`.

        Raises:
            InputError: no vectors of one length; or an entry is none of these.

        >>> Detections.from_outcomes([0, -1, -1, 1], bases=[0, 1, 1, 1]).slots.tolist()
        [0, 3]
        """
        pulses, slots, chosen, seen = detected(outcomes, bases, none)
        return cls(pulses, slots, chosen, seen, random_source=random_source)

    @classmethod
    def with_drawn_bits(
        cls, pulses: int, slots: ArrayLike, bases: Bits, bits: Bits, *, double_clicks: int
    ) -> Detections:
        """Make a record again in which double clicks have their random bits already, as one that was stored.

        Raises:
            InputError: as `Detections`.
        """
        record = cls(pulses, slots, bases, bits)
        object.__setattr__(record, "double_clicks", whole_number("double_clicks", double_clicks))
        return record

    @property
    def events(self) -> int:
        """The number of detections."""
        return int(self.slots.size)

    def check_for(self, settings: object) -> None:
        """Detections suit all links: everything was checked when the record was made."""

    def __repr__(self) -> str:
        return f"Detections(pulses={self.pulses}, detections={self.events}, double_clicks={self.double_clicks})"

    def _repr_html_(self) -> str:
        test = self.bases.weight()
        rows = [
            ("pulses", f"{self.pulses:,}"),
            ("detections", f"{self.events:,}"),
            ("of these in key / test basis", f"{self.events - test:,} / {test:,}"),
            ("double clicks", f"{self.double_clicks:,}"),
        ]
        return html_table("Detections", rows)

    def __copy__(self) -> Detections:
        """Return another record of the same arrays, which nobody can write to; `__reduce__` would copy them."""
        other = object.__new__(Detections)
        for item in fields(self):
            object.__setattr__(other, item.name, getattr(self, item.name))
        return other

    def __reduce__(self) -> tuple[Callable[..., Detections], tuple[Any, ...]]:
        """Pickle what it is made of: what is unpickled is checked, and its arrays are read-only again."""
        return _detections, (self.pulses, self.slots, self.bases, self.bits, self.double_clicks)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Detections):
            return NotImplemented
        rest = (self.pulses, self.bases, self.bits, self.double_clicks)
        same = rest == (other.pulses, other.bases, other.bits, other.double_clicks)
        return same and np.array_equal(self.slots, other.slots)

    __hash__ = None  # type: ignore[assignment]


def _detections(pulses: int, slots: ArrayLike, bases: Bits, bits: Bits, double_clicks: int) -> Detections:
    return Detections.with_drawn_bits(pulses, slots, bases, bits, double_clicks=double_clicks)


def _slots(slots: ArrayLike) -> NDArray[np.int64]:
    return increasing(
        "slots", slots, strictly=True, flag_hint=_MASK_HINT, disorder_hint=_SORT_SLOTS_HINT, equal_hint=_ONE_SLOT_HINT
    )


def _resolve_double_clicks(outcomes: BitsLike, random_source: Callable[[int], bytes]) -> tuple[Bits, int]:
    if isinstance(outcomes, Bits):
        return outcomes, 0
    values = small_vector(
        "outcomes", outcomes, most=DOUBLE_CLICK, wanted=f"0, 1 or {DOUBLE_CLICK} (double click)", hint=_NO_CLICK_HINT
    )
    double = np.flatnonzero(values == DOUBLE_CLICK) if values.dtype != np.bool_ else np.zeros(0, dtype=np.int64)
    if double.size:
        values = values.copy()
        values[double] = _drawn_bits(random_source, int(double.size))
    return Bits.from_array(values, name="outcomes"), int(double.size)


def _drawn_bits(random_source: Callable[[int], bytes], count: int) -> NDArray[np.uint8]:
    """Draw `count` bits; they become outcomes, so no error shows them."""
    wanted = (count + 7) // 8
    drawn = random_source(wanted)
    if not isinstance(drawn, bytes | bytearray) or len(drawn) != wanted:
        del drawn
        raise InputError(
            f"random_source must return as many bytes as it is asked, {wanted}; it returned something else"
        )
    return np.unpackbits(np.frombuffer(drawn, dtype=np.uint8), count=count)
