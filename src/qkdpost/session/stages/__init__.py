"""The stages of a block in order, and the program of each for either role."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from qkdpost.dialogue.program import Program
from qkdpost.session.blocks.block import Block
from qkdpost.session.stages import (
    estimation,
    length_agreement,
    reconciliation,
    release,
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
    ("alice", Stage.AMPLIFICATION): length_agreement.lead,
    ("bob", Stage.AMPLIFICATION): length_agreement.follow,
    ("alice", Stage.CONFIRMATION): release.lead,
    ("bob", Stage.CONFIRMATION): release.follow,
}
