"""Quasi-cyclic codes: the record of one, and the family that ships as tables.

A code of `rows` by `columns` blocks of `size` bits has, for each base edge (row, column, shift), check
``row * size + i`` on bit ``column * size + (i + shift) % size``, for i = 0 ... size - 1. `size` is a power of two.

Then the checks are independent exactly when the base matrix has full rank over GF(2): circulants of size 2^k are the
polynomials modulo x^size - 1 = (x - 1)^size, a local ring, in which a minor is a unit exactly when its value at x = 1,
the minor of the base matrix, is 1. So `rows * size` syndrome bits are what is disclosed, no less.
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

__all__ = [
    "QuasiCyclicCode",
    "code_names",
    "frame_bits_of",
    "frame_lengths",
    "load_code",
    "manifest",
    "manifest_digest",
    "puncturable_bits_of",
    "syndrome_bits_of",
    "well_puncturable_bits_of",
]

_TABLES = "qkdpost.reconciliation.codes"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class QuasiCyclicCode:
    """A binary linear code given by its circulants.

    Args:
        rows: block rows.
        columns: block columns.
        size: bits of a block, a power of two, 64 or more.
        edges: uint16, shape (base edges, 3): row, column, shift; sorted, each (row, column) once.
    """

    rows: int
    columns: int
    size: int
    edges: NDArray[np.uint16] = field(repr=False)

    def __post_init__(self) -> None:
        if self.size < 64 or self.size & (self.size - 1) or self.size > 1 << 15:
            raise InputError(f"the size of a block must be a power of two from 64 to 32768, found {self.size}")
        edges = self.edges
        if edges.dtype != np.uint16 or edges.ndim != 2 or edges.shape[1] != 3 or not edges.shape[0]:
            raise InputError(f"edges must be uint16 of shape (edges, 3), found {edges.dtype} of shape {edges.shape}")
        if not 1 <= self.rows < self.columns <= 1 << 15:
            raise InputError(f"a code has fewer rows than columns, found {self.rows} and {self.columns}")
        if np.any(edges.max(axis=0) >= (self.rows, self.columns, self.size)):
            raise InputError("an edge lies outside the code's rows, columns or shifts")
        place = edges[:, 0].astype(np.int64) * self.columns + edges[:, 1]
        if np.any(np.diff(place) <= 0):
            raise InputError("edges must be sorted by row and column, each pair once")
        if np.unique(edges[:, 0]).size != self.rows or np.unique(edges[:, 1]).size != self.columns:
            raise InputError("every row and every column needs an edge")

    @property
    def frame_bits(self) -> int:
        """Bits of a frame."""
        return self.columns * self.size

    @property
    def syndrome_bits(self) -> int:
        """Bits of a syndrome."""
        return self.rows * self.size

    @property
    def row_starts(self) -> NDArray[np.uint64]:
        """Where each row's edges start, and where the last row's end; shape (rows + 1,)."""
        return np.searchsorted(self.edges[:, 0], np.arange(self.rows + 1)).astype(np.uint64)

    @property
    def edge_bits(self) -> NDArray[np.uint64]:
        """The first bit of each edge's column; shape (edges,)."""
        return self.edges[:, 1].astype(np.uint64) * np.uint64(self.size)

    @property
    def edge_shifts(self) -> NDArray[np.uint64]:
        """Each edge's shift; shape (edges,)."""
        return self.edges[:, 2].astype(np.uint64)

    def column_degrees(self) -> NDArray[np.int64]:
        """Return in how many checks a bit of each column takes part; shape (columns,)."""
        return np.bincount(self.edges[:, 1], minlength=self.columns).astype(np.int64)

    def digest(self) -> str:
        """Return the SHA-256 of rows, columns, size and edges, as hexadecimal digits."""
        head = np.array([self.rows, self.columns, self.size], dtype="<u4").tobytes()
        return hashlib.sha256(head + self.edges.astype("<u2").tobytes()).hexdigest()


@cache
def manifest() -> dict[str, Any]:
    """Return what is known of the shipped family: see ``codes/manifest.json``; do not change it."""
    text = resources.files(_TABLES).joinpath("manifest.json").read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return content


@cache
def manifest_digest() -> str:
    """Return a digest of the shipped family: two installations with the same digest make the same plans."""
    text = resources.files(_TABLES).joinpath("manifest.json").read_bytes()
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def code_names() -> tuple[str, ...]:
    """Return the names of the shipped codes in the order of the manifest; a code's place there is its index."""
    return tuple(manifest()["codes"])


@cache
def frame_lengths() -> tuple[int, ...]:
    """Return the frame lengths in bits that the shipped codes have, increasing."""
    return tuple(sorted({entry["columns"] * entry["size"] for entry in manifest()["codes"].values()}))


@cache
def load_code(name: str) -> QuasiCyclicCode:
    """Return a shipped code, its table compared with the hash in the manifest.

    Raises:
        InputError: there is no such code.
        ConfigurationError: the table is missing or damaged.
    """
    entry = manifest()["codes"].get(name)
    if entry is None:
        raise InputError(f"there is no code {name!r}; see code_names()")
    try:
        data = resources.files(_TABLES).joinpath(f"{name}.bin").read_bytes()
        edges = np.frombuffer(data, dtype="<u2").astype(np.uint16).reshape(-1, 3)
        code = QuasiCyclicCode(rows=entry["rows"], columns=entry["columns"], size=entry["size"], edges=edges)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"the table of code {name!r} cannot be read; reinstall the library") from error
    if code.digest() != entry["digest"]:
        raise ConfigurationError(f"the table of code {name!r} does not match its hash; reinstall the library")
    return code


@cache
def frame_bits_of(name: str) -> int:
    """Return the bits of a frame of a shipped code, without loading it."""
    entry: dict[str, Any] = manifest()["codes"][name]
    return int(entry["columns"] * entry["size"])


@cache
def syndrome_bits_of(name: str) -> int:
    """Return the bits of a syndrome of a shipped code, without loading it."""
    entry: dict[str, Any] = manifest()["codes"][name]
    return int(entry["rows"] * entry["size"])


@cache
def puncturable_bits_of(name: str) -> int:
    """Return how many bits of a frame of a shipped code may be punctured, without loading it."""
    return int(manifest()["codes"][name]["puncturable_bits"])


@cache
def well_puncturable_bits_of(name: str) -> int:
    """Return how many of them may be punctured in the best order that there is, without loading the code."""
    return int(manifest()["codes"][name]["well_puncturable_bits"])
