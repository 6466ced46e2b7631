"""The LLVM code behind `half_words`. numba and llvmlite are imported when code is generated, not before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = [
    "lower_binary",
    "lower_load_narrow",
    "lower_multiply_fraction",
    "lower_sign",
    "lower_store_narrow",
    "lower_subtract_unsigned",
    "lower_with_sign",
]

Lowering = Callable[..., Any]
_HALF_WORD_BITS = 16


def _lanes_and_pointer(array: Any) -> tuple[Any, Callable[..., Any]]:
    """Return the type of half-word lanes for a row of `array`, and what emits a pointer to a row as stored."""
    from llvmlite import ir  # noqa: PLC0415

    from qkdpost._kernels.ldpc.lane_types import Lanes  # noqa: PLC0415

    count = 32 if array.dtype.signed else 16

    def pointer(context: Any, builder: Any, data_array: Any, row: Any) -> Any:
        data = context.make_array(array)(context, builder, data_array).data
        start = builder.mul(row, ir.Constant(row.type, count))
        vector = ir.VectorType(ir.IntType(array.dtype.bitwidth), count)
        return builder.bitcast(builder.gep(data, [start]), vector.as_pointer())

    return Lanes(_HALF_WORD_BITS, count), pointer


def lower_load_narrow(typing: Any, array: Any, row: Any) -> Any:
    from llvmlite import ir  # noqa: PLC0415

    lanes, pointer = _lanes_and_pointer(array)

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        stored = builder.load(pointer(context, builder, *arguments), align=1)
        wide = ir.VectorType(ir.IntType(_HALF_WORD_BITS), lanes.count)
        return stored if stored.type == wide else builder.sext(stored, wide)

    return lanes(array, row), emit


def lower_store_narrow(typing: Any, array: Any, row: Any, lanes: Any) -> Any:
    from numba.core import types  # noqa: PLC0415

    _, pointer = _lanes_and_pointer(array)

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = pointer(context, builder, *arguments[:2])
        value = arguments[2]
        narrow = place.type.pointee
        builder.store(value if value.type == narrow else builder.trunc(value, narrow), place, align=1)
        return context.get_dummy_value()

    return types.void(array, row, lanes), emit


def lower_multiply_fraction(typing: Any, left: Any, right: Any) -> Any:
    from qkdpost._kernels.jit.processor import processor_features  # noqa: PLC0415

    register = _multiplying_register(processor_features(), left.count)

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if register is None:
            return _multiply_widened(builder, *arguments)
        return _multiply_registers(builder, arguments[0], arguments[1], *register)

    return left(left, right), emit


def _multiplying_register(features: frozenset[str], count: int) -> tuple[str, int] | None:
    """Return the instruction for high halves of products and its lanes, at most `count`, or None where there is none.

    Left to itself LLVM shares widened factors among products, and so replaces one instruction by five.
    """
    if count == 32 and "avx512bw" in features:
        return "llvm.x86.avx512.pmulhu.w.512", 32
    return ("llvm.x86.avx2.pmulhu.w", 16) if "avx2" in features else None


def _multiply_widened(builder: Any, first: Any, second: Any) -> Any:
    from llvmlite import ir  # noqa: PLC0415

    wide = ir.VectorType(ir.IntType(2 * _HALF_WORD_BITS), first.type.count)
    product = builder.mul(builder.zext(first, wide), builder.zext(second, wide))
    places = ir.Constant(wide, [_HALF_WORD_BITS] * wide.count)
    return builder.trunc(builder.lshr(product, places), first.type)


def _multiply_registers(builder: Any, first: Any, second: Any, name: str, count: int) -> Any:
    from llvmlite import ir  # noqa: PLC0415

    vector = ir.VectorType(first.type.element, count)
    signature = ir.FunctionType(vector, [vector, vector])
    function = builder.module.globals.get(name) or ir.Function(builder.module, signature, name)
    if first.type.count == count:
        return builder.call(function, [first, second])

    def select(places: range) -> Any:
        return ir.Constant(ir.VectorType(ir.IntType(32), len(places)), list(places))

    halves = []
    for places in (range(count), range(count, 2 * count)):
        parts = [builder.shuffle_vector(value, value, select(places)) for value in (first, second)]
        halves.append(builder.call(function, parts))
    return builder.shuffle_vector(*halves, select(range(2 * count)))


def lower_binary(name: str) -> Lowering:
    def lowering(typing: Any, left: Any, right: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return getattr(builder, name)(*arguments)

        return left(left, right), emit

    return lowering


def lower_subtract_unsigned(typing: Any, left: Any, right: Any) -> Any:
    from qkdpost._kernels.ldpc import lane_types  # noqa: PLC0415

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return lane_types.call_named(builder, "usub.sat", list(arguments))

    return left(left, right), emit


def lower_sign(typing: Any, lanes: Any) -> Any:
    from llvmlite import ir  # noqa: PLC0415

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value = arguments[0]
        return builder.ashr(value, ir.Constant(value.type, [_HALF_WORD_BITS - 1] * value.type.count))

    return lanes(lanes), emit


def lower_with_sign(typing: Any, lanes: Any, sign: Any) -> Any:
    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value, mask = arguments
        return builder.sub(builder.xor(value, mask), mask)

    return lanes(lanes, sign), emit
