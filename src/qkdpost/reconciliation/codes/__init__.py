"""Code tables as data: each ``<name>.bin`` holds rows of three little-endian uint16 (row, column, shift).

`manifest.json` says for each code where it comes from, its shape, thresholds, measured waterfalls and hash.
"""

from __future__ import annotations

__all__: list[str] = []
