from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qkdpost._kernels.bits.extraction import deposit, deposit_one_by_one, extract, extract_in_moves
from qkdpost._kernels.bits.packing import select_bits, spread_bits
from qkdpost._kernels.jit import processor
from qkdpost._kernels.jit.decorators import kernel

Words = np.ndarray
ALL = 2**64 - 1
words = st.one_of(st.integers(0, ALL), st.sampled_from([0, 1, 1 << 63, ALL, ALL - 1, 0x5555555555555555]))


@kernel
def _extract_each(values: Words, masks: Words, output: Words) -> None:
    for index in range(values.size):
        output[index] = extract(values[index], masks[index])


@kernel
def _deposit_each(values: Words, masks: Words, output: Words) -> None:
    for index in range(values.size):
        output[index] = deposit(values[index], masks[index])


def picked(word: int, mask: int) -> int:
    places = [place for place in range(64) if mask >> place & 1]
    return sum((word >> place & 1) << index for index, place in enumerate(places))


def put(word: int, mask: int) -> int:
    places = [place for place in range(64) if mask >> place & 1]
    return sum((word >> index & 1) << place for index, place in enumerate(places))


@given(st.lists(st.tuples(words, words), min_size=1, max_size=20))
def test_extract_and_deposit_are_what_they_say(pairs: list[tuple[int, int]]) -> None:
    values, masks = np.array(pairs, dtype=np.uint64).T.copy()
    output = np.empty_like(values)
    _extract_each(values, masks, output)
    assert output.tolist() == [picked(word, mask) for word, mask in pairs]
    _deposit_each(values, masks, output)
    assert output.tolist() == [put(word, mask) for word, mask in pairs]


@given(words, words)
def test_so_do_the_functions_for_processors_without_the_instructions(word: int, mask: int) -> None:
    with np.errstate(over="ignore"):
        assert extract_in_moves(np.uint64(word), np.uint64(mask)) == picked(word, mask)
        assert deposit_one_by_one(np.uint64(word), np.uint64(mask)) == put(word, mask)


@given(st.lists(st.tuples(words, words), max_size=12), st.booleans())
def test_selecting_and_spreading_over_words(pairs: list[tuple[int, int]], whole: bool) -> None:
    values, masks = np.array(pairs, dtype=np.uint64).reshape(-1, 2).T.copy()
    if whole:
        masks[:] = ALL
    bits = np.unpackbits(values.view(np.uint8), bitorder="little")
    chosen = np.unpackbits(masks.view(np.uint8), bitorder="little").astype(bool)
    count = int(chosen.sum())
    output = np.zeros((count + 63) // 64, dtype=np.uint64)
    assert select_bits(values, masks, output) == count
    expected = np.zeros(64 * output.size, dtype=np.uint8)
    expected[:count] = bits[chosen]
    assert (np.unpackbits(output.view(np.uint8), bitorder="little") == expected).all()
    spread = np.zeros_like(values)
    spread_bits(output, masks, spread)
    assert spread.tolist() == (values & masks).tolist()


@pytest.mark.parametrize(
    ("path", "features", "name", "fast"),
    [
        ("vpclmul256", {"bmi2"}, "znver3", True),
        ("pclmul", {"bmi2"}, "haswell", True),
        ("pclmul", {"bmi2"}, "znver2", False),
        ("pclmul", {"sse2"}, "nehalem", False),
        ("portable", {"bmi2"}, "znver3", False),
        ("pmull", {"neon"}, "cortex-a72", False),
    ],
)
def test_which_processors_move_bits_fast(
    path: str, features: set[str], name: str, fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor, "clmul_path", lambda: path)
    monkeypatch.setattr(processor, "processor_features", lambda: frozenset(features))
    monkeypatch.setattr(processor, "_processor_name", lambda: name)
    assert processor.has_fast_bit_moves() == fast


def test_the_processor_has_a_name() -> None:
    assert processor._processor_name()
