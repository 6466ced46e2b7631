"""Print a digest of what kernels compute that hash or pick bits; run under each path of carry-less multiplication."""

from __future__ import annotations

import hashlib
import sys

import numpy as np

from qkdpost._kernels.gf2.toeplitz_transform import MIN_LEVELS, multiply_by_transform
from qkdpost._kernels.jit.processor import clmul_path
from qkdpost.amplification import modified_seed_bits, modified_toeplitz_hash, toeplitz_hash
from qkdpost.bits import Bits
from qkdpost.keys.authentication import PolynomialHasher
from qkdpost.verification import frame_tags


def random_bits(generator: np.random.Generator, length: int) -> Bits:
    return Bits.from_array(generator.integers(0, 2, length, dtype=np.uint8))


def digest() -> str:
    generator = np.random.default_rng(20)
    parts: list[bytes] = []
    for bits, output in ((1, 1), (129, 77), (700, 333)):
        source = random_bits(generator, bits)
        parts.append(toeplitz_hash(source, random_bits(generator, bits + output - 1), output).to_bytes())
        seed = random_bits(generator, modified_seed_bits(bits, output))
        parts.append(modified_toeplitz_hash(source, seed, output).to_bytes())
    source, seed, output_words = random_bits(generator, 1000), random_bits(generator, 1499), np.zeros(8, np.uint64)
    multiply_by_transform(MIN_LEVELS, source.words, 1000, seed.words, output_words, 500)
    parts.append(Bits(output_words, 512)[:500].to_bytes())
    parts.append(frame_tags(random_bits(generator, 9000), 4500, generator.bytes(32), 77).to_bytes())
    bits, chosen = random_bits(generator, 9000), random_bits(generator, 9000)
    parts.append(bits.select(chosen).to_bytes())
    parts.append(bits.replace(chosen, random_bits(generator, chosen.weight())).to_bytes())
    hasher = PolynomialHasher(generator.bytes(16))
    hasher.update(generator.bytes(1000))
    parts.append(hasher.digest())
    return hashlib.sha256(b"".join(parts)).hexdigest()


if __name__ == "__main__":
    sys.stdout.write(f"{clmul_path()} {digest()}\n")
