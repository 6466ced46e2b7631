"""Decoders for raptor-like codes behind one small interface: compile once for a code and a rate, decode many frames.

A decoder looks for the core of a likely frame that has a given syndrome: the frame's other bits, the extension, follow
from core and syndrome (`complete_frames` of `qkdpost.reconciliation.raptor.syndromes`). A decoder of another origin
joins by ``RAPTOR_DECODERS["name"] = decoder``; the tests in tests/reconciliation/raptor/test_decoders.py hold every
entry to the same conduct.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.raptor.check_rules import CONSTANTS
from qkdpost._kernels.raptor.layered import decode_raptor
from qkdpost.checks import whole_number
from qkdpost.errors import InputError
from qkdpost.reconciliation.channel import Channel, LogLikelihoods, UnsupportedChannel
from qkdpost.reconciliation.raptor.channel_units import units_of
from qkdpost.reconciliation.raptor.code import CirculantRows, RaptorCode

__all__ = [
    "RAPTOR_DECODERS",
    "CompiledRaptorDecoder",
    "DecodedCores",
    "LayeredRaptorDecoder",
    "RaptorDecoder",
]

Words = NDArray[np.uint64]

FEW_ITERATIONS = 120
"""A frame that is not decoded by then seldom is by 200, holds its place among the frames beside it, and is helped
sooner by an increment: batches take up to a quarter less time, for 0.002 of efficiency at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedCores:
    """What a decoder found.

    Attributes:
        words: packed cores found, uint64, shape (frames, core bits / 64); secret.
        converged: whether each core has the syndrome of precode and increments, shape (frames,).
        iterations: that each frame took, int32, shape (frames,).
    """

    words: Words = field(repr=False)
    converged: NDArray[np.bool_]
    iterations: NDArray[np.int32]


class CompiledRaptorDecoder(Protocol):
    """A decoder made ready for one code at one rate; two threads must not use it at once."""

    def decode(self, syndromes: Words, channel: Channel, increments: int = 0) -> DecodedCores:
        """Find the core of each frame.

        Args:
            syndromes: packed, uint64, shape (frames, syndrome bits / 64): precode, extension, then increments.
            channel: of each bit of each frame, the core's before the extension's; finite ratios.
            increments: how many rows of increments are in the syndromes, the first ones of the code.

        Returns:
            A core for each frame. What a frame is decoded to depends on nothing but that frame's values and syndrome.

        Raises:
            UnsupportedChannel: the decoder cannot take this kind of channel.
            InputError: an argument has the wrong shape or dtype, or a ratio is infinite.
        """
        ...


class RaptorDecoder(Protocol):
    """Makes compiled decoders."""

    def compile(self, code: RaptorCode, extension_rows: int) -> CompiledRaptorDecoder:
        """Return this decoder made ready for `code` cut after so many rows of the extension."""
        ...


class _Rows:
    """Rows of sections one after another, as kernels take them."""

    def __init__(self, lift: int, *sections: CirculantRows) -> None:
        degrees = np.concatenate([np.diff(rows.row_starts.astype(np.int64)) for rows in sections])
        bits = np.concatenate([rows.columns for rows in sections]) * np.uint64(lift)
        shifts = np.concatenate([rows.shifts for rows in sections])
        self.arrays: tuple[Words, Words, Words] = (
            np.concatenate([[0], np.cumsum(degrees)]).astype(np.uint64),
            bits,
            shifts,
        )
        self.checks, self.edges = degrees.size * lift, bits.size * lift
        self.degree = int(degrees.max())


@dataclass(frozen=True, slots=True, kw_only=True)
class LayeredRaptorDecoder:
    """Layered sum-product on a register of frames (`qkdpost._kernels.raptor.layered`).

    Working memory: per frame side by side and bit about 3 bytes of messages and 1 byte of channel for the extension,
    and 2 bytes for each bit of the core and each edge of precode and increments; beside that, for each frame given,
    1 byte a bit of the extension and 2 of the core.

    Args:
        max_iterations: after which a frame is given up.
        lanes: frames side by side, 16 or 32. What is found is the same; 32 where registers have 512 bits.
    """

    max_iterations: int
    lanes: int = 16

    def __post_init__(self) -> None:
        if self.max_iterations < 1 or self.lanes not in (16, 32):
            raise InputError(
                f"max_iterations must be 1 or more, and lanes 16 or 32; found {self.max_iterations} and {self.lanes}"
            )

    def compile(self, code: RaptorCode, extension_rows: int) -> CompiledRaptorDecoder:
        """Return this decoder made ready for `code` cut after so many rows of the extension, with its memory."""
        rows = whole_number("extension_rows", extension_rows, least=1, most=code.extension.count)
        return _CompiledLayeredDecoder(self, code, rows)


