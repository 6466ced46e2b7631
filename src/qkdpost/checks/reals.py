"""Arrays of real numbers, as outcomes and symbols are, made float32 or int16 or refused, and not copied if they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkdpost.checks.scalars import described
from qkdpost.errors import InputError

__all__ = ["real_array"]

_ROWS = 2**16
_COMPLEX = "Give real columns: np.column_stack((z.real, z.imag)), scaled to your units"


def real_array(
    name: str,
    values: object,
    *,
    columns: int | None = None,
    integers: bool = False,
    finite: bool = True,
    hint: str = "",
) -> NDArray[Any]:
    """Return real numbers as a read-only, contiguous float32 array; a view of `values` if they were that already.

    Args:
        name: what they are called.
        values: a list or array of finite numbers; no bools, no complex numbers.
        columns: how many there must be; None for a vector, of shape (n,).
        integers: whether integers that fit into int16 are returned as such.
        finite: False where the caller finds NaN and infinity by what it makes of the numbers, and saves a pass.
        hint: what an error adds.

    Raises:
        InputError: of another shape or dtype, or a number that is NaN, infinite or too large for float32.
    """
    shape = "(n,)" if columns is None else f"(n, {columns})"
    more = f". {hint}" if hint else ""
    wanted = f"{name} must be an array of real numbers, of shape {shape}"
    if isinstance(values, str | bytes | bytearray | memoryview | dict | set | frozenset):
        raise InputError(f"{wanted}; found {described(values)}{more}")
    try:
        array: NDArray[Any] = np.asarray(values)
    except Exception:
        raise InputError(f"{wanted}; found {described(values)}{more}") from None
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise InputError(f"{wanted}; found missing values (masked): leave these entries out")
    if array.dtype.kind == "c":
        raise InputError(f"{wanted}; found complex numbers. {_COMPLEX}")
    if array.dtype.kind not in "iuf" or array.ndim != (1 if columns is None else 2):
        raise InputError(f"{wanted}; found {described(array)}{more}")
    if columns is not None and array.shape[1] != columns:
        raise InputError(f"{wanted}; found {described(array)}{more}")
    kept: NDArray[Any] | None = _as_int16(array) if integers and array.dtype.kind in "iu" else None
    if kept is None:
        kept = _as_float32(name, array, finite)
    kept = np.ascontiguousarray(kept).view(np.ndarray).view()
    kept.flags.writeable = False
    return kept


def _as_int16(array: NDArray[Any]) -> NDArray[np.int16] | None:
    if array.dtype == np.int16:
        return array
    limits = np.iinfo(np.int16)
    if array.size and not (limits.min <= int(array.min()) and int(array.max()) <= limits.max):
        return None
    return array.astype(np.int16)


def _as_float32(name: str, array: NDArray[Any], finite: bool) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        kept = array.astype(np.float32, copy=False)
    for start in range(0, len(kept) if finite else 0, _ROWS):
        piece = kept[start : start + _ROWS]
        if not np.isfinite(piece).all():
            row = start + int(np.flatnonzero(~np.isfinite(piece).reshape(len(piece), -1).all(axis=1))[0])
            raise InputError(
                f"{name} must be finite numbers within +-3e38; found NaN, infinity or more in row {row}. "
                "Leave such symbols out, on both sides"
            )
    return kept
