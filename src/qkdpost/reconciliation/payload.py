"""What the two sides of a correction send each other: payloads, in rounds in which both speak at once.

A method of correction is a generator on each side. It yields the payload that this side sends in a round, is sent the
peer's of the same round, and returns its outcome. Both sides take the same number of rounds; a side that has nothing to
say in one yields no bits. What carries the payloads is none of the method's business.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeAlias, TypeVar

from qkdpost.bits import Bits
from qkdpost.errors import InputError

__all__ = ["InvalidPayload", "Payload", "Rounds", "expect_bits"]

_Outcome = TypeVar("_Outcome")

Payload: TypeAlias = Bits | bytes
"""`Bits`: parities, syndromes, verdicts. `bytes`: an encoding that the method owns, of numbers for instance. The method
counts what either discloses of the key, and returns it with its outcome."""

Rounds: TypeAlias = Generator[Payload, Payload, _Outcome]
"""One side of a method: yields its payload of a round, is sent the peer's, returns what it ends with."""


class InvalidPayload(InputError):
    """What the peer sent is not what its side of the method could send in this round.

    The `send` that hands the payload over raises it. Any other `InputError` of a method is its caller's matter.
    """


def expect_bits(payload: Payload, count: int, what: str) -> Bits:
    """Return the peer's payload if it is `count` bits.

    Args:
        payload: as the peer sent it.
        count: how many bits its side sends in this round.
        what: what they are, in the plural, for the message.

    Raises:
        InvalidPayload: it is bytes, or another number of bits.
    """
    if not isinstance(payload, Bits):
        raise InvalidPayload(f"expected {count} {what}; received an encoding of {len(payload)} bytes")
    if len(payload) != count:
        raise InvalidPayload(f"expected {count} {what}; received {len(payload)}")
    return payload
