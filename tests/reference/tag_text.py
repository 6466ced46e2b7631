"""Numbers as `qkdpost._kernels.sifting.tag_text` reads them, by regular expressions and fractions."""

from __future__ import annotations

import re
from fractions import Fraction

NUMBER = re.compile(r"([+-]?)(\d+\.?\d*|\.\d+)(?:[eE]([+-]?\d+))?", re.ASCII)


def value(field: str) -> Fraction | None:
    """What a field is worth, or None if it is no number."""
    match = NUMBER.fullmatch(field)
    return None if match is None else Fraction(field)


def is_rounded(field: str) -> bool:
    """Whether the places of a number down to ones were not all written."""
    match = NUMBER.fullmatch(field)
    assert match is not None
    return len(match[2].partition(".")[2]) < int(match[3] or 0)


def fields(line: str, separator: str | None) -> list[str]:
    """The columns of a line, without its remark."""
    text = line.partition("#")[0].rstrip(" \t\r")
    columns = re.split(r"[ \t]+", text.lstrip(" \t")) if separator is None else text.split(separator)
    return [column.strip(" \t") for column in columns]


def in_ticks(field: str, unit_ps: int, tick_ps: float) -> int:
    """A time in whole ticks, rounded once, halves to even."""
    return round(Fraction(field) * unit_ps / Fraction(repr(tick_ps)))
