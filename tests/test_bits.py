from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qkdpost.bits import Bits, concatenate, partition
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


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda bits: pickle.loads(pickle.dumps(bits))])
@pytest.mark.parametrize("length", [0, 5, 64, 1000])
def test_words_of_copied_and_pickled_bits_stay_read_only(length: int, duplicate: Callable[[Bits], Bits]) -> None:
    bits = ~Bits.zeros(length)
    other = duplicate(bits)
    assert other == bits
    assert not other.words.flags.writeable


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


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), max_size=300))
def test_partition(pairs: list[tuple[int, int]]) -> None:
    string, mask = (Bits.from_array(np.array([pair[at] for pair in pairs], dtype=np.uint8)) for at in (0, 1))
    chosen, rest = partition(string, mask)
    assert chosen.tolist() == [bit for bit, flag in pairs if flag]
    assert rest.tolist() == [bit for bit, flag in pairs if not flag]
    assert (chosen, rest) == (string.select(mask), string.select(~mask))


def test_partition_by_a_mask_of_another_length() -> None:
    with pytest.raises(InputError, match="of one length; found 9 and 10"):
        partition(Bits.zeros(9), Bits.zeros(10))


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


@given(vectors)
def test_bits_have_the_manners_of_a_sequence(values: list[int]) -> None:
    bits = Bits.from_array(np.array(values, dtype=np.uint8))
    assert list(bits) == bits.tolist() == [bit for bit in bits] == values  # noqa: C416 - to iterate is the point
    assert list(reversed(bits)) == values[::-1]
    assert [bits[place] for place in range(-len(values), len(values))] == values * 2
    assert [bits[np.int8(0)]] if values else values[:1] == []
    assert (0 in bits, 1 in bits, 2 in bits) == (0 in values, 1 in values, False)
    assert (bits + bits).tolist() == values * 2
    assert bytes(bits) == bits.to_bytes()
    assert {type(bit) for bit in bits} <= {int}


def test_iteration_passes_the_end_of_a_piece() -> None:
    values = np.arange(2**16 + 70) % 3 == 0
    assert list(Bits.from_array(values)) == values.astype(int).tolist()


def test_logic_takes_vectors_of_bits() -> None:
    bits = Bits.from_array([1, 0, 1])
    for other in ([1, 1, 0], np.array([1, 1, 0]), np.array([True, True, False]), np.array([1.0, 1.0, 0.0])):
        assert (bits ^ other).tolist() == [0, 1, 1]
        assert (bits & other).tolist() == [1, 0, 0]
        assert bits.select(other).tolist() == [1, 0]
        assert bits.replace(other, [0, 0]).tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda bits: bits[3], "bit 3 lies outside of 3 bits"),
        (lambda bits: bits[-4], "bit -4 lies outside"),
        (lambda bits: bits[10**100], "lies outside"),
        (lambda bits: bits[np.array([1, 2])], r"Give bits.take\(positions\), bits.select\(mask\)"),
        (lambda bits: bits[[True, False, True]], r"Give bits.take"),
        (lambda bits: bits[True], r"found True"),
        (lambda bits: bits[0.5], r"found 0.5"),
        (lambda bits: bits[0, 1], r"found a tuple"),
        (lambda bits: bits["a":], r"a slice of bits must have integers"),
        (lambda bits: bits[::2], r"step 1; found 2. np.asarray"),
        (lambda bits: bits[::0], r"a slice of bits must have integers"),
        (lambda bits: bits + [0, 1], r"Bits.from_array"),  # noqa: RUF005 - this is what is refused
        (lambda bits: bits ^ np.array([0, 1]), r"one length; found 3 and 2"),
        (lambda bits: bits ^ "abc", r"the other bits must be"),
        (lambda bits: bits & [0, 2, 1], r"the other bits must be 0 or 1; found 2 at entry 1"),
        (lambda bits: bits.take([0.9]), r"positions must be integers; found 0.9"),
        (lambda bits: bits.take([True, False, True]), r"np.flatnonzero\(mask\), or use select\(mask\)"),
        (lambda bits: bits.take(np.zeros((2, 2), dtype=int)), r"positions must be a vector"),
        (lambda bits: bits.take(1), r"positions must be a vector"),
        (lambda bits: bits.take(np.array([2**64 - 1], dtype=np.uint64)), r"must lie in 0 ... 2"),
        (lambda bits: Bits.from_positions(np.zeros((50, 50), dtype=int), 5), r"positions must be a vector"),
        (lambda bits: Bits.from_positions(np.arange(6).reshape(3, 2), 64), r"positions must be a vector"),
        (lambda bits: Bits.from_positions([0], 0), r"no positions in 0 bits"),
        (lambda bits: Bits.from_positions([0], 64.0), r"length must be an integer"),
        (lambda bits: Bits.zeros(-64), r"length must be an integer"),
        (lambda bits: Bits.zeros(True), r"length must be an integer"),
        (lambda bits: Bits.from_bytes(memoryview(b"abcdef")[::2], 24), r"data must be bytes"),
        (lambda bits: Bits.from_bytes(b"abc", 24.0), r"length must be an integer"),
        (lambda bits: Bits(np.zeros(1, dtype=np.uint64), 64.0), r"length must be an integer"),
        (lambda bits: Bits(np.zeros(1, dtype=np.uint64), True), r"length must be an integer"),
        (lambda bits: Bits([0], 64), r"words must be a uint64 vector"),
        (lambda bits: Bits([1, 0, 1]), r"words must be a uint64 vector; .*\. Bits\.from_array takes 0 and 1"),
        (lambda bits: Bits(np.array([1, 0, 1])), r"words must be a uint64 vector; .*\. Bits\.from_array takes 0 and 1"),
        (lambda bits: Bits(np.array([1], dtype=np.uint64)), r"length must be an integer"),
        (lambda bits: Bits.from_array(b"abc"), r"Bits.from_bytes"),
    ],
)
def test_what_bits_do_not_do_says_what_to_write(call: Callable[[Bits], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        call(Bits.from_array([1, 0, 1]))


def test_an_index_past_the_end_is_an_index_error_too() -> None:
    with pytest.raises(IndexError):
        Bits.zeros(3)[3]


@pytest.mark.parametrize("width", [np.int8, np.uint8, np.int32, np.uint64, np.int64])
def test_lengths_and_positions_of_any_width(width: type) -> None:
    """A length of 32 bits overflowed for most contents and not for others: an error that hung on the secret."""
    bits = Bits(np.array([2**40 - 1], dtype=np.uint64), width(40))
    assert len(bits) == 40
    assert Bits.from_positions(np.array([0, 3], dtype=width), width(4)).tolist() == [1, 0, 0, 1]
    assert bits[width(39)] == 1


def test_no_bits_no_hash() -> None:
    with pytest.raises(TypeError):
        hash(Bits.zeros(1))
