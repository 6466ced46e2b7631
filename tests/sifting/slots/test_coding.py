from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qkdpost.errors import InputError
from qkdpost.sifting.slots.coding import (
    MAX_SPAN,
    decode_slots,
    decode_times,
    encode_slots,
    encode_times,
    rice_parameter,
)
from reference.sifting import rice_code

spans = st.one_of(st.integers(1, 300), st.integers(1, MAX_SPAN))


@st.composite
def positions(draw: st.DrawFn) -> tuple[list[int], int]:
    pulses = draw(spans)
    slots = sorted(draw(st.sets(st.integers(0, pulses - 1), max_size=60)))
    return slots, pulses


@given(positions())
def test_slots_come_back(case: tuple[list[int], int]) -> None:
    slots, pulses = case
    data = encode_slots(np.array(slots, dtype=np.int64), pulses)
    decoded = decode_slots(data, len(slots), pulses)
    assert decoded.tolist() == slots
    assert decoded.dtype == np.int64
    assert not decoded.flags.writeable


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.sets(st.integers(0, n - 1), max_size=200), st.just(n))))
def test_code_is_that_of_the_obvious_twin(case: tuple[set[int], int]) -> None:
    slots, pulses = sorted(case[0]), case[1]
    expected = rice_code(slots, rice_parameter(len(slots), pulses))
    assert encode_slots(np.array(slots, dtype=np.int64), pulses) == expected


@given(st.binary(max_size=200), st.integers(-2, 300), spans)
def test_any_bytes_give_valid_slots_or_the_named_error(data: bytes, count: int, pulses: int) -> None:
    try:
        slots = decode_slots(data, count, pulses)
    except InputError:
        return
    assert slots.size == count
    assert np.all(np.diff(slots) > 0)
    if count:
        assert 0 <= slots[0] <= slots[-1] < pulses
    assert encode_slots(slots, pulses) == data


@given(positions(), st.data())
def test_a_changed_code_is_canonical_or_refused(case: tuple[list[int], int], data: st.DataObject) -> None:
    slots, pulses = case
    code = bytearray(encode_slots(np.array(slots, dtype=np.int64), pulses))
    if not code:
        return
    at = data.draw(st.integers(0, 8 * len(code) - 1))
    code[at // 8] ^= 1 << at % 8
    try:
        decoded = decode_slots(bytes(code), len(slots), pulses)
    except InputError:
        return
    assert encode_slots(decoded, pulses) == bytes(code)
    assert decoded.tolist() != slots


def test_bytes_after_the_code_are_refused() -> None:
    code = encode_slots(np.array([3, 7, 20]), 100)
    with pytest.raises(InputError):
        decode_slots(code + b"\0", 3, 100)
    with pytest.raises(InputError):
        decode_slots(b"\0", 0, 100)


def test_nothing_is_allocated_for_a_count_without_bytes() -> None:
    tracemalloc.start()
    try:
        for count, pulses in (
            (10**9, 2 * 10**9),
            (2**60, 2**61),
            (2**61, 2**61),
            (2**62, 2**62),
            (8 * 50 + 1, 10**4),
        ):
            with pytest.raises(InputError):
                decode_slots(b"\xff" * 50, count, pulses)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("slots", [[1, 1], [2, 1], [-1, 3], [5, 100], [0.9, 1.9], [0, 2**63 - 1, -(2**63), -1, 5]])
def test_slots_that_cannot_be_are_refused(slots: list[int]) -> None:
    with pytest.raises(InputError):
        encode_slots(np.array(slots), 100)


def test_numbers_that_are_none_are_the_callers_fault() -> None:
    for call in (
        lambda: encode_slots([1, 2], 100.0),  # type: ignore[arg-type]
        lambda: encode_slots([1, 2], True),
        lambda: encode_times([1, 2], origin=0.5, span=10),  # type: ignore[arg-type]
        lambda: decode_slots(b"", None, 10),  # type: ignore[arg-type]
        lambda: decode_slots("text", 1, 10),  # type: ignore[arg-type]
        lambda: decode_times(b"", 0, origin="0", span=10),  # type: ignore[arg-type]
        lambda: rice_parameter(1, np.nan),  # type: ignore[arg-type]
    ):
        with pytest.raises(InputError):
            call()


@pytest.mark.parametrize("probability", [1e-6, 1e-4, 1e-3, 0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
def test_bytes_are_near_the_entropy_of_positions_and_bases(probability: float) -> None:
    rng = np.random.default_rng(20)
    count = 20_000
    slots = np.cumsum(rng.geometric(probability, count)) - 1
    pulses = int(count / probability)
    slots = slots[slots < pulses]
    entropy_bits = -(math.log2(probability) + (1 / probability - 1) * math.log2(1 - probability))
    sent_bits = 8 * len(encode_slots(slots, pulses)) / slots.size
    assert sent_bits + 1 <= 1.10 * (entropy_bits + 1)


@given(st.lists(st.integers(0, 5000), max_size=80), st.integers(-MAX_SPAN, MAX_SPAN))
def test_times_come_back(values: list[int], origin: int) -> None:
    ticks = np.array(sorted(values), dtype=np.int64) + origin
    data = encode_times(ticks, origin=origin, span=5001)
    assert np.array_equal(decode_times(data, ticks.size, origin=origin, span=5001), ticks)


@given(st.binary(max_size=100), st.integers(-1, 200), st.integers(-MAX_SPAN, MAX_SPAN), st.integers(0, 500))
def test_any_bytes_give_valid_times_or_the_named_error(data: bytes, count: int, origin: int, span: int) -> None:
    try:
        ticks = decode_times(data, count, origin=origin, span=span)
    except InputError:
        return
    assert ticks.size == count
    assert np.all(np.diff(ticks) >= 0)
    if count:
        assert origin <= ticks[0] <= ticks[-1] < origin + span
    assert encode_times(ticks, origin=origin, span=span) == data


def test_times_that_cannot_be_are_refused() -> None:
    for ticks in ([3, 2], [-1, 2], [0, 10]):
        with pytest.raises(InputError):
            encode_times(np.array(ticks), origin=0, span=10)
    with pytest.raises(InputError):
        decode_times(b"", 0, origin=2**62, span=10)
