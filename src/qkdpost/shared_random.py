r"""What both hosts derive from one short seed: bytes, permutations, samples. Specified here, bit for bit.

No generator of another library takes part, so that two hosts with different versions of anything still agree.

- **Bytes.** ``expand(seed, label, count)`` is the first `count` bytes of SHAKE256 (FIPS 202) over
  ``b"qkdpost shared random 1" || length of label (8 bytes, little-endian) || label || seed``.
- **Words.** The stream of a label is the concatenation over c = 0, 1, 2, ... of
  ``expand(seed, label || c (8 bytes, little-endian), 2**20)``, read as 32-bit little-endian words. Lengths of labels
  are hashed, so streams of different labels never share an input.
- **Draw below b** (1 <= b <= 2^32). With the next word w of the stream: let p = w b. If p mod 2^32 < 2^32 mod b, take
  the next word and try again; else the draw is floor(p / 2^32). Exactly uniform.
- **Permutation of n.** Start from 0, 1, ..., n - 1. For i = n - 1 down to 1, exchange entry i with the entry at a draw
  below i + 1 (Fisher-Yates).
- **Sample of k among n.** Let m = min(k, n - k). Draw below n until m different values were seen; the sample is the set
  of them if k <= n - k, else its complement.

Everything is exactly uniform where SHAKE256 is taken as a random function. The seed may be public; it must be drawn
after the quantum phase.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.bits.permutation import draw_subset, shuffle
from qkdpost._kernels.bits.positions import list_ones
from qkdpost.checks import byte_string, whole_number

__all__ = ["SEED_BYTES", "expand", "permutation", "random_words", "sample_positions"]

SEED_BYTES = 32
_DOMAIN = b"qkdpost shared random 1"
_CHUNK_BYTES = 1 << 20
_LARGEST = 1 << 32
_MAX_BYTES = 1 << 40


def expand(seed: bytes, label: bytes, count: int) -> bytes:
    """Return `count` bytes derived from `seed` (32 bytes) under `label` (any bytes), as the module says.

    Raises:
        InputError: the seed is not of 32 bytes, or `count` is negative.
    """
    length = whole_number("count", count, most=_MAX_BYTES)
    return _expand(_seed_of(seed), byte_string("label", label), length)


def random_words(seed: bytes, label: bytes, count: int) -> NDArray[np.uint64]:
    """Return `expand` of 8 `count` bytes as 64-bit little-endian words, shape (count,).

    Raises:
        InputError: as `expand`.
    """
    length = 8 * whole_number("count", count, most=_MAX_BYTES // 8)
    return np.frombuffer(expand(seed, label, length), dtype="<u8").astype(np.uint64)


def permutation(seed: bytes, label: bytes, n: int) -> NDArray[np.uint32]:
    """Return a uniformly random permutation of 0 ... n - 1 (uint32, shape (n,)), as the module says.

    Raises:
        InputError: the seed is not of 32 bytes, or `n` is negative or above 2^32.
    """
    length = whole_number("n", n, most=_LARGEST)
    stream = _stream(_seed_of(seed), byte_string("label", label), length)
    order = np.arange(length, dtype=np.uint32)
    top = length - 1
    while top > 0:
        top = shuffle(order, top, next(stream))
    return order


def sample_positions(seed: bytes, label: bytes, n: int, k: int) -> NDArray[np.int64]:
    """Return k of the positions 0 ... n - 1, a uniformly random subset (int64, shape (k,), ascending).

    Takes n / 8 bytes beside the result.

    Raises:
        InputError: the seed is not of 32 bytes, `n` is above 2^32, or not 0 <= k <= n.
    """
    total = whole_number("n", n, most=_LARGEST)
    drawn = whole_number("k", k, most=total)
    missing = min(drawn, total - drawn)
    stream = _stream(_seed_of(seed), byte_string("label", label), 2 * missing)
    words = np.zeros((total + 63) // 64, dtype=np.uint64)
    while missing > 0:
        missing = draw_subset(words, total, missing, next(stream))
    positions = np.empty(drawn, dtype=np.int64)
    list_ones(words, total, drawn > total - drawn, 0, positions)
    return positions


def _stream(seed: bytes, label: bytes, words: int) -> Iterator[NDArray[np.uint32]]:
    """Yield the 32-bit words of `label` in pieces, hashing little more than `words` of the first chunk."""
    chunk = 0
    while True:
        name = label + chunk.to_bytes(8, "little")
        # SHAKE256 is prefix-free in its output length: a short first read is the start of the whole chunk.
        short = min(_CHUNK_BYTES, 4 * words + 256) if chunk == 0 else _CHUNK_BYTES
        yield np.frombuffer(_expand(seed, name, short), dtype="<u4").astype(np.uint32, copy=False)
        if short < _CHUNK_BYTES:
            rest = _expand(seed, name, _CHUNK_BYTES)[short:]
            yield np.frombuffer(rest, dtype="<u4").astype(np.uint32, copy=False)
        chunk += 1


def _expand(seed: bytes, label: bytes, count: int) -> bytes:
    return hashlib.shake_256(_DOMAIN + len(label).to_bytes(8, "little") + label + seed).digest(count)


def _seed_of(seed: bytes) -> bytes:
    return byte_string("seed", seed, count=SEED_BYTES)
