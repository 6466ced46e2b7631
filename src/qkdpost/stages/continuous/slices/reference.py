"""Correction at the reference: it slices its outcomes; their cells are the key, their places within cells public."""

from __future__ import annotations

from qkdpost.checks import instance
from qkdpost.dialogue.messages import FrameSlices
from qkdpost.dialogue.program import PAUSE, Program
from qkdpost.errors import ConfigurationError
from qkdpost.reconciliation.slices.batch import disclose_wrong
from qkdpost.reconciliation.slices.conversation import reference_rounds
from qkdpost.reconciliation.slices.frames import SlicedFrames, join_frames, slice_outcomes
from qkdpost.reconciliation.slices.messages import encode_first
from qkdpost.reconciliation.slices.plan import SlicePlan
from qkdpost.stages.block import Block
from qkdpost.stages.continuous.comparison import say_tags
from qkdpost.stages.continuous.outcomes import OpenFrames, ReverseKey
from qkdpost.stages.continuous.slices.frames import BlockOfSlices, SliceCosts
from qkdpost.stages.reconciliation import exchange_rounds

__all__ = ["reference"]


class _Sender(BlockOfSlices):
    """The reference while it goes through the frames of a block."""

    __slots__ = ()

    def send_batch(self, numbers: range) -> Program[None]:
        """Disclose what lets the corrector find a batch, until each frame is found or disclosed whole."""
        frames = []
        for number in numbers:
            frames.append((yield from self._send_frame(number)))
        batch = yield from exchange_rounds(self.block, reference_rounds(join_frames(frames), self.plan))
        yield from self.settle(numbers[0], batch, say_tags, disclose_wrong)

    def _send_frame(self, number: int) -> Program[SlicedFrames]:
        """Slice the outcomes of a frame, and say places, turns and syndromes.

        What is added up are outcomes as labels and places tell them: the same as the corrector's.
        """
        white, choices = self.whitened_outcomes()
        sliced = slice_outcomes(white.ravel(), self.plan)
        self.sums.add_outcomes(sliced.outcomes(self.plan).reshape(white.shape), choices)
        yield FrameSlices(block=self.block.number, frame=number, data=encode_first(sliced, self.plan))
        yield PAUSE
        return sliced


def reference(block: Block, opened: OpenFrames) -> Program[ReverseKey]:
    """Disclose all frames, batch by batch."""
    plan = instance("plan", opened.setting.plan, SlicePlan, error=ConfigurationError)
    sender = _Sender.begin(block, opened, plan, SliceCosts())
    for numbers in sender.batches:
        yield from sender.send_batch(numbers)
    return (yield from sender.finish(sender.sums.result(), opened.calibration))
