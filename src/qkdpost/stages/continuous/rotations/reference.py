"""Correction at the reference: it draws secret bits, and discloses what lets the corrector find them.

For each vector of outcomes the reference draws bits of its own, and says by which rotation the direction of outcomes
becomes the direction that stands for the bits; see `qkdpost.reconciliation.multidimensional.channel` for why that tells
nothing of them. The bits come from the random source of the session; they are the key.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkdpost.bits import Bits
from qkdpost.checks import instance
from qkdpost.dialogue.messages import FrameRotations, FrameSyndrome
from qkdpost.dialogue.program import PAUSE, Program
from qkdpost.errors import ConfigurationError
from qkdpost.reconciliation.multidimensional import rotation_messages
from qkdpost.reconciliation.raptor.plan import FramePlan
from qkdpost.reconciliation.raptor.syndromes import syndrome_of_increment, syndromes_of
from qkdpost.stages.block import Block
from qkdpost.stages.continuous.comparison import hear_verdict, say_tags
from qkdpost.stages.continuous.frames import BlockOfFrames
from qkdpost.stages.continuous.outcomes import OpenFrames, ReverseKey
from qkdpost.stages.continuous.parts import slices
from qkdpost.stages.continuous.rotations.frames import PART_REALS, RotationCosts, Standing, cores_of
from qkdpost.stages.continuous.settings import rotations_of

__all__ = ["reference"]


class _Sender(BlockOfFrames[FramePlan, RotationCosts]):
    """The reference while it goes through the frames of a block."""

    __slots__ = ()

    def send_batch(self, numbers: range) -> Program[None]:
        """Disclose a batch, step by step, until each frame is well or disclosed whole."""
        plan, ledger = self.plan, self.block.ledger
        words = np.empty((len(numbers), plan.frame_bits // 64), dtype=np.uint64)
        for row, number in enumerate(numbers):
            yield from self._send_frame(number, words[row])
        self.costs.open_batch(ledger, len(numbers))
        standing = Standing(len(numbers))
        yield from self._hear_verdict(numbers, 0, standing, standing.rows)
        for step in range(1, plan.max_steps + 1):
            rows = standing.rows
            if not rows.size:
                break
            for row, part in zip(rows, syndrome_of_increment(plan, words[rows], step), strict=True):
                yield self._disclose(numbers[row], step, part)
            standing.steps[rows] = step
            self.costs.increment(ledger, step, rows.size)
            yield from self._hear_verdict(numbers, step, standing, rows)
        yield from self._give_up(numbers, words, standing, standing.rows, after_comparison=False)
        yield from self._compare(numbers, words, standing)

    def _send_frame(self, number: int, words: NDArray[np.uint64]) -> Program[None]:
        """Draw the secret bits of a frame, and say rotations and syndrome."""
        plan = self.plan
        bits = Bits.from_bytes(self.block.random_source(plan.frame_bits // 8), plan.frame_bits)
        words[:] = bits.words
        white, choices = self.whitened_outcomes()
        self.sums.add_outcomes(white, choices)
        outcomes, dimension = white.ravel(), rotations_of(self.block).dimension
        for part, begin, end in slices(plan.frame_bits, PART_REALS):
            message = rotation_messages(outcomes[begin:end], bits[begin:end], dimension)
            yield FrameRotations(block=self.block.number, frame=number, part=part, data=message.to_bytes())
        yield self._disclose(number, 0, syndromes_of(plan, words[None])[0])
        yield PAUSE

    def _disclose(self, number: int, step: int, words: NDArray[np.uint64]) -> FrameSyndrome:
        data = words.astype("<u8", copy=False).tobytes()
        return FrameSyndrome(block=self.block.number, frame=number, step=step, data=data)

    def _hear_verdict(self, numbers: range, step: int, standing: Standing, rows: NDArray[np.int64]) -> Program[None]:
        standing.settle(rows, (yield from hear_verdict(numbers[0], step, rows.size)))

    def _give_up(
        self,
        numbers: range,
        words: NDArray[np.uint64],
        standing: Standing,
        rows: NDArray[np.int64],
        *,
        after_comparison: bool,
    ) -> Program[None]:
        """Disclose frames whole: they make no key, and their outcomes count."""
        for row in rows:
            yield self._disclose(numbers[row], self.plan.max_steps + 1, words[row])
            self.costs.give_up(self.block.ledger, int(standing.steps[row]), after_comparison=after_comparison)

    def _compare(self, numbers: range, words: NDArray[np.uint64], standing: Standing) -> Program[None]:
        """Tag the frames that the corrector calls well, and keep those that it finds equal."""
        plan, rows = self.plan, standing.well
        if not rows.size:
            return
        cores = cores_of(plan, words[rows])
        equal = yield from say_tags(self.block, numbers[0], plan.max_steps + 1, cores, plan.core_bits)
        self.costs.compare(self.block.ledger, self.block.blocks.frame_tag_bits, rows.size)
        standing.settle(rows, equal)
        yield from self._give_up(numbers, words, standing, rows[~equal], after_comparison=True)
        self.kept.append(cores_of(plan, words[standing.well]))


def reference(block: Block, opened: OpenFrames) -> Program[ReverseKey]:
    """Disclose all frames, batch by batch."""
    plan = instance("plan", opened.setting.plan, FramePlan, error=ConfigurationError)
    sender = _Sender.begin(block, opened, plan, RotationCosts(plan=plan))
    for numbers in sender.batches:
        yield from sender.send_batch(numbers)
    return (yield from sender.finish(sender.sums.result(), opened.calibration))
