from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qkdpost import security
from qkdpost.errors import InputError

BITS = st.integers(0, 2**40)
RATES = st.floats(0.0, 0.5)


@given(bits=BITS, rate=RATES, efficiency=st.floats(1.0, 2.0))
def test_leakage_is_that_of_the_definition_rounded_up(bits: int, rate: float, efficiency: float) -> None:
    entropy = 0.0 if rate == 0.0 else -rate * math.log2(rate) - (1.0 - rate) * math.log2(1.0 - rate)
    found = security.expected_leakage(bits, rate, efficiency=efficiency)
    assert isinstance(found, int)
    assert found == pytest.approx(efficiency * bits * entropy, rel=1e-9, abs=1.0)
    assert found >= math.floor(efficiency * bits * entropy * (1.0 - 1e-12))


@given(bits=BITS, rate=RATES, more=RATES, efficiency=st.floats(1.0, 2.0))
def test_more_errors_and_worse_codes_leak_more(bits: int, rate: float, more: float, efficiency: float) -> None:
    low, high = sorted((rate, more))
    assert security.expected_leakage(bits, low) <= security.expected_leakage(bits, high)
    assert security.expected_leakage(bits, rate, efficiency=1.0) <= security.expected_leakage(
        bits, rate, efficiency=efficiency
    )


@pytest.mark.parametrize(
    "wrong",
    [{"bits": 1.5}, {"bits": -1}, {"error_rate": 0.6}, {"error_rate": math.nan}, {"efficiency": 0.99}, {"bits": True}],
)
def test_what_cannot_be_is_refused(wrong: Any) -> None:
    with pytest.raises(InputError):
        security.expected_leakage(**{"bits": 100, "error_rate": 0.1, **wrong})
