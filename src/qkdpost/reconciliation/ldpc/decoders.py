"""Decoders behind one small interface: compile once for a code, decode many frames.

A decoder looks for a likely word that has a given syndrome. With discrete variables the word is the error pattern
between the two hosts' frames, and the syndrome the sum of both hosts' syndromes: the decoder never sees key bits. A
decoder of another origin joins by ``DECODERS["name"] = decoder``; the tests in
tests/reconciliation/ldpc/test_decoders.py hold every entry to the same conduct.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.ldpc import layered
from qkdpost._kernels.ldpc.layered import decode_layered
from qkdpost._kernels.ldpc.posteriors import place_step, posterior_length
from qkdpost.bits import Bits
from qkdpost.errors import InputError
from qkdpost.reconciliation.channel import BinarySymmetric, Channel, LogLikelihoods, UnsupportedChannel
from qkdpost.reconciliation.ldpc.codes import QuasiCyclicCode
from qkdpost.reconciliation.ldpc.posterior_moves import posterior_moves

__all__ = ["DECODERS", "Arithmetic", "CompiledDecoder", "Decoded", "Decoder", "LayeredDecoder", "Patience"]

Words = NDArray[np.uint64]

_MAX_CORRECTION: dict[type, int] = {np.int8: 156, np.int16: 343}
"""By the type of lanes: 13/8 of the correction must fit into unsigned bytes, and 191 times it into half-words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """What a decoder found.

    Attributes:
        words: packed words found, error patterns over a binary symmetric channel; uint64, shape (frames, frame
            bits / 64); as good as secret.
        converged: whether each word has the syndrome asked for, shape (frames,).
        iterations: that each frame took, int32, shape (frames,).
    """

    words: Words = field(repr=False)
    converged: NDArray[np.bool_]
    iterations: NDArray[np.int32]


