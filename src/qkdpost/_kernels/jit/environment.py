"""What the environment decides about kernels, read once at import."""

from __future__ import annotations

import os

__all__ = ["JIT_ENABLED"]

JIT_ENABLED = os.environ.get("NUMBA_DISABLE_JIT", "0") in {"", "0"}
"""Whether kernels are compiled; decided by the environment variable NUMBA_DISABLE_JIT at import."""
