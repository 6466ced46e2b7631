"""What passes between the stages: raw records from the devices, sifted keys, tallies, secret keys.

Bases are bits everywhere: 0 is the key basis (Z), 1 is the test basis (X). Times are whole ticks of a clock whose
tick length is stated in picoseconds. Every record is frozen and checked when it is built; what is secret is left
out of its representation.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkdpost.bits import Bits, BitsLike
from qkdpost.checks import (
    MAX_COUNT,
    byte_string,
    described,
    increasing,
    instance,
    real_number,
    small_integers,
    small_vector,
    whole_number,
)
from qkdpost.errors import InputError

__all__ = [
    "DOUBLE_CLICK",
    "KEY_BASIS",
    "LABEL_PLANES",
    "LARGEST_COUNT",
    "TEST_BASIS",
    "Detections",
    "Labels",
    "PreparedPulses",
    "RawRecords",
    "SecretKey",
    "SiftedKey",
    "Tally",
    "TimeTags",
]

_CHANNELS = "0 ... 3: outcomes 0 and 1 of the key basis, then of the test basis"
KEY_BASIS = 0
TEST_BASIS = 1
DOUBLE_CLICK = 2
"""The outcome of a detection in which both detectors of the basis clicked."""
LARGEST_COUNT = MAX_COUNT
"""Counts above this are not whole numbers in floating point, and are refused."""


LABEL_PLANES = 3
"""Bits of a label: enough for eight intensities."""
MAX_LABEL = 2**LABEL_PLANES - 1

_BASES_HINT = "0 is the key basis, 1 the test basis"
_INTENSITIES_HINT = "They are indices into link.intensities: 0 is the strongest"
_LABELS_HINT = "Labels.from_array takes the numbers themselves"
_MASK_HINT = "If this is a mask with an entry for each slot, give np.flatnonzero(mask)"
_NO_CLICK_HINT = "Leave out slots without a click: seen = np.flatnonzero(outcomes >= 0), slots[seen], outcomes[seen]"
_SECONDS_HINT = "Make whole ticks of seconds by np.rint(seconds / tick_seconds).astype(np.int64)"
_SORT_HINT = (
    "sifting.sort_time_tags sorts a slight disorder; else order = np.argsort(ticks, kind='stable'), and ticks[order], "
    "channels[order] are the record"
)
_SORT_SLOTS_HINT = "Sort the record by slot; if this is a mask, give np.flatnonzero(mask)"
_ONE_SLOT_HINT = (
    "A slot is told once, with outcome 2 where both detectors clicked; if this is a mask, give np.flatnonzero(mask)"
)


@dataclass(frozen=True, slots=True)
class Labels:
    """Small numbers, 0 ... 7, one for each pulse or sifted bit, packed as three planes of bits.

    Args:
        planes: bit p of every label, for p = 0, 1, 2; all of one length.
    """

    planes: tuple[Bits, ...] = field(repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.planes, tuple) or not all(isinstance(plane, Bits) for plane in self.planes):
            raise InputError(f"planes must be a tuple of Bits; found {described(self.planes)}. {_LABELS_HINT}")
        if len(self.planes) != LABEL_PLANES or len({len(plane) for plane in self.planes}) != 1:
            raise InputError(f"labels have {LABEL_PLANES} planes of one length")

    @classmethod
    def from_array(cls, labels: ArrayLike) -> Labels:
        """Pack integers 0 ... 7, shape (n,).

        Raises:
            InputError: not a vector of such integers.
        """
        values = small_integers("intensities", labels, most=MAX_LABEL, hint=_INTENSITIES_HINT)
        return cls(tuple(Bits.from_array((values >> plane & 1).view(np.bool_)) for plane in range(LABEL_PLANES)))

    def select(self, mask: Bits) -> Labels:
        """Return the labels at which `mask` is one, in order."""
        return Labels(tuple(plane.select(mask) for plane in self.planes))

    def take(self, positions: ArrayLike) -> Labels:
        """Return the labels at `positions`, in that order."""
        return Labels(tuple(plane.take(positions) for plane in self.planes))

    def where(self, label: int) -> Bits:
        """Return a mask of the places that have `label`."""
        label = whole_number("label", label, most=MAX_LABEL)
        found = ~Bits.zeros(len(self))
        for number, plane in enumerate(self.planes):
            found = found & (plane if label >> number & 1 else ~plane)
        return found

    def __len__(self) -> int:
        return len(self.planes[0])


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
            raise InputError(f"every pulse has one intensity; found {len(labels)} for {len(self.bits)} pulses")
        _set(self, "intensities", labels)
        if len(self.bases) != len(self.bits):
            raise InputError(
                f"every pulse has one basis and one bit; found {len(self.bases)} bases, {len(self.bits)} bits"
            )

    @property
    def pulses(self) -> int:
        """The number of pulses sent."""
        return len(self.bits)


@dataclass(frozen=True, slots=True, weakref_slot=True, kw_only=True, eq=False)
class Detections:
    """What a receiving side saw: the slots in which it detected, with basis and outcome.

    Slots in which a detector was still recovering from a click must be left out, whatever the others saw: the slot,
    which is announced, would tell that it was not this one.

    Args:
        pulses: how many slots the record covers, detected or not; at most 2^53.
        slots: the slots with a detection, strictly increasing, each below `pulses`; integers, shape (n,).
        bases: the basis of each detection, 0 key, 1 test; shape (n,).
        outcomes: 0, 1, or `DOUBLE_CLICK`, which gets a random bit here and now: to discard double clicks is insecure.
            Shape (n,). Secret.
        random_source: where those bits come from: returns so many truly random bytes; the operating system's generator
            by default. A session's `random_source` does not serve for them, since they are drawn before.
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
                "every detection has one slot, one basis and one outcome; "
                f"found {count} slots, {len(self.bases)} bases, {len(bits)} outcomes"
            )
        if count and (self.slots[0] < 0 or self.slots[-1] >= self.pulses):
            raise InputError(f"slots must lie in 0 ... {self.pulses - 1}; found {self.slots[0]} ... {self.slots[-1]}")

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
            click would tell its detector.

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
            raise InputError(f"every click has one channel; found {self.ticks.size} ticks, {values.size} channels")
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


