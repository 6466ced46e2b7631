"""Positions as the gaps between them, in Rice code: several gaps to a window of 64 bits.

A gap g is g >> parameter zeros, a one, and the `parameter` low bits of g, from the lowest bit on. Where one gap ends
and the next begins no processor can guess: a branch there costs more than all else. So a group of gaps, as many as
nearly always fit 64 bits, is coded or read by sums and shifts alone; whether it did fit is asked once, at its end.
A group that did not is gone through again, gap by gap, and only there a long gap is told from a wrong code.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.bits.counting import trailing_zeros
from qkdpost._kernels.bits.positions import list_ones
from qkdpost._kernels.jit.decorators import kernel

__all__ = ["decode_gaps", "encode_gaps", "warm"]

Words = NDArray[np.uint64]
Slots = NDArray[np.int64]

_REFUSED = ~np.uint64(0)
"""In place of a position: -1 as a signed number."""
_TOO_LONG = np.uint64(65)
"""In place of how many bits a group of gaps takes, for any number above 64."""


@kernel
def encode_gaps(slots: Slots, first: int, limit: int, parameter: int, output: Words) -> int:
    """Write the gaps between `slots` to zeroed `output`; return how many bits were written.

    Args:
        slots: strictly increasing.
        first: no slot lies below it; the first gap is counted from there.
        limit: every slot lies below it.
        parameter: how many low bits of a gap are written as they are; at most 62.
        output: has room for the code of any such slots, and one word more.

    Returns:
        The bits written, or -1 if the slots are not as said; `output` is then meaningless.
    """
    if parameter == 0:
        return _encode_marks(slots, first, limit, output)
    shift = np.uint64(parameter)
    bound = np.uint64(limit)
    position = np.uint64(0)
    expected = np.uint64(first)
    group = _gaps_of_a_window(parameter)
    pending = np.uint64(0)
    begin = 0
    # Fewer are not worth it: by themselves they are coded as fast.
    while group >= 6 and begin + group <= slots.size:
        code, used, past = _code_together(slots, begin, group, expected, shift)
        if used < _TOO_LONG and past <= bound:
            pending = _append(output, position, pending, code, used)
            position += used
        else:
            end = begin + group
            position, past = _code_one_by_one(slots, begin, end, expected, bound, shift, output, position)
            if position == _REFUSED:
                return -1
            pending = output[position >> np.uint64(6)]
        expected = past
        begin += group
    position, past = _code_one_by_one(slots, begin, slots.size, expected, bound, shift, output, position)
    return int(np.int64(position))


@kernel
def _encode_marks(slots: Slots, first: int, limit: int, output: Words) -> int:
    """Do the work of `encode_gaps` for parameter 0: one bit for each position from `first` on, set at the slots."""
    six = np.uint64(6)
    start = np.uint64(first)
    bound = np.uint64(limit)
    expected = start
    word = np.uint64(0)
    pending = np.uint64(0)
    for event in range(slots.size):
        slot = np.uint64(slots[event])
        if slot < expected or slot >= bound:
            return -1
        expected = slot + np.uint64(1)
        place = slot - start
        pending = pending if place >> six == word else np.uint64(0)
        pending |= np.uint64(1) << (place & np.uint64(63))
        word = place >> six
        output[word] = pending
    return int(np.int64(expected - start))


@kernel
def _gaps_of_a_window(parameter: int) -> int:
    """Return how many gaps make a group; at the parameter that fits them, gap >> parameter is 0.6 to 1.6 on average."""
    return max(1, 64 // (parameter + 5))


@kernel
def _code_together(
    slots: Slots, begin: int, count: int, expected: np.uint64, shift: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64]:
    """Return the code of so many slots, how many bits it has, and where the next slot may lie.

    A code of more than 64 bits is meaningless, and so is what takes a slot below the one before for a gap: that is of
    2^63 at least, and too long with every parameter.
    """
    one = np.uint64(1)
    low = np.uint64(63)
    mask = (one << shift) - one
    base = np.uint64(begin)
    code = np.uint64(0)
    used = np.uint64(0)
    quotients = np.uint64(0)
    for place in range(count):
        slot = np.uint64(slots[base + np.uint64(place)])
        gap = slot - expected
        expected = slot + one
        quotients |= gap >> shift
        used += gap >> shift
        code |= (((gap & mask) << one) | one) << (used & low)
        used += shift + one
    # The sum alone might have wrapped round.
    return code, used if quotients <= low else _TOO_LONG, expected


@kernel
def _append(output: Words, position: np.uint64, pending: np.uint64, code: np.uint64, used: np.uint64) -> np.uint64:
    """Write a code of 1 to 64 bits from bit `position` on, after the `pending` ones of the same word.

    Returns the bits of the word in which the code ends. Words are stored and not read, for which a store would wait.
    """
    one = np.uint64(1)
    six = np.uint64(6)
    word = position >> six
    place = position & np.uint64(63)
    pending |= code << place
    rest = (code >> one) >> (np.uint64(63) - place)
    output[word] = pending
    output[word + one] = rest
    return pending if (position + used) >> six == word else rest


@kernel
def _code_one_by_one(
    slots: Slots,
    begin: int,
    end: int,
    expected: np.uint64,
    bound: np.uint64,
    shift: np.uint64,
    output: Words,
    position: np.uint64,
) -> tuple[np.uint64, np.uint64]:
    """Write slots[begin:end] from bit `position` on; return where the code ends, and where the next slot may lie.

    The former is `_REFUSED` if the slots do not increase, or one reaches `bound`.
    """
    one = np.uint64(1)
    low = np.uint64(63)
    six = np.uint64(6)
    mask = (one << shift) - one
    event = np.uint64(begin)
    while event < np.uint64(end):
        slot = np.uint64(slots[event])
        if slot < expected or slot >= bound:
            return _REFUSED, expected
        event += one
        gap = slot - expected
        expected = slot + one
        position += gap >> shift
        code = ((gap & mask) << one) | one
        place = position & low
        output[position >> six] |= code << place
        output[(position >> six) + one] |= (code >> one) >> (low - place)
        position += shift + one
    return position, expected


@kernel
def decode_gaps(words: Words, length: int, parameter: int, first: int, limit: int, slots: Slots) -> int:
    """Read as many gaps as `slots` has entries and write the slots; return how many bits were read.

    Args:
        words: the code, followed by three words of zeros; read-only.
        length: how many bits of `words` may be read.
        parameter: that of `encode_gaps`.
        first: likewise.
        limit: every slot must lie below it.
        slots: written whole.

    Returns:
        The bits read, or -1 if the code ends early or a slot reaches `limit`; `slots` are then meaningless.
    """
    if parameter == 0:
        return _decode_marks(words, length, first, limit, slots)
    stop = np.uint64(length)
    shift = np.uint64(parameter)
    bound = np.uint64(limit)
    position = np.uint64(0)
    expected = np.uint64(first)
    group = _gaps_of_a_window(parameter)
    window = words[0]
    begin = 0
    while begin + group <= slots.size:
        # Loaded before it is known how much of the window the group takes.
        ahead = _window(words, position + np.uint64(64))
        left, used, past = _read_together(window, expected, shift, slots, begin, group)
        if used < _TOO_LONG and position + used <= stop and past <= bound:
            position += used
            window = _refill(left, ahead, used)
        else:
            end = begin + group
            position, past = _read_one_by_one(words, position, stop, expected, bound, shift, slots, begin, end)
            if position == _REFUSED:
                return -1
            window = _window(words, position)
        expected = past
        begin += group
    position, past = _read_one_by_one(words, position, stop, expected, bound, shift, slots, begin, slots.size)
    return int(np.int64(position))


@kernel
def _decode_marks(words: Words, length: int, first: int, limit: int, slots: Slots) -> int:
    """Do the work of `decode_gaps` for parameter 0: one bit for each position from `first` on, set at the slots."""
    if slots.size == 0:
        return 0
    if list_ones(words, length, False, first, slots) < slots.size:
        return -1
    last = slots[slots.size - 1]
    return -1 if last >= limit else int(last - first + 1)


@kernel
def _window(words: Words, position: np.uint64) -> np.uint64:
    """Return the 64 bits from bit `position` on."""
    place = position & np.uint64(63)
    word = position >> np.uint64(6)
    above = words[word + np.uint64(1)] << np.uint64(1)
    return (words[word] >> place) | (above << (np.uint64(63) - place))


@kernel
def _refill(left: np.uint64, ahead: np.uint64, used: np.uint64) -> np.uint64:
    """Return the window after 1 to 64 `used` bits: what is `left` of it below, what comes after it above."""
    kept = np.uint64(64) - used
    return (left & ((np.uint64(1) << kept) - np.uint64(1))) | (ahead << kept)


@kernel
def _rotate(window: np.uint64, places: np.uint64) -> np.uint64:
    """Move `window` down by 0 to 63 places, the bits that leave it in again above."""
    return (window >> places) | (window << ((np.uint64(64) - places) & np.uint64(63)))


@kernel
def _read_together(
    window: np.uint64, expected: np.uint64, shift: np.uint64, slots: Slots, begin: int, count: int
) -> tuple[np.uint64, np.uint64, np.uint64]:
    """Write so many slots from `window`; return it as it was left, how many bits were read, and where the next may lie.

    The window is turned, not emptied, so that there is always a one to find. Past 64 bits it is read a second time, and
    all is meaningless.
    """
    one = np.uint64(1)
    mask = (one << shift) - one
    base = np.uint64(begin)
    used = np.uint64(0)
    if window == np.uint64(0):
        return window, _TOO_LONG, expected
    for place in range(count):
        zeros = np.uint64(trailing_zeros(window))
        window = _rotate(window, zeros)
        slot = expected + ((zeros << shift) | ((window >> one) & mask))
        slots[base + np.uint64(place)] = np.int64(slot)
        expected = slot + one
        window = _rotate(window, shift + one)
        used += zeros + shift + one
    return window, used, expected


@kernel
def _read_one_by_one(
    words: Words,
    position: np.uint64,
    stop: np.uint64,
    expected: np.uint64,
    bound: np.uint64,
    shift: np.uint64,
    slots: Slots,
    begin: int,
    end: int,
) -> tuple[np.uint64, np.uint64]:
    """Write slots[begin:end] from bit `position` on; return where their code ends, and where the next slot may lie.

    The former is `_REFUSED` if the code ends after `stop`, or a slot reaches `bound`.
    """
    one = np.uint64(1)
    mask = (one << shift) - one
    for event in range(begin, end):
        mark = _next_one(words, position, stop)
        quotient = mark - position
        position = mark + one + shift
        # The quotient is compared before it is shifted, so that nothing overflows.
        if position > stop or quotient > (bound >> shift):
            return _REFUSED, expected
        slot = expected + ((quotient << shift) | (_window(words, mark + one) & mask))
        if slot >= bound:
            return _REFUSED, expected
        slots[np.uint64(event)] = np.int64(slot)
        expected = slot + one
    return position, expected


@kernel
def _next_one(words: Words, position: np.uint64, stop: np.uint64) -> np.uint64:
    """Return where the first one from bit `position` on is, or a number that is not below `stop`."""
    six = np.uint64(6)
    window = words[position >> six] >> (position & np.uint64(63))
    while window == np.uint64(0):
        position = ((position >> six) + np.uint64(1)) << six
        if position >= stop:
            return position
        window = words[position >> six]
    return position + np.uint64(trailing_zeros(window))


def warm() -> None:
    """Compile every kernel of this file."""
    slots = np.array([0, 1], dtype=np.int64)
    slots.flags.writeable = False
    code = np.zeros(4, dtype=np.uint64)
    length = encode_gaps(slots, 0, 2, 1, code)
    code.flags.writeable = False
    decode_gaps(code, length, 1, 0, 2, np.zeros(2, dtype=np.int64))
