"""The bound for a source of single photons that sometimes sends two."""

from __future__ import annotations

from qkdpost.security.single_photon.bound import secret_length

__all__ = ["secret_length"]