RawRecords: TypeAlias = PreparedPulses | Detections | TimeTags


@dataclass(frozen=True, slots=True, kw_only=True)
class SiftedKey:
    """One side's bits of the rounds that both sides kept, in an order common to both.

    Args:
        key_bits: outcomes in the key basis. Secret.
        test_bits: outcomes in the test basis, which will be disclosed whole.
        rounds: how many rounds were seen by both sides, whatever their bases.
        pulses: how many pulses or slots the records covered.
        key_labels: with decoy states, the intensity of each of the key bits; public.
        test_labels: the same for the test bits.
        double_clicks: in how many events of this side's records, sifted or not, both detectors of a basis clicked.
        cross_clicks: and in how many detectors of both bases did.
        matched_by_tenth: of time tags, the events reported and those kept, in each tenth of each record; public.
        notices: what is to be said of the records, in sentences.
    """

    key_bits: Bits
    test_bits: Bits
    rounds: int
    pulses: int = 0
    key_labels: Labels | None = None
    test_labels: Labels | None = None
    double_clicks: int = 0
    cross_clicks: int = 0
    matched_by_tenth: tuple[tuple[int, int], ...] = ()
    notices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("key_bits", "test_bits"):
            instance(name, getattr(self, name), Bits)
        for name in ("rounds", "pulses", "double_clicks", "cross_clicks"):
            _set(self, name, whole_number(name, getattr(self, name)))
        for name, bits in (("key_labels", self.key_bits), ("test_labels", self.test_bits)):
            labels = getattr(self, name)
            if labels is not None and len(instance(name, labels, Labels)) != len(bits):
                raise InputError(f"{name} has one label for each of {len(bits)} bits; found {len(labels)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What a bound for single-photon or entangled rounds needs to know of a block; all of it public.

    Args:
        key_bits: sifted bits that may become key.
        test_bits: rounds of the complementary measurement that were compared in public.
        test_errors: how many of these differed.
    """

    key_bits: int
    test_bits: int
    test_errors: int

    def __post_init__(self) -> None:
        for name in ("key_bits", "test_bits", "test_errors"):
            _set(self, name, whole_number(name, getattr(self, name)))
        if self.test_errors > self.test_bits:
            raise InputError(f"{self.test_errors} errors in {self.test_bits} test bits cannot be")


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretKey:
    """A secret key that both hosts confirmed.

    Args:
        bits: the key. Secret.
        identifier: 16 public bytes by which both hosts name this key.
        epsilon: how far from ideal the key is at most by its own block: secrecy, correctness and authentication
            together, if all that the block's tags were made with was ideal.
        accumulated_epsilon: how far it is at most, all in all: the sum over every block that was opened on the same
            pool of authentication key, this one among them, since keys of earlier blocks made its tags
            (`KeyPool.accumulated_epsilon`).
    """

    bits: Bits = field(repr=False)
    identifier: bytes
    epsilon: float
    accumulated_epsilon: float

    def __post_init__(self) -> None:
        instance("bits", self.bits, Bits)
        _set(self, "identifier", byte_string("identifier", self.identifier))
        for name in ("epsilon", "accumulated_epsilon"):
            _set(self, name, real_number(name, getattr(self, name), least=0.0))

    def __len__(self) -> int:
        return len(self.bits)

    def to_bytes(self) -> bytes:
        """Return the key as bytes, lowest bit of each byte first."""
        return self.bits.to_bytes()


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
