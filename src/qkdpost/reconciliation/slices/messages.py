"""Encodings of what the two sides say about a batch of frames, and the checks of what is read.

First message of the reference: the places of all frames, two bytes each; for each frame how many reals have a turn, two
bytes, and then for each of these its position, four bytes, and its turn, one; then the syndromes of the first level of
all frames, of the second, and of the third. All numbers are little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.ldpc.syndromes import compute_syndromes
from qkdpost.reconciliation.ldpc.codes import QuasiCyclicCode
from qkdpost.reconciliation.payload import InvalidPayload, Payload
from qkdpost.reconciliation.slices.codes import CODED_LEVELS
from qkdpost.reconciliation.slices.frames import MAX_TURNED, SlicedFrames, join_frames, level_words
from qkdpost.reconciliation.slices.plan import SlicePlan

__all__ = ["FirstMessage", "decode_first", "encode_first", "join_first", "turn_bits"]

Words = NDArray[np.uint64]

_COUNT = struct.Struct("<H")
_ENTRY_BYTES = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FirstMessage:
    """What the reference says first.

    Attributes:
        sliced: places and turns; labels are zeros, to be found.
        syndromes: of each coded level, uint64, shape (frames, syndrome bits / 64).
    """

    sliced: SlicedFrames = field(repr=False)
    syndromes: tuple[Words, ...] = field(repr=False)


def turn_bits(turned: NDArray[np.uint32]) -> int:
    """Return the bits by which the turns of one frame are said."""
    return 8 * (_COUNT.size + _ENTRY_BYTES * turned.size)


def encode_first(sliced: SlicedFrames, plan: SlicePlan) -> bytes:
    """Return the first message about frames."""
    codes = plan.codes.codes
    syndromes = [_syndromes(level_words(sliced.labels, level), codes[level]) for level in range(CODED_LEVELS)]
    parts = [np.ascontiguousarray(sliced.places, dtype="<u2").tobytes()]
    for turned, turns in zip(sliced.turned, sliced.turns, strict=True):
        parts += [_COUNT.pack(turned.size), turned.astype("<u4").tobytes(), turns.tobytes()]
    parts += [np.ascontiguousarray(words, dtype="<u8").tobytes() for words in syndromes]
    return b"".join(parts)


def join_first(messages: Sequence[FirstMessage]) -> FirstMessage:
    """Return what several messages say, each of frames of its own, as one."""
    levels = zip(*(message.syndromes for message in messages), strict=True)
    return FirstMessage(
        sliced=join_frames([message.sliced for message in messages]),
        syndromes=tuple(np.concatenate(words) for words in levels),
    )


def decode_first(payload: Payload, frames: int, plan: SlicePlan) -> FirstMessage:
    """Read the first message.

    Args:
        payload: as the peer sent it.
        frames: how many it must speak of.
        plan: of the block.

    Raises:
        InvalidPayload: it has another length than it should, or turns that cannot be.
    """
    if not isinstance(payload, bytes):
        raise InvalidPayload("expected places, turns and syndromes as bytes; received bits")
    reals, syndrome_bits = plan.frame_reals, plan.codes.syndrome_bits
    turns_at = 2 * frames * reals
    syndromes_at = len(payload) - frames * sum(syndrome_bits) // 8
    if syndromes_at < turns_at + frames * _COUNT.size:
        raise InvalidPayload(
            f"expected places, turns and syndromes of {frames} frames; received {len(payload)} bytes, which are too few"
        )
    places = np.frombuffer(payload, dtype="<u2", count=frames * reals).astype(np.uint16, copy=False)
    turned, turns = _decode_turns(payload[turns_at:syndromes_at], frames, plan)
    syndromes = []
    for bits in syndrome_bits:
        words = np.frombuffer(payload, dtype="<u8", count=frames * bits // 64, offset=syndromes_at)
        syndromes.append(words.astype(np.uint64).reshape(frames, bits // 64))
        syndromes_at += frames * bits // 8
    sliced = SlicedFrames(
        labels=np.zeros((frames, reals), dtype=np.uint8),
        places=places.reshape(frames, reals),
        turned=turned,
        turns=turns,
    )
    return FirstMessage(sliced=sliced, syndromes=tuple(syndromes))


def _decode_turns(
    data: bytes, frames: int, plan: SlicePlan
) -> tuple[tuple[NDArray[np.uint32], ...], tuple[NDArray[np.int8], ...]]:
    """Read the turns of all frames, which must fill `data`."""
    all_turned, all_turns = [], []
    start = 0
    for _ in range(frames):
        end = start + _COUNT.size
        count = _COUNT.unpack_from(data, start)[0] if end <= len(data) else 0
        if end + _ENTRY_BYTES * count > len(data) or count > MAX_TURNED:
            raise InvalidPayload(f"turns must fill the message; they end beyond its {len(data)} bytes for them")
        turned = np.frombuffer(data, dtype="<u4", count=count, offset=end).astype(np.uint32)
        turns = np.frombuffer(data, dtype=np.int8, count=count, offset=end + 4 * count)
        increasing = bool(np.all(turned[1:] > turned[:-1]))
        if not increasing or (count and int(turned[-1]) >= plan.frame_reals) or not np.all(turns):
            raise InvalidPayload("turns must stand at increasing positions within the frame and must not be 0")
        all_turned.append(turned)
        all_turns.append(turns)
        start = end + _ENTRY_BYTES * count
    if start != len(data):
        raise InvalidPayload(f"turns must fill the message; {len(data) - start} bytes are left")
    return tuple(all_turned), tuple(all_turns)


def _syndromes(frames: Words, code: QuasiCyclicCode) -> Words:
    output = np.zeros((frames.shape[0], code.syndrome_bits // 64), dtype=np.uint64)
    compute_syndromes(code.row_starts, code.edge_bits, code.edge_shifts, code.size, frames, output)
    return output
