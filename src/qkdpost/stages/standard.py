"""The stages that kinds of QKD with bits have in common."""

from __future__ import annotations

from qkdpost.stages.estimation import ESTIMATION
from qkdpost.stages.length_agreement import LENGTH_AGREEMENT
from qkdpost.stages.reconciliation import RECONCILIATION
from qkdpost.stages.release import RELEASE
from qkdpost.stages.stage import Stage
from qkdpost.stages.verification import VERIFICATION

__all__ = ["AFTER_SIFTING", "FROM_COMPARED_TO_KEY"]

FROM_COMPARED_TO_KEY: tuple[Stage, ...] = (RECONCILIATION, VERIFICATION, LENGTH_AGREEMENT, RELEASE)
"""What follows on estimation."""
AFTER_SIFTING: tuple[Stage, ...] = (ESTIMATION, *FROM_COMPARED_TO_KEY)
"""What follows on sifting."""
