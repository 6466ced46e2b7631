"""What passes between the stages: raw records from the devices, sifted keys, tallies, secret keys.

Bases are bits everywhere: 0 is the key basis (Z), 1 is the test basis (X). Times are whole ticks of a clock whose
tick length is stated in picoseconds. Every record is frozen and checked when it is built; what is secret is left
out of its representation.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkdpost.bits import Bits, BitsLike
from qkdpost.checks import MAX_COUNT, whole_number
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

KEY_BASIS = 0
TEST_BASIS = 1
DOUBLE_CLICK = 2
"""The outcome of a detection in which both detectors of the basis clicked."""
LARGEST_COUNT = MAX_COUNT
"""Counts above this are not whole numbers in floating point, and are refused."""


LABEL_PLANES = 3
"""Bits of a label: enough for eight intensities."""


@dataclass(frozen=True, slots=True)
class Labels:
    """Small numbers, 0 ... 7, one for each pulse or sifted bit, packed as three planes of bits.

    Args:
        planes: bit p of every label, for p = 0, 1, 2; all of one length.
    """

    planes: tuple[Bits, ...] = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.planes) != LABEL_PLANES or len({len(plane) for plane in self.planes}) != 1:
            raise InputError(f"labels have {LABEL_PLANES} planes of one length")

    @classmethod
    def from_array(cls, labels: ArrayLike) -> Labels:
        """Pack integers 0 ... 7, shape (n,)."""
        values = _integers("labels", labels)
        if values.size and (int(values.min()) < 0 or int(values.max()) >= 1 << LABEL_PLANES):
            raise InputError(f"labels must be 0 ... {(1 << LABEL_PLANES) - 1}; found up to {values.max()}")
        return cls(tuple(Bits.from_array(values >> plane & 1) for plane in range(LABEL_PLANES)))

    def select(self, mask: Bits) -> Labels:
        """Return the labels at which `mask` is one, in order."""
        return Labels(tuple(plane.select(mask) for plane in self.planes))

    def take(self, positions: NDArray[np.integer[Any]]) -> Labels:
        """Return the labels at `positions`, in that order."""
        return Labels(tuple(plane.take(positions) for plane in self.planes))

    def where(self, label: int) -> Bits:
        """Return a mask of the places that have `label`."""
        found = ~Bits.zeros(len(self))
        for number, plane in enumerate(self.planes):
            found = found & (plane if label >> number & 1 else ~plane)
        return found

    def __len__(self) -> int:
        return len(self.planes[0])


@dataclass(frozen=True, slots=True, kw_only=True)
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
        _set(self, "bases", Bits.coerce(bases))
        _set(self, "bits", Bits.coerce(bits))
        if intensities is not None and not isinstance(intensities, Labels):
            intensities = Labels.from_array(intensities)
        if intensities is not None and len(intensities) != len(self.bits):
            raise InputError(f"every pulse has one intensity; found {len(intensities)} for {len(self.bits)} pulses")
        _set(self, "intensities", intensities)
        if len(self.bases) != len(self.bits):
            raise InputError(
                f"every pulse has one basis and one bit; found {len(self.bases)} bases, {len(self.bits)} bits"
            )

    @property
    def pulses(self) -> int:
        """The number of pulses sent."""
        return len(self.bits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Detections:
    """What a receiving side saw: the slots in which it detected, with basis and outcome.

    Slots in which a detector was still recovering from a click must be left out, whatever the others saw: the slot,
    which is announced, would tell that it was not this one.

    Args:
        pulses: how many slots the record covers, detected or not; at most 2^53.
        slots: the slots with a detection, strictly increasing, each below `pulses`; integers, shape (n,).
        bases: the basis of each detection, 0 key, 1 test; shape (n,).
        outcomes: 0, 1, or `DOUBLE_CLICK`, which gets a random bit from the operating system's generator: to
            discard double clicks is insecure. Shape (n,). Secret.
    """

    pulses: int
    slots: NDArray[np.int64] = field(repr=False)
    bases: Bits = field(repr=False)
    bits: Bits = field(repr=False)
    double_clicks: int

    def __init__(self, *, pulses: int, slots: ArrayLike, bases: BitsLike, outcomes: BitsLike) -> None:
        _set(self, "pulses", whole_number("pulses", pulses))
        _set(self, "slots", _increasing("slots", slots, strictly=True))
        _set(self, "bases", Bits.coerce(bases))
        bits, double_clicks = _resolve_double_clicks(outcomes)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeTags:
    """Clicks of one side's four detectors in the order of time, as a time tagger writes them.

    Args:
        ticks: when each click came, in ticks, non-decreasing; integers, shape (n,).
        channels: which detector clicked: 0 and 1 are outcomes 0 and 1 of the key basis, 2 and 3 those of the
            test basis; shape (n,). Secret for the key basis.
        tick_ps: the length of a tick in picoseconds: those of the tagger itself, not finer ones, in which the time of a
            click would tell its detector.
    """

    ticks: NDArray[np.int64] = field(repr=False)
    channels: NDArray[np.uint8] = field(repr=False)
    tick_ps: float

    def __init__(self, *, ticks: ArrayLike, channels: ArrayLike, tick_ps: float) -> None:
        _set(self, "ticks", _increasing("ticks", ticks, strictly=False))
        values = _integers("channels", channels)
        if values.size != self.ticks.size:
            raise InputError(f"every click has one channel; found {self.ticks.size} ticks, {values.size} channels")
        if values.size and (int(values.min()) < 0 or int(values.max()) > 3):
            raise InputError(f"channels must be 0 ... 3; found {values.min()} ... {values.max()}")
        _set(self, "channels", _read_only(values.astype(np.uint8)))
        if not isinstance(tick_ps, int | float | np.integer | np.floating) or not 0 < tick_ps < float("inf"):
            raise InputError(f"tick_ps must be a positive number of picoseconds; found {tick_ps}")
        _set(self, "tick_ps", float(tick_ps))

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
    """

    key_bits: Bits
    test_bits: Bits
    rounds: int
    pulses: int = 0
    key_labels: Labels | None = None
    test_labels: Labels | None = None
    double_clicks: int = 0
    cross_clicks: int = 0


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

    def __len__(self) -> int:
        return len(self.bits)

    def to_bytes(self) -> bytes:
        """Return the key as bytes, lowest bit of each byte first."""
        return self.bits.to_bytes()


