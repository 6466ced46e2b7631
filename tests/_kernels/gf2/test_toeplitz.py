from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkdpost._kernels.bits.packing import copy_bits
from qkdpost._kernels.gf2 import toeplitz
from qkdpost._kernels.gf2.toeplitz import choose_levels
from qkdpost._kernels.gf2.toeplitz_transform import multiply_by_transform
from qkdpost.bits import Bits
from reference.polynomials import product


def random_bits(generator: np.random.Generator, length: int) -> Bits:
    return Bits.from_array(generator.integers(0, 2, length, dtype=np.uint8))


def integer(bits: Bits) -> int:
    return int.from_bytes(bits.to_bytes(), "little")


def hashed(levels: int, bits: Bits, seed: Bits, output_bits: int) -> int:
    output = np.full((output_bits + 63) // 64, 7, dtype=np.uint64)
    if levels:
        multiply_by_transform(levels, bits.words, len(bits), seed.words, output, output_bits)
    else:
        toeplitz._directly(bits.words, len(bits), seed.words, output)
    return int.from_bytes(output.tobytes(), "little") & ((1 << output_bits) - 1)


@pytest.mark.parametrize("levels", [0, 9, 10, 12])
@pytest.mark.parametrize(
    ("input_bits", "output_bits"),
    [(1, 1), (2, 2), (127, 1), (128, 128), (129, 3), (32768, 1), (32769, 32769), (40000, 33), (70001, 69999)],
)
def test_either_way_equals_the_product_of_integers(levels: int, input_bits: int, output_bits: int) -> None:
    generator = np.random.default_rng(input_bits + output_bits)
    bits, seed = random_bits(generator, input_bits), random_bits(generator, input_bits + output_bits - 1)
    # A sparse x keeps the slow product short.
    keep = np.zeros(input_bits, dtype=np.uint8)
    keep[np.unique(np.r_[generator.integers(0, input_bits, 20), 0, input_bits - 1])] = 1
    sparse = bits & Bits.from_array(keep)
    expected = product(integer(seed), integer(sparse)) >> (input_bits - 1) & ((1 << output_bits) - 1)
    assert hashed(levels, sparse, seed, output_bits) == expected
    assert hashed(levels, bits, seed, output_bits) == hashed(0, bits, seed, output_bits)


@pytest.mark.parametrize("levels", [0, 9])
def test_linear_in_bits_and_in_seed(levels: int) -> None:
    generator = np.random.default_rng(3)
    first, second = random_bits(generator, 50_001), random_bits(generator, 50_001)
    seed, other = random_bits(generator, 70_000), random_bits(generator, 70_000)
    both = hashed(levels, first, seed, 20_000) ^ hashed(levels, second, seed, 20_000)
    assert hashed(levels, first ^ second, seed, 20_000) == both
    both = hashed(levels, first, seed, 20_000) ^ hashed(levels, first, other, 20_000)
    assert hashed(levels, first, seed ^ other, 20_000) == both


@settings(deadline=None)
@given(st.integers(0, 2**200 - 1), st.integers(-140, 330), st.integers(0, 5))
def test_copy_bits_from_anywhere(value: int, start: int, words: int) -> None:
    source = np.frombuffer(value.to_bytes(32, "little"), dtype=np.uint64).copy()
    output = np.full(words, 9, dtype=np.uint64)
    copy_bits(source, start, output)
    moved = value >> start if start >= 0 else value << -start
    assert int.from_bytes(output.tobytes(), "little") == moved & ((1 << 64 * words) - 1)


def test_short_products_are_direct_and_long_ones_transformed() -> None:
    assert choose_levels(1, 1) == 0
    assert choose_levels(2**12, 2**11) == 0
    assert choose_levels(2**20, 1) == 0
    assert choose_levels(2**20, 2**19) >= 9
    assert choose_levels(2**26, 2**25) > choose_levels(2**20, 2**19)
