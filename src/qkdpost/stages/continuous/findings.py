"""What a diagnosis of outcomes or calibrations means for a block."""

from __future__ import annotations

from collections.abc import Sequence

from qkdpost.dialogue.messages import AbortReason
from qkdpost.dialogue.program import AbortBlock
from qkdpost.reconciliation.raptor.plan import MIN_EXTENSION_ROWS, FramePlan
from qkdpost.reconciliation.slices.plan import SlicePlan
from qkdpost.sifting.quadratures.diagnosis import Diagnosis

__all__ = ["notices_of", "notices_of_rate", "notices_of_slices"]

STRONG_SIGNAL = 0.6
"""A signal-to-noise ratio from which slices of long frames leave more than rotations at their highest code rate: 0.869
of the mutual information there against 0.843."""
WEAK_SIGNAL = {1 << 14: 0.68, 1 << 16: 0.62, 1 << 18: 0.55}
"""By the outcomes of a sliced frame, one below which rotations leave more: 0.763, 0.821 and 0.879 there, against 0.738,
0.779 and 0.860."""


def notices_of(findings: Sequence[Diagnosis]) -> tuple[str, ...]:
    """Return warnings in words, for the report.

    Raises:
        AbortBlock: a finding is beyond what a proof can be applied to.
    """
    refusals = [str(finding) for finding in findings if finding.severity == "refusal"]
    if refusals:
        raise AbortBlock(AbortReason.NO_KEY_LEFT, "; ".join(refusals))
    return tuple(str(finding) for finding in findings)


def notices_of_rate(plan: FramePlan, signal_to_noise: float) -> tuple[str, ...]:
    """Return a warning where the signal is so strong that even the highest rate of the codes wastes much of it.

    The key is shorter for it, and no less secure: more is disclosed than would have to be, and all of it is charged.
    """
    if plan.extension_rows > MIN_EXTENSION_ROWS or signal_to_noise < STRONG_SIGNAL:
        return ()
    return (
        f"a signal-to-noise ratio of {signal_to_noise:.3g} is more than the highest code rate, {plan.rate:.3f}, is "
        "for: correction by Slices() leaves more key, or a lower modulation variance",
    )


def notices_of_slices(plan: SlicePlan, signal_to_noise: float) -> tuple[str, ...]:
    """Return a warning where the signal is so weak that slices waste much of it."""
    if signal_to_noise >= WEAK_SIGNAL[plan.frame_reals]:
        return ()
    return (
        f"a signal-to-noise ratio of {signal_to_noise:.3g} is less than slices are for: correction by "
        "Multidimensional() leaves more key",
    )
