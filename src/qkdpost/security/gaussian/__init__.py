"""Bounds for Gaussian modulation with continuous outcomes, and rates of other modulations for planning."""

from __future__ import annotations

from qkdpost.security.gaussian.holevo import asymptotic_rate, holevo_information, mutual_information
from qkdpost.security.gaussian.secret_length import apply_bound, secret_length

__all__ = ["apply_bound", "asymptotic_rate", "holevo_information", "mutual_information", "secret_length"]


def __dir__() -> list[str]:
    """Offer the public names alone."""
    return sorted(__all__)
