"""What messages about keys do, each type in the hands of the side that it concerns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from qkdpost.errors import (
    NotAuthorised,
    NotEnoughKey,
    PeerUnavailable,
    QkdpostError,
    RemoteProtocolError,
    UnsupportedRequest,
)
from qkdpost.network.deliveries.assignments import Assignments
from qkdpost.network.deliveries.held import SKEW, Assigned, HeldTable
from qkdpost.network.messages.fields import RefusalReason, VoidReason
from qkdpost.network.messages.framed import AssignAnswer, AssignedKeys, AssignKeys, KeysAnswer, VoidKeys
from qkdpost.network.names import checked_name
from qkdpost.network.peer.handler import Session
from qkdpost.network.peer.pads import add_into
from qkdpost.network.policy import AccessPolicy

__all__ = ["AnswerHandler", "AssignHandler", "VoidHandler"]

LONGEST_SECONDS = 366 * 86_400
"""Longer than this nothing of another site is kept, whatever it says."""


class ReceivedAssignments:
    """Handles `AssignKeys`: holds what the rules here allow, answers the rest, in one turn with the marks.

    Nothing is believed of what the peer says of applications: the master must be one of its own site, the slaves of
    this one, and the policy here must allow them too.

    Args:
        held: the table of held keys.
        access: who may share keys.
        site_of: the key manager at an application's site.
        name: of this key manager.
        clock: the time of the turn, in seconds.
    """

    __slots__ = ("_access", "_clock", "_held", "_name", "_site_of")

    def __init__(
        self,
        held: HeldTable,
        access: AccessPolicy,
        site_of: Callable[[str], str | None],
        name: str,
        clock: Callable[[], float],
    ) -> None:
        self._held = held
        self._access = access
        self._site_of = site_of
        self._name = name
        self._clock = clock

    def received(self, peer: Session, message: Any, material: tuple[bytearray, ...]) -> None:
        """Hold the keys of each request, all or none, or say why not."""
        assign: AssignKeys = message
        refusals = {
            names: self._refusal_of(peer.name, *names)
            for names in {(keys.master, keys.slaves): None for keys in assign.requests}
        }
        taken: list[Assigned] = []
        coming: Counter[tuple[str, str]] = Counter()
        answers = []
        for keys, piece in zip(assign.requests, material, strict=True):
            reason = refusals[keys.master, keys.slaves] or self._refusal(assign, keys, coming)
            if reason == RefusalReason.HELD:
                if keys.ciphertext is not None:
                    add_into(piece, keys.ciphertext)
                taken.append((keys.key_ids, piece, keys.master, keys.slaves))
                for slave in keys.slaves:
                    coming[keys.master, slave] += keys.count
            answers.append(KeysAnswer(keys.name, reason))
        if taken:
            expires = self._clock() + min(assign.expires_seconds, LONGEST_SECONDS) * SKEW
            self._held.hold(taken, site=peer.name, expires_seconds=expires, extension=assign.extension)
        for piece in material:
            piece[:] = bytes(len(piece))
        peer.queue(AssignAnswer(tuple(answers)))

    def _refusal(self, assign: AssignKeys, keys: AssignedKeys, coming: Mapping[tuple[str, str], int]) -> RefusalReason:
        """Return why the keys of a request for applications that may share them are not held, or `HELD`.

        Args:
            assign: the message.
            keys: of which.
            coming: how many keys of the message are to be held already, by master and slave.
        """
        if not assign.expires_seconds:
            return RefusalReason.EXPIRED
        if self._held.has_any(keys.key_ids):
            return RefusalReason.KNOWN_IDENTIFIER
        has_room = all(
            self._held.has_room(keys.master, (slave,), coming[keys.master, slave] + keys.count) for slave in keys.slaves
        )
        return RefusalReason.HELD if has_room else RefusalReason.QUOTA

    def _refusal_of(self, site: str, master: str, slaves: tuple[str, ...]) -> RefusalReason:
        """Return why no key of these applications is held, or `HELD`.

        Raises:
            RemoteProtocolError: one of them is no name.
        """
        if self._site_of(master) != site or any(self._site_of(slave) != self._name for slave in slaves):
            for name in (master, *slaves):
                checked_name("application", name, error=RemoteProtocolError)
            return RefusalReason.UNKNOWN_APPLICATION
        if not all(self._access.allows(master, slave) for slave in slaves):
            return RefusalReason.NOT_ALLOWED
        return RefusalReason.HELD

    def confirmed(self, peer: Session, message: Any) -> None:
        """Not ours to hear: this side sends no such message through this handler."""

    def broken(self, peer: Session, message: Any) -> None:
        """See `confirmed`."""


class VoidHandler:
    """Handles `VoidKeys`: erases what a site takes back.

    Args:
        held: the table of held keys.
        clock: the time of the turn, in seconds.
    """

    __slots__ = ("_clock", "_held")

    def __init__(self, held: HeldTable, clock: Callable[[], float]) -> None:
        self._held = held
        self._clock = clock

    def received(self, peer: Session, message: Any, material: tuple[bytearray, ...]) -> None:
        """Void the keys, seen or not."""
        voids: VoidKeys = message
        reason = VoidReason(voids.reason).name.lower().replace("_", " ")
        self._held.void(
            peer.name, voids.key_ids, reason, self._clock() + min(voids.expires_seconds, LONGEST_SECONDS) * SKEW
        )

    def confirmed(self, peer: Session, message: Any) -> None:
        """The keys are void at the other site: nothing more to do."""

    def broken(self, peer: Session, message: Any) -> None:
        """Never: it is sent again."""


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
        self._assignments.broken([one.name for one in keys.requests])


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
