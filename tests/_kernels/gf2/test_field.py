from __future__ import annotations

import galois
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from qkdpost._kernels.gf2.clmul_lanes import Lanes, broadcast, load, store
from qkdpost._kernels.gf2.field import TAIL, multiply, multiply_constant
from qkdpost._kernels.jit.decorators import kernel
from reference.polynomials import field_product, integer_of, words_of

ELEMENTS = st.integers(0, 2**128 - 1)


@kernel
def products(a: Lanes, b: Lanes, raised: Lanes, output: Lanes) -> None:
    tail = broadcast(np.uint64(TAIL), np.uint64(TAIL))
    store(output, 0, multiply(load(a, 0), load(b, 0)))
    store(output, 8, multiply_constant(load(a, 0), load(b, 0), load(raised, 0), tail))


def both_products(first: list[int], second: list[int]) -> tuple[list[int], list[int]]:
    a, b, raised = (
        np.concatenate([words_of(value, 2) for value in values])
        for values in (first, second, [field_product(value, 1 << 64) for value in second])
    )
    output = np.zeros(16, dtype=np.uint64)
    products(a, b, raised, output)
    found = [integer_of(output[start : start + 2]) for start in range(0, 16, 2)]
    return found[:4], found[4:]


@given(st.lists(ELEMENTS, min_size=4, max_size=4), st.lists(ELEMENTS, min_size=4, max_size=4))
def test_products_equal_long_division(first: list[int], second: list[int]) -> None:
    expected = [field_product(a, b) for a, b in zip(first, second, strict=True)]
    assert both_products(first, second) == (expected, expected)


def test_products_equal_those_of_galois() -> None:
    modulus = galois.Poly.Degrees([128, 7, 2, 1, 0])
    generator = np.random.default_rng(2)
    first, second = ([int.from_bytes(generator.bytes(16), "little") for _ in range(4)] for _ in range(2))
    expected = [int(galois.Poly.Int(a) * galois.Poly.Int(b) % modulus) for a, b in zip(first, second, strict=True)]
    assert both_products(first, second) == (expected, expected)
