"""What a session tells: each event goes to the application, into the log and into the counters."""

from __future__ import annotations

import itertools
import logging
from collections import deque

from qkdpost.dialogue.messages import AbortReason
from qkdpost.session.events import (
    BlockAborted,
    ConnectionClosed,
    ConnectionLost,
    Event,
    HandshakeCompleted,
    KeyPoolLow,
    KeyReady,
    StageCompleted,
)
from qkdpost.session.metrics import Counters
from qkdpost.single_use import SingleUse

__all__ = ["EventQueue"]

_LOG = logging.getLogger("qkdpost.session")
_NUMBERS = itertools.count(1)
_WITH_THE_CONNECTION = frozenset(
    {AbortReason.AUTHENTICATION_FAILED, AbortReason.PROTOCOL_ERROR, AbortReason.CONNECTION_LOST}
)
"""Of blocks that end with their connection, of which the reason is told once."""


class EventQueue(SingleUse):
    """Events that the application has not read yet, in order.

    A line of the log begins with the session's role, its number in this process, and the kind of QKD. It holds counts,
    names and reasons; no key, no part of one, and nothing that was sent. What failed in this host's own code, such as a
    function that the application handed over, is not logged: nobody knows what its message says.

    Args:
        role: of the session.
        kind: of QKD.
    """

    __slots__ = ("_pending", "_who", "counters")

    def __init__(self, role: str, kind: str) -> None:
        self._pending: deque[Event] = deque()
        self._who = f"{role} {next(_NUMBERS)}, {kind}"
        self.counters = Counters()

    def __len__(self) -> int:
        return len(self._pending)

    def popleft(self) -> Event:
        """Return the oldest event and forget it."""
        return self._pending.popleft()

    def append(self, event: Event) -> None:
        """Tell an event."""
        self._pending.append(event)
        self.counters.count(event)
        self._log(event)

    def _log(self, event: Event) -> None:
        who = self._who
        match event:
            case StageCompleted():
                _LOG.debug("%s: block %d: %s done", who, event.block, event.stage)
            case HandshakeCompleted():
                release = event.peer_release or "of no number"
                _LOG.info("%s: connected, protocol version %d, peer release %s", who, event.protocol_version, release)
            case KeyReady():
                _LOG.info("%s: block %d: key of %d bits", who, event.block, len(event.key))
                for notice in event.report.notices:
                    _LOG.warning("%s: block %d: %s", who, event.block, notice)
            case BlockAborted():
                detail = "" if event.reason in _WITH_THE_CONNECTION else f": {event.detail}"
                _LOG.warning("%s: block %d: no key, %s%s", who, event.block, event.reason.name.lower(), detail)
            case ConnectionClosed():
                _LOG.info("%s: the connection ended in good order", who)
            case ConnectionLost():
                detail = "see the error that was raised" if event.reason == "failed-here" else event.detail
                _LOG.warning("%s: connection lost, %s: %s", who, event.reason, detail)
            case KeyPoolLow():
                _LOG.warning(
                    "%s: authentication key runs low: %d bytes left, and %d that the peer does not hold",
                    who, event.available_bytes, event.resting_bytes,
                )  # fmt: skip
