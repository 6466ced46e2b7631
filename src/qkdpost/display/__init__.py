"""What a notebook shows of an object in place of its `repr`."""

from __future__ import annotations

from qkdpost.display.html import html_table

__all__ = ["html_table"]