class _CompiledLayeredDecoder:
    def __init__(self, decoder: LayeredRaptorDecoder, code: RaptorCode, extension_rows: int) -> None:
        self._decoder, self._code = decoder, code
        self._weak = _Rows(code.lift, code.extension.first(extension_rows))
        self._core_bits = code.core_bits
        byte, half_word = (np.uint8, np.uint16) if decoder.lanes == 16 else (np.int8, np.int16)
        self._byte, self._half_word = np.dtype(byte), np.dtype(half_word)
        self._totals = self._zeros(self._core_bits, self._half_word)
        self._priors = self._zeros(self._weak.checks, self._byte)
        self._messages = self._zeros(self._weak.edges, self._byte)

    def _zeros(self, rows: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return zeros for so many rows of lanes that start at a multiple of 64 bytes."""
        size = rows * self._decoder.lanes * dtype.itemsize
        raw = np.zeros(size + 64, dtype=np.uint8)
        start = -raw.ctypes.data % 64
        return raw[start : start + size].view(dtype).reshape(rows, self._decoder.lanes)

    def decode(self, syndromes: Words, channel: Channel, increments: int = 0) -> DecodedCores:
        code, weak = self._code, self._weak
        increments = whole_number("increments", increments, least=0, most=code.increments.count)
        strong = _Rows(code.lift, code.precode, code.increments.first(increments))
        bits = weak.checks + strong.checks
        if syndromes.dtype != np.uint64 or syndromes.ndim != 2 or syndromes.shape[1] * 64 != bits:
            raise InputError(
                f"syndromes must be uint64 of shape (frames, {bits // 64}); found {syndromes.dtype} of shape "
                f"{syndromes.shape}"
            )
        frames = syndromes.shape[0]
        values = _finite_ratios(channel, frames, self._core_bits + weak.checks)
        given = self._quantised(values, syndromes, strong.checks)
        words = np.zeros((frames, self._core_bits // 64), dtype=np.uint64)
        iterations, converged = np.zeros(frames, dtype=np.int32), np.zeros(frames, dtype=np.uint8)
        decode_raptor(
            *weak.arrays, *strong.arrays, np.uint64(code.lift), self._decoder.max_iterations, *given,
            self._zeros(given[0].shape[1], self._half_word), self._totals, self._priors,
            self._zeros(strong.checks, self._byte), self._messages, self._zeros(strong.edges, self._half_word),
            self._zeros(3 * max(weak.degree, strong.degree), self._half_word), words, iterations, converged,
        )  # fmt: skip
        return DecodedCores(words=words, converged=converged.astype(np.bool_), iterations=iterations)

    def _quantised(
        self, values: NDArray[np.float32], syndromes: Words, strong_checks: int
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Return of each frame constants, totals, and priors of weak and strong checks with their syndrome's signs."""
        core, precode = self._core_bits, self._code.lift * self._code.parity_columns
        frames, extension = values.shape[0], self._weak.checks
        constants, totals = np.empty((frames, CONSTANTS), np.int16), np.empty((frames, core), np.int16)
        weak, strong = np.empty((frames, extension), np.int8), np.empty((frames, strong_checks), np.int8)
        for frame, ratios in enumerate(values):
            units = units_of(ratios[core:])
            constants[frame] = units.constants
            totals[frame] = units.totals(ratios[:core])
            bits = np.unpackbits(syndromes[frame].astype("<u8").view(np.uint8), bitorder="little").view(np.int8)
            weak[frame] = units.priors(ratios[core:]) * (1 - 2 * bits[precode : precode + extension])
            strong[frame] = -np.concatenate([bits[:precode], bits[precode + extension :]])
        return (
            constants.view(self._half_word),
            totals.view(self._half_word),
            weak.view(self._byte),
            strong.view(self._byte),
        )


def _finite_ratios(channel: Channel, frames: int, frame_bits: int) -> NDArray[np.float32]:
    if not isinstance(channel, LogLikelihoods):
        raise UnsupportedChannel(
            f"a decoder of raptor-like codes takes LogLikelihoods as channel; found {type(channel).__name__}"
        )
    channel.require_shape(frames, frame_bits)
    if not all(math.isfinite(row.min()) and math.isfinite(row.max()) for row in channel.values):
        raise InputError("ratios of a channel to a raptor-like code must be finite; none of its bits is certain")
    return channel.values


RAPTOR_DECODERS: dict[str, RaptorDecoder] = {"layered": LayeredRaptorDecoder(max_iterations=FEW_ITERATIONS)}
"""The decoders by name; a plain dict, to which others may be added."""
