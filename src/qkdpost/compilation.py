"""Compile everything now, at installation and not at the first key; and see which code runs."""

from __future__ import annotations

import concurrent.futures
import contextlib
import gc
import importlib
import multiprocessing
import pkgutil
from collections.abc import Iterator

from qkdpost import _kernels
from qkdpost._kernels.jit.processor import clmul_path
from qkdpost.checks import whole_number
from qkdpost.progress import Progress, telling

__all__ = ["processor_path", "warmup"]

MAX_PROCESSES = 64
WHAT = "compiling kernels"


def warmup(*, progress: bool | Progress = False, processes: int = 1) -> None:
    """Compile every kernel of the library, or load it from the cache.

    Without this the first call of each function compiles what it needs; for all that takes about a minute, once. The
    outcome is kept on disk for later processes: beside the package if it can be written, else in the user's cache
    directory, or where the environment variable NUMBA_CACHE_DIR says. Call it when a host or an image is installed.

    A module of kernels takes part by a function `warm` that calls each of its kernels once, on small arguments of the
    types that the library uses.

    Args:
        progress: True draws a line on standard error, a function is told; see `Progress`. What is counted is modules
            of kernels.
        processes: how many compile at the same time, 1 to 64. The others are started anew (spawned), so a script
            asks for them under ``if __name__ == "__main__"``. They help where their code can be kept on disk.

    Raises:
        InputError: `progress` is neither a bool nor a function, or `processes` is no such number.
        RuntimeError: QKDPOST_CLMUL names a path that this processor lacks; see `processor_path`.

    Example:
        >>> import qkdpost as qp
        >>> qp.warmup()
    """
    processes = whole_number("processes", processes, least=1, most=MAX_PROCESSES)
    with telling(progress) as tell:
        names = _modules_to_warm()
        if processes > 1:
            _warm_elsewhere(names, processes, tell)
        for done, name in enumerate(names):
            if processes == 1:
                tell(WHAT, done, len(names))
            _warm(name)
        tell(WHAT, len(names), len(names))


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


@contextlib.contextmanager
def _collector_paused() -> Iterator[None]:
    """Keep the collector of cyclic garbage from looking through what the compiler holds: a tenth of the time."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def _modules_to_warm() -> list[str]:
    """Return the names of all modules of kernels that have something to compile."""
    names = [module.name for module in pkgutil.walk_packages(_kernels.__path__, f"{_kernels.__name__}.")]
    return [name for name in names if hasattr(importlib.import_module(name), "warm")]


def _warm(name: str) -> None:
    with _collector_paused():
        importlib.import_module(name).warm()


def _warm_elsewhere(names: list[str], processes: int, tell: Progress) -> None:
    """Let other processes compile, each a module at a time, so that this one need only load what they kept."""
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(processes, mp_context=context) as pool:
        waiting = [pool.submit(_warm, name) for name in names]
        for done, future in enumerate(concurrent.futures.as_completed(waiting)):
            tell(WHAT, done, len(names))
            future.result()
