"""LDPC on errors in their recorded order, and on strings of other kinds, through two sessions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import qkdpost as qp
from qkdpost.sifting.tag_files import load_time_tags
from support.link import bb84_records, small_link

TICK_PS = 78.125
LDPC = qp.Ldpc(frame_bits=2**14)
MOST_EFFICIENCY = 1.35
"""On average over a few samples that tell the error rate from 5 to 15 errors; 1.2 to 1.3 is usual."""
MOST_ROUNDS = 2 * (1 + 2 * LDPC.blind_rounds + 2)
"""Syndromes, twice the blind rounds as frames are few, and two more that reveal key bits; each with its answer."""
SEEDS = range(12)


def _records(bases: np.ndarray, bits: np.ndarray, errors: np.ndarray) -> list[qp.Detections]:
    return [
        qp.Detections(pulses=bases.size, slots=np.arange(bases.size), bases=bases, outcomes=outcomes)
        for outcomes in (bits, bits ^ errors)
    ]


def _efficiency(records: list[qp.Detections] | list[qp.TimeTags], link: qp.LinkConfig, seed: int) -> float:
    result = qp.distill(*records, link, random_source=np.random.default_rng(seed).bytes)
    report = result.report
    fallback = f", {report.ldpc_failed_frames} frames by Cascade" if report.ldpc_failed_frames else ""
    print(f"{report.key_bits} bits at {report.qber_key:.2%}: f {report.efficiency:.3f}{fallback}")
    assert report.abort_reason is None
    assert report.dropped_frames == 0
    assert report.reconciliation_rounds <= MOST_ROUNDS or report.ldpc_failed_frames
    assert len(result.key) > 0
    assert report.secret == result.peer_reports[0].secret
    return report.efficiency


@pytest.mark.parametrize("run", ["run01_longdist10", "run05_longdist20"])
def test_errors_in_their_recorded_order(data_directory: Path, run: str) -> None:
    stored = np.load(data_directory / "weihs1998" / "sifted_error_flags.npz")
    bases, errors = stored[f"{run}_basis"], stored[f"{run}_err"]
    bits = np.random.default_rng(5).integers(0, 2, bases.size, dtype=np.uint8)
    link = qp.LinkConfig(protocol=qp.BBM92(), security=qp.Security(epsilon=1e-4), correction=LDPC)
    assert np.mean([_efficiency(_records(bases, bits, errors), link, seed) for seed in SEEDS]) < MOST_EFFICIENCY


def test_time_tags_of_the_laboratory(data_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secrets.token_bytes", np.random.default_rng(9).bytes)  # which matching draws from
    tags = load_time_tags(data_directory / "kwiat_bbm92_timetags" / "Alice1_Bob1_with_delays.txt", TICK_PS)
    link = qp.LinkConfig(
        protocol=qp.BBM92TimeTags(dead_time_ps=300 * TICK_PS, coincidence_window_ps=8 * TICK_PS),
        security=qp.Security(epsilon=1e-4),
        correction=LDPC,
    )
    assert np.mean([_efficiency(list(tags), link, seed) for seed in SEEDS]) < MOST_EFFICIENCY


@pytest.mark.parametrize("value", [0, 1])
def test_constant_strings(value: int) -> None:
    generator = np.random.default_rng(6)
    bases = (generator.random(80_000) < 0.3).astype(np.uint8)
    errors = (generator.random(bases.size) < 0.02).astype(np.uint8)
    limits = qp.RecordLimits(max_ratio=None)  # correction must not mind; a host that is not told so refuses
    link = qp.LinkConfig(protocol=qp.BBM92(), security=qp.Security(epsilon=1e-6), record_limits=limits, correction=LDPC)
    assert _efficiency(_records(bases, np.full(bases.size, value, np.uint8), errors), link, value) < 1.4


def test_a_burst_of_noise() -> None:
    generator = np.random.default_rng(7)
    bases = (generator.random(200_000) < 0.2).astype(np.uint8)
    errors = (generator.random(bases.size) < 0.01).astype(np.uint8)
    errors[90_000:92_000] = generator.integers(0, 2, 2000)
    bits = generator.integers(0, 2, bases.size, dtype=np.uint8)
    link = qp.LinkConfig(protocol=qp.BBM92(), security=qp.Security(epsilon=1e-6), correction=LDPC)
    assert _efficiency(_records(bases, bits, errors), link, 1) < 1.4


def test_pure_noise_gives_no_key() -> None:
    result = qp.distill(*bb84_records(60_000, qber=0.45, test_fraction=0.2), small_link(correction=LDPC))
    assert len(result.key) == 0
    assert result.report.abort_reason is not None
