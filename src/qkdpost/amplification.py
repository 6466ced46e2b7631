"""Privacy amplification: a universal hash shortens a partly known string to one that is not known at all.

Both functions multiply by a random Toeplitz matrix over GF(2), exactly, by products of polynomials over GF(2). The
seed chooses the matrix. It must be uniformly random and is public once the string is fixed; it is used for one block.
"""

from __future__ import annotations

from concurrent.futures import Executor

import numpy as np

from qkdpost._kernels.bits.packing import add_bits
from qkdpost._kernels.gf2.toeplitz import toeplitz_product
from qkdpost.bits import Bits, BitsLike, Words, adopt_words
from qkdpost.checks import whole_number
from qkdpost.errors import InputError
from qkdpost.threads import sharing

__all__ = ["modified_seed_bits", "modified_toeplitz_hash", "toeplitz_hash"]


def toeplitz_hash(bits: BitsLike, seed: BitsLike, output_bits: int, *, executor: Executor | None = None) -> Bits:
    """Return the product of a Toeplitz matrix of `output_bits` rows with `bits`.

    y[i] = XOR over j of seed[i - j + n - 1] x[j], for i = 0 ... output_bits - 1 and j = 0 ... n - 1: row i is the
    row above moved right by one, the first column is seed[n - 1 :], the first row seed[: n] backwards. A uniform seed
    makes the family universal2 (Krawczyk, Crypto '94), so that the leftover hash lemma applies.

    Args:
        bits: the string x, n bits. Secret.
        seed: exactly n + output_bits - 1 bits (none if n is 0).
        output_bits: the length wanted, 0 ... n.
        executor: in whose threads long products are formed too, such as `concurrent.futures.ThreadPoolExecutor`; the
            hash is the same.

    Returns:
        The hash, `output_bits` bits. Secret.

    Raises:
        InputError: `output_bits` out of range, or a seed of another length.
        ConfigurationError: no executor of threads.

    >>> import qkdpost as qp
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> key, seed = rng.integers(0, 2, 1000), rng.integers(0, 2, 1000 + 400 - 1)
    >>> len(qp.toeplitz_hash(key, seed, 400))
    400
    """
    source, chosen = Bits.coerce(bits), Bits.coerce(seed, name="seed")
    length = _output_bits(output_bits, len(source))
    _check_seed(len(source), length, len(chosen), max(0, len(source) + length - 1))
    with sharing(executor):
        return adopt_words(_product(source, chosen, length), length)


def modified_toeplitz_hash(
    bits: BitsLike, seed: BitsLike, output_bits: int, *, executor: Executor | None = None
) -> Bits:
    """Return the product of (T | I) with `bits`: a Toeplitz matrix beside the identity.

    y = x[n - output_bits :] XOR T x[: n - output_bits], where T has `output_bits` rows and n - output_bits columns
    and is built from its seed as in `toeplitz_hash`. The form is universal2 with a seed of n - 1 bits only (Hayashi
    and Tsurumaru, IEEE Trans. Inf. Theory 62, 2213): if two strings differ in the head, T applied to the difference
    is uniform; if they differ in the tail alone, the identity keeps them apart.

    Args:
        bits: the string x, n bits. Secret.
        seed: exactly `modified_seed_bits(n, output_bits)` bits.
        output_bits: the length wanted, 0 ... n. With n the string comes back as it is; with 0, nothing.
        executor: see `toeplitz_hash`.

    Returns:
        The hash, `output_bits` bits. Secret.

    Raises:
        InputError: `output_bits` out of range, or a seed of another length.
        ConfigurationError: no executor of threads.

    >>> import qkdpost as qp
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> key, seed = rng.integers(0, 2, 1000), rng.integers(0, 2, 1000 - 1)
    >>> len(qp.modified_toeplitz_hash(key, seed, 400))
    400
    """
    source, chosen = Bits.coerce(bits), Bits.coerce(seed, name="seed")
    n = len(source)
    length = _output_bits(output_bits, n)
    _check_seed(n, length, len(chosen), modified_seed_bits(n, length))
    if length == n:
        return source
    with sharing(executor):
        words = _product(source[: n - length], chosen, length)
    add_bits(source.words, n - length, words)
    return adopt_words(words, length)


def modified_seed_bits(n: int, output_bits: int) -> int:
    """Return how many seed bits `modified_toeplitz_hash` takes: n - 1, or none where T has no rows or no columns.

    Raises:
        InputError: not two lengths with `output_bits` at most n.
    """
    length = whole_number("n", n)
    return length - 1 if 0 < _output_bits(output_bits, length) < length else 0


def _product(source: Bits, seed: Bits, output_bits: int) -> Words:
    words = np.empty((output_bits + 63) // 64, dtype=np.uint64)
    if output_bits:
        toeplitz_product(source.words, len(source), seed.words, words, output_bits)
    return words


def _output_bits(output_bits: int, input_bits: int) -> int:
    return whole_number(f"output_bits, the length of the hash of {input_bits} bits,", output_bits, most=input_bits)


def _check_seed(input_bits: int, output_bits: int, found_bits: int, seed_bits: int) -> None:
    if found_bits != seed_bits:
        raise InputError(
            f"hashing {input_bits} bits to {output_bits} takes a seed of {seed_bits} bits; found {found_bits}"
        )
