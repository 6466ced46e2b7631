"""The fields of a record in a file: taken one by one, each checked for its shape, and none left over."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkdpost.bits import Bits
from qkdpost.checks import MAX_COUNT
from qkdpost.errors import InputError

__all__ = ["Fields", "packed"]


def packed(bits: Bits) -> NDArray[np.uint8]:
    """Return eight bits a byte, the first in the lowest place, as `numpy.packbits(..., bitorder="little")`."""
    return np.frombuffer(bits.to_bytes(), dtype=np.uint8)


class Fields:
    """The arrays of a file by name, from which a record is made again."""

    def __init__(self, path: str, arrays: dict[str, NDArray[Any]]) -> None:
        self._path = path
        self._left = dict(arrays)

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def array(self, name: str, kinds: str, *, dimensions: tuple[int, ...]) -> NDArray[Any]:
        """Take an array whose dtype is of one of `kinds`, as "iu".

        Raises:
            InputError: it is missing, or of another dtype or number of dimensions.
        """
        if name not in self._left:
            raise InputError(f"{self._path} has no field {name!r}: it is no whole record")
        found = self._left.pop(name)
        if found.dtype.kind not in kinds or found.ndim not in dimensions:
            raise InputError(f"{self._path}: {name} must not be {found.dtype} of shape {found.shape}")
        return found

    def text(self, name: str) -> str:
        """Take a few characters."""
        return str(self.array(name, "U", dimensions=(0,)))

    def count(self, name: str) -> int:
        """Take a whole number, 0 ... 2^53."""
        value = int(self.array(name, "iu", dimensions=(0,)))
        if not 0 <= value <= MAX_COUNT:
            raise InputError(f"{self._path}: {name} must lie in 0 ... 2^53; found {value}")
        return value

    def number(self, name: str) -> float:
        """Take a real number."""
        return float(self.array(name, "f", dimensions=(0,)))

    def bits(self, name: str, length: int) -> Bits:
        """Take `length` packed bits.

        Raises:
            InputError: there are more or fewer.
        """
        data = self.array(name, "u", dimensions=(1,))
        if data.dtype != np.uint8 or data.size != (length + 7) // 8:
            raise InputError(f"{self._path}: {name} must be {length} packed bits; found {data.size} of {data.dtype}")
        return Bits.from_bytes(data, length)

    def finish(self) -> None:
        """Check that nothing is left.

        Raises:
            InputError: there are fields that this release does not know.
        """
        if self._left:
            names = ", ".join(repr(name[:40]) for name in list(self._left)[:10])
            raise InputError(f"{self._path} has fields that no such record has: {names}")
