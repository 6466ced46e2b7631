"""A batch of sliced frames: what both sides count of the conversation about it, and frames that are given up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from qkdpost.bits import Bits
from qkdpost.dialogue.ledger import Cause
from qkdpost.errors import InputError
from qkdpost.reconciliation.code_order import code_order
from qkdpost.reconciliation.payload import RECEIVE, InvalidPayload, Payload, Rounds, expect_bits
from qkdpost.reconciliation.slices.frames import SlicedFrames, give_up_bits, key_bits, labels_of_key
from qkdpost.reconciliation.slices.messages import turn_bits
from qkdpost.reconciliation.slices.plan import SlicePlan

__all__ = ["REVEALS", "SliceBatch", "Talk", "disclose_wrong", "give_up", "take_disclosed", "take_given_up"]

REVEALS = (8, 8, 16, 32)
"""Of 1024 bits of level 0, how many more are revealed after each verdict that asks for it."""

_NOTHING = Bits.zeros(0)
_SEED = bytes(32)
"""Of the positions that are revealed: public, fixed, and hence independent of everything."""

Mask = NDArray[np.bool_]


@dataclass(slots=True, kw_only=True, eq=False)
class SliceBatch:
    """What one side ends with.

    Attributes:
        plan: of the block.
        sliced: labels, places and turns of all frames, those given up included; secret. The corrector's labels are the
            reference's where they were found or given up.
        given_up: which frames are given up, shape (frames,); both hosts have the same.
        frame_charges: bits that each frame is charged, int64, shape (frames,), without verdicts and turns.
        disclosed: bits disclosed by cause, all frames together.
        increments: how often a frame had more revealed, all frames together.
        rounds: exchanges before frames were given up, of which each side counts the same.
    """

    plan: SlicePlan
    sliced: SlicedFrames = field(repr=False)
    given_up: Mask
    frame_charges: NDArray[np.int64]
    disclosed: Mapping[Cause, int]
    increments: int
    rounds: int

    def key(self) -> Bits:
        """Return the bits of the frames that were not given up: frame after frame, bit 0 of all its labels first."""
        return key_bits(self.sliced.labels[~self.given_up], self.plan.levels)

    def outcomes(self) -> NDArray[np.float32]:
        """Return the outcomes of all frames, float32, shape (frames, reals): what statistics are made of; secret.

        Only to be used once every frame is verified or given up.
        """
        return self.sliced.outcomes(self.plan)


def give_up(batch: SliceBatch, frames: Mask) -> tuple[Bits, int]:
    """Give up frames that verification found wrong, on the reference's side.

    Args:
        batch: of which they are marked as given up, and charged.
        frames: which, shape (frames,); none of them given up before.

    Returns:
        What to send: their labels; and what is charged in addition to what was before.
    """
    chosen = _new_frames(batch, frames)
    payload = key_bits(batch.sliced.labels[chosen], batch.plan.levels)
    return payload, _charge_given_up(batch, chosen)


def take_given_up(batch: SliceBatch, frames: Mask, payload: Payload) -> int:
    """Take the labels of frames that verification found wrong, on the corrector's side; return what is charged.

    Args:
        batch: of which they are marked as given up, and charged; its labels become the reference's.
        frames: which, shape (frames,); none of them given up before.
        payload: the peer's.

    Raises:
        InvalidPayload: it is of another length.
    """
    chosen = _new_frames(batch, frames)
    answer = expect_bits(payload, chosen.size * batch.plan.frame_bits, "bits of labels")
    batch.sliced.labels[chosen] = labels_of_key(answer, batch.plan)
    return _charge_given_up(batch, chosen)


def disclose_wrong(batch: SliceBatch, frames: Mask) -> Rounds[int]:
    """Give up frames that verification found wrong, one by one; return what is charged. The reference's side."""
    charge = 0
    for alone in _each(frames):
        payload, extra = give_up(batch, alone)
        yield payload
        charge += extra
    return charge


def take_disclosed(batch: SliceBatch, frames: Mask) -> Rounds[int]:
    """Take frames that verification found wrong, one by one; return what is charged. The corrector's side."""
    charge = 0
    for alone in _each(frames):
        charge += take_given_up(batch, alone, (yield RECEIVE))
    return charge


