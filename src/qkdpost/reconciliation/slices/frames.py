"""Frames of outcomes cut into what is key, their labels, and what is public: places and turns.

An outcome y lies in cell floor(y / w). Its label is that number modulo 2^levels: key. Where in the cell it lies, to
2^-16 of the width, is its place, and how often the labels wrapped before the cell its turn, nearly always 0. Places and
turns are public. All three give the outcome back, to half a place, that is to some 2e-5 of the noise's deviation: fine
enough for every statistic, and finer than any outcome is known, since what is given back is the outcome that counts.
(Given its symbol an outcome is normal, many thousand places wide: then what rounding adds to it is uniform and
independent of symbol and outcome, to within exp(-10^9).)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels import slices
from qkdpost.bits import Bits
from qkdpost.errors import InputError
from qkdpost.reconciliation.slices.plan import LENGTH_UNITS, SlicePlan

__all__ = [
    "SlicedFrames",
    "frames_of",
    "give_up_bits",
    "join_frames",
    "key_bits",
    "labels_of_key",
    "level_words",
    "put_level",
    "slice_outcomes",
]

Words = NDArray[np.uint64]

MAX_TURNED = 1 << 15
"""Reals of a frame that may have a turn: more are none of the noise that was planned for, and make long messages."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SlicedFrames:
    """Frames of sliced outcomes.

    Attributes:
        labels: uint8, shape (frames, reals); secret.
        places: uint16, shape (frames, reals); public.
        turned: for each frame which reals have a turn, uint32, increasing; public.
        turns: for each frame their turns, int8, none of them 0; public.
    """

    labels: NDArray[np.uint8] = field(repr=False)
    places: NDArray[np.uint16] = field(repr=False)
    turned: tuple[NDArray[np.uint32], ...] = field(repr=False)
    turns: tuple[NDArray[np.int8], ...] = field(repr=False)

    def outcomes(self, plan: SlicePlan) -> NDArray[np.float32]:
        """Return the outcomes that labels, places and turns stand for, float32, shape (frames, reals); secret."""
        outcomes = np.empty(self.labels.shape, dtype=np.float32)
        for frame, (turned, turns) in enumerate(zip(self.turned, self.turns, strict=True)):
            slices.rebuild(
                self.labels[frame], self.places[frame], turned, turns, plan.width, plan.levels, outcomes[frame]
            )
        return outcomes


def join_frames(parts: Sequence[SlicedFrames]) -> SlicedFrames:
    """Return the frames of several parts as one."""
    return SlicedFrames(
        labels=np.concatenate([part.labels for part in parts]),
        places=np.concatenate([part.places for part in parts]),
        turned=tuple(turned for part in parts for turned in part.turned),
        turns=tuple(turns for part in parts for turns in part.turns),
    )


def frames_of(reals: NDArray[np.float32], name: str, plan: SlicePlan) -> NDArray[np.float32]:
    """Return whole frames of finite reals as shape (frames, reals of a frame), not copied.

    Args:
        reals: float32, contiguous, shape (frames * reals of a frame,).
        name: what they are called.
        plan: the reals of a frame.

    Raises:
        InputError: another dtype or shape, no whole number of frames, or a value that is not finite.
    """
    if not isinstance(reals, np.ndarray) or reals.dtype != np.float32 or reals.ndim != 1 or not reals.size:
        found = f"{reals.dtype} of shape {reals.shape}" if isinstance(reals, np.ndarray) else type(reals).__name__
        raise InputError(f"{name} must be a float32 vector of whole frames; found {found}")
    if reals.size % plan.frame_reals or not reals.flags.c_contiguous:
        raise InputError(
            f"{name} must be contiguous and fill frames of {plan.frame_reals} reals; found {reals.size} reals"
        )
    frames = reals.reshape(-1, plan.frame_reals)
    if not all(np.isfinite(frame).all() for frame in frames):
        raise InputError(f"{name} must be finite; found infinities or NaN")
    return frames


