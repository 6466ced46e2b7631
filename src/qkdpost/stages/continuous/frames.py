"""Frames and batches as both sides see them: how long they are, and what it costs to give one up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from qkdpost.bits import Bits
from qkdpost.dialogue.ledger import Cause, Ledger
from qkdpost.reconciliation.raptor.plan import FramePlan
from qkdpost.security.gaussian.holevo import Detection
from qkdpost.sifting.quadratures.moments import MomentSums
from qkdpost.stages.block import Block
from qkdpost.stages.continuous.facts import CorrectionFacts
from qkdpost.stages.continuous.outcomes import OpenFrames, Setting
from qkdpost.stages.continuous.settings import correction_of, settings_of

__all__ = ["PART_REALS", "Batches", "BlockOfFrames", "FrameCosts", "Standing", "cores_of"]

PART_REALS = 2**17
"""How many outcomes the rotations in one message are of; in any dimension these are no more than a message may hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches:
    """The frames of a block, some at a time.

    Args:
        setting: of the block.
        batch_frames: how many frames are corrected side by side.
        detection: whether a symbol gives two outcomes ("heterodyne") or one.
    """

    setting: Setting
    batch_frames: int
    detection: Detection

    @classmethod
    def of(cls, block: Block, setting: Setting) -> Batches:
        """Return the batches of a block."""
        return cls(
            setting=setting,
            batch_frames=correction_of(block).batch_frames,
            detection=settings_of(block).detection,
        )

    def __iter__(self) -> Iterator[range]:
        """Yield the numbers of the frames of each batch."""
        for first in range(0, self.setting.frames, self.batch_frames):
            yield range(first, min(first + self.batch_frames, self.setting.frames))

    @property
    def symbols_of_a_frame(self) -> int:
        """How many symbols a frame takes."""
        return self.setting.plan.frame_bits // (2 if self.detection == "heterodyne" else 1)


class Standing:
    """How the frames of a batch stand: how many increments each has had, and which are not well yet."""

    def __init__(self, frames: int) -> None:
        self.steps: NDArray[np.int64] = np.zeros(frames, dtype=np.int64)
        self.open: NDArray[np.bool_] = np.ones(frames, dtype=np.bool_)

    @property
    def rows(self) -> NDArray[np.int64]:
        """The frames that are open."""
        return np.flatnonzero(self.open)

    @property
    def well(self) -> NDArray[np.int64]:
        """The frames that are not."""
        return np.flatnonzero(~self.open)

    def settle(self, rows: NDArray[np.int64], well: NDArray[np.bool_]) -> None:
        """Take the verdict on some frames."""
        self.open[rows] = ~well


@dataclass(slots=True)
class FrameCosts:
    """What the frames cost, as both sides count it and the ledger has it."""

    plan: FramePlan
    given_up: int = 0
    dropped: int = 0
    increments: int = 0
    rounds: int = 0

    def open_batch(self, ledger: Ledger, frames: int) -> None:
        """Charge the base syndromes of a batch, and the first verdict on each frame."""
        ledger.disclose(Cause.REFERENCE_PARITIES, frames * self.plan.syndrome_bits)
        ledger.disclose(Cause.FRAME_VERDICTS, frames)
        self.rounds += 1

    def increment(self, ledger: Ledger, step: int, frames: int) -> None:
        """Charge one more part of the syndrome for some frames, and the verdict after it."""
        ledger.disclose(Cause.REFERENCE_PARITIES, frames * self.plan.increment_bits(step))
        ledger.disclose(Cause.FRAME_VERDICTS, frames)
        self.increments += frames
        self.rounds += 1

    def compare(self, ledger: Ledger, tag_bits: int, frames: int) -> None:
        """Charge the tags of some frames, and the verdict on each."""
        ledger.disclose(Cause.FRAME_TAGS, frames * tag_bits)
        ledger.disclose(Cause.FRAME_VERDICTS, frames)
        self.rounds += 1

    def give_up(self, ledger: Ledger, steps: int, *, after_comparison: bool) -> None:
        """Charge what is left of a frame that is disclosed whole after `steps` increments.

        A syndrome of s independent bits leaves n - s; where checks depend on each other it leaves more, all of which
        is disclosed too, so that n bits are charged in all.
        """
        disclosed = self.plan.syndrome_bits + sum(self.plan.increment_bits(step) for step in range(1, steps + 1))
        ledger.disclose(Cause.DROPPED_FRAMES, self.plan.frame_bits - disclosed)
        self.given_up += 1
        self.dropped += after_comparison

    def facts(self, frames: int, corrected_bits: int) -> CorrectionFacts:
        """Return what the report says of the frames."""
        return CorrectionFacts(
            frames=frames,
            frames_given_up=self.given_up,
            dropped_frames=self.dropped,
            increments=self.increments,
            reconciliation_rounds=self.rounds,
            corrected_bits=corrected_bits,
        )


@dataclass(slots=True, kw_only=True)
class BlockOfFrames:
    """What either side keeps while it goes through the frames of a block."""

    block: Block
    opened: OpenFrames
    batches: Batches
    costs: FrameCosts
    sums: MomentSums
    kept: list[Bits] = field(default_factory=list, repr=False)
    """Cores of the frames that are well. Secret."""

    @classmethod
    def begin(cls, block: Block, opened: OpenFrames, **parts: Any) -> Self:
        """Return what is kept before the first batch."""
        batches = Batches.of(block, opened.setting)
        return cls(
            block=block,
            opened=opened,
            batches=batches,
            costs=FrameCosts(plan=opened.setting.plan),
            sums=MomentSums(batches.detection),
            **parts,
        )


def cores_of(plan: FramePlan, words: NDArray[np.uint64]) -> Bits:
    """Return the bits of the cores of frames, one after another; the words of a frame are a row."""
    cores = np.ascontiguousarray(words[:, : plan.core_bits // 64])
    return Bits(cores.ravel(), len(words) * plan.core_bits)
