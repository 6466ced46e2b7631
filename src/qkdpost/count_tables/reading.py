"""A table of counts from a file of CSV, or from the columns of a data frame."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from os import PathLike
from typing import Any, Protocol, TypeAlias

from qkdpost.checks import described
from qkdpost.count_tables.table import CountTable
from qkdpost.errors import InputError

__all__ = ["CountSource", "read_table"]


class Columns(Protocol):
    """What is asked of a data frame: `columns`, their names, and each of them by its name."""

    @property
    def columns(self) -> Any:
        """The names, in order."""

    def __getitem__(self, name: Any, /) -> Any:
        """Return a column."""


CountSource: TypeAlias = str | PathLike[str] | Mapping[str, Any] | Columns
"""The path of a file of CSV, or columns by name: a mapping, or a data frame."""

_MAX_BYTES = 2**20
_MAX_ROWS = 1000
_DELIMITERS = (",", ";", "\t")


def read_table(source: Any) -> CountTable:
    """Return the cells of a file, or of a data frame, none of which has been looked at.

    Raises:
        InputError: neither of them; or a file that is no table of text.
        OSError: the file is not there (`FileNotFoundError`), or cannot be read.
    """
    if isinstance(source, str | PathLike):
        return _of_file(source)
    if isinstance(source, Mapping) or (hasattr(source, "columns") and hasattr(source, "__getitem__")):
        return _of_columns(source)
    raise InputError(
        f"counts must be the path of a file of CSV, or columns by name as a pandas.DataFrame has them; found "
        f"{described(source)}"
    )


def _of_columns(source: Any) -> CountTable:
    names = list(source.columns) if hasattr(source, "columns") else list(source)
    if not names or not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
        raise InputError("the table of counts must have columns with names, each once")
    columns = []
    for name in names:
        column = source[name]
        if isinstance(column, str | bytes | Mapping) or not hasattr(column, "__iter__"):
            raise InputError(f"the table of counts: column {name!r:.40} must be a list; found {described(column)}")
        columns.append(list(column))
    if len({len(column) for column in columns}) != 1 or not 1 <= len(columns[0]) <= _MAX_ROWS:
        raise InputError(
            f"the table of counts must have columns of one length, 1 ... {_MAX_ROWS}; found "
            f"{[len(column) for column in columns][:20]}"
        )
    rows = list(zip(*columns, strict=True))
    return CountTable("the table of counts", names, rows, [f"row {place}" for place in range(len(rows))])


def _of_file(source: str | PathLike[str]) -> CountTable:
    path = os.fspath(source)
    if not isinstance(path, str) or "\0" in path or "\n" in path:
        raise InputError(f"counts must be the path of a file of CSV; found {described(path)}")
    with open(path, "rb") as file:
        data = file.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise InputError(f"{path} must be a table of counts, of at most 1 MiB; found more")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise InputError(f"{path} must be text in UTF-8; save it from the spreadsheet as CSV UTF-8")
    lines = [
        (number, line)
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    return _of_lines(path, lines)


def _of_lines(path: str, lines: list[tuple[int, str]]) -> CountTable:
    if not 2 <= len(lines) <= _MAX_ROWS + 1:
        raise InputError(
            f"{path} must have a line with the names of columns and 1 ... {_MAX_ROWS} lines of counts below; found "
            f"{len(lines)} lines in all"
        )
    delimiter = max(_DELIMITERS, key=lines[0][1].count)
    rows = [_cells(path, number, line, delimiter) for number, line in lines]
    header = [cell.strip() for cell in rows[0]]
    for (number, _), row in zip(lines[1:], rows[1:], strict=True):
        if len(row) != len(header):
            raise InputError(
                f"{path}, line {number}: must have {len(header)} cells, as the line with the names; found {len(row)}"
                ". Numbers have a point for decimals and nothing between thousands"
            )
    return CountTable(path, header, rows[1:], [f"line {number}" for number, _ in lines[1:]])


def _cells(path: str, number: int, line: str, delimiter: str) -> list[str]:
    try:
        (cells,) = csv.reader([line], delimiter=delimiter, skipinitialspace=True, strict=True)
    except csv.Error as error:
        raise InputError(f"{path}, line {number}: is no line of CSV: {error}") from None
    return cells
