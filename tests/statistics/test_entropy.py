from __future__ import annotations

import math
from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qkdpost.errors import InputError
from qkdpost.statistics.entropy import binary_entropy, inverse_binary_entropy


def _in_fifty_digits(probability: float) -> float:
    with localcontext() as context:
        context.prec = 50
        p = Decimal(probability)
        q = 1 - p
        return float(-(p * p.ln() + q * q.ln()) / Decimal(2).ln())


@given(st.floats(1e-300, 0.4999999))
def test_agrees_with_fifty_digits(probability: float) -> None:
    assert binary_entropy(probability) == pytest.approx(_in_fifty_digits(probability), rel=4e-15)


@pytest.mark.parametrize("probability", [0.5, 0.51, 0.89, 1.0])
def test_is_one_from_a_half_on(probability: float) -> None:
    assert binary_entropy(probability) == 1.0


def test_is_zero_only_at_zero() -> None:
    assert binary_entropy(0.0) == 0.0
    assert binary_entropy(5e-324) > 0.0


@pytest.mark.parametrize("value", [-1e-9, 1.0000001, math.nan, math.inf])
def test_refuses_what_is_no_probability(value: float) -> None:
    with pytest.raises(InputError):
        binary_entropy(value)
    with pytest.raises(InputError):
        inverse_binary_entropy(value)


@given(st.floats(0.0, 1.0))
def test_inverse_rounds_down_and_is_close(entropy_bits: float) -> None:
    probability = inverse_binary_entropy(entropy_bits)
    assert binary_entropy(probability) <= entropy_bits
    assert binary_entropy(math.nextafter(probability, 1.0)) >= entropy_bits * (1 - 1e-14)
