r"""What both hosts derive from one short seed: bytes, permutations, samples. Specified here, bit for bit.

No generator of another library takes part, so that two hosts with different versions of anything still agree.

- **Key.** That of a seed and a label is the first 32 bytes of SHAKE256 (FIPS 202) over
  ``b"qkdpost shared random 2" || length of label (8 bytes, little-endian) || label || seed``. The length is hashed, so
  that different labels, or seeds, never share an input.
- **Bytes.** ``expand(seed, label, count)`` is the first `count` bytes of the keystream of ChaCha20 (RFC 8439, 2.3 and
  2.4) under that key, with nonce 0 and the block counter 0, 1, 2, ... .
- **Words.** The stream of a label is those bytes without end, read as 32-bit little-endian words. A label serves one
  purpose.
- **Draw below b** (1 <= b <= 2^32). With the next word w of the stream: let p = w b. If p mod 2^32 < 2^32 mod b, take
  the next word and try again; else the draw is floor(p / 2^32). Exactly uniform.
- **Permutation of n.** Start from 0, 1, ..., n - 1. For i = n - 1 down to 1, exchange entry i with the entry at a draw
  below i + 1 (Fisher-Yates).
- **Sample of k among n.** Let m = min(k, n - k). Draw below n until m different values were seen; the sample is the set
  of them if k <= n - k, else its complement.

**What this rests on.** The seed is public, and nothing that follows from it is ever secret: keys, pads, and the hashes
of tags and of privacy amplification have random bits of their own. What is chosen here must be independent of the
quantum phase, hence the seed is drawn when that is over; and as good as uniform. For whoever does not know the seed
yet, the words are uniform unless ChaCha20, under a key that SHAKE256 makes of 32 random bytes, can be told from a
random function.

- *Which rounds are compared*: bounds hold for uniform samples. Whatever errors an attack leaves are there before the
  seed is. Were a bound to fail more often on these samples than on uniform ones, then whoever makes such errors, and
  looks whether it fails, would tell the two apart. An estimate thus rests on this, and the failure probability of a
  bound does not count it.
- *Orders and masks of Cascade, deals and filling of LDPC*: what they do to errors decides how well these are found, and
  no more. What is disclosed about the key is counted as said; what is not found is left to verification.

SHAKE256 alone would be the same expansion of 32 bytes, at a seventh of the speed. Orders that belong to a code for good
are not from here: `reconciliation.code_order`.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.bits.keystream import BLOCK_WORDS, COUNTER, GROUP_WORDS, fill_keystream
from qkdpost._kernels.bits.permutation import draw_subset, shuffle
from qkdpost._kernels.bits.positions import list_ones
from qkdpost.bits import Bits
from qkdpost.checks import byte_string, whole_number

__all__ = ["SEED_BYTES", "expand", "permutation", "random_words", "sample_mask", "sample_positions"]

Words = NDArray[np.uint32]

SEED_BYTES = 32
_DOMAIN = b"qkdpost shared random 2"
_CONSTANTS = b"expand 32-byte k"
_PIECE_WORDS = 1 << 14
"""So many are made at once: they are used before they leave the cache."""
_LARGEST = 1 << 32
_MAX_BYTES = 1 << 38
"""The counter of blocks has no more; 2^32 draws take a sixteenth of that."""


def expand(seed: bytes, label: bytes, count: int) -> bytes:
    """Return `count` bytes derived from `seed` (32 bytes) under `label` (any bytes), as the module says.

    Raises:
        InputError: the seed is not of 32 bytes, or `count` is negative or above 2^38.
    """
    length = whole_number("count", count, most=_MAX_BYTES)
    words = _Stream(seed, label).take((length + 3) // 4)
    return words.astype("<u4", copy=False).tobytes()[:length]


def random_words(seed: bytes, label: bytes, count: int) -> NDArray[np.uint64]:
    """Return `expand` of 8 `count` bytes as 64-bit little-endian words, shape (count,).

    Raises:
        InputError: as `expand`.
    """
    length = whole_number("count", count, most=_MAX_BYTES // 8)
    words = _Stream(seed, label).take(2 * length)
    return words.astype("<u4", copy=False).view("<u8")[:length].astype(np.uint64)


def permutation(seed: bytes, label: bytes, n: int) -> Words:
    """Return a uniformly random permutation of 0 ... n - 1 (uint32, shape (n,)), as the module says.

    Raises:
        InputError: the seed is not of 32 bytes, or `n` is negative or above 2^32.
    """
    length = whole_number("n", n, most=_LARGEST)
    stream = _Stream(seed, label)
    order = np.arange(length, dtype=np.uint32)
    top = length - 1
    while top > 0:
        top = shuffle(order, top, stream.next_piece(top))
    return order


def sample_mask(seed: bytes, label: bytes, n: int, k: int) -> Bits:
    """Return n bits of which k are one, a uniformly random subset.

    Raises:
        InputError: the seed is not of 32 bytes, `n` is above 2^32, or not 0 <= k <= n.
    """
    total, drawn = _sizes(n, k)
    mask = Bits(_draw(seed, label, total, min(drawn, total - drawn)), total)
    return mask if drawn <= total - drawn else ~mask


def sample_positions(seed: bytes, label: bytes, n: int, k: int) -> NDArray[np.int64]:
    """Return k of the positions 0 ... n - 1, a uniformly random subset (int64, shape (k,), ascending).

    They are those of the ones of `sample_mask`. Takes n / 8 bytes beside the result.

    Raises:
        InputError: as `sample_mask`.
    """
    total, drawn = _sizes(n, k)
    words = _draw(seed, label, total, min(drawn, total - drawn))
    positions = np.empty(drawn, dtype=np.int64)
    list_ones(words, total, drawn > total - drawn, 0, positions)
    return positions


def _sizes(n: int, k: int) -> tuple[int, int]:
    total = whole_number("n", n, most=_LARGEST)
    return total, whole_number("k", k, most=total)


def _draw(seed: bytes, label: bytes, total: int, missing: int) -> NDArray[np.uint64]:
    """Return `total` packed bits of which as many as were missing are one."""
    stream = _Stream(seed, label)
    words = np.zeros((total + 63) // 64, dtype=np.uint64)
    while missing > 0:
        missing = draw_subset(words, total, missing, stream.next_piece(missing))
    return words


class _Stream:
    """The words of one label, in order."""

    def __init__(self, seed: bytes, label: bytes) -> None:
        origin, name = byte_string("seed", seed, count=SEED_BYTES), byte_string("label", label)
        key = hashlib.shake_256(_DOMAIN + len(name).to_bytes(8, "little") + name + origin).digest(32)
        self._state = np.frombuffer(_CONSTANTS + key + bytes(16), dtype="<u4").astype(np.uint32)
        self._block = 0

    def next_piece(self, wanted: int) -> Words:
        """Return the next words, read-only: some more than wanted, at most as many as are made at once."""
        return self.take(min(wanted + BLOCK_WORDS, _PIECE_WORDS))

    def take(self, count: int) -> Words:
        """Return the next words, read-only: `count`, rounded up to what the kernel makes together."""
        words = np.empty(-(-count // GROUP_WORDS) * GROUP_WORDS, dtype=np.uint32)
        self._state[COUNTER] = self._block
        fill_keystream(self._state, words)
        self._block += words.size // BLOCK_WORDS
        words.flags.writeable = False
        return words
