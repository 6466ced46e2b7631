"""What becomes of a segment on its way: at its source, at each site that it passes, at its target."""

from __future__ import annotations
