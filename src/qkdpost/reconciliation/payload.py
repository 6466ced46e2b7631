"""What the two sides of a correction send each other: payloads, which each side says and hears as its method has it.

A method of correction is a generator on each side. It yields a payload to say it, and is resumed at once; it yields
`RECEIVE` to be resumed with the peer's next payload; it returns its outcome. Both sides know from what was said before
whose turn it is, or that both speak at once, and end with nothing on its way. What carries the payloads is none of the
method's business.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Literal, TypeAlias, TypeVar

from qkdpost.bits import Bits
from qkdpost.dialogue.program import RECEIVE, Wait
from qkdpost.errors import InputError

__all__ = ["RECEIVE", "InvalidPayload", "Payload", "Rounds", "expect_bits"]

_Outcome = TypeVar("_Outcome")

Payload: TypeAlias = Bits | bytes
"""`Bits`: parities, syndromes, verdicts. `bytes`: an encoding that the method owns, of numbers for instance. The method
counts what either discloses of the key, and returns it with its outcome."""

Rounds: TypeAlias = Generator[Payload | Literal[Wait.RECEIVE], Any, _Outcome]
"""One side of a method: yields what it says and is sent None, yields `RECEIVE` and is sent the peer's payload, returns
what it ends with."""


class InvalidPayload(InputError):
    """What the peer sent is not what its side of the method could send now.

    The `send` that hands the payload over raises it. Any other `InputError` of a method is its caller's matter.
    """


def expect_bits(payload: Payload, count: int, what: str) -> Bits:
    """Return the peer's payload if it is `count` bits.

    Args:
        payload: as the peer sent it.
        count: how many bits its side sends now.
        what: what they are, in the plural, for the message.

    Raises:
        InvalidPayload: it is bytes, or another number of bits.
    """
    if not isinstance(payload, Bits):
        raise InvalidPayload(f"expected {count} {what}; received an encoding of {len(payload)} bytes")
    if len(payload) != count:
        raise InvalidPayload(f"expected {count} {what}; received {len(payload)}")
    return payload
