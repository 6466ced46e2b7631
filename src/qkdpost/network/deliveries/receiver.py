"""What the site of slaves does with messages of the master's site."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qkdpost.errors import RemoteProtocolError
from qkdpost.network.deliveries.held import SKEW, HeldKeys
from qkdpost.network.deliveries.records import HeldRow
from qkdpost.network.deliveries.states import HeldState
from qkdpost.network.messages.fields import RefusalReason, VoidReason
from qkdpost.network.messages.framed import AssignAnswer, AssignedKey, AssignKeys, KeyAnswer, VoidKeys
from qkdpost.network.names import checked_name
from qkdpost.network.peer.handler import Session
from qkdpost.network.policy import AccessPolicy

__all__ = ["ReceivedAssignments", "ReceivedVoids"]


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
        held: HeldKeys,
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
        """Hold the keys, or say why not."""
        keys: AssignKeys = message
        groups = {(key.master, key.slaves): RefusalReason.HELD for key in keys.keys}
        for master, slaves in groups:
            for name in (master, *slaves):
                checked_name("application", name, error=RemoteProtocolError)
            groups[master, slaves] = self._refusal_of(peer.name, master, slaves)
        answers = []
        inherited = keys.keys[0].extension
        for key, piece in zip(keys.keys, material, strict=True):
            reason = groups[key.master, key.slaves] or self._refusal(key)
            if reason == RefusalReason.HELD:
                self._hold(peer.name, key, piece, key.extension or inherited)
            piece[:] = bytes(len(piece))
            answers.append(KeyAnswer(key.key_id, reason))
        peer.queue(AssignAnswer(tuple(answers)))

    def _refusal_of(self, site: str, master: str, slaves: tuple[str, ...]) -> RefusalReason:
        """Return why no key of these applications is held, or `HELD`."""
        if self._site_of(master) != site or any(self._site_of(slave) != self._name for slave in slaves):
            return RefusalReason.UNKNOWN_APPLICATION
        if not all(self._access.allows(master, slave) for slave in slaves):
            return RefusalReason.NOT_ALLOWED
        return RefusalReason.HELD

    def _refusal(self, key: AssignedKey) -> RefusalReason:
        """Return why one key is not held, or `HELD`."""
        if key.expires_seconds <= 0:
            return RefusalReason.EXPIRED
        if self._held.has(key.key_id):
            return RefusalReason.KNOWN_IDENTIFIER
        return RefusalReason.HELD if self._held.has_room(key.master, key.slaves) else RefusalReason.QUOTA

    def _hold(self, site: str, key: AssignedKey, piece: bytearray, extension: bytes) -> None:
        if key.ciphertext is not None:
            xor_into(piece, key.ciphertext)
        expires = self._clock() + min(key.expires_seconds, LONGEST_SECONDS) * SKEW
        slaves = dict.fromkeys(key.slaves, HeldState.HELD)
        self._held.hold(key.key_id, piece, HeldRow(site, key.master, slaves, expires, b"", extension))

    def confirmed(self, peer: Session, message: Any) -> None:
        """Not ours to hear: this side sends no such message through this handler."""

    def broken(self, peer: Session, message: Any) -> None:
        """See `confirmed`."""


class ReceivedVoids:
    """Handles `VoidKeys`: erases what a site takes back.

    Args:
        held: the table of held keys.
        clock: the time of the turn, in seconds.
    """

    __slots__ = ("_clock", "_held")

    def __init__(self, held: HeldKeys, clock: Callable[[], float]) -> None:
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


def xor_into(target: bytearray, other: bytes | bytearray) -> None:
    """Add `other` to `target`, bit by bit, in place; both are of one length."""
    size = len(target)
    total = int.from_bytes(target, "little") ^ int.from_bytes(other, "little")
    target[:] = total.to_bytes(size, "little")
