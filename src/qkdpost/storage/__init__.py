"""What a host must find again after a power cut: the pool of authentication key, and what it writes whole or not."""

from __future__ import annotations

from qkdpost.durable_files import replace_file
from qkdpost.storage.pool_file import PoolFile

__all__ = ["PoolFile", "replace_file"]


def __dir__() -> list[str]:
    """Offer the public names alone."""
    return sorted(__all__)
