"""One driver a session: a second one would take bytes that the first one waits for, and end its connection."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from weakref import WeakSet

from qkdpost.checks import instance
from qkdpost.errors import LocalProtocolError
from qkdpost.session.session import Session

__all__ = ["sole_driver"]

_driven: WeakSet[Session] = WeakSet()
_lock = threading.Lock()


@contextlib.contextmanager
def sole_driver(session: Session) -> Iterator[None]:
    """Drive a session, and let nobody else drive it meanwhile, in whichever thread or task.

    Raises:
        InputError: no session.
        LocalProtocolError: it is driven already.
    """
    instance("session", session, Session)
    with _lock:
        if session in _driven:
            raise LocalProtocolError(
                "a driver runs this session already: a session takes one `run`, `keep_connected` or `serve` at a time. "
                "Go on with the events of that one, or close it first; another link, or another task, needs a session "
                "of its own. An asynchronous loop that is left early closes its driver by contextlib.aclosing"
            )
        _driven.add(session)
    try:
        yield
    finally:
        with _lock:
            _driven.discard(session)
