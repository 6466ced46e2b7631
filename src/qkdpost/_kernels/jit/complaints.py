"""What is wrong with where compiled kernels are kept, said once in a process and not for each kernel."""

from __future__ import annotations

import warnings

__all__ = ["complain"]

_said: list[str] = []


def complain(sentence: str) -> None:
    """Warn of it (RuntimeWarning), unless something was complained of before."""
    if not _said:
        _said.append(sentence)
        warnings.warn(sentence, RuntimeWarning, stacklevel=2)
