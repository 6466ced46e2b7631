"""Known answers of error correction: what Cascade asks, and what decoders find."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.ldpc.syndromes import compute_syndromes
from qkdpost.bits import Bits
from qkdpost.known_answers.inputs import bits, circulants, digest, flips, numbers, octets, packed, permille
from qkdpost.reconciliation import CascadeOutcome, CascadeParameters, parameters_for, run_cascade
from qkdpost.reconciliation.channel import BinarySymmetric, LogLikelihoods
from qkdpost.reconciliation.in_process import drive, reconcile
from qkdpost.reconciliation.ldpc.codes import QuasiCyclicCode
from qkdpost.reconciliation.ldpc.decoders import DECODERS
from qkdpost.reconciliation.payload import Rounds
from qkdpost.reconciliation.raptor.code import CirculantRows, RaptorCode
from qkdpost.reconciliation.raptor.decoders import RAPTOR_DECODERS
from qkdpost.reconciliation.raptor.syndromes import rows_of_frame

__all__ = [
    "BLOCK_BITS",
    "ERROR_RATE_PPM",
    "EXTENSION_ROWS",
    "FRAMES",
    "LIFT",
    "cascade",
    "cascades",
    "ldpc_accurate",
    "ldpc_fast",
    "patterns",
    "raptor",
    "raptor_frames",
    "raptor_ratios",
    "ratios",
    "small_code",
    "small_raptor_code",
    "syndromes",
]

BLOCK_BITS = 2500
ERROR_RATE_PPM = 20_000
FRAMES = {"few frames": 5, "many frames": 40}
"""Frames decoded side by side: half a register, and more than a whole one of the accurate decoder."""
LIFT, INFO, EXTENSION_ROWS = 64, 4, 16
UNITS_PER_NAT = 128


def cascade() -> dict[str, str | int]:
    """Correct a block of three frames in both ways."""
    kept, noisy = (Bits.from_array(string) for string in flips("Cascade", BLOCK_BITS, 30))
    answers: dict[str, str | int] = {}
    for way, parameters in cascades().items():
        one, other = drive(*(_cascade_side(string, parameters, string is kept) for string in (kept, noisy)))
        answers |= {
            f"{way}: corrected string": digest(np.asarray(other.bits)),
            f"{way}: string that is kept": digest(np.asarray(one.bits)),
            f"{way}: parities of each frame": digest(other.frame_parities),
            f"{way}: errors of each frame": digest(other.frame_errors),
        }
    return answers


def cascades() -> dict[str, CascadeParameters]:
    """Return the ways of Cascade: the last frame short, or filled up, errors located, and ranges cut in many parts."""
    return {
        "by halves": parameters_for("near-optimal", 30_000, 1000),
        "by many parts": replace(parameters_for("few-rounds", 30_000, 836), hurry_from=6, hurry_doubles=3),
    }


def _cascade_side(string: Bits, parameters: CascadeParameters, kept: bool) -> Rounds[CascadeOutcome]:
    seed = octets("Cascade seed", 32)
    return run_cascade(string, frame_bits=parameters.frame_bits, parameters=parameters, seed=seed, reference=kept)


def small_code() -> QuasiCyclicCode:
    """Return a code of 1536 bits with 512 checks."""
    edges = np.array(circulants("LDPC code", 8, 24, 3, LIFT), dtype=np.uint16)
    return QuasiCyclicCode(rows=8, columns=24, size=LIFT, edges=edges)


def patterns(count: int) -> NDArray[np.uint8]:
    """Return patterns of errors, one a row."""
    code = small_code()
    return permille("error patterns", count * code.frame_bits, 15).reshape(count, code.frame_bits)


def ratios(count: int) -> NDArray[np.int64]:
    """Return log-likelihood ratios of the bits of `patterns`, in units; nine in ten are right, and larger."""
    found = patterns(count)
    wrong = permille("wrong ratios", found.size, 30).reshape(found.shape).astype(np.int64)
    sizes = np.array(numbers("sizes of ratios", found.size, 100), dtype=np.int64).reshape(found.shape)
    return (1 - 2 * (found ^ wrong).astype(np.int64)) * (40 + 2 * sizes + (1 - wrong) * 300)


def syndromes() -> dict[str, str | int]:
    """Multiply frames by the matrix of a code, and correct a string with a code from the tables."""
    kept, noisy = flips("LDPC", 1 << 14, 15)
    done = reconcile(kept, noisy, method="ldpc", qber=0.015, frame_bits=1 << 14, seed=octets("LDPC seed", 32))
    return {"syndromes": digest(_syndromes(patterns(3))), "corrected string": digest(np.asarray(done.bits))}


def _syndromes(frames: NDArray[np.uint8]) -> NDArray[np.uint64]:
    code = small_code()
    words = np.zeros((len(frames), code.syndrome_bits // 64), dtype=np.uint64)
    compute_syndromes(code.row_starts, code.edge_bits, code.edge_shifts, code.size, packed(frames), words)
    return words


def ldpc_fast() -> dict[str, str | int]:
    """Find patterns of errors."""
    return _decoded("fast")


def ldpc_accurate() -> dict[str, str | int]:
    """Find patterns of errors; and frames by ratios that differ from bit to bit."""
    soft = ratios(3).astype(np.float32) / np.float32(UNITS_PER_NAT)
    found = DECODERS["accurate"].compile(small_code()).decode(_syndromes(patterns(3)), LogLikelihoods(values=soft))
    return _decoded("accurate") | {
        "words by ratios": digest(found.words),
        "iterations by ratios": digest(found.iterations),
    }


def _decoded(name: str) -> dict[str, str | int]:
    answers: dict[str, str | int] = {}
    compiled = DECODERS[name].compile(small_code())
    for which, count in FRAMES.items():
        found = compiled.decode(_syndromes(patterns(count)), BinarySymmetric(error_rate_ppm=ERROR_RATE_PPM))
        answers[f"patterns of {which}"] = digest(found.words)
        answers[f"iterations of {which}"] = digest(found.iterations)
        answers[f"{which} found"] = int(found.converged.sum())
    return answers


def small_raptor_code() -> RaptorCode:
    """Return a raptor-like code with a core of 512 bits."""
    precode = circulants("precode", INFO, 2 * INFO, 3, LIFT)
    return RaptorCode(
        name="small",
        lift=LIFT,
        info_columns=INFO,
        parity_columns=INFO,
        precode=_rows(precode, INFO),
        extension=_rows(_few("extension", EXTENSION_ROWS), EXTENSION_ROWS),
        increments=_rows(_few("increments", 2), 2),
    )


def _few(name: str, rows: int) -> list[tuple[int, int, int]]:
    """Return three edges of each row, in different columns of the core's first half."""
    edges = []
    for row in range(rows):
        left_out, *shifts = numbers(f"{name} {row}", INFO, 1 << 20)
        columns = [column for column in range(INFO) if column != left_out % INFO]
        edges += [(row, column, shift % LIFT) for column, shift in zip(columns, shifts, strict=True)]
    return edges


