"""The slots of one record, as they go over the wire part by part: parts are coded apart, in threads at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from qkdpost.errors import InputError
from qkdpost.sifting.slots.coding import decode_between, encode_between
from qkdpost.threads import each

__all__ = ["CodedPart", "decode_parts", "encode_parts"]

_PARTS_AT_ONCE = 16
"""So many are coded before the first of them is sent: some milliseconds, and half a megabyte."""


@dataclass(frozen=True, slots=True)
class CodedPart:
    """The code of `count` slots in start ... end - 1."""

    code: bytes
    count: int
    start: int
    end: int


def encode_parts(slots: NDArray[np.int64], sizes: Sequence[int], pulses: int) -> Iterator[CodedPart]:
    """Encode the slots of a record of so many pulses in parts of these sizes.

    All but the last part end with the slot of their last detection, the last one with the record.

    Raises:
        InputError: the slots do not increase, or lie outside the record.
    """
    bounds = list(pairwise(accumulate(sizes, initial=0)))

    def encode(bound: tuple[int, int]) -> CodedPart:
        first, past = bound
        start = int(slots[first - 1]) + 1 if first else 0
        end = int(slots[past - 1]) + 1 if past < slots.size else pulses
        code = encode_between(slots[first:past], start, end)
        if code is None:
            raise InputError(f"slots must increase, and lie below {pulses}; found others from entry {first} on")
        return CodedPart(code, past - first, start, end)

    for batch in range(0, len(bounds), _PARTS_AT_ONCE):
        yield from each(encode, bounds[batch : batch + _PARTS_AT_ONCE])


def decode_parts(parts: Sequence[CodedPart]) -> NDArray[np.int64]:
    """Return the slots of all parts, each of which has passed `coding.check_code`.

    Raises:
        InputError: the code of a part is not that of such slots; the first of those that are not is named.
    """
    bounds = list(pairwise(accumulate((part.count for part in parts), initial=0)))
    slots = np.empty(bounds[-1][1] if bounds else 0, dtype=np.int64)

    def decode(index: int) -> str:
        part, (first, past) = parts[index], bounds[index]
        return decode_between(part.code, part.start, part.end, slots[first:past])

    for fault in filter(None, each(decode, range(len(parts)))):
        raise InputError(fault)
    return slots
