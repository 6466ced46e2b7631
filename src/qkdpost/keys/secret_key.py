"""What the application gets: a key, its name, and how far it may be from an ideal one."""

from __future__ import annotations

from dataclasses import dataclass, field

from qkdpost.bits import Bits
from qkdpost.checks import byte_string, instance, real_number

__all__ = ["SecretKey"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretKey:
    """A secret key that both hosts confirmed.

    Args:
        bits: the key. Secret.
        identifier: 16 public bytes by which both hosts name this key.
        epsilon: how far from ideal the key is at most by its own block: secrecy, correctness and authentication
            together, if all that the block's tags were made with was ideal.
        accumulated_epsilon: how far it is at most, all in all: the sum over every block that was opened on the same
            pool of authentication key, this one among them, since keys of earlier blocks made its tags
            (`KeyPool.accumulated_epsilon`).

    >>> import qkdpost as qp
    >>> bits = qp.Bits.coerce([1, 0, 1, 1])
    >>> key = qp.SecretKey(bits=bits, identifier=bytes(16), epsilon=1e-10, accumulated_epsilon=1e-10)
    >>> len(key.bits), key.epsilon
    (4, 1e-10)
    """

    bits: Bits = field(repr=False)
    identifier: bytes
    epsilon: float
    accumulated_epsilon: float

    def __post_init__(self) -> None:
        instance("bits", self.bits, Bits)
        object.__setattr__(self, "identifier", byte_string("identifier", self.identifier))
        for name in ("epsilon", "accumulated_epsilon"):
            object.__setattr__(self, name, real_number(name, getattr(self, name), least=0.0))

    def __len__(self) -> int:
        return len(self.bits)

    def to_bytes(self) -> bytes:
        """Return the key as bytes, lowest bit of each byte first."""
        return self.bits.to_bytes()
