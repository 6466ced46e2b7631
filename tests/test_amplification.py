from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import toeplitz

import qkdpost.amplification
from qkdpost.amplification import modified_seed_bits, modified_toeplitz_hash, toeplitz_hash
from qkdpost.bits import Bits
from qkdpost.errors import InputError
from reference.polynomials import toeplitz_hash as slow_hash


def drawn(seed: int, length: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, length, dtype=np.uint8)


@settings(deadline=None)
@given(st.integers(1, 150), st.data())
def test_toeplitz_hash_equals_its_definition(n: int, data: st.DataObject) -> None:
    output_bits = data.draw(st.integers(0, n))
    bits, seed = drawn(n, n), drawn(n + output_bits, n + output_bits - 1)
    assert (np.asarray(toeplitz_hash(bits, seed, output_bits)) == slow_hash(bits, seed, output_bits)).all()


@settings(deadline=None)
@given(st.integers(1, 300), st.data())
def test_modified_hash_equals_its_definition(n: int, data: st.DataObject) -> None:
    output_bits = data.draw(st.integers(0, n))
    bits, seed = drawn(n, n), drawn(n + output_bits, modified_seed_bits(n, output_bits))
    head = n - output_bits
    expected = bits[head:].copy()
    if 0 < output_bits < n:
        expected ^= (toeplitz(seed[head - 1 :], seed[:head][::-1]).astype(np.int64) @ bits[:head] % 2).astype(np.uint8)
    assert (np.asarray(modified_toeplitz_hash(bits, seed, output_bits)) == expected).all()


@pytest.mark.parametrize(("n", "output_bits"), [(1000, 500), (50_000, 20_001), (262_145, 131_072)])
def test_large_hashes_equal_the_dense_matrix_in_some_rows(n: int, output_bits: int) -> None:
    bits, seed = drawn(1, n), drawn(2, n + output_bits - 1)
    found = np.asarray(toeplitz_hash(bits, seed, output_bits))
    for row in (0, 1, 63, 64, output_bits // 2, output_bits - 1):
        assert found[row] == int(seed[row : row + n][::-1] @ bits.astype(np.int64)) % 2


def test_every_accepted_form_of_bits_gives_the_same() -> None:
    bits, seed = drawn(1, 100), drawn(2, 139)
    expected = toeplitz_hash(bits, seed, 40)
    assert toeplitz_hash(Bits.from_array(bits), Bits.from_array(seed), 40) == expected
    assert toeplitz_hash(bits.astype(bool), seed.tolist(), 40) == expected


def test_edges() -> None:
    assert len(toeplitz_hash([1, 0, 1], [1, 1], 0)) == 0
    assert len(toeplitz_hash([], [], 0)) == 0
    assert len(modified_toeplitz_hash([], [], 0)) == 0
    assert len(modified_toeplitz_hash([1, 0], [], 0)) == 0
    whole = Bits.from_array([1, 0, 1])
    assert modified_toeplitz_hash(whole, [], 3) == whole
    assert [modified_seed_bits(5, length) for length in range(6)] == [0, 4, 4, 4, 4, 0]


@pytest.mark.parametrize("output_bits", [-1, 4])
def test_lengths_out_of_range_are_refused(output_bits: int) -> None:
    for function in (toeplitz_hash, modified_toeplitz_hash):
        with pytest.raises(InputError, match=r"0 \.\.\. 3"):
            function([1, 0, 1], [1, 1], output_bits)


@pytest.mark.parametrize("length", [0, 3, 5])
def test_seeds_of_another_length_are_refused(length: int) -> None:
    with pytest.raises(InputError, match="seed of 4 bits"):
        toeplitz_hash([1, 0, 1], [1] * length, 2)
    with pytest.raises(InputError, match="seed of 2 bits"):
        modified_toeplitz_hash([1, 0, 1], [1] * length, 2)


@pytest.mark.parametrize("width", [np.int16, np.int32, np.uint32, np.int64, np.uint64])
def test_lengths_of_any_width_give_the_same_hash(width: type) -> None:
    """A length of 32 bits overflowed for most strings and not for others, one of 8 bits asked for another seed."""
    rng = np.random.default_rng(5)
    bits, seed = rng.integers(0, 2, 500), rng.integers(0, 2, 799)
    assert toeplitz_hash(bits, seed, width(300)) == toeplitz_hash(bits, seed, 300)
    assert modified_toeplitz_hash(bits, seed[:499], width(300)) == modified_toeplitz_hash(bits, seed[:499], 300)


@pytest.mark.parametrize("output_bits", [2.0, True, None, "2", [2], np.array([1, 2]), math.nan, 10**400])
def test_the_argument_that_is_wrong_is_named(output_bits: object) -> None:
    for function in (toeplitz_hash, modified_toeplitz_hash):
        with pytest.raises(InputError, match=r"^output_bits, .* must be an integer in 0 ... 3; found"):
            function([1, 0, 1], [1, 1, 0, 1], output_bits)
        with pytest.raises(InputError, match=r"^seed must be .*Bits.from_bytes"):
            function([1, 0, 1], b"abc", 2)
        with pytest.raises(InputError, match=r"^bits must be a vector of numbers; found 'abc'"):
            function("abc", [1, 1, 0, 1], 2)


@pytest.mark.parametrize("function", [toeplitz_hash, modified_toeplitz_hash])
def test_universal2_counted_over_all_seeds(function: object) -> None:
    """Over all seeds every non-zero difference is hashed to zero by at most 2^-output_bits of them."""
    n, output_bits = 5, 2
    seed_bits = n + output_bits - 1 if function is toeplitz_hash else modified_seed_bits(n, output_bits)
    seeds = [[seed >> bit & 1 for bit in range(seed_bits)] for seed in range(1 << seed_bits)]
    for difference in range(1, 1 << n):
        bits = [difference >> bit & 1 for bit in range(n)]
        collisions = sum(function(bits, seed, output_bits).weight() == 0 for seed in seeds)  # type: ignore[operator]
        assert collisions * 4 <= len(seeds)


def test_public_names() -> None:
    assert set(qkdpost.amplification.__all__) == {"modified_seed_bits", "modified_toeplitz_hash", "toeplitz_hash"}
