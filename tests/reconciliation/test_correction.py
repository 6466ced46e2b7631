"""One side's whole correction: what both sides say that each frame is charged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qkdpost.bits import Bits
from qkdpost.dialogue.ledger import Cause
from qkdpost.reconciliation.cascade.correction import CascadePlan
from qkdpost.reconciliation.cascade.parameters import parameters_for
from qkdpost.reconciliation.correction import (
    Corrected,
    CorrectionPlan,
    Side,
    correct,
    even_frame_bits,
    lengths_of_frames,
)
from qkdpost.reconciliation.in_process import drive
from qkdpost.reconciliation.ldpc.correction import LdpcCorrection
from qkdpost.reconciliation.ldpc.plan import plan_ldpc

SIDE = Side(reference=True, seed=bytes(range(32)), random_source=lambda count: np.random.default_rng(2).bytes(count))
CASCADE = CascadePlan(parameters=parameters_for("near-optimal", 20_000, 1024))


def _both(errors: list[float], plan: CorrectionPlan) -> tuple[Corrected, Corrected]:
    """Correct frames of 1024 bits with these error rates, one after another."""
    generator = np.random.default_rng(1)
    reference = generator.integers(0, 2, 1024 * len(errors), dtype=np.uint8)
    noise = generator.random(reference.size) < np.repeat(errors, 1024)
    return drive(
        correct(Bits.from_array(reference), plan, SIDE),
        correct(Bits.from_array(reference ^ noise), plan, replace(SIDE, reference=False)),
    )


def test_each_frame_is_held_to_its_bits_and_both_sides_count_alike() -> None:
    """The bad frame sends more parities than it has bits; what it is spared does not pay for the good ones."""
    ours, theirs = _both([0.02, 0.5, 0.01], CASCADE)
    assert ours.bits == theirs.bits
    assert ours.disclosed == theirs.disclosed
    assert ours.frame_charges is not None
    assert theirs.frame_charges is not None
    assert ours.frame_charges.tolist() == theirs.frame_charges.tolist()
    good, bad, best = ours.frame_charges.tolist()
    assert bad == 1024 < ours.disclosed[Cause.CORRECTOR_PARITIES] - good - best
    assert ours.disclosed[Cause.REFERENCE_PARITIES] == good + bad + best < 3 * 1024


@pytest.mark.parametrize("fallback", ["cascade", "drop"])
@pytest.mark.parametrize("blind_rounds", [0, 3])
def test_frames_that_ldpc_left_are_held_to_their_bits_together(fallback: str, blind_rounds: int) -> None:
    plan = plan_ldpc(80 * 1024, error_rate_ppm=10_000, frame_bits=1 << 14, blind_rounds=blind_rounds)
    whole = LdpcCorrection(plan=plan, decoder="fast", fallback=CASCADE if fallback == "cascade" else None)
    assert whole.publishes_errors == (blind_rounds > 0 or fallback == "cascade")
    ours, theirs = _both([0.3] * 80, whole)
    assert ours.disclosed == theirs.disclosed
    assert ours.given_up == theirs.given_up
    assert ours.given_up_charge == theirs.given_up_charge
    assert (ours.frames, ours.failed_frames) == (theirs.frames, theirs.failed_frames) == (plan.frames, plan.frames)
    disclosed = ours.disclosed[Cause.REFERENCE_PARITIES] + ours.disclosed[Cause.REVEALED_BITS]
    assert disclosed <= plan.block_bits
    if fallback == "cascade":
        assert ours.bits == theirs.bits
        assert ours.given_up.weight() == 0
        assert disclosed >= 0.88 * plan.block_bits  # h(0.3), which no correction gets below
    else:
        assert ours.given_up.weight() == plan.block_bits
        assert ours.given_up_charge == disclosed


def test_lengths_of_frames_are_those_of_the_deal() -> None:
    for block_bits in (1, 63, 16_000, 40_001, 100_003):
        plan = plan_ldpc(block_bits, error_rate_ppm=20_000, frame_bits=1 << 14)
        dealt = np.bincount(np.arange(block_bits) % plan.frames, minlength=plan.frames)
        assert plan.frame_lengths().tolist() == dealt.tolist()


@given(block_bits=st.integers(1, 1 << 40), most=st.integers(1, 1 << 20))
def test_a_block_is_cut_evenly(block_bits: int, most: int) -> None:
    frame_bits, count = even_frame_bits(block_bits, most), -(-block_bits // most)
    assert frame_bits <= most
    assert -(-block_bits // frame_bits) == count
    assert 0 <= count * frame_bits - block_bits < count


def test_frames_of_some_blocks() -> None:
    assert [even_frame_bits(bits, 1 << 16) for bits in (0, 1, 1 << 16, (1 << 16) + 1)] == [1, 1, 1 << 16, (1 << 15) + 1]
    assert lengths_of_frames(100_000, even_frame_bits(100_000, 30_000)).tolist() == [25_000] * 4
