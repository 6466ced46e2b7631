"""The release of the library: the one place where its number stands; the package's metadata are made from it."""

from __future__ import annotations

__all__ = ["VERSION"]

VERSION = "0.1.0"
"""As `qkdpost.__version__` has it, and as a greeting tells the peer."""
