from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qkdpost.errors import InputError
from qkdpost.sifting import sort_time_tags, unwrap_ticks

ANY_TICK = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(st.tuples(ANY_TICK | st.integers(0, 20), st.integers(0, 3))), st.integers(0, 2**63 - 1) | st.just(5))
def test_sorting_is_that_of_python_within_its_bound(rows: list[tuple[int, int]], most: int) -> None:
    ticks, channels = [tick for tick, _ in rows], [channel for _, channel in rows]
    farthest = max((max(ticks[: place + 1]) - tick for place, tick in enumerate(ticks)), default=0)
    if farthest > most:
        with pytest.raises(InputError, match=f"{farthest} ticks before an earlier one"):
            sort_time_tags(ticks, channels, max_disorder_ticks=most)
        return
    found = sort_time_tags(ticks, channels, max_disorder_ticks=most)
    assert list(zip(*(array.tolist() for array in found), strict=True)) == sorted(rows, key=lambda row: row[0])


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint64])
def test_any_width_is_sorted(dtype: type[np.integer]) -> None:
    ticks, _ = sort_time_tags(np.array([3, 1], dtype=dtype), np.array([0, 1], dtype=dtype), max_disorder_ticks=2)
    assert ticks.tolist() == [1, 3]


@pytest.mark.parametrize(
    ("ticks", "channels", "most"),
    [
        ([1.5], [0], 1),
        ([1], [0, 1], 1),
        ([[1]], [0], 1),
        (np.array([2**63], dtype=np.uint64), [0], 1),
        ([1], [0], -1),
        ([1], [0], 1.0),
        ("1", [0], 1),
    ],
)
def test_other_arguments_are_refused(ticks: object, channels: object, most: object) -> None:
    with pytest.raises(InputError):
        sort_time_tags(ticks, channels, max_disorder_ticks=most)  # type: ignore[arg-type]


def test_disorder_and_a_counter_that_rolled_over_are_told_apart() -> None:
    with pytest.raises(InputError, match=r"rollover_ticks=2\*\*20"):
        sort_time_tags([2**20 - 5, 17], [0, 0], max_disorder_ticks=100)
    with pytest.raises(InputError, match="give max_disorder_ticks=500"):
        sort_time_tags([2**20 - 5, 2**20 - 505], [0, 0], max_disorder_ticks=100)


@given(
    st.integers(2, 2**40).flatmap(
        lambda period: st.tuples(
            st.just(period),
            st.integers(0, period - 1),
            st.lists(st.integers(0, (period - 1) // 2), max_size=20),
            st.integers(0, max(0, (period - 1) // 4)),
            st.randoms(use_true_random=False),
        )
    )
)
def test_rolling_over_is_undone(case: tuple[int, int, list[int], int, object]) -> None:
    period, start, steps, disorder, _ = case
    true = np.cumsum([start, *steps])
    assert unwrap_ticks(true % period, rollover_ticks=period).tolist() == true.tolist()
    # Every second click out of order by no more than the bound, where steps leave that clear.
    shifted = true.copy()
    shifted[1::2] -= np.minimum(disorder, shifted[1::2])
    changes = np.diff(shifted)
    if changes.size and (changes.min() < -disorder or changes.max() >= period - period // 2 - disorder):
        return
    found = unwrap_ticks(shifted % period, rollover_ticks=period, max_disorder_ticks=disorder)
    assert (found - found[0]).tolist() == (shifted - shifted[0]).tolist()


def test_clicks_out_of_order_where_the_counter_rolls_over() -> None:
    found = unwrap_ticks([1020, 3, 1022, 5, 900, 2], rollover_ticks=1024, max_disorder_ticks=10)
    assert found.tolist() == [1020, 1027, 1022, 1029, 1924, 2050]
    first = unwrap_ticks([3, 1022, 5], rollover_ticks=1024, max_disorder_ticks=10)
    assert np.diff(first).tolist() == [-5, 7]


def test_what_is_neither_is_refused() -> None:
    with pytest.raises(InputError, match="5 ticks below the one before"):
        unwrap_ticks([100, 95], rollover_ticks=1024)
    with pytest.raises(InputError, match=r"must lie in 0 \.\.\. 1023; found 1024"):
        unwrap_ticks([100, 1024], rollover_ticks=1024)
    with pytest.raises(InputError, match="found -1"):
        unwrap_ticks([-1], rollover_ticks=1024)
    with pytest.raises(InputError, match="max_disorder_ticks"):
        unwrap_ticks([1], rollover_ticks=1024, max_disorder_ticks=512)
    with pytest.raises(InputError, match="too long for ticks"):
        unwrap_ticks([2**62 - 1, 0] * 3, rollover_ticks=2**62)