def _set(record: object, name: str, value: object) -> None:
    object.__setattr__(record, name, value)


def _integers(name: str, values: ArrayLike) -> NDArray[Any]:
    array = np.asarray(values)
    if array.dtype == np.bool_:
        array = array.astype(np.uint8)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "ui"):
        raise InputError(f"{name} must be a vector of integers; found {array.dtype} of shape {array.shape}")
    return array


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view


def _increasing(name: str, values: ArrayLike, *, strictly: bool) -> NDArray[np.int64]:
    array = _integers(name, values).astype(np.int64)
    steps = np.diff(array)
    if steps.size and int(steps.min()) < int(strictly):
        order = "strictly increasing" if strictly else "in the order of time"
        raise InputError(f"{name} must be {order}; entry {int(np.argmin(steps)) + 1} is not above the one before")
    return _read_only(array)


def _resolve_double_clicks(outcomes: BitsLike) -> tuple[Bits, int]:
    if isinstance(outcomes, Bits):
        return outcomes, 0
    values = _integers("outcomes", outcomes)
    if values.size and (int(values.min()) < 0 or int(values.max()) > DOUBLE_CLICK):
        raise InputError(f"outcomes must be 0, 1 or {DOUBLE_CLICK} (double click); found up to {values.max()}")
    double = np.flatnonzero(values == DOUBLE_CLICK)
    if double.size:
        values = values.copy()
        drawn = np.frombuffer(secrets.token_bytes((double.size + 7) // 8), dtype=np.uint8)
        values[double] = np.unpackbits(drawn, count=double.size)
    return Bits.from_array(values), int(double.size)
