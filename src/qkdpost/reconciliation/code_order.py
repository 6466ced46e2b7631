"""A random order that belongs to a code, and stays as it is for good.

How often a code fails was measured with its punctured bits in this order. So it comes from a generator of its own,
which no other use could ever give a reason to change. What is drawn for one block is in `shared_random`.

- **Words.** The concatenation over c = 0, 1, 2, ... of the first 2^20 bytes of SHAKE256 (FIPS 202) over
  ``b"qkdpost shared random 1" || length of label + 8 (8 bytes, little-endian) || label || c (8 bytes, little-endian) ||
  seed``, read as 32-bit little-endian words.
- **Order of n.** The permutation that `shared_random` makes of such words.

Nothing of this is secret, nor need anybody be unable to guess it: a code is public and the same in all blocks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.bits.permutation import shuffle
from qkdpost.checks import byte_string, whole_number

__all__ = ["code_order"]

_DOMAIN = b"qkdpost shared random 1"
_SEED_BYTES = 32
_CHUNK_BYTES = 1 << 20
_LARGEST = 1 << 32


def code_order(seed: bytes, label: bytes, n: int) -> NDArray[np.uint32]:
    """Return the order of 0 ... n - 1 (uint32, shape (n,)) that a code's digest and a label stand for.

    Raises:
        InputError: the seed is not of 32 bytes, or `n` is negative or above 2^32.
    """
    length = whole_number("n", n, most=_LARGEST)
    stream = _words(byte_string("seed", seed, count=_SEED_BYTES), byte_string("label", label), length)
    order = np.arange(length, dtype=np.uint32)
    top = length - 1
    while top > 0:
        top = shuffle(order, top, next(stream))
    return order


def _words(seed: bytes, label: bytes, count: int) -> Iterator[NDArray[np.uint32]]:
    """Yield the words in pieces, hashing little more than `count` of the first chunk."""
    chunk = 0
    while True:
        name = label + chunk.to_bytes(8, "little")
        source = hashlib.shake_256(_DOMAIN + len(name).to_bytes(8, "little") + name + seed)
        # What SHAKE256 gives first does not depend on how much is taken: a short first read is the start of the chunk.
        short = min(_CHUNK_BYTES, 4 * count + 256) if chunk == 0 else _CHUNK_BYTES
        yield np.frombuffer(source.digest(short), dtype="<u4").astype(np.uint32, copy=False)
        if short < _CHUNK_BYTES:
            yield np.frombuffer(source.digest(_CHUNK_BYTES)[short:], dtype="<u4").astype(np.uint32, copy=False)
        chunk += 1
