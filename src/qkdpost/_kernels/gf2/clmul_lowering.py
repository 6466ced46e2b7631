"""The LLVM code behind `clmul_lanes`, for each path of carry-less multiplication.

numba and llvmlite are imported when code is generated, not before.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.jit.processor import clmul_path

__all__ = ["emit_product", "picked", "product", "product_words"]

WORDS = 8

# Which words of the concatenation of two vectors (or of one and zeros) make up the result.
RAISE_LOW = (8, 0, 8, 2, 8, 4, 8, 6)
LOWER_HIGH = (1, 8, 3, 8, 5, 8, 7, 8)
SWAP_WORDS = (1, 0, 3, 2, 5, 4, 7, 6)
EVEN_LANES = (0, 1, 4, 5, 8, 9, 12, 13)
ODD_LANES = (2, 3, 6, 7, 10, 11, 14, 15)
INTERLEAVE_LOW = (0, 1, 8, 9, 2, 3, 10, 11)
INTERLEAVE_HIGH = (4, 5, 12, 13, 6, 7, 14, 15)
LOW_HALVES = (0, 1, 2, 3, 8, 9, 10, 11)
HIGH_HALVES = (4, 5, 6, 7, 12, 13, 14, 15)
LOW_WORDS = (0, 8, 2, 10, 4, 12, 6, 14)
HIGH_WORDS = (1, 9, 3, 11, 5, 13, 7, 15)
PREVIOUS_WORDS = (8, 0, 1, 2, 8, 4, 5, 6)
LAST_TO_FIRST = (3, 8, 8, 8, 7, 8, 8, 8)
PREVIOUS_EIGHT = (8, 0, 1, 2, 3, 4, 5, 6)
LAST_OF_EIGHT = (7, 8, 8, 8, 8, 8, 8, 8)
UPPER_TO_LOWER = (4, 5, 6, 7, 8, 8, 8, 8)
LOWER_TO_UPPER = (8, 8, 8, 8, 0, 1, 2, 3)

_X86 = {"vpclmul512": ("llvm.x86.pclmulqdq.512", 4), "vpclmul256": ("llvm.x86.pclmulqdq.256", 2)}
_X86["pclmul"] = ("llvm.x86.pclmulqdq", 1)


# --- plain arithmetic: the portable path, and what runs where nothing is compiled


def product_words(first: Any, second: Any) -> Any:
    """Return the low and the high word of the carry-less product of two words (or two vectors of words)."""
    half = np.uint64(32)
    mask = np.uint64(0xFFFFFFFF)
    low = _product_halves(first & mask, second & mask)
    high = _product_halves(first >> half, second >> half)
    cross = _product_halves((first ^ (first >> half)) & mask, (second ^ (second >> half)) & mask)
    cross = cross ^ low ^ high
    return low ^ (cross << half), high ^ (cross >> half)


def _product_halves(first: Any, second: Any) -> Any:
    """Return the 64-bit carry-less product of two words below 2^32.

    Each operand is split into four with three zeros between any two bits. An ordinary product of such parts sums
    at most eight ones in a place, which the zeros above it absorb: its lowest bit there is the sum over GF(2).
    """
    mask = np.uint64(0x1111111111111111)
    one = np.uint64(1)
    two = np.uint64(2)
    three = np.uint64(3)
    a0 = first & mask
    a1 = first & (mask << one)
    a2 = first & (mask << two)
    a3 = first & (mask << three)
    b0 = second & mask
    b1 = second & (mask << one)
    b2 = second & (mask << two)
    b3 = second & (mask << three)
    r0 = (a0 * b0) ^ (a1 * b3) ^ (a2 * b2) ^ (a3 * b1)
    r1 = (a0 * b1) ^ (a1 * b0) ^ (a2 * b3) ^ (a3 * b2)
    r2 = (a0 * b2) ^ (a1 * b1) ^ (a2 * b0) ^ (a3 * b3)
    r3 = (a0 * b3) ^ (a1 * b2) ^ (a2 * b1) ^ (a3 * b0)
    return (r0 & mask) | (r1 & (mask << one)) | (r2 & (mask << two)) | (r3 & (mask << three))


def product(first: NDArray[np.uint64], second: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the products of four pairs of words as lanes."""
    result = np.empty(WORDS, dtype=np.uint64)
    result[0::2], result[1::2] = product_words(first, second)
    return result


