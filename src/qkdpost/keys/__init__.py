"""The pool of authentication key: which bytes are spent, that none is used twice, and what the keys rest on."""

from __future__ import annotations

from qkdpost.keys.pool import KeyPool
from qkdpost.keys.segments import PadReference, SegmentState

__all__ = ["KeyPool", "PadReference", "SegmentState"]
