"""Work that is shared among the threads of an executor that a host gives."""

from qkdpost.threads.crew import Crew, Party
from qkdpost.threads.pieces import (
    each,
    in_pieces,
    sharing,
    threads_at_work,
    threads_for_good,
    threads_of,
    together,
)

__all__ = [
    "Crew",
    "Party",
    "each",
    "in_pieces",
    "sharing",
    "threads_at_work",
    "threads_for_good",
    "threads_of",
    "together",
]
