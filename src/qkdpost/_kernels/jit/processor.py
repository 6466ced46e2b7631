"""What the processor offers, and which carry-less multiplication above all."""

from __future__ import annotations

import functools
import os

from qkdpost._kernels.jit.environment import JIT_ENABLED

__all__ = ["CLMUL_PATHS", "clmul_path", "has_fast_bit_moves", "processor_features"]

CLMUL_PATHS = {
    "vpclmul512": frozenset({"vpclmulqdq", "avx512f", "avx512vl"}),
    "vpclmul256": frozenset({"vpclmulqdq", "avx2"}),
    "pclmul": frozenset({"pclmul"}),
    "pmull": frozenset({"aes", "neon"}),
    "portable": frozenset[str](),
}
"""The paths, best first, and the processor features that each needs."""


@functools.cache
def clmul_path() -> str:
    """Return the best path that this processor has, or the one that QKDPOST_CLMUL names.

    Raises:
        RuntimeError: QKDPOST_CLMUL names no path, or one that this processor lacks.
    """
    forced = os.environ.get("QKDPOST_CLMUL", "")
    if forced and forced not in CLMUL_PATHS:
        raise RuntimeError(f"QKDPOST_CLMUL must be one of {', '.join(CLMUL_PATHS)}; found {forced!r}")
    if not JIT_ENABLED:
        return "portable"
    features = processor_features()
    if forced and not CLMUL_PATHS[forced] <= features:
        missing = ", ".join(sorted(CLMUL_PATHS[forced] - features))
        raise RuntimeError(f"QKDPOST_CLMUL={forced} needs {missing}, which {_whose_fault(features)}")
    return forced or next(path for path, needed in CLMUL_PATHS.items() if needed <= features)


def _whose_fault(features: frozenset[str]) -> str:
    from numba.core import config  # noqa: PLC0415

    if vars(config)["CPU_FEATURES"] is not None:
        return "the environment variable NUMBA_CPU_FEATURES does not list"
    if not features:
        return (
            "may be there, but no feature of this processor can be read (on ARM they are read from /proc/cpuinfo); "
            "set NUMBA_CPU_NAME and NUMBA_CPU_FEATURES, as in NUMBA_CPU_FEATURES=+neon,+aes"
        )
    return "this processor lacks"


def has_fast_bit_moves() -> bool:
    """Return whether one fast instruction extracts the bits under a mask (BMI2); never on the portable path."""
    slow = {"bdver4", "znver1", "znver2"}
    return clmul_path() != "portable" and "bmi2" in processor_features() and _processor_name() not in slow


def _processor_name() -> str:
    """Return the name that LLVM has for the processor that numba generates code for."""
    from llvmlite import binding  # noqa: PLC0415
    from numba.core import config  # noqa: PLC0415

    chosen: str | None = vars(config)["CPU_NAME"]
    return binding.get_host_cpu_name() if chosen in (None, "host") else str(chosen)


def processor_features() -> frozenset[str]:
    """Return the features that numba generates code for: the host's, unless numba is told otherwise."""
    from numba.core import codegen, config  # noqa: PLC0415

    chosen: str | None = vars(config)["CPU_FEATURES"]
    listed: str = codegen.get_host_cpu_features() if chosen is None else chosen  # type: ignore[no-untyped-call]
    return frozenset(name[1:] for name in listed.split(",") if name.startswith("+"))
