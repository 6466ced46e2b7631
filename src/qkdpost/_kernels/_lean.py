"""The decorator of kernels that pass the same arrays down long chains of calls.

numba counts a reference whenever an array goes to a kernel that was not inlined: two atomic instructions for each array
and call, which was two fifths of the time of a round of Cascade. A kernel that makes no array needs no counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from qkdpost._kernels._jit import JIT_ENABLED, _Deferred, _dispatchers, kernel

__all__ = ["lean_kernel"]

Function = TypeVar("Function", bound=Callable[..., Any])


def lean_kernel(function: Function) -> Function:
    """Compile `function` as `kernel` does, without reference counts; it must not make arrays."""
    if not JIT_ENABLED:
        return kernel(function)
    return cast("Function", _Deferred(function, _build))


def _build(function: Callable[..., Any]) -> Any:
    import numba  # noqa: PLC0415

    from qkdpost._kernels._cache import enable_cache  # noqa: PLC0415

    compiler: Any = numba.njit
    dispatcher = compiler(nogil=True, _nrt=False)(function)
    enable_cache(dispatcher)
    _dispatchers.append(dispatcher)
    return dispatcher
