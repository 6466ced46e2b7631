"""The slots of one record, as they go over the wire part by part: parts are coded apart, in threads at once.

Decoded, the slots of a block take ten times the memory of their code, and fresh memory costs more time than decoding
does. So they are kept as they came, and decoded piece by piece where each is used, near the processor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from qkdpost.dialogue.program import from_peer
from qkdpost.errors import InputError
from qkdpost.sifting.slots.coding import decode_between, encode_between
from qkdpost.threads import each, threads_at_work

__all__ = ["CodedPart", "CodedSlots", "encode_parts", "part_detections", "part_sizes"]

_Result = TypeVar("_Result")

_PART_DETECTIONS = 2**18
"""Detections reported in one message. What messages cost is then a thirtieth of sifting; with four times as many it was
a tenth. Larger ones gain little, and would not suit wide records."""
_DENSE_PULSES = 2**43
"""Half as many are reported in one message if a record covers more, so that none is longer than the 2^20 bytes that
every link allows. A detection takes 28 bits at most here, and 48 in the widest record."""
_SLOTS_AT_ONCE = 2**18
"""Parts are decoded together up to so many slots: two megabytes, which stay near, and half a millisecond."""


@dataclass(frozen=True, slots=True)
class CodedPart:
    """The code of `count` slots in start ... end - 1."""

    code: bytes
    count: int
    start: int
    end: int


def part_detections(pulses: int) -> int:
    """Return how many detections of a record of so many pulses each message but the last reports."""
    return _PART_DETECTIONS if pulses <= _DENSE_PULSES else _PART_DETECTIONS // 2


def part_sizes(count: int, most: int) -> list[int]:
    """Divide so many into parts of `most` and what is left; nothing is one part, too."""
    whole, rest = divmod(count, most)
    return [most] * whole + ([rest] if rest or not whole else [])


def encode_parts(slots: NDArray[np.int64], sizes: Sequence[int], pulses: int) -> Iterator[list[CodedPart]]:
    """Encode the slots of a record of so many pulses in parts of these sizes, as many at a time as there are threads.

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

    threads = threads_at_work()
    for at in range(0, len(bounds), threads):
        yield each(encode, bounds[at : at + threads])


class CodedSlots:
    """The slots of one record, as the peer sent them.

    Args:
        parts: all parts in their order; each has passed `coding.check_code`.
    """

    def __init__(self, parts: Sequence[CodedPart]) -> None:
        self._parts = parts
        self._count = _count(parts)

    def __len__(self) -> int:
        return self._count

    def decoded(self) -> NDArray[np.int64]:
        """Return all slots.

        Raises:
            RemoteProtocolError: as `by_pieces`.
        """
        slots = np.empty(self._count, dtype=np.int64)

        def put(first: int, parts: Sequence[CodedPart]) -> str:
            return _decode(parts, slots[first : first + _count(parts)])

        _refuse_faults(each(lambda piece: put(*piece), self._pieces()))
        return slots

    def by_pieces(self, function: Callable[[NDArray[np.int64], int], _Result]) -> Iterator[list[_Result]]:
        """Give function(slots, first) for one piece of the slots after another, as many at a time as there are threads.

        Args:
            function: takes slots and how many lie before them; what it raises comes out as it is.

        Raises:
            RemoteProtocolError: the code of a part is not that of such slots.
        """

        def use(first: int, parts: Sequence[CodedPart]) -> tuple[str, list[_Result]]:
            slots = np.empty(_count(parts), dtype=np.int64)
            fault = _decode(parts, slots)
            return fault, [] if fault else [function(slots, first)]

        pieces, threads = self._pieces(), threads_at_work()
        for at in range(0, len(pieces), threads):
            found = each(lambda piece: use(*piece), pieces[at : at + threads])
            _refuse_faults([fault for fault, _ in found])
            yield [result for _, results in found for result in results]

    def _pieces(self) -> list[tuple[int, Sequence[CodedPart]]]:
        """Return parts that are decoded together, and how many slots lie before them."""
        pieces: list[tuple[int, list[CodedPart]]] = []
        first = room = 0
        for part in self._parts:
            if part.count > room or not pieces:
                pieces.append((first, []))
                room = _SLOTS_AT_ONCE
            pieces[-1][1].append(part)
            first += part.count
            room -= part.count
        return list(pieces)


def _count(parts: Sequence[CodedPart]) -> int:
    return sum(part.count for part in parts)


def _refuse_faults(faults: Sequence[str]) -> None:
    """Say what is wrong with the first part that has a fault, if one has."""
    for fault in filter(None, faults):
        with from_peer("the slots"):
            raise InputError(fault)


def _decode(parts: Sequence[CodedPart], slots: NDArray[np.int64]) -> str:
    """Write the slots of parts that follow each other; return what is wrong with the first that are none."""
    first = 0
    for part in parts:
        end = first + part.count
        if fault := decode_between(part.code, part.start, part.end, slots[first:end]):
            return fault
        first = end
    return ""
