"""How a segment vouches for itself: checks made of its own last 64 bytes.

The last 64 bytes are r_leader, r_follower, pad_leader and pad_follower. The check of an end is

    H_r("qkdpost segment" || end || identifier || length || content without the last 64 bytes) xor pad

with that end's r and pad, and H the polynomial hash of `keys.authentication`. It shows the other end that this one
holds the same bits, without any key that both had before.

*One text for each pad.* The text is settled by the segment alone: no nonce, no number, nothing that a broken
connection or a restored backup could change. It is computed once, when the segment comes in, stored, and sent byte for
byte; sending it again tells nothing new. r then serves for the tags of frames whose pads lie in the segment.

*Bound.* Suppose the other end's bits differ from this one's. Where its r and pad are the same, its check is that of
another text, and the two texts' hashes at r differ by a non-zero polynomial of degree up to L + 1, L being the number
of blocks of 16 bytes of the whole segment: right for at most L + 1 of 2^128 values of r. Where its pad differs, or an
attacker without key makes one up, a uniform pad hides the right value wholly: 2^-128. So the bound is
(L + 1) / 2^128 for each check that may fail, with the L of the whole segment.
"""

from __future__ import annotations

from qkdpost.keys.authentication import PolynomialHasher
from qkdpost.network.pool.segment import FOLLOWER, LEADER

__all__ = ["RESERVED_BYTES", "segment_checks"]

RESERVED_BYTES = 64


def segment_checks(identifier: bytes, content: bytes | bytearray) -> tuple[bytes, bytes]:
    """Return the checks of a segment, the leader's and the follower's.

    Args:
        identifier: 16 bytes.
        content: with the reserved bytes at its end. Secret.
    """
    body, reserved = memoryview(content)[:-RESERVED_BYTES], memoryview(content)[-RESERVED_BYTES:]
    first, second = (_check(end, identifier, body, reserved) for end in (LEADER, FOLLOWER))
    return first, second


def _check(end: int, identifier: bytes, body: memoryview, reserved: memoryview) -> bytes:
    hasher = PolynomialHasher(bytes(reserved[16 * end : 16 * end + 16]))
    hasher.update(b"qkdpost segment" + bytes([end]) + identifier + len(body).to_bytes(8, "little"))
    hasher.update(body)
    pad = reserved[32 + 16 * end : 48 + 16 * end]
    return (int.from_bytes(hasher.digest(), "little") ^ int.from_bytes(pad, "little")).to_bytes(16, "little")
