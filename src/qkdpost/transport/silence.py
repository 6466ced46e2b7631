"""How long a driver bears silence, and when it says itself that it is there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from qkdpost.checks import real_number
from qkdpost.errors import InputError

__all__ = ["Silence"]


class Silence:
    """The clock of a line.

    Args:
        timeout_seconds: after so long without a byte the line counts as dead; None for never.
        keepalive_seconds: after so long without a word of this host one is said; None for never.

    Raises:
        InputError: no times, or words so seldom that the peer would give up, if it is as patient as this host.
    """

    __slots__ = ("_keepalive", "_moved", "_sent", "_timeout")

    def __init__(self, timeout_seconds: float | None, keepalive_seconds: float | None) -> None:
        self._timeout = _seconds("timeout_seconds", timeout_seconds)
        self._keepalive = _seconds("keepalive_seconds", keepalive_seconds)
        if None not in (timeout_seconds, keepalive_seconds) and self._keepalive >= self._timeout:
            raise InputError(
                f"keepalive_seconds must be below timeout_seconds, a third of it say; found {keepalive_seconds} and "
                f"{timeout_seconds}"
            )
        self._moved = self._sent = time.monotonic()

    def moved(self) -> None:
        """Say that bytes came, or that this host had work: silence begins anew."""
        self._moved = time.monotonic()

    @contextmanager
    def broken_by_work(self) -> Iterator[None]:
        """Do not count what is done inside, when this host does not listen, as silence of the peer."""
        began = time.monotonic()
        try:
            yield
        finally:
            now = time.monotonic()
            self._moved = min(self._moved + now - began, now)

    def sent(self) -> None:
        """Say that bytes went out."""
        self._sent = time.monotonic()

    @property
    def is_too_long(self) -> bool:
        """Whether the line counts as dead."""
        return time.monotonic() - self._moved >= self._timeout

    @property
    def wants_a_word(self) -> bool:
        """Whether this host should say that it is there."""
        return time.monotonic() - self._sent >= self._keepalive

    @property
    def seconds_to_word(self) -> float:
        """How long until it should."""
        return max(0.0, self._sent + self._keepalive - time.monotonic())

    @property
    def seconds_left(self) -> float:
        """How long until either; infinite for never."""
        return max(0.0, min(self._moved + self._timeout - time.monotonic(), self.seconds_to_word))


def _seconds(name: str, value: float | None) -> float:
    return float("inf") if value is None else real_number(name, value, above=0.0)
