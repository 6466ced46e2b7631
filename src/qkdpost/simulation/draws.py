"""Random draws that cost what they return: rare slots among very many, biased bits in packed words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.simulation import mark_live
from qkdpost.bits import Bits
from qkdpost.checks import described, whole_number
from qkdpost.checks.scalars import index_of
from qkdpost.errors import InputError
from qkdpost.labels import LABEL_PLANES, Labels
from qkdpost.records import DOUBLE_CLICK

__all__ = [
    "MAX_PULSES",
    "RandomDraws",
    "biased_bits",
    "generator",
    "live_after_dead_time",
    "outcomes_of_clicks",
    "random_labels",
    "rare_slots",
    "truncated_poisson",
    "uniform_bits",
    "union_of",
]

PRECISION_BITS = 24
CHUNK_WORDS = 2**17
MAX_PULSES = 2**36
"""More pulses than this would take tens of gigabytes."""

RandomDraws: TypeAlias = np.random.Generator | int
"""A generator of numpy, or the seed of one."""

_OUTCOME = np.array([0, 0, 1, DOUBLE_CLICK], dtype=np.uint8)


def generator(rng: RandomDraws) -> np.random.Generator:
    """Return the generator itself, or a new one of a seed.

    Raises:
        InputError: it is neither.
    """
    if isinstance(rng, np.random.Generator):
        return rng
    if index_of(rng) is None:
        raise InputError(
            f"rng must be a numpy generator or a seed; found {described(rng)}. Write rng=np.random.default_rng(1)"
        )
    return np.random.default_rng(whole_number("rng, if it is a seed,", rng, most=2**128))


def rare_slots(rng: np.random.Generator, slots: int, probability: float) -> NDArray[np.int64]:
    """Return those of `slots` slots, increasing, that an independent draw of `probability` each picks."""
    if probability <= 0 or slots <= 0:
        return np.zeros(0, dtype=np.int64)
    parts: list[NDArray[np.int64]] = []
    last = -1
    while last < slots:
        expected = (slots - last) * probability
        gaps = rng.geometric(probability, size=int(expected + 4 * expected**0.5) + 16)
        # A gap past the end is cut before the sum can overflow.
        drawn = last + np.cumsum(np.minimum(gaps, slots + 1))
        parts.append(drawn[drawn < slots])
        last = int(drawn[-1])
    return np.concatenate(parts)


def union_of(*parts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the slots that any of `parts` holds, increasing; by merging, since numpy's unique hashes and is slow."""
    merged = np.sort(np.concatenate(parts), kind="stable")
    first = np.ones(merged.size, dtype=np.bool_)
    first[1:] = merged[1:] != merged[:-1]
    return merged[first]


def uniform_bits(rng: np.random.Generator, length: int) -> Bits:
    """Return `length` independent bits, each 1 with probability 1/2."""
    return _masked(np.frombuffer(rng.bytes((length + 63) // 64 * 8), dtype="<u8").astype(np.uint64), length)


def biased_bits(rng: np.random.Generator, length: int, probability: float) -> Bits:
    """Return `length` independent bits, each 1 with `probability`, rounded to 2^-24.

    Uniform words are joined by OR for a one and AND for a zero of the binary fraction, from its last digit on.
    """
    scaled = round(probability * 2**PRECISION_BITS)
    if scaled == 2**PRECISION_BITS:
        return ~Bits.zeros(length)
    words = np.zeros((length + 63) // 64, dtype=np.uint64)
    digits = [scaled >> place & 1 for place in range(PRECISION_BITS)]
    digits = digits[digits.index(1) :] if scaled else []
    for start in range(0, words.size, CHUNK_WORDS):
        chunk = words[start : start + CHUNK_WORDS]
        for digit in digits:
            drawn = rng.integers(0, 2**64, size=chunk.size, dtype=np.uint64)
            (np.bitwise_or if digit else np.bitwise_and)(chunk, drawn, out=chunk)
    return _masked(words, length)


def random_labels(rng: np.random.Generator, length: int, probabilities: Sequence[float]) -> Labels:
    """Return `length` independent labels, number i with probabilities[i], each rounded to 2^-24."""
    planes = [Bits.zeros(length)] * LABEL_PLANES
    left, rest = ~Bits.zeros(length), 1.0
    for label, probability in enumerate(probabilities):
        last = label == len(probabilities) - 1
        chosen = left if last else left & biased_bits(rng, length, min(1.0, probability / rest))
        planes = [plane ^ chosen if label >> number & 1 else plane for number, plane in enumerate(planes)]
        left, rest = left ^ chosen, rest - probability
    return Labels(tuple(planes))


def truncated_poisson(rng: np.random.Generator, means: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return a Poisson number for each of `means` under the condition that it is not zero.

    The first event of a Poisson process comes at a truncated exponential time; the others follow freely.
    """
    first = -np.log1p(rng.random(means.size) * np.expm1(-means))
    return 1 + rng.poisson(np.maximum(means - first, 0))


def live_after_dead_time(times: NDArray[np.int64], dead_time: int) -> NDArray[np.bool_]:
    """Return which events, in the order of time, a detector sees that is blind for `dead_time` after each seen."""
    keep = np.empty(times.size, dtype=np.uint8)
    mark_live(np.ascontiguousarray(times), dead_time, keep)
    return keep.view(np.bool_)


def outcomes_of_clicks(clicked: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return 0, 1 or `DOUBLE_CLICK` for sets of detectors that clicked: bit 0 detector 0, bit 1 detector 1."""
    return _OUTCOME[clicked]


def _masked(words: NDArray[np.uint64], length: int) -> Bits:
    if length % 64:
        words[-1] &= np.uint64((1 << length % 64) - 1)
    return Bits(words, length)
