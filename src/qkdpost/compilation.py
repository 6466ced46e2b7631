"""Compile everything now: at installation, not at the first key."""

from __future__ import annotations

import importlib
import pkgutil

from qkdpost import _kernels

__all__ = ["warmup"]


def warmup() -> None:
    """Compile every kernel of the library, or load it from the cache.

    Without this the first call of each function compiles what it needs, which takes seconds. The outcome is kept on
    disk for later processes: beside the package if it can be written, else in the user's cache directory, or where
    the environment variable NUMBA_CACHE_DIR says. Call it when a host or an image is installed.

    A module of kernels takes part by a function `warm` that calls each of its kernels once, on small arguments of the
    types that the library uses.
    """
    for module in pkgutil.walk_packages(_kernels.__path__, f"{_kernels.__name__}."):
        warm = getattr(importlib.import_module(module.name), "warm", None)
        if warm is not None:
            warm()
