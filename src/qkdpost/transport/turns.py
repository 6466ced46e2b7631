"""Calls into one session, one at a time, in the threads of an executor or in the event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar
from weakref import WeakKeyDictionary

from qkdpost.session.session import Session

__all__ = ["TURNS", "Turns", "in_turn"]

_Returned = TypeVar("_Returned")


class Turns:
    """Calls into one session, one at a time, each in the executor if there is one."""

    def __init__(self, executor: Executor | None) -> None:
        self._executor = executor
        self._lock = asyncio.Lock()
        self.wake = asyncio.Event()
        """Something is to be done: bytes came, or another task has called."""

    @property
    def in_threads(self) -> bool:
        """Whether calls are made elsewhere than in the event loop."""
        return self._executor is not None

    async def call(self, function: Callable[[], _Returned]) -> _Returned:
        """Call when nobody else does, and never leave the session in the hands of a thread."""
        async with self._lock:
            if self._executor is None:
                return function()
            future = asyncio.get_running_loop().run_in_executor(self._executor, function)
            try:
                return await asyncio.shield(future)
            except asyncio.CancelledError:
                while not future.done():
                    with contextlib.suppress(asyncio.CancelledError):
                        await asyncio.wait({future})
                if not future.cancelled():
                    future.exception()
                elif not _is_cancelled():
                    raise RuntimeError("the executor was shut down before it came to a call of the session") from None
                raise


def _is_cancelled() -> bool:
    """Tell whether this task was cancelled, and not what it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


TURNS: WeakKeyDictionary[Session, Turns] = WeakKeyDictionary()
"""Of the sessions that are driven at present."""


async def in_turn(session: Session, call: Callable[[], _Returned]) -> _Returned:
    """Call something of a session that a driver runs, when no other call is at work in it, and in its executor.

    A session takes one call at a time, and what it does upon `submit` may be long: opening a block, for one.

    >>> import asyncio, qkdpost as qp
    >>> link = qp.LinkConfig(protocol=qp.BB84())
    >>> session = qp.Session(role="bob", link=link, auth_key=qp.KeyPool(bytes(range(128))))
    >>> asyncio.run(qp.transport.asyncio.in_turn(session, session.finish))
    """
    turns = TURNS.get(session)
    if turns is None:
        return call()
    returned = await turns.call(call)
    turns.wake.set()
    return returned
