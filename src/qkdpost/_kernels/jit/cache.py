"""Where compiled kernels are kept, if anywhere.

Imported by `decorators` when the first kernel is called; it brings numba along.
"""

from __future__ import annotations

from typing import Any

from qkdpost._kernels.jit.complaints import complain
from qkdpost._kernels.jit.processor import clmul_path

__all__ = ["enable_cache"]


def enable_cache(dispatcher: Any) -> None:
    """Keep the compiled code of `dispatcher` on disk, if there is a place for it; else say once that there is none."""
    clmul_path()  # a path that this processor lacks is an error, not a reason to go without a cache
    try:
        from qkdpost._kernels.jit.source_cache import SourceCache  # noqa: PLC0415
    except ImportError as error:
        complain(f"this release of numba keeps compiled code in another way ({error}): each process compiles anew")
        return
    try:
        dispatcher._cache = SourceCache(dispatcher.py_func)  # type: ignore[no-untyped-call]
    except (RuntimeError, OSError):
        complain(
            "there is no place for compiled kernels: neither the package nor the user's cache directory can be "
            "written, so that each process compiles anew, which takes about a minute for all kernels; set "
            "NUMBA_CACHE_DIR to a directory that can be written, or call qkdpost.warmup() where the package is "
            "installed, before it is sealed"
        )
