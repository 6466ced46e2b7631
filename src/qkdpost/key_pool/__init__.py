"""The pool of authentication key: which bytes are spent, that none is used twice, and what the keys rest on."""

from __future__ import annotations

from qkdpost.key_pool.pool import KeyPool
from qkdpost.key_pool.segments import PadReference, SegmentState

__all__ = ["KeyPool", "PadReference", "SegmentState"]
