"""What messages about keys do, each type in the hands of the side that it concerns."""

from __future__ import annotations

from typing import Any

from qkdpost.errors import NotAuthorised, NotEnoughKey, PeerUnavailable, QkdpostError, UnsupportedRequest
from qkdpost.network.deliveries.assignments import Assignments
from qkdpost.network.deliveries.receiver import ReceivedAssignments
from qkdpost.network.messages.fields import RefusalReason
from qkdpost.network.messages.framed import AssignAnswer, AssignKeys
from qkdpost.network.peer.handler import Session

__all__ = ["AnswerHandler", "AssignHandler"]


class AssignHandler(ReceivedAssignments):
    """Handles `AssignKeys`: those that come are held, those that this side said may break.

    Args:
        assignments: of this site's masters.
        others: as of `ReceivedAssignments`.
    """

    __slots__ = ("_assignments",)

    def __init__(self, assignments: Assignments, **others: Any) -> None:
        super().__init__(**others)
        self._assignments = assignments

    def confirmed(self, peer: Session, message: Any) -> None:
        """The other site has it durably; whether it holds the keys stands in its answer."""

    def broken(self, peer: Session, message: Any) -> None:
        """Void what the message assigned."""
        keys: AssignKeys = message
        self._assignments.broken([key.key_id for key in keys.keys])


class AnswerHandler:
    """Handles `AssignAnswer`.

    Args:
        assignments: of this site's masters.
    """

    __slots__ = ("_assignments",)

    def __init__(self, assignments: Assignments) -> None:
        self._assignments = assignments

    def received(self, peer: Session, message: Any, material: tuple[bytearray, ...]) -> None:
        """Note what is held, and void what is not."""
        answers: AssignAnswer = message
        held = [answer.key_id for answer in answers.answers if answer.reason == RefusalReason.HELD]
        self._assignments.held(peer.name, held)
        for answer in answers.answers:
            if answer.reason != RefusalReason.HELD:
                self._assignments.refused(peer.name, answer.key_id, refusal(peer.name, answer.reason))

    def confirmed(self, peer: Session, message: Any) -> None:
        """The master's site has heard it; the keys wait for their slaves."""

    def broken(self, peer: Session, message: Any) -> None:
        """Never: it is sent again."""


def refusal(site: str, reason: RefusalReason) -> QkdpostError:
    """Return what a master is told when another site does not take its keys."""
    if reason == RefusalReason.UNKNOWN_APPLICATION:
        return UnsupportedRequest(f"{site} knows no such applications: its topology is another one")
    if reason == RefusalReason.NOT_ALLOWED:
        return NotAuthorised(f"the policy of {site} does not let these applications share keys")
    if reason == RefusalReason.QUOTA:
        return NotEnoughKey(f"too many keys of these applications wait at {site} already")
    return PeerUnavailable(f"{site} did not take the keys: ask again")
