"""A block's way from records to bits and back to moments, by what its stages call, for both detections."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

import numpy as np
import pytest

from qkdpost import Bits, CoherentStates, QuadratureOutcomes
from qkdpost._kernels import quadratures as kernels
from qkdpost._kernels.jit.decorators import registered_kernels
from qkdpost._kernels.jit.environment import JIT_ENABLED
from qkdpost.health import summarise
from qkdpost.reconciliation.multidimensional import (
    RotationMessage,
    rebuild_outcomes,
    rotation_messages,
    virtual_channel,
)
from qkdpost.sifting.quadratures import (
    MomentSums,
    calibration_moments,
    diagnose_outcomes,
    dithered,
    estimate_channel,
    measured_quadratures,
    whiten,
)

COUNT = 64 * 300
GENERATOR = np.random.default_rng(31)
X = GENERATOR.normal(0.0, 2.0, (COUNT, 2)).astype(np.float32)
Y = 20.0 * (0.4 * X + GENERATOR.normal(0.0, 1.0, (COUNT, 2)))
SHOT = 20.0 * GENERATOR.normal(0.0, 1.0, (5000, 2))
CHOICES = Bits.from_array(GENERATOR.integers(0, 2, COUNT))


def record(*, homodyne: bool, integers: bool) -> QuadratureOutcomes:
    values, shot = Y, SHOT
    if homodyne:
        values, shot = np.where(np.asarray(CHOICES) == 1, Y[:, 1], Y[:, 0]), SHOT[:, 0]
    if integers:
        values, shot = np.rint(values).astype(np.int16), np.rint(shot).astype(np.int16)
    step = 1.0 if integers else None
    choices = CHOICES if homodyne else None
    return QuadratureOutcomes(values=values, electronic_shot=shot, quadratures=choices, efficiency=0.6, adc_step=step)


def run(outcomes: QuadratureOutcomes) -> None:
    states = CoherentStates(symbols=X, modulation_variance=4.0)
    for own in (states, outcomes):
        summarise(own)
    calibration_moments(outcomes.electronic_shot, outcomes.adc_step)
    choices = outcomes.quadratures
    raw = dithered(outcomes.values, outcomes.adc_step)
    sent = states.symbols if choices is None else measured_quadratures(states.symbols, choices)
    estimate = estimate_channel(sent, raw, choices)
    assert estimate.signal_to_noise == pytest.approx(0.64, rel=0.1)
    white = whiten(raw, estimate.whitening, choices)
    bits = Bits.from_array(GENERATOR.integers(0, 2, white.size))
    message = RotationMessage.from_bytes(rotation_messages(white, bits, 8).to_bytes(), white.size, 8)
    channel = virtual_channel(sent, message, estimate.gain, estimate.noise_variance, frames=10)
    # Of a channel with signal to noise 0.64, a fifth of the signs are wrong: Phi(-0.8) = 0.21, less what norms tell.
    wrong = (Bits.from_array((channel.values < 0).reshape(-1)) ^ bits).weight() / len(bits)
    assert 0.18 < wrong < 0.24
    rebuilt = rebuild_outcomes(message, bits).reshape(white.shape)
    assert np.abs(rebuilt - white).max() < 2e-3
    sums = MomentSums(outcomes.detection)
    sums.add(sent, rebuilt, choices)
    moments = sums.result()
    gain = sum(moments.products[:2]) / sum(moments.sent_squares[:2])
    assert gain == pytest.approx(estimate.gain, rel=1e-3)
    assert not [one for one in diagnose_outcomes(moments) if one.severity == "refusal"]


@pytest.mark.parametrize("integers", [False, True])
@pytest.mark.parametrize("homodyne", [False, True])
def test_from_records_to_moments(homodyne: bool, integers: bool) -> None:
    run(record(homodyne=homodyne, integers=integers))


@pytest.mark.skipif(not JIT_ENABLED, reason="nothing is compiled")
def test_nothing_is_compiled_after_warmup() -> None:
    for module in pkgutil.walk_packages(kernels.__path__, f"{kernels.__name__}."):
        warm: Any = getattr(importlib.import_module(module.name), "warm", None)
        if warm is not None:
            warm()
    before = {kernel: list(kernel.signatures) for kernel in registered_kernels()}
    for homodyne in (False, True):
        for integers in (False, True):
            run(record(homodyne=homodyne, integers=integers))
    changed = [kernel for kernel, signatures in before.items() if list(kernel.signatures) != signatures]
    assert [kernel.__name__ for kernel in changed if "quadratures" in kernel.py_func.__module__] == []
