from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkdpost.statistics.entropy import binary_entropy
from qkdpost.statistics.error_envelope import max_errors_of_longer, steady_entropy
from qkdpost.statistics.sampling import hypergeometric_key_errors


def _length(rounds: int, test_bits: int, test_errors: int, tail: float) -> float:
    errors = hypergeometric_key_errors(rounds, test_bits, test_errors, tail)
    return rounds * (1 - binary_entropy(min(1.0, errors / rounds)))


def _steady(rounds: int, test_bits: int, test_errors: int, tail: float) -> int:
    errors = hypergeometric_key_errors(rounds, test_bits, test_errors, tail)
    return steady_entropy(rounds, test_bits, test_errors, tail, errors)


@settings(max_examples=150)
@given(st.integers(30, 10**7), st.integers(1, 10**6), st.floats(0, 0.35), st.floats(-24, -2))
def test_longer_blocks_never_give_less(rounds: int, test_bits: int, rate: float, power: float) -> None:
    errors, tail = int(rate * test_bits), 10.0**power
    found = [_steady(rounds + more, test_bits, errors, tail) for more in range(40)]
    assert all(short <= long for short, long in itertools.pairwise(found))
    assert _steady(rounds, test_bits + 1, errors, tail) >= found[0]
    assert _steady(rounds, test_bits, min(test_bits, errors + 1), tail) <= found[0]
    assert _steady(rounds, test_bits, errors, tail / 2) <= found[0]


@settings(max_examples=300)
@given(st.integers(30, 10**9), st.integers(1, 10**8), st.floats(0, 0.4), st.floats(-24, -2))
def test_never_above_the_theorem_and_one_error_below_at_most(
    rounds: int, test_bits: int, rate: float, power: float
) -> None:
    errors, tail = int(rate * test_bits), 10.0**power
    plain, steady = _length(rounds, test_bits, errors, tail), _steady(rounds, test_bits, errors, tail)
    bound = hypergeometric_key_errors(rounds, test_bits, errors, tail)
    one_more = rounds * (1 - binary_entropy(min(1.0, (bound + 1) / rounds)))
    assert math.floor(one_more) - 1 <= steady <= plain


@pytest.mark.parametrize(
    ("rounds", "test_bits", "errors", "tail"), [(2000, 300, 4, 1e-6), (500, 500, 20, 1e-3), (900, 90, 1, 1e-9)]
)
def test_it_is_the_envelope(rounds: int, test_bits: int, errors: int, tail: float) -> None:
    """The least of the lengths of all longer blocks, but for the part of a bit that a whole number of rounds is."""
    least = min(_length(more, test_bits, errors, tail) for more in range(rounds, 2 * rounds))
    assert least - 1.5 <= _steady(rounds, test_bits, errors, tail) <= least


def test_nothing_is_left_where_half_may_be_wrong() -> None:
    assert steady_entropy(100, 5, 3, 1e-10, 100) == 0
    assert steady_entropy(100, 5, 0, 1e-10, 50) == 0
    assert steady_entropy(0, 5, 0, 1e-10, 0) == 0


@settings(max_examples=200)
@given(st.integers(30, 3000), st.floats(1, 4), st.integers(1, 10**6), st.floats(0, 0.3), st.floats(-24, -2))
def test_no_longer_block_has_less(rounds: int, times: float, test_bits: int, rate: float, power: float) -> None:
    """Every block between, one by one at first and then in strides."""
    errors, tail, longest = int(rate * test_bits), 10.0**power, int(times * rounds)
    bound = hypergeometric_key_errors(rounds, test_bits, errors, tail)
    found = max_errors_of_longer(rounds, longest, test_bits, errors, tail, bound)
    assert bound < found <= rounds or found == rounds
    left = rounds * (1 - binary_entropy(min(1.0, found / rounds)))
    checked = itertools.chain(range(rounds, min(longest, rounds + 60)), range(rounds, longest + 1, 1 + longest // 40))
    assert all(left <= _length(more, test_bits, errors, tail) + 1e-9 for more in checked)


def test_one_more_error_is_enough_as_a_rule() -> None:
    for rounds, test_bits, errors in ((4_302_258, 388_474, 13_000), (50_000, 5_000, 100), (10**9, 10**8, 10**6)):
        bound = hypergeometric_key_errors(rounds, test_bits, errors, 1e-22)
        assert max_errors_of_longer(rounds, 3 * rounds, test_bits, errors, 1e-22, bound) == bound + 1
    assert max_errors_of_longer(1000, 2000, 100, 45, 1e-22, 990) == 1000
