"""What of the compiled code is on disk, and where."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from pathlib import Path

from qkdpost import _kernels
from qkdpost._kernels.jit.decorators import registered_kernels

__all__ = ["CacheState", "cache_state"]


@dataclass(frozen=True, slots=True)
class CacheState:
    """The compiled code that this process would load.

    Args:
        folders: where it lies, each folder once; empty where nothing can be written.
        kernels: how many kernels are called from Python; those that only kernels call are compiled into these.
        cached: of these, how many are on disk, as the sources stand and for this processor path.
    """

    folders: tuple[Path, ...]
    kernels: int
    cached: int


def cache_state() -> CacheState:
    """Look at the index of every kernel; nothing is compiled. Without compilation (NUMBA_DISABLE_JIT) there is none."""
    warmed: set[tuple[str, str]] = set()
    for module in pkgutil.walk_packages(_kernels.__path__, f"{_kernels.__name__}."):
        warm = getattr(importlib.import_module(module.name), "warm", None)
        warmed |= {(module.name, name) for name in warm.__code__.co_names} if warm is not None else set()
    called = [kernel for kernel in registered_kernels() if (kernel.__module__, kernel.__name__) in warmed]
    files = [getattr(dispatcher._cache, "_cache_file", None) for dispatcher in called]
    on_disk = [file for file in files if file is not None]
    return CacheState(
        folders=tuple(sorted({Path(file._cache_path) for file in on_disk})),
        kernels=len(files),
        cached=sum(bool(_listed(file)) for file in on_disk),
    )


def _listed(file: object) -> object:
    """Return what the index of a kernel's file lists, or nothing if it cannot be read."""
    try:
        return file._load_index()  # type: ignore[attr-defined]
    except Exception:  # a damaged file can raise anything
        return None
