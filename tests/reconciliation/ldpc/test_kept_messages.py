"""Decoding that goes on from a failed attempt: bit for bit as its twin, of the right frames, and with less work."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from qkdpost.bits import Bits
from qkdpost.errors import InputError
from qkdpost.reconciliation.channel import BinarySymmetric
from qkdpost.reconciliation.ldpc.codes import QuasiCyclicCode, load_code
from qkdpost.reconciliation.ldpc.decoders import DECODERS, KeepingDecoder, KeptMessages, LayeredDecoder, Patience
from qkdpost.reconciliation.ldpc_design.lifting import lift
from reference.belief import dense_matrix, layered_min_sum

SMALL = lift(6, {2: 5, 3: 11, 6: 2}, 64, seed=3)
WIDE = lift(3, {2: 2, 3: 6}, 128, seed=1)
RATE = 0.07
Errors = NDArray[np.uint8]


def _pack(bits: Errors) -> NDArray[np.uint64]:
    return np.packbits(bits, axis=1, bitorder="little").view("<u8").astype(np.uint64)


def _unpack(words: NDArray[np.uint64]) -> Errors:
    return np.unpackbits(words.astype("<u8").view(np.uint8), axis=1, bitorder="little")


def _syndromes(code: QuasiCyclicCode, errors: Errors) -> Errors:
    return (errors.astype(np.int64) @ dense_matrix(code).T.astype(np.int64) % 2).astype(np.uint8)


def _compiled(decoder: LayeredDecoder, code: QuasiCyclicCode) -> KeepingDecoder:
    compiled = decoder.compile(code)
    assert isinstance(compiled, KeepingDecoder)
    return compiled


def _layered(name: str, iterations: int) -> LayeredDecoder:
    decoder = DECODERS[name]
    assert isinstance(decoder, LayeredDecoder)
    return replace(decoder, max_iterations=iterations, haste=Patience(first_iterations=iterations))


def _channel(unknown: Errors, known: Errors, rate: float = RATE) -> BinarySymmetric:
    masks = {"unknown": Bits.from_array(unknown), "known": Bits.from_array(known)}
    return BinarySymmetric(error_rate_ppm=round(1e6 * rate), **masks)


@pytest.mark.parametrize("code", [SMALL, WIDE], ids=["one register", "several"])
@pytest.mark.parametrize("name", ["fast", "accurate"])
def test_what_goes_on_is_its_twin_bit_for_bit(name: str, code: QuasiCyclicCode) -> None:
    """Bits of which nothing was known are revealed between the attempts."""
    decoder = _layered(name, 3)
    compiled = _compiled(decoder, code)
    arithmetic = decoder.arithmetic(code.rows, code.columns)
    level = round(arithmetic.units_per_nat * math.log((1 - RATE) / RATE))
    most = int(np.iinfo(decoder.dtype).max)
    generator = np.random.default_rng(11)
    frames = 3
    errors = (generator.random((frames, code.frame_bits)) < RATE).astype(np.uint8)
    revealed = generator.choice(code.frame_bits, 40, replace=False)
    errors[:, revealed] = generator.integers(0, 2, (frames, 40))
    hidden, known = np.zeros((2, code.frame_bits), dtype=np.uint8)
    hidden[revealed] = 1
    messages = [[dict.fromkeys(np.flatnonzero(row).tolist(), 0) for row in dense_matrix(code)] for _ in range(frames)]
    left = np.arange(frames)
    kept: KeptMessages | None = None
    for shown in (0, 10, 40):
        hidden[revealed[:shown]], known[revealed[:shown]] = 0, 1
        errors[:, revealed[:shown]] = 0
        channel = np.where(known == 1, most, np.where(hidden == 1, 0, level)).tolist()
        syndromes = _syndromes(code, errors[left])
        decoded, kept = compiled.decode_on(_pack(syndromes), _channel(hidden, known), kept)
        for number, frame in enumerate(left):
            pattern, iterations, found = layered_min_sum(
                code,
                syndromes[number],
                channel,
                correction=arithmetic.correction,
                max_magnitude=arithmetic.max_magnitude,
                bits_of_type=8 * np.dtype(decoder.dtype).itemsize,
                iterations=3,
                messages=messages[frame],
            )
            assert (found, iterations) == (decoded.converged[number], decoded.iterations[number])
            assert np.array_equal(pattern, _unpack(decoded.words)[number])
        left = left[~decoded.converged]
        assert kept.magnitudes.shape[0] == kept.marks.shape[0] == left.size
        assert left.size, "every frame was found, so that nothing went on"


def test_what_went_on_in_steps_is_what_was_decoded_at_once() -> None:
    """Where no posterior reaches the end of its type: the order in which messages are added does not matter then."""
    errors = (np.random.default_rng(2).random((40, SMALL.frame_bits)) < 0.035).astype(np.uint8)
    syndromes = _pack(_syndromes(SMALL, errors))
    channel = BinarySymmetric(error_rate_ppm=35_000)
    once = _compiled(_layered("accurate", 8), SMALL).decode(syndromes, channel)
    steps = _compiled(_layered("accurate", 4), SMALL)
    first, kept = steps.decode_on(syndromes, channel, None)
    second, _ = steps.decode_on(syndromes[~first.converged], channel, kept)
    assert 0 < first.converged.sum() < 40
    words = first.words.copy()
    words[~first.converged] = second.words
    assert np.array_equal(words, once.words)


def test_fewer_iterations_find_as_many_frames() -> None:
    code = load_code("qc059-0064")
    decoder = DECODERS["fast"]
    assert isinstance(decoder, LayeredDecoder)
    compiled = _compiled(decoder, code)
    generator = np.random.default_rng(7)
    errors = (generator.random((48, code.frame_bits)) < 0.032).astype(np.uint8)
    revealed = generator.choice(code.frame_bits, 300, replace=False)
    hidden, known = np.zeros((2, code.frame_bits), dtype=np.uint8)
    hidden[revealed] = 1
    errors[:, revealed] = generator.integers(0, 2, (48, 300))
    first, kept = compiled.decode_on(_words_of(code, errors), _channel(hidden, known, 0.032), None)
    failed = ~first.converged
    assert failed.sum() > 10
    errors[:, revealed] = 0
    hidden[revealed], known[revealed] = 0, 1
    channel = _channel(hidden, known, 0.032)
    again = _words_of(code, errors[failed])
    afresh, _ = compiled.decode_on(again, channel, None)
    gone_on, _ = compiled.decode_on(again, channel, kept)
    assert gone_on.converged.sum() >= afresh.converged.sum()
    assert gone_on.iterations.sum() < afresh.iterations.sum()
    assert np.array_equal(_unpack(gone_on.words)[gone_on.converged], errors[failed][gone_on.converged])


def _words_of(code: QuasiCyclicCode, errors: Errors) -> NDArray[np.uint64]:
    index = np.arange(code.size)
    checks = np.zeros((errors.shape[0], code.syndrome_bits), dtype=np.uint8)
    for row, column, shift in code.edges.tolist():
        checks[:, row * code.size + index] ^= errors[:, column * code.size + (index + shift) % code.size]
    return _pack(checks)


def test_what_was_kept_of_other_frames_is_refused() -> None:
    compiled = _compiled(_layered("fast", 2), SMALL)
    channel = BinarySymmetric(error_rate_ppm=60_000)
    noise = np.random.default_rng(6).integers(0, 1 << 63, (5, SMALL.syndrome_bits // 64), dtype=np.uint64)
    _, kept = compiled.decode_on(noise, channel, None)
    with pytest.raises(InputError, match="what was kept must be of 4 frames"):
        compiled.decode_on(noise[:4], channel, kept)
    with pytest.raises(InputError, match="what was kept"):
        _compiled(_layered("fast", 2), WIDE).decode_on(np.zeros((5, 6), dtype=np.uint64), channel, kept)


def test_it_says_nothing_of_secrets() -> None:
    assert "[" not in repr(KeptMessages(np.zeros((1, 2), dtype=np.int8), np.zeros((1, 2), dtype=np.uint64)))
