"""What a method of correcting frames of real outcomes brings to the stages of a block."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from qkdpost.dialogue.program import Program
from qkdpost.security.gaussian.slices.bound import SlicedTally
from qkdpost.security.gaussian.tally import GaussianTally
from qkdpost.sifting.quadratures.whitening import ChannelEstimate
from qkdpost.stages.block import Block
from qkdpost.stages.continuous.outcomes import FramesPlan, OpenFrames, ReverseKey

__all__ = ["FrameMethod"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameMethod:
    """A method of correcting frames, whatever the stages before and after it do.

    Args:
        plan: of settings of the method and what disclosed symbols told: how a block's frames are corrected; raises
            InputError where they cannot be.
        read_plan: of settings and the peer's bytes: its plan; raises InputError where it is none.
        reference: discloses all frames of a block.
        corrector: finds what the reference keeps of them.
        dimension: of a block: how many outcomes the method takes for one.
        tally: of the plan and the sums over a block: what the bound counts.
        notices: of the plan and the signal-to-noise ratio: what is unusual about them.
    """

    plan: Callable[[Any, ChannelEstimate], FramesPlan]
    read_plan: Callable[[Any, bytes], FramesPlan]
    reference: Callable[[Block, OpenFrames], Program[ReverseKey]]
    corrector: Callable[[Block, OpenFrames], Program[ReverseKey]]
    dimension: Callable[[Block], int]
    tally: Callable[[Any, GaussianTally], GaussianTally | SlicedTally]
    notices: Callable[[Any, float], tuple[str, ...]]
