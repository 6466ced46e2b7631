"""Slices as a method of correcting frames."""

from __future__ import annotations

from qkdpost.errors import InputError
from qkdpost.reconciliation.settings import Slices
from qkdpost.reconciliation.slices.plan import SlicePlan, plan_slices
from qkdpost.security.gaussian.slices.bound import SlicedTally
from qkdpost.security.gaussian.tally import GaussianTally
from qkdpost.sifting.quadratures.whitening import ChannelEstimate
from qkdpost.stages.block import Block
from qkdpost.stages.continuous.findings import notices_of_slices
from qkdpost.stages.continuous.frame_method import FrameMethod
from qkdpost.stages.continuous.settings import settings_of
from qkdpost.stages.continuous.slices.corrector import corrector
from qkdpost.stages.continuous.slices.reference import reference

__all__ = ["SLICES"]


def _plan(settings: Slices, estimate: ChannelEstimate) -> SlicePlan:
    """Return the plan for whitened outcomes, whose variance is about 1; it hangs on disclosed symbols alone."""
    return plan_slices(
        outcome_variance=1.0,
        noise_variance=min(1.0, estimate.noise_variance),
        frame_reals=settings.frame_outcomes,
    )


def _read_plan(settings: Slices, data: bytes) -> SlicePlan:
    plan = SlicePlan.from_bytes(data)
    if plan.frame_reals != settings.frame_outcomes:
        raise InputError(f"frames of this link have {settings.frame_outcomes} outcomes; found {plan.frame_reals}")
    return plan


def _dimension(block: Block) -> int:
    return 2 if settings_of(block).detection == "heterodyne" else 1


def _tally(plan: SlicePlan, sums: GaussianTally) -> SlicedTally:
    return SlicedTally(sums=sums, width=plan.width, levels=plan.levels)


SLICES = FrameMethod(
    plan=_plan,
    read_plan=_read_plan,
    reference=reference,
    corrector=corrector,
    dimension=_dimension,
    tally=_tally,
    notices=notices_of_slices,
)
