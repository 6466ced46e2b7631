"""Lists of odd ranges: against Python's own sorting and sets."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkdpost._kernels.cascade.odd_ranges import (
    ASKED_RANGE,
    end_of,
    merge_turned,
    pass_of,
    range_word,
    sort_ranges,
    start_of,
)

WORDS = st.integers(0, 40).map(lambda place: (place % 5 << 48) + (place << 24) + place + 1)


@pytest.mark.parametrize(("index", "start", "end"), [(0, 0, 1), (62, (1 << 20) - 1, 1 << 20), (5, 0, 1 << 20)])
def test_a_range_is_a_word_and_back(index: int, start: int, end: int) -> None:
    word = range_word(index, start, end)
    for form in (word, word | ASKED_RANGE):
        assert (pass_of(form), start_of(form), end_of(form)) == (index, start, end)
    assert word < ASKED_RANGE


@settings(deadline=None)
@given(words=st.lists(st.integers(0, 2**63), max_size=200), before=st.integers(0, 3), after=st.integers(0, 3))
def test_sorted(words: list[int], before: int, after: int) -> None:
    ranges = np.array([9] * before + words + [7] * after, dtype=np.uint64)
    sort_ranges(ranges, before, before + len(words))
    assert ranges.tolist() == [9] * before + sorted(words) + [7] * after


@settings(deadline=None)
@given(listed=st.sets(WORDS, max_size=30), turned=st.lists(WORDS, max_size=60))
def test_what_is_odd_after_turning(listed: set[int], turned: list[int]) -> None:
    ranges = np.array([*sorted(listed), *sorted(turned), *[0] * 100], dtype=np.uint64)
    first, second = len(listed), len(listed) + len(turned)
    end = merge_turned(ranges, 0, first, first, second, second)
    times = Counter(turned) + Counter(listed)
    assert ranges[second:end].tolist() == sorted(word for word, count in times.items() if count % 2)
