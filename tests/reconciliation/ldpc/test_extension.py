"""Frames that blind rounds left: how many key bits are asked for, and that they are found by them."""

from __future__ import annotations

import secrets
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkdpost.bits import Bits, concatenate
from qkdpost.dialogue.ledger import Cause
from qkdpost.reconciliation.cascade.correction import CascadePlan
from qkdpost.reconciliation.cascade.parameters import parameters_for
from qkdpost.reconciliation.correction import Corrected, Side
from qkdpost.reconciliation.in_process import drive
from qkdpost.reconciliation.ldpc import conversation
from qkdpost.reconciliation.ldpc.blind_rounds import NeedLaw, need_law
from qkdpost.reconciliation.ldpc.conversation import WANTED_BITS, ldpc_corrector, ldpc_reference
from qkdpost.reconciliation.ldpc.correction import LdpcCorrection
from qkdpost.reconciliation.ldpc.dealt_block import LdpcOutcome
from qkdpost.reconciliation.ldpc.extension import wanted_extension
from qkdpost.reconciliation.ldpc.plan import LdpcPlan, plan_ldpc
from qkdpost.reconciliation.ldpc.syndrome_rate import RateEstimate
from support.rounds import begin, overheard, tell

SEED = bytes(range(32))
PLAN = plan_ldpc(10**6, error_rate_ppm=30_000, frame_bits=1 << 14)
HIDDEN = PLAN.extension_bits + PLAN.punctured_bits


def law_at(error_rate: float, plan: LdpcPlan = PLAN) -> NeedLaw:
    return need_law(plan, "fast", RateEstimate(error_rate, 0.01))


def test_punctured_bits_are_asked_for_before_key_bits() -> None:
    asked = wanted_extension(PLAN, law_at(0.02), HIDDEN, 2)
    assert 0 < asked <= PLAN.punctured_bits


def test_more_errors_need_more_key_bits_and_all_are_asked_for_at_last() -> None:
    enough = PLAN.syndrome_bits / PLAN.key_bits
    rates = [rate for rate in np.linspace(0.03, 0.06, 20) if law_at(rate).middle_bits / PLAN.key_bits < 1.1 * enough]
    asked = [wanted_extension(PLAN, law_at(rate), PLAN.extension_bits, 2) for rate in rates]
    assert asked == sorted(asked)
    assert 0 < asked[0] < asked[-1]
    last = wanted_extension(PLAN, law_at(rates[-1]), PLAN.extension_bits, 1)
    assert asked[-1] < last == min(PLAN.extension_bits, int(law_at(rates[-1]).middle_bits))


def test_nothing_is_asked_for_where_it_would_be_wasted() -> None:
    assert wanted_extension(PLAN, law_at(0.03), 0, 2) == 0
    assert wanted_extension(PLAN, law_at(0.03), HIDDEN, 0) == 0
    assert wanted_extension(PLAN, law_at(0.3), HIDDEN, 2) == 0


@given(st.floats(1e-3, 0.4), st.integers(0, HIDDEN), st.integers(1, 2))
def test_never_more_is_asked_for_than_is_hidden_or_than_the_frame_needs(rate: float, hidden: int, left: int) -> None:
    law = law_at(rate)
    asked = wanted_extension(PLAN, law, hidden, left)
    assert 0 <= asked <= hidden
    shown = PLAN.extension_bits - (hidden - asked)
    assert not asked or shown <= max(0, int(law.middle_bits))


def test_one_way_correction_has_none() -> None:
    plan = plan_ldpc(10**6, error_rate_ppm=30_000, frame_bits=1 << 14, blind_rounds=0)
    assert plan.extension_bits == plan.requests == 0


def converse(plan: LdpcPlan, reference: Bits, noisy: Bits) -> tuple[LdpcOutcome, LdpcOutcome, int]:
    """Return both outcomes, and how many bits the reference sent."""
    lengths: list[int] = []
    ours = ldpc_reference(reference, plan=plan, seed=SEED, random_source=secrets.token_bytes)
    theirs = ldpc_corrector(noisy, plan=plan, seed=SEED)
    outcomes = drive(overheard(ours, lambda said: lengths.append(len(said))), theirs)
    return *outcomes, sum(lengths)


@given(st.integers(0, 2**32 - 1), st.floats(1.0, 1.35))
@settings(deadline=None, max_examples=10)
def test_frames_of_more_errors_than_checks_allow_are_found_and_every_bit_is_counted(seed: int, factor: float) -> None:
    """Without punctured bits to reveal, only key bits help."""
    planned = plan_ldpc(40_000, error_rate_ppm=30_000, frame_bits=1 << 14)
    plan = replace(planned, punctured_bits=0, shortened_bits=planned.shortened_bits + planned.punctured_bits)
    limit = law_at(0.03, plan).middle_bits / plan.syndrome_bits
    generator = np.random.default_rng(seed)
    reference = generator.integers(0, 2, plan.block_bits, dtype=np.uint8)
    errors = (generator.random(reference.size) < 0.03 * factor / limit).astype(np.uint8)
    ours, theirs, sent = converse(plan, Bits.from_array(reference), Bits.from_array(reference ^ errors))
    assert ours.failed_frames == theirs.failed_frames
    assert np.array_equal(ours.frame_revealed, theirs.frame_revealed)
    assert ours.leakage_bits == theirs.leakage_bits == sent
    assert ours.request_bits == theirs.request_bits <= plan.requests * WANTED_BITS
    left = np.asarray(theirs.bits) ^ reference
    failed = np.asarray(theirs.failed_frames, dtype=np.bool_)
    frames = np.arange(reference.size) % plan.frames
    assert not left[~failed[frames]].any()
    assert np.array_equal(left[failed[frames]], errors[failed[frames]])
    assert theirs.corrected_bits == errors[~failed[frames]].sum()