def slice_outcomes(outcomes: NDArray[np.float32], plan: SlicePlan) -> SlicedFrames:
    """Slice whole frames of outcomes.

    Args:
        outcomes: float32, contiguous, finite, shape (frames * reals of a frame,), in the units of the plan; secret.
        plan: made before these outcomes were looked at.

    Raises:
        InputError: as `frames_of`, or an outcome lies so far out that it is none of this noise.
    """
    frames = frames_of(outcomes, "outcomes", plan)
    labels = np.empty(frames.shape, dtype=np.uint8)
    places = np.empty(frames.shape, dtype=np.uint16)
    turned, turns = [], []
    turn = np.empty(plan.frame_reals, dtype=np.int8)
    for frame, reals in enumerate(frames):
        if not slices.cut(reals, 1.0 / plan.width, plan.levels, labels[frame], places[frame], turn):
            raise InputError(
                f"outcomes must lie within {slices.MAX_TURN} times the range of the labels, "
                f"{plan.labels * plan.width:.6g}; found one that does not. Were they whitened, as the plan's were?"
            )
        positions = np.flatnonzero(turn)
        if positions.size > MAX_TURNED:
            raise InputError(
                f"{positions.size} of {plan.frame_reals} outcomes lie outside the labels' range; "
                "the outcomes spread farther than the plan expects"
            )
        turned.append(positions.astype(np.uint32))
        turns.append(turn[positions])
    return SlicedFrames(labels=labels, places=places, turned=tuple(turned), turns=tuple(turns))


def level_words(labels: NDArray[np.uint8], level: int) -> Words:
    """Return bit `level` of each label, packed: uint64, shape (frames, reals / 64)."""
    words = [np.packbits((row >> level) & 1, bitorder="little").view("<u8") for row in labels]
    return np.array(words, dtype=np.uint64).reshape(len(words), labels.shape[1] // 64)


def put_level(words: Words, level: int, labels: NDArray[np.uint8]) -> None:
    """Set bit `level` of each label, which is 0, to what is packed in `words`, shape (frames, reals / 64)."""
    for row, packed in zip(labels, words, strict=True):
        bits = np.unpackbits(packed.astype("<u8", copy=False).view(np.uint8), bitorder="little")
        np.bitwise_or(row, bits << np.uint8(level), out=row)


def key_bits(labels: NDArray[np.uint8], levels: int) -> Bits:
    """Return all bits of the labels of frames: frame after frame, in each the lowest bit of all labels first."""
    packed = np.stack([level_words(labels, level) for level in range(levels)], axis=1)
    return Bits(packed.reshape(-1), levels * labels.size)


def labels_of_key(bits: Bits, plan: SlicePlan) -> NDArray[np.uint8]:
    """Return the labels of frames of which all bits are given: the inverse of `key_bits`.

    Raises:
        InputError: the bits do not fill frames.
    """
    if len(bits) % plan.frame_bits:
        raise InputError(f"bits must fill frames of {plan.frame_bits} bits; found {len(bits)}")
    words = bits.words.reshape(-1, plan.levels, plan.frame_reals // 64)
    labels = np.zeros((words.shape[0], plan.frame_reals), dtype=np.uint8)
    for level in range(plan.levels):
        put_level(words[:, level], level, labels)
    return labels


def give_up_bits(labels: NDArray[np.uint8], plan: SlicePlan) -> int:
    """Return what a frame costs whose labels are disclosed, in whole bits, rounded up.

    It is the length of the labels in a code that was fixed beforehand (`SlicePlan.lengths`); how they are sent does not
    matter (`qkdpost.reconciliation.slices.conversation`).

    Args:
        labels: of one frame, shape (reals,).
        plan: the lengths.
    """
    counts = np.zeros(plan.labels, dtype=np.int64)
    slices.count_labels(labels, counts)
    units = sum(int(count) * length for count, length in zip(counts, plan.lengths, strict=True))
    return -(-units // LENGTH_UNITS)
