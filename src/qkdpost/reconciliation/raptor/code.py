"""Raptor-like quasi-cyclic codes: a precode, as many extension rows as the rate needs, and increments.

The *core* are the information and parity columns of a precode of rate 1/2. Every extension row checks a few core
columns together with a column of its own, in which nothing else takes part. A frame with e extension rows has the core
columns first and then the e extension columns, so that the rate falls as e grows while the information stays the same:
one family serves all rates. T. Richardson and R. Urbanke, "Multi-edge type LDPC codes" (2004), name the structure;
K. Cil and L. Schmalen, arXiv:2408.00569, propose this shape for continuous variables.

Given a frame's syndrome, core and frame determine each other: extension bit = syndrome bit + parity of core bits.

A row of circulants, for an edge of column c and shift s, has check ``row * lift + i`` on bit
``c * lift + (i + s) % lift`` for i = 0 ... lift - 1. Words are `uint64`; bit i of a vector is bit i % 64
of word i // 64.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkdpost.errors import ConfigurationError, InputError

__all__ = ["FAMILY", "CirculantRows", "RaptorCode", "load_family", "manifest", "manifest_digest"]

FAMILY = "raptor-0512"
"""The shipped family."""

_TABLES = "qkdpost.reconciliation.raptor_codes"
_MAX_COLUMNS = 1 << 12
_SECTIONS = ("precode", "extension", "increments")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CirculantRows:
    """Rows of circulants over the core columns, in compressed form.

    Args:
        row_starts: where each row's edges start, and where the last row's end; uint64, shape (rows + 1,).
        columns: the core column of each edge; uint64, shape (edges,); increasing within a row.
        shifts: of each edge; uint64, shape (edges,).
    """

    row_starts: NDArray[np.uint64] = field(repr=False)
    columns: NDArray[np.uint64] = field(repr=False)
    shifts: NDArray[np.uint64] = field(repr=False)

    def __post_init__(self) -> None:
        for name in ("row_starts", "columns", "shifts"):
            array = getattr(self, name)
            if not isinstance(array, np.ndarray) or array.dtype != np.uint64 or array.ndim != 1:
                raise InputError(f"{name} of circulant rows must be a vector of uint64")
        starts = self.row_starts.astype(np.int64)
        if starts.size < 1 or starts[0] != 0 or np.any(np.diff(starts) < 1) or starts[-1] != self.columns.size:
            raise InputError("row_starts must rise from 0 to the number of edges, by 1 or more a row")
        if self.columns.size != self.shifts.size:
            raise InputError(f"each edge has a column and a shift; found {self.columns.size} and {self.shifts.size}")
        degrees: NDArray[np.int64] = np.diff(starts)
        rows = np.repeat(np.arange(starts.size - 1), degrees)
        if np.any((np.diff(self.columns.astype(np.int64)) <= 0) & (np.diff(rows) == 0)):
            raise InputError("the columns of a row must increase, each once")

    @property
    def count(self) -> int:
        """Number of rows."""
        return self.row_starts.size - 1

    def first(self, rows: int) -> CirculantRows:
        """Return the first `rows` rows; arrays are shared."""
        end = int(self.row_starts[rows])
        return CirculantRows(
            row_starts=self.row_starts[: rows + 1], columns=self.columns[:end], shifts=self.shifts[:end]
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RaptorCode:
    """A family of codes of one core and of any number of extension rows.

    Args:
        name: of the family.
        lift: bits of a circulant, a power of two, 64 or more.
        info_columns: columns of information.
        parity_columns: columns of the precode's parity; the core are both, information first.
        precode: `parity_columns` rows.
        extension: rows, each with a column of its own besides its core columns.
        increments: rows over the core alone, disclosed one by one when a frame is not decoded.

    Raises:
        InputError: sizes or edges that do not fit one another.
    """

    name: str
    lift: int
    info_columns: int
    parity_columns: int
    precode: CirculantRows = field(repr=False)
    extension: CirculantRows = field(repr=False)
    increments: CirculantRows = field(repr=False)

    def __post_init__(self) -> None:
        if self.lift < 64 or self.lift & (self.lift - 1) or self.lift > 1 << 15:
            raise InputError(f"lift must be a power of two from 64 to 32768; found {self.lift}")
        if self.info_columns < 1 or self.parity_columns < 1 or self.core_columns > _MAX_COLUMNS:
            raise InputError(f"a core has 1 or more columns of each kind, and {_MAX_COLUMNS} at most")
        if self.precode.count != self.parity_columns:
            raise InputError(f"the precode must have {self.parity_columns} rows; found {self.precode.count}")
        for name in _SECTIONS:
            rows: CirculantRows = getattr(self, name)
            if rows.columns.size and (rows.columns.max() >= self.core_columns or rows.shifts.max() >= self.lift):
                raise InputError(f"an edge of the {name} lies outside the core's columns or the shifts")

    @property
    def core_columns(self) -> int:
        """Columns of the core."""
        return self.info_columns + self.parity_columns

    @property
    def core_bits(self) -> int:
        """Bits of the core, which a frame starts with."""
        return self.lift * self.core_columns

    @property
    def info_bits(self) -> int:
        """Bits that a frame's syndrome leaves free."""
        return self.lift * self.info_columns

    def frame_bits(self, extension_rows: int) -> int:
        """Return the bits of a frame with so many extension rows."""
        return self.lift * (self.core_columns + self._checked(extension_rows))

    def syndrome_bits(self, extension_rows: int) -> int:
        """Return the bits of such a frame's syndrome: of the precode's checks first, then of the extension's."""
        return self.lift * (self.parity_columns + self._checked(extension_rows))

    def _checked(self, extension_rows: int) -> int:
        if not 1 <= extension_rows <= self.extension.count:
            raise InputError(f"extension_rows must be in 1 ... {self.extension.count}; found {extension_rows}")
        return extension_rows

    def table(self) -> NDArray[np.uint16]:
        """Return all edges as rows of section, row, column and shift, sorted; shape (edges, 4)."""
        parts = []
        for section, name in enumerate(_SECTIONS):
            rows: CirculantRows = getattr(self, name)
            degrees = np.diff(rows.row_starts).astype(np.int64)
            numbers = np.repeat(np.arange(rows.count), degrees)
            sections = np.full(numbers.size, section)
            parts.append(np.stack([sections, numbers, rows.columns, rows.shifts], axis=1).astype(np.uint16))
        return np.concatenate(parts)

    def digest(self) -> str:
        """Return the SHA-256 of sizes and edges, as hexadecimal digits."""
        head = np.array([self.lift, self.info_columns, self.parity_columns], dtype="<u4").tobytes()
        return hashlib.sha256(head + self.table().astype("<u2").tobytes()).hexdigest()

    @classmethod
    def of_table(
        cls, table: NDArray[np.uint16], *, name: str, lift: int, info_columns: int, parity_columns: int
    ) -> RaptorCode:
        """Return the code whose edges are `table`, as that method gives them.

        Raises:
            InputError: edges that are none.
        """
        if table.ndim != 2 or table.shape[1] != 4 or np.any(table[:, 0] >= len(_SECTIONS)):
            raise InputError("a table has rows of section, row, column and shift")
        rows = [_rows_of(table[table[:, 0] == section]) for section in range(len(_SECTIONS))]
        return cls(
            name=name, lift=lift, info_columns=info_columns, parity_columns=parity_columns,
            precode=rows[0], extension=rows[1], increments=rows[2],
        )  # fmt: skip


