"""Who may use a pool: one owner at a time, in the process that made it, until another goes on for it."""

from __future__ import annotations

import os
import weakref

from qkdpost.errors import LocalProtocolError

__all__ = ["Holder"]


class Holder:
    """The owner of a pool, referred to weakly, and the process in which the pool was made.

    Args:
        instead: what to do instead of using the pool in a fork.
    """

    __slots__ = ("_instead", "_is_retired", "_owner", "_process")

    def __init__(self, instead: str) -> None:
        self._instead = instead
        self._owner: weakref.ref[object] | None = None
        self._process = os.getpid()
        self._is_retired = False

    @property
    def is_forked(self) -> bool:
        """Whether this process is a fork of the one that made the pool."""
        return os.getpid() != self._process

    def check_process(self) -> None:
        """Refuse to go on in a fork.

        Raises:
            LocalProtocolError: this process is a fork of the one that made the pool.
        """
        if self.is_forked:
            raise LocalProtocolError(
                "this pool was made by another process and came here by a fork, so that both would use the same pads: "
                f"make it after the fork; or {self._instead}"
            )

    def retire(self) -> None:
        """Let nobody use the pool from now on."""
        self._is_retired = True

    def check_usable(self) -> None:
        """Refuse to go on with a pool that another may go on for.

        Raises:
            LocalProtocolError: it was retired, or this process is a fork.
        """
        self.check_process()
        if self._is_retired:
            raise LocalProtocolError(
                "this pool was retired when its file was closed, and whoever opens that uses the same pads: make a "
                "session of the pool that open() returns"
            )

    def take(self, owner: object) -> None:
        """Serve `owner` alone.

        Raises:
            LocalProtocolError: another one holds the pool.
        """
        holder = self._owner() if self._owner is not None else None
        if holder is not None and holder is not owner:
            raise LocalProtocolError(
                f"this pool is held by {holder!r}, whose connection is open, and two sessions would use the same pads: "
                "call connection_lost() on that one first, or give this one a pool of its own"
            )
        self._owner = weakref.ref(owner)

    def let_go(self, owner: object) -> None:
        """End what `take` began, if `owner` holds the pool."""
        if self._owner is not None and self._owner() is owner:
            self._owner = None
