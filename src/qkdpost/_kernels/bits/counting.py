"""Counting within one 64-bit word, for use inside kernels: one machine instruction each."""

from __future__ import annotations

from typing import Any

import numpy as np

from qkdpost._kernels.jit.decorators import intrinsic

__all__ = ["leading_zeros", "ones", "trailing_zeros"]


def _lowering(instruction: str, *, zero_undefined: bool) -> Any:
    """Return what generates `instruction` of the LLVM builder for one uint64, giving an int64."""

    def generate(typing_context: Any, word: Any) -> Any:
        from numba import types  # noqa: PLC0415

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            flags = [context.get_constant(types.boolean, True)] if zero_undefined else []
            return getattr(builder, instruction)(arguments[0], *flags)

        return types.int64(types.uint64), emit

    return generate


@intrinsic(_lowering("ctpop", zero_undefined=False))
def ones(word: np.uint64) -> int:
    """Return the number of ones."""
    return int(word).bit_count()


@intrinsic(_lowering("cttz", zero_undefined=True))
def trailing_zeros(word: np.uint64) -> int:
    """Return the number of zeros below the lowest one of a word that is not zero."""
    return (int(word) & -int(word)).bit_length() - 1


@intrinsic(_lowering("ctlz", zero_undefined=True))
def leading_zeros(word: np.uint64) -> int:
    """Return the number of zeros above the highest one of a word that is not zero."""
    return 64 - int(word).bit_length()
