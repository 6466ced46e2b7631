"""What the site of slaves does with messages of the master's site."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from qkdpost.errors import RemoteProtocolError
from qkdpost.network.deliveries.held import SKEW, HeldKeys
from qkdpost.network.messages.fields import RefusalReason, VoidReason
from qkdpost.network.messages.framed import AssignAnswer, AssignedKey, AssignKeys, KeyAnswer, VoidKeys
from qkdpost.network.names import checked_name
from qkdpost.network.peer.handler import Session
from qkdpost.network.peer.pads import add_into
from qkdpost.network.policy import AccessPolicy

__all__ = ["ReceivedAssignments", "ReceivedVoids"]


LONGEST_SECONDS = 366 * 86_400
"""Longer than this nothing of another site is kept, whatever it says."""
_Together: TypeAlias = tuple[str, tuple[str, ...], int, bytes]
"""Master, slaves, lifetime in seconds and extension of a key: keys with the same stand in one row."""


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
        groups: dict[_Together, list[tuple[AssignedKey, bytearray]]] = {}
        inherited = keys.keys[0].extension
        for key, piece in zip(keys.keys, material, strict=True):
            together = key.master, key.slaves, key.expires_seconds, key.extension or inherited
            groups.setdefault(together, []).append((key, piece))
        for master, slaves, _, _ in groups:
            for name in (master, *slaves):
                checked_name("application", name, error=RemoteProtocolError)
        reasons: dict[bytes, RefusalReason] = {}
        for together, members in groups.items():
            reasons.update(self._hold(peer.name, together, members))
        for piece in material:
            piece[:] = bytes(len(piece))
        peer.queue(AssignAnswer(tuple(KeyAnswer(key.key_id, reasons[key.key_id]) for key in keys.keys)))

    def _hold(
        self, site: str, together: _Together, members: list[tuple[AssignedKey, bytearray]]
    ) -> dict[bytes, RefusalReason]:
        """Hold what can be of keys that have all but ID and bytes in common, and return what to answer."""
        master, slaves, lifetime, extension = together
        refusal = self._refusal_of(site, master, slaves)
        if not lifetime:
            refusal = refusal or RefusalReason.EXPIRED
        reasons: dict[bytes, RefusalReason] = {}
        taken: list[tuple[bytes, bytearray]] = []
        for key, piece in members:
            reason = reasons[key.key_id] = refusal or self._refusal(key, len(taken) + 1)
            if reason == RefusalReason.HELD:
                if key.ciphertext is not None:
                    add_into(piece, key.ciphertext)
                taken.append((key.key_id, piece))
        expires = self._clock() + min(lifetime, LONGEST_SECONDS) * SKEW
        self._held.hold(taken, site=site, master=master, slaves=slaves, expires_seconds=expires, extension=extension)
        return reasons

    def _refusal_of(self, site: str, master: str, slaves: tuple[str, ...]) -> RefusalReason:
        """Return why no key of these applications is held, or `HELD`."""
        if self._site_of(master) != site or any(self._site_of(slave) != self._name for slave in slaves):
            return RefusalReason.UNKNOWN_APPLICATION
        if not all(self._access.allows(master, slave) for slave in slaves):
            return RefusalReason.NOT_ALLOWED
        return RefusalReason.HELD

    def _refusal(self, key: AssignedKey, keys: int) -> RefusalReason:
        """Return why a key, the last of so many for the same applications, is not held, or `HELD`."""
        if self._held.has(key.key_id):
            return RefusalReason.KNOWN_IDENTIFIER
        return RefusalReason.HELD if self._held.has_room(key.master, key.slaves, keys) else RefusalReason.QUOTA

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
