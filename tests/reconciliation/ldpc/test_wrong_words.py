"""Wrong words: how many a decoder finds near its waterfall, and that the tags of verification tell every one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from qkdpost._kernels.ldpc.syndromes import compute_syndromes
from qkdpost.bits import Bits
from qkdpost.reconciliation.channel import BinarySymmetric
from qkdpost.reconciliation.ldpc.codes import QuasiCyclicCode, code_names, load_code
from qkdpost.reconciliation.ldpc.decoders import DECODERS
from qkdpost.reconciliation.ldpc.disclosure import waterfall_ppm
from qkdpost.statistics.entropy import entropy_ppm
from qkdpost.verification import frame_tags

BATCH = 1024
TAG_BITS = 24

Words = NDArray[np.uint64]


def _rate_near_waterfall(name: str, code: QuasiCyclicCode, decoder: str, widths: float) -> int:
    """Return the error rate, in 10^6, at which the code discloses so many widths more than half of the frames need."""
    middle, width = waterfall_ppm(name, decoder, code.frame_bits)
    most = 10**12 * code.rows / code.columns / (middle + widths * width)
    return max(ppm for ppm in range(1000, 200_000, 50) if entropy_ppm(ppm) <= most)


def _errors(generator: np.random.Generator, code: QuasiCyclicCode, rate_ppm: int) -> Words:
    flags = generator.integers(0, 10**6, (BATCH, code.frame_bits), dtype=np.uint32) < rate_ppm
    return np.packbits(flags, axis=1, bitorder="little").view("<u8").astype(np.uint64)


def _syndromes(code: QuasiCyclicCode, frames: Words) -> Words:
    output = np.zeros((frames.shape[0], code.syndrome_bits // 64), dtype=np.uint64)
    compute_syndromes(code.row_starts, code.edge_bits, code.edge_shifts, code.size, frames, output)
    return output


def _batch(generator: np.random.Generator, name: str, decoder: str) -> tuple[int, int, int]:
    """Correct a batch; return frames with no word found, with a wrong one, and wrong in any way but equal in tags."""
    code = load_code(name)
    rate_ppm = _rate_near_waterfall(name, code, decoder, 0.5)
    errors = _errors(generator, code, rate_ppm)
    channel = BinarySymmetric(error_rate_ppm=rate_ppm)
    decoded = DECODERS[decoder].compile(code).decode(_syndromes(code, errors), channel)
    reference = generator.integers(0, 1 << 64, errors.shape, dtype=np.uint64)
    found = np.where(decoded.converged[:, None], decoded.words, 0)
    corrected = reference ^ errors ^ found
    key = generator.bytes(32)
    tags = [
        np.asarray(frame_tags(Bits(words.reshape(-1), 64 * words.size), code.frame_bits, key, TAG_BITS))
        for words in (reference, corrected)
    ]
    told = (tags[0] != tags[1]).reshape(BATCH, TAG_BITS).any(axis=1)
    differs = (reference != corrected).any(axis=1)
    assert not (told & ~differs).any()
    return int((~decoded.converged).sum()), int((differs & decoded.converged).sum()), int((differs & ~told).sum())


def _count(decoder: str, batches: int) -> tuple[int, int, int]:
    names = [name for name in code_names() if load_code(name).frame_bits == 1 << 14]
    generator = np.random.default_rng(20)
    counts = np.zeros(3, dtype=np.int64)
    for number in range(batches):
        counts += _batch(generator, names[7 * number % len(names)], decoder)
    failed, wrong, undetected = counts.tolist()
    print(f"{decoder}: {batches * BATCH} frames, {failed} without a word, {wrong} wrong words, {undetected} undetected")
    return failed, wrong, undetected


def test_a_thousand_frames_near_the_waterfall() -> None:
    failed, _, undetected = _count("fast", 1)
    assert 0.1 * BATCH < failed < 0.6 * BATCH
    assert undetected == 0


@pytest.mark.slow
@pytest.mark.parametrize("decoder", ["fast", "accurate"])
def test_a_hundred_thousand_frames_near_the_waterfall(decoder: str) -> None:
    _, wrong, undetected = _count(decoder, 98)
    assert undetected == 0
    assert wrong <= 1e-4 * 98 * BATCH
