"""Lines of decimal numbers, as time taggers and students write them, made into integers without rounding.

A line has fields that one byte separates, or any run of spaces and tabs; two of them are read. Spaces around a field
count for nothing, nor does what follows a `#`, nor an empty line. A number is `[+-]digits[.digits][e[+-]digits]` in
ASCII; it is kept as an integer and a number of decimals, so that nothing is rounded here.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.jit.decorators import kernel, lean_kernel

__all__ = [
    "BAD_NAME",
    "BAD_NUMBER",
    "FEW_COLUMNS",
    "IN_TIME",
    "MANY_COLUMNS",
    "NOT_WHOLE",
    "NO_FAULT",
    "OUT_OF_RANGE",
    "ROUNDED",
    "find_codes",
    "read_clicks",
    "scale_and_round",
    "warm",
]

NO_FAULT = 0
FEW_COLUMNS = 1
MANY_COLUMNS = 2
BAD_NUMBER = 3
BAD_NAME = 4
OUT_OF_RANGE = 5
NOT_WHOLE = 6
ROUNDED = 7
IN_TIME = 16
"""Added to a fault of the field that says the time; else it is that of the detector."""

_MAX_EXPONENT = 400
_NO_EXPONENT = 2**30
_TENTH = 0x1999999999999999
_LONGEST_NAME = 8

Text: TypeAlias = NDArray[np.uint8]
Integers: TypeAlias = NDArray[np.int64]
Magnitudes: TypeAlias = NDArray[np.uint64]
Decimals: TypeAlias = NDArray[np.int16]
Flags: TypeAlias = NDArray[np.bool_]


@lean_kernel
def read_clicks(
    text: Text,
    separator: int,
    channel_column: int,
    time_column: int,
    only_columns: int,
    named: bool,
    whole_times: bool,
    channels: Magnitudes,
    times: Magnitudes,
    negative: Flags,
    decimals: Decimals,
    found: Integers,
    parts: Integers,
    digits: Magnitudes,
    bounds: Integers,
) -> int:
    """Read whole lines into `channels`, `times`, `negative`, `decimals`, and return how many clicks they hold.

    Args:
        text: lines, each with its line end.
        separator: the byte between fields, or 0 for runs of spaces and tabs.
        channel_column: which field, counted from 0, says the detector.
        time_column: which the time.
        only_columns: how many fields a line must have; 0 for any number.
        named: detectors are names of up to eight bytes, kept as the little-endian number of these; else integers, kept
            in two's complement.
        whole_times: times are whole ticks; each is kept without decimals, in two's complement.
        channels: room for one entry for each line.
        times: the same: digits of the time as one integer.
        negative: and its sign, where times are not whole.
        decimals: and how many of the digits stand behind the point.
        found: two entries: the fault, and the line in which it is, or the number of lines.
        parts: three entries of scratch.
        digits: one.
        bounds: five.
    """
    click = 0
    line = 0
    start = 0
    found[0] = NO_FAULT
    while start < text.size:
        stop = start
        while text[stop] != 10:
            stop += 1
        end = _without_remark(text, start, stop)
        if end > start:
            fault = _find_fields(text, start, end, separator, channel_column, time_column, bounds)
            if fault == NO_FAULT and only_columns and bounds[4] != only_columns:
                fault = MANY_COLUMNS
            if fault == NO_FAULT and named:
                fault = _read_name(text, bounds[0], bounds[1], channels, click)
            elif fault == NO_FAULT:
                fault = _read_integer(text, bounds[0], bounds[1], parts, digits, channels, click)
            if fault == NO_FAULT:
                if whole_times:
                    fault = _read_integer(text, bounds[2], bounds[3], parts, digits, times, click)
                else:
                    fault = _read_number(text, bounds[2], bounds[3], parts, digits)
                    times[click] = digits[0]
                    negative[click] = parts[0] != 0
                    decimals[click] = np.int16(parts[1])
                fault += IN_TIME if fault != NO_FAULT else 0
            if fault != NO_FAULT:
                found[0] = fault
                found[1] = line
                return click
            click += 1
        line += 1
        start = stop + 1
    found[1] = line
    return click


@lean_kernel
def _without_remark(text: Text, start: int, stop: int) -> int:
    """Return where a line ends without its remark and without blanks; at its start if nothing is left."""
    end = start
    for place in range(start, stop):
        if text[place] == 35:
            break
        if not (text[place] == 32 or text[place] == 9 or text[place] == 13):
            end = place + 1
    return end


@lean_kernel
def _find_fields(
    text: Text, start: int, stop: int, separator: int, channel_column: int, time_column: int, bounds: Integers
) -> int:
    """Write where the two fields begin and end, without blanks, and how many fields the line has."""
    column = 0
    place = start
    seen = 0
    while place <= stop:
        while place < stop and text[place] != separator and (text[place] == 32 or text[place] == 9):
            place += 1
        first = place
        last = place
        while place < stop and text[place] != separator:
            blank = text[place] == 32 or text[place] == 9
            if blank and separator == 0:
                break
            place += 1
            if not blank:
                last = place
        if column == channel_column:
            bounds[0] = first
            bounds[1] = last
            seen += 1
        if column == time_column:
            bounds[2] = first
            bounds[3] = last
            seen += 1
        column += 1
        if place >= stop:
            break
        place += 1
    bounds[4] = column
    return NO_FAULT if seen == 2 else FEW_COLUMNS


@lean_kernel
def _read_name(text: Text, start: int, stop: int, names: Magnitudes, click: int) -> int:
    """Keep up to eight printing bytes as the little-endian number of them."""
    if stop == start or stop - start > _LONGEST_NAME:
        return BAD_NAME
    name = np.uint64(0)
    for place in range(start, stop):
        byte = text[place]
        if byte <= 32 or byte >= 127:
            return BAD_NAME
        name |= np.uint64(byte) << np.uint64(8 * (place - start))
    names[click] = name
    return NO_FAULT


@lean_kernel
def _read_integer(
    text: Text, start: int, stop: int, parts: Integers, digits: Magnitudes, values: Magnitudes, click: int
) -> int:
    """Keep a whole number of less than 2^63 in two's complement; refuse one whose last places were not written."""
    fault = _read_number(text, start, stop, parts, digits)
    if fault != NO_FAULT:
        return fault
    if parts[2] < 0:
        return ROUNDED
    value = digits[0]
    if value != 0 and parts[1] > 0:
        return NOT_WHOLE
    if value != 0:
        for _ in range(-parts[1]):
            if value > np.uint64(_TENTH):
                return OUT_OF_RANGE
            value *= np.uint64(10)
    if value > np.uint64(0x7FFFFFFFFFFFFFFF):
        return OUT_OF_RANGE
    values[click] = ~value + np.uint64(1) if parts[0] else value
    return NO_FAULT


