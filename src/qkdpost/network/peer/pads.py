"""Putting one-time pads on, and taking them off, in place: no copy of what is secret is left behind."""

from __future__ import annotations

import numpy as np

__all__ = ["add_into"]


def add_into(total: bytearray, other: bytes | bytearray) -> None:
    """Replace bytes by their sum (bitwise exclusive or) with others of the same length.

    >>> pad = bytearray([0x0F, 0xFF])
    >>> add_into(pad, bytes([1, 1]))
    >>> pad.hex()
    '0efe'
    """
    sums = np.frombuffer(total, dtype=np.uint8)
    np.bitwise_xor(sums, np.frombuffer(other, dtype=np.uint8), out=sums)
