"""The grammar of a stage: a generator that says, hears, and fetches records, and owns no bytes and no socket.

A stage is a generator. It yields a message to send it and goes on at once; it yields `RECEIVE` to be resumed with the
peer's next message; it yields `PAUSE` before long work, so that what it said is sent first, unless the peer has gone on
already, and `TURN` between two pieces of long work, so that other blocks are heard meanwhile; it yields `NeedRecord` to
be resumed with a record that the application submitted, `AllHeld` to wait until several are in, and `Facts` for the
report, and goes on at once. It raises `AbortBlock` where a block honestly has no
key, and `RemoteProtocolError` where the peer broke the protocol: `from_peer` makes one of what a pure room refuses of
the peer's words.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any, Final, TypeAlias, TypeVar

import numpy as np

from qkdpost.bits import Bits
from qkdpost.checks import described
from qkdpost.dialogue.messages import AbortReason, BlockMessage
from qkdpost.errors import InputError, LocalProtocolError, RemoteProtocolError
from qkdpost.single_use import SingleUse

__all__ = [
    "PAUSE",
    "RECEIVE",
    "TURN",
    "AbortBlock",
    "AllHeld",
    "Facts",
    "NeedRecord",
    "Program",
    "Wait",
    "expect",
    "from_peer",
    "peer_bits",
]

Result = TypeVar("Result")
Expected = TypeVar("Expected")


class Wait(Enum):
    """What a stage yields to hear the peer's next message, to let the peer hear what was said, or others go first."""

    RECEIVE = 0
    PAUSE = 1
    TURN = 2


RECEIVE: Final = Wait.RECEIVE
PAUSE = Wait.PAUSE
TURN = Wait.TURN


@dataclass(frozen=True, slots=True)
class NeedRecord:
    """What a stage yields to get the record that was submitted under a number."""

    number: int


@dataclass(frozen=True, slots=True)
class AllHeld:
    """What a stage yields to be resumed when the records of these numbers are all in, with the counts of each.

    No record is handed out; the counts are a tuple of `RecordHealth`.
    """

    numbers: range


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a stage yields for the report of its block: public numbers, by the names of its fields.

    Raises:
        LocalProtocolError: bits, bytes or an array, which may be secret, and which reports would show.
    """

    def __post_init__(self) -> None:
        refusal = self._refusal()
        if refusal:
            del self  # which would be in the traceback
            raise LocalProtocolError(refusal)

    def _refusal(self) -> str:
        for name, value in self.by_name().items():
            if _may_be_secret(value):
                return (
                    f"{type(self).__name__}.{name} must be public: numbers and text, no bits, bytes or arrays; found "
                    f"{described(value)}"
                )
        return ""

    def by_name(self) -> dict[str, Any]:
        """Return the facts under their names."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


def _may_be_secret(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(map(_may_be_secret, value.values()))
    if isinstance(value, tuple | list | set | frozenset):
        return any(map(_may_be_secret, value))
    return isinstance(value, Bits | SingleUse | bytes | bytearray | memoryview | np.ndarray)


class AbortBlock(Exception):
    """The block has no key, for a reason that both hosts may know; `detail` is for this host's report."""

    def __init__(self, reason: AbortReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


Program: TypeAlias = Generator[BlockMessage | Wait | NeedRecord | AllHeld | Facts, Any, Result]


def expect(message: object, kind: type[Expected]) -> Expected:
    """Return `message` if it is of `kind`.

    Raises:
        RemoteProtocolError: it is another message.
    """
    if not isinstance(message, kind):
        raise RemoteProtocolError(f"expected {kind.__name__}, the peer sent {type(message).__name__}")
    return message


@contextmanager
def from_peer(what: str) -> Iterator[None]:
    """Say of what is refused inside that the peer sent it; nothing but what it sent may be handed over inside.

    A pure room raises `InputError`, for it cannot know whose its arguments are. Where they are the peer's, this makes
    a `RemoteProtocolError` of it. An `InputError` of any other place is this host's own matter.

    Args:
        what: the peer's, in a few words.

    Raises:
        RemoteProtocolError: an `InputError` was raised inside.
    """
    try:
        yield
    except InputError as error:
        raise RemoteProtocolError(f"{what} of the peer: {error}") from None


def peer_bits(data: bytes, length: int, what: str) -> Bits:
    """Read `length` bits that the peer sent.

    Raises:
        RemoteProtocolError: it sent another number of bytes, or set bits past the end.
    """
    try:  # `from_peer`, without its cost: a block takes some hundred of these
        return Bits.from_bytes(data, length)
    except InputError as error:
        raise RemoteProtocolError(f"{what} of the peer: {error}") from None
