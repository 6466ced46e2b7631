"""LDPC: whole corrections, decoding alone, syndromes, and the package `ldpc` on the same matrix and iterations.

A whole correction is the work of both sides, from strings to equal strings, the error rate known to 3 %; its efficiency
and failed frames are told beside. Decoding alone: frames of 2^16 bits, errors at the stated rate, efficiency at most as
stated; 256 frames a call. Divide the bits (in the name of the group) by the time. For the comparison both run exactly
ten iterations on syndromes of pure noise, which nobody can decode.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from qkdpost._kernels.ldpc.syndromes import compute_syndromes
from qkdpost.bits import Bits
from qkdpost.reconciliation.channel import BinarySymmetric
from qkdpost.reconciliation.in_process import drive
from qkdpost.reconciliation.ldpc.codes import QuasiCyclicCode, code_names, load_code
from qkdpost.reconciliation.ldpc.conversation import ldpc_corrector, ldpc_reference
from qkdpost.reconciliation.ldpc.dealt_block import LdpcOutcome
from qkdpost.reconciliation.ldpc.decoders import DECODERS, LayeredDecoder
from qkdpost.reconciliation.ldpc.plan import plan_ldpc
from qkdpost.reconciliation.ldpc_design.density_evolution import error_rate_of_efficiency
from qkdpost.statistics.entropy import entropy_ppm

BLOCK_BITS = 1 << 24
FRAMES = 256
ITERATIONS = 10


def _code(frame_bits: int, error_rate: float, efficiency: float) -> tuple[QuasiCyclicCode, float]:
    """Return the code with the highest rate that discloses at most `efficiency`, and the rate at which it is tried.

    The code is tried at the error rate at which its syndrome is `efficiency` times the entropy, as near to `error_rate`
    as the family has it.
    """
    codes = [code for code in map(load_code, code_names()) if code.frame_bits == frame_bits]
    found = [(code, error_rate_of_efficiency(code.rows / code.columns, efficiency)) for code in codes]
    return min(found, key=lambda pair: abs(pair[1] - error_rate))


def _syndromes(code: QuasiCyclicCode, frames: NDArray[np.uint64]) -> NDArray[np.uint64]:
    output = np.zeros((frames.shape[0], code.syndrome_bits // 64), dtype=np.uint64)
    compute_syndromes(code.row_starts, code.edge_bits, code.edge_shifts, code.size, frames, output)
    return output


def _errors(code: QuasiCyclicCode, error_rate: float, frames: int) -> NDArray[np.uint64]:
    generator = np.random.default_rng(1)
    rows = [generator.random(code.frame_bits, dtype=np.float32) < error_rate for _ in range(frames)]
    return np.packbits(rows, axis=1, bitorder="little").view("<u8").astype(np.uint64)


@pytest.mark.benchmark(group=f"LDPC, both sides end to end, blocks of {BLOCK_BITS} bits")
@pytest.mark.parametrize("error_rate", [0.01, 0.03, 0.08])
@pytest.mark.parametrize(
    ("frame_bits", "decoder", "first_failures_permille"),
    [(1 << 16, "fast", 300), (1 << 16, "fast", 1), (1 << 18, "accurate", 300)],
)
def test_correct(
    benchmark: Any, error_rate: float, frame_bits: int, decoder: str, first_failures_permille: int
) -> None:
    generator = np.random.default_rng(4)
    reference = Bits.from_bytes(generator.bytes(BLOCK_BITS // 8), BLOCK_BITS)
    errors = Bits.from_array(generator.random(BLOCK_BITS, dtype=np.float32) < error_rate)
    plan = plan_ldpc(
        BLOCK_BITS,
        error_rate_ppm=round(1e6 * error_rate),
        frame_bits=frame_bits,
        first_failures_permille=first_failures_permille,
        decoder=decoder,
    )

    def both_sides() -> tuple[LdpcOutcome, LdpcOutcome]:
        return drive(
            ldpc_reference(reference, plan=plan, seed=bytes(32), random_source=os.urandom),
            ldpc_corrector(reference ^ errors, plan=plan, seed=bytes(32), decoder=decoder),
        )

    kept, corrected = benchmark.pedantic(both_sides, rounds=3, warmup_rounds=1)
    benchmark.extra_info.update(
        bits=BLOCK_BITS,
        efficiency=1e6 * kept.leakage_bits / (BLOCK_BITS * entropy_ppm(round(1e6 * error_rate))),
        failed_frames=corrected.failed_frames.weight() / plan.frames,
    )
    assert corrected.failed_frames.weight() <= 0.02 * plan.frames


@pytest.mark.benchmark(group=f"LDPC decoding, {FRAMES} frames of 65536 bits")
@pytest.mark.parametrize(
    ("decoder", "error_rate", "efficiency"),
    [("fast", 0.01, 1.22), ("fast", 0.03, 1.20), ("fast", 0.08, 1.22), ("fast", 0.03, 1.15), ("accurate", 0.03, 1.15)],
)
def test_decode(benchmark: Any, decoder: str, error_rate: float, efficiency: float) -> None:
    code, rate = _code(1 << 16, error_rate, efficiency)
    errors = _errors(code, rate, FRAMES)
    syndromes = _syndromes(code, errors)
    compiled = DECODERS[decoder].compile(code)
    decoded = benchmark(compiled.decode, syndromes, BinarySymmetric(error_rate_ppm=round(1e6 * rate)))
    right = (decoded.words == errors).all(axis=1)
    benchmark.extra_info.update(
        bits=FRAMES * code.frame_bits,
        error_rate=rate,
        frame_errors=float(1 - right.mean()),
        iterations=float(decoded.iterations.mean()),
    )
    assert right.mean() > 0.9


@pytest.mark.benchmark(group="LDPC accurate decoding, 64 frames of 262144 bits")
def test_decode_accurate(benchmark: Any) -> None:
    code, rate = _code(1 << 18, 0.03, 1.09)
    errors = _errors(code, rate, 64)
    syndromes = _syndromes(code, errors)
    compiled = DECODERS["accurate"].compile(code)
    channel = BinarySymmetric(error_rate_ppm=round(1e6 * rate))
    decoded = benchmark.pedantic(compiled.decode, (syndromes, channel), rounds=2)
    right = (decoded.words == errors).all(axis=1)
    benchmark.extra_info.update(
        bits=64 * code.frame_bits,
        error_rate=rate,
        frame_errors=float(1 - right.mean()),
        iterations=float(decoded.iterations.mean()),
    )
    assert right.mean() > 0.5


@pytest.mark.benchmark(group=f"LDPC syndromes, {FRAMES} frames of 65536 bits")
@pytest.mark.parametrize("error_rate", [0.01, 0.03, 0.08])
def test_syndromes(benchmark: Any, error_rate: float) -> None:
    code, _ = _code(1 << 16, error_rate, 1.2)
    frames = np.random.default_rng(2).integers(0, 1 << 63, (FRAMES, code.frame_bits // 64), dtype=np.uint64)
    benchmark(_syndromes, code, frames)
    benchmark.extra_info["bits"] = FRAMES * code.frame_bits


def _noise(code: QuasiCyclicCode, frames: int) -> NDArray[np.uint64]:
    return np.random.default_rng(3).integers(0, 1 << 63, (frames, code.syndrome_bits // 64), dtype=np.uint64)


@pytest.mark.benchmark(
    group=f"LDPC, {ITERATIONS} iterations of one matrix: 64 frames here, 1 frame by the package ldpc"
)
def test_ten_iterations(benchmark: Any) -> None:
    code, _ = _code(1 << 16, 0.03, 1.2)
    fast = DECODERS["fast"]
    assert isinstance(fast, LayeredDecoder)
    limited = dataclasses.replace(fast, max_iterations=ITERATIONS).compile(code)
    decoded = benchmark(limited.decode, _noise(code, 64), BinarySymmetric(error_rate_ppm=30_000))
    assert not decoded.converged.any()
    benchmark.extra_info["frames"] = 64


@pytest.mark.benchmark(
    group=f"LDPC, {ITERATIONS} iterations of one matrix: 64 frames here, 1 frame by the package ldpc"
)
@pytest.mark.parametrize("schedule", ["parallel", "serial"])
def test_ten_iterations_by_the_package_ldpc(benchmark: Any, schedule: str) -> None:
    ldpc = pytest.importorskip("ldpc")
    code, _ = _code(1 << 16, 0.03, 1.2)
    decoder = ldpc.BpDecoder(
        _sparse(code),
        error_rate=0.03,
        max_iter=ITERATIONS,
        bp_method="minimum_sum",
        ms_scaling_factor=0.75,
        schedule=schedule,
        omp_thread_count=1,
        input_vector_type="syndrome",
    )
    syndrome = np.unpackbits(_noise(code, 1).view(np.uint8), bitorder="little")
    benchmark.pedantic(decoder.decode, (syndrome,), rounds=5)
    assert decoder.iter == ITERATIONS
    benchmark.extra_info["frames"] = 1


def _sparse(code: QuasiCyclicCode) -> Any:
    from scipy.sparse import csr_matrix  # noqa: PLC0415

    index = np.arange(code.size)
    edges = code.edges.astype(np.int64)
    checks = (edges[:, :1] * code.size + index).ravel()
    bits = (edges[:, 1:2] * code.size + (index + edges[:, 2:]) % code.size).ravel()
    return csr_matrix((np.ones(checks.size, dtype=np.uint8), (checks, bits)), (code.syndrome_bits, code.frame_bits))
