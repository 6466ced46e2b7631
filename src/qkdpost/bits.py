"""Packed bit vectors: `Bits` is what the library passes around and hands back."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkdpost._kernels.packing import append_words, count_ones, gather_bits, select_bits, set_bits, spread_bits
from qkdpost.errors import InputError

__all__ = ["Bits", "BitsLike", "concatenate"]

Words: TypeAlias = NDArray[np.uint64]


class Bits:
    """An immutable vector of bits, packed into 64-bit little-endian words.

    Bit i is bit ``i % 64`` of word ``i // 64``, which is bit ``i % 8`` of byte ``i // 8`` of `to_bytes`. Bits
    past the end are zero. ``np.asarray(bits)`` gives them as a `uint8` vector of 0 and 1. The representation
    shows the length and never the content, since the content may be key.
    """

    __slots__ = ("_length", "_words")

    def __init__(self, words: Words, length: int) -> None:
        """Wrap `words` (uint64, shape (ceil(length / 64),), not copied, made read-only) as `length` bits.

        Raises:
            InputError: the words are of another shape or dtype, or bits past the end are set.
        """
        if words.dtype != np.uint64 or words.ndim != 1:
            raise InputError(f"words must be a uint64 vector, found {words.dtype} of shape {words.shape}")
        if length < 0 or words.size != (length + 63) // 64:
            raise InputError(f"{length} bits need {(length + 63) // 64} words, found {words.size}")
        if length % 64 and int(words[-1]) >> (length % 64):
            raise InputError(f"bits past the end of {length} bits are set; they must be zero")
        flags = words.flags
        if flags.writeable or not flags.c_contiguous:
            words = words.view() if flags.c_contiguous else words.copy()
            words.flags.writeable = False
        self._words = words
        self._length = length

    @classmethod
    def from_array(cls, array: ArrayLike) -> Bits:
        """Pack a vector of 0 and 1 (uint8, bool or any integer dtype, shape (n,)).

        Raises:
            InputError: not a vector, not integers, or a value other than 0 and 1.
        """
        values = np.asarray(array)
        if values.ndim != 1:
            raise InputError(f"bits must be a vector, found an array of shape {values.shape}")
        if values.dtype != np.bool_:
            if values.dtype.kind not in "ui":
                if values.size:
                    raise InputError(f"bits must be of dtype bool or an integer, found {values.dtype}")
                values = values.astype(np.uint8)
            if values.size and (int(values.min()) < 0 or int(values.max()) > 1):
                raise InputError(f"bits must be 0 or 1, found values from {values.min()} to {values.max()}")
        packed = np.packbits(values.astype(np.bool_, copy=False), bitorder="little")
        return cls.from_bytes(packed, values.size)

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview | NDArray[np.uint8], length: int) -> Bits:
        """Read `length` bits from exactly ceil(length / 8) bytes, lowest bit of each byte first.

        Raises:
            InputError: too few or too many bytes, or bits past the end are set.
        """
        raw = np.frombuffer(data, dtype=np.uint8)
        if length < 0 or raw.size != (length + 7) // 8:
            raise InputError(f"{length} bits take {(length + 7) // 8} bytes, found {raw.size}")
        words = np.zeros((length + 63) // 64, dtype="<u8")
        words.view(np.uint8)[: raw.size] = raw
        return cls(words.astype(np.uint64, copy=False), length)

    @classmethod
    def from_positions(cls, positions: NDArray[np.integer[Any]], length: int) -> Bits:
        """Return `length` bits of which those at `positions` (integers, shape (k,)) are one.

        Raises:
            InputError: a position lies outside the vector.
        """
        if positions.size and (int(positions.min()) < 0 or int(positions.max()) >= length):
            raise InputError(f"positions must lie in 0 ... {length - 1}")
        words = np.zeros((length + 63) // 64, dtype=np.uint64)
        set_bits(positions.astype(np.uint64, copy=False), words)
        return cls(words, length)

    @classmethod
    def zeros(cls, length: int) -> Bits:
        """Return `length` zeros."""
        return cls(np.zeros((length + 63) // 64, dtype=np.uint64), length)

    @classmethod
    def coerce(cls, bits: BitsLike) -> Bits:
        """Return `bits` itself if it is a `Bits`, else pack it by `from_array`."""
        return bits if isinstance(bits, Bits) else cls.from_array(bits)

    @property
    def words(self) -> Words:
        """The packed words, read-only, shape (ceil(length / 64),)."""
        return self._words

    def to_bytes(self) -> bytes:
        """Return the bits as ceil(length / 8) bytes, lowest bit of each byte first."""
        return self._words.astype("<u8", copy=False).tobytes()[: (self._length + 7) // 8]

    def weight(self) -> int:
        """Return the number of ones."""
        return count_ones(self._words)

    def select(self, mask: Bits) -> Bits:
        """Return the bits at which `mask`, of the same length, is one, in order."""
        self._check_same_length(mask)
        length = mask.weight()
        if length == self._length:
            return self
        output = np.zeros((length + 63) // 64, dtype=np.uint64)
        select_bits(self._words, mask.words, output)
        return Bits(output, length)

    def replace(self, mask: Bits, values: Bits) -> Bits:
        """Return these bits with those under `mask` replaced by `values`, as many as `mask` has ones, in order.

        Raises:
            InputError: the lengths do not fit.
        """
        self._check_same_length(mask)
        if mask.weight() != len(values):
            raise InputError(f"{mask.weight()} places take {len(values)} bits")
        output = (self & ~mask).words.copy()
        spread_bits(values.words, mask.words, output)
        return Bits(output, self._length)

    def spread(self, mask: Bits) -> Bits:
        """Return a vector as long as `mask` with these bits, in order, under its ones and zeros elsewhere."""
        return self if mask.weight() == len(self) == len(mask) else Bits.zeros(len(mask)).replace(mask, self)

    def take(self, positions: NDArray[np.integer[Any]]) -> Bits:
        """Return the bits at `positions` (integers, shape (k,)), in that order.

        Raises:
            InputError: a position lies outside the vector.
        """
        if positions.size and (int(positions.min()) < 0 or int(positions.max()) >= self._length):
            raise InputError(f"positions must lie in 0 ... {self._length - 1}")
        output = np.zeros((positions.size + 63) // 64, dtype=np.uint64)
        gather_bits(self._words, positions.astype(np.uint64, copy=False), output)
        return Bits(output, positions.size)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("Bits are packed: an array of them is always a copy")
        raw = self._words.astype("<u8", copy=False).view(np.uint8)
        unpacked = np.unpackbits(raw, count=self._length, bitorder="little")
        return unpacked if dtype is None else unpacked.astype(dtype)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, key: slice) -> Bits:
        """Return the bits from `start` to `stop`; steps other than 1 are not offered."""
        start, stop, step = key.indices(self._length)
        if step != 1:
            raise InputError(f"a slice of bits has step 1, found {step}")
        length = max(0, stop - start)
        count = (length + 63) // 64
        first, shift = divmod(start, 64)
        words = self._words[first : first + count].copy()
        if shift and count:
            words >>= np.uint64(shift)
            carry = self._words[first + 1 : first + 1 + count]
            words[: carry.size] |= carry << np.uint64(64 - shift)
        if length % 64:
            words[-1] &= np.uint64((1 << (length % 64)) - 1)
        return Bits(words, length)

    def __xor__(self, other: Bits) -> Bits:
        self._check_same_length(other)
        return Bits(self._words ^ other.words, self._length)

    def __and__(self, other: Bits) -> Bits:
        self._check_same_length(other)
        return Bits(self._words & other.words, self._length)

    def __invert__(self) -> Bits:
        words = ~self._words
        if self._length % 64:
            words[-1] &= np.uint64((1 << (self._length % 64)) - 1)
        return Bits(words, self._length)

    def __eq__(self, other: object) -> bool:
        """Compare length and content, the content in time that does not depend on it."""
        if not isinstance(other, Bits):
            return NotImplemented
        return self._length == other._length and hmac.compare_digest(self._words.data, other._words.data)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Bits(length={self._length})"

    def _check_same_length(self, other: Bits) -> None:
        if len(other) != self._length:
            raise InputError(f"bit vectors must be of one length, found {self._length} and {len(other)}")


BitsLike: TypeAlias = Bits | NDArray[np.uint8] | NDArray[np.bool_] | Sequence[int]


def concatenate(parts: Iterable[Bits]) -> Bits:
    """Return the vectors of `parts` one after another as one."""
    listed = list(parts)
    if len(listed) == 1:
        return listed[0]
    length = sum(len(part) for part in listed)
    words = np.zeros((length + 63) // 64, dtype=np.uint64)
    offset = 0
    for part in listed:
        append_words(words, offset, part.words, len(part))
        offset += len(part)
    return Bits(words, length)
