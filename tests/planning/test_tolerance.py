from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkdpost import planning, security
from qkdpost.errors import ConfigurationError, InputError
from qkdpost.security import Epsilon, Tally, bb84

SIZES = st.integers(3_000, 10**8)
EFFICIENCIES = st.floats(1.0, 1.5)


def length(rate: float, key_bits: int, test_bits: int, efficiency: float) -> int:
    """The length where both bases have `rate`, put together by hand."""
    budget = Epsilon.split(1e-10)
    tally = Tally(key_bits=key_bits, test_bits=test_bits, test_errors=round(rate * test_bits))
    leakage = math.ceil(
        efficiency * key_bits * security.binary_entropy(min(0.5, math.ceil(rate * key_bits) / key_bits))
    )
    return bb84.secret_length(
        tally, leakage_bits=leakage + budget.verification_charge_bits, epsilon=budget,
        verification_bits=budget.verification_charge_bits,
    ).bits  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(key_bits=SIZES, test_bits=SIZES, efficiency=EFFICIENCIES)
def test_the_rate_gives_key_and_a_little_more_does_not(key_bits: int, test_bits: int, efficiency: float) -> None:
    rate = planning.tolerated_error_rate(key_bits=key_bits, test_bits=test_bits, efficiency=efficiency)
    assert 0.0 <= rate < 0.111
    assert (rate * test_bits) == pytest.approx(round(rate * test_bits), abs=1e-6)
    assert length(rate - 0.5 / key_bits, key_bits, test_bits, efficiency) > 0
    assert length(rate + 1.0 / test_bits + 1.0 / key_bits, key_bits, test_bits, efficiency) == 0


@settings(max_examples=20, deadline=None)
@given(key_bits=SIZES, more=st.floats(1.5, 10.0), efficiency=EFFICIENCIES, worse=st.floats(0.001, 0.3))
def test_more_rounds_tolerate_more_and_worse_correction_less(
    key_bits: int, more: float, efficiency: float, worse: float
) -> None:
    rate = planning.tolerated_error_rate(key_bits=key_bits, efficiency=efficiency)
    assert planning.tolerated_error_rate(key_bits=round(more * key_bits), efficiency=efficiency) >= rate
    assert planning.tolerated_error_rate(key_bits=key_bits, efficiency=efficiency + worse) <= rate
    assert planning.tolerated_error_rate(key_bits=key_bits, efficiency=efficiency, epsilon=1e-15) <= rate


def test_known_limits() -> None:
    by_hand = pytest.approx(0.098, abs=0.0005)
    assert planning.tolerated_error_rate(key_bits=1e6, test_bits=1e5) == by_hand
    assert 0.1095 < planning.tolerated_error_rate(key_bits=1e12, efficiency=1.0) < 0.1100279
    assert planning.tolerated_error_rate(key_bits=1e6, concentration="serfling") < planning.tolerated_error_rate(
        key_bits=1e6
    )


def test_too_few_rounds_are_told() -> None:
    with pytest.raises(ConfigurationError, match="give no key even without errors"):
        planning.tolerated_error_rate(key_bits=100)


@pytest.mark.parametrize("wrong", [{"key_bits": 0.5}, {"key_bits": "1e6"}, {"key_bits": 10**6, "efficiency": 0.9}])
def test_what_cannot_be_is_refused(wrong: Any) -> None:
    with pytest.raises(InputError):
        planning.tolerated_error_rate(**wrong)
