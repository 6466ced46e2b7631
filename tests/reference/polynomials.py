"""Polynomials over GF(2) as Python integers, bit i the coefficient of x^i: slow and obvious."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MODULUS = (1 << 128) | 0x87


def product(first: int, second: int) -> int:
    """Return the carry-less product, one bit of `second` at a time."""
    result = 0
    for place in range(second.bit_length()):
        if second >> place & 1:
            result ^= first << place
    return result


def remainder(value: int, modulus: int = MODULUS) -> int:
    """Return what long division leaves."""
    degree = modulus.bit_length() - 1
    for place in range(value.bit_length() - 1, degree - 1, -1):
        if value >> place & 1:
            value ^= modulus << (place - degree)
    return value


def field_product(first: int, second: int) -> int:
    """Return the product in GF(2^128)."""
    return remainder(product(first, second))


def polynomial_hash(blocks: list[int], key: int, start: int = 0) -> int:
    """Return h after h <- (h + block) key for each block."""
    value = start
    for block in blocks:
        value = field_product(value ^ block, key)
    return value


def message_blocks(message: int, bits: int) -> list[int]:
    """Return the 128-bit blocks of `bits` bits, then the block of the length."""
    mask = (1 << 128) - 1
    return [message >> start & mask for start in range(0, bits, 128)] + [bits]


def toeplitz_hash(bits: NDArray[np.uint8], seed: NDArray[np.uint8], output_bits: int) -> NDArray[np.uint8]:
    """Return y[i] = XOR over j of seed[i - j + n - 1] x[j], bit by bit."""
    n = len(bits)
    output = np.zeros(output_bits, dtype=np.uint8)
    for i in range(output_bits):
        for j in range(n):
            output[i] ^= seed[i - j + n - 1] & bits[j]
    return output


def words_of(value: int, count: int) -> NDArray[np.uint64]:
    """Return an integer as `count` little-endian words."""
    return np.frombuffer(value.to_bytes(8 * count, "little"), dtype="<u8").astype(np.uint64)


def integer_of(words: NDArray[np.uint64]) -> int:
    """Return words as one integer."""
    return int.from_bytes(words.astype("<u8").tobytes(), "little")
