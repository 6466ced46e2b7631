"""What a diagnosis of outcomes or calibrations means for a block."""

from __future__ import annotations

from collections.abc import Sequence

from qkdpost.dialogue.messages import AbortReason
from qkdpost.dialogue.program import AbortBlock
from qkdpost.sifting.quadratures.diagnosis import Diagnosis

__all__ = ["notices_of"]


def notices_of(findings: Sequence[Diagnosis]) -> tuple[str, ...]:
    """Return warnings in words, for the report.

    Raises:
        AbortBlock: a finding is beyond what a proof can be applied to.
    """
    refusals = [str(finding) for finding in findings if finding.severity == "refusal"]
    if refusals:
        raise AbortBlock(AbortReason.NO_KEY_LEFT, "; ".join(refusals))
    return tuple(str(finding) for finding in findings)
