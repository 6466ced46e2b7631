"""Bits of one word under the ones of a mask, brought together and put back, for use inside kernels.

One machine instruction each on x86-64 with BMI2, but for the processors that take it apart into hundreds of steps. On
all others the functions of this file are compiled as they stand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from qkdpost._kernels.jit.decorators import intrinsic
from qkdpost._kernels.jit.processor import has_fast_bit_moves

__all__ = ["deposit", "deposit_one_by_one", "extract", "extract_in_moves"]


def extract_in_moves(word: Any, mask: Any) -> Any:
    """Do what `extract` does, in six moves.

    A bit goes down by as many places as the mask has zeros below it; move i takes along those bits for which this
    number has bit i. That bit is the parity of the zeros below, once only every (2^i)th zero is counted.
    """
    zeros = ~mask
    word = word & mask
    distance = np.uint64(1)
    while distance != np.uint64(64):
        odd = zeros << np.uint64(1)
        step = np.uint64(1)
        while step != np.uint64(64):
            odd = odd ^ (odd << step)
            step = step << np.uint64(1)
        moving = mask & odd
        mask = (mask ^ moving) | (moving >> distance)
        taken = word & moving
        word = (word ^ taken) | (taken >> distance)
        zeros = zeros & odd
        distance = distance << np.uint64(1)
    return word


def deposit_one_by_one(word: Any, mask: Any) -> Any:
    """Do what `deposit` does, bit by bit."""
    placed = np.uint64(0)
    while mask != np.uint64(0):
        rest = mask & (mask - np.uint64(1))
        if word & np.uint64(1):
            placed = placed | (mask ^ rest)
        word = word >> np.uint64(1)
        mask = rest
    return placed


def _lowering(instruction: str, elsewhere: Callable[..., Any]) -> Callable[..., Any]:
    """Return what generates an instruction on two words, or else compiles a function in its place."""

    def generate(typing_context: Any, word: Any, mask: Any) -> Any:
        from llvmlite import ir  # noqa: PLC0415
        from numba import types  # noqa: PLC0415

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            if not has_fast_bit_moves():
                return context.compile_internal(builder, elsewhere, signature, arguments)
            kind = ir.FunctionType(ir.IntType(64), [ir.IntType(64)] * 2)
            found = builder.module.globals.get(instruction)
            return builder.call(found or ir.Function(builder.module, kind, instruction), arguments)

        return types.uint64(types.uint64, types.uint64), emit

    return generate


@intrinsic(_lowering("llvm.x86.bmi.pext.64", extract_in_moves))
def extract(word: np.uint64, mask: np.uint64) -> np.uint64:
    """Return the bits of `word` under the ones of `mask`, in their order, from bit 0 on; zeros above them."""
    found, place = 0, 0
    rest = int(mask)
    while rest:
        lowest = rest & -rest
        found |= bool(int(word) & lowest) << place
        place += 1
        rest ^= lowest
    return np.uint64(found)


@intrinsic(_lowering("llvm.x86.bmi.pdep.64", deposit_one_by_one))
def deposit(word: np.uint64, mask: np.uint64) -> np.uint64:
    """Return the lowest bits of `word` under the ones of `mask`, in their order; zeros elsewhere."""
    placed, left = 0, int(word)
    rest = int(mask)
    while rest:
        lowest = rest & -rest
        placed |= lowest * (left & 1)
        left >>= 1
        rest ^= lowest
    return np.uint64(placed)
