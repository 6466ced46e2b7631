"""Tables of raptor-like codes as data, with what is known of them in `manifest.json`.

A table is rows of four little-endian uint16 (section, row, column, shift), sorted; section 0 is the precode, 1 the
extension, 2 the increments. `qkdpost.reconciliation.raptor.code` reads them.
"""

from __future__ import annotations

__all__: list[str] = []
