"""Frames of a block as rows of whole words, and their permuted copies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels._jit import kernel

__all__ = ["load_frames", "permute_frames", "store_frames", "warm"]

Words = NDArray[np.uint64]


@kernel
def load_frames(words: Words, offset: int, length: int, rows: Words) -> None:
    """Copy consecutive frames of `length` bits from bit `offset` of `words` on to the first copy of each of `rows`.

    `rows` has shape (frames, copies, ceil(length / 64)).
    """
    row_words = rows.shape[2]
    rest = length & 63
    for frame in range(rows.shape[0]):
        start = offset + frame * length
        shift = np.uint64(start & 63)
        for index in range(row_words):
            place = (start >> 6) + index
            word = words[place] >> shift
            if shift != np.uint64(0) and place + 1 < words.size:
                word |= words[place + 1] << (np.uint64(64) - shift)
            rows[frame, 0, index] = word
        if rest != 0:
            rows[frame, 0, row_words - 1] &= np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - rest)


@kernel
def store_frames(rows: Words, length: int, offset: int, words: Words) -> None:
    """OR the first copy of each of `rows` into zeroed `words` from bit `offset` on, `length` bits each."""
    for frame in range(rows.shape[0]):
        start = offset + frame * length
        shift = np.uint64(start & 63)
        for index in range(rows.shape[2]):
            place = (start >> 6) + index
            word = rows[frame, 0, index]
            words[place] |= word << shift
            if shift != np.uint64(0):
                carry = word >> (np.uint64(64) - shift)
                if carry != np.uint64(0):
                    words[place + 1] |= carry


@kernel
def permute_frames(rows: Words, permutations: NDArray[np.uint32], length: int) -> None:
    """Fill copy 1 + p of each row: bit i becomes bit permutations[p, i] of copy 0."""
    for frame in range(rows.shape[0]):
        for which in range(permutations.shape[0]):
            for index in range(rows.shape[2]):
                word = np.uint64(0)
                start = index << 6
                for place in range(min(64, length - start)):
                    position = permutations[which, start + place]
                    bit = rows[frame, 0, position >> np.uint32(6)] >> np.uint64(position & np.uint32(63))
                    word |= (bit & np.uint64(1)) << np.uint64(place)
                rows[frame, which + 1, index] = word


def warm() -> None:
    """Compile every kernel of this file."""
    rows = np.zeros((1, 2, 1), dtype=np.uint64)
    words = np.zeros(1, dtype=np.uint64)
    load_frames(words, 0, 1, rows)
    permute_frames(rows, np.zeros((1, 1), dtype=np.uint32), 1)
    store_frames(rows, 1, 0, words)
