"""What all blocks on a pool cost together: every one that was opened, never less."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qkdpost.errors import InputError
from qkdpost.keys import KeyPool

PRESHARED = bytes(range(200))


@given(st.lists(st.floats(1e-60, 0.1), max_size=60))
def test_the_sum_is_never_below_the_exact_one(epsilons: list[float]) -> None:
    pool = KeyPool(PRESHARED)
    exact = Fraction(0)
    for epsilon in epsilons:
        pool.charge_block(epsilon)
        exact += Fraction(epsilon)
        assert Fraction(pool.accumulated_epsilon) >= exact
    assert math.isclose(pool.accumulated_epsilon, float(exact), rel_tol=1e-13)


def test_many_small_ones_do_not_vanish_beside_a_great_one() -> None:
    pool = KeyPool(PRESHARED)
    pool.charge_block(0.5)
    before = pool.accumulated_epsilon
    pool.charge_block(1e-55)
    assert pool.accumulated_epsilon > before


def test_it_is_stored_and_every_change_is_told() -> None:
    pool = KeyPool(PRESHARED)
    seen = {(pool.revision, pool.snapshot())}
    for epsilon in (1e-10, 1e-9, 1e-10):
        pool.charge_block(epsilon)
        seen.add((pool.revision, pool.snapshot()))
        assert KeyPool.restore(pool.snapshot()).accumulated_epsilon == pool.accumulated_epsilon
    pool.accumulate_to(1.0)
    seen.add((pool.revision, pool.snapshot()))
    assert len({revision for revision, _ in seen}) == len({snapshot for _, snapshot in seen}) == 5


def test_the_greater_number_stays() -> None:
    pool = KeyPool(PRESHARED)
    pool.charge_block(1e-9)
    mine, revision = pool.accumulated_epsilon, pool.revision
    for less in (0.0, 1e-10, mine):
        pool.accumulate_to(less)
        assert (pool.accumulated_epsilon, pool.revision) == (mine, revision)
    pool.accumulate_to(3e-9)
    assert pool.accumulated_epsilon == 3e-9
    pool.charge_block(1e-9)
    assert pool.accumulated_epsilon >= 4e-9


def test_new_preshared_key_does_not_set_it_back() -> None:
    pool = KeyPool(PRESHARED)
    pool.charge_block(1e-9)
    before = pool.accumulated_epsilon
    pool.refill(b"supplied by hand", bytes(960))
    assert pool.accumulated_epsilon == before


@pytest.mark.parametrize("epsilon", [0.0, -1e-9, 1.0, math.nan, math.inf, True, "1e-9", None, 10**400], ids=repr)
def test_what_is_no_epsilon_is_refused(epsilon: Any) -> None:
    pool = KeyPool(PRESHARED)
    with pytest.raises(InputError, match="epsilon must be a number above 0 and below 1"):
        pool.charge_block(epsilon)
    if epsilon not in (0.0, 1.0):
        with pytest.raises(InputError, match="peer_epsilon must be a number at least 0"):
            pool.accumulate_to(epsilon)
    assert (pool.accumulated_epsilon, pool.revision) == (0.0, 0)
