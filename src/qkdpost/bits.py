"""Packed bit vectors: `Bits` is what the library passes around and hands back."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkdpost._kernels.bits.packing import (
    append_words,
    count_ones,
    cut_bits,
    gather_bits,
    reject_bits,
    select_bits,
    set_bits,
    spread_bits,
)
from qkdpost.checks import bit_vector, byte_string, described, instance, integer_vector, whole_number
from qkdpost.checks.scalars import index_of
from qkdpost.errors import InputError

__all__ = ["BitIndexError", "Bits", "BitsLike", "Words", "adopt_words", "concatenate", "partition"]

_CHUNK_BITS = 2**16
_WORD = np.dtype(np.uint64)
_WORD_OF_BYTES = np.dtype("<u8")
_NATIVE = _WORD == _WORD_OF_BYTES
_PADDING = tuple(bytes(-length % 8) for length in range(8))
"""What makes whole words of bytes, by their number modulo 8."""
_INDEX_HINT = "Give bits.take(positions), bits.select(mask), or np.asarray(bits) for an array"
_BYTES_HINT = "Bits.from_bytes(data, length) reads packed bits"
_MASK_HINT = "A mask is no list of positions: give np.flatnonzero(mask), or use select(mask)"
_JOIN_HINT = "Make it bits by Bits.from_array(...); np.asarray(bits) gives an array of 0 and 1"

Words: TypeAlias = NDArray[np.uint64]


class Bits:
    """An immutable vector of bits, packed into 64-bit little-endian words.

    Bit i is bit ``i % 64`` of word ``i // 64``, which is bit ``i % 8`` of byte ``i // 8`` of `to_bytes`. Bits
    past the end are zero. ``np.asarray(bits)`` gives them as a `uint8` vector of 0 and 1. The representation
    shows the length and never the content, since the content may be key.

    Bits are a sequence: ``bits[3]``, ``bits[10:20]``, ``len``, ``for``, ``list`` and ``+``. ``^`` and ``&`` take bits
    or a vector of 0 and 1 of the same length. ``bytes(bits)`` is `to_bytes`, eight bits a byte. They have no hash, and
    ``==`` is of bits alone, in time that does not depend on them.

    >>> bits = Bits.from_array([1, 0, 1, 1])
    >>> bits[0], bits[-1], list(bits), bits[1:3] + bits
    (1, 1, [1, 0, 1, 1], Bits(length=6))
    """

    __slots__ = ("_length", "_words")

    def __init__(self, words: Words, length: int | None = None) -> None:
        """Wrap `words` (uint64, shape (ceil(length / 64),), not copied, made read-only) as `length` bits.

        A vector of 0 and 1 is not one of words: that is for `from_array`, as the error says where `length` is left out.

        Raises:
            InputError: no length, the words are of another shape or dtype, or bits past the end are set.
        """
        if not isinstance(words, np.ndarray) or words.dtype != _WORD or words.ndim != 1:
            raise InputError(f"words must be a uint64 vector; found {described(words)}. Bits.from_array takes 0 and 1")
        length = whole_number("length", length)
        if words.size != (length + 63) // 64:
            raise InputError(f"words must be {(length + 63) // 64} for {length} bits; found {words.size}")
        if length % 64 and int(words[-1]) >> (length % 64):
            raise InputError(_past_the_end(length))
        flags = words.flags
        if flags.writeable or not flags.c_contiguous:
            words = words.view() if flags.c_contiguous else words.copy()
            words.setflags(write=False)
        self._words = words
        self._length = length

    @classmethod
    def from_array(cls, array: ArrayLike, *, name: str = "bits", hint: str = "") -> Bits:
        """Pack a vector of 0 and 1: bools, integers of any width or floats that are exactly 0 and 1, shape (n,).

        Args:
            array: a list, array or column of a table.
            name: what an error calls it.
            hint: what an error adds.

        Raises:
            InputError: not a vector, not numbers, or a value other than 0 and 1.
        """
        values = bit_vector(name, array, hint=_BYTES_HINT if isinstance(array, bytes | bytearray) else hint)
        packed = np.packbits(values, bitorder="little")
        words = np.zeros((values.size + 63) // 64, dtype="<u8")
        words.view(np.uint8)[: packed.size] = packed
        return cls(words.astype(np.uint64, copy=False), values.size)

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview | NDArray[np.uint8], length: int) -> Bits:
        """Read `length` bits from exactly ceil(length / 8) bytes, lowest bit of each byte first.

        Raises:
            InputError: too few or too many bytes, or bits past the end are set.
        """
        count = length if type(length) is int and length >= 0 else whole_number("length", length)
        if type(data) is bytes and (size := len(data)) == (count + 7) // 8:  # the usual case: what a peer sent
            if count % 8 and data[-1] >> count % 8:
                raise InputError(_past_the_end(count))
            words = np.frombuffer(data + _PADDING[size % 8], _WORD_OF_BYTES)
            return adopt_words(words if _NATIVE else words.astype(_WORD), count)
        if isinstance(data, np.ndarray) and data.dtype == np.uint8 and data.ndim == 1:
            raw = np.asarray(data)
        else:
            raw = np.frombuffer(byte_string("data", data), dtype=np.uint8)
        if raw.size != (count + 7) // 8:
            raise InputError(f"data must have {(count + 7) // 8} bytes for {count} bits; found {raw.size}")
        words = np.zeros((count + 63) // 64, dtype="<u8")
        words.view(np.uint8)[: raw.size] = raw
        return cls(words.astype(np.uint64, copy=False), count)

    @classmethod
    def from_positions(cls, positions: ArrayLike, length: int) -> Bits:
        """Return `length` bits of which those at `positions` (integers, shape (k,)) are one.

        Raises:
            InputError: not integers, or a position lies outside the vector.
        """
        count = whole_number("length", length)
        places = _positions(positions, count)
        words = np.zeros((count + 63) // 64, dtype=np.uint64)
        set_bits(places, words)
        return adopt_words(words, count)

    @classmethod
    def zeros(cls, length: int) -> Bits:
        """Return `length` zeros.

        Raises:
            InputError: not a length.
        """
        count = whole_number("length", length)
        return adopt_words(np.zeros((count + 63) // 64, dtype=np.uint64), count)

    @classmethod
    def coerce(cls, bits: BitsLike, *, name: str = "bits", hint: str = "") -> Bits:
        """Return `bits` itself if it is a `Bits`, else pack it by `from_array`."""
        return bits if isinstance(bits, Bits) else cls.from_array(bits, name=name, hint=hint)

    @property
    def words(self) -> Words:
        """The packed words, read-only, shape (ceil(length / 64),)."""
        return self._words

    def to_bytes(self) -> bytes:
        """Return the bits as ceil(length / 8) bytes, lowest bit of each byte first."""
        words = self._words if _NATIVE else self._words.astype(_WORD_OF_BYTES)
        return words.tobytes()[: (self._length + 7) // 8]

    def weight(self) -> int:
        """Return the number of ones."""
        return count_ones(self._words)

    def select(self, mask: BitsLike) -> Bits:
        """Return the bits at which `mask`, of the same length, is one, in order."""
        chosen = self._of_same_length(mask, "mask")
        length = chosen.weight()
        if length == self._length:
            return self
        output = np.empty((length + 63) // 64, dtype=np.uint64)
        select_bits(self._words, chosen.words, output)
        return adopt_words(output, length)

    def replace(self, mask: BitsLike, values: BitsLike) -> Bits:
        """Return these bits with those under `mask` replaced by `values`, as many as `mask` has ones, in order.

        Raises:
            InputError: the lengths do not fit.
        """
        chosen, fresh = self._of_same_length(mask, "mask"), Bits.coerce(values, name="values")
        if chosen.weight() != len(fresh):
            raise InputError(f"there must be one bit for each of {chosen.weight()} places; found {len(fresh)}")
        output = (self & ~chosen).words.copy()
        spread_bits(fresh.words, chosen.words, output)
        return adopt_words(output, self._length)

    def spread(self, mask: BitsLike) -> Bits:
        """Return a vector as long as `mask` with these bits, in order, under its ones and zeros elsewhere."""
        chosen = Bits.coerce(mask, name="mask")
        return self if chosen.weight() == len(self) == len(chosen) else Bits.zeros(len(chosen)).replace(chosen, self)

    def take(self, positions: ArrayLike) -> Bits:
        """Return the bits at `positions` (integers, shape (k,)), in that order.

        Raises:
            InputError: not integers, or a position lies outside the vector.
        """
        places = _positions(positions, self._length)
        output = np.zeros((places.size + 63) // 64, dtype=np.uint64)
        gather_bits(self._words, places, output)
        return adopt_words(output, places.size)

    def tolist(self) -> list[int]:
        """Return the bits as a list of 0 and 1. Secret if they are."""
        listed: list[int] = np.asarray(self).tolist()
        return listed

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("Bits are packed: an array of them is always a copy")
        raw = self._words.astype("<u8", copy=False).view(np.uint8)
        unpacked = np.unpackbits(raw, count=self._length, bitorder="little")
        return unpacked if dtype is None else unpacked.astype(dtype)

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, key: int) -> int: ...

    @overload
    def __getitem__(self, key: slice) -> Bits: ...

    def __getitem__(self, key: int | slice) -> int | Bits:
        """Return one bit, 0 or 1, or those from `start` to `stop`; steps other than 1 are not offered.

        Raises:
            InputError: an array or a step; `BitIndexError`, which is an `IndexError` too, for a bit past the end.
        """
        if isinstance(key, slice):
            return self._slice(key)
        place = index_of(key)
        if place is None:
            raise InputError(f"an index of bits must be an integer or a slice; found {described(key)}. {_INDEX_HINT}")
        if not -self._length <= place < self._length:
            raise BitIndexError(f"bit {described(place)} lies outside of {self._length} bits")
        word, shift = divmod(place % self._length, 64)
        return int(self._words[word]) >> shift & 1

    def _slice(self, key: slice) -> Bits:
        try:
            start, stop, step = key.indices(self._length)
        except (TypeError, ValueError):
            raise InputError("a slice of bits must have integers, as bits[10:20]") from None
        if step != 1:
            raise InputError(
                f"a slice of bits must have step 1; found {step}. np.asarray(bits)[::{step}] gives an array"
            )
        length = max(0, stop - start)
        if length == self._length:
            return self
        words = np.empty((length + 63) // 64, dtype=np.uint64)
        cut_bits(self._words, start, length, words)
        return adopt_words(words, length)

    def __iter__(self) -> Iterator[int]:
        for start in range(0, self._length, _CHUNK_BITS):
            yield from self._slice(slice(start, start + _CHUNK_BITS)).tolist()

    def __contains__(self, bit: object) -> bool:
        value = index_of(bit)
        return bool((value == 1 and self.weight()) or (value == 0 and self.weight() < self._length))

    def __bytes__(self) -> bytes:
        """Return `to_bytes`: eight bits a byte, not one."""
        return self.to_bytes()

    def __add__(self, other: Bits) -> Bits:
        """Return these bits and then those of `other`."""
        return concatenate((self, instance("what is joined to bits by +", other, Bits, hint=_JOIN_HINT)))

    def __xor__(self, other: BitsLike) -> Bits:
        return adopt_words(self._words ^ self._of_same_length(other, "the other bits").words, self._length)

    def __and__(self, other: BitsLike) -> Bits:
        return adopt_words(self._words & self._of_same_length(other, "the other bits").words, self._length)

    def __invert__(self) -> Bits:
        words = ~self._words
        if self._length % 64:
            words[-1] &= np.uint64((1 << (self._length % 64)) - 1)
        return adopt_words(words, self._length)

    def __eq__(self, other: object) -> bool:
        """Compare length and content, the content in time that does not depend on it."""
        if not isinstance(other, Bits):
            return NotImplemented
        return self._length == other._length and hmac.compare_digest(self._words.data, other._words.data)

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[type[Bits], tuple[Words, int]]:
        """Pickle words and length: what is unpickled is checked, and its words are read-only again."""
        return Bits, (self._words, self._length)

    def __repr__(self) -> str:
        return f"Bits(length={self._length})"

    def _of_same_length(self, other: BitsLike, name: str) -> Bits:
        """Return `other` as bits.

        Raises:
            InputError: it is none, or of another length.
        """
        bits = other if isinstance(other, Bits) else Bits.coerce(other, name=name)
        if len(bits) != self._length:
            raise InputError(f"bit vectors must be of one length; found {self._length} and {len(bits)}")
        return bits


BitsLike: TypeAlias = Bits | ArrayLike


class BitIndexError(InputError, IndexError):
    """An index lies outside of the bits; also an `IndexError`, as sequences have it."""


def concatenate(parts: Iterable[Bits]) -> Bits:
    """Return the vectors of `parts` one after another as one."""
    listed = list(parts)
    if len(listed) == 1:
        return listed[0]
    length = sum(len(part) for part in listed)
    words = np.empty((length + 63) // 64, dtype=np.uint64)
    offset = 0
    for part in listed:
        append_words(words, offset, part.words, len(part))
        offset += len(part)
    return adopt_words(words, length)


def partition(bits: Bits, mask: Bits) -> tuple[Bits, Bits]:
    """Return the bits at which `mask`, of the same length, is one, and those at which it is zero, in order.

    Raises:
        InputError: the lengths differ.
    """
    length, weight = len(bits), bits._of_same_length(mask, "mask").weight()
    chosen, rest = (np.empty((count + 63) // 64, dtype=np.uint64) for count in (weight, length - weight))
    select_bits(bits.words, mask.words, chosen)
    reject_bits(bits.words, mask.words, length, rest)
    return adopt_words(chosen, weight), adopt_words(rest, length - weight)


def adopt_words(words: Words, length: int) -> Bits:
    """Return bits of words that nobody else has, zero past the end: what `Bits` checks holds already."""
    words.setflags(write=False)  # in a third of the time that flags.writeable takes
    bits = object.__new__(Bits)
    bits._words = words
    bits._length = length
    return bits


def _past_the_end(length: int) -> str:
    return f"bits past the end of {length} bits are set; they must be zero"


def _positions(positions: ArrayLike, length: int) -> NDArray[np.uint64]:
    """Return positions below `length` as what the kernels take."""
    places = integer_vector("positions", positions, least=0, most=max(0, length - 1), flag_hint=_MASK_HINT, copy=False)
    if places.size and not length:
        raise InputError("there are no positions in 0 bits")
    return np.ascontiguousarray(places).view(np.uint64)
