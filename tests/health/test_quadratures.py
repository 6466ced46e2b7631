"""Faults of modulators and detectors show in a host's own record; devices in order raise no alarm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qkdpost import AbortReason, Bits, CoherentStates, QuadratureOutcomes, RecordLimits
from qkdpost.health import QuadratureHealth, add_up, judge, summarise

Array = np.ndarray[Any, Any]
COUNT = 40_000
GENERATOR = np.random.default_rng(21)
SYMBOLS = GENERATOR.normal(0.0, 2.0, (COUNT, 2))
VALUES = GENERATOR.normal(2.0, 21.0, (COUNT, 2))
SHOT = GENERATOR.normal(0.0, 20.0, (5000, 2))
LIMITS = RecordLimits()


def prepared(symbols: Array) -> CoherentStates:
    return CoherentStates(symbols=symbols, modulation_variance=float(symbols.var()))


def detected(values: Array, **more: Any) -> QuadratureOutcomes:
    shot = SHOT if values.ndim == 2 else SHOT[:, 0]
    return QuadratureOutcomes(values=values, electronic_shot=0.01 * shot, efficiency=0.6, **more)


def texts(*records: Any) -> list[str]:
    return [finding.text for finding in judge([summarise(record) for record in records], LIMITS)]


def with_repeated(values: Array, period: int) -> Array:
    return np.tile(values[:period], (len(values) // period, 1))


def test_devices_in_order() -> None:
    assert texts(prepared(SYMBOLS)) == []
    assert texts(detected(VALUES)) == []
    assert texts(detected(np.rint(VALUES).astype(np.int16), adc_step=1.0)) == []
    one = detected(VALUES[:, 0], quadratures=Bits.from_array(GENERATOR.integers(0, 2, COUNT)))
    assert texts(one) == []
    assert texts(prepared(SYMBOLS[:20_000]), prepared(SYMBOLS[20_000:])) == []


FADING = np.linspace(1.0, 0.2, COUNT)[:, None]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (np.where(np.arange(COUNT)[:, None] < 3000, 1.5, SYMBOLS), "came 3,000 times in a row"),
        (with_repeated(SYMBOLS, 5000), "begins anew after 10,000 values"),
        (np.clip(SYMBOLS, -3.0, 3.0), "they were clipped"),
        (SYMBOLS * FADING, "the variance of x changes"),
        (SYMBOLS + 0.1 * np.roll(SYMBOLS, 2, axis=0), "with that 2 further on"),
    ],
)
def test_faults_of_both_sides(values: Array, text: str) -> None:
    for record in (prepared(values), detected(10.0 * values)):
        if text.startswith("with that 2") and isinstance(record, QuadratureOutcomes):
            continue  # tolerated of a receiver
        found = texts(record)
        assert len(found) >= 1
        assert any(text in one for one in found), found


def test_faults_of_one_side() -> None:
    assert "x and p are correlated by +0.1" in texts(prepared(SYMBOLS + 0.09 * SYMBOLS[:, ::-1]))[0]
    assert "variances of both quadratures differ, 1:4.0" in texts(detected(VALUES * (1.0, 2.0)))[0]
    assert "correlated by +0." in texts(detected(VALUES + 0.5 * np.roll(VALUES, 1, axis=0)))[0]
    biased = Bits.from_array((np.arange(COUNT) % 2).astype(np.uint8))
    assert "quadrature bases do not look drawn at random" in texts(detected(VALUES[:, 0], quadratures=biased))[0]


def test_what_the_peer_hears() -> None:
    clipped = np.clip(SYMBOLS, -1.0, 1.0)
    reasons = [judge([summarise(record)], LIMITS)[0].reason for record in (prepared(clipped), detected(clipped * 9))]
    assert reasons == [AbortReason.BITS_NOT_RANDOM, AbortReason.DETECTOR_UNFIT]


def test_limits_can_be_switched_off() -> None:
    record = detected(VALUES * (1.0, 2.0) + 0.5 * np.roll(VALUES, 1, axis=0))
    off = RecordLimits(max_ratio=None, detected_correlation=None)
    assert judge([summarise(record)], off) == ()


@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_small_records(count: int) -> None:
    record = CoherentStates(symbols=SYMBOLS[:count], modulation_variance=4.0)
    assert texts(record) == []
    assert texts(detected(VALUES[:count])) == []


def test_records_add_up() -> None:
    whole = QuadratureHealth.of(SYMBOLS.astype(np.float32))
    parts = add_up([summarise(prepared(part)) for part in np.array_split(SYMBOLS, 3)]).quadratures
    assert parts is not None
    assert parts.values == whole.values == COUNT
    assert sum(rows for rows, _ in parts.pieces) == COUNT
    sums = [np.sum([piece for _, piece in health.pieces], axis=0)[:, :2] for health in (parts, whole)]
    assert sums[0] == pytest.approx(sums[1], rel=1e-12)
    assert "[" not in repr(parts)


def test_recorded_symbols_are_in_order(data_directory: Path) -> None:
    for name in ("after_dsp", "result_basic"):
        symbols = np.load(data_directory / "qosst_symbols" / f"qosst_bob_{name}.npz")["result"]
        assert texts(detected(np.column_stack((symbols.real, symbols.imag)))) == []


@pytest.mark.slow
def test_no_false_alarms() -> None:
    """2^-40 each: none in 400 records."""
    generator = np.random.default_rng(22)
    for count in (5000, 20_000):
        for _ in range(100):
            values = generator.normal(0.0, 3.0, (count, 2))
            assert texts(prepared(values)) == []
            assert texts(detected(np.rint(values).astype(np.int16), adc_step=1)) == []