class CompiledDecoder(Protocol):
    """A decoder made ready for one code; two threads must not use it at once."""

    def decode(self, syndromes: Words, channel: Channel) -> Decoded:
        """Find a word for each syndrome.

        Args:
            syndromes: packed, uint64, shape (frames, syndrome bits / 64).
            channel: what is known of the words beforehand (`qkdpost.reconciliation.channel`).

        Returns:
            A word for each frame; those marked converged have exactly the syndrome asked for, and agree with every bit
            that the channel says is certain.

        Raises:
            UnsupportedChannel: the decoder cannot take this kind of channel.
            InputError: an argument has the wrong shape or dtype.
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
        correction: at what difference of two magnitudes a check begins to correct the lesser, in units.
        max_magnitude: at which a check's messages are held, in units.
    """

    units_per_nat: int
    correction: int
    max_magnitude: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a frame is kept that may not converge: while it misses few enough of its checks.

    Frames that fail miss about a third of them from beginning to end, frames that converge fewer and fewer.

    Args:
        first_iterations: at this age of the frame it is looked at for the first time.
        max_missed_permille: of its checks, that it may miss then.
        fewer_permille: by how much less it may for each further iteration.
    """

    first_iterations: int
    max_missed_permille: int
    fewer_permille: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LayeredDecoder:
    """Layered belief propagation with corrected min-sum on a register of checks (`qkdpost._kernels.ldpc.layered`).

    Args:
        dtype: int8 for 64 checks side by side, int16 for 32.
        few_checks: arithmetic for codes with at most 0.36 checks a bit, where ratios grow large.
        many_checks: arithmetic for the others, where they are small.
        max_iterations: after which a frame is given up.
        patience: when it is given up earlier.
        rescue: name of the decoder that may try what this one gave up when no more will be disclosed, or "".
        long_checks: arithmetic in place of `few_checks` for codes whose checks sum more than so many bits on average,
            the longest first: what each of their sums is rounded by adds up.
    """

    dtype: type[np.int8] | type[np.int16]
    few_checks: Arithmetic
    many_checks: Arithmetic
    max_iterations: int
    patience: Patience
    rescue: str = ""
    long_checks: tuple[tuple[int, Arithmetic], ...] = ()

    def __post_init__(self) -> None:
        if self.dtype not in _MAX_CORRECTION:
            raise InputError(f"dtype of a layered decoder must be int8 or int16; found {self.dtype}")
        for counting in (self.few_checks, self.many_checks, *(counting for _, counting in self.long_checks)):
            if not 0 <= counting.correction <= _MAX_CORRECTION[self.dtype]:
                raise InputError(
                    f"correction must be in 0 ... {_MAX_CORRECTION[self.dtype]}; found {counting.correction}"
                )
            if counting.units_per_nat < 1 or not 1 <= counting.max_magnitude <= np.iinfo(self.dtype).max:
                raise InputError(
                    f"units_per_nat must be 1 or more, and max_magnitude in 1 ... {np.iinfo(self.dtype).max}; found "
                    f"{counting.units_per_nat} and {counting.max_magnitude}"
                )
        if self.max_iterations < 1 or self.patience.first_iterations < 0:
            raise InputError(
                f"max_iterations must be 1 or more, and first_iterations of patience 0 or more; found "
                f"{self.max_iterations} and {self.patience.first_iterations}"
            )

    def arithmetic(self, code: QuasiCyclicCode) -> Arithmetic:
        """Return the arithmetic for a code."""
        if 100 * code.rows > 36 * code.columns:
            return self.many_checks
        fitting = (counting for bits, counting in self.long_checks if len(code.edges) > bits * code.rows)
        return next(fitting, self.few_checks)

    def compile(self, code: QuasiCyclicCode) -> CompiledDecoder:
        """Return this decoder made ready for `code`, with its working memory."""
        return _CompiledLayeredDecoder(self, code)


class _CompiledLayeredDecoder:
    _last: tuple[BinarySymmetric, NDArray[np.int16]] | None = None
    """The last channel and its levels: frames of one channel come piece by piece."""

    def __init__(self, decoder: LayeredDecoder, code: QuasiCyclicCode) -> None:
        self._decoder, self._code = decoder, code
        self._arithmetic = decoder.arithmetic(code)
        dtype = np.dtype(decoder.dtype)
        edges, blocks = posterior_moves(code, place_step(code.size, dtype.itemsize))
        self._structure = (code.row_starts, code.edge_bits, code.edge_shifts, code.size, edges, blocks)
        self._limits = np.zeros(layered.LIMITS, dtype=np.int64)
        self._limits[layered.CORRECTION] = self._arithmetic.correction
        self._limits[layered.MAX_MAGNITUDE] = self._arithmetic.max_magnitude
        self._limits[layered.MAX_ITERATIONS] = decoder.max_iterations
        self._limits[layered.FIRST_COUNT] = decoder.patience.first_iterations
        self._limits[layered.MAX_MISSED_PERMILLE] = decoder.patience.max_missed_permille
        self._limits[layered.FEWER_PERMILLE] = decoder.patience.fewer_permille
        self._posterior = _aligned(posterior_length(code.columns, code.size, dtype.itemsize), dtype)
        self._messages = _aligned(len(code.edges) * code.size, dtype)
        self._largest = int(np.iinfo(decoder.dtype).max)

    def decode(self, syndromes: Words, channel: Channel) -> Decoded:
        code = self._code
        if syndromes.dtype != np.uint64 or syndromes.ndim != 2 or syndromes.shape[1] * 64 != code.syndrome_bits:
            raise InputError(
                f"syndromes must be uint64 of shape (frames, {code.syndrome_bits // 64}); found {syndromes.dtype} of "
                f"shape {syndromes.shape}"
            )
        frames = syndromes.shape[0]
        levels = self._levels(channel, frames)
        words = np.zeros((frames, code.frame_bits // 64), dtype=np.uint64)
        iterations = np.zeros(frames, dtype=np.int32)
        converged = np.zeros(frames, dtype=np.uint8)
        decode_layered(
            *self._structure, self._limits, levels, np.ascontiguousarray(syndromes), self._posterior, self._messages,
            words, iterations, converged,
        )  # fmt: skip
        found = converged.astype(np.bool_) & ~_contradicts(words, channel)
        return Decoded(words=words, converged=found, iterations=iterations)

    def _levels(self, channel: Channel, frames: int) -> NDArray[np.int16]:
        """Return the channel in units, one row for all frames or one for each."""
        if isinstance(channel, BinarySymmetric):
            channel.require_shape(self._code.frame_bits)
            return self._symmetric_levels(channel)
        if isinstance(channel, LogLikelihoods):
            channel.require_shape(frames, self._code.frame_bits)
            return self._quantised(channel.values)
        raise UnsupportedChannel(
            f"a layered decoder takes BinarySymmetric or LogLikelihoods as channel; found {type(channel).__name__}"
        )

    def _symmetric_levels(self, channel: BinarySymmetric) -> NDArray[np.int16]:
        if self._last is not None and self._last[0] is channel:
            return self._last[1]
        rate = channel.error_rate_ppm
        level = round(self._arithmetic.units_per_nat * math.log((1_000_000 - rate) / rate))
        levels = np.full((1, self._code.frame_bits), min(max(level, 1), self._largest), dtype=np.int16)
        for mask, value in ((channel.known, self._largest), (channel.unknown, 0)):
            if mask is not None:
                levels[0, np.flatnonzero(np.asarray(mask, dtype=np.bool_))] = value
        self._last = channel, levels
        return levels

    def _quantised(self, values: NDArray[np.float32]) -> NDArray[np.int16]:
        """Return log-likelihood ratios to the nearest unit, held within the type; frame by frame, to save memory."""
        levels = np.empty(values.shape, dtype=np.int16)
        for row, level in zip(values, levels, strict=True):
            units = row * np.float32(self._arithmetic.units_per_nat)
            level[:] = np.rint(np.clip(units, -self._largest, self._largest, out=units))
        return levels


def _contradicts(words: Words, channel: Channel) -> NDArray[np.bool_]:
    """Return which of the words found differ from a bit that the channel says is certain."""
    wrong = np.zeros(words.shape[0], dtype=np.bool_)
    if isinstance(channel, LogLikelihoods):
        for frame, values in enumerate(channel.values):
            certain = np.flatnonzero(np.isinf(values))
            found = np.asarray(Bits(words[frame], values.size).take(certain.astype(np.uint32)), dtype=np.bool_)
            wrong[frame] = np.any(found != (values[certain] < 0))
    elif channel.known is not None:
        wrong = np.any(words & channel.known.words, axis=1)
    return wrong


def _aligned(count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return zeros that start at a multiple of 64 bytes: a register then lies in one line of the cache."""
    raw = np.zeros(count * dtype.itemsize + 64, dtype=np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + count * dtype.itemsize].view(dtype)


