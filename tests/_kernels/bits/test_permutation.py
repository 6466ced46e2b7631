"""Draws from words: permutations and subsets, against plain lists."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from qkdpost._kernels.bits.permutation import draw_subset, invert, shuffle
from qkdpost.bits import Bits
from reference import shared_random as twin


@st.composite
def streams(draw: st.DrawFn) -> list[int]:
    """Words, many of which are passed over: those just past a multiple of 2^32 / bound."""
    bounds = draw(st.lists(st.integers(1, 200), max_size=150))
    words = [draw(st.integers(0, 2**32 - 1)) for _ in range(draw(st.integers(0, 20)))]
    words += [-(-draw(st.integers(0, bound - 1)) * 2**32 // bound) for bound in bounds]
    return draw(st.permutations(words))


def read_only(words: list[int]) -> np.ndarray:
    stream = np.array(words, dtype=np.uint32)
    stream.flags.writeable = False
    return stream


class Ended(Exception):
    """The words are used up."""


def endless(words: list[int]) -> Iterator[int]:
    yield from words
    raise Ended


@given(streams(), st.integers(0, 60), st.integers(0, 200))
def test_shuffles_like_the_twin(words: list[int], n: int, cut: int) -> None:
    order, expected, top = np.arange(n, dtype=np.uint32), list(range(n)), n - 1
    for part in (words[:cut], words[cut:]):
        top = shuffle(order, top, read_only(part))
    source, index = endless(words), n - 1
    while index > 0:
        try:
            other = twin.draw_below(index + 1, source)
        except Ended:
            break
        expected[index], expected[other] = expected[other], expected[index]
        index -= 1
    assert (order.tolist(), max(top, 0)) == (expected, max(index, 0))


@given(streams(), st.integers(1, 200), st.integers(0, 200), st.data())
def test_draws_the_subset_of_the_twin(words: list[int], bound: int, cut: int, data: st.DataObject) -> None:
    missing = wanted = data.draw(st.integers(0, bound))
    mask = np.zeros((bound + 63) // 64, dtype=np.uint64)
    for part in (words[:cut], words[cut:]):
        missing = draw_subset(mask, bound, missing, read_only(part))
    source, seen = endless(words), set[int]()
    while len(seen) < wanted:
        try:
            seen.add(twin.draw_below(bound, source))
        except Ended:
            break
    assert missing == wanted - len(seen)
    assert Bits(mask, bound) == Bits.from_positions(sorted(seen), bound)


@given(st.integers(0, 80).flatmap(lambda n: st.permutations(range(n))), st.integers(1, 3), st.data())
def test_inverts(order: list[int], columns: int, data: st.DataObject) -> None:
    column = data.draw(st.integers(0, columns - 1))
    output = np.full((len(order), columns), 99, dtype=np.uint32)
    invert(np.array(order, dtype=np.uint32), output, column)
    assert [order.index(value) for value in range(len(order))] == output[:, column].tolist()
    assert (np.delete(output, column, axis=1) == 99).all()
