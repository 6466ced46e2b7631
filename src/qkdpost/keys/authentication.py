"""Authentication: Wegman-Carter tags over what two hosts said to each other.

The hash is polynomial, over GF(2^128) = GF(2)[x] / (x^128 + x^7 + x^2 + x + 1) in plain little-endian order (bit i of a
block is the coefficient of x^i; not the reflected order of GHASH). h starts at 0 and becomes (h + block) r for each
block of 16 bytes, the last one padded with zeros, and then for a block that holds the length in bits.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable

import numpy as np

from qkdpost._kernels.gf2.polynomial_hash import TABLE_WORDS, VECTOR_OCTETS, absorb, absorb_octets, power_table
from qkdpost.checks import described, flag
from qkdpost.errors import AuthenticationError, InputError
from qkdpost.single_use import SingleUse

__all__ = ["HASH_KEY_BYTES", "TAG_BYTES", "PolynomialHasher", "Transcript"]

TAG_BYTES = 16
HASH_KEY_BYTES = 32
"""Length of the key of a `Transcript`: 16 bytes for what the reference says, 16 for what the corrector says."""
BLOCK_BYTES = 16
BUFFER_BYTES = 2**15
"""Hashed at once, since a call of the kernel costs as much as hashing some kilobytes."""


class PolynomialHasher(SingleUse):
    """The polynomial hash of a stream of bytes, fed piece by piece.

    Args:
        key: the element r, 16 uniformly random bytes, little-endian. Secret.

    Raises:
        InputError: a key of another length.
    """

    __slots__ = ("_absorbed_bytes", "_pieces", "_state", "_table", "_waiting_bytes")

    def __init__(self, key: bytes) -> None:
        wrong = _not_secret_bytes("key", key, BLOCK_BYTES)
        if wrong:
            del key
            raise InputError(wrong)
        self._table = np.empty(TABLE_WORDS, dtype=np.uint64)
        power_table(np.frombuffer(bytearray(key), dtype="<u8").astype(np.uint64), self._table)
        self._state = np.zeros(2, dtype=np.uint64)
        self._pieces: list[bytes] = []
        self._waiting_bytes = 0
        self._absorbed_bytes = 0

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Append `data` to the stream.

        Raises:
            InputError: no bytes.
        """
        if type(data) is not bytes:
            if not isinstance(data, bytes | bytearray | memoryview):
                raise InputError(f"data must be bytes; found {described(data)}")
            data = bytes(data)  # the caller may write into it
        self._pieces.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes >= BUFFER_BYTES:
            self._absorb()

    def _absorb(self) -> None:
        """Hash what waits, but for a rest that makes no vector: the last piece, which may be long, where it lies."""
        head, last = b"".join(self._pieces[:-1]), self._pieces[-1]
        missing = -len(head) % VECTOR_OCTETS
        rest = self._absorb_vectors(head + last[:missing], 0) + self._absorb_vectors(last, missing)
        self._absorbed_bytes += self._waiting_bytes - len(rest)
        self._pieces, self._waiting_bytes = [rest], len(rest)

    def _absorb_vectors(self, data: bytes, start: int) -> bytes:
        """Hash the whole vectors of `data` from `start` on; return what follows them."""
        vectors = max(0, len(data) - start) // VECTOR_OCTETS
        if vectors:
            absorb_octets(self._state, self._table, np.frombuffer(data, np.uint8, -1, start), vectors)
        return data[start + VECTOR_OCTETS * vectors :]

    def digest(self) -> bytes:
        """Return the hash of the stream so far, 16 bytes, little-endian; more may follow. Secret without a pad."""
        blocks = -(-self._waiting_bytes // BLOCK_BYTES)
        last = np.zeros(2 * blocks + 2, dtype="<u8")
        last.view(np.uint8)[: self._waiting_bytes] = np.frombuffer(b"".join(self._pieces), dtype=np.uint8)
        last[-2] = 8 * self._length
        state = self._state.copy()
        absorb(state, self._table, last, blocks + 1)
        return state.astype("<u8", copy=False).tobytes()

    @property
    def blocks(self) -> int:
        """The number of blocks hashed by `digest`, the one of the length among them."""
        return -(-self._length // BLOCK_BYTES) + 1

    @property
    def _length(self) -> int:
        """The bytes of the stream so far."""
        return self._absorbed_bytes + self._waiting_bytes

    def __repr__(self) -> str:
        return f"PolynomialHasher(bytes={self._length})"


class Transcript(SingleUse):
    """All that was said, in both directions, of which either host can prove its view.

    A tag is H_r1(what the reference said) xor H_r2(what the corrector said) xor pad. The hash keys r1 and r2 serve for
    many tags, each pad for one (Wegman and Carter, J. Comput. Syst. Sci. 22, 265). A uniform pad hides the hashes, so
    that tags seen say nothing of the keys. Suppose a host's view differs from its peer's in what the reference said
    (the other direction goes the same way). The two hashes at r1 differ by a non-zero polynomial in r1 without constant
    term, of a degree up to L + 1, where L is the number of blocks of the longer view: the blocks of the lengths differ,
    or those of the content. A forged tag is right only if this polynomial has the one value that the attacker bet on.
    That holds for at most L + 1 of the 2^128 keys: (L + 1) / 2^128 per attempt. `forgery_bound` is that of this host's
    own view. Of the peer's, which an attacker may have lengthened, it knows nothing: whoever uses the bound limits both
    views equally, and counts with the limit, as the session does (`qkdpost.stages.release`).

    Args:
        hash_key: `HASH_KEY_BYTES` uniformly random bytes, r1 then r2, shared by the hosts. Secret.
        reference: whether this host is the reference, whose words are hashed by r1. Both get the same tag for the same
            conversation.

    Raises:
        InputError: a key of another length, or a `reference` that is neither True nor False.
    """

    __slots__ = ("_received", "_sent", "received", "sent")

    sent: Callable[[bytes | bytearray | memoryview], None]
    """Appends what this host sent."""
    received: Callable[[bytes | bytearray | memoryview], None]
    """Appends what this host received."""

    def __init__(self, hash_key: bytes, *, reference: bool) -> None:
        wrong = _not_secret_bytes("hash_key", hash_key, HASH_KEY_BYTES)
        if wrong:
            del hash_key
            raise InputError(wrong)
        if not isinstance(reference, bool):
            del hash_key
            flag("reference", reference)
        first, second = PolynomialHasher(hash_key[:BLOCK_BYTES]), PolynomialHasher(hash_key[BLOCK_BYTES:])
        self._sent, self._received = (first, second) if reference else (second, first)
        self.sent, self.received = self._sent.update, self._received.update

    @property
    def forgery_bound(self) -> float:
        """The probability, for one attempt, that a wrong tag passes, if the peer's view is no longer than this one."""
        return max(self._sent.blocks, self._received.blocks) / 2.0**128

    def tag(self, pad: bytes) -> bytes:
        """Return the tag of the conversation so far, `TAG_BYTES` bytes.

        Args:
            pad: `TAG_BYTES` bytes of key that are used here and nowhere else. Secret.

        Raises:
            InputError: a pad of another length.
        """
        wrong = _not_secret_bytes("pad", pad, TAG_BYTES)
        if wrong:
            del pad
            raise InputError(wrong)
        parts = (self._sent.digest(), self._received.digest(), pad)
        first, second, third = (int.from_bytes(part, "little") for part in parts)
        return (first ^ second ^ third).to_bytes(TAG_BYTES, "little")

    def verify(self, tag: bytes, pad: bytes) -> None:
        """Compare the peer's tag with this host's own, in time that does not depend on where they differ.

        The pad is in no frame that the error comes through: beside the peer's tag it would disclose the hash keys.

        Raises:
            AuthenticationError: the tags differ: somebody altered the conversation, or the key pools differ.
            InputError: a pad of the wrong length, or a tag that is no bytes.
        """
        wrong = _not_secret_bytes("pad", pad, TAG_BYTES)
        equal = not wrong and isinstance(tag, bytes | bytearray | memoryview) and self._fits(tag, pad)
        del pad
        if wrong:
            raise InputError(wrong)
        if not isinstance(tag, bytes | bytearray | memoryview):
            raise InputError(f"tag must be bytes; found {described(tag)}")
        if not equal:
            raise AuthenticationError(
                "the peer's tag does not fit this side of the conversation: it was altered on the way, or the two "
                "hosts hold different authentication keys"
            )

    def _fits(self, tag: bytes | bytearray | memoryview, pad: bytes) -> bool:
        return hmac.compare_digest(self.tag(pad), bytes(tag))

    def __repr__(self) -> str:
        return f"Transcript(sent={self._sent!r}, received={self._received!r})"


def _not_secret_bytes(name: str, value: object, length: int) -> str:
    """Say what is wrong with a secret of `length` bytes, or nothing; without any of it, and without raising."""
    if not isinstance(value, bytes | bytearray | memoryview):
        return f"{name} must be {length} bytes; found a {type(value).__name__}"
    return "" if len(value) == length else f"{name} must have {length} bytes; found {len(value)}"
