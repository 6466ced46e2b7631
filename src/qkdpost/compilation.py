"""Compile everything now, at installation and not at the first key; and see which code runs."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator

from qkdpost import _kernels
from qkdpost._kernels.jit.processor import clmul_path
from qkdpost.progress import Progress, telling

__all__ = ["processor_path", "warmup"]


def warmup(*, progress: bool | Progress = False) -> None:
    """Compile every kernel of the library, or load it from the cache.

    Without this the first call of each function compiles what it needs, which takes seconds. The outcome is kept on
    disk for later processes: beside the package if it can be written, else in the user's cache directory, or where
    the environment variable NUMBA_CACHE_DIR says. Call it when a host or an image is installed.

    A module of kernels takes part by a function `warm` that calls each of its kernels once, on small arguments of the
    types that the library uses.

    Args:
        progress: True draws a line on standard error, a function is told; see `Progress`. What is counted is modules
            of kernels.

    Raises:
        InputError: `progress` is neither a bool nor a function.
        RuntimeError: QKDPOST_CLMUL names a path that this processor lacks; see `processor_path`.

    Example:
        >>> import qkdpost as qp
        >>> qp.warmup()
    """
    with telling(progress) as tell:
        found = list(_warm_functions())
        for done, warm in enumerate(found):
            tell("compiling kernels", done, len(found))
            warm()
        tell("compiling kernels", len(found), len(found))


def processor_path() -> str:
    """Return which carry-less multiplication the kernels run on: what hashing is fast by.

    The best that the processor has, unless the environment variable QKDPOST_CLMUL names another. The results are the
    same, bit for bit, on each.

    - `vpclmul512`: x86-64 with AVX-512; needs VPCLMULQDQ, AVX-512F, AVX-512VL
    - `vpclmul256`: x86-64 without; needs VPCLMULQDQ, AVX2
    - `pclmul`: x86-64 from 2010 on; needs PCLMULQDQ
    - `pmull`: 64-bit ARM with the cryptography extension; needs AES and PMULL, NEON
    - `portable`: any; hashes are some fifteen times slower

    numba says what the processor has. On ARM it reads /proc/cpuinfo; where that is not there or does not tell, the
    portable path runs, until NUMBA_CPU_NAME and NUMBA_CPU_FEATURES name the processor, as in
    ``NUMBA_CPU_NAME=cortex-a72 NUMBA_CPU_FEATURES=+neon,+aes,+fp-armv8``.

    Raises:
        RuntimeError: QKDPOST_CLMUL names no path, or one that this processor lacks.

    Example:
        >>> import qkdpost as qp
        >>> qp.processor_path() in ("vpclmul512", "vpclmul256", "pclmul", "pmull", "portable")
        True
    """
    return clmul_path()


def _warm_functions() -> Iterator[Callable[[], None]]:
    for module in pkgutil.walk_packages(_kernels.__path__, f"{_kernels.__name__}."):
        warm = getattr(importlib.import_module(module.name), "warm", None)
        if warm is not None:
            yield warm