_FINE = Arithmetic(units_per_nat=128, correction=288, max_magnitude=4000)

_ACCURATE = LayeredDecoder(
    dtype=np.int16,
    few_checks=_FINE,
    many_checks=_FINE,
    max_iterations=120,
    patience=Patience(first_iterations=10, max_missed_permille=340, fewer_permille=3),
    rescue="patient",
)

DECODERS: dict[str, Decoder] = {
    "fast": LayeredDecoder(
        dtype=np.int8,
        few_checks=Arithmetic(units_per_nat=5, correction=19, max_magnitude=48),
        many_checks=Arithmetic(units_per_nat=6, correction=21, max_magnitude=54),
        max_iterations=50,
        patience=Patience(first_iterations=10, max_missed_permille=360, fewer_permille=11),
        rescue="patient",
        long_checks=(
            (100, Arithmetic(units_per_nat=4, correction=17, max_magnitude=48)),
            (60, Arithmetic(units_per_nat=5, correction=20, max_magnitude=48)),
        ),
    ),
    "accurate": _ACCURATE,
    "patient": replace(
        _ACCURATE,
        max_iterations=200,
        patience=Patience(first_iterations=200, max_missed_permille=1000, fewer_permille=0),
        rescue="",
    ),
}
"""The decoders by name; a plain dict, to which others may be added.

"patient" is "accurate" without giving up early: for the few frames that are left when no more will be disclosed.
"""
