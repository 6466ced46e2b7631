"""The stages of a block in order, and the program of each for either role."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from qkdpost.conversation import Program
from qkdpost.session.block import Block
from qkdpost.session.stages import (
    amplification,
    confirmation,
    estimation,
    reconciliation,
    sifting,
    verification,
)
from qkdpost.session.states import Stage

__all__ = ["PROGRAMS"]

StageProgram: TypeAlias = Callable[[Block], Program[None]]

PROGRAMS: dict[tuple[str, Stage], StageProgram] = {
    ("alice", Stage.SIFTING): sifting.sift,
    ("bob", Stage.SIFTING): sifting.sift,
    ("alice", Stage.ESTIMATION): estimation.lead,
    ("bob", Stage.ESTIMATION): estimation.follow,
    ("alice", Stage.RECONCILIATION): reconciliation.lead,
    ("bob", Stage.RECONCILIATION): reconciliation.follow,
    ("alice", Stage.VERIFICATION): verification.lead,
    ("bob", Stage.VERIFICATION): verification.follow,
    ("alice", Stage.AMPLIFICATION): amplification.lead,
    ("bob", Stage.AMPLIFICATION): amplification.follow,
    ("alice", Stage.CONFIRMATION): confirmation.lead,
    ("bob", Stage.CONFIRMATION): confirmation.follow,
}
