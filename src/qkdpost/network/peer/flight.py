"""What this side has sent on a connection and the other end has not confirmed yet, and what it still owes an answer."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from qkdpost.network.messages.framed import (
    AssignAnswer,
    AssignKeys,
    CarryDone,
    CarrySegment,
    CarryVoid,
    Message,
    VoidKeys,
)

__all__ = ["Flight", "SentFrame"]


class SentFrame(NamedTuple):
    """A frame that is on its way.

    Args:
        sequence: its number.
        length: the bytes that it took.
        messages: in it that are said once.
        queued: the numbers in the outbox of the others, with them.
    """

    sequence: int
    length: int
    messages: tuple[Message, ...]
    queued: tuple[tuple[int, Message], ...]


class Flight:
    """The frames of one connection."""

    __slots__ = ("_awaited", "frames", "sent", "taken", "unanswered_bytes", "unconfirmed_bytes", "wants_seen")

    def __init__(self) -> None:
        self.frames: deque[SentFrame] = deque()
        self.sent = 0
        """Frames sent."""
        self.taken = 0
        """Frames taken of the other end's."""
        self.unconfirmed_bytes = 0
        """Bytes of this side's direction that are spent and not confirmed."""
        self.unanswered_bytes = 0
        """Bytes of the other direction that are taken and not acknowledged."""
        self.wants_seen = False
        """Whether the other end waits for an acknowledgement."""
        self._awaited: set[bytes] = set()

    @property
    def open_answers(self) -> int:
        """How many requests and shares are in flight or taken that the other end has not answered."""
        return len(self._awaited)

    def add(self, frame: SentFrame) -> None:
        """Note a frame that was built."""
        self.frames.append(frame)
        self.sent = frame.sequence
        self.unconfirmed_bytes += frame.length
        for message in frame.messages:
            if isinstance(message, AssignKeys):
                self._awaited.update([keys.name for keys in message.requests])
            elif isinstance(message, CarrySegment):
                self._awaited.add(message.transfer + bytes([message.share]))

    def confirm(self, seen: int) -> list[SentFrame]:
        """Return the frames that are confirmed now."""
        done = []
        while self.frames and self.frames[0].sequence <= seen:
            done.append(self.frames.popleft())
            self.unconfirmed_bytes -= done[-1].length
        return done

    def acknowledged(self) -> None:
        """Note that a frame says what was taken."""
        self.unanswered_bytes = 0
        self.wants_seen = False

    def settled(self, messages: Sequence[Message]) -> None:
        """Note messages after which nothing more is waited for: answers of the other end, and what this side voids."""
        if not self._awaited:
            return
        for message in messages:
            if isinstance(message, AssignAnswer):
                self._awaited.difference_update(answer.key_id for answer in message.answers)
            elif isinstance(message, VoidKeys):
                self._awaited.difference_update(message.key_ids)
            elif isinstance(message, CarryDone | CarryVoid):
                self._awaited.discard(message.transfer + bytes([message.share]))
