from __future__ import annotations

import numpy as np
import pytest

from qkdpost.errors import InputError
from qkdpost.security.decoy.acceptance import DecoyAcceptance
from qkdpost.security.decoy.detector_mismatch import DetectorMismatch
from qkdpost.security.qubits.acceptance import QubitAcceptance

QUBITS = {"key_bits": 1000, "test_bits": 100, "tolerated_error_rate": 0.02, "leakage_bits": 200}
DECOYS = {"single_photons": 1000, "phase_error_rate": 0.05, "leakage_bits": 200}
DETECTORS = {"dark_count_probability": 1e-6, "efficiency_deviation": 0.01, "dark_count_deviation": 0.1}


@pytest.mark.parametrize("name", ["key_bits", "test_bits", "leakage_bits"])
@pytest.mark.parametrize("value", [-1, 0.5, 100.0, True, 2**53 + 1, float("nan"), float("inf"), "many", None])
def test_counts_that_cannot_be(name: str, value: object) -> None:
    with pytest.raises(InputError, match=name):
        QubitAcceptance(**QUBITS | {name: value})


@pytest.mark.parametrize("name", ["vacuum", "single_photons", "leakage_bits"])
@pytest.mark.parametrize("value", [-1, 0.5, 2**60, "many"])
def test_decoy_counts_that_cannot_be(name: str, value: object) -> None:
    with pytest.raises(InputError, match=name):
        DecoyAcceptance(**DECOYS | {name: value})


@pytest.mark.parametrize("value", [-0.1, 0.51, float("nan"), "low"])
def test_rates_that_cannot_be(value: object) -> None:
    with pytest.raises(InputError, match="phase_error_rate"):
        DecoyAcceptance(**DECOYS | {"phase_error_rate": value})
    with pytest.raises(InputError, match="tolerated_error_rate"):
        QubitAcceptance(**QUBITS | {"tolerated_error_rate": value})


def test_no_key_bits_and_no_test_are_refused() -> None:
    for name in ("key_bits", "test_bits"):
        with pytest.raises(InputError, match=name):
            QubitAcceptance(**QUBITS | {name: 0})
    with pytest.raises(InputError, match="below 1/2"):
        QubitAcceptance(**QUBITS | {"tolerated_error_rate": 0.5})


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize("value", [-0.1, 1.0, float("nan"), "small"])
def test_detectors_that_cannot_be(name: str, value: object) -> None:
    with pytest.raises(InputError, match=name):
        DetectorMismatch(**DETECTORS | {name: value})


def test_more_contradictions_of_detectors() -> None:
    with pytest.raises(InputError, match="random_swap"):
        DetectorMismatch(**DETECTORS, random_swap="often")
    with pytest.raises(InputError, match="exceeds 1"):
        DetectorMismatch(dark_count_probability=0.9, efficiency_deviation=0.0, dark_count_deviation=0.9)


def test_the_text_does_not_tell_where_a_number_came_from() -> None:
    """What both hosts compare must not depend on whether a threshold was computed by numpy."""
    plain = QubitAcceptance(**QUBITS)
    computed = QubitAcceptance(
        key_bits=np.int64(1000),
        test_bits=np.uint8(100),
        tolerated_error_rate=np.float64(0.02),
        leakage_bits=np.uint32(200),
    )
    assert repr(plain) == repr(computed)
    assert repr(DetectorMismatch(**DETECTORS)) == repr(
        DetectorMismatch(**{name: np.float64(value) for name, value in DETECTORS.items()})
    )


def test_worse_detectors_have_larger_deltas() -> None:
    values = [
        DetectorMismatch(**DETECTORS | {"efficiency_deviation": deviation}) for deviation in (0.0, 0.01, 0.1, 0.5)
    ]
    for name in ("delta1", "delta2"):
        deltas = [getattr(mismatch, name) for mismatch in values]
        assert deltas == sorted(deltas)
    alike = DetectorMismatch(dark_count_probability=1e-6, efficiency_deviation=0.0, dark_count_deviation=0.0)
    assert (alike.delta1, alike.delta2) == (0.0, 0.0)
