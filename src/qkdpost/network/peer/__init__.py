"""What two key managers say to each other over a pool of shared key, and how each keeps its place in it."""

from __future__ import annotations
