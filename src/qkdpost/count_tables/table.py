"""A table of counts: cells by column and row, each of which knows where it stands."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qkdpost.checks import MAX_COUNT, described, real_number
from qkdpost.count_tables.names import NAMES, known_columns
from qkdpost.errors import InputError

__all__ = ["CountTable"]

_THOUSANDS = re.compile(r"[+-]?\d{1,3}\.\d{3}")
"""One, to who writes a point for decimals, and a thousand to others; of a count of errors that is a thousandth."""
_NUMBER = re.compile(r"[+-]?(\d{1,20}(\.\d{0,20})?|\.\d{1,20})([eE][+-]?\d{1,2})?")


@dataclass(frozen=True, slots=True)
class CountTable:
    """Rows of cells under names.

    Args:
        source: what an error calls it: the path, or "the table".
        header: the names, as they were written.
        rows: the cells: text of a file, or values of a data frame.
        places: where each row stands, as "line 3".
    """

    source: str
    header: Sequence[str]
    rows: Sequence[Sequence[Any]]
    places: Sequence[str]

    def columns(self) -> dict[str, int]:
        """Return the place of each known column, by the library's name of it."""
        return known_columns(self.source, list(self.header))

    def column_missing(self, *names: str, hint: str = "") -> InputError:
        """Return the error that says which columns there must be, and which there are."""
        wanted = ", ".join(f"{name} (or {', '.join(NAMES[name])})" if NAMES[name] else name for name in names)
        found = ", ".join(repr(text[:40]) for text in self.header[:20])
        return InputError(f"{self.source} must have a column {wanted}; found {found}" + (f". {hint}" if hint else ""))

    def fault(self, row: int, text: str) -> InputError:
        """Return an error that says in which row something is wrong."""
        return InputError(f"{self.source}, {self.places[row]}: {text}")

    def is_empty(self, row: int, column: int) -> bool:
        """Tell whether nothing stands in a cell."""
        cell = self.rows[row][column]
        return _missing(cell) or (isinstance(cell, str) and not cell.strip())

    def count(self, row: int, column: int) -> int:
        """Return a whole number.

        Raises:
            InputError: it is none, or missing; the message names line and column.
        """
        value = self._number(row, column, "a whole number, 0 ... 2^53")
        cell = self.rows[row][column]
        if isinstance(cell, str) and _THOUSANDS.fullmatch(cell.strip()):
            raise self._wrong(row, column, "a whole number without a point, which some put between thousands")
        if not (value.is_integer() and 0 <= value <= MAX_COUNT):
            raise self._wrong(row, column, "a whole number, 0 ... 2^53")
        return int(value)

    def real(self, row: int, column: int) -> float:
        """Return a number; else as `count`."""
        return self._number(row, column, "a number, with a point for decimals")

    def word(self, row: int, column: int) -> str:
        """Return the text of a cell, numbers in one form; an empty one is refused as in `count`."""
        cell = self.rows[row][column]
        if isinstance(cell, str | np.str_):
            text = str(cell).strip()
            if text:
                return label_of(text)
        elif not _missing(cell) and isinstance(cell, int | float | np.number | np.bool_):
            return label_of(str(cell))
        raise self._wrong(row, column, "a name or a number")

    def _number(self, row: int, column: int, wanted: str) -> float:
        cell = self.rows[row][column]
        if isinstance(cell, str):
            text = cell.strip()
            if not _NUMBER.fullmatch(text):
                raise self._wrong(row, column, wanted)
            return float(text)
        try:
            return real_number("cell", cell)
        except InputError:
            raise self._wrong(row, column, wanted) from None

    def _wrong(self, row: int, column: int, wanted: str) -> InputError:
        found = "nothing" if self.is_empty(row, column) else described(self.rows[row][column])
        return self.fault(row, f"column {self.header[column]!r:.40} must be {wanted}; found {found}")


def label_of(value: object) -> str:
    """Return a name by which rows are told apart: small letters, and each number in one form."""
    text = str(value).strip().casefold()
    return repr(float(text)) if _NUMBER.fullmatch(text) else text


def _missing(value: object) -> bool:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and math.isnan(value)
