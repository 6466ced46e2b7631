"""Toeplitz hashing of 2^k bits to half of them: ours beside scipy's float64 FFT on the same bits.

The baseline gets the bits and the seed as float64 vectors, made outside the timed part; ours are packed. Divide 2^k by
the time for input bits per second. Sizes above 2^22 take the baseline seconds and gigabytes: `-k "not log2_26"`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import fft

from qkdpost.amplification import modified_seed_bits, modified_toeplitz_hash, toeplitz_hash
from qkdpost.bits import Bits

EXPONENTS = [14, 16, 18, 20, 22, 24, 26]
BASELINE_ROUNDS = 3


def _group(exponent: int) -> str:
    return f"Toeplitz, 2^{exponent} to 2^{exponent - 1} bits"


def _random_bits(seed: int, length: int) -> Bits:
    data = np.frombuffer(np.random.default_rng(seed).bytes((length + 7) // 8), dtype=np.uint8).copy()
    if length % 8:
        data[-1] &= (1 << (length % 8)) - 1
    return Bits.from_bytes(data, length)


def _inputs(exponent: int) -> tuple[Bits, Bits, int]:
    bits, output_bits = 1 << exponent, 1 << (exponent - 1)
    return _random_bits(1, bits), _random_bits(2, bits + output_bits - 1), output_bits


def _by_float_transform(bits: np.ndarray, seed: np.ndarray, output_bits: int) -> np.ndarray:
    # A circular convolution as long as the seed: what wraps around falls before the window.
    length = fft.next_fast_len(seed.size, real=True)
    product = fft.irfft(fft.rfft(seed, length) * fft.rfft(bits, length), length)
    return np.rint(product[bits.size - 1 : bits.size - 1 + output_bits]).astype(np.int64) & 1


def _marked(exponents: list[int]) -> list[Any]:
    return [
        pytest.param(exponent, marks=pytest.mark.benchmark(group=_group(exponent)), id=f"log2_{exponent}")
        for exponent in exponents
    ]


@pytest.mark.parametrize("exponent", _marked(EXPONENTS))
def test_toeplitz_hash(benchmark: Any, exponent: int) -> None:
    bits, seed, output_bits = _inputs(exponent)
    found = benchmark(toeplitz_hash, bits, seed, output_bits)
    benchmark.extra_info["input_bits"] = len(bits)
    row = output_bits // 3
    assert np.asarray(found[row : row + 1])[0] == _row(bits, seed, row)


@pytest.mark.parametrize("exponent", _marked(EXPONENTS))
def test_modified_toeplitz_hash(benchmark: Any, exponent: int) -> None:
    bits, _, output_bits = _inputs(exponent)
    seed = _random_bits(2, modified_seed_bits(len(bits), output_bits))
    benchmark(modified_toeplitz_hash, bits, seed, output_bits)
    benchmark.extra_info["input_bits"] = len(bits)


@pytest.mark.parametrize("exponent", _marked(EXPONENTS))
def test_scipy_float_transform(benchmark: Any, exponent: int) -> None:
    bits, seed, output_bits = _inputs(exponent)
    floats = np.asarray(bits, dtype=np.float64), np.asarray(seed, dtype=np.float64)
    found = benchmark.pedantic(
        _by_float_transform, args=(*floats, output_bits), rounds=BASELINE_ROUNDS, iterations=1, warmup_rounds=1
    )
    benchmark.extra_info["input_bits"] = len(bits)
    assert Bits.from_array(found) == toeplitz_hash(bits, seed, output_bits)


def _row(bits: Bits, seed: Bits, row: int) -> int:
    """Return one bit of the hash from its definition."""
    reversed_bits = np.asarray(bits)[::-1]
    return int(np.bitwise_xor.reduce(np.asarray(seed[row : row + len(bits)]) & reversed_bits))
