"""The positions of the ones of a packed vector, a word at a time.

A step writes four positions, however many ones the word has left: what is too much is overwritten by those of the next
word. A processor guesses how often such a loop runs; that a bit is one it would guess wrong every second time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.bits.counting import ones, trailing_zeros
from qkdpost._kernels.jit.decorators import kernel

__all__ = ["list_ones", "warm"]

Words = NDArray[np.uint64]
Positions = NDArray[np.int64]


@kernel
def list_ones(words: Words, bound: int, invert: bool, first: int, output: Positions) -> int:
    """Write the positions below `bound` whose bit of `words` is one (zero if `invert`), ascending, until `output` ends.

    Counted is from `first` on. Returns how many were written.
    """
    flip = ~np.uint64(0) if invert else np.uint64(0)
    written = 0
    for index in range((bound + 63) >> 6):
        word = words[index] ^ flip
        if bound - (index << 6) < 64:
            word &= (np.uint64(1) << np.uint64(bound & 63)) - np.uint64(1)
        if word == np.uint64(0):
            continue
        if output.size - written < 67:
            written = _list_some(word, first + (index << 6), output, written)
        else:
            written = _list_all(word, first + (index << 6), output, written)
    return written


@kernel
def _list_all(word: np.uint64, first: int, output: Positions, written: int) -> int:
    """Write the positions of the ones of `word` from `written` on, and up to three numbers more; return their end."""
    top = np.uint64(1) << np.uint64(63)
    end = written + ones(word)
    place = np.uint64(written)
    while word != np.uint64(0):
        for _ in range(4):
            # Of a word that is used up, the top bit is written: any number would do.
            output[place] = first + trailing_zeros(word | top)
            word &= word - np.uint64(1)
            place += np.uint64(1)
    return end


@kernel
def _list_some(word: np.uint64, first: int, output: Positions, written: int) -> int:
    """Write the positions of the ones of `word` from `written` on, until `output` ends; return where they end."""
    while word != np.uint64(0) and written < output.size:
        output[written] = first + trailing_zeros(word)
        word &= word - np.uint64(1)
        written += 1
    return written


def warm() -> None:
    """Compile every kernel of this file."""
    words = np.ones(1, dtype=np.uint64)
    list_ones(words, 2, False, 0, np.zeros(2, dtype=np.int64))