def picked(indices: tuple[int, ...], first: NDArray[np.uint64], second: Any = None) -> NDArray[np.uint64]:
    """Return the words at `indices` of the concatenation of the two vectors; the second may be zeros."""
    other = np.zeros(WORDS, dtype=np.uint64) if second is None else second
    return np.concatenate([first, other])[list(indices)]


# --- code generation


@functools.cache
def _lanes_type() -> Any:
    """Return numba's type of a `Lanes` value, registered as an LLVM vector of eight words."""
    from numba.core import types  # noqa: PLC0415
    from numba.extending import models, register_model  # noqa: PLC0415

    class LanesType(types.Type):
        def __init__(self) -> None:
            super().__init__(name="QkdpostLanes")

    class LanesModel(models.PrimitiveModel):
        def __init__(self, manager: Any, front_end_type: Any) -> None:
            super().__init__(manager, front_end_type, _vector(WORDS))  # type: ignore[no-untyped-call]

    register_model(LanesType)(LanesModel)
    return LanesType()


def _vector(words: int) -> Any:
    from llvmlite import ir  # noqa: PLC0415

    return ir.VectorType(ir.IntType(64), words)


def _indices(values: tuple[int, ...]) -> Any:
    from llvmlite import ir  # noqa: PLC0415

    return ir.Constant(ir.VectorType(ir.IntType(32), len(values)), list(values))


def _pointer(context: Any, builder: Any, array_type: Any, arguments: Any, words: int) -> Any:
    array, position = arguments[:2]
    start = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(start, [position]), _vector(words).as_pointer())


