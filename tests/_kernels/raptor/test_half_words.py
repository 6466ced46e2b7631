"""Arithmetic on half-words, compiled, against its description in numpy, and rules of checks against exact ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from qkdpost._kernels.jit.decorators import kernel
from qkdpost._kernels.ldpc.lanes import exclusive_or, load_lanes, store_lanes
from qkdpost._kernels.raptor import check_rules, half_words
from qkdpost.reconciliation.raptor.channel_units import units_of

BINARY = (
    half_words.add,
    exclusive_or,
    half_words.multiply_fraction,
    half_words.multiply_low,
    half_words.subtract_unsigned_saturated,
)


@kernel
def _all(left: Any, right: Any, narrow: Any, output: Any) -> None:
    for row in range(left.shape[0]):
        first = load_lanes(left, row)
        second = load_lanes(right, row)
        store_lanes(output[0], row, half_words.add(first, second))
        store_lanes(output[1], row, exclusive_or(first, second))
        store_lanes(output[2], row, half_words.multiply_fraction(first, second))
        store_lanes(output[3], row, half_words.multiply_low(first, second))
        store_lanes(output[4], row, half_words.subtract_unsigned_saturated(first, second))
        store_lanes(output[5], row, half_words.with_sign(first, half_words.sign_of(second)))
        store_lanes(output[6], row, half_words.load_narrow(narrow, row))
        half_words.store_narrow(narrow, row, half_words.sign_of(first))
        half_words.store_narrow(right, row, half_words.load_narrow(left, row))


@pytest.mark.parametrize(("half_word", "byte", "lanes"), [(np.uint16, np.uint8, 16), (np.int16, np.int8, 32)])
def test_compiled_half_words_are_what_numpy_says(half_word: type, byte: type, lanes: int) -> None:
    generator = np.random.default_rng(1)
    limits = np.iinfo(np.int16)
    left, right = generator.integers(limits.min, limits.max, (2, 40, lanes), dtype=np.int16, endpoint=True)
    left[0, :4] = right[1, :4] = (limits.min, limits.max, 0, -1)
    right[::3] = left[::3]
    narrow = generator.integers(-128, 127, (40, lanes), dtype=np.int8, endpoint=True)
    output, kept, signs = np.zeros((7, 40, lanes), half_word), right.view(half_word).copy(), narrow.view(byte).copy()
    _all(left.view(half_word), kept, signs, output)
    found = output.view(np.int16)
    for rule, result in zip(BINARY, found, strict=False):
        described = getattr(rule, "__wrapped__", rule)
        assert np.array_equal(result, np.array([described(*rows) for rows in zip(left, right, strict=True)]))
    assert np.array_equal(found[5], np.where(right < 0, -left.astype(int), left).astype(np.int16))
    assert np.array_equal(found[6], narrow.astype(np.int16))
    assert np.array_equal(signs.view(np.int8), np.where(left < 0, -1, 0))
    assert np.array_equal(kept.view(np.int16), left)


@kernel
def _rules(values: Any, others: Any, constants: Any, tanh: Any, answers: Any, together: Any) -> None:
    scale, cap = load_lanes(constants, 0), load_lanes(constants, 1)
    for row in range(values.shape[0]):
        value, other = load_lanes(values, row), load_lanes(others, row)
        store_lanes(tanh, row, check_rules.hyperbolic_tangent(value, scale, cap, constants))
        answer = check_rules.weak_answer(
            other, load_lanes(constants, 3), load_lanes(constants, 4), load_lanes(constants, 5), constants
        )
        store_lanes(answers, row, answer)
        combined = check_rules.combine(
            value, load_lanes(values, row // 2), load_lanes(constants, 6), load_lanes(constants, 7),
            load_lanes(constants, 8), load_lanes(constants, 9),
        )  # fmt: skip
        store_lanes(together, row, combined)


@pytest.mark.parametrize("rms", [0.24, 0.35, 0.55, 0.86])
def test_rules_of_checks_are_near_the_exact_ones(rms: float) -> None:
    ratios = np.full(100, rms, dtype=np.float32)
    units = units_of(ratios)
    constants = np.repeat(units.constants[:, None], 16, axis=1).view(np.uint16)
    values = np.arange(16 * 256, dtype=np.uint16).reshape(256, 16)
    limit = np.tanh(127 * units.nats / 2) * 65536
    others = np.linspace(0, limit, values.size).astype(np.uint16).reshape(values.shape)
    tanh, answers, together = (np.zeros_like(values) for _ in range(3))
    _rules(values, others, constants, tanh, answers, together)
    nats: NDArray[np.float64] = np.maximum(values, 1e-9) * units.nats
    exact = np.tanh(nats / 2)
    assert np.max(np.abs(tanh / 65536 - exact)) < 0.024
    middle = (nats > 0.05) & (nats < 4)
    assert np.max(np.abs(tanh / 65536 / exact - 1)[middle]) < 0.014
    wanted = 2 * np.arctanh(np.minimum(others / 65536, limit / 65536))
    assert np.max(np.abs(answers * units.nats - wanted) - 0.04 * wanted) < 0.51 * units.nats
    pair = nats[np.arange(256) // 2]
    exact = np.minimum(nats, pair) + np.log1p(np.exp(-nats - pair)) - np.log1p(np.exp(-np.abs(nats - pair)))
    assert np.max(np.abs(together * units.nats - exact)) < 0.05
