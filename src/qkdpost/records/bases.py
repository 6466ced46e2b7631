"""What a basis is, in every record."""

from __future__ import annotations

__all__ = ["BASES_HINT", "KEY_BASIS", "TEST_BASIS"]

KEY_BASIS = 0
TEST_BASIS = 1
BASES_HINT = "0 is the key basis, 1 the test basis"
