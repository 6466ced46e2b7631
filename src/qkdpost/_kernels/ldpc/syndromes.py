"""Syndromes by rotation of words, and frames gathered from a block.

Words are `uint64`; bit i of a vector is bit i % 64 of word i // 64. Codes are quasi-cyclic as in
`qkdpost._kernels.ldpc.layered`: a product with a circulant is a rotation of a block of `size` bits, whole words and a
shift.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.bits.counting import trailing_zeros
from qkdpost._kernels.bits.packing import copy_words
from qkdpost._kernels.jit.decorators import kernel
from qkdpost._kernels.ldpc.lane_frames import transpose_square

__all__ = [
    "collect_checks",
    "compute_syndromes",
    "count_summands",
    "flip_errors",
    "gather_frames",
    "take_shown",
    "warm",
]

Words = NDArray[np.uint64]
Indices = NDArray[np.uint32]

_FEW_COLUMNS = 16
"""So many columns of a square take as long one by one as the whole of it."""


@kernel
def compute_syndromes(
    row_starts: Words, edge_bits: Words, edge_shifts: Words, size: int, frames: Words, output: Words
) -> None:
    """Write the syndrome of each packed frame, shape (frames, bits / 64), to zeroed (frames, checks / 64)."""
    words = np.uint64(size >> 6)
    last = words - np.uint64(1)
    for frame in range(frames.shape[0]):
        for row in range(row_starts.size - 1):
            target = np.uint64(row) * words
            for edge in range(row_starts[row], row_starts[row + 1]):
                source = edge_bits[edge] >> np.uint64(6)
                skip = edge_shifts[edge] >> np.uint64(6)
                right = edge_shifts[edge] & np.uint64(63)
                left = (np.uint64(64) - right) & np.uint64(63)
                keep = np.uint64(0) if right == np.uint64(0) else ~np.uint64(0)
                for index in range(words):
                    place = np.uint64(index) + skip
                    low = frames[frame, source + (place & last)]
                    high = frames[frame, source + ((place + np.uint64(1)) & last)]
                    output[frame, target + np.uint64(index)] ^= (low >> right) | ((high << left) & keep)


@kernel
def count_summands(
    row_starts: Words,
    edge_bits: Words,
    edge_shifts: Words,
    size: int,
    kinds: NDArray[np.int64],
    keys: NDArray[np.int64],
    owners: NDArray[np.int64],
) -> None:
    """Count the key bits that each check sums, and tell its only punctured bit.

    Args:
        row_starts: the code.
        edge_bits: the code.
        edge_shifts: the code.
        size: of a circulant.
        kinds: of each bit -1 for a key bit, the number of a punctured bit from 1 on, or 0.
        keys: how many key bits, of each check; overwritten.
        owners: the number of its punctured bit, 0 for none and -1 for more than one; overwritten.
    """
    last = size - 1
    for row in range(row_starts.size - 1):
        for index in range(size):
            count = owner = 0
            for edge in range(row_starts[row], row_starts[row + 1]):
                kind = kinds[int(edge_bits[edge]) + ((int(edge_shifts[edge]) + index) & last)]
                if kind < 0:
                    count += 1
                elif kind > 0:
                    owner = kind if owner == 0 else -1
            keys[row * size + index] = count
            owners[row * size + index] = owner


@kernel
def collect_checks(syndromes: Words, checks: Words) -> None:
    """Write for each check a word whose bit f is that of frame f, of at most 64 frames."""
    square = np.zeros(64, np.uint64)
    for word in range(syndromes.shape[1]):
        square[:] = 0
        for frame in range(syndromes.shape[0]):
            square[frame] = syndromes[frame, word]
        transpose_square(square)
        copy_words(square, checks[64 * word : 64 * (word + 1)])


@kernel
def _window(words: Words, start: int, count: int) -> np.uint64:
    """Return `count` bits from bit `start` on, at most 64; 0 for none."""
    if count <= 0:
        return np.uint64(0)
    place = start >> 6
    shift = np.uint64(start & 63)
    found = words[place] >> shift
    if shift != np.uint64(0) and place + 1 < words.size:
        found |= words[place + 1] << (np.uint64(64) - shift)
    return found & (~np.uint64(0) >> np.uint64(64 - count))


@kernel
def _first_columns(rows: Words, count: int, columns: Words) -> None:
    """Write the first `count` columns of 64 words to the first of `columns`; `rows` is used up."""
    if count >= _FEW_COLUMNS:
        transpose_square(rows)
        copy_words(rows, columns)
        return
    for column in range(count):
        bits = np.uint64(0)
        for row in range(64):
            bits |= ((rows[row] >> np.uint64(column)) & np.uint64(1)) << np.uint64(row)
        columns[column] = bits


@kernel
def _has_source(sources: NDArray[np.int64], begin: int, end: int) -> bool:
    """Return whether any of the places `begin` ... `end` - 1 takes a bit of the block."""
    found = False
    for place in range(begin, end):
        found |= sources[place] >= 0
    return found


@kernel
def gather_frames(block: Words, length: int, sources: NDArray[np.int64], begin: int, end: int, frames: Words) -> None:
    """Spread the bits of a block over frames: place p of frame f takes bit sources[p] * F + f, if there is one.

    The F bits of one place lie together: 64 places of 64 frames are a square that is transposed.

    Args:
        block: packed bits, read-only.
        length: bits of the block.
        sources: for each place of a frame its index into the block, or -1, shape (frame bits,).
        begin: the word of each frame to begin with.
        end: the word to end before.
        frames: shape (F, frame words); the bits are added to what is there.
    """
    count = frames.shape[0]
    square = np.zeros(64, np.uint64)
    columns = np.zeros(64, np.uint64)
    for word in range(begin, end):
        if not _has_source(sources, 64 * word, 64 * (word + 1)):
            continue
        for first in range(0, count, 64):
            taken = min(64, count - first)
            for offset in range(64):
                source = sources[64 * word + offset]
                start = source * count + first
                square[offset] = _window(block, start, min(taken, length - start) if source >= 0 else 0)
            _first_columns(square, taken, columns)
            for frame in range(taken):
                frames[first + frame, word] ^= columns[frame]


@kernel
def flip_errors(
    errors: Words, wanted: NDArray[np.uint8], order: Indices, places: NDArray[np.int64], length: int, block: Words
) -> int:
    """Flip in the block the bits that the frames' error patterns mark; return how many.

    Args:
        errors: packed, shape (F, frame words).
        wanted: which frames to take, shape (F,).
        order: for each bit of a frame's key its index into the block, shape (key bits,).
        places: for each bit of a frame its index into `order`, or -1, shape (frame bits,).
        length: bits of the block.
        block: packed bits, changed.
    """
    count = np.uint64(errors.shape[0])
    one = np.uint64(1)
    flipped = 0
    for frame in range(errors.shape[0]):
        if wanted[frame] == 0:
            continue
        for word in range(errors.shape[1]):
            rest = errors[frame, word]
            while rest != np.uint64(0):
                place = places[64 * word + trailing_zeros(rest)]
                bit = np.uint64(order[place]) * count + np.uint64(frame) if place >= 0 else np.uint64(length)
                if bit < np.uint64(length):
                    block[bit >> np.uint64(6)] ^= one << (bit & np.uint64(63))
                    flipped += 1
                rest &= rest - one
    return flipped


@kernel
def take_shown(
    shown: Words, wanted: NDArray[np.int64], places: Indices, unknown: Words, frames: Words, errors: Words
) -> None:
    """Make the bits at some places of frames what the other side showed, and mark those that were wrong.

    Args:
        shown: packed, all places of one wanted frame after those of the one before.
        wanted: the frames, ascending.
        places: where the bits belong, in the order in which they were shown.
        unknown: a mask of places whose bits were never known here, and so are no errors.
        frames: shape (F, frame words), changed.
        errors: likewise; marks are added.
    """
    one = np.uint64(1)
    position = np.uint64(0)
    for index in range(wanted.size):
        frame = wanted[index]
        for entry in range(places.size):
            word = places[entry] >> 6
            shift = np.uint64(places[entry] & 63)
            bit = shown[position >> np.uint64(6)] >> (position & np.uint64(63))
            position += one
            wrong = ((frames[frame, word] >> shift) ^ bit) & one
            frames[frame, word] ^= wrong << shift
            errors[frame, word] |= (wrong << shift) & ~unknown[word]


def warm() -> None:
    """Compile every kernel of this module by one tiny call each."""
    starts = np.array([0, 1], dtype=np.uint64)
    zeros = np.zeros(1, dtype=np.uint64)
    frame = np.zeros((1, 1), dtype=np.uint64)
    indices = np.zeros(1, dtype=np.uint32)
    counts = np.zeros(64, dtype=np.int64)
    count_summands(starts, zeros, zeros, 64, counts, counts.copy(), counts.copy())
    collect_checks(frame, np.zeros(64, dtype=np.uint64))
    compute_syndromes(starts, zeros, zeros, 64, frame, frame.copy())
    fixed = np.zeros(1, dtype=np.uint64)
    fixed.flags.writeable = False
    gather_frames(fixed, 1, np.zeros(64, dtype=np.int64), 0, 1, frame)
    take_shown(fixed, np.zeros(1, dtype=np.int64), indices, fixed, frame, frame.copy())
    flip_errors(frame, np.ones(1, dtype=np.uint8), indices, np.zeros(64, dtype=np.int64), 1, zeros.copy())