def _each(frames: Mask) -> Iterator[Mask]:
    for frame in np.flatnonzero(frames):
        alone = np.zeros_like(frames)
        alone[frame] = True
        yield alone


class Talk:
    """What both sides keep of the conversation about a batch, and what they charge for it."""

    def __init__(self, plan: SlicePlan, sliced: SlicedFrames) -> None:
        count = sliced.labels.shape[0]
        self.plan, self.sliced = plan, sliced
        self.open = np.arange(count, dtype=np.int64)
        self.revealed = np.zeros(0, dtype=np.uint32)
        self.given_up = np.zeros(count, dtype=np.bool_)
        self._charges = np.full(count, sum(plan.codes.syndrome_bits), dtype=np.int64)
        self._revealed_bits = self._verdict_bits = self._increments = 0
        self._rounds = 1

    def take_verdicts(self, verdicts: Bits, *, last: bool) -> NDArray[np.int64]:
        """Take the verdicts on open frames; return those that get more, which are all that stay open."""
        flags = np.asarray(verdicts, dtype=np.bool_).reshape(2, -1)
        failed, more = flags[0], flags[1]
        if np.any(more & ~failed):
            raise InvalidPayload("expected verdicts that ask for more only of frames that failed")
        self._verdict_bits += len(verdicts)
        self._rounds += 1
        asking: NDArray[np.int64] = self.open[more & (not last)]
        self.given_up[self.open[failed]] = True
        self.given_up[asking] = False
        self.open = asking
        return asking

    def reveal(self, part: int, frames: NDArray[np.int64]) -> NDArray[np.uint32]:
        """Return the positions that the frames reveal next, and charge them."""
        count = self.plan.frame_reals * part // 1024
        start = self.revealed.size
        positions = _reveal_order(self.plan.frame_reals)[start : start + count]
        self.revealed = np.concatenate([self.revealed, positions])
        self._charges[frames] += count
        self._revealed_bits += count * frames.size
        self._increments += frames.size
        self._rounds += 1
        return positions

    def outcome(self) -> SliceBatch:
        """Return what the side ends with, once the labels of frames given up are known to it."""
        syndromes = sum(self.plan.codes.syndrome_bits) * self.given_up.size
        turns = sum(turn_bits(turned) for turned in self.sliced.turned)
        batch = SliceBatch(
            plan=self.plan,
            sliced=self.sliced,
            given_up=np.zeros_like(self.given_up),
            frame_charges=self._charges,
            disclosed={
                Cause.REFERENCE_PARITIES: syndromes + turns,
                Cause.REVEALED_BITS: self._revealed_bits,
                Cause.FRAME_VERDICTS: self._verdict_bits,
                Cause.DROPPED_FRAMES: 0,
            },
            increments=self._increments,
            rounds=self._rounds,
        )
        _charge_given_up(batch, np.flatnonzero(self.given_up))
        return batch


def _new_frames(batch: SliceBatch, frames: Mask) -> NDArray[np.int64]:
    if frames.dtype != np.bool_ or frames.shape != batch.given_up.shape or np.any(frames & batch.given_up):
        raise InputError(f"frames must be a mask of {batch.given_up.size} frames, none of them given up before")
    return np.flatnonzero(frames)


def _charge_given_up(batch: SliceBatch, frames: NDArray[np.int64]) -> int:
    """Mark frames as given up and charge their labels; return by how much the charge grows."""
    extra = 0
    for frame in frames:
        length = give_up_bits(batch.sliced.labels[frame], batch.plan)
        more = max(0, length - int(batch.frame_charges[frame]))
        batch.frame_charges[frame] += more
        extra += more
    batch.given_up[frames] = True
    disclosed = dict(batch.disclosed)
    disclosed[Cause.DROPPED_FRAMES] += extra
    batch.disclosed = disclosed
    return extra


@lru_cache(maxsize=4)
def _reveal_order(frame_reals: int) -> NDArray[np.uint32]:
    order = code_order(_SEED, b"slices revealed", frame_reals)[: frame_reals * sum(REVEALS) // 1024].copy()
    order.flags.writeable = False
    return order
