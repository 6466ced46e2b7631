"""Rotations as a method of correcting frames."""

from __future__ import annotations

from qkdpost.reconciliation.raptor.plan import FramePlan, plan_frames
from qkdpost.reconciliation.settings import Multidimensional
from qkdpost.security.gaussian.tally import GaussianTally
from qkdpost.sifting.quadratures.whitening import ChannelEstimate
from qkdpost.stages.block import Block
from qkdpost.stages.continuous.findings import notices_of_rate
from qkdpost.stages.continuous.frame_method import FrameMethod
from qkdpost.stages.continuous.rotations.corrector import corrector
from qkdpost.stages.continuous.rotations.reference import reference
from qkdpost.stages.continuous.settings import rotations_of

__all__ = ["ROTATIONS"]


def _plan(settings: Multidimensional, estimate: ChannelEstimate) -> FramePlan:
    return plan_frames(estimate.signal_to_noise)


def _read_plan(settings: Multidimensional, data: bytes) -> FramePlan:
    return FramePlan.from_bytes(data)


def _dimension(block: Block) -> int:
    return rotations_of(block).dimension


def _tally(plan: FramePlan, sums: GaussianTally) -> GaussianTally:
    return sums


ROTATIONS = FrameMethod(
    plan=_plan,
    read_plan=_read_plan,
    reference=reference,
    corrector=corrector,
    dimension=_dimension,
    tally=_tally,
    notices=notices_of_rate,
)
