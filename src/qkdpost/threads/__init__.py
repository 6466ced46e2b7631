"""Work that is shared among the threads of an executor that a host gives."""

from qkdpost.threads.crew import Crew, Party
from qkdpost.threads.pieces import (
    Step,
    each,
    in_pieces,
    in_steps,
    sharing,
    threads_at_work,
    threads_for_good,
    threads_of,
)

__all__ = [
    "Crew",
    "Party",
    "Step",
    "each",
    "in_pieces",
    "in_steps",
    "sharing",
    "threads_at_work",
    "threads_for_good",
    "threads_of",
]
