"""Tables of raptor-like codes as data, with what is known of them in `manifest.json`.

A table is rows of four little-endian uint16 (section, row, column, shift), sorted; section 0 is the precode, 1 the
extension, 2 the increments. Frame error curves are in the manifest: for some numbers of extension rows, how many frames
of how many were not decoded without an increment. `qkdpost.reconciliation.raptor.code` reads them.
"""

from __future__ import annotations

__all__: list[str] = []
