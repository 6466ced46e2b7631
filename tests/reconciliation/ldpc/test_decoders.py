"""Decoders: bit-exact against a twin in plain integers, and the conduct that every registered decoder must show."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from qkdpost.bits import Bits
from qkdpost.errors import InputError
from qkdpost.reconciliation.channel import BinarySymmetric, Channel, LogLikelihoods, UnsupportedChannel
from qkdpost.reconciliation.ldpc.codes import QuasiCyclicCode
from qkdpost.reconciliation.ldpc.decoders import DECODERS, Arithmetic, Decoded, LayeredDecoder, Patience
from qkdpost.reconciliation.ldpc_design.lifting import lift
from reference.belief import dense_matrix, layered_min_sum, sum_product

SMALL = lift(6, {2: 5, 3: 11, 6: 2}, 64, seed=3)
DENSE = dense_matrix(SMALL)


def _errors(generator: np.random.Generator, frames: int, error_rate: float) -> NDArray[np.uint8]:
    return (generator.random((frames, SMALL.frame_bits)) < error_rate).astype(np.uint8)


def _pack(bits: NDArray[np.uint8]) -> NDArray[np.uint64]:
    return np.packbits(bits, axis=1, bitorder="little").view("<u8").astype(np.uint64)


def _unpack(words: NDArray[np.uint64]) -> NDArray[np.uint8]:
    return np.unpackbits(words.astype("<u8").view(np.uint8), axis=1, bitorder="little")


def _syndromes(errors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return (errors.astype(np.int64) @ DENSE.T.astype(np.int64) % 2).astype(np.uint8)


@pytest.mark.parametrize("name", ["fast", "accurate"])
def test_layered_decoder_is_its_twin_bit_for_bit(name: str) -> None:
    decoder = DECODERS[name]
    assert isinstance(decoder, LayeredDecoder)
    generator = np.random.default_rng(1)
    errors = _errors(generator, 70, 0.035)
    syndromes = _syndromes(errors)
    decoded = decoder.compile(SMALL).decode(_pack(syndromes), BinarySymmetric(error_rate_ppm=35_000))
    arithmetic = decoder.arithmetic(SMALL)
    level = round(arithmetic.units_per_nat * math.log(0.965 / 0.035))
    for frame in range(0, 70, 9):
        pattern, iterations, found = layered_min_sum(
            SMALL,
            syndromes[frame],
            [level] * SMALL.frame_bits,
            correction=arithmetic.correction,
            max_magnitude=arithmetic.max_magnitude,
            bits_of_type=8 * np.dtype(decoder.dtype).itemsize,
            iterations=min(decoder.max_iterations, int(decoded.iterations[frame])),
        )
        assert found == decoded.converged[frame]
        assert iterations == decoded.iterations[frame]
        assert np.array_equal(pattern, _unpack(decoded.words)[frame])


@pytest.mark.parametrize("name", ["fast", "accurate"])
def test_blocks_of_several_registers_are_decoded_as_by_the_twin(name: str) -> None:
    """Registers that lie within a block, and that reach across its end, for values that differ from bit to bit."""
    code = lift(3, {2: 2, 3: 6}, 128, seed=1)
    decoder = DECODERS[name]
    assert isinstance(decoder, LayeredDecoder)
    generator = np.random.default_rng(9)
    values = generator.normal(2.0, 1.3, (3, code.frame_bits)).astype(np.float32)
    syndromes = np.zeros((3, code.syndrome_bits // 64), dtype=np.uint64)
    decoded = decoder.compile(code).decode(syndromes, LogLikelihoods(values=values))
    arithmetic = decoder.arithmetic(code)
    most = np.iinfo(decoder.dtype).max
    for frame in range(3):
        pattern, iterations, found = layered_min_sum(
            code,
            np.zeros(code.syndrome_bits, dtype=np.uint8),
            [
                int(np.rint(np.clip(value * np.float32(arithmetic.units_per_nat), -most, most)))
                for value in values[frame]
            ],
            correction=arithmetic.correction,
            max_magnitude=arithmetic.max_magnitude,
            bits_of_type=8 * np.dtype(decoder.dtype).itemsize,
            iterations=int(decoded.iterations[frame]),
        )
        assert (found, iterations) == (decoded.converged[frame], decoded.iterations[frame])
        assert np.array_equal(pattern, _unpack(decoded.words)[frame])


@pytest.mark.parametrize("name", sorted(DECODERS))
class TestConduct:
    """What any decoder, a vendor's own among them, must do."""

    def test_no_errors_are_found_for_a_zero_syndrome(self, name: str) -> None:
        syndromes = np.zeros((3, SMALL.syndrome_bits // 64), dtype=np.uint64)
        decoded = DECODERS[name].compile(SMALL).decode(syndromes, BinarySymmetric(error_rate_ppm=20_000))
        assert decoded.converged.all()
        assert not decoded.words.any()

    def test_what_is_called_converged_has_the_syndrome(self, name: str) -> None:
        errors = _errors(np.random.default_rng(2), 200, 0.06)
        syndromes = _syndromes(errors)
        decoded = DECODERS[name].compile(SMALL).decode(_pack(syndromes), BinarySymmetric(error_rate_ppm=60_000))
        assert 0 < decoded.converged.sum() < 200
        found = _syndromes(_unpack(decoded.words))
        assert np.array_equal(found[decoded.converged], syndromes[decoded.converged])

    @pytest.mark.parametrize("frames", [1, 63, 64, 65, 200])
    def test_every_number_of_frames_is_decoded_and_none_disturbs_another(self, name: str, frames: int) -> None:
        errors = _errors(np.random.default_rng(3), 200, 0.01)
        syndromes = _pack(_syndromes(errors))
        compiled = DECODERS[name].compile(SMALL)
        decoded = compiled.decode(syndromes[:frames], BinarySymmetric(error_rate_ppm=10_000))
        assert decoded.words.shape == (frames, SMALL.frame_bits // 64)
        right = (_unpack(decoded.words) == errors[:frames]).all(axis=1)
        assert right.mean() > 0.95
        alone = compiled.decode(syndromes[frames - 1 : frames], BinarySymmetric(error_rate_ppm=10_000))
        assert np.array_equal(alone.words[0], decoded.words[-1])
        assert alone.iterations[0] == decoded.iterations[-1]

    def test_it_corrects_nearly_what_sum_product_corrects(self, name: str) -> None:
        errors = _errors(np.random.default_rng(4), 12, 0.03)
        syndromes = _syndromes(errors)
        decoded = DECODERS[name].compile(SMALL).decode(_pack(syndromes), BinarySymmetric(error_rate_ppm=30_000))
        by_twin = [sum_product(DENSE, syndrome, 0.03, 20) for syndrome in syndromes]
        right = sum(np.array_equal(pattern, error) for (pattern, _), error in zip(by_twin, errors, strict=True))
        assert (_unpack(decoded.words) == errors).all(axis=1).sum() >= right - 1

    def test_punctured_bits_are_recovered_and_known_bits_kept(self, name: str) -> None:
        generator = np.random.default_rng(5)
        errors = _errors(generator, 100, 0.012)
        unknown = np.zeros(SMALL.frame_bits, dtype=np.uint8)
        unknown[5 * 64 + np.arange(0, 60, 12)] = 1
        known = np.zeros(SMALL.frame_bits, dtype=np.uint8)
        known[700:800] = 1
        errors[:, 700:800] = 0
        errors[:, unknown == 1] = generator.integers(0, 2, (100, 5))
        decoded = (
            DECODERS[name]
            .compile(SMALL)
            .decode(
                _pack(_syndromes(errors)),
                BinarySymmetric(error_rate_ppm=12_000, known=Bits.from_array(known), unknown=Bits.from_array(unknown)),
            )
        )
        assert (_unpack(decoded.words) == errors).all(axis=1).mean() > 0.9
        assert not _unpack(decoded.words)[decoded.converged][:, 700:800].any()

    def test_pure_noise_is_given_up(self, name: str) -> None:
        syndromes = np.random.default_rng(6).integers(0, 1 << 63, (5, SMALL.syndrome_bits // 64), dtype=np.uint64)
        decoded = DECODERS[name].compile(SMALL).decode(syndromes, BinarySymmetric(error_rate_ppm=20_000))
        assert not decoded.converged.any()

    def test_wrong_arguments_are_refused(self, name: str) -> None:
        compiled = DECODERS[name].compile(SMALL)
        syndromes = np.zeros((1, SMALL.syndrome_bits // 64), dtype=np.uint64)
        channel = BinarySymmetric(error_rate_ppm=1000)
        with pytest.raises(InputError):
            compiled.decode(syndromes[:, :-1], channel)
        with pytest.raises(InputError):
            compiled.decode(syndromes.astype(np.int64), channel)
        with pytest.raises(InputError, match="known must have one bit"):
            compiled.decode(syndromes, BinarySymmetric(error_rate_ppm=1000, known=Bits.zeros(64)))
        with pytest.raises(UnsupportedChannel, match="found int"):
            compiled.decode(syndromes, 1000)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"dtype": np.int32},
        {"few_checks": Arithmetic(units_per_nat=3, correction=157, max_magnitude=36)},
        {"few_checks": Arithmetic(units_per_nat=3, correction=-1, max_magnitude=36)},
        {"many_checks": Arithmetic(units_per_nat=3, correction=17, max_magnitude=128)},
        {"many_checks": Arithmetic(units_per_nat=0, correction=17, max_magnitude=36)},
        {"dtype": np.int16, "many_checks": Arithmetic(units_per_nat=64, correction=344, max_magnitude=2000)},
        {"long_checks": ((60, Arithmetic(units_per_nat=5, correction=157, max_magnitude=48)),)},
        {"max_iterations": 0},
    ],
)
def test_arithmetic_that_does_not_fit_its_type_is_refused(changes: dict[str, Any]) -> None:
    fast = DECODERS["fast"]
    assert isinstance(fast, LayeredDecoder)
    with pytest.raises(InputError):
        replace(fast, **changes)


def test_arithmetic_goes_by_checks_for_a_bit_and_by_bits_of_a_check() -> None:
    few, many, long, longer = (
        Arithmetic(units_per_nat=units, correction=17, max_magnitude=36) for units in (2, 3, 4, 5)
    )
    decoder = LayeredDecoder(
        dtype=np.int8,
        few_checks=few,
        many_checks=many,
        max_iterations=2,
        patience=Patience(first_iterations=1, max_missed_permille=1000, fewer_permille=0),
        long_checks=((12, longer), (9, long)),
    )
    # Three checks, two columns of degree 2 and so many of degree 3: checks of 7 1/3, 8 1/3, 9 1/3, 11 1/3, 12 1/3 bits.
    found = {threes: decoder.arithmetic(lift(3, {2: 2, 3: threes}, 64, seed=1)) for threes in (6, 7, 8, 10, 11)}
    assert found == {6: many, 7: few, 8: long, 10: long, 11: longer}


_TINY = """
import hashlib
import numpy as np
from qkdpost.reconciliation.channel import BinarySymmetric, LogLikelihoods
from qkdpost.reconciliation.ldpc.decoders import Arithmetic, LayeredDecoder, Patience
from qkdpost.reconciliation.ldpc_design.lifting import lift
code = lift(3, {2: 2, 3: 6}, 64, seed=1)
syndromes = np.random.default_rng(1).integers(0, 1 << 63, (3, 3), dtype=np.uint64)
for dtype in (np.int8, np.int16):
    counting = Arithmetic(units_per_nat=3, correction=17, max_magnitude=36)
    decoder = LayeredDecoder(
        dtype=dtype, few_checks=counting, many_checks=counting, max_iterations=2,
        patience=Patience(first_iterations=1, max_missed_permille=1000, fewer_permille=0),
    )
    values = np.random.default_rng(2).normal(1.0, 2.0, (3, code.frame_bits)).astype(np.float32)
    for channel in (BinarySymmetric(error_rate_ppm=30_000), LogLikelihoods(values=values)):
        decoded = decoder.compile(code).decode(syndromes, channel)
        print(hashlib.sha256(decoded.words.tobytes()).hexdigest(), decoded.iterations.tolist())
"""


def test_interpreted_and_compiled_kernels_agree() -> None:
    printed = [
        subprocess.run(
            [sys.executable, "-c", _TINY],
            env={**os.environ, "NUMBA_DISABLE_JIT": disabled},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for disabled in ("0", "1")
    ]
    assert printed[0] == printed[1] != ""


class _FloodingSumProduct:
    """A decoder of another origin: the slow twin, in the place where a vendor's would stand."""

    def compile(self, code: QuasiCyclicCode) -> _FloodingSumProduct:
        self.matrix = dense_matrix(code)
        return self

    def decode(
        self,
        syndromes: NDArray[np.uint64],
        channel: Channel,
    ) -> Decoded:
        if not isinstance(channel, BinarySymmetric):
            raise UnsupportedChannel(f"sum-product takes BinarySymmetric; found {type(channel).__name__}")
        found = [sum_product(self.matrix, row, channel.error_rate_ppm / 1e6, 20) for row in _unpack(syndromes)]
        return Decoded(
            words=_pack(np.array([pattern for pattern, _ in found])),
            converged=np.array([success for _, success in found]),
            iterations=np.zeros(len(found), dtype=np.int32),
        )


def test_a_decoder_of_another_origin_can_be_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DECODERS, "sum-product", _FloodingSumProduct())
    errors = _errors(np.random.default_rng(8), 2, 0.01)
    compiled = DECODERS["sum-product"].compile(SMALL)
    decoded = compiled.decode(_pack(_syndromes(errors)), BinarySymmetric(error_rate_ppm=10_000))
    assert decoded.converged.all()
    assert np.array_equal(_unpack(decoded.words), errors)
