"""A stage of a block: a program for each duty, and the messages that it hears."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, TypeAlias

from qkdpost.dialogue.messages import BlockMessage
from qkdpost.dialogue.program import Program
from qkdpost.stages.block import Block, Duty

__all__ = ["Hears", "Stage", "StageProgram", "heard_from"]

StageProgram: TypeAlias = Callable[[Block, Any], Program[Any]]
"""From the block and the outcome of the stage before (None for the first) to the outcome of this one."""
Hears: TypeAlias = frozenset[type[BlockMessage]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of a block.

    Args:
        name: of the stage, in lower case, as events and reports show it.
        reference: the program of the host whose string is kept.
        corrector: the program of the host that corrects its own.
        reference_hears: the messages that the reference's program waits for.
        corrector_hears: those that the corrector's waits for.
    """

    name: str
    reference: StageProgram
    corrector: StageProgram
    reference_hears: Hears = frozenset()
    corrector_hears: Hears = frozenset()

    def program(self, duty: Duty) -> StageProgram:
        """Return the program of one duty."""
        return self.reference if duty is Duty.REFERENCE else self.corrector

    def hears(self, duty: Duty) -> Hears:
        """Return the messages that one duty's program waits for."""
        return self.reference_hears if duty is Duty.REFERENCE else self.corrector_hears


def heard_from(stages: Sequence[Stage], duty: Duty) -> tuple[Hears, ...]:
    """Return for each stage what it or a later one hears: a message of these may come early, and then waits."""
    heard = list(accumulate((stage.hears(duty) for stage in reversed(stages)), Hears.union))
    return tuple(reversed(heard))
