from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkdpost._kernels.bits.packing import copy_bits
from qkdpost._kernels.gf2.toeplitz import choose_way, toeplitz_product
from qkdpost._kernels.gf2.toeplitz_halves import multiply_by_halves
from qkdpost._kernels.gf2.toeplitz_transform import multiply_by_transform
from qkdpost.bits import Bits
from reference.polynomials import product


def random_bits(generator: np.random.Generator, length: int) -> Bits:
    return Bits.from_array(generator.integers(0, 2, length, dtype=np.uint8))


def integer(bits: Bits) -> int:
    return int.from_bytes(bits.to_bytes(), "little")


def hashed(levels: int, bits: Bits, seed: Bits, output_bits: int, depth: int = 0) -> int:
    output = np.full((output_bits + 63) // 64, 7, dtype=np.uint64)
    if levels:
        multiply_by_transform(levels, bits.words, len(bits), seed.words, output, output_bits)
    else:
        multiply_by_halves(bits.words, len(bits), seed.words, output, depth)
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


@pytest.mark.parametrize(("input_bits", "output_bits", "depth"), [(1, 1, 0), (300, 70, 1), (1030, 1030, 0)])
def test_halves_of_some_sizes_equal_the_product_of_integers(input_bits: int, output_bits: int, depth: int) -> None:
    generator = np.random.default_rng(depth)
    bits, seed = random_bits(generator, input_bits), random_bits(generator, input_bits + output_bits - 1)
    expected = product(integer(seed), integer(bits)) >> (input_bits - 1) & ((1 << output_bits) - 1)
    assert hashed(0, bits, seed, output_bits, depth) == expected


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(0, 3), st.integers(0, 2**32))
def test_halves_of_every_size_equal_the_product_of_integers(
    input_bits: int, output_bits: int, depth: int, seed_of_bits: int
) -> None:
    generator = np.random.default_rng(seed_of_bits)
    bits, seed = random_bits(generator, input_bits), random_bits(generator, input_bits + output_bits - 1)
    expected = product(integer(seed), integer(bits)) >> (input_bits - 1) & ((1 << output_bits) - 1)
    assert hashed(0, bits, seed, output_bits, depth) == expected


@pytest.mark.parametrize("size", [1 << 10, 1 << 13, 1 << 14, 1 << 15, 1 << 16, (1 << 16) + 1, 1 << 17])
@pytest.mark.parametrize("more", [-1, 0, 1])
def test_the_way_that_is_chosen_equals_all_others(size: int, more: int) -> None:
    generator = np.random.default_rng(size)
    input_bits, output_bits = size + more, size // 2 - more
    bits, seed = random_bits(generator, input_bits), random_bits(generator, input_bits + output_bits - 1)
    output = np.full((output_bits + 63) // 64, 7, dtype=np.uint64)
    toeplitz_product(bits.words, input_bits, seed.words, output, output_bits)
    found = int.from_bytes(output.tobytes(), "little")
    assert found == hashed(9, bits, seed, output_bits)
    assert {hashed(0, bits, seed, output_bits, depth) for depth in range(6)} == {found}


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


def test_short_products_are_halved_and_long_ones_transformed() -> None:
    assert choose_way(1, 1) == (0, 0)
    assert choose_way(2**12, 2**11).levels == 0
    assert choose_way(2**15, 2**14).depth > choose_way(2**12, 2**11).depth
    assert choose_way(2**20, 1).levels == 0
    assert choose_way(2**20, 2**19).levels >= 9
    assert choose_way(2**26, 2**25).levels > choose_way(2**20, 2**19).levels


@pytest.mark.parametrize("exponent", [12, 14, 16, 17])
def test_threads_do_not_choose_the_way_of_a_product_that_is_not_shared(exponent: int) -> None:
    assert choose_way(1 << exponent, 1 << exponent - 1, 8) == choose_way(1 << exponent, 1 << exponent - 1)