@lean_kernel
def _read_number(text: Text, start: int, stop: int, parts: Integers, digits: Magnitudes) -> int:
    """Read digits without zeros at their end; write the sign, how many are decimals, how many decimals were written."""
    mark = start
    while mark < stop and text[mark] != 101 and text[mark] != 69:
        mark += 1
    exponent = 0
    if mark < stop:
        exponent = _read_exponent(text, mark + 1, stop)
        if exponent == _NO_EXPONENT:
            return BAD_NUMBER
    fault = _read_digits(text, start, mark, parts, digits)
    if fault != NO_FAULT:
        return fault
    parts[1] -= exponent
    parts[2] -= exponent
    if digits[0] == 0:
        parts[1] = 0
    return NO_FAULT if -_MAX_EXPONENT <= parts[1] <= _MAX_EXPONENT else OUT_OF_RANGE


@lean_kernel
def _read_exponent(text: Text, start: int, stop: int) -> int:
    """Return a signed number, cut far beyond what is allowed, or `_NO_EXPONENT`."""
    place = start
    falling = False
    if place < stop and (text[place] == 43 or text[place] == 45):
        falling = text[place] == 45
        place += 1
    exponent = 0 if place < stop else _NO_EXPONENT
    while place < stop:
        if not 48 <= text[place] <= 57:
            return _NO_EXPONENT
        exponent = min(exponent * 10 + int(text[place]) - 48, 2**20)
        place += 1
    return -exponent if falling and exponent != _NO_EXPONENT else exponent


