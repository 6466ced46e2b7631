"""What threads that are in one kernel at once tell each other: counters, and a moment's pause while one waits.

Where nothing is compiled they are plain reads and writes; there one thread alone may be in a kernel.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.jit.decorators import intrinsic

__all__ = ["counted_up", "pause", "seen"]

Counters = NDArray[np.int64]


def _pointer(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    view = context.make_array(signature.args[0])(context, builder, arguments[0])
    return builder.gep(view.data, [arguments[1]])


def _counting(typing_context: Any, counters: Any, index: Any) -> Any:
    from llvmlite import ir  # noqa: PLC0415
    from numba import types  # noqa: PLC0415

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, signature, arguments)
        return builder.atomic_rmw("add", pointer, ir.IntType(64)(1), "acq_rel")

    return types.int64(counters, types.int64), emit


@intrinsic(_counting)
def counted_up(counters: Counters, index: int) -> int:
    """Add one to ``counters[index]`` and return what it was before.

    What this thread wrote earlier is seen by whoever sees the new count.
    """
    found = int(counters[index])
    counters[index] += 1
    return found


def _seeing(typing_context: Any, counters: Any, index: Any) -> Any:
    from numba import types  # noqa: PLC0415

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load_atomic(_pointer(context, builder, signature, arguments), "acquire", 8)

    return types.int64(counters, types.int64), emit


@intrinsic(_seeing)
def seen(counters: Counters, index: int) -> int:
    """Return ``counters[index]`` as it is now, and see what was written before it became so."""
    return int(counters[index])


def _pausing(typing_context: Any) -> Any:
    from llvmlite import ir  # noqa: PLC0415
    from numba import types  # noqa: PLC0415

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        name, given = _pause_of_processor(str(builder.module.triple))
        if name:
            kind = ir.FunctionType(ir.VoidType(), [value.type for value in given])
            function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
            builder.call(function, given)
        return context.get_dummy_value()

    return types.void(), emit


def _pause_of_processor(triple: str) -> tuple[str, list[Any]]:
    """Return the instruction with which this processor leaves its core to others for a moment, if it is known."""
    from llvmlite import ir  # noqa: PLC0415

    processor = triple.partition("-")[0]
    if processor in {"x86_64", "amd64", "i386", "i686"}:
        return "llvm.x86.sse2.pause", []
    if processor in {"aarch64", "arm64"}:
        return "llvm.aarch64.hint", [ir.IntType(32)(1)]
    return "", []


@intrinsic(_pausing)
def pause() -> None:
    """Do nothing for some tens of cycles, and let what shares the core go on."""
