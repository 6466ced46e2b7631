"""Asking the processor to bring a word of an array near before it is needed; changes nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.jit.decorators import intrinsic

__all__ = ["prefetch"]


def _lowering(typing_context: Any, array: Any, index: Any) -> Any:
    from llvmlite import ir  # noqa: PLC0415
    from numba import types  # noqa: PLC0415

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view = context.make_array(signature.args[0])(context, builder, arguments[0])
        pointer = builder.bitcast(builder.gep(view.data, [arguments[1]]), ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, number, number, number])
        function = builder.module.globals.get("llvm.prefetch.p0i8") or builder.module.declare_intrinsic(
            "llvm.prefetch", [pointer.type], kind
        )
        # For writing, to be kept near, data.
        builder.call(function, [pointer, number(1), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(array, types.int64), emit


@intrinsic(_lowering)
def prefetch(array: NDArray[np.uint64], index: int) -> None:
    """Ask for the cache line of ``array[index]``; an index outside is harmless."""
