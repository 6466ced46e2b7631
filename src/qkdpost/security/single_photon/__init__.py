"""The bound for a source of single photons that sometimes sends two."""

from __future__ import annotations

from qkdpost.security.single_photon.bound import apply_bound, secret_length

__all__ = ["apply_bound", "secret_length"]


def __dir__() -> list[str]:
    """Offer the public names alone."""
    return sorted(__all__)
