from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from qkdpost._kernels.bits.packing import add_bits, append_words, copy_words, count_common_ones, cut_bits
from qkdpost.bits import Bits


def test_words_are_copied_and_nothing_past_them() -> None:
    words = np.array([1, 2**64 - 1, 3], dtype=np.uint64)
    output = np.full(5, 9, dtype=np.uint64)
    copy_words(words, output)
    assert output.tolist() == [1, 2**64 - 1, 3, 9, 9]
    copy_words(words[:0], output)
    assert output.tolist() == [1, 2**64 - 1, 3, 9, 9]


@given(st.lists(st.integers(0, 300), max_size=6), st.integers(0, 2**32))
def test_parts_are_joined_in_memory_that_was_not_cleared(lengths: list[int], seed: int) -> None:
    parts = [np.random.default_rng([seed, place]).integers(0, 2, length) for place, length in enumerate(lengths)]
    output = np.full((sum(lengths) + 63) // 64, 2**64 - 1, dtype=np.uint64)
    offset = 0
    for part in parts:
        append_words(output, offset, Bits.from_array(part).words, part.size)
        offset += part.size
    assert Bits(output, offset).tolist() == [bit for part in parts for bit in part.tolist()]


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 2**32))
def test_bits_are_cut_out_and_added(before: int, length: int, seed: int) -> None:
    string = np.random.default_rng(seed).integers(0, 2, before + length)
    output = np.full((length + 63) // 64, 2**64 - 1, dtype=np.uint64)
    words = Bits.from_array(string).words
    cut_bits(words, before, length, output)
    assert Bits(output, length).tolist() == string[before:].tolist()
    add_bits(words, before, output)
    assert not output.any()


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), max_size=300))
def test_common_ones(pairs: list[tuple[int, int]]) -> None:
    first, second = (Bits.from_array(np.array([pair[at] for pair in pairs], dtype=np.uint8)).words for at in (0, 1))
    assert count_common_ones(first, second) == pairs.count((1, 1))
