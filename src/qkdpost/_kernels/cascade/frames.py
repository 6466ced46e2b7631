"""Frames of a block as rows of words, STRIDE words apart, and their permuted copies.

Copy c of frame f has its word i at ``first + f * frame_stride + 2 * (c * row_words + i)`` of `cells`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.cascade.trees import LONGEST_PACKED
from qkdpost._kernels.jit.decorators import kernel, lean_kernel

__all__ = ["load_frames", "permute_frames", "store_frames", "warm"]

Words = NDArray[np.uint64]

STRIDE = 2


@kernel
def load_frames(
    words: Words, offset: int, length: int, cells: Words, first: int, frame_stride: int, frames: int
) -> None:
    """Copy consecutive frames of `length` bits from bit `offset` of `words` on to copy 0 of each frame."""
    row_words = (length + 63) >> 6
    rest = length & 63
    for frame in range(frames):
        start = offset + frame * length
        row = first + frame * frame_stride
        shift = np.uint64(start & 63)
        for index in range(row_words):
            place = (start >> 6) + index
            word = words[place] >> shift
            if shift != np.uint64(0) and place + 1 < words.size:
                word |= words[place + 1] << (np.uint64(64) - shift)
            cells[row + STRIDE * index] = word
        if rest != 0:
            cells[row + STRIDE * (row_words - 1)] &= np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - rest)


@kernel
def store_frames(
    cells: Words, first: int, frame_stride: int, frames: int, length: int, words: Words, offset: int
) -> None:
    """OR copy 0 of each frame into zeroed `words` from bit `offset` on, `length` bits each."""
    for frame in range(frames):
        start = offset + frame * length
        row = first + frame * frame_stride
        shift = np.uint64(start & 63)
        for index in range((length + 63) >> 6):
            place = (start >> 6) + index
            word = cells[row + STRIDE * index]
            words[place] |= word << shift
            if shift != np.uint64(0):
                carry = word >> (np.uint64(64) - shift)
                if carry != np.uint64(0):
                    words[place + 1] |= carry


@lean_kernel
def transpose(square: Words) -> None:
    """Transpose 64 words as a matrix of bits: bit j of word i becomes bit i of word j."""
    mask = np.uint64(0x00000000FFFFFFFF)
    half = 32
    while half > 0:
        shift = np.uint64(half)
        for base in range(0, 64, 2 * half):
            for index in range(base, base + half):
                change = ((square[index] >> shift) ^ square[index + half]) & mask
                square[index] ^= change << shift
                square[index + half] ^= change
        half >>= 1
        mask ^= mask << np.uint64(half)


@lean_kernel
def permute_frames(
    cells: Words,
    first: int,
    frame_stride: int,
    frames: int,
    orders: NDArray[np.uint32],
    length: int,
    slices: Words,
    square: Words,
) -> None:
    """Fill copy 1 + p of each frame: bit i becomes that of copy 0 at the position which `orders` has for place i.

    Works on 64 frames at once, one bit of each in a word, so that a gather moves 64 bits. `slices` (64 row_words words)
    and `square` (64 words) are scratch, secret.
    """
    row_words = (length + 63) >> 6
    packed = length <= LONGEST_PACKED
    position = np.uint32(0xFFFF if packed else 0xFFFFFFFF)
    for group in range(0, frames, 64):
        count = min(64, frames - group)
        row = first + group * frame_stride
        for index in range(row_words):
            for frame in range(64):
                square[frame] = cells[row + frame * frame_stride + STRIDE * index] if frame < count else np.uint64(0)
            transpose(square)
            for place in range(64):
                slices[64 * index + place] = square[place]
        for which in range(orders.size // (length if packed else 2 * length)):
            for index in range(row_words):
                start = which * length + 64 * index
                for place in range(64):
                    inside = 64 * index + place < length
                    square[place] = slices[np.int64(orders[start + place] & position)] if inside else np.uint64(0)
                transpose(square)
                at = row + STRIDE * ((which + 1) * row_words + index)
                for frame in range(count):
                    cells[at + frame * frame_stride] = square[frame]


def warm() -> None:
    """Compile every kernel of this file."""
    cells = np.zeros(6, dtype=np.uint64)
    words = np.zeros(1, dtype=np.uint64)
    scratch = np.zeros(64, dtype=np.uint64)
    own = words.copy()
    own.flags.writeable = False
    load_frames(own, 0, 1, cells, 0, 6, 1)
    permute_frames(cells, 0, 6, 1, np.zeros(2, dtype=np.uint32), 1, scratch, scratch.copy())
    store_frames(cells, 0, 6, 1, 1, words, 0)
