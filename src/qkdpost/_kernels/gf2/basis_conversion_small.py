"""The conversion of `basis_conversion` within blocks of 256 bits, eight blocks in registers at a time."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.gf2.clmul_lanes import (
    Lanes,
    and_,
    broadcast,
    even_lanes,
    high_words,
    interleave_high,
    interleave_low,
    load,
    low_words,
    odd_lanes,
    shift_down,
    shift_up,
    store,
    xor,
)
from qkdpost._kernels.jit.decorators import kernel

__all__ = ["convert_small", "restore_small"]

Words: TypeAlias = NDArray[np.uint64]


def _mask(block: int, first: int, end: int) -> int:
    """Return a word with bits first ... end - 1 of every `block` bits set."""
    return sum(((1 << end) - (1 << first)) << base for base in range(0, 64, block))


# Halvings within a word: where the highest d bits of the upper half go, and where the others go.
_OVERFLOW_32_2, _LOWER_32_2 = _mask(64, 32, 34), _mask(64, 2, 32)
_OVERFLOW_16_1, _LOWER_16_1 = _mask(32, 16, 17), _mask(32, 1, 16)
_OVERFLOW_32_16, _LOWER_32_16 = _mask(64, 32, 48), _mask(64, 16, 32)
_OVERFLOW_8_2, _LOWER_8_2 = _mask(16, 8, 10), _mask(16, 2, 8)
_OVERFLOW_4_1, _LOWER_4_1 = _mask(8, 4, 5), _mask(8, 1, 4)
_OVERFLOW_8_4, _LOWER_8_4 = _mask(16, 8, 12), _mask(16, 4, 8)
_OVERFLOW_2_1, _LOWER_2_1 = _mask(4, 2, 3), _mask(4, 1, 2)


@kernel
def _halve(word: Lanes, down: int, overflow: int, lower: int) -> Lanes:
    """Do a halving within each word: masks say where the highest bits go and where the others go."""
    high = broadcast(np.uint64(overflow), np.uint64(overflow))
    low = broadcast(np.uint64(lower), np.uint64(lower))
    word = xor(word, and_(shift_down(word, down), high))
    return xor(word, and_(shift_down(word, down), low))


@kernel
def _expand_word(word: Lanes) -> Lanes:
    """Finish the expansion in powers of x^16 + x within each word."""
    word = _halve(word, 30, _OVERFLOW_32_2, _LOWER_32_2)
    return _halve(word, 15, _OVERFLOW_16_1, _LOWER_16_1)


@kernel
def _collect_word(word: Lanes) -> Lanes:
    """Undo `_expand_word`: the same halvings in the other order, and each the other way round."""
    word = _halve(word, 15, _LOWER_16_1, _OVERFLOW_16_1)
    return _halve(word, 30, _LOWER_32_2, _OVERFLOW_32_2)


@kernel
def _convert_word(word: Lanes) -> Lanes:
    """Convert the four 16-bit coefficients of each word, and the last halving among them."""
    word = _halve(word, 16, _OVERFLOW_32_16, _LOWER_32_16)
    word = _halve(word, 6, _OVERFLOW_8_2, _LOWER_8_2)
    word = _halve(word, 3, _OVERFLOW_4_1, _LOWER_4_1)
    word = _halve(word, 4, _OVERFLOW_8_4, _LOWER_8_4)
    return _halve(word, 1, _OVERFLOW_2_1, _LOWER_2_1)


@kernel
def _restore_word(word: Lanes) -> Lanes:
    """Undo `_convert_word`."""
    word = _halve(word, 1, _LOWER_2_1, _OVERFLOW_2_1)
    word = _halve(word, 4, _LOWER_8_4, _OVERFLOW_8_4)
    word = _halve(word, 3, _LOWER_4_1, _OVERFLOW_4_1)
    word = _halve(word, 6, _LOWER_8_2, _OVERFLOW_8_2)
    return _halve(word, 16, _LOWER_32_16, _OVERFLOW_32_16)


@kernel
def convert_small(words: Words, start: int, count: int) -> None:
    """Convert every four words: 256 coefficients, expanded in powers of x^16 + x. Eight blocks at a time.

    Shuffles bring the first words of the eight blocks together in one vector, the second in another, and so on.
    """
    for block in range(start, start + count, 32):
        front = even_lanes(load(words, block), load(words, block + 8))
        front_next = even_lanes(load(words, block + 16), load(words, block + 24))
        back = odd_lanes(load(words, block), load(words, block + 8))
        back_next = odd_lanes(load(words, block + 16), load(words, block + 24))
        a = low_words(front, front_next)
        b = high_words(front, front_next)
        c = low_words(back, back_next)
        d = high_words(back, back_next)
        c = xor(c, shift_down(d, 56))  # h = 128, d = 8
        a = xor(a, shift_up(c, 8))
        b = xor(b, xor(shift_up(d, 8), shift_down(c, 56)))
        b = xor(b, shift_down(b, 60))  # h = 64, d = 4
        a = xor(a, shift_up(b, 4))
        d = xor(d, shift_down(d, 60))
        c = xor(c, shift_up(d, 4))
        a = _expand_word(a)
        b = _expand_word(b)
        c = _expand_word(c)
        d = _expand_word(d)
        c = xor(c, shift_down(d, 32))  # h = 128, d = 32
        a = xor(a, shift_up(c, 32))
        b = xor(b, xor(shift_up(d, 32), shift_down(c, 32)))
        b = xor(b, shift_down(b, 48))  # h = 64, d = 16
        a = xor(a, shift_up(b, 16))
        d = xor(d, shift_down(d, 48))
        c = xor(c, shift_up(d, 16))
        c = xor(c, d)  # h = 128, d = 64
        b = xor(b, c)
        _store_fours(words, block, _convert_word(a), _convert_word(b), _convert_word(c), _convert_word(d))


@kernel
def restore_small(words: Words, start: int, count: int) -> None:
    """Undo `convert_small`."""
    for block in range(start, start + count, 32):
        front = even_lanes(load(words, block), load(words, block + 8))
        front_next = even_lanes(load(words, block + 16), load(words, block + 24))
        back = odd_lanes(load(words, block), load(words, block + 8))
        back_next = odd_lanes(load(words, block + 16), load(words, block + 24))
        a = _restore_word(low_words(front, front_next))
        b = _restore_word(high_words(front, front_next))
        c = _restore_word(low_words(back, back_next))
        d = _restore_word(high_words(back, back_next))
        b = xor(b, c)
        c = xor(c, d)
        c = xor(c, shift_up(d, 16))
        d = xor(d, shift_down(d, 48))
        a = xor(a, shift_up(b, 16))
        b = xor(b, shift_down(b, 48))
        b = xor(b, xor(shift_up(d, 32), shift_down(c, 32)))
        a = xor(a, shift_up(c, 32))
        c = xor(c, shift_down(d, 32))
        a = _collect_word(a)
        b = _collect_word(b)
        c = _collect_word(c)
        d = _collect_word(d)
        c = xor(c, shift_up(d, 4))
        d = xor(d, shift_down(d, 60))
        a = xor(a, shift_up(b, 4))
        b = xor(b, shift_down(b, 60))
        b = xor(b, xor(shift_up(d, 8), shift_down(c, 56)))
        a = xor(a, shift_up(c, 8))
        c = xor(c, shift_down(d, 56))
        _store_fours(words, block, a, b, c, d)


@kernel
def _store_fours(words: Words, block: int, a: Lanes, b: Lanes, c: Lanes, d: Lanes) -> None:
    """Write the first, second, third and fourth words of eight blocks of four."""
    front = low_words(a, b)
    front_next = high_words(a, b)
    back = low_words(c, d)
    back_next = high_words(c, d)
    store(words, block, interleave_low(front, back))
    store(words, block + 8, interleave_high(front, back))
    store(words, block + 16, interleave_low(front_next, back_next))
    store(words, block + 24, interleave_high(front_next, back_next))
