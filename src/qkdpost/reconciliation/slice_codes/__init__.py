"""Code tables of slices as data: rows of three little-endian uint16 (row, column, shift), as in `reconciliation/codes`.

`qkdpost.reconciliation.slices.codes` says how each was made, and holds its hash.
"""

from __future__ import annotations

__all__: list[str] = []
