"""Authentication and verification hashes: ours beside Horner's rule on Python integers, and SHA-256 for scale.

Divide the bytes in `extra_info` by the time for bytes per second. The baseline hashes the first 2^12 bytes only.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest

from qkdpost.bits import Bits
from qkdpost.keys.authentication import PolynomialHasher
from qkdpost.verification import frame_tags, hash_tag
from reference.polynomials import polynomial_hash

DATA = np.random.default_rng(1).bytes(1 << 22)
KEY = np.random.default_rng(2).bytes(32)
BITS = Bits.from_bytes(DATA, 8 * len(DATA))
NAIVE_BYTES = 1 << 12
MESSAGE_BYTES = 50

authentication = pytest.mark.benchmark(group="authentication hash")
verification = pytest.mark.benchmark(group="verification hash")


def _hash_messages(size: int, total: int) -> bytes:
    hasher = PolynomialHasher(KEY[:16])
    for start in range(0, total, size):
        hasher.update(DATA[start : start + size])
    return hasher.digest()


def _naive(data: bytes) -> int:
    blocks = [int.from_bytes(data[start : start + 16], "little") for start in range(0, len(data), 16)]
    return polynomial_hash([*blocks, 8 * len(data)], int.from_bytes(KEY[:16], "little"))


@authentication
@pytest.mark.parametrize("size", [MESSAGE_BYTES, 1 << 12, 1 << 22])
def test_hasher(benchmark: Any, size: int) -> None:
    total = min(len(DATA), 2000 * size)
    benchmark(_hash_messages, size, total)
    benchmark.extra_info["bytes"] = total


@authentication
def test_horner_on_integers(benchmark: Any) -> None:
    found = benchmark.pedantic(_naive, args=(DATA[:NAIVE_BYTES],), rounds=3, iterations=1)
    benchmark.extra_info["bytes"] = NAIVE_BYTES
    assert found == int.from_bytes(_hash_messages(NAIVE_BYTES, NAIVE_BYTES), "little")


@authentication
def test_sha256(benchmark: Any) -> None:
    benchmark(lambda: hashlib.sha256(DATA).digest())
    benchmark.extra_info["bytes"] = len(DATA)


@verification
@pytest.mark.parametrize("frame_bits", [1 << 14, 1 << 16])
def test_frame_tags(benchmark: Any, frame_bits: int) -> None:
    benchmark(frame_tags, BITS, frame_bits, KEY, 50)
    benchmark.extra_info["bytes"] = len(DATA)


@verification
def test_hash_tag(benchmark: Any) -> None:
    benchmark(hash_tag, BITS, KEY, 50)
    benchmark.extra_info["bytes"] = len(DATA)


@verification
def test_horner_on_integers_of_one_frame(benchmark: Any) -> None:
    benchmark.pedantic(_naive, args=(DATA[:NAIVE_BYTES],), rounds=3, iterations=1)
    benchmark.extra_info["bytes"] = NAIVE_BYTES
