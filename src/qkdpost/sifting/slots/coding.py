"""Positions on the wire, near their entropy: the gaps between them in Rice code.

The parameter of the code follows from how many positions there are and how far they may reach, in integers, so
that both hosts have it without sending it. Gaps of independent detections are geometric; the code then stays
within 0.1 bit per position of their entropy while at most two slots in three hold one.
S. W. Golomb, IEEE Trans. Inf. Theory 12, 399 (1966); A. Kiely, JPL IPN Progress Report 42-159 (2004), eq. 8.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkdpost._kernels.sifting.gaps import decode_gaps, encode_gaps
from qkdpost.checks import byte_string, increasing, integer_vector, whole_number
from qkdpost.errors import InputError

__all__ = [
    "MAX_SPAN",
    "check_code",
    "decode_between",
    "decode_slots",
    "decode_times",
    "encode_between",
    "encode_slots",
    "encode_times",
    "rice_parameter",
]

_MASK_HINT = "If this is a mask with an entry for each slot, give np.flatnonzero(mask)"
MAX_SPAN = 2**61
"""Positions lie below this, so that no sum or difference of two of them overflows 64 bits."""


def rice_parameter(count: int, pulses: int) -> int:
    """Return the parameter of the code for `count` positions below `pulses`: log2 of the divisor of the gaps.

    It is the largest k with 2^k <= 0.9624 (pulses / count - 1/2), or 0: the golden-ratio rule of Kiely for
    geometric gaps, with -1 / ln(1 - p) replaced by 1/p - 1/2.

    Raises:
        InputError: they are not two counts.
    """
    count, pulses = (
        whole_number(name, value, most=2 * MAX_SPAN) for name, value in (("count", count), ("pulses", pulses))
    )
    return _parameter(count, pulses)


def _parameter(count: int, pulses: int) -> int:
    if count < 1:
        return 0
    return max(0, ((2 * pulses - count) * 77 // (160 * count)).bit_length() - 1)


def encode_slots(slots: ArrayLike, pulses: int) -> bytes:
    """Encode strictly increasing positions.

    Args:
        slots: integers in 0 ... pulses - 1, strictly increasing, shape (n,).
        pulses: how many positions there are, at most `MAX_SPAN`.

    Returns:
        The code, lowest bit of each byte first, padded with zeros to whole bytes.

    Raises:
        InputError: the slots are not such positions.

    >>> from qkdpost import sifting
    >>> len(sifting.encode_slots(range(0, 100_000, 50), 100_000)) < 2000
    True
    """
    pulses = whole_number("pulses", pulses, most=MAX_SPAN)
    positions = np.ascontiguousarray(integer_vector("slots", slots, flag_hint=_MASK_HINT, copy=False))
    code = encode_between(positions, 0, pulses)
    if code is None:
        increasing("slots", positions, strictly=True, copy=False)
        raise InputError(f"slots must lie in 0 ... {pulses - 1}; found {positions[0]} ... {positions[-1]}")
    return code


def encode_between(slots: NDArray[np.int64], start: int, end: int) -> bytes | None:
    """Encode strictly increasing positions in start ... end - 1, counted from `start`; None if these are none."""
    parameter = _parameter(slots.size, end - start)
    longest = _longest_code(slots.size, end - start, parameter)
    if not parameter:
        longest = min(longest, end - start)  # a bit for each position, and no more
    output = np.zeros(longest // 64 + 2, dtype="<u8")
    length = encode_gaps(_read_only(slots), start, end, parameter, output)
    return output.view(np.uint8)[: (length + 7) // 8].tobytes() if length >= 0 else None


def _longest_code(count: int, pulses: int, parameter: int) -> int:
    """Return how many bits the code of `count` positions below `pulses` has at most."""
    return count * (parameter + 1) + (pulses >> parameter) if count else 0


def decode_slots(data: bytes, count: int, pulses: int) -> NDArray[np.int64]:
    """Decode what the peer encoded with `encode_slots`.

    Time and memory are proportional to the length of `data`, whatever count the peer claims.

    Args:
        data: the code.
        count: how many positions it holds.
        pulses: every position lies below this; at most `MAX_SPAN`.

    Returns:
        `count` strictly increasing positions in 0 ... pulses - 1, read-only.

    Raises:
        InputError: `data` is not what `encode_slots` makes of such positions, or no bytes, or the numbers no integers.

    >>> from qkdpost import sifting
    >>> sifting.decode_slots(sifting.encode_slots([3, 8, 90], 100), 3, 100).tolist()
    [3, 8, 90]
    """
    count, pulses, data = _any_integer("count", count), _any_integer("pulses", pulses), byte_string("data", data)
    check_code(data, count, pulses)
    slots = np.empty(count, dtype=np.int64)
    if fault := decode_between(data, 0, pulses, slots):
        raise InputError(fault)
    return _read_only(slots)


def check_code(data: bytes, count: int, pulses: int) -> None:
    """Check that `data` is as long as a code of `count` positions below `pulses` may be.

    Raises:
        InputError: it is not, or there cannot be so many positions.
    """
    if not 0 <= pulses <= MAX_SPAN or not 0 <= count <= pulses:
        raise InputError(f"count must not exceed pulses, and pulses not 2^61; found {count} positions below {pulses}")
    parameter = _parameter(count, pulses)
    if count * (parameter + 1) > 8 * len(data):
        raise InputError(f"{len(data)} bytes are too few for {count} positions below {pulses}")
    if len(data) > (_longest_code(count, pulses, parameter) + 7) // 8:
        raise InputError(f"bytes follow the code of {count} positions")


def decode_between(data: bytes, start: int, end: int, slots: NDArray[np.int64]) -> str:
    """Write to `slots` as many positions as it has entries, in start ... end - 1, as `encode_between` encoded them.

    `data` must have passed `check_code`. Returns what is wrong with it, else nothing.
    """
    words = np.frombuffer(data + bytes(-len(data) % 8 + 24), dtype="<u8")
    used = decode_gaps(words, 8 * len(data), _parameter(slots.size, end - start), start, end, slots)
    if used < 0:
        return f"the code of {slots.size} positions below {end - start} ends early or leaves the range"
    if (used + 7) // 8 != len(data) or (used % 8 and data[-1] >> (used % 8)):
        return f"bytes follow the code of {slots.size} positions"
    return ""


def encode_times(ticks: ArrayLike, *, origin: int, span: int) -> bytes:
    """Encode non-decreasing times by `encode_slots`: each time is moved on by its number, so that all differ.

    Args:
        ticks: integers in origin ... origin + span - 1, non-decreasing, shape (n,).
        origin: what is subtracted of all; within +-`MAX_SPAN`.
        span: the length of the range in ticks.

    Raises:
        InputError: the ticks are not such times.

    >>> from qkdpost import sifting
    >>> len(sifting.encode_times([5, 5, 90], origin=0, span=100)) < 8
    True
    """
    times = increasing("ticks", ticks, strictly=False, copy=False)
    origin = whole_number("origin", origin, least=-MAX_SPAN, most=MAX_SPAN)
    span = whole_number("span", span, most=MAX_SPAN - times.size)
    if times.size and not origin <= int(times[0]) <= int(times[-1]) < origin + span:
        raise InputError(f"ticks must lie in {origin} ... {origin + span - 1}; found {times[0]} ... {times[-1]}")
    return encode_slots(times - origin + np.arange(times.size), span + times.size)


def decode_times(data: bytes, count: int, *, origin: int, span: int) -> NDArray[np.int64]:
    """Decode what the peer encoded with `encode_times`; costs what `decode_slots` costs.

    Returns:
        `count` non-decreasing ticks in origin ... origin + span - 1, read-only.

    Raises:
        InputError: `data` is not what `encode_times` makes of such times; else as `decode_slots`.

    >>> from qkdpost import sifting
    >>> data = sifting.encode_times([5, 5, 90], origin=0, span=100)
    >>> sifting.decode_times(data, 3, origin=0, span=100).tolist()
    [5, 5, 90]
    """
    count, origin, span = (
        _any_integer(name, value) for name, value in (("count", count), ("origin", origin), ("span", span))
    )
    if abs(origin) > MAX_SPAN or not 0 <= span <= MAX_SPAN or not 0 <= count <= MAX_SPAN - span:
        raise InputError(
            f"origin, span and count must lie within 2^61 ticks; found {count} times in {span} ticks from {origin} on"
        )
    slots = decode_slots(data, count, span + count)
    ticks = slots - np.arange(count) + origin
    # The last position bounds them all: positions that increase, less their number, never decrease.
    if count and int(ticks[-1]) >= origin + span:
        raise InputError(f"the last of {count} times lies past the {span} ticks from {origin} on")
    return _read_only(ticks)


def _any_integer(name: str, value: object) -> int:
    """Return an integer of any size: what is out of range is reported together with the others."""
    return whole_number(name, value, least=-(2**64), most=2**64)


def _read_only(array: NDArray[np.int64]) -> NDArray[np.int64]:
    view = array.view()
    view.flags.writeable = False
    return view
