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

from qkdpost._kernels.permutation import draw_subset, list_ones, shuffle
from qkdpost.errors import InputError

__all__ = ["SEED_BYTES", "expand", "permutation", "random_words", "sample_positions"]

SEED_BYTES = 32
_DOMAIN = b"qkdpost shared random 1"
_CHUNK_BYTES = 1 << 20
_LARGEST = 1 << 32


def expand(seed: bytes, label: bytes, count: int) -> bytes:
    """Return `count` bytes derived from `seed` (32 bytes) under `label` (any bytes), as the module says.

    Raises:
        InputError: the seed is not of 32 bytes, or `count` is negative.
    """
    _check_seed(seed)
    if count < 0:
        raise InputError(f"the number of bytes to derive must not be negative, found {count}")
    return hashlib.shake_256(_DOMAIN + len(label).to_bytes(8, "little") + label + seed).digest(count)


def random_words(seed: bytes, label: bytes, count: int) -> NDArray[np.uint64]:
    """Return `expand` of 8 `count` bytes as 64-bit little-endian words, shape (count,).

    Raises:
        InputError: as `expand`.
    """
    return np.frombuffer(expand(seed, label, 8 * count), dtype="<u8").astype(np.uint64)


def permutation(seed: bytes, label: bytes, n: int) -> NDArray[np.uint32]:
    """Return a uniformly random permutation of 0 ... n - 1 (uint32, shape (n,)), as the module says.

    Raises:
        InputError: the seed is not of 32 bytes, or `n` is negative or above 2^32.
    """
    _check_seed(seed)
    if not 0 <= n <= _LARGEST:
        raise InputError(f"a permutation has 0 to 2^32 entries, found {n}")
    order = np.arange(n, dtype=np.uint32)
    top = n - 1
    stream = _stream(seed, label, n)
    while top > 0:
        top = shuffle(order, top, next(stream))
    return order


def sample_positions(seed: bytes, label: bytes, n: int, k: int) -> NDArray[np.int64]:
    """Return k of the positions 0 ... n - 1, a uniformly random subset (int64, shape (k,), ascending).

    Takes n / 8 bytes beside the result.

    Raises:
        InputError: the seed is not of 32 bytes, `n` is above 2^32, or not 0 <= k <= n.
    """
    _check_seed(seed)
    if not 0 <= k <= n <= _LARGEST:
        raise InputError(f"a sample takes 0 <= k <= n <= 2^32 positions, found k = {k} and n = {n}")
    words = np.zeros((n + 63) // 64, dtype=np.uint64)
    missing = min(k, n - k)
    stream = _stream(seed, label, 2 * missing)
    while missing > 0:
        missing = draw_subset(words, n, missing, next(stream))
    positions = np.empty(k, dtype=np.int64)
    list_ones(words, n, k > n - k, positions)
    return positions


def _stream(seed: bytes, label: bytes, words: int) -> Iterator[NDArray[np.uint32]]:
    """Yield the 32-bit words of `label` in pieces, hashing little more than `words` of the first chunk."""
    chunk = 0
    while True:
        name = label + chunk.to_bytes(8, "little")
        # SHAKE256 is prefix-free in its output length: a short first read is the start of the whole chunk.
        short = min(_CHUNK_BYTES, 4 * words + 256) if chunk == 0 else _CHUNK_BYTES
        yield np.frombuffer(expand(seed, name, short), dtype="<u4").astype(np.uint32, copy=False)
        if short < _CHUNK_BYTES:
            rest = expand(seed, name, _CHUNK_BYTES)[short:]
            yield np.frombuffer(rest, dtype="<u4").astype(np.uint32, copy=False)
        chunk += 1


def _check_seed(seed: bytes) -> None:
    if len(seed) != SEED_BYTES:
        raise InputError(f"a shared seed has {SEED_BYTES} bytes, found {len(seed)}")
