"""The stages of kinds with continuous outcomes, in order."""

from __future__ import annotations

from qkdpost.dialogue.messages import (
    CorrectionRound,
    FrameFlags,
    FrameRotations,
    FrameSlices,
    FrameSyndrome,
    FrameTags,
)
from qkdpost.stages.continuous.disclosure import DISCLOSURE
from qkdpost.stages.continuous.estimation import LATE_ESTIMATION
from qkdpost.stages.continuous.table import corrector, reference
from qkdpost.stages.continuous.verification import BLOCK_VERIFICATION
from qkdpost.stages.length_agreement import LENGTH_AGREEMENT
from qkdpost.stages.release import RELEASE
from qkdpost.stages.stage import Stage

__all__ = ["REVERSE_RECONCILIATION"]

CORRECTION = Stage(
    name="reverse reconciliation",
    reference=reference,
    corrector=corrector,
    reference_hears=frozenset({FrameFlags, CorrectionRound}),
    corrector_hears=frozenset({FrameRotations, FrameSlices, FrameSyndrome, FrameTags, CorrectionRound}),
)
REVERSE_RECONCILIATION: tuple[Stage, ...] = (
    DISCLOSURE,
    CORRECTION,
    LATE_ESTIMATION,
    BLOCK_VERIFICATION,
    LENGTH_AGREEMENT,
    RELEASE,
)
"""From records to key."""
