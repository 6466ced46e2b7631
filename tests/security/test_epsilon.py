from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qkdpost.errors import ConfigurationError
from qkdpost.security.epsilon import Epsilon, EpsilonLedger, EpsilonTerm


@given(st.floats(-58.0, -0.01).map(lambda power: 10.0**power))
def test_split_never_exceeds_the_total(total: float) -> None:
    parts = Epsilon.split(total)
    assert Fraction(parts.secrecy) + Fraction(parts.correctness) + Fraction(parts.authentication) <= Fraction(total)
    assert parts.total == pytest.approx(total, rel=1e-15)


@pytest.mark.parametrize("part", ["secrecy", "correctness", "authentication"])
@pytest.mark.parametrize("value", [0.0, 1.0, -1e-9, 2.0, 1e-61, math.nan, math.inf])
def test_parts_out_of_range_are_refused_by_name(part: str, value: float) -> None:
    parts = {"secrecy": 1e-10, "correctness": 1e-10, "authentication": 1e-10} | {part: value}
    with pytest.raises(ConfigurationError, match=part):
        Epsilon(**parts)


@pytest.mark.parametrize("total", [0.0, 1.0, -1.0, math.nan, 1e-60])
def test_totals_out_of_range_are_refused(total: float) -> None:
    with pytest.raises(ConfigurationError):
        Epsilon.split(total)


def test_parts_that_add_up_to_one_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="says nothing"):
        Epsilon(secrecy=0.5, correctness=0.3, authentication=0.2)


@pytest.mark.parametrize(
    ("correctness", "bits"), [(1e-15, 50), (2.0**-50, 50), (math.nextafter(2.0**-50, 0.0), 51), (0.9, 1), (1e-30, 100)]
)
def test_tag_length(correctness: float, bits: int) -> None:
    epsilon = Epsilon(secrecy=1e-10, correctness=correctness, authentication=1e-10)
    assert epsilon.verification_tag_bits == bits
    assert Fraction(1, 2**bits) <= Fraction(correctness)
    assert epsilon.verification_charge_bits == bits + 1


def test_coerce_takes_both() -> None:
    assert Epsilon.coerce(1e-10) == Epsilon.split(1e-10)
    assert Epsilon.coerce(Epsilon.split(1e-9)) == Epsilon.split(1e-9)


def test_a_ledger_cannot_spend_more_than_its_budget() -> None:
    term = EpsilonTerm(name="e", value=1e-10, weight=2.0, meaning="an event")
    budget = Epsilon(secrecy=2e-10, correctness=1e-15, authentication=1e-15)
    assert EpsilonLedger(proof="p", budget=budget, terms=(term,)).secrecy == 2e-10
    with pytest.raises(ConfigurationError, match="secrecy"):
        EpsilonLedger(proof="p", budget=budget, terms=(term, term))
