"""The one decorator of every kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

__all__ = ["kernel"]

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function) -> Function:
    """Compile `function` at its first call: cached on disk, without the interpreter lock."""
    compiled: Any = numba.njit(cache=True, nogil=True)(function)
    return cast("Function", compiled)
