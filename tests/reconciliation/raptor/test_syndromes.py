"""Syndromes of frames against a slow twin, completion of frames, and plans."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from qkdpost.errors import InputError
from qkdpost.reconciliation.raptor.code import load_family
from qkdpost.reconciliation.raptor.plan import FramePlan, plan_frames
from qkdpost.reconciliation.raptor.syndromes import complete_frames, syndrome_of_increment, syndromes_of

Words = NDArray[np.uint64]


def _frames(plan: FramePlan, count: int) -> Words:
    generator = np.random.default_rng(7)
    return generator.integers(0, 1 << 64, size=(count, plan.frame_bits // 64), dtype=np.uint64)


def _bits(words: Words) -> NDArray[np.uint8]:
    return np.unpackbits(words.astype("<u8").view(np.uint8), axis=-1, bitorder="little")


def _slow_check(bits: NDArray[np.uint8], columns: Words, shifts: Words, lift: int) -> NDArray[np.uint8]:
    sum_ = np.zeros(lift, dtype=np.uint8)
    for column, shift in zip(columns.tolist(), shifts.tolist(), strict=True):
        sum_ ^= np.roll(bits[column * lift : (column + 1) * lift], -shift)
    return sum_


def test_syndromes_are_the_parities_that_the_rows_name() -> None:
    plan = FramePlan(70)
    code = plan.code
    frames = _frames(plan, 3)
    found = _bits(syndromes_of(plan, frames)).reshape(3, -1, code.lift)
    assert found.shape[1] == code.parity_columns + 70
    for number, bits in enumerate(_bits(frames)):
        for section, offset in ((code.precode, 0), (code.extension.first(70), code.parity_columns)):
            for row in range(section.count):
                edges = slice(int(section.row_starts[row]), int(section.row_starts[row + 1]))
                wanted = _slow_check(bits, section.columns[edges], section.shifts[edges], code.lift)
                if offset:
                    own = code.core_columns + row
                    wanted ^= bits[own * code.lift : (own + 1) * code.lift]
                np.testing.assert_array_equal(found[number, offset + row], wanted)


def test_increments_are_parities_of_the_core() -> None:
    plan = FramePlan(60)
    code = plan.code
    frames = _frames(plan, 2)
    for step in (1, plan.max_steps):
        found = syndrome_of_increment(plan, frames, step)
        assert found.shape == (2, plan.increment_bits(step) // 64)
        np.testing.assert_array_equal(found, syndrome_of_increment(plan, frames[:, : plan.core_bits // 64], step))
        edges = slice(int(code.increments.row_starts[step - 1]), int(code.increments.row_starts[step]))
        for number, bits in enumerate(_bits(frames)):
            wanted = _slow_check(bits, code.increments.columns[edges], code.increments.shifts[edges], code.lift)
            np.testing.assert_array_equal(_bits(found[number]), wanted)


@pytest.mark.parametrize("rows", [60, 320, 3920])
def test_core_and_syndrome_give_the_frame(rows: int) -> None:
    plan = FramePlan(rows)
    frames = _frames(plan, 2)
    cores = np.ascontiguousarray(frames[:, : plan.core_bits // 64])
    np.testing.assert_array_equal(complete_frames(plan, cores, syndromes_of(plan, frames)), frames)


@pytest.mark.parametrize("rows", [59, 3921, -1, 320.5, True, None, "320", float("nan")])
def test_a_plan_that_is_none_is_refused(rows: object) -> None:
    with pytest.raises(InputError, match="extension_rows"):
        FramePlan(rows)  # type: ignore[arg-type]


def test_plans_leave_an_efficiency_below_one() -> None:
    load_family()
    for snr in (0.016, 0.02, 0.05, 0.0745, 0.1, 0.156, 0.3, 0.5):
        plan = plan_frames(snr)
        efficiency = plan.code.info_bits / plan.frame_bits / (0.5 * math.log2(1.0 + snr))
        assert 0.85 < efficiency < 0.99


def test_strong_signals_take_the_shortest_frames_and_very_weak_ones_are_refused() -> None:
    assert plan_frames(5.0) == FramePlan(60)
    for snr in (0.0, -1.0, 1e-9, 0.005, float("nan"), float("inf")):
        with pytest.raises(InputError):
            plan_frames(snr)


def test_words_of_another_shape_are_refused() -> None:
    plan = FramePlan(60)
    frames = _frames(plan, 2)
    with pytest.raises(InputError, match="words"):
        syndromes_of(plan, frames[:, 1:])
    with pytest.raises(InputError, match="words"):
        syndrome_of_increment(plan, frames[:, :10], 1)
    with pytest.raises(InputError, match="step"):
        syndrome_of_increment(plan, frames, plan.max_steps + 1)
    with pytest.raises(InputError, match="syndromes"):
        complete_frames(plan, frames[:, : plan.core_bits // 64], frames)
