"""Known answers of strings of bits, and of what follows from a seed."""

from __future__ import annotations

import numpy as np

from qkdpost import shared_random as derived
from qkdpost._kernels.bits import runs as kernels
from qkdpost._kernels.bits.packing import copy_bits, count_common_ones
from qkdpost.bits import Bits, concatenate, partition
from qkdpost.known_answers.inputs import bits, digest, increasing, numbers, octets, read_only, with_runs

__all__ = ["BEFORE", "LENGTH", "packing", "runs", "shared_random"]

LENGTH = 1000
"""Bits of a string: no whole number of words."""
BEFORE = 70
"""How many bits before the first of a string are copied with it: zeros."""


def packing() -> dict[str, str | int]:
    """Take strings apart and put them together."""
    string, mask = Bits.from_array(bits("string", LENGTH)), Bits.from_array(bits("mask", LENGTH))
    values = Bits.from_array(bits("values", mask.weight()))
    around = np.zeros(3, dtype=np.uint64)
    copy_bits(string.words, -BEFORE, around)
    return {
        "weight": string.weight(),
        "select": digest(np.asarray(string.select(mask))),
        "spread": digest(np.asarray(values.spread(mask))),
        "replace": digest(np.asarray(string.replace(mask, values))),
        "take": digest(np.asarray(string.take(numbers("places", 700, LENGTH)))),
        "positions": digest(np.asarray(Bits.from_positions(increasing("ones", 90, LENGTH), LENGTH))),
        "concatenate": digest(np.asarray(concatenate([string[:77], mask[:130], string[200:]]))),
        "partition": digest(*map(np.asarray, partition(string, mask))),
        "bits around the start": digest(np.asarray(Bits(around, 64 * around.size))),
        "common ones": count_common_ones(string.words, mask.words),
    }


def runs() -> dict[str, str | int]:
    """Count what a host looks for in its own record."""
    words = Bits.from_array(with_runs("string", LENGTH)).words
    counts, unlike, pairs, unlike_pairs = np.zeros((4, 5), dtype=np.int64)
    kernels.window_ones(words[:15], 3, counts)
    kernels.count_disagreements(words, np.array([0, 6], dtype=np.int64), 4, unlike)
    slots = read_only(np.array(increasing("slots", 300, LENGTH), dtype=np.int64))
    compared = kernels.compare_by_distance(slots, words, 250, pairs, unlike_pairs)
    return {
        "longest run of ones": int(kernels.longest_run(words, LENGTH, np.uint64(0))),
        "longest run of zeros": int(kernels.longest_run(words, LENGTH, np.uint64(2**64 - 1))),
        "ones in windows": digest(counts),
        "bits unlike those further on": digest(unlike),
        "detections unlike those further on": digest(int(compared), pairs, unlike_pairs),
    }


def shared_random() -> dict[str, str | int]:
    """Draw what both hosts draw."""
    seed = octets("seed", 32)
    return {
        "words": digest(derived.random_words(seed, b"words", LENGTH // 8)),
        "permutation": digest(derived.permutation(seed, b"permutation", LENGTH)),
        "small sample": digest(derived.sample_positions(seed, b"sample", LENGTH, 20)),
        "large sample": digest(derived.sample_positions(seed, b"sample", LENGTH, 700)),
    }
