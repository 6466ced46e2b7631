"""Decoders behind one small interface: compile once for a code, decode many frames.

A decoder looks for the error pattern between the two hosts' frames, given its syndrome, which is the sum of both
hosts' syndromes. It never sees key bits. A decoder of another origin joins by ``DECODERS["name"] = decoder``; the
tests in tests/reconciliation/test_ldpc_decoders.py hold every entry to the same conduct.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.ldpc.layered import decode_layered
from qkdpost.bits import Bits
from qkdpost.errors import InputError
from qkdpost.reconciliation.ldpc.codes import QuasiCyclicCode

__all__ = ["DECODERS", "Arithmetic", "CompiledDecoder", "Decoded", "Decoder", "LayeredDecoder", "Patience"]

Words = NDArray[np.uint64]

_LONG_FRAME_BITS = 1 << 18
"""From here on a register of frames does not fit into the cache, and half a register takes half the time."""

_MOST_CORRECTION: dict[type, int] = {np.int8: 255, np.int16: 343}
"""By the type of lanes: unsigned bytes hold no more, and 191 times the correction must fit into unsigned half-words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """What a decoder found.

    Attributes:
        errors: packed error patterns, uint64, shape (frames, frame bits / 64); as good as secret.
        converged: whether each pattern has the syndrome asked for, shape (frames,).
        iterations: that each frame took, int32, shape (frames,).
    """

    errors: Words = field(repr=False)
    converged: NDArray[np.bool_]
    iterations: NDArray[np.int32]


class CompiledDecoder(Protocol):
    """A decoder made ready for one code; not to be used by two threads at once."""

    def decode(
        self, syndromes: Words, *, error_rate_ppm: int, known: Bits | None = None, unknown: Bits | None = None
    ) -> Decoded:
        """Find an error pattern for each syndrome.

        Args:
            syndromes: packed, uint64, shape (frames, syndrome bits / 64).
            error_rate_ppm: errors expected in 10^6 bits, 1 to 499,999.
            known: bits of the frame that hold no error for certain; the pattern must be 0 there.
            unknown: bits of the frame of which nothing is known.

        Returns:
            A pattern for each frame; those marked converged have exactly the syndrome asked for.

        Raises:
            InputError: an argument is of another shape, or a rate outside its range.
        """
        ...


class Decoder(Protocol):
    """Makes compiled decoders."""

    def compile(self, code: QuasiCyclicCode) -> CompiledDecoder:
        """Return this decoder made ready for `code`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic:
    """How a layered decoder counts.

    Args:
        units_per_nat: how finely log-likelihood ratios are cut.
        correction: the check's correction at equal magnitudes, in quarters of a half unit.
        most_magnitude: at which a check's messages are held, in units.
    """

    units_per_nat: int
    correction: int
    most_magnitude: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a frame is kept that may not converge: while it misses few enough of its checks.

    Frames that fail miss about a third of them from beginning to end, frames that converge fewer and fewer.

    Args:
        first_iterations: at this age of the frame it is looked at for the first time.
        most_missed_permille: of its checks, that it may miss then.
        fewer_permille: by how much less it may for each further iteration.
    """

    first_iterations: int
    most_missed_permille: int
    fewer_permille: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LayeredDecoder:
    """Layered belief propagation with corrected min-sum on a register of frames (`qkdpost._kernels.ldpc.layered`).

    Args:
        dtype: int8 for 64 frames side by side, int16 for 32; half as many where that is as good.
        few_checks: arithmetic for codes with at most 0.36 checks a bit, where ratios grow large.
        many_checks: arithmetic for the others, where they are small.
        most_iterations: after which a frame is given up.
        patience: when it is given up earlier.
        rescue: name of the decoder that may try what this one gave up when no more will be disclosed, or "".
    """

    dtype: type[np.int8] | type[np.int16]
    few_checks: Arithmetic
    many_checks: Arithmetic
    most_iterations: int
    patience: Patience
    rescue: str = ""

    def __post_init__(self) -> None:
        if self.dtype not in _MOST_CORRECTION:
            raise InputError(f"a layered decoder counts in int8 or int16, found {self.dtype}")
        for counting in (self.few_checks, self.many_checks):
            if not 0 <= counting.correction <= _MOST_CORRECTION[self.dtype]:
                raise InputError(f"correction must lie in 0 ... {_MOST_CORRECTION[self.dtype]}, found {counting}")
            if counting.units_per_nat < 1 or not 1 <= counting.most_magnitude <= np.iinfo(self.dtype).max:
                raise InputError(f"units_per_nat, most_magnitude must be 1 or more and fit the type, found {counting}")
        if self.most_iterations < 1 or self.patience.first_iterations < 0:
            raise InputError("most_iterations must be 1 or more, first_iterations 0 or more")

    def arithmetic(self, rows: int, columns: int) -> Arithmetic:
        """Return how this decoder counts for codes of so many block rows and columns."""
        return self.many_checks if 100 * rows > 36 * columns else self.few_checks

    def compile(self, code: QuasiCyclicCode) -> CompiledDecoder:
        """Return this decoder made ready for `code`, with its working memory."""
        return _CompiledLayeredDecoder(self, code)


