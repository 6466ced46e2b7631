from __future__ import annotations

import itertools

import galois
import numpy as np
import pytest

from qkdpost._kernels.gf2.additive_transform import (
    CHUNK_LEVELS,
    collect_bits,
    evaluate,
    interpolate,
    multiply_sums,
    spread_bits,
)
from qkdpost._kernels.gf2.basis_conversion import conversion_steps, from_transform_basis, to_transform_basis
from qkdpost._kernels.gf2.cantor import cantor_basis, coset_shift, transform_tables
from reference.polynomials import field_product, integer_of, product

LEVELS = 9
POINTS = 1 << LEVELS


def random_words(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**64, count, dtype=np.uint64)


def value_at(polynomial: int, point: int) -> int:
    """Horner, one coefficient at a time."""
    value = 0
    for place in range(polynomial.bit_length() - 1, -1, -1):
        value = field_product(value, point) ^ (polynomial >> place & 1)
    return value


def forward(words: np.ndarray, levels: int) -> np.ndarray:
    tables = transform_tables(levels)
    scratch, values = words.copy(), np.zeros(2 << levels, dtype=np.uint64)
    to_transform_basis(scratch, 0, scratch.size, conversion_steps(levels + 6))
    spread_bits(scratch, 1 << (levels - 6), tables.spread, values, 0)
    evaluate(values, 0, levels, tables.bases, tables.blocks, tables.coarse, tables.fine)
    return values


def backward(values: np.ndarray, levels: int) -> np.ndarray:
    tables = transform_tables(levels)
    scratch, words = values.copy(), np.zeros(2 << levels, dtype=np.uint64)
    interpolate(scratch, 0, levels, tables.bases, tables.blocks, tables.coarse, tables.fine)
    collect_bits(scratch, 0, 1 << (levels - 6), tables.collect, words)
    from_transform_basis(words, 0, words.size, conversion_steps(levels + 7))
    return words


def test_cantor_basis() -> None:
    basis = cantor_basis()
    assert basis[0] == 1
    for before, element in itertools.pairwise(basis):
        assert field_product(element, element) ^ element == before
    assert np.linalg.matrix_rank(
        galois.GF2([[element >> bit & 1 for bit in range(128)] for element in basis])
    ) == 128  # fmt: skip


def basis_polynomials(count: int) -> list[int]:
    """X_0 ... X_(count - 1): products of s_0 = x and s_(i+1) = s_i^2 + s_i."""
    listed, factor = [1], 2
    while len(listed) < count:
        listed += [product(factor, other) for other in listed]
        factor ^= product(factor, factor)
    return listed


@pytest.mark.parametrize("log_bits", [11, 12])
def test_conversion_equals_the_sum_of_basis_polynomials(log_bits: int) -> None:
    words = random_words(1 << (log_bits - 6))
    converted = words.copy()
    to_transform_basis(converted, 0, words.size, conversion_steps(log_bits))
    coefficients, total = integer_of(converted), 0
    for index, polynomial in enumerate(basis_polynomials(1 << log_bits)):
        if coefficients >> index & 1:
            total ^= polynomial
    assert total == integer_of(words)


@pytest.mark.parametrize("log_bits", [11, 14, 15, 16, 17, 18, 20])
def test_conversion_and_back(log_bits: int) -> None:
    words = random_words(1 << (log_bits - 6))
    converted = words.copy()
    to_transform_basis(converted, 0, words.size, conversion_steps(log_bits))
    assert (converted != words).any()
    from_transform_basis(converted, 0, words.size, conversion_steps(log_bits))
    assert (converted == words).all()


@pytest.mark.parametrize("index", [0, 1, 2, 3, 4, 5, 7, 8, 100, 357, POINTS - 1])
def test_values_equal_horner_at_the_points(index: int) -> None:
    words = random_words(POINTS)
    values = forward(words, LEVELS)
    # Within eight points the transform leaves 0 4 2 6 1 5 3 7 in the order in which its shuffles end.
    point = coset_shift(LEVELS, 0)
    for bit, element in enumerate(cantor_basis()[:LEVELS]):
        point ^= element if index >> bit & 1 else 0
    found = {integer_of(values[2 * place : 2 * place + 2]) for place in range(index & ~7, (index & ~7) + 8)}
    assert value_at(integer_of(words), point) in found


@pytest.mark.parametrize("levels", [9, CHUNK_LEVELS, CHUNK_LEVELS + 1, CHUNK_LEVELS + 2])
def test_there_and_back(levels: int) -> None:
    words = random_words(1 << levels)
    restored = backward(forward(words, levels), levels)
    assert (restored[: words.size] == words).all()
    assert not restored[words.size :].any()


def test_product_of_values_is_the_value_of_the_product() -> None:
    first, second, third, fourth = (random_words(POINTS, seed) for seed in range(4))
    left = np.concatenate([forward(first, LEVELS), forward(second, LEVELS)])
    right = np.concatenate([forward(third, LEVELS), forward(fourth, LEVELS)])
    values = np.zeros(2 * POINTS, dtype=np.uint64)
    a, b, c, d = (integer_of(words) for words in (first, second, third, fourth))
    for number, expected in ((0, product(a, c)), (1, product(a, d) ^ product(b, c)), (2, product(b, d)), (3, 0)):
        for begin, end in ((0, 8), (8, 2 * POINTS)):
            multiply_sums(left, right, 2 * POINTS, number, values, begin, end)
        assert integer_of(backward(values, LEVELS)) == expected


def test_a_conversion_of_too_few_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="at least"):
        conversion_steps(7)
