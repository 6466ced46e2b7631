"""Slices: cutting, soft values and rebuilding of one frame, and a whole batch on both sides.

A frame has 2^18 reals. Divide the reals (in the name of the group) by the time. Of a batch, nearly all of the time is
that of the decoders.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from qkdpost.reconciliation.in_process import drive
from qkdpost.reconciliation.slices.batch import SliceBatch
from qkdpost.reconciliation.slices.conversation import slices_corrector, slices_reference
from qkdpost.reconciliation.slices.decoding import SliceDecoders
from qkdpost.reconciliation.slices.frames import slice_outcomes
from qkdpost.reconciliation.slices.plan import plan_slices
from qkdpost.reconciliation.slices.soft_values import bit_values

FRAME = 1 << 18
FRAMES = 16
NOISE = 0.25
PLAN = plan_slices(outcome_variance=1.0, noise_variance=NOISE)


def _link(frames: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    generator = np.random.default_rng(1)
    expected = np.sqrt(1 - NOISE) * generator.standard_normal(frames * FRAME)
    outcomes = expected + np.sqrt(NOISE) * generator.standard_normal(frames * FRAME)
    return outcomes.astype(np.float32), expected.astype(np.float32)


@pytest.mark.benchmark(group=f"slices, a frame of {FRAME} reals")
def test_cut(benchmark: Any) -> None:
    benchmark(slice_outcomes, _link(1)[0], PLAN)


@pytest.mark.benchmark(group=f"slices, a frame of {FRAME} reals")
def test_rebuild(benchmark: Any) -> None:
    benchmark(slice_outcomes(_link(1)[0], PLAN).outcomes, PLAN)


@pytest.mark.benchmark(group=f"slices, a frame of {FRAME} reals")
def test_soft_values(benchmark: Any) -> None:
    outcomes, expected = _link(1)
    sliced = slice_outcomes(outcomes, PLAN)
    benchmark(bit_values, expected, sliced.labels[0], sliced.places[0], 1, PLAN)


@pytest.mark.benchmark(group=f"slices, both sides end to end, {FRAMES * FRAME} reals")
def test_both_sides(benchmark: Any) -> None:
    outcomes, expected = _link(FRAMES)
    decoders = SliceDecoders(PLAN)

    def both_sides() -> tuple[SliceBatch, SliceBatch]:
        return drive(slices_reference(outcomes, plan=PLAN), slices_corrector(expected, plan=PLAN, decoders=decoders))

    reference, corrector = benchmark.pedantic(both_sides, rounds=3, warmup_rounds=1)
    assert reference.key() == corrector.key()
