"""How the lines of a text file look, as the caller says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from qkdpost.checks import choice, described, whole_number
from qkdpost.errors import InputError

__all__ = ["TIME_UNITS", "TextLayout", "TimeUnit"]

TimeUnit = Literal["ticks", "ps", "ns", "us", "ms", "s"]

TIME_UNITS: dict[TimeUnit, int] = {"ticks": 0, "ps": 1, "ns": 10**3, "us": 10**6, "ms": 10**9, "s": 10**12}
"""Picoseconds of each unit; 0: whole ticks."""
MAX_COLUMN = 1000
MAX_HEADER_LINES = 10**6


@dataclass(frozen=True, slots=True)
class TextLayout:
    """How the lines of a text file look; see `load_time_tags` for what each means."""

    columns: tuple[int, int] | None
    separator: int
    header_lines: int
    time_unit: TimeUnit
    by_name: bool

    @classmethod
    def checked(
        cls, columns: object, delimiter: object, header_lines: object, time_unit: object, by_name: bool
    ) -> TextLayout:
        """Check what the caller says.

        Raises:
            InputError: something else than `load_time_tags` allows.
        """
        return cls(
            _checked_columns(columns),
            _checked_separator(delimiter),
            whole_number("header_lines", header_lines, most=MAX_HEADER_LINES),
            choice("time_unit", time_unit, TIME_UNITS),
            by_name,
        )


def _checked_columns(columns: object) -> tuple[int, int] | None:
    if columns is None:
        return None
    if not isinstance(columns, tuple | list) or len(columns) != 2:
        raise InputError(
            f"columns must be the places of detector and time, counted from 0, as (1, 0); found {described(columns)}"
        )
    channel, time = (whole_number(f"columns[{place}]", column, most=MAX_COLUMN) for place, column in enumerate(columns))
    if channel == time:
        raise InputError(f"columns must be two different places; found {channel} twice")
    return channel, time


def _checked_separator(delimiter: object) -> int:
    if delimiter is None:
        return 0
    text = str(delimiter) if isinstance(delimiter, str) else ""
    if len(text) != 1 or not text.isascii() or text.isalnum() or text in "+-.#_\n\r\0":
        raise InputError(
            f"delimiter must be one character, as ',' or ';', or None for spaces and tabs; found {described(delimiter)}"
        )
    return ord(text)
