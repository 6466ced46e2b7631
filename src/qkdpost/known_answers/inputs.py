"""What the tests compute with: bytes, bits and numbers that follow from a name by SHAKE256, and two small codes.

No kernel and no generator of another library takes part, so that the slow twins in `tests/known_answers`, of which the
answers come, start from the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "bits",
    "circulants",
    "digest",
    "flips",
    "increasing",
    "numbers",
    "octets",
    "packed",
    "permille",
    "read_only",
    "with_runs",
]

Number = TypeVar("Number", bound=np.generic)


def octets(name: str, count: int) -> bytes:
    """Return `count` bytes that belong to `name`."""
    return hashlib.shake_256(f"known answers: {name}".encode()).digest(count)


def bits(name: str, count: int) -> NDArray[np.uint8]:
    """Return `count` bits that belong to `name`, one a byte."""
    data = np.frombuffer(octets(name, -(-count // 8)), dtype=np.uint8)
    return np.unpackbits(data, bitorder="little")[:count]


def numbers(name: str, count: int, below: int) -> list[int]:
    """Return `count` numbers below `below` that belong to `name`."""
    found: list[int] = (np.frombuffer(octets(name, 8 * count), dtype="<u8") % np.uint64(below)).tolist()
    return found


def increasing(name: str, count: int, below: int) -> list[int]:
    """Return at most `count` different numbers below `below`, in order."""
    return sorted(set(numbers(name, count, below)))


def permille(name: str, count: int, share: int) -> NDArray[np.uint8]:
    """Return `count` bits of which about `share` in a thousand are 1."""
    return (np.array(numbers(name, count, 1000)) < share).astype(np.uint8)


def flips(name: str, count: int, share: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return a string, and the same with about `share` bits in a thousand changed."""
    kept = bits(name, count)
    return kept, kept ^ permille(f"errors of {name}", count, share)


def circulants(name: str, rows: int, columns: int, weight: int, size: int) -> list[tuple[int, int, int]]:
    """Return sorted edges (row, column, shift) of a code with `weight` circulants in each column, some in each row."""
    edges = set()
    for column in range(columns):
        first, step, *shifts = numbers(f"{name} {column}", 2 + weight, 1 << 32)
        places = {(column + first * (place > 0) + place * (1 + step % (rows - 1))) % rows for place in range(weight)}
        edges |= {(row, column, shift % size) for row, shift in zip(sorted(places), shifts, strict=False)}
    return sorted(edges)


def with_runs(name: str, count: int) -> NDArray[np.uint8]:
    """Return bits with a long run of ones in their first half, and of zeros in their second."""
    found = bits(name, count)
    found[count // 5 : count // 2 - 7] = 1
    found[3 * count // 5 : count - 9] = 0
    return found


def read_only(array: NDArray[Number]) -> NDArray[Number]:
    """Return the array, which cannot be written then: what kernels read comes so, and that is part of its type."""
    array.flags.writeable = False
    return array


def packed(rows: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return rows of bits, a multiple of 64 each, as words."""
    return np.packbits(rows, axis=-1, bitorder="little").view("<u8").astype(np.uint64)


def digest(*values: bytes | int | Iterable[int] | NDArray[np.integer]) -> str:
    """Return 16 hexadecimal digits of bytes, whole numbers, and rows of them, in order."""
    hasher = hashlib.blake2b(digest_size=8)
    for value in values:
        data = value if isinstance(value, bytes) else repr(_plain(value)).encode()
        hasher.update(len(data).to_bytes(8, "little") + data)
    return hasher.hexdigest()


def _plain(value: int | Iterable[int] | NDArray[np.integer]) -> int | Sequence[int]:
    if isinstance(value, int | np.integer):
        return int(value)
    return [int(number) for number in (value.ravel() if isinstance(value, np.ndarray) else value)]
