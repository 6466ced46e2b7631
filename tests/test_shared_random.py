"""What both hosts derive from a seed: vectors, a twin written out by hand, and uniformity."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from qkdpost import shared_random
from qkdpost.bits import Bits
from qkdpost.errors import InputError
from reference import shared_random as twin

VECTORS = json.loads((Path(__file__).parent / "vectors" / "shared_random.json").read_text(encoding="utf-8"))
seeds = st.binary(min_size=32, max_size=32)


def arguments(vector: dict[str, object]) -> tuple[bytes, bytes]:
    return bytes.fromhex(str(vector["seed"])), bytes.fromhex(str(vector["label"]))


@pytest.mark.parametrize("vector", VECTORS["expand"])
def test_expand_vectors(vector: dict[str, object]) -> None:
    assert shared_random.expand(*arguments(vector), vector["count"]).hex() == vector["output"]


@pytest.mark.parametrize("vector", VECTORS["permutation"])
def test_permutation_vectors(vector: dict[str, object]) -> None:
    order = shared_random.permutation(*arguments(vector), vector["n"])
    assert order.dtype == np.uint32
    assert order.tolist() == vector["output"]


@pytest.mark.parametrize("vector", VECTORS["sample_positions"])
def test_sample_vectors(vector: dict[str, object]) -> None:
    positions = shared_random.sample_positions(*arguments(vector), vector["n"], vector["k"])
    assert positions.dtype == np.int64
    assert positions.tolist() == vector["output"]


@settings(max_examples=20, deadline=None)
@given(seeds, st.binary(max_size=20), st.integers(0, 60), st.data())
def test_agrees_with_twin(seed: bytes, label: bytes, n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    assert shared_random.expand(seed, label, 5 * n) == twin.expand(seed, label, 5 * n)
    assert shared_random.random_words(seed, label, n).tobytes() == twin.expand(seed, label, 8 * n)
    assert shared_random.permutation(seed, label, n).tolist() == twin.permutation(seed, label, n)
    positions = twin.sample_positions(seed, label, n, k)
    assert shared_random.sample_positions(seed, label, n, k).tolist() == positions
    assert shared_random.sample_mask(seed, label, n, k) == Bits.from_positions(positions, n)


def words_of(seed: bytes, label: bytes, count: int) -> Iterator[int]:
    return iter(np.frombuffer(shared_random.expand(seed, label, 4 * count), dtype="<u4").tolist())


def test_a_stream_goes_on_where_it_ended() -> None:
    """The words are made in pieces of 2^14; what a long permutation and a long sample draw must not show it."""
    n = 5 << 14
    expected = twin.shuffled(n, words_of(bytes(32), b"long", n + 99))
    assert shared_random.permutation(bytes(32), b"long", n).tolist() == expected
    words, seen = words_of(bytes(32), b"long", n), set[int]()
    while len(seen) < n // 2:
        seen.add(twin.draw_below(2 * n, words))
    assert shared_random.sample_positions(bytes(32), b"long", 2 * n, n // 2).tolist() == sorted(seen)


def test_large_sample() -> None:
    positions = shared_random.sample_positions(bytes(32), b"large", 10**8, 10**6)
    assert positions.shape == (10**6,)
    assert np.all(np.diff(positions) > 0)
    assert positions[0] >= 0 and positions[-1] < 10**8
    # Mean of a sample without replacement: standard deviation n / sqrt(12 k).
    assert abs(positions.mean() - 5e7) < 5 * 1e8 / np.sqrt(12e6)


def test_permutations_are_uniform() -> None:
    counts = dict.fromkeys(permutations(range(4)), 0)
    for trial in range(4800):
        seed = trial.to_bytes(32, "little")
        counts[tuple(shared_random.permutation(seed, b"uniform", 4).tolist())] += 1
    assert stats.chisquare(list(counts.values())).pvalue > 1e-4


def test_samples_are_uniform() -> None:
    counts = np.zeros(30)
    for trial in range(3000):
        counts[shared_random.sample_positions(trial.to_bytes(32, "little"), b"uniform", 30, 10)] += 1
    # Inclusion counts are negatively correlated, so the statistic is at most a chi-square.
    assert stats.chi2.sf(((counts - 1000) ** 2 / (1000 * 2 / 3)).sum(), 29) > 1e-4


def test_labels_and_lengths_are_separate() -> None:
    seed = bytes(range(32))
    assert shared_random.expand(seed, b"a", 32) != shared_random.expand(seed, b"b", 32)
    assert shared_random.expand(seed, b"a" + seed[:1], 32) != shared_random.expand(seed, b"a", 32)
    assert shared_random.expand(seed, b"a", 64)[:32] == shared_random.expand(seed, b"a", 32)


@pytest.mark.parametrize("seed", [b"", bytes(31), bytes(33)])
def test_seed_of_wrong_length(seed: bytes) -> None:
    with pytest.raises(InputError, match="32 bytes"):
        shared_random.expand(seed, b"", 1)
    with pytest.raises(InputError, match="32 bytes"):
        shared_random.permutation(seed, b"", 1)
    with pytest.raises(InputError, match="32 bytes"):
        shared_random.sample_positions(seed, b"", 1, 1)
    with pytest.raises(InputError, match="32 bytes"):
        shared_random.sample_mask(seed, b"", 1, 1)
    with pytest.raises(InputError, match="32 bytes"):
        shared_random.random_words(seed, b"", 1)


def test_numbers_out_of_range() -> None:
    seed = bytes(32)
    with pytest.raises(InputError):
        shared_random.expand(seed, b"", -1)
    with pytest.raises(InputError):
        shared_random.expand(seed, b"", 2**38 + 1)
    for n in (-1, 2**32 + 1):
        with pytest.raises(InputError):
            shared_random.permutation(seed, b"", n)
    for n, k in ((3, 4), (3, -1), (2**32 + 1, 1)):
        with pytest.raises(InputError):
            shared_random.sample_positions(seed, b"", n, k)
        with pytest.raises(InputError):
            shared_random.sample_mask(seed, b"", n, k)
