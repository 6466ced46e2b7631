"""Sifting per detection: matching bases, splitting bits, coding slots; numpy on unpacked arrays as the baseline.

Divide the detections (10^6) by the time for detections per second.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qkdpost import simulation
from qkdpost.bits import Bits
from qkdpost.records import Detections, PreparedPulses
from qkdpost.sifting.slots.coding import decode_slots, encode_slots
from qkdpost.sifting.slots.coincident import match_detections
from qkdpost.sifting.slots.prepared import match_prepared, sift_detections, sift_prepared

DETECTIONS = 10**6
PROBABILITIES = [0.001, 0.01, 0.1]


def _records(probability: float) -> tuple[PreparedPulses, Detections]:
    return simulation.bb84(
        pulses=round(DETECTIONS / probability),
        rng=np.random.default_rng(1),
        source=simulation.SinglePhotonSource(efficiency=1.0),
        detectors=simulation.GatedDetectors(efficiency=probability, dark_count_probability=0.0),
        test_probability=0.5,
    )


@pytest.fixture(scope="module", params=PROBABILITIES, ids=lambda p: f"{p} per pulse")
def records(request: pytest.FixtureRequest) -> tuple[PreparedPulses, Detections]:
    return _records(request.param)


def _match_unpacked(bases: np.ndarray, slots: np.ndarray, peer_bases: np.ndarray) -> np.ndarray:
    return bases[slots] == peer_bases


@pytest.mark.benchmark(group="match BB84 bases, 10^6 detections")
def test_match_prepared(benchmark: Any, records: tuple[PreparedPulses, Detections]) -> None:
    prepared, detections = records
    matched = benchmark(match_prepared, prepared, detections.slots, detections.bases)
    assert abs(matched.weight() / len(matched) - 0.5) < 0.01


@pytest.mark.benchmark(group="match BB84 bases, 10^6 detections")
@pytest.mark.parametrize("probability", PROBABILITIES[1:])
def test_match_by_numpy_on_bytes(benchmark: Any, probability: float) -> None:
    prepared, detections = _records(probability)
    arguments = (np.asarray(prepared.bases), detections.slots, np.asarray(detections.bases))
    matched = benchmark(_match_unpacked, *arguments)
    assert Bits.from_array(matched) == match_prepared(prepared, detections.slots, detections.bases)


@pytest.mark.benchmark(group="split matched bits by basis, 10^6 detections")
def test_sift_prepared(benchmark: Any, records: tuple[PreparedPulses, Detections]) -> None:
    prepared, detections = records
    matched = match_prepared(prepared, detections.slots, detections.bases)
    key, test = benchmark(sift_prepared, prepared, detections.slots, matched)
    assert len(key) + len(test) == matched.weight()


@pytest.mark.benchmark(group="split matched bits by basis, 10^6 detections")
def test_sift_detections(benchmark: Any) -> None:
    prepared, detections = _records(0.1)
    matched = match_prepared(prepared, detections.slots, detections.bases)
    key, test = benchmark(sift_detections, detections, matched)
    assert len(key) + len(test) == matched.weight()


@pytest.mark.benchmark(group="split matched bits by basis, 10^6 detections")
def test_split_by_numpy_on_bytes(benchmark: Any) -> None:
    prepared, detections = _records(0.1)
    mask = match_prepared(prepared, detections.slots, detections.bases)
    matched, bases, bits = (np.asarray(item).astype(bool) for item in (mask, detections.bases, detections.bits))
    key, test = benchmark(lambda: (bits[matched & ~bases], bits[matched & bases]))
    assert (Bits.from_array(key), Bits.from_array(test)) == sift_detections(detections, mask)


@pytest.mark.benchmark(group="match BBM92 slots, 10^6 detections of each side")
def test_match_detections(benchmark: Any) -> None:
    _, own = _records(0.1)
    peer_slots = np.sort(own.slots ^ 1)
    peer = Detections(pulses=own.pulses + 1, slots=peer_slots, bases=own.bases, outcomes=own.bits)
    match = benchmark(match_detections, own, peer.slots, peer.bases)
    assert match.rounds > 0


@pytest.mark.benchmark(group="match BBM92 slots, 10^6 detections of each side")
def test_match_by_numpy_intersection(benchmark: Any) -> None:
    _, own = _records(0.1)
    peer_slots = np.sort(own.slots ^ 1)
    common, _, _ = benchmark(np.intersect1d, own.slots, peer_slots, assume_unique=True, return_indices=True)
    assert common.size > 0


@pytest.mark.benchmark(group="code slots, 10^6 detections")
def test_encode_slots(benchmark: Any, records: tuple[PreparedPulses, Detections]) -> None:
    _, detections = records
    data = benchmark(encode_slots, detections.slots, detections.pulses)
    density = detections.slots.size / detections.pulses
    entropy = -(np.log2(density) + (1 / density - 1) * np.log2(1 - density))
    benchmark.extra_info["sent bits over entropy, with bases"] = (8 * len(data) / detections.slots.size + 1) / (
        entropy + 1
    )
    assert benchmark.extra_info["sent bits over entropy, with bases"] < 1.10


@pytest.mark.benchmark(group="code slots, 10^6 detections")
def test_decode_slots(benchmark: Any, records: tuple[PreparedPulses, Detections]) -> None:
    _, detections = records
    data = encode_slots(detections.slots, detections.pulses)
    slots = benchmark(decode_slots, data, detections.slots.size, detections.pulses)
    assert np.array_equal(slots, detections.slots)


@pytest.mark.benchmark(group="code slots, 10^6 detections")
def test_code_by_numpy_differences(benchmark: Any) -> None:
    """What needs no thought: gaps as 16-bit integers, 1.5 times the bytes and more."""
    _, detections = _records(0.01)
    gaps = benchmark(lambda: np.diff(detections.slots, prepend=0).astype(np.uint16).tobytes())
    assert len(gaps) == 2 * detections.slots.size
