"""Syndromes of frames of a raptor-like code, and frames from core and syndrome."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.ldpc.syndromes import compute_syndromes
from qkdpost.errors import InputError
from qkdpost.reconciliation.raptor.code import CirculantRows, RaptorCode
from qkdpost.reconciliation.raptor.plan import FramePlan

__all__ = ["complete_frames", "increment_syndromes", "rows_of_frame", "syndrome_of_increment", "syndromes_of"]

Words = NDArray[np.uint64]


def rows_of_frame(code: RaptorCode, extension_rows: int) -> CirculantRows:
    """Return all rows of a frame's syndrome, extension columns included: column `core_columns` + r in extension row r.

    Raises:
        InputError: there are not as many extension rows.
    """
    code.frame_bits(extension_rows)
    extension = code.extension.first(extension_rows)
    own = code.core_columns + np.arange(extension_rows, dtype=np.uint64)
    ends = extension.row_starts[1:].astype(np.int64)
    starts = extension.row_starts + np.arange(extension_rows + 1, dtype=np.uint64)
    return CirculantRows(
        row_starts=np.concatenate([code.precode.row_starts[:-1], starts + code.precode.row_starts[-1]]),
        columns=np.concatenate([code.precode.columns, np.insert(extension.columns, ends, own)]),
        shifts=np.concatenate([code.precode.shifts, np.insert(extension.shifts, ends, np.uint64(0))]),
    )


def syndromes_of(plan: FramePlan, words: Words) -> Words:
    """Return the syndromes of frames, precode rows first.

    Args:
        plan: of the frames.
        words: frames, uint64, shape (frames, frame bits / 64); secret.

    Returns:
        Shape (frames, syndrome bits / 64).

    Raises:
        InputError: another dtype or shape.
    """
    _require("words", words, plan.frame_bits)
    return _product(plan.code, _rows(plan), words)


def syndrome_of_increment(plan: FramePlan, words: Words, step: int) -> Words:
    """Return what frames disclose in a step; shape (frames, increment bits / 64).

    Args:
        plan: of the frames.
        words: whole frames, or their cores alone; secret.
        step: 1 ... `plan.max_steps`.

    Raises:
        InputError: another dtype or shape, or no such step.
    """
    plan.increment_bits(step)
    return increment_syndromes(plan.code, words, step)[:, -(plan.code.lift // 64) :]


def increment_syndromes(code: RaptorCode, words: Words, count: int) -> Words:
    """Return the first `count` increments of frames or cores, one after the other; shape (frames, count lift / 64)."""
    if words.dtype != np.uint64 or words.ndim != 2 or 64 * words.shape[1] < code.core_bits:
        raise InputError(f"words must be uint64 of shape (frames, {code.core_bits // 64} or more)")
    return _product(code, code.increments.first(count), words)


def complete_frames(plan: FramePlan, cores: Words, syndromes: Words) -> Words:
    """Return the whole frames of which core and syndrome are known; shape (frames, frame bits / 64).

    Args:
        plan: of the frames.
        cores: uint64, shape (frames, core bits / 64); secret.
        syndromes: uint64, shape (frames, syndrome bits / 64).

    Raises:
        InputError: another dtype or shape.
    """
    code = plan.code
    _require("cores", cores, plan.core_bits)
    _require("syndromes", syndromes, plan.syndrome_bits)
    if len(cores) != len(syndromes):
        raise InputError(f"each frame has a core and a syndrome; found {len(cores)} and {len(syndromes)}")
    precode_words = code.lift * code.parity_columns // 64
    extension = _product(code, code.extension.first(plan.extension_rows), cores)
    extension ^= syndromes[:, precode_words:]
    return np.concatenate([cores, extension], axis=1)


@lru_cache(maxsize=8)
def _rows(plan: FramePlan) -> CirculantRows:
    return rows_of_frame(plan.code, plan.extension_rows)


def _product(code: RaptorCode, rows: CirculantRows, words: Words) -> Words:
    output = np.zeros((len(words), rows.count * code.lift // 64), dtype=np.uint64)
    frames = np.ascontiguousarray(words)
    compute_syndromes(rows.row_starts, rows.columns * np.uint64(code.lift), rows.shifts, code.lift, frames, output)
    return output


def _require(name: str, words: Words, bits: int) -> None:
    if words.dtype != np.uint64 or words.ndim != 2 or words.shape[1] * 64 != bits:
        raise InputError(
            f"{name} must be uint64 of shape (frames, {bits // 64}); found {words.dtype} of shape {words.shape}"
        )
