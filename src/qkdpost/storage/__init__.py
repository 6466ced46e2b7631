"""What a host must find again after a power cut: the pool of authentication key in a file, see `PoolFile`."""

from __future__ import annotations

from qkdpost.storage.pool_file import PoolFile

__all__ = ["PoolFile"]


def __dir__() -> list[str]:
    """Offer the public names alone."""
    return sorted(__all__)
