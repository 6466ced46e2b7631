"""What the rooms above put into a session: one handler for each type of message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

__all__ = ["MessageHandler", "OpenedFrame", "Session"]


class OpenedFrame(Protocol):
    """A frame whose stretch of the direction is spent already, and whose messages are still to come."""

    @property
    def material(self) -> tuple[bytearray, ...]:
        """The bytes of the direction, one entry for each length that was asked for: keys, or pads. Secret."""

    @property
    def provenances(self) -> tuple[tuple[bytes, ...], ...]:
        """For each entry, the provenances of the segments that it came from."""

    def send(self, messages: Sequence[Any]) -> None:
        """Send messages that consume exactly what was asked for, in order; they leave after the commit."""


class Session(Protocol):
    """What a handler may ask of the session that calls it; `session.PeerSession` is one."""

    @property
    def name(self) -> str:
        """The key manager at the other end."""

    @property
    def ready(self) -> bool:
        """Whether frames may be sent."""

    def queue(self, message: Any) -> None:
        """Send a message that consumes no key as soon as there is a pad, and again after a break until it is heard."""

    def room_bytes(self) -> int:
        """Return what a frame may consume now, its tag aside; 0 while none can be sent."""

    def segments_ahead(self, count: int) -> int:
        """Return from how many segments the tag of the next frame and `count` bytes more come, all at hand."""

    def open_frame(self, lengths: Sequence[int]) -> OpenedFrame:
        """Take the next stretch of this side's direction.

        Raises:
            NotEnoughKey: more than `room_bytes`.
            PeerUnavailable: the connection is not ready.
        """


class MessageHandler(Protocol):
    """Does what messages of one type ask for. All of it happens in the transaction of the turn."""

    def received(self, peer: Session, message: Any, material: tuple[bytearray, ...]) -> None:
        """Take a message that came, with the bytes of its direction that it consumed, one entry a key or share.

        The frame was authentic and is taken: its bytes are spent whatever happens here. A message that is not to be
        believed all the same raises `RemoteProtocolError` before anything is written. The material is the handler's;
        what it does not keep, it zeroes.
        """

    def confirmed(self, peer: Session, message: Any) -> None:
        """Hear that the other end has taken a message of this side, durably."""

    def broken(self, peer: Session, message: Any) -> None:
        """Hear that the connection ended before `AssignKeys` or `CarrySegment` was confirmed; it is never repeated.

        The other end may have taken it. Nobody tells this of messages that a process before this one sent: whoever
        starts with an assignment or transfer unanswered takes it for broken.
        """
