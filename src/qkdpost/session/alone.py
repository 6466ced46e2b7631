"""One call at a time: what two threads do to a session at once would be neither's."""

from __future__ import annotations

from threading import RLock
from types import TracebackType

from qkdpost.errors import LocalProtocolError
from qkdpost.single_use import SingleUse

__all__ = ["Alone"]


class Alone(SingleUse):
    """Refuses to be entered by a second thread as long as the first has not left; a thread may enter again."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = RLock()

    def __enter__(self) -> None:
        if not self._lock.acquire(False):
            raise LocalProtocolError(
                "another thread is in a call of this session, which takes one at a time: with an executor submit by "
                "qkdpost.transport.asyncio.in_turn, or from `idle`"
            )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()
