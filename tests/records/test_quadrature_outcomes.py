from __future__ import annotations

import copy
import json
import pickle
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from qkdpost import Bits, CoherentStates, InputError, QuadratureOutcomes
from qkdpost.records.quadrature_checks import lattice_step, variance_range

GENERATOR = np.random.default_rng(2)
VALUES = GENERATOR.normal(3.0, 21.0, (20_000, 2)).astype(np.float32)
SHOT = GENERATOR.normal(1.0, 20.0, (20_000, 2)).astype(np.float32)
ELECTRONIC = GENERATOR.normal(0.0, 5.0, (20_000, 2)).astype(np.float32)
GOOD: dict[str, Any] = {"values": VALUES, "electronic_shot": SHOT, "electronic": ELECTRONIC, "efficiency": 0.6}
CHOICES = Bits.from_array(GENERATOR.integers(0, 2, 20_000))


def integers(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.rint(values).astype(np.int16)


def test_arrays_are_kept_without_a_copy() -> None:
    record = QuadratureOutcomes(**GOOD)
    for name in ("values", "electronic_shot", "electronic"):
        kept = getattr(record, name)
        assert np.shares_memory(kept, GOOD[name])
        assert np.shares_memory(getattr(copy.copy(record), name), GOOD[name])
        assert not kept.flags.writeable
    raw = integers(VALUES)
    whole = QuadratureOutcomes(**GOOD | {"values": raw, "adc_step": 1})
    assert np.shares_memory(whole.values, raw)
    assert weakref.ref(record)() is record


def test_both_detections() -> None:
    record = QuadratureOutcomes(**GOOD)
    assert (record.detection, record.events) == ("heterodyne", 20_000)
    one = QuadratureOutcomes(values=VALUES[:, 0], electronic_shot=SHOT[:, 0], quadratures=CHOICES, efficiency=0.6)
    assert (one.detection, one.events) == ("homodyne", 20_000)
    text = "QuadratureOutcomes(symbols=20000, detection='homodyne', efficiency=0.6, adc_step=None)"
    assert repr(one) == text


def test_equal_records() -> None:
    record = QuadratureOutcomes(**GOOD)
    assert pickle.loads(pickle.dumps(record)) == record == copy.copy(record)
    for changes in ({"values": -VALUES}, {"electronic": None}, {"efficiency": 0.7}, {"adc_step": 0.1}):
        assert record != QuadratureOutcomes(**GOOD | changes)
    assert record != 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"values": VALUES[:, 0]}, "those of one, \\(n,\\), need quadratures"),
        ({"values": VALUES[:, 0] + 1j * VALUES[:, 1]}, "shape \\(n, 2\\)"),
        ({"quadratures": CHOICES}, "shape \\(n,\\)"),
        ({"values": np.where(VALUES > 60.0, np.nan, VALUES)}, "values must be finite"),
        ({"electronic_shot": np.full((200, 2), np.nan)}, "electronic_shot must be finite"),
        ({"electronic_shot": None}, "calibration, is missing"),
        ({"electronic_shot": SHOT[:50]}, "at least 100"),
        ({"electronic_shot": SHOT[:, 0]}, "the form of values"),
        ({"electronic_shot": np.ones((500, 2))}, "must vary"),
        ({"electronic": ELECTRONIC[:50]}, "at least 100"),
        ({"efficiency": 0.0}, "efficiency"),
        ({"efficiency": 1.1}, "efficiency"),
        ({"adc_step": 0.0}, "adc_step"),
        ({"adc_step": float("inf")}, "adc_step"),
        ({"values": integers(VALUES)}, "adc_step must say"),
        ({"values": np.rint(VALUES)}, "lattice of step 1"),
        ({"electronic_shot": np.rint(SHOT)}, "electronic_shot lie on a lattice"),
        ({"values": 0.25 * np.rint(VALUES), "electronic_shot": 0.25 * SHOT}, "lattice of step 0.25"),
        ({"values": 256 * integers(VALUES / 2), "electronic_shot": 128.0 * SHOT, "adc_step": 1}, "step 256"),
        ({"values": VALUES / 2}, "variance of values must not be below that of electronic_shot"),
        ({"electronic": 2 * SHOT}, "variance of electronic_shot must not be below that of electronic"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        QuadratureOutcomes(**GOOD | changes)


def test_the_link() -> None:
    record = QuadratureOutcomes(**GOOD)
    record.check_for(SimpleNamespace())
    record.check_for(SimpleNamespace(detection="heterodyne", efficiency=0.606, efficiency_tolerance=0.01))
    with pytest.raises(InputError, match="homodyne detection"):
        record.check_for(SimpleNamespace(detection="homodyne"))
    with pytest.raises(InputError, match=r"this link has 0\.61"):
        record.check_for(SimpleNamespace(efficiency=0.61, efficiency_tolerance=0.01))


@pytest.mark.parametrize("steps", [0.2, 1.0, 20.0, 1000.0, 30_000.0])
@pytest.mark.parametrize("scale", [1.0, 0.013, 1e-9])
def test_lattices_are_seen(steps: float, scale: float) -> None:
    values = (np.rint(GENERATOR.normal(0.3, steps, (30_000, 2))) * scale).astype(np.float32)
    assert lattice_step(values) == pytest.approx(scale, rel=1e-3)


@pytest.mark.parametrize("width", [1.0, 1e-6, 1e6])
def test_continuous_values_are_on_no_lattice(width: float) -> None:
    for law in (GENERATOR.normal, GENERATOR.laplace, GENERATOR.logistic):
        assert lattice_step(law(0.0, width, (30_000, 2)).astype(np.float32)) is None
    assert lattice_step(np.ones((100, 2), dtype=np.float32)) is None


def test_recorded_symbols_are_on_no_lattice(data_directory: Path) -> None:
    for name in ("after_dsp", "result_basic"):
        symbols = np.load(data_directory / "qosst_symbols" / f"qosst_bob_{name}.npz")["result"]
        assert lattice_step(np.column_stack((symbols.real, symbols.imag))) is None


def test_a_simulated_record_of_another_program(data_directory: Path) -> None:
    folder = data_directory / "cv_synthetic"
    data = np.load(folder / "synthetic_gmcs_het.npz")
    expected = json.loads((folder / "synthetic_gmcs_het.json").read_text())
    states = CoherentStates(symbols=data["alice_snu"], modulation_variance=expected["true"]["VA"])
    outcomes = QuadratureOutcomes(
        values=data["bob_raw"],
        electronic_shot=data["electronic_shot_raw"],
        electronic=data["electronic_raw"],
        efficiency=expected["true"]["eta"],
    )
    assert states.events == outcomes.events == expected["m"] // 2


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 10, 100, 10_000])
def test_limits_of_a_variance_hold(count: int) -> None:
    """2^-40 on each side: none of 10^5 samples is outside."""
    samples = GENERATOR.normal(size=(10**5, min(count, 300))).var(axis=1, ddof=1)
    for sample in samples.tolist():
        least, most = variance_range(sample, min(count, 300))
        assert least <= 1.0 <= most


