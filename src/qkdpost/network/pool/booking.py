"""Where a pool says what came in and what its bytes were spent on; `accounts.Ledger` is one such place."""

from __future__ import annotations

from typing import Protocol

from qkdpost.network.accounts import Source, Use

__all__ = ["Booking", "Nowhere", "Source", "Use"]


class Booking(Protocol):
    """Takes notes in bits. What came in is, at any time, what was spent and what `Pool.stored_bytes` still holds."""

    def receive(self, pool: bytes, source: Source, bits: int) -> None:
        """Note what came in."""

    def spend(self, pool: bytes, use: Use, bits: int) -> None:
        """Note what was spent."""


class Nowhere:
    """Takes no notes."""

    def receive(self, pool: bytes, source: Source, bits: int) -> None:
        """Forget what came in."""

    def spend(self, pool: bytes, use: Use, bits: int) -> None:
        """Forget what was spent."""
