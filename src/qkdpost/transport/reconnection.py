"""How long to wait before a line that ended is tried again."""

from __future__ import annotations

import errno
import random
import time

from qkdpost.checks import Settings, keep, real_number
from qkdpost.errors import ConfigurationError
from qkdpost.session.events import ConnectionLost, Event, KeyReady

__all__ = ["Backoff", "Reconnection", "passes_by"]

_NO_LISTENER = (errno.EBADF, errno.EINVAL, errno.ENOTSOCK, errno.EOPNOTSUPP)


def passes_by(error: OSError) -> bool:
    """Tell whether a listener that could not accept may later: a caller was gone again, or there were too many files.

    Else it is closed, or none.
    """
    return error.errno not in _NO_LISTENER


class Reconnection(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long to wait before a peer is called again.

    Args:
        first_seconds: after a connection that worked.
        most_seconds: the wait doubles after each failure, up to this; each is shortened by chance, by a half at most.

    Raises:
        ConfigurationError: no such times.

    >>> from qkdpost import transport
    >>> transport.network.Reconnection(first_seconds=0.5).most_seconds
    15.0
    """

    first_seconds: float = 0.1
    most_seconds: float = 15.0

    def __post_init__(self) -> None:
        for name in ("first_seconds", "most_seconds"):
            value = real_number(name, getattr(self, name), least=1e-3, most=3600.0, error=ConfigurationError)
            keep(self, name, value)
        if self.first_seconds > self.most_seconds:
            raise ConfigurationError("first_seconds must be at most most_seconds")


class Backoff:
    """The waits of one session, one after another.

    A connection worked if it brought a key, or lasted and was not ended by a wrong word: what each failure costs, such
    as the pads of a block whose tag was wrong, is then spent as seldom as a peer that does not answer is called.
    """

    def __init__(self, reconnection: Reconnection) -> None:
        self._times = reconnection
        self._next = reconnection.first_seconds
        self._began = 0.0

    def began(self) -> None:
        """Note that a connection begins."""
        self._began = time.monotonic()

    def heard(self, event: Event) -> None:
        """Judge by what the session tells."""
        lasted = time.monotonic() - self._began > self._times.most_seconds
        wrong = ("protocol-error", "authentication-failed")
        if isinstance(event, KeyReady) or (isinstance(event, ConnectionLost) and lasted and event.reason not in wrong):
            self._next = self._times.first_seconds

    def next_seconds(self) -> float:
        """Return how long to wait now."""
        wait = self._next * random.uniform(0.5, 1.0)
        self._next = min(2 * self._next, self._times.most_seconds)
        return wait
