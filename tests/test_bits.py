from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qkdpost.bits import Bits, concatenate
from qkdpost.errors import InputError

vectors = st.lists(st.integers(0, 1), max_size=300)


@given(vectors)
def test_round_trips(values: list[int]) -> None:
    bits = Bits.from_array(np.array(values, dtype=np.uint8))
    assert np.asarray(bits).tolist() == values
    assert Bits.from_bytes(bits.to_bytes(), len(bits)) == bits
    assert Bits(bits.words, len(bits)) == bits
    assert bits.weight() == sum(values)
    assert pickle.loads(pickle.dumps(bits)) == bits


def test_bit_order_is_the_stated_one() -> None:
    bits = Bits.from_array([1, 0, 0, 0, 0, 0, 0, 0, 0, 1])
    assert bits.to_bytes() == b"\x01\x02"
    assert bits.words.tolist() == [0x201]


@given(vectors, st.integers(0, 310), st.integers(0, 310))
def test_slices_are_those_of_lists(values: list[int], start: int, stop: int) -> None:
    bits = Bits.from_array(np.array(values, dtype=np.uint8))
    assert np.asarray(bits[start:stop]).tolist() == values[start:stop]


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), max_size=300))
def test_select_and_logic(pairs: list[tuple[int, int]]) -> None:
    values, flags = [a for a, _ in pairs], [b for _, b in pairs]
    bits, mask = (Bits.from_array(np.array(v, dtype=np.uint8)) for v in (values, flags))
    assert np.asarray(bits.select(mask)).tolist() == [a for a, b in pairs if b]
    assert np.asarray(bits ^ mask).tolist() == [a ^ b for a, b in pairs]
    assert np.asarray(bits & mask).tolist() == [a & b for a, b in pairs]
    assert np.asarray(~bits).tolist() == [1 - a for a in values]
    assert bits.replace(mask, bits.select(mask)) == bits
    assert bits.replace(mask, ~bits.select(mask)) == bits ^ mask


@given(st.lists(vectors, max_size=5))
def test_concatenate(parts: list[list[int]]) -> None:
    joined = concatenate(Bits.from_array(np.array(part, dtype=np.uint8)) for part in parts)
    assert np.asarray(joined).tolist() == [value for part in parts for value in part]


@given(vectors.filter(bool), st.data())
def test_take_and_from_positions(values: list[int], data: st.DataObject) -> None:
    bits = Bits.from_array(np.array(values, dtype=np.uint8))
    positions = data.draw(st.lists(st.integers(0, len(values) - 1), max_size=80))
    taken = bits.take(np.array(positions, dtype=np.int64))
    assert np.asarray(taken).tolist() == [values[i] for i in positions]
    mask = Bits.from_positions(np.array(positions, dtype=np.int64), len(values))
    assert np.flatnonzero(np.asarray(mask)).tolist() == sorted(set(positions))


def test_equality_needs_equal_length() -> None:
    assert Bits.zeros(8) != Bits.zeros(9)
    assert Bits.zeros(8) != b"\x00"


@pytest.mark.parametrize("array", [[[0, 1]], [0.5, 1.0], [0, 2], np.array([-1, 0]), np.array(["0"])], ids=repr)
def test_arrays_that_are_no_bits_are_refused(array: object) -> None:
    with pytest.raises(InputError):
        Bits.from_array(array)  # type: ignore[arg-type]


def test_bits_past_the_end_are_refused() -> None:
    with pytest.raises(InputError, match="past the end"):
        Bits.from_bytes(b"\x04", 2)
    with pytest.raises(InputError, match="bytes"):
        Bits.from_bytes(b"\x00\x00", 2)
    with pytest.raises(InputError, match="words"):
        Bits(np.zeros(2, dtype=np.uint64), 64)


def test_positions_outside_are_refused() -> None:
    for positions in ([3], [-1]):
        with pytest.raises(InputError):
            Bits.zeros(3).take(np.array(positions))
        with pytest.raises(InputError):
            Bits.from_positions(np.array(positions), 3)


def test_the_representation_shows_no_bits() -> None:
    assert repr(Bits.from_array([1, 1, 0])) == "Bits(length=3)"
    assert str(Bits.from_array([1, 1, 0])) == "Bits(length=3)"


def test_words_are_read_only() -> None:
    with pytest.raises(ValueError, match="read-only"):
        Bits.zeros(64).words[0] = 1
