"""The LLVM code behind `lanes`. numba and llvmlite are imported when code is generated, not before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = [
    "lower_choose",
    "lower_combine",
    "lower_equal",
    "lower_exclusive_or",
    "lower_load",
    "lower_magnitude",
    "lower_named",
    "lower_negate",
    "lower_negative",
    "lower_registers",
    "lower_shift",
    "lower_spread",
    "lower_store",
]

Lowering = Callable[..., Any]


def lower_registers(typing: Any) -> Any:
    from llvmlite import ir  # noqa: PLC0415
    from numba.core import types  # noqa: PLC0415

    from qkdpost._kernels.jit.processor import processor_features  # noqa: PLC0415

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return ir.Constant(ir.IntType(1), "avx512bw" in processor_features())

    return types.boolean(), emit


def lower_load(typing: Any, array: Any, row: Any) -> Any:
    from qkdpost._kernels.ldpc import lane_types  # noqa: PLC0415

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = lane_types.array_pointer(context, builder, signature.args[0], *arguments)
        return builder.load(pointer, align=1)

    return lane_types.lanes_of(array)(array, row), emit


def lower_store(typing: Any, array: Any, row: Any, lanes: Any) -> Any:
    from numba.core import types  # noqa: PLC0415

    from qkdpost._kernels.ldpc import lane_types  # noqa: PLC0415

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = lane_types.array_pointer(context, builder, signature.args[0], *arguments[:2])
        builder.store(arguments[2], pointer, align=1)
        return context.get_dummy_value()

    return types.void(array, row, lanes), emit


def lower_spread(typing: Any, array: Any, value: Any) -> Any:
    from llvmlite import ir  # noqa: PLC0415

    from qkdpost._kernels.ldpc import lane_types  # noqa: PLC0415

    lanes = lane_types.lanes_of(array)

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        element = ir.IntType(lanes.bits)
        scalar = arguments[1] if arguments[1].type.width == lanes.bits else builder.trunc(arguments[1], element)
        empty = ir.Constant(ir.VectorType(element, lanes.count), ir.Undefined)
        place = ir.Constant(ir.IntType(32), 0)
        order = ir.Constant(ir.VectorType(ir.IntType(32), lanes.count), [0] * lanes.count)
        return builder.shuffle_vector(builder.insert_element(empty, scalar, place), empty, order)

    return lanes(array, value), emit


def lower_named(name: str) -> Lowering:
    def lowering(typing: Any, left: Any, right: Any) -> Any:
        from qkdpost._kernels.ldpc import lane_types  # noqa: PLC0415

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return lane_types.call_named(builder, name, list(arguments))

        return left(left, right), emit

    return lowering


def lower_magnitude(typing: Any, lanes: Any) -> Any:
    from llvmlite import ir  # noqa: PLC0415

    from qkdpost._kernels.ldpc import lane_types  # noqa: PLC0415

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value = arguments[0]
        negated = builder.sub(ir.Constant(value.type, None), value)
        return lane_types.call_named(builder, "smax", [value, negated])

    return lanes(lanes), emit


def lower_shift(typing: Any, lanes: Any, places: Any) -> Any:
    from llvmlite import ir  # noqa: PLC0415

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value = arguments[0]
        constant = ir.Constant(value.type, [signature.args[1].literal_value] * value.type.count)
        return builder.lshr(value, constant)

    from numba.core import types  # noqa: PLC0415
    from numba.core.errors import RequireLiteralValue  # noqa: PLC0415

    if not isinstance(places, types.IntegerLiteral):
        raise RequireLiteralValue("the number of places must be a literal")
    return lanes(lanes, places), emit


def lower_negative(typing: Any, lanes: Any) -> Any:
    from llvmlite import ir  # noqa: PLC0415
    from numba.core import types  # noqa: PLC0415

    from qkdpost._kernels.ldpc import lane_types  # noqa: PLC0415

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        zero = ir.Constant(arguments[0].type, None)
        return lane_types.mask_to_word(builder, builder.icmp_signed("<", arguments[0], zero))

    return types.uint64(lanes), emit


def lower_equal(typing: Any, left: Any, right: Any) -> Any:
    from numba.core import types  # noqa: PLC0415

    from qkdpost._kernels.ldpc import lane_types  # noqa: PLC0415

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return lane_types.mask_to_word(builder, builder.icmp_signed("==", *arguments))

    return types.uint64(left, right), emit


def lower_exclusive_or(typing: Any, left: Any, right: Any) -> Any:
    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.xor(*arguments)

    return left(left, right), emit


def lower_choose(typing: Any, mask: Any, chosen: Any, otherwise: Any) -> Any:
    from qkdpost._kernels.ldpc import lane_types  # noqa: PLC0415

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word, first, second = arguments
        return builder.select(lane_types.word_to_mask(builder, word, first.type.count), first, second)

    return chosen(mask, chosen, otherwise), emit


def lower_combine(typing: Any, left: Any, right: Any, slack: Any) -> Any:
    from qkdpost._kernels.ldpc import lane_types  # noqa: PLC0415

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        first, second, start = arguments
        low = lane_types.call_named(builder, "umin", [first, second])
        high = lane_types.call_named(builder, "umax", [first, second])
        total = lane_types.call_named(builder, "uadd.sat", [first, second])
        if start.type.element.width == 8:
            near = _soft_bytes(builder, builder.sub(high, low), start)
            far, places = lane_types.call_named(builder, "usub.sat", [start, total]), 3
        else:
            near = _soft_half_words(builder, builder.sub(high, low), start)
            far, places = _soft_half_words(builder, total, start), 2
        loss = builder.lshr(builder.sub(near, far), _constant(start.type, places))
        return lane_types.call_named(builder, "usub.sat", [low, loss])

    return left(left, right, slack), emit


def _soft_bytes(builder: Any, value: Any, start: Any) -> Any:
    """Return eight times the soft step at `value`: a line that is steeper by 1 from either of two bends on."""
    from qkdpost._kernels.ldpc import lane_types  # noqa: PLC0415

    def part(places: int) -> Any:
        return builder.lshr(start, _constant(start.type, places))

    line = lane_types.call_named(builder, "usub.sat", [start, value])
    step = line
    for bend in (builder.add(part(1), part(3)), builder.sub(start, part(2))):
        step = builder.add(step, lane_types.call_named(builder, "usub.sat", [line, bend]))
    return step


def _soft_half_words(builder: Any, value: Any, start: Any) -> Any:
    """Return four times the soft step at `value`, the largest of four lines."""
    from qkdpost._kernels.ldpc import lane_types  # noqa: PLC0415

    def line(intercept: Any) -> Any:
        return lane_types.call_named(builder, "usub.sat", [intercept, value])

    def part(numerator: int) -> Any:
        return builder.udiv(builder.mul(start, _constant(start.type, numerator)), _constant(start.type, 288))

    steep = line(part(177))
    lines = [
        builder.add(steep, steep),
        builder.lshr(line(builder.add(start, part(98))), _constant(start.type, 1)),
        builder.lshr(line(builder.add(start, part(191))), _constant(start.type, 2)),
    ]
    largest = line(start)
    for other in lines:
        largest = lane_types.call_named(builder, "umax", [largest, other])
    return largest


def _constant(vector: Any, value: int) -> Any:
    from llvmlite import ir  # noqa: PLC0415

    return ir.Constant(vector, [value] * vector.count)


def lower_negate(typing: Any, mask: Any, lanes: Any) -> Any:
    from llvmlite import ir  # noqa: PLC0415

    from qkdpost._kernels.ldpc import lane_types  # noqa: PLC0415

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word, value = arguments
        negated = builder.sub(ir.Constant(value.type, None), value)
        return builder.select(lane_types.word_to_mask(builder, word, value.type.count), negated, value)

    return lanes(mask, lanes), emit
