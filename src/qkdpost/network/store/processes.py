"""Which process this is, known without asking the operating system each time."""

from __future__ import annotations

import os

__all__ = ["this_process"]

_number = os.getpid()


def this_process() -> int:
    """Return the number of this process; another one after a fork."""
    return _number


def _learn() -> None:
    global _number  # noqa: PLW0603 - a fork is of the whole process
    _number = os.getpid()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_learn)
