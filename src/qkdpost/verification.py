"""Verification: equal or not, by a universal hash with a random key.

The hash of n bits is in two steps, both in GF(2^128) = GF(2)[x] / (x^128 + x^7 + x^2 + x + 1), where bit i of a block
is the coefficient of x^i. First the polynomial hash: h starts at 0 and becomes (h + block) r for each of the
L = ceil(n / 128) blocks (the last one padded with zeros) and then for a block that holds n. Then h is multiplied by s
and cut to its lowest `tag_bits` bits.

Two different strings of n bits collide with probability at most L / 2^128 + 2^-tag_bits over a uniform key (r, s).
Their first hashes differ by r^2 times a non-zero polynomial in r of degree at most L - 1, since the blocks of n are
equal: at most L values of r, 0 among them, give equal hashes. For any other r the difference d is not 0, so that s d
runs through the whole field as s does, s = 0 included, and one value in 2^tag_bits has the lowest bits zero.
(Carter and Wegman, J. Comput. Syst. Sci. 22, 265; REFERENCES of polynomial hashing: Shoup, Crypto '96.)
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from qkdpost._kernels.gf2 import polynomial_hash
from qkdpost.bits import Bits, BitsLike
from qkdpost.checks import byte_string, real_number, whole_number
from qkdpost.errors import ConfigurationError

__all__ = ["KEY_BYTES", "frame_tags", "hash_tag", "tag_bits_for"]

KEY_BYTES = 32
"""Length of a key: r in bytes 0 ... 15 and s in bytes 16 ... 31, both little-endian."""
MAX_TAG_BITS = 128


def hash_tag(bits: BitsLike, key: bytes, tag_bits: int) -> Bits:
    """Return the tag of `bits`.

    Args:
        bits: the string, any length. Secret; the tag discloses `tag_bits` bits of it.
        key: `KEY_BYTES` uniformly random bytes, chosen after the string was fixed; public afterwards.
        tag_bits: 1 ... 128.

    Raises:
        InputError: a key of another length, or `tag_bits` out of range.
    """
    source = Bits.coerce(bits)
    return frame_tags(source, len(source), key, tag_bits) if len(source) else _empty_tag(key, tag_bits)


def frame_tags(bits: BitsLike, frame_bits: int, key: bytes, tag_bits: int) -> Bits:
    """Return the tags of all frames of `bits`, one after another.

    Args:
        bits: the string; every `frame_bits` bits are a frame, and the last one may be short. Secret.
        frame_bits: length of a frame, at least 1.
        key: `KEY_BYTES` uniformly random bytes, chosen after the string was fixed; public afterwards.
        tag_bits: bits of each tag, 1 ... 128.

    Returns:
        ceil(len(bits) / frame_bits) tags of `tag_bits` bits; each is the `hash_tag` of its frame.

    Raises:
        InputError: a key of another length, or a number out of range.
    """
    source, frame_bits = Bits.coerce(bits), whole_number("frame_bits", frame_bits, least=1)
    key, tag_bits = _key_and_tag_bits(key, tag_bits)
    longest = min(frame_bits, len(source))
    length = -(-len(source) // frame_bits) * tag_bits
    output = np.zeros((length + 63) // 64, dtype=np.uint64)
    if length:
        table, scale = _prepared(key)
        frame = np.empty(2 * ((longest + 127) // 128) + 2, dtype=np.uint64)
        polynomial_hash.frame_tags(source.words, len(source), longest, table, scale, tag_bits, frame, output)
    return Bits(output, length)


def tag_bits_for(epsilon: float, longest_bits: int) -> int:
    """Return the fewest tag bits whose collision probability is at most `epsilon`.

    Args:
        epsilon: the probability allowed, above 0.
        longest_bits: length of the longest string that is compared.

    Returns:
        The least t with ceil(longest_bits / 128) / 2^128 + 2^-t <= epsilon; computed exactly.

    Raises:
        ConfigurationError: more than 128 bits would be needed, or an argument is out of range.
    """
    epsilon = real_number("epsilon", epsilon, above=0.0, below=1.0, error=ConfigurationError)
    longest_bits = whole_number("longest_bits", longest_bits, error=ConfigurationError)
    allowed = Fraction(epsilon) - Fraction(-(-longest_bits // 128), 2**128)
    if allowed > 0:
        # The least t with 2^t >= 1 / allowed, rounded up to a whole number.
        tag_bits = max(1, (-(-allowed.denominator // allowed.numerator) - 1).bit_length())
        if tag_bits <= MAX_TAG_BITS:
            return tag_bits
    raise ConfigurationError(
        f"strings of {longest_bits} bits would need a tag of more than {MAX_TAG_BITS} bits for epsilon {epsilon}; "
        "allow a larger epsilon"
    )


def _empty_tag(key: bytes, tag_bits: int) -> Bits:
    """Return the tag of the empty string: its length block, which is zero, hashes to zero."""
    return Bits.zeros(_key_and_tag_bits(key, tag_bits)[1])


def _key_and_tag_bits(key: bytes, tag_bits: int) -> tuple[bytes, int]:
    return (
        byte_string("a verification key", key, count=KEY_BYTES),
        whole_number("tag_bits", tag_bits, least=1, most=MAX_TAG_BITS),
    )


def _prepared(key: bytes) -> tuple[polynomial_hash.Words, polynomial_hash.Words]:
    """Return the table of powers of r, and s."""
    elements = np.frombuffer(bytearray(key), dtype="<u8").astype(np.uint64)
    table = np.empty(polynomial_hash.TABLE_WORDS, dtype=np.uint64)
    polynomial_hash.power_table(elements[:2], table)
    return table, elements[2:]
