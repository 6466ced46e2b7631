"""Kernels compile inside the first example of a property: no deadline for one example."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("compiling", deadline=None)
settings.load_profile("compiling")