class _CompiledLayeredDecoder:
    def __init__(self, decoder: LayeredDecoder, code: QuasiCyclicCode) -> None:
        self._decoder, self._code = decoder, code
        self._arithmetic = decoder.arithmetic(code.rows, code.columns)
        dtype = np.dtype(decoder.dtype)
        lanes = 64 // dtype.itemsize
        degrees = np.diff(code.row_starts.astype(np.int64))
        self._structure = (code.row_starts, code.edge_bits, code.edge_shifts)
        patience = decoder.patience
        self._limits = np.array(
            [
                self._arithmetic.correction,
                self._arithmetic.most_magnitude,
                decoder.most_iterations,
                patience.first_iterations,
                patience.most_missed_permille,
                patience.fewer_permille,
            ],
            dtype=np.int64,
        )
        self._whole = (
            _aligned((code.frame_bits, lanes), dtype),
            _aligned((2 * code.syndrome_bits, lanes), dtype),
            _aligned((2 * len(code.edges) * code.size,), np.dtype(f"u{lanes // 8}")),
            _aligned((int(degrees.max()), lanes), dtype),
        )
        posterior, magnitudes, masks, scratch = self._whole
        self._half = (
            _half_lanes(posterior),
            _half_lanes(magnitudes),
            masks.view(f"u{lanes // 16}")[: masks.size],
            _half_lanes(scratch),
        )
        self._words = (
            np.zeros(code.syndrome_bits, dtype=np.uint64),
            np.zeros(code.frame_bits, dtype=np.uint64),
            np.zeros(code.size, dtype=np.uint64),
        )

    def _lanes(self, frames: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Return the working memory for so many frames: half registers for few, or where memory is the limit."""
        few = frames <= self._half[0].shape[1] or self._code.frame_bits >= _LONG_FRAME_BITS
        return self._half if few else self._whole

    def decode(
        self, syndromes: Words, *, error_rate_ppm: int, known: Bits | None = None, unknown: Bits | None = None
    ) -> Decoded:
        code = self._code
        if syndromes.dtype != np.uint64 or syndromes.ndim != 2 or syndromes.shape[1] * 64 != code.syndrome_bits:
            raise InputError(f"syndromes must be uint64 of shape (frames, {code.syndrome_bits // 64})")
        frames = syndromes.shape[0]
        errors = np.zeros((frames, code.frame_bits // 64), dtype=np.uint64)
        iterations = np.zeros(frames, dtype=np.int32)
        converged = np.zeros(frames, dtype=np.uint8)
        decode_layered(
            *self._structure, self._limits, self._channel(error_rate_ppm, known, unknown),
            np.ascontiguousarray(syndromes), *self._lanes(frames), *self._words, errors, iterations, converged,
        )  # fmt: skip
        found = converged.astype(np.bool_)
        if known is not None:
            found &= ~np.any(errors & known.words, axis=1)
        return Decoded(errors=errors, converged=found, iterations=iterations)

    def _channel(self, error_rate_ppm: int, known: Bits | None, unknown: Bits | None) -> NDArray[Any]:
        if not 1 <= error_rate_ppm < 500_000:
            raise InputError(f"error_rate_ppm must lie in 1 ... 499999, found {error_rate_ppm}")
        largest = np.iinfo(self._decoder.dtype).max
        level = round(self._arithmetic.units_per_nat * math.log((1_000_000 - error_rate_ppm) / error_rate_ppm))
        channel = np.full(self._code.frame_bits, min(max(level, 1), largest), dtype=np.int16)
        for bits, value in ((known, largest), (unknown, 0)):
            if bits is None:
                continue
            if len(bits) != self._code.frame_bits:
                raise InputError(f"a mask needs {self._code.frame_bits} bits, found {len(bits)}")
            channel[np.asarray(bits, dtype=np.bool_)] = value
        return channel


def _aligned(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return zeros that start at a multiple of 64 bytes: a row then lies in one line of the cache."""
    count = math.prod(shape) * dtype.itemsize
    raw = np.zeros(count + 64, dtype=np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + count].view(dtype).reshape(shape)


def _half_lanes(array: NDArray[Any]) -> NDArray[Any]:
    """Return the first half of the memory as rows of half as many lanes, unsigned to tell the kernels so."""
    unsigned = np.dtype(f"u{array.itemsize}")
    half: NDArray[Any] = array.view(unsigned).reshape(2, array.shape[0], -1)[0]
    return half


_FINE = Arithmetic(units_per_nat=64, correction=288, most_magnitude=2000)

_ACCURATE = LayeredDecoder(
    dtype=np.int16,
    few_checks=_FINE,
    many_checks=_FINE,
    most_iterations=120,
    patience=Patience(first_iterations=10, most_missed_permille=340, fewer_permille=3),
    rescue="patient",
)

DECODERS: dict[str, Decoder] = {
    "fast": LayeredDecoder(
        dtype=np.int8,
        few_checks=Arithmetic(units_per_nat=3, correction=17, most_magnitude=36),
        many_checks=Arithmetic(units_per_nat=4, correction=21, most_magnitude=40),
        most_iterations=50,
        patience=Patience(first_iterations=10, most_missed_permille=360, fewer_permille=11),
        rescue="patient",
    ),
    "accurate": _ACCURATE,
    "patient": replace(
        _ACCURATE,
        most_iterations=200,
        patience=Patience(first_iterations=200, most_missed_permille=1000, fewer_permille=0),
        rescue="",
    ),
}
"""The decoders by name; a plain dict, to which others may be added.

"patient" is "accurate" without giving up early: for the few frames that are left when no more will be disclosed.
"""
