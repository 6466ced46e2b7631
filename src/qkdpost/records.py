"""Raw records, as the devices write them, and the counts that a bound for qubits takes.

Bases are bits everywhere: 0 is the key basis (Z), 1 is the test basis (X). Times are whole ticks of a clock whose
tick length is stated in picoseconds. Every record is frozen and checked when it is built; what is secret is left
out of its representation.

A kind of QKD may bring a record type of its own: what a session needs of one is `RawRecord`, and
`qkdpost.health.summarise` has a place for what it counts.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkdpost.bits import Bits, BitsLike
from qkdpost.checks import (
    increasing,
    real_number,
    small_vector,
    whole_number,
)
from qkdpost.errors import InputError
from qkdpost.labels import Labels

__all__ = [
    "DOUBLE_CLICK",
    "KEY_BASIS",
    "MAX_SPAN_TICKS",
    "MAX_TICK",
    "MAX_TICK_PS",
    "MIN_TICK_PS",
    "TEST_BASIS",
    "Detections",
    "PreparedPulses",
    "RawRecord",
    "TimeTags",
]

_CHANNELS = "0 ... 3: outcomes 0 and 1 of the key basis, then of the test basis"
KEY_BASIS = 0
TEST_BASIS = 1
DOUBLE_CLICK = 2
"""The outcome of a detection in which both detectors of the basis clicked."""

MAX_TICK = 2**61
"""Ticks lie within +-this, so that no difference of two of them overflows 64 bits."""
MAX_SPAN_TICKS = 2**53 - 1
"""The longest record of time tags that can be encoded: 2.5 hours at 1 ps."""
MIN_TICK_PS = 0.1
"""Far below the jitter of any detector; shorter ticks would only make histograms long."""
MAX_TICK_PS = 10_000.0
"""Longer ticks no longer separate pairs from chance."""

_BASES_HINT = "0 is the key basis, 1 the test basis"
_MASK_HINT = "If this is a mask with an entry for each slot, give np.flatnonzero(mask)"
_NO_CLICK_HINT = "Leave out slots without a click: seen = np.flatnonzero(outcomes >= 0), slots[seen], outcomes[seen]"
_SECONDS_HINT = "Make whole ticks of seconds by np.rint(seconds / tick_seconds).astype(np.int64)"
_SORT_HINT = (
    "sifting.sort_time_tags sorts a slight disorder; else order = np.argsort(ticks, kind='stable'), and ticks[order], "
    "channels[order] are the record"
)
_SORT_SLOTS_HINT = "Sort the record by slot; if this is a mask, give np.flatnonzero(mask)"
_ONE_SLOT_HINT = (
    "Name each slot once, with outcome 2 where both detectors clicked; if this is a mask, give np.flatnonzero(mask)"
)


class RawRecord(Protocol):
    """What a session asks of a record that is submitted to it, whatever the kind of QKD.

    A record is frozen, can be referred to weakly (`weakref_slot=True`), and shows no secret in its representation.
    """

    @property
    def events(self) -> int:
        """How many detections it holds, by which blocks are cut and limited; 0 where nothing was detected."""

    def check_for(self, settings: object) -> None:
        """Check that the record suits the settings of the kind of QKD, when it is submitted.

        Args:
            settings: those of the kind; a record reads the attributes that concern it, as `intensities`.

        Raises:
            InputError: it does not.
        """


@dataclass(frozen=True, slots=True, weakref_slot=True, kw_only=True)
class PreparedPulses:
    """What the sending side of a prepare-and-measure link did, pulse by pulse.

    Args:
        bases: the basis of every pulse, 0 key, 1 test; shape (pulses,). Public only after detection.
        bits: the bit of every pulse; shape (pulses,). Secret.
        intensities: with decoy states, which of the link's intensities every pulse had: 0 is the first, 7 the last
            possible; integers, shape (pulses,), or `Labels`. Public only after detection.
    """

    bases: Bits = field(repr=False)
    bits: Bits = field(repr=False)
    intensities: Labels | None = field(repr=False)

    def __init__(self, *, bases: BitsLike, bits: BitsLike, intensities: ArrayLike | Labels | None = None) -> None:
        _set(self, "bases", Bits.coerce(bases, name="bases", hint=_BASES_HINT))
        _set(self, "bits", Bits.coerce(bits))
        labels = intensities if isinstance(intensities, Labels | None) else Labels.from_array(intensities)
        if labels is not None and len(labels) != len(self.bits):
            raise InputError(
                f"intensities must have one entry per pulse; found {len(labels)} for {len(self.bits)} pulses"
            )
        _set(self, "intensities", labels)
        if len(self.bases) != len(self.bits):
            raise InputError(
                f"bases and bits must have one entry per pulse; found {len(self.bases)} bases, {len(self.bits)} bits"
            )

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
    """

    pulses: int
    slots: NDArray[np.int64] = field(repr=False)
    bases: Bits = field(repr=False)
    bits: Bits = field(repr=False)
    double_clicks: int

    def __init__(
        self,
        *,
        pulses: int,
        slots: ArrayLike,
        bases: BitsLike,
        outcomes: BitsLike,
        random_source: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        _set(self, "pulses", whole_number("pulses", pulses))
        _set(self, "slots", _slots(slots))
        _set(self, "bases", Bits.coerce(bases, name="bases", hint=_BASES_HINT))
        bits, double_clicks = _resolve_double_clicks(outcomes, random_source)
        _set(self, "bits", bits)
        _set(self, "double_clicks", double_clicks)
        count = self.slots.size
        if len(self.bases) != count or len(bits) != count:
            raise InputError(
                "slots, bases and outcomes must have one entry per detection; "
                f"found {count} slots, {len(self.bases)} bases, {len(bits)} outcomes"
            )
        if count and (self.slots[0] < 0 or self.slots[-1] >= self.pulses):
            raise InputError(f"slots must lie in 0 ... {self.pulses - 1}; found {self.slots[0]} ... {self.slots[-1]}")

    @property
    def events(self) -> int:
        """The number of detections."""
        return int(self.slots.size)

    def check_for(self, settings: object) -> None:
        """Detections suit all links: everything was checked when the record was made."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Detections):
            return NotImplemented
        rest = (self.pulses, self.bases, self.bits, self.double_clicks)
        same = rest == (other.pulses, other.bases, other.bits, other.double_clicks)
        return same and np.array_equal(self.slots, other.slots)

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True, weakref_slot=True, kw_only=True, eq=False)
class TimeTags:
    """Clicks of one side's four detectors in the order of time, as a time tagger writes them.

    Args:
        ticks: when each click came, in ticks, non-decreasing; integers, shape (n,).
        channels: which detector clicked: 0 and 1 are outcomes 0 and 1 of the key basis, 2 and 3 those of the
            test basis; shape (n,). Secret for the key basis.
        tick_ps: the length of a tick in picoseconds: those of the tagger itself, not finer ones, in which the time of a
            click would reveal its detector.

    A session draws a random outcome where both detectors of a basis clicked, a random basis where those of both did,
    and where in its tick each click of a coarse tagger lies, always from the operating system's generator (`secrets`).
    """

    ticks: NDArray[np.int64] = field(repr=False)
    channels: NDArray[np.uint8] = field(repr=False)
    tick_ps: float

    def __init__(self, *, ticks: ArrayLike, channels: ArrayLike, tick_ps: float) -> None:
        _set(self, "ticks", _ticks(ticks))
        values = small_vector("channels", channels, most=3, wanted=_CHANNELS)
        if values.size != self.ticks.size:
            raise InputError(
                f"ticks and channels must have one entry per click; found {self.ticks.size} and {values.size}"
            )
        _set(self, "channels", _read_only(values.astype(np.uint8)))
        _set(self, "tick_ps", real_number("tick_ps", tick_ps, above=0.0, unit="picoseconds"))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TimeTags):
            return NotImplemented
        same = self.tick_ps == other.tick_ps and np.array_equal(self.ticks, other.ticks)
        return same and hmac.compare_digest(self.channels.tobytes(), other.channels.tobytes())

    __hash__ = None  # type: ignore[assignment]

    @property
    def clicks(self) -> int:
        """The number of clicks."""
        return int(self.ticks.size)

    @property
    def events(self) -> int:
        """The same: each click is a detection."""
        return self.clicks

    def check_for(self, settings: object) -> None:
        """Check the times, `check_times`; the settings of a link say nothing of a single record.

        Raises:
            InputError: the times cannot be encoded.
        """
        self.check_times()

    def check_times(self) -> None:
        """Check that the times can be calibrated and encoded for a peer.

        Raises:
            InputError: a tick is outside `MIN_TICK_PS` ... `MAX_TICK_PS`, ticks lie outside +-2^61, or they span 2^53
                or more.
        """
        if not MIN_TICK_PS <= self.tick_ps <= MAX_TICK_PS:
            raise InputError(f"tick_ps must lie in {MIN_TICK_PS} ... {MAX_TICK_PS}; found {self.tick_ps}")
        if not self.clicks:
            return
        first, last = int(self.ticks[0]), int(self.ticks[-1])
        if max(-first, last) > MAX_TICK:
            raise InputError(f"ticks must lie within +-2^61; found {first} ... {last}")
        if last - first > MAX_SPAN_TICKS:
            raise InputError(f"a record must span less than 2^53 ticks; found {last - first}. Submit it in pieces")


def _set(record: object, name: str, value: object) -> None:
    object.__setattr__(record, name, value)


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array


def _slots(slots: ArrayLike) -> NDArray[np.int64]:
    return increasing(
        "slots", slots, strictly=True, flag_hint=_MASK_HINT, disorder_hint=_SORT_SLOTS_HINT, equal_hint=_ONE_SLOT_HINT
    )


def _ticks(ticks: ArrayLike) -> NDArray[np.int64]:
    return increasing(
        "ticks",
        ticks,
        strictly=False,
        hint=_SECONDS_HINT,
        flag_hint=_SECONDS_HINT,
        disorder_hint=_SORT_HINT,
        roll_over_hint="sifting.unwrap_ticks does it",
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
