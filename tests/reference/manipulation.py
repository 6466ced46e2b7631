"""The algebraic check in integers: the field and the formula written out, over GF(2^128) and over small fields."""

from __future__ import annotations

from reference.polynomials import field_product, product, remainder

SMALL_FIELDS = {4: 0b111, 8: 0b1011, 16: 0b10011}
"""Polynomials modulo which the polynomials over GF(2) are fields of so many elements."""


def small_product(first: int, second: int, elements: int) -> int:
    """Return the product of two elements of a small field."""
    return remainder(product(first, second), SMALL_FIELDS[elements])


def value(blocks: list[int], x: int, elements: int = 0) -> int:
    """Return x^(d+2) + sum of blocks[i - 1] x^i, over GF(2^128) if no small field is asked for."""

    def times(first: int, second: int) -> int:
        return small_product(first, second, elements) if elements else field_product(first, second)

    powers = [1]
    for _ in range(len(blocks) + 2):
        powers.append(times(powers[-1], x))
    result = powers[len(blocks) + 2]
    for power, block in enumerate(blocks, start=1):
        result ^= times(block, powers[power])
    return result


def masked(segment: bytes, x: int, z: int) -> int:
    """Return w of a segment, its bytes being s_d first."""
    padded = segment + bytes(-len(segment) % 16)
    blocks = [int.from_bytes(padded[start : start + 16], "little") for start in range(0, len(padded), 16)]
    blocks += [0] if len(blocks) % 2 == 0 else []
    return value(blocks[::-1], x) ^ z
