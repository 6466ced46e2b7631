"""The tags of frames: a polynomial hash of the frame, under a one-time pad.

A tag is H_r(frame without its tag) xor pad, with the hash of `keys.authentication`. The pad is the first 16 bytes of
the stretch of its direction that the frame takes, and r the hash key of that direction in the segment in which the pad
begins.

*Bound.* Pads are uniform, and each meets one text: whatever number of frames was tagged, all tags together tell nothing
of r. An attacker who alters frames learns only "wrong" before the first success, so that its whole strategy is a list
of frames and tags settled beforehand; each of them is right for at most L + 1 of the 2^128 values of r, where L is the
number of blocks of 16 bytes of the longer of two texts. So all verifications that may fail, of any frame and at both
ends, forge with a probability of at most their number times (L + 1) / 2^128. A frame has at most 64 KiB: L + 1 is 4098.
A verification that fails adds nothing beyond its own term, and the pads it looked at are lost with the connection.
"""

from __future__ import annotations

import struct

import numpy as np

from qkdpost._kernels.gf2.polynomial_hash import TABLE_WORDS, absorb, power_table
from qkdpost.network.messages.fields import MAX_FRAME_BYTES
from qkdpost.single_use import SingleUse

__all__ = ["TAG_BYTES", "Tagger"]

TAG_BYTES = 16
_BLOCKS = MAX_FRAME_BYTES // 16 + 3
_LAST_BLOCKS = struct.Struct("<QQ")
"""Zeros after the text up to the next block, and then its length in bits."""


class Tagger(SingleUse):
    """Makes tags under one hash key. Secret.

    Args:
        key: r, 16 bytes.
    """

    __slots__ = ("_bytes", "_state", "_table", "_words")

    def __init__(self, key: bytes) -> None:
        self._table = np.empty(TABLE_WORDS, dtype=np.uint64)
        power_table(np.frombuffer(bytearray(key), dtype="<u8").astype(np.uint64), self._table)
        self._state = np.zeros(2, dtype=np.uint64)
        self._words = np.zeros(2 * _BLOCKS, dtype="<u8")
        self._bytes = self._words.data.cast("B")

    def tag(self, data: bytes | bytearray, pad: bytes | bytearray) -> bytes:
        """Return the tag of a frame.

        Args:
            data: the frame without its tag, at most 64 KiB.
            pad: 16 bytes that are used here and nowhere else. Secret.
        """
        count = len(data)
        blocks = -(-count // 16)
        self._bytes[:count] = data
        _LAST_BLOCKS.pack_into(self._bytes, count, 0, 0)
        _LAST_BLOCKS.pack_into(self._bytes, 16 * blocks, 8 * count, 0)
        self._state.fill(0)
        absorb(self._state, self._table, self._words, blocks + 1)
        first, second = self._state.tolist()
        return ((second << 64 | first) ^ int.from_bytes(pad, "little")).to_bytes(TAG_BYTES, "little")

    def __repr__(self) -> str:
        return "Tagger()"