def load(typing_context: Any, words: Any, position: Any) -> Any:
    """Emit a load of eight words that is aligned as the array's entries are."""
    from numba.core import types  # noqa: PLC0415

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = _pointer(context, builder, signature.args[0], arguments, WORDS)
        return builder.load(address, align=signature.args[0].dtype.bitwidth // 8)

    return _lanes_type()(words, types.intp), emit


def store(typing_context: Any, words: Any, position: Any, lanes: Any) -> Any:
    """Emit an unaligned store of eight words."""
    from numba.core import types  # noqa: PLC0415

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = _pointer(context, builder, signature.args[0], arguments, WORDS)
        builder.store(arguments[2], address, align=8)
        return context.get_dummy_value()

    return types.void(words, types.intp, lanes), emit


def broadcast_lane(typing_context: Any, words: Any, position: Any) -> Any:
    """Emit a load of one lane into all four."""
    from numba.core import types  # noqa: PLC0415

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = _pointer(context, builder, signature.args[0], arguments, 2)
        lane = builder.load(address, align=8)
        return builder.shuffle_vector(lane, lane, _indices((0, 1) * 4))

    return _lanes_type()(words, types.intp), emit


def broadcast(typing_context: Any, low: Any, high: Any) -> Any:
    """Emit a vector of four equal lanes from two words."""
    from llvmlite import ir  # noqa: PLC0415
    from numba.core import types  # noqa: PLC0415

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lane = ir.Constant(_vector(2), ir.Undefined)
        for index, word in enumerate(arguments):
            lane = builder.insert_element(lane, word, ir.Constant(ir.IntType(32), index))
        return builder.shuffle_vector(lane, lane, _indices((0, 1) * 4))

    return _lanes_type()(types.uint64, types.uint64), emit


def _bitwise(operation: str) -> Callable[..., Any]:
    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return getattr(builder, operation)(*arguments)

    def lower(typing_context: Any, first: Any, second: Any) -> Any:
        return _lanes_type()(first, second), emit

    return lower


def _shift(operation: str) -> Callable[..., Any]:
    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        from llvmlite import ir  # noqa: PLC0415

        lanes, count = arguments
        one = builder.insert_element(ir.Constant(_vector(WORDS), ir.Undefined), count, ir.Constant(ir.IntType(32), 0))
        return getattr(builder, operation)(lanes, builder.shuffle_vector(one, one, _indices((0,) * WORDS)))

    def lower(typing_context: Any, lanes: Any, count: Any) -> Any:
        from numba.core import types  # noqa: PLC0415

        return _lanes_type()(lanes, types.intp), emit

    return lower


xor = _bitwise("xor")
and_ = _bitwise("and_")
shift_up = _shift("shl")
shift_down = _shift("lshr")


def shuffle(indices: tuple[int, ...], *, with_zero: bool = False) -> Callable[..., Any]:
    """Return the lowering of a choice of words from two vectors, or from one and zeros."""
    from_one = with_zero

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        from llvmlite import ir  # noqa: PLC0415

        zero = ir.Constant(_vector(WORDS), [0] * WORDS)
        first, second = (arguments[0], zero) if from_one else arguments
        return builder.shuffle_vector(first, second, _indices(indices))

    def lower_one(typing_context: Any, lanes: Any) -> Any:
        return _lanes_type()(lanes), emit

    def lower_two(typing_context: Any, first: Any, second: Any) -> Any:
        return _lanes_type()(first, second), emit

    return lower_one if from_one else lower_two


def multiply(first_word: int, second_word: int) -> Callable[..., Any]:
    """Return the lowering of the product of one word of each lane by one word of each lane."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        path = clmul_path()
        if path == "portable":
            return _emit_portable(context, builder, arguments, first_word, second_word)
        return emit_product(builder, path, arguments[0], arguments[1], first_word, second_word)

    def lower(typing_context: Any, first: Any, second: Any) -> Any:
        return _lanes_type()(first, second), emit

    return lower


def emit_product(builder: Any, path: str, first: Any, second: Any, first_word: int, second_word: int) -> Any:
    """Emit four carry-less products of words, `first_word` and `second_word` of each lane, on `path`."""
    if path == "pmull":
        return _emit_pmull(builder, first, second, first_word, second_word)
    from llvmlite import ir  # noqa: PLC0415

    name, lanes = _X86[path]
    which = ir.Constant(ir.IntType(8), first_word | second_word << 4)
    part_type = _vector(2 * lanes)
    function = _declare(builder, name, part_type, (part_type, part_type, ir.IntType(8)))
    parts = []
    for start in range(0, WORDS, 2 * lanes):
        chosen = _indices(tuple(range(start, start + 2 * lanes)))
        operands = [builder.shuffle_vector(vector, vector, chosen) for vector in (first, second)]
        parts.append(builder.call(function, [*operands, which]))
    return _joined(builder, parts)


def _emit_pmull(builder: Any, first: Any, second: Any, first_word: int, second_word: int) -> Any:
    from llvmlite import ir  # noqa: PLC0415

    word = ir.IntType(64)
    function = _declare(builder, "llvm.aarch64.neon.pmull64", ir.VectorType(ir.IntType(8), 16), (word, word))
    parts = []
    for start in range(0, WORDS, 2):
        operands = [
            builder.extract_element(vector, ir.Constant(ir.IntType(32), start + offset))
            for vector, offset in ((first, first_word), (second, second_word))
        ]
        parts.append(builder.bitcast(builder.call(function, operands), _vector(2)))
    return _joined(builder, parts)


def _emit_portable(context: Any, builder: Any, arguments: Any, first_word: int, second_word: int) -> Any:
    from llvmlite import ir  # noqa: PLC0415
    from numba.core import cgutils, types  # noqa: PLC0415

    pair = types.UniTuple(types.uint64, 2)  # type: ignore[no-untyped-call]
    result = ir.Constant(_vector(WORDS), ir.Undefined)
    for start in range(0, WORDS, 2):
        operands = [
            builder.extract_element(vector, ir.Constant(ir.IntType(32), start + offset))
            for vector, offset in zip(arguments, (first_word, second_word), strict=True)
        ]
        words = context.compile_internal(builder, _compiled_product(), pair(types.uint64, types.uint64), operands)
        pairs = enumerate(cgutils.unpack_tuple(builder, words))  # type: ignore[no-untyped-call]
        for offset, word in pairs:
            result = builder.insert_element(result, word, ir.Constant(ir.IntType(32), start + offset))
    return result


@functools.cache
def _compiled_product() -> Callable[..., Any]:
    """Return `product_words` in a form that numba can compile within another function."""
    from numba.extending import register_jitable  # noqa: PLC0415

    globals()["_product_halves"] = register_jitable(_product_halves)
    return product_words


def _joined(builder: Any, parts: list[Any]) -> Any:
    """Emit the concatenation of vectors of equal length, a power of two of them."""
    while len(parts) > 1:
        words = 2 * parts[0].type.count
        chosen = _indices(tuple(range(words)))
        parts = [builder.shuffle_vector(parts[index], parts[index + 1], chosen) for index in range(0, len(parts), 2)]
    return parts[0]


def _declare(builder: Any, name: str, result: Any, parameters: tuple[Any, ...]) -> Any:
    from llvmlite import ir  # noqa: PLC0415

    found = builder.module.globals.get(name)
    return found or ir.Function(builder.module, ir.FunctionType(result, parameters), name)
