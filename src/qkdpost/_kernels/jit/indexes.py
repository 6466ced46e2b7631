"""Indexes of vectors in kernels: none counts from the end, and so none is asked whether it does.

In Python ``vector[-1]`` is the last entry, and numba asks of each signed index whether it is negative: three
instructions for every entry that is read or written. No kernel wants that of a number that it computes. Here such an
index is taken as the unsigned number of its bits: Cascade's kernel takes an eighth less time. An index that numba knows
as it compiles, as in ``vector[-1]``, is none that this touches; but what a kernel is given as an argument is not known.

An index below zero would be a defect of the kernel. ``NUMBA_BOUNDSCHECK=1`` refuses it as it refuses one past the end.

This reaches into numba's own rooms, as `pipeline` does, which cannot be imported without it.
"""

from __future__ import annotations

from typing import Any

from numba.core import ir, types
from numba.core.compiler_machinery import FunctionPass, register_pass
from numba.core.typing.templates import signature

__all__ = ["IndexesFromZero"]


@register_pass(mutates_CFG=False, analysis_only=False)  # type: ignore[no-untyped-call]
class IndexesFromZero(FunctionPass):
    """The pass that takes signed indexes of vectors as unsigned; it comes after types are known."""

    _name = "indexes_from_zero"

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def run_pass(self, state: Any) -> bool:
        """Change the types of calls, and tell whether any was changed."""
        of_indexes = {place: call for place, call in state.calltypes.items() if _has_signed_index(place, call)}
        for place, call in of_indexes.items():
            vector, _, *value = call.args
            del state.calltypes[place]  # it takes no second value for a key
            state.calltypes[place] = signature(  # type: ignore[no-untyped-call]
                call.return_type, vector, types.uintp, *value
            )
        return bool(of_indexes)


def _has_signed_index(place: Any, call: Any) -> bool:
    if not (isinstance(place, ir.SetItem) or (isinstance(place, ir.Expr) and place.op == "getitem")):
        return False
    vector, index = call.args[:2]
    return isinstance(vector, types.Array) and isinstance(index, types.Integer) and _is_signed(index)


def _is_signed(index: Any) -> bool:
    return bool(index.signed)
