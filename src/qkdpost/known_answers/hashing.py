"""Known answers of hashes: what keys and tags rest on, and carry-less multiplication with them."""

from __future__ import annotations

import numpy as np

from qkdpost._kernels.gf2.algebraic_check import masked_value
from qkdpost.amplification import modified_toeplitz_hash, toeplitz_hash
from qkdpost.bits import Bits
from qkdpost.keys.authentication import PolynomialHasher, Transcript
from qkdpost.known_answers.inputs import bits, digest, octets
from qkdpost.verification import frame_tags, hash_tag

__all__ = ["BLOCKS", "HASHES", "SAID", "algebraic_check", "polynomial_tags", "toeplitz"]

BLOCKS = 33
"""Blocks of 16 bytes under the algebraic check."""
HASHES = {
    "short": (300, 150),
    "of whole words": (8192, 4096),
    "by halves": (60_000, 30_000),
    "by transform": (150_000, 75_000),
}
"""Bits hashed, and of the hash: by multiplication, by halves, and where a transform is faster."""
SAID = {"nothing": 0, "one block": 16, "many blocks": 10_007, "more than waits to be hashed": 40_007}
"""Bytes of what was said."""


def algebraic_check() -> dict[str, str | int]:
    """Evaluate the polynomial that shows whether a segment was changed on its way over trusted nodes."""
    words = np.frombuffer(octets("blocks", 16 * BLOCKS), dtype="<u8").astype(np.uint64)
    point, mask = (np.frombuffer(octets(name, 16), dtype="<u8").astype(np.uint64) for name in ("point", "check mask"))
    output = np.zeros(2, dtype=np.uint64)
    masked_value(words, BLOCKS, point, mask, output)
    return {f"{BLOCKS} blocks": digest(output.astype("<u8").tobytes())}


def toeplitz() -> dict[str, str | int]:
    """Hash as privacy amplification does."""
    answers: dict[str, str | int] = {}
    for name, (count, output_bits) in HASHES.items():
        string = Bits.from_array(bits(f"hashed {count}", count))
        seed = Bits.from_array(bits(f"Toeplitz seed {count}", count + output_bits - 1))
        answers[f"Toeplitz, {name}"] = digest(toeplitz_hash(string, seed, output_bits).to_bytes())
        modified = modified_toeplitz_hash(string, seed[: count - 1], output_bits)
        answers[f"modified Toeplitz, {name}"] = digest(modified.to_bytes())
    return answers


def polynomial_tags() -> dict[str, str | int]:
    """Hash as authentication and verification do."""
    answers: dict[str, str | int] = {}
    key, pad = octets("hash key", 32), octets("pad", 16)
    for name, length in SAID.items():
        hasher = PolynomialHasher(key[:16])
        hasher.update(octets("said", length))
        answers[f"hash of {name}"] = digest(hasher.digest())
    transcript = Transcript(key, reference=True)
    transcript.sent(octets("said", 700))
    transcript.received(octets("heard", 90))
    answers["tag of a conversation"] = digest(transcript.tag(pad))
    string = Bits.from_array(bits("verified", 4100))
    answers["tags of frames"] = digest(frame_tags(string, 1000, key, 70).to_bytes())
    answers["tag of a block"] = digest(hash_tag(string, key, 128).to_bytes())
    return answers
