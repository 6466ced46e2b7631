"""From the coefficients of a polynomial over GF(2) to those in the basis of the additive transform, and back.

X_k is the product of s_b (see `cantor`) over the bits b of k. With Cantor's basis all s_b have coefficients in GF(2),
so the conversion stays within packed bits. s_(2^j)(x) = x^q + x with q = 2^(2^j): a polynomial is expanded in powers
of the largest such that is short enough, by repeated halving, and so are, as polynomials in s, the outcome's
coefficients, and each coefficient itself (Gao and Mateer, IEEE Trans. Inf. Theory 56, 6265, section IV).

One halving of a block of 2 h bits adds its upper half to the block, d bits above its start: bit i of the upper half
to bit d + i, highest first.
"""

from __future__ import annotations

import functools
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.gf2.basis_conversion_small import convert_small, restore_small
from qkdpost._kernels.gf2.clmul_lanes import (
    high_halves,
    last_of_eight,
    last_to_first,
    load,
    low_halves,
    lower_to_upper,
    previous_eight,
    previous_words,
    shift_down,
    shift_up,
    store,
    upper_to_lower,
    xor,
)
from qkdpost._kernels.jit.decorators import kernel

__all__ = ["conversion_steps", "from_transform_basis", "to_transform_basis"]

Words: TypeAlias = NDArray[np.uint64]

SMALL = 8
"""log2 of the blocks that are converted in registers."""
CHUNK = 1024
"""Words that are converted together: 2^16 bits, which all steps keep apart but those on longer blocks."""
_CHUNK_LOG_HALF = 15


@functools.cache
def conversion_steps(log_bits: int) -> NDArray[np.int64]:
    """Return the steps (log2 h, log2 d) above blocks of 2^SMALL bits, in order; shape (steps, 2)."""
    if log_bits < SMALL:
        raise ValueError(f"a conversion takes at least 2^{SMALL} bits; found 2^{log_bits}")
    return np.array(_steps(0, log_bits), dtype=np.int64).reshape(-1, 2)


def _steps(log_unit: int, log_length: int) -> list[tuple[int, int]]:
    """Return the steps for 2^log_length coefficients that are themselves 2^log_unit bits."""
    if log_length <= 1 or log_unit + log_length <= SMALL:
        return []
    log_power = 1 << ((log_length - 1).bit_length() - 1)
    halvings = [
        (log_power + halving + log_unit, halving + log_unit) for halving in reversed(range(log_length - log_power))
    ]
    outer = _steps(log_unit + log_power, log_length - log_power)
    return halvings + outer + _steps(log_unit, log_power)


@kernel
def to_transform_basis(words: Words, start: int, count: int, steps: NDArray[np.int64]) -> None:
    """Convert the `count` words from `start` on, a power of two and at least 32.

    The steps on blocks of more than CHUNK words come first; the others are done chunk by chunk, in the first cache.
    """
    index = 0
    while index < steps.shape[0] and steps[index, 0] > _CHUNK_LOG_HALF:
        _expand(words, start, count, steps[index, 0], steps[index, 1])
        index += 1
    chunk = min(count, CHUNK)
    for place in range(start, start + count, chunk):
        for narrow in range(index, steps.shape[0]):
            _expand(words, place, chunk, steps[narrow, 0], steps[narrow, 1])
        convert_small(words, place, chunk)


@kernel
def from_transform_basis(words: Words, start: int, count: int, steps: NDArray[np.int64]) -> None:
    """Undo `to_transform_basis`."""
    wide = 0
    while wide < steps.shape[0] and steps[wide, 0] > _CHUNK_LOG_HALF:
        wide += 1
    chunk = min(count, CHUNK)
    for place in range(start, start + count, chunk):
        restore_small(words, place, chunk)
        for index in range(steps.shape[0] - 1, wide - 1, -1):
            _collect(words, place, chunk, steps[index, 0], steps[index, 1])
    for index in range(wide - 1, -1, -1):
        _collect(words, start, count, steps[index, 0], steps[index, 1])


@kernel
def _expand(words: Words, start: int, count: int, log_half: int, log_shift: int) -> None:
    """Do one halving on every block."""
    half = 1 << (log_half - 6)
    if half == 4:
        _halve_eights(words, start, count, 1 << log_shift)
    elif half == 8:
        _halve_sixteens(words, start, count, 1 << log_shift)
    else:
        for block in range(start, start + count, 2 * half):
            _add_overflow(words, block + half, half, log_shift)
            _add_upper(words, block, half, log_shift)


