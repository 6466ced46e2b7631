r"""The check that finds what a dishonest node did to its share of a segment.

A segment s of n bits goes from a source to a target as the sum (bitwise exclusive or) of k shares over k paths that
have no node in common. Each share has n + 256 bits, and (s, x, z) = sum of the shares, x and z being elements of
GF(q), q = 2^128. s is read as blocks s_d, ..., s_1 of 128 bits, padded with zero bits, and with one zero block more if
their number would be even: d is odd, and follows from n, on which all paths must agree. With

    f(x, s) = x^(d+2) + s_d x^d + ... + s_1 x

the source sends w = f(x, s) + z in clear over every path. The target sums what came, and takes s if all copies of w
are equal and f(x, s) + z is w. It is the algebraic manipulation detection code of Cramer, Dodis, Fehr, Padró and
Wichs (Eurocrypt 2008, LNCS 4965, 471), with its tag hidden by z so that it may be seen. No random number is drawn: a
share is a range of key that two neighbours hold.

Claims, for k >= 2 and at most k - 1 dishonest nodes, so that one path, h, has none. Its share R_h is uniform and
independent of all that the attacker holds before, and arrives unchanged, as does its copy of w.

*Secrecy is perfect.* Given the other shares, (s, x, z) is R_h plus a constant, hence uniform. For each s, x and w
there is exactly one z with f(x, s) + z = w. So, given w as well, all pairs (s, x) are equally probable: the attacker
knows nothing of s, and even who knows s knows nothing of x. Without z this fails: w would be an equation for s and x.

*Changes are found, but with probability at most (d + 1) / q for each transfer.* The attacker adds a change
(a, b, c) to (s, x, z), chosen with knowledge of w, of the other shares, and of s too. It passes if
f(x + b, s + a) + c = f(x, s), for a changed w differs from the honest copy. That is an equation P(x) = 0 with

    P(x) = (x + b)^(d+2) - x^(d+2) + sum of [(s_i + a_i) (x + b)^i - s_i x^i] + c

If b is not 0: the coefficient of x^(d+1) is (d + 2) b, which is b because d is odd and the field has characteristic
2; all other terms are of degree d at most. P has at most d + 1 roots. If b = 0 and some a_i is not 0: P is
sum a_i x^i + c, whose terms of degree 1 ... d are not all 0: at most d roots. If only c is not 0: P = c, no root. x is
uniform given all that the choice depended on, so the probability is at most (d + 1) / q. A refusal ends the transfer,
so that each gives one trial; N transfers cost at most N (d + 1) / q. The bound is met: tests go through all changes
over small fields. For even d, (d + 2) b vanishes, and over small fields they find changes that always pass.

*What k = 1 gives*: a fault of honest nodes (memory, disk, an error of the program), which does not depend on x, is
found with the same probability. Against a dishonest node it gives nothing: it knows s, x and z, and sends others that
fit. The same holds if k nodes on k paths conspire, or one operator runs them. Nor does the check bind the shares to
the source: that is the rule about paths in `network.relay.transfers.header`, without which all shares may be of one
dishonest node.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence

import numpy as np

from qkdpost._kernels.gf2.algebraic_check import masked_value
from qkdpost.checks import whole_number
from qkdpost.errors import InputError

__all__ = [
    "CHECK_BYTES",
    "MAX_SEGMENT_BYTES",
    "check_degree",
    "combine_shares",
    "is_unchanged",
    "manipulation_bound",
    "masked_check",
    "share_bytes",
]

BLOCK_BYTES = 16
CHECK_BYTES = 2 * BLOCK_BYTES
"""By how much a share is longer than its segment: the elements x and z."""
MAX_SEGMENT_BYTES = 2**15
"""The longest segment of a transfer: a message holds one share, and a frame of 64 KiB this message."""


def share_bytes(segment_bytes: int) -> int:
    """Return how long each share of a segment of `segment_bytes` bytes is."""
    return whole_number("segment_bytes", segment_bytes, least=1, most=MAX_SEGMENT_BYTES) + CHECK_BYTES


def check_degree(segment_bytes: int) -> int:
    """Return d, the number of blocks that the check counts: odd."""
    return _blocks(share_bytes(segment_bytes) - CHECK_BYTES)


def manipulation_bound(segment_bytes: int) -> float:
    """Return the probability that a change of one transfer is not found, (d + 1) / 2^128, for two paths or more."""
    return (check_degree(segment_bytes) + 1) / 2.0**128


def combine_shares(shares: Sequence[bytes | bytearray | memoryview]) -> bytearray:
    """Return the sum of shares of equal length: the segment, then x, then z. Secret, as they are.

    Raises:
        InputError: no share, or shares of different lengths.
    """
    lengths = {len(share) for share in shares}
    if len(lengths) != 1:
        raise InputError(f"the shares of a segment must have one length; found {sorted(lengths) or 'no share'}")
    combined = bytearray(shares[0])
    total = np.frombuffer(combined, dtype=np.uint8)
    for share in shares[1:]:
        total ^= np.frombuffer(share, dtype=np.uint8)
    return combined


def masked_check(combined: bytes | bytearray | memoryview) -> bytes:
    """Return w = f(x, s) + z of a segment with x and z behind it, 16 bytes, little-endian. It may be public.

    Args:
        combined: s, then 16 bytes x, then 16 bytes z, as `combine_shares` gives them. Secret.

    Raises:
        InputError: too few or too many bytes.
    """
    length = whole_number("the length of combined shares", len(combined), most=MAX_SEGMENT_BYTES + CHECK_BYTES)
    if length <= CHECK_BYTES:
        raise InputError(f"combined shares must have more than {CHECK_BYTES} bytes; found {length}")
    segment_bytes = length - CHECK_BYTES
    blocks = _blocks(segment_bytes)
    words = np.zeros(2 * blocks + 4, dtype="<u8")
    octets = words.view(np.uint8)
    octets[:segment_bytes] = np.frombuffer(combined, dtype=np.uint8, count=segment_bytes)
    octets[-CHECK_BYTES:] = np.frombuffer(combined, dtype=np.uint8, offset=segment_bytes)
    native = words.astype(np.uint64, copy=False)
    output = np.zeros(2, dtype=np.uint64)
    masked_value(native, blocks, native[-4:-2], native[-2:], output)
    native.fill(0)
    words.fill(0)
    return output.astype("<u8", copy=False).tobytes()


def is_unchanged(combined: bytes | bytearray | memoryview, check: bytes) -> bool:
    """Tell whether combined shares fit the check that came with each of them, 16 bytes."""
    return hmac.compare_digest(masked_check(combined), check)


def _blocks(segment_bytes: int) -> int:
    """Return d: the number of blocks, made odd."""
    return -(-segment_bytes // BLOCK_BYTES) | 1