def test_key_bits_do_find_frames() -> None:
    planned = plan_ldpc(40_000, error_rate_ppm=30_000, frame_bits=1 << 14)
    plan = replace(planned, punctured_bits=0, shortened_bits=planned.shortened_bits + planned.punctured_bits)
    generator = np.random.default_rng(3)
    reference = generator.integers(0, 2, plan.block_bits, dtype=np.uint8)
    rate = 0.03 * plan.syndrome_bits / law_at(0.03, plan).middle_bits
    errors = (generator.random(reference.size) < 1.15 * rate).astype(np.uint8)
    _, theirs, _ = converse(plan, Bits.from_array(reference), Bits.from_array(reference ^ errors))
    assert theirs.failed_frames.weight() == 0
    assert theirs.revealed_bits > 100
    assert np.array_equal(np.asarray(theirs.bits), reference)


@pytest.mark.parametrize(("block_bits", "dropped"), [(600_000, True), (100_000, False)])
def test_a_frame_in_many_that_nothing_helps_is_given_up_and_one_in_few_is_not(block_bits: int, dropped: bool) -> None:
    generator = np.random.default_rng(4)
    plan = plan_ldpc(block_bits, error_rate_ppm=20_000, frame_bits=1 << 14)
    reference = generator.integers(0, 2, plan.block_bits, dtype=np.uint8)
    errors = (generator.random(reference.size) < 0.02).astype(np.uint8)
    errors[:: plan.frames] = generator.integers(0, 2, errors[:: plan.frames].size)  # the first frame is noise
    fallback = CascadePlan(parameters=parameters_for("near-optimal", 20_000, 1 << 14))
    correction = LdpcCorrection(plan=plan, decoder="fast", fallback=fallback)

    def side(bits: np.ndarray, *, kept: bool) -> object:
        whole = Side(reference=kept, seed=SEED, random_source=secrets.token_bytes)
        return correction.correct(Bits.from_array(bits), whole)

    ours, theirs = drive(side(reference, kept=True), side(reference ^ errors, kept=False))  # type: ignore[arg-type]
    check_frame_of_noise(ours, theirs, plan, reference, dropped=dropped)


def check_frame_of_noise(
    ours: Corrected, theirs: Corrected, plan: LdpcPlan, reference: np.ndarray, *, dropped: bool
) -> None:
    length = int(plan.frame_lengths()[0])
    assert ours.failed_frames == theirs.failed_frames == 1
    assert ours.given_up == theirs.given_up
    assert ours.disclosed == theirs.disclosed
    assert ours.given_up.weight() == (length if dropped else 0)
    assert (ours.rounds > 2 * (plan.requests + 1)) is not dropped
    right = ~np.asarray(theirs.given_up, dtype=np.bool_)
    if dropped:
        assert np.array_equal(np.asarray(theirs.bits)[right], reference[right])
        assert ours.given_up_charge <= length
    else:
        others = np.arange(reference.size) % plan.frames > 0
        assert np.array_equal(np.asarray(theirs.bits)[others], reference[others])
    assert ours.disclosed[Cause.REVEALED_BITS] <= reference.size


def test_all_that_is_hidden_is_revealed_in_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that says that all frames failed and asks for all bits makes this host take no word for each of them."""
    own = Bits.from_array(np.random.default_rng(1).integers(0, 2, PLAN.block_bits, dtype=np.uint8))
    wanted = Bits.from_bytes(HIDDEN.to_bytes(WANTED_BITS // 8, "little"), WANTED_BITS)
    answer = concatenate([~Bits.zeros(PLAN.frames), wanted])

    def revealed() -> Bits:
        side = ldpc_reference(own, plan=PLAN, seed=SEED, random_source=bytes)
        begin(side)
        tracemalloc.start()
        try:
            [found] = tell(side, answer)
            assert tracemalloc.get_traced_memory()[1] < at_most
        finally:
            tracemalloc.stop()
        assert isinstance(found, Bits)
        return found

    at_most = 8 * PLAN.frames * HIDDEN
    in_parts = revealed()
    assert len(in_parts) == PLAN.frames * HIDDEN
    at_most = 100 * PLAN.frames * HIDDEN
    monkeypatch.setattr(conversation, "_REVEALED_AT_ONCE", 1 << 30)
    assert revealed() == in_parts
