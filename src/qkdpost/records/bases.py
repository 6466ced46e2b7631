"""What a basis, an outcome and a way to detect are, in every record."""

from __future__ import annotations

from typing import Literal

__all__ = ["BASES_HINT", "DOUBLE_CLICK", "KEY_BASIS", "TEST_BASIS", "Detection"]

KEY_BASIS = 0
TEST_BASIS = 1
DOUBLE_CLICK = 2
"""The outcome of a detection in which both detectors of the basis clicked."""
BASES_HINT = "0 is the key basis, 1 the test basis"
Detection = Literal["heterodyne", "homodyne"]
"""How a coherent state is measured: both quadratures, or one of them, which the receiver chooses at random."""