@lean_kernel
def _read_digits(text: Text, start: int, stop: int, parts: Integers, digits: Magnitudes) -> int:
    """Read `[+-]digits[.digits]`; write as `_read_number` does."""
    place = start
    parts[0] = 0
    if place < stop and (text[place] == 43 or text[place] == 45):
        parts[0] = 1 if text[place] == 45 else 0
        place += 1
    value = np.uint64(0)
    zeros = 0
    written = 0
    decimals = 0
    behind_point = False
    while place < stop:
        byte = text[place]
        place += 1
        if byte == 46 and not behind_point:
            behind_point = True
            continue
        if not 48 <= byte <= 57:
            return BAD_NUMBER
        written += 1
        decimals += 1 if behind_point else 0
        # Zeros wait until a digit follows: those at the end are not part of the integer.
        zeros += 1
        if byte != 48:
            for _ in range(zeros if value != 0 else 1):
                if value > np.uint64(_TENTH):
                    return OUT_OF_RANGE
                value *= np.uint64(10)
            digit = np.uint64(byte - 48)
            if value > np.uint64(0xFFFFFFFFFFFFFFFF) - digit:
                return OUT_OF_RANGE
            value += digit
            zeros = 0
    parts[1] = decimals - zeros
    parts[2] = decimals
    digits[0] = value
    return NO_FAULT if written else BAD_NUMBER


@kernel
def scale_and_round(values: Magnitudes, factor: np.uint64, divisor: np.uint64, scaled: Magnitudes) -> bool:
    """Write values * factor / divisor, rounded to the nearest, halves to even; return whether all are below 2^63.

    Args:
        values: any.
        factor: an unsigned number of 64 bits.
        divisor: one of at least 1 and less than 2^63.
        scaled: room for one entry for each value.
    """
    low_half = np.uint64(0xFFFFFFFF)
    half = np.uint64(32)
    one = np.uint64(1)
    for place in range(values.size):
        # The product has 128 bits: school multiplication of halves.
        a_low, a_high = values[place] & low_half, values[place] >> half
        b_low, b_high = factor & low_half, factor >> half
        first = a_low * b_low
        second = a_high * b_low + (first >> half)
        third = a_low * b_high + (second & low_half)
        high = a_high * b_high + (second >> half) + (third >> half)
        low = (third << half) | (first & low_half)
        if high >= divisor:
            return False
        # School division, a bit at a time: the remainder stays below the divisor, so twice it fits.
        rest = high
        quotient = np.uint64(0)
        for _ in range(64):
            rest = (rest << one) | (low >> np.uint64(63))
            low <<= one
            quotient <<= one
            if rest >= divisor:
                rest -= divisor
                quotient |= one
        twice = rest << one
        if (twice > divisor or (twice == divisor and quotient & one)) and quotient != np.uint64(0xFFFFFFFFFFFFFFFF):
            quotient += one
        if quotient > np.uint64(0x7FFFFFFFFFFFFFFF):
            return False
        scaled[place] = quotient
    return True


@kernel
def find_codes(values: Integers, codes: Integers, places: Text) -> None:
    """Write where each value stands among a few codes, at most 254; 255 for none of them."""
    for click in range(values.size):
        found = 255
        for place in range(codes.size):
            if values[click] == codes[place]:
                found = place
        places[click] = found


def warm() -> None:
    """Compile every kernel of this file."""
    text = np.frombuffer(b"1 2\n", dtype=np.uint8)
    words = np.zeros(1, dtype=np.uint64)
    flags = np.zeros(1, dtype=np.bool_)
    decimals = np.zeros(1, dtype=np.int16)
    scratch = np.zeros(5, dtype=np.int64)
    read_clicks(
        text, 0, 0, 1, 2, False, True, words, words.copy(), flags, decimals, scratch[:2], scratch[2:], words, scratch
    )
    find_codes(scratch, scratch, np.zeros(5, dtype=np.uint8))
    scale_and_round(words, np.uint64(1), np.uint64(1), words.copy())