def _rows(edges: list[tuple[int, int, int]], rows: int) -> CirculantRows:
    ends = np.cumsum([0, *(sum(row == edge[0] for edge in edges) for row in range(rows))])
    return CirculantRows(
        row_starts=ends.astype(np.uint64),
        columns=np.array([column for _, column, _ in edges], dtype=np.uint64),
        shifts=np.array([shift for _, _, shift in edges], dtype=np.uint64),
    )


def raptor_frames(count: int) -> NDArray[np.uint8]:
    """Return frames of the raptor-like code, one a row: any bits are a frame, for their syndrome is told."""
    length = small_raptor_code().frame_bits(EXTENSION_ROWS)
    return bits("raptor frames", count * length).reshape(count, length)


def raptor_ratios(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return ratios of these frames; one in twelve is wrong, and small."""
    wrong = permille("wrong raptor ratios", frames.size, 80).reshape(frames.shape).astype(np.int64)
    sizes = np.array(numbers("sizes of raptor ratios", frames.size, 64)).reshape(frames.shape)
    signs = 1 - 2 * (frames ^ wrong).astype(np.int64)
    return (signs * (16 + sizes + 96 * (1 - wrong)) / 64).astype(np.float32)


def raptor() -> dict[str, str | int]:
    """Find the cores of frames."""
    code, frames = small_raptor_code(), raptor_frames(20)
    rows = rows_of_frame(code, EXTENSION_ROWS)
    words = np.zeros((len(frames), rows.count * LIFT // 64), dtype=np.uint64)
    compute_syndromes(rows.row_starts, rows.columns * np.uint64(LIFT), rows.shifts, LIFT, packed(frames), words)
    decoder = RAPTOR_DECODERS["layered"].compile(code, EXTENSION_ROWS)
    found = decoder.decode(words, LogLikelihoods(values=raptor_ratios(frames)))
    return {"syndromes": digest(words), "cores": digest(found.words), "found": int(found.converged.sum())}
