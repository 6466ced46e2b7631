"""Frames gathered and corrected, punctured bits chosen: against plain numpy."""

from __future__ import annotations

import numpy as np
import pytest

from qkdpost._kernels.ldpc.syndromes import collect_checks, count_summands, flip_errors, gather_frames, take_shown


def _pack(bits: np.ndarray) -> np.ndarray:
    return np.packbits(bits, axis=-1, bitorder="little").view("<u8").astype(np.uint64)


@pytest.mark.parametrize(
    ("length", "frames"), [(900, 9), (893, 9), (100, 1), (5, 7), (9000, 64), (7990, 70), (1590, 15), (1590, 16)]
)
def test_frames_are_dealt_and_errors_find_their_way_back(length: int, frames: int) -> None:
    generator = np.random.default_rng(length)
    key_bits = -(-length // frames)
    order = generator.permutation(key_bits).astype(np.uint32)
    positions = np.sort(generator.choice(192, key_bits, replace=False)).astype(np.uint32)
    block = generator.integers(0, 2, length, dtype=np.uint8)
    padded = np.zeros(-(-length // 64) * 64, dtype=np.uint8)
    padded[:length] = block
    output = np.zeros((frames, 3), dtype=np.uint64)
    sources = np.full(192, -1, dtype=np.int64)
    sources[positions] = order
    for begin, end in ((0, 1), (1, 3)):
        gather_frames(_pack(padded), length, sources, begin, end, output)
    expected = np.zeros((frames, 192), dtype=np.uint8)
    for frame in range(frames):
        for place, index in zip(positions, order, strict=True):
            bit = int(index) * frames + frame
            if bit < length:
                expected[frame, place] = block[bit]
    assert np.array_equal(output, _pack(expected))

    errors = generator.integers(0, 2, (frames, 192), dtype=np.uint8)
    wanted = generator.integers(0, 2, frames, dtype=np.uint8)
    places = np.full(192, -1, dtype=np.int64)
    places[positions] = np.arange(key_bits)
    words = _pack(padded)
    flipped = flip_errors(_pack(errors), wanted, order, places, length, words)
    corrected = padded.copy()
    count = 0
    for frame in np.flatnonzero(wanted):
        for place, index in zip(positions, order, strict=True):
            bit = int(index) * frames + frame
            if bit < length and errors[frame, place]:
                corrected[bit] ^= 1
                count += 1
    assert flipped == count
    assert np.array_equal(words, _pack(corrected))


@pytest.mark.parametrize("frames", [1, 5, 64])
def test_checks_are_collected_over_frames(frames: int) -> None:
    bits = np.random.default_rng(frames).integers(0, 2, (frames, 192), dtype=np.uint8)
    checks = np.full(192, 7, dtype=np.uint64)
    collect_checks(_pack(bits), checks)
    assert checks.tolist() == [sum(int(bit) << frame for frame, bit in enumerate(column)) for column in bits.T]


def test_summands_of_checks_are_counted() -> None:
    generator = np.random.default_rng(1)
    size, edges, starts = 64, 9, np.array([0, 4, 9], dtype=np.uint64)
    columns, shifts = generator.integers(0, 5, edges), generator.integers(0, size, edges)
    kinds = np.where(generator.random(5 * size) < 0.6, -1, 0)
    punctured = generator.choice(5 * size, 60, replace=False)
    kinds[punctured] = np.arange(1, 61)
    keys, owners = np.full((2, 2 * size), 7)
    structure = [(part * factor).astype(np.uint64) for part, factor in ((columns, size), (shifts, 1))]
    count_summands(starts, *structure, size, kinds, keys, owners)
    for check in range(2 * size):
        row, index = divmod(check, size)
        summed = [
            kinds[size * columns[edge] + (shifts[edge] + index) % size] for edge in range(starts[row], starts[row + 1])
        ]
        numbers = [kind for kind in summed if kind > 0]
        assert keys[check] == summed.count(-1)
        assert owners[check] == (0 if not numbers else numbers[0] if len(numbers) == 1 else -1)


def test_shown_bits_are_taken_and_wrong_ones_marked() -> None:
    generator = np.random.default_rng(2)
    frames, before = generator.integers(0, 2, (2, 5, 192), dtype=np.uint8)
    wanted, places = np.array([0, 3, 4]), generator.choice(192, 50, replace=False).astype(np.uint32)
    shown, unknown = generator.integers(0, 2, (3, 50), dtype=np.uint8), generator.integers(0, 2, 192, dtype=np.uint8)
    words, errors, padded = _pack(frames), _pack(before), np.zeros(192, dtype=np.uint8)
    padded[:150] = shown.reshape(-1)
    take_shown(_pack(padded), wanted, places, _pack(unknown), words, errors)
    marked = before.copy()
    for frame, bits in zip(wanted, shown, strict=True):
        wrong = (frames[frame, places] ^ bits) & ~unknown[places]
        marked[frame, places] |= wrong & 1
        frames[frame, places] = bits
    assert np.array_equal(words, _pack(frames))
    assert np.array_equal(errors, _pack(marked))
