"""Text, one click a line, read by a kernel a piece at a time."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.sifting import tag_text
from qkdpost.errors import InputError
from qkdpost.sifting.tag_files.raw_clicks import RawClicks, joined
from qkdpost.sifting.tag_files.source import Source, open_source
from qkdpost.sifting.tag_files.text_faults import fault_in_words, refuse_binary
from qkdpost.sifting.tag_files.text_layout import TIME_UNITS, TextLayout

__all__ = ["read_text"]

MAX_LINE_BYTES = 2**16
_PIECE_BYTES = 2**22
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_text(path: str, layout: TextLayout, tick_ps: float) -> RawClicks:
    """Read all clicks of a text file, which may be packed.

    Raises:
        InputError: a line that is not as the layout says, or a binary file.
    """
    parts = []
    with open_source(path) as source:
        lines_before = layout.header_lines
        for text in _pieces_of_lines(source, layout.header_lines):
            clicks, lines = _read_piece(path, text, layout, tick_ps, lines_before)
            parts.append(clicks)
            lines_before += lines
    return joined(parts)


def _pieces_of_lines(source: Source, header_lines: int) -> Iterator[bytes]:
    """Give whole lines, some megabytes at a time, without the header."""
    rest = b""
    skip = header_lines
    first = True
    while True:
        read = source.read(_PIECE_BYTES)
        if first:
            refuse_binary(source.path, read)
            rest = read.removeprefix(_BYTE_ORDER_MARK)
            first = False
        else:
            rest += read
        if not read and rest:
            rest += b"\n"
        stop = rest.rfind(b"\n") + 1
        text, rest = rest[:stop], rest[stop:]
        if len(rest) > MAX_LINE_BYTES:
            raise InputError(f"{source.path} has a line of more than {MAX_LINE_BYTES} bytes: check that it is text")
        begin = 0
        while skip and begin < stop:
            begin = text.find(b"\n", begin) + 1
            skip -= 1
        if begin < stop:
            yield text[begin:]
        if not read:
            return


def _read_piece(path: str, text: bytes, layout: TextLayout, tick_ps: float, lines_before: int) -> tuple[RawClicks, int]:
    """Read some lines; return their clicks and how many lines they were."""
    room = text.count(b"\n")
    channels, times = np.empty(room, dtype=np.uint64), np.empty(room, dtype=np.uint64)
    negative, decimals = np.zeros(room, dtype=np.bool_), np.zeros(room, dtype=np.int16)
    found, scratch = np.zeros(2, dtype=np.int64), np.zeros(8, dtype=np.int64)
    columns = (0, 1) if layout.columns is None else layout.columns
    count = tag_text.read_clicks(
        np.frombuffer(text, dtype=np.uint8),
        layout.separator,
        *columns,
        2 if layout.columns is None else 0,
        layout.by_name,
        layout.time_unit == "ticks",
        channels,
        times,
        negative,
        decimals,
        found,
        scratch[:3],
        np.zeros(1, dtype=np.uint64),
        scratch[3:],
    )
    fault, line = int(found[0]), int(found[1])
    if fault:
        raise InputError(
            fault_in_words(path, fault, text.split(b"\n", line + 1)[line], lines_before + line + 1, layout)
        )
    ticks = times[:count].view(np.int64)
    if layout.time_unit != "ticks":
        unit = Fraction(TIME_UNITS[layout.time_unit]) / Fraction(repr(tick_ps))
        ticks = _in_ticks(path, times[:count], negative[:count], decimals[:count], unit)
    # Copies of what is used: the room was made for lines without a click too.
    return RawClicks(ticks.copy(), channels[:count].view(np.int64).copy()), line


def _in_ticks(
    path: str,
    digits: NDArray[np.uint64],
    negative: NDArray[np.bool_],
    decimals: NDArray[np.int16],
    unit_ticks: Fraction,
) -> NDArray[np.int64]:
    """Return digits / 10^decimals times the unit, rounded once, to the nearest tick, halves to even."""
    ticks = np.zeros(digits.size, dtype=np.uint64)
    for places in np.unique(decimals):
        here = decimals == places
        ratio = unit_ticks / Fraction(10) ** int(places)
        scaled = _scaled(digits[here], ratio)
        if scaled is None:
            raise InputError(f"{path} has times beyond 2^63 ticks: check tick_ps and time_unit")
        ticks[here] = scaled
    signed = ticks.view(np.int64)
    signed[negative] *= -1
    return signed


def _scaled(digits: NDArray[np.uint64], ratio: Fraction) -> NDArray[np.uint64] | None:
    """Return digits * ratio, rounded; None if any is 2^63 or more."""
    scaled = np.zeros(digits.size, dtype=np.uint64)
    if ratio < Fraction(1, 2**65):
        return scaled
    if ratio.numerator < 2**64 and ratio.denominator < 2**63:
        factor, divisor = np.uint64(ratio.numerator), np.uint64(ratio.denominator)
        return scaled if tag_text.scale_and_round(digits, factor, divisor, scaled) else None
    for place, value in enumerate(digits.tolist()):
        rounded = round(value * ratio)
        if rounded >= 2**63:
            return None
        scaled[place] = rounded
    return scaled
