"""The numba type behind `qkdpost._kernels.ldpc.lanes`: 512 or 256 bits of equal integers in one vector register."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import models, register_model

__all__ = ["Lanes", "array_pointer", "call_named", "lanes_of", "mask_to_word", "word_to_mask"]

_REGISTER_BITS = {True: 512, False: 256}
"""By the sign of the array's type: rows of signed integers are whole registers, of unsigned ones half of that."""
_WORD = ir.IntType(64)


class Lanes(types.Type):
    """A vector of `count` integers of `bits` bits."""

    def __init__(self, bits: int, count: int) -> None:
        self.bits = bits
        self.count = count
        super().__init__(name=f"Lanes({bits}, {count})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, lanes: Lanes) -> None:
        vector = ir.VectorType(ir.IntType(lanes.bits), lanes.count)
        super().__init__(manager, lanes, vector)  # type: ignore[no-untyped-call]


def lanes_of(array: Any) -> Lanes:
    """Return the lanes that a row of `array`, a numba array type of 8 or 16 bits, fills."""
    bits = array.dtype.bitwidth
    return Lanes(bits, _REGISTER_BITS[array.dtype.signed] // bits)


def array_pointer(context: Any, builder: Any, array_type: Any, array: Any, row: Any) -> Any:
    """Return a vector pointer to row `row` of C-contiguous (rows, lanes), or to element `row` of a flat array."""
    lanes = lanes_of(array_type)
    data = context.make_array(array_type)(context, builder, array).data
    start = row if array_type.ndim == 1 else builder.mul(row, ir.Constant(row.type, lanes.count))
    vector = ir.VectorType(ir.IntType(lanes.bits), lanes.count)
    return builder.bitcast(builder.gep(data, [start]), vector.as_pointer())


def call_named(builder: Any, name: str, arguments: list[Any]) -> Any:
    """Call the LLVM intrinsic `name` on vectors of one type."""
    vector = arguments[0].type
    full_name = f"llvm.{name}.v{vector.count}i{vector.element.width}"
    signature = ir.FunctionType(vector, [argument.type for argument in arguments])
    function = builder.module.globals.get(full_name) or ir.Function(builder.module, signature, full_name)
    return builder.call(function, arguments)


def word_to_mask(builder: Any, word: Any, count: int) -> Any:
    """Return the low `count` bits of a 64-bit word as a vector of booleans."""
    narrowed = word if count == _WORD.width else builder.trunc(word, ir.IntType(count))
    return builder.bitcast(narrowed, ir.VectorType(ir.IntType(1), count))


def mask_to_word(builder: Any, mask: Any) -> Any:
    """Return a vector of booleans as a 64-bit word, first boolean lowest."""
    count = mask.type.count
    packed = builder.bitcast(mask, ir.IntType(count))
    return packed if count == _WORD.width else builder.zext(packed, _WORD)
