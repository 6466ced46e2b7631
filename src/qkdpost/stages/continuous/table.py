"""The methods by which frames of real outcomes are corrected, by the settings that name them."""

from __future__ import annotations

from qkdpost.dialogue.program import Program
from qkdpost.reconciliation.settings import CorrectionSettings, Multidimensional, Slices
from qkdpost.stages.block import Block
from qkdpost.stages.continuous.frame_method import FrameMethod
from qkdpost.stages.continuous.outcomes import OpenFrames, ReverseKey
from qkdpost.stages.continuous.rotations.method import ROTATIONS
from qkdpost.stages.continuous.settings import correction_of
from qkdpost.stages.continuous.slices.method import SLICES

__all__ = ["corrector", "method_of", "reference"]

_METHODS: dict[type[CorrectionSettings], FrameMethod] = {Multidimensional: ROTATIONS, Slices: SLICES}


def method_of(block: Block) -> FrameMethod:
    """Return the method of a block.

    Raises:
        ConfigurationError: its correction is that of bits.
    """
    return _METHODS[type(correction_of(block))]


def reference(block: Block, opened: OpenFrames) -> Program[ReverseKey]:
    """Disclose all frames, batch by batch."""
    return (yield from method_of(block).reference(block, opened))


def corrector(block: Block, opened: OpenFrames) -> Program[ReverseKey]:
    """Correct all frames, batch by batch."""
    return (yield from method_of(block).corrector(block, opened))
