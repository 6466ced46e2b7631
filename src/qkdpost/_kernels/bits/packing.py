"""Moving bits between packed words: selection by mask, gather by position, concatenation.

Words are `uint64`; bit i of a vector is bit i % 64 of word i // 64. Bits past the end are zero on the way in
and must be zero on the way out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.bits.counting import ones
from qkdpost._kernels.bits.extraction import deposit, extract
from qkdpost._kernels.jit.decorators import inlined_kernel, kernel

__all__ = [
    "add_bits",
    "append_words",
    "copy_bits",
    "copy_words",
    "count_common_ones",
    "count_ones",
    "cut_bits",
    "gather_bits",
    "reject_bits",
    "select_bits",
    "set_bits",
    "spread_bits",
]

Words = NDArray[np.uint64]


@inlined_kernel
def take_bits(words: Words, mask: Words, flip: np.uint64, partial: int, inside: np.uint64, output: Words) -> int:
    """Write the bits of `words` under the ones of `mask` ^ `flip`, in word `partial` of which only `inside` counts."""
    written = np.uint64(0)
    last = np.uint64(0)
    for index in range(mask.size):
        rest = mask[index] ^ flip
        if index == partial:
            rest &= inside
        if rest != np.uint64(0):
            taken = extract(words[index], rest)
            place = written & np.uint64(63)
            last |= taken << place
            output[written >> np.uint64(6)] = last
            written += np.uint64(ones(rest))
            if written & np.uint64(63) <= place:
                last = (taken >> np.uint64(1)) >> (np.uint64(63) - place)
    if written & np.uint64(63):
        output[written >> np.uint64(6)] = last
    return int(written)


@kernel
def select_bits(words: Words, mask: Words, output: Words) -> int:
    """Write the bits of `words` under the ones of `mask`, in order, to `output`, which they fill; return how many."""
    return take_bits(words, mask, np.uint64(0), -1, np.uint64(0), output)


@kernel
def reject_bits(words: Words, mask: Words, length: int, output: Words) -> int:
    """Write those of `length` bits of `words` under the zeros of `mask` to `output`, as `select_bits` writes others."""
    inside = (np.uint64(1) << np.uint64(length & 63)) - np.uint64(1)
    return take_bits(words, mask, ~np.uint64(0), length >> 6, inside, output)


@kernel
def gather_bits(words: Words, positions: NDArray[np.uint64], output: Words) -> None:
    """Write bit positions[i] of `words` to bit i of zeroed `output`; positions must lie inside `words`."""
    one = np.uint64(1)
    for index in range(positions.size):
        position = positions[index]
        bit = (words[position >> np.uint64(6)] >> (position & np.uint64(63))) & one
        place = np.uint64(index)
        output[place >> np.uint64(6)] |= bit << (place & np.uint64(63))


@kernel
def set_bits(positions: NDArray[np.uint64], output: Words) -> None:
    """Set the bits of `output` at `positions`, which must lie inside it."""
    for index in range(positions.size):
        position = positions[index]
        output[position >> np.uint64(6)] |= np.uint64(1) << (position & np.uint64(63))


@kernel
def spread_bits(words: Words, mask: Words, output: Words) -> None:
    """OR the bits of `words`, in order, into `output` under the ones of `mask`; the reverse of `select_bits`."""
    place = np.uint64(0)
    last = np.uint64(max(words.size, 1) - 1)
    for index in range(mask.size):
        rest = mask[index]
        if rest != np.uint64(0):
            word = place >> np.uint64(6)
            down = place & np.uint64(63)
            # Past the end no bit is wanted, whatever stands there.
            following = words[min(word + np.uint64(1), last)]
            next_bits = words[word] >> down | (following << np.uint64(1)) << (np.uint64(63) - down)
            output[index] |= deposit(next_bits, rest)
            place += np.uint64(ones(rest))


@kernel
def append_words(output: Words, offset: int, words: Words, length: int) -> None:
    """Write the first `length` bits of `words`, which has no others, to `output` from bit `offset` on.

    Parts come in their order: what stands in `output` before the first of them need not be zero.
    """
    shift = np.uint64(offset & 63)
    up = np.uint64(63) - shift
    start = np.uint64(offset >> 6)
    count = (length + 63) >> 6
    pending = output[start] if shift != np.uint64(0) else np.uint64(0)
    for index in range(count):
        word = words[index]
        output[start + np.uint64(index)] = pending | word << shift
        pending = (word >> np.uint64(1)) >> up
    if start + np.uint64(count) < np.uint64(output.size):
        output[start + np.uint64(count)] = pending


@kernel
def copy_words(words: Words, output: Words) -> None:
    """Write `words` to the first words of `output`, which lie elsewhere.

    Assigning to a slice does the same, but numba then compiles what it would say of lengths that differ.
    """
    for index in range(words.size):
        output[index] = words[index]


@kernel
def copy_bits(words: Words, start: int, output: Words) -> None:
    """Write the bits of `words` from bit `start` on to all of `output`; bits outside `words` are zero."""
    first = start >> 6
    down = np.uint64(start & 63)
    up = np.uint64(63) - down
    for index in range(output.size):
        source = first + index
        low = words[source] if 0 <= source < words.size else np.uint64(0)
        high = words[source + 1] if 0 <= source + 1 < words.size else np.uint64(0)
        output[index] = (low >> down) | ((high << np.uint64(1)) << up)


@kernel
def cut_bits(words: Words, start: int, length: int, output: Words) -> None:
    """Write `length` bits of `words` from bit `start` on, which lie inside, to `output`, which they fill."""
    first = np.uint64(start >> 6)
    down = np.uint64(start & 63)
    up = np.uint64(63) - down
    one = np.uint64(1)
    for index in range(output.size - 1):
        source = first + np.uint64(index)
        output[index] = (words[source] >> down) | ((words[source + one] << one) << up)
    if output.size > 0:
        source = first + np.uint64(output.size - 1)
        above = words[source + one] if source + one < np.uint64(words.size) else np.uint64(0)
        beyond = np.uint64(-length & 63)
        output[output.size - 1] = (((words[source] >> down) | ((above << one) << up)) << beyond) >> beyond


@kernel
def add_bits(words: Words, start: int, output: Words) -> None:
    """Exclusive-or the bits of `words` from bit `start` on to their end into `output`, which they fill."""
    first = np.uint64(start >> 6)
    down = np.uint64(start & 63)
    up = np.uint64(63) - down
    one = np.uint64(1)
    for index in range(output.size - 1):
        source = first + np.uint64(index)
        output[index] ^= (words[source] >> down) | ((words[source + one] << one) << up)
    if output.size > 0:
        source = first + np.uint64(output.size - 1)
        above = words[source + one] if source + one < np.uint64(words.size) else np.uint64(0)
        output[output.size - 1] ^= (words[source] >> down) | ((above << one) << up)


@kernel
def count_common_ones(words: Words, others: Words) -> int:
    """Return at how many places both of two vectors of one length have a one."""
    total = 0
    for index in range(words.size):
        total += ones(words[index] & others[index])
    return total


@kernel
def count_ones(words: Words) -> int:
    """Return the number of ones in `words`."""
    total = np.uint64(0)
    for index in range(words.size):
        word = words[index]
        word -= (word >> np.uint64(1)) & np.uint64(0x5555555555555555)
        pairs = np.uint64(0x3333333333333333)
        word = (word & pairs) + ((word >> np.uint64(2)) & pairs)
        word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
        total += (word * np.uint64(0x0101010101010101)) >> np.uint64(56)
    return int(total)


def warm() -> None:
    """Compile every kernel of this file."""
    words = np.zeros(1, dtype=np.uint64)
    packed = words.copy()
    packed.flags.writeable = False
    positions = np.zeros(1, dtype=np.uint64)
    select_bits(packed, packed, words)
    reject_bits(packed, packed, 1, words)
    gather_bits(packed, positions, words)
    set_bits(positions, words)
    spread_bits(packed, packed, words)
    append_words(words, 0, packed, 1)
    copy_bits(packed, 0, words)
    cut_bits(packed, 0, 1, words)
    add_bits(packed, 0, words)
    count_ones(packed)
    count_common_ones(packed, packed)