@kernel
def _collect(words: Words, start: int, count: int, log_half: int, log_shift: int) -> None:
    """Undo one halving on every block."""
    half = 1 << (log_half - 6)
    if half == 4:
        _unhalve_eights(words, start, count, 1 << log_shift)
    elif half == 8:
        _unhalve_sixteens(words, start, count, 1 << log_shift)
    else:
        for block in range(start, start + count, 2 * half):
            _add_upper(words, block, half, log_shift)
            _add_overflow(words, block + half, half, log_shift)


@kernel
def _add_overflow(words: Words, upper: int, half: int, log_shift: int) -> None:
    """Add the highest d bits of the upper half to its lowest."""
    if log_shift < 6:
        words[upper] ^= words[upper + half - 1] >> np.uint64(64 - (1 << log_shift))
        return
    shift = 1 << (log_shift - 6)
    for index in range(upper, upper + shift):
        words[index] ^= words[index + half - shift]


@kernel
def _add_upper(words: Words, lower: int, half: int, log_shift: int) -> None:
    """Add the upper half, of eight words or more, without its highest d bits to the lower, d bits up."""
    if log_shift < 6:
        up = 1 << log_shift
        # The first word has none before it; the word that the vector loads there is put right.
        words[lower] ^= words[lower + half - 1] >> np.uint64(64 - up)
        for index in range(lower, lower + half, 8):
            here = shift_up(load(words, index + half), up)
            before = shift_down(load(words, index + half - 1), 64 - up)
            store(words, index, xor(load(words, index), xor(here, before)))
        return
    shift = 1 << (log_shift - 6)
    first = lower + shift
    if shift < 8:
        # The same for the first words where d is less than a vector.
        first = lower
        for index in range(lower, lower + shift):
            words[index] ^= words[index + half - shift]
    for index in range(first, lower + half, 8):
        store(words, index, xor(load(words, index), load(words, index + half - shift)))


@kernel
def _halve_eights(words: Words, start: int, count: int, up: int) -> None:
    """Do a halving with d < 64 on every block of eight words, two blocks together."""
    for block in range(start, start + count, 16):
        first = load(words, block)
        second = load(words, block + 8)
        lower = low_halves(first, second)
        upper = high_halves(first, second)
        upper = xor(upper, shift_down(last_to_first(upper), 64 - up))
        lower = xor(lower, xor(shift_up(upper, up), shift_down(previous_words(upper), 64 - up)))
        store(words, block, low_halves(lower, upper))
        store(words, block + 8, high_halves(lower, upper))


@kernel
def _unhalve_eights(words: Words, start: int, count: int, up: int) -> None:
    """Undo `_halve_eights`."""
    for block in range(start, start + count, 16):
        first = load(words, block)
        second = load(words, block + 8)
        lower = low_halves(first, second)
        upper = high_halves(first, second)
        lower = xor(lower, xor(shift_up(upper, up), shift_down(previous_words(upper), 64 - up)))
        upper = xor(upper, shift_down(last_to_first(upper), 64 - up))
        store(words, block, low_halves(lower, upper))
        store(words, block + 8, high_halves(lower, upper))


@kernel
def _halve_sixteens(words: Words, start: int, count: int, shift: int) -> None:
    """Do a halving with d = 256 or d < 64 on every block of sixteen words."""
    for block in range(start, start + count, 16):
        lower = load(words, block)
        upper = load(words, block + 8)
        if shift == 256:
            upper = xor(upper, upper_to_lower(upper))
            lower = xor(lower, lower_to_upper(upper))
        else:
            upper = xor(upper, shift_down(last_of_eight(upper), 64 - shift))
            lower = xor(lower, xor(shift_up(upper, shift), shift_down(previous_eight(upper), 64 - shift)))
        store(words, block, lower)
        store(words, block + 8, upper)


@kernel
def _unhalve_sixteens(words: Words, start: int, count: int, shift: int) -> None:
    """Undo `_halve_sixteens`."""
    for block in range(start, start + count, 16):
        lower = load(words, block)
        upper = load(words, block + 8)
        if shift == 256:
            lower = xor(lower, lower_to_upper(upper))
            upper = xor(upper, upper_to_lower(upper))
        else:
            lower = xor(lower, xor(shift_up(upper, shift), shift_down(previous_eight(upper), 64 - shift)))
            upper = xor(upper, shift_down(last_of_eight(upper), 64 - shift))
        store(words, block, lower)
        store(words, block + 8, upper)