def test_outcomes_far_from_zero_lie_on_the_lattice_of_float32() -> None:
    """At 30,000 float32 has steps of 1/512: with a dither of one step outcomes are on a lattice all the same."""
    far = np.rint(GENERATOR.normal(30_000.0, 20.0, (20_000, 2))).astype(np.int16)
    for values, step in ((far, 1.0), (VALUES + np.float32(1e5), 2.0**-7), (VALUES * np.float32([1, -1]) + 400, None)):
        with pytest.raises(InputError, match="16 standard deviations"):
            QuadratureOutcomes(**GOOD | {"values": values, "adc_step": step})
    QuadratureOutcomes(**GOOD | {"values": VALUES + np.float32(300.0)})


def test_few_outcomes_may_have_any_mean() -> None:
    """Two of a thousand pairs differ by a thousandth of themselves: that is chance, and no lattice."""
    for values in (np.float32([[5.0, -3.0], [5.001, -3.002]]), np.repeat(VALUES[:1], 15, axis=0)):
        assert QuadratureOutcomes(**GOOD | {"values": values}).events == len(values)
    with pytest.raises(InputError, match="16 standard deviations"):
        QuadratureOutcomes(**GOOD | {"values": VALUES[:16] + np.float32(1e5), "adc_step": None})


def test_a_lattice_in_one_quadrature_is_one() -> None:
    for column in (0, 1):
        values = VALUES.copy()
        values[:, column] = np.rint(values[:, column])
        with pytest.raises(InputError, match="lattice of step 1"):
            QuadratureOutcomes(**GOOD | {"values": values})