def _rows_of(edges: NDArray[np.uint16]) -> CirculantRows:
    count = int(edges[:, 1].max()) + 1 if edges.size else 0
    return CirculantRows(
        row_starts=np.searchsorted(edges[:, 1], np.arange(count + 1)).astype(np.uint64),
        columns=edges[:, 2].astype(np.uint64),
        shifts=edges[:, 3].astype(np.uint64),
    )


@cache
def manifest() -> dict[str, Any]:
    """Return what is known of the shipped families; do not change it."""
    text = resources.files(_TABLES).joinpath("manifest.json").read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return content


@cache
def manifest_digest() -> str:
    """Return a digest of what is shipped: two installations with the same digest decode each other's frames."""
    text = resources.files(_TABLES).joinpath("manifest.json").read_bytes()
    return hashlib.blake2b(text, digest_size=16).hexdigest()


@cache
def load_family(name: str = FAMILY) -> RaptorCode:
    """Return a shipped family, its table compared with the hash in the manifest.

    Raises:
        InputError: there is no such family.
        ConfigurationError: the table is missing or damaged.
    """
    entry = manifest()["families"].get(name)
    if entry is None:
        raise InputError(f"there is no family of raptor-like codes {name!r}")
    try:
        data = resources.files(_TABLES).joinpath(f"{name}.bin").read_bytes()
        table = np.frombuffer(data, dtype="<u2").astype(np.uint16).reshape(-1, 4)
        code = RaptorCode.of_table(
            table, name=name, lift=entry["lift"], info_columns=entry["info_columns"],
            parity_columns=entry["parity_columns"],
        )  # fmt: skip
    except (OSError, ValueError, InputError) as error:
        raise ConfigurationError(f"the table of family {name!r} cannot be read; reinstall the library") from error
    if code.digest() != entry["digest"]:
        raise ConfigurationError(f"the table of family {name!r} does not match its hash; reinstall the library")
    return code
