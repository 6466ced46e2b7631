"""Cascade, the work of both sides in one process: frames of 2^14 bits as published, and what a link does by default.

Divide the bits of the block (in `extra_info`) by the time. The baseline is the same protocol for one frame as a page of
plain Python.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qkdpost.bits import Bits
from qkdpost.reconciliation import parameters_for, reconcile
from reference import cascade as plain

FRAME_BITS = 1 << 14
RATES = [0.01, 0.03, 0.11]


def _group(qber: float) -> str:
    return f"Cascade at {100 * qber:g} %, frames of 2^14 bits, both sides"


@pytest.mark.parametrize("frames", [64, 1000])
@pytest.mark.parametrize("qber", RATES)
def test_cascade(benchmark: Any, qber: float, frames: int) -> None:
    rng = np.random.default_rng(1)
    reference = Bits.from_array(rng.integers(0, 2, frames * FRAME_BITS, dtype=np.uint8))
    noisy = reference ^ Bits.from_array(rng.random(len(reference)) < qber)
    benchmark.group = _group(qber)
    options = {"qber": qber, "frame_bits": FRAME_BITS, "parameters": "near-optimal"}
    result = benchmark.pedantic(reconcile, (reference, noisy), options, rounds=5, warmup_rounds=1)
    benchmark.extra_info.update(bits=len(reference), efficiency=result.efficiency, rounds=result.rounds)
    assert result.residual_frames <= 1
    assert result.efficiency < 1.08


@pytest.mark.parametrize("qber", RATES)
def test_defaults(benchmark: Any, qber: float) -> None:
    rng = np.random.default_rng(1)
    reference = Bits.from_array(rng.integers(0, 2, 1 << 24, dtype=np.uint8))
    noisy = reference ^ Bits.from_array(rng.random(len(reference)) < qber)
    benchmark.group = f"Cascade at {100 * qber:g} %, at its defaults, blocks of 2^24 bits, both sides"
    result = benchmark.pedantic(reconcile, (reference, noisy), {"qber": qber}, rounds=5, warmup_rounds=1)
    benchmark.extra_info.update(bits=len(reference), efficiency=result.efficiency, rounds=result.rounds)
    assert result.residual_frames <= 1
    assert result.efficiency < 1.08


@pytest.mark.parametrize("qber", RATES)
def test_plain_python(benchmark: Any, qber: float) -> None:
    errors = (np.random.default_rng(2).random(FRAME_BITS) < qber).astype(int).tolist()
    block_bits = parameters_for("near-optimal", round(1e6 * qber), FRAME_BITS).block_bits
    benchmark.group = _group(qber)
    benchmark.extra_info["bits"] = FRAME_BITS
    transcript = benchmark.pedantic(plain.cascade, (errors, block_bits, bytes(32)), rounds=1)
    assert len(transcript.corrected) == sum(errors)
