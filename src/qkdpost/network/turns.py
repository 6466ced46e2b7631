"""Turns: what comes in between two commits is durable all together, or nobody is told of any of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from qkdpost.checks import whole_number
from qkdpost.errors import LocalProtocolError, QkdpostError, StoreUnavailable
from qkdpost.network.events import Event, KeysReleased, RequestRefused, StoreFailed, Ticket
from qkdpost.network.monitoring.monitor import Monitor
from qkdpost.network.rooms import Rooms
from qkdpost.network.service import TurnOutcome
from qkdpost.network.store.protocol import KeyStore

__all__ = ["Turns"]

_Result = TypeVar("_Result")
_REMEMBERED_LOSSES = 1024


class Lease:
    """A store for the rooms of one life: when they are dropped, whatever still holds a part of them reaches no row.

    A driver may have kept a session of before a turn was lost. What it does then must not meet the rows of what was
    built since.

    Args:
        store: the store itself.
    """

    __slots__ = ("begin", "checkpoint", "close", "commit", "erase", "get", "put", "reopen", "rollback", "scan", "take")

    def __init__(self, store: KeyStore) -> None:
        self.get, self.put, self.take, self.erase = store.get, store.put, store.take, store.erase
        self.scan = store.scan
        self.begin = self.commit = self.checkpoint = self.rollback = self.reopen = self.close = _ended

    def end(self) -> None:
        """Let nobody reach the store through this any more."""
        self.get = self.put = self.take = self.erase = self.scan = _ended


def _ended(*_: Any, **__: Any) -> Any:
    raise StoreUnavailable(
        "this part of the key manager was dropped when a turn was lost, or does not end turns: ask the manager for its "
        "sessions again"
    )


def _nothing() -> None:
    """Do nothing between two turns."""


class Turns:
    """The turns of a key manager over its store, and the rooms that are built of the store's rows.

    After any error of a commit the outcome is unknown: the disk may have it though the commit raised. So everything
    that was built is dropped, the store is read again, and whatever waited for an answer is refused.

    Args:
        store: without an open transaction.
        build: makes the rooms of the store's rows, in a transaction.
        monitor: is shown every event of a durable turn.
    """

    __slots__ = (
        "_build",
        "_events",
        "_is_closed",
        "_lease",
        "_lost",
        "_monitor",
        "_rooms",
        "_store",
        "_tickets",
        "number",
    )

    def __init__(self, store: KeyStore, build: Callable[[KeyStore], Rooms], monitor: Monitor) -> None:
        self._store = store
        self._build = build
        self._monitor = monitor
        self._events: deque[Event] = deque()
        self._lost: deque[int] = deque(maxlen=_REMEMBERED_LOSSES)
        self._tickets: dict[Ticket, None] = {}
        self._rooms: Rooms | None = None
        self._lease = Lease(store)
        self._is_closed = False
        self.number = 0
        """Of the open turn."""
        self._begin_anew()

    def run(self, action: Callable[[Rooms], _Result]) -> _Result:
        """Do something in the open turn; what the store cannot record ends the turn.

        Errors of the library that are no fault of the store were raised before anything was written. Any other
        exception leaves the turn in a state that nobody has thought of, which must not become durable.

        Raises:
            StoreUnavailable: the turn is lost, or the store still cannot be opened.
        """
        rooms = self._opened()
        try:
            return action(rooms)
        except StoreUnavailable as error:
            self._lose(f"{error}")
            raise
        except QkdpostError:
            raise
        except BaseException:
            self._lose("something failed that is no fault of the store; see the error that was raised")
            raise

    def await_answer(self, ticket: Ticket) -> None:
        """Remember that somebody waits."""
        self._tickets[ticket] = None

    def commit(self) -> None:
        """Make the open turn durable, and begin the next.

        Raises:
            StoreUnavailable: nobody knows whether it is.
        """
        self.maintain(_nothing)

    def maintain(self, work: Callable[[], _Result]) -> _Result:
        """Make the open turn durable, do `work` while no transaction is open, and begin the next turn.

        Raises:
            StoreUnavailable: nobody knows whether the turn is durable; or `work` raised it, and all is read again.
        """
        return self.run(lambda rooms: self._between_turns(rooms, work))

    def _between_turns(self, rooms: Rooms, work: Callable[[], _Result]) -> _Result:
        try:
            rooms.prepare()
            self._store.commit()
        except QkdpostError as error:
            if isinstance(error, StoreUnavailable):
                raise
            raise StoreUnavailable(f"the turn could not be recorded: {error}") from error
        rooms.committed()
        events, rooms.events = rooms.events, []
        for event in events:
            if isinstance(event, KeysReleased | RequestRefused):
                self._tickets.pop(event.ticket, None)
        self._tell(events)
        self.number += 1
        try:
            return work()
        finally:
            self._store.begin()

    def outcome(self, turn: int) -> TurnOutcome:
        """Tell what became of a turn."""
        number = whole_number("turn", turn)
        if number >= self.number:
            return "open"
        return "lost" if number in self._lost else "durable"

    def events(self, *kinds: type[Event]) -> tuple[Event, ...]:
        """Return what happened in durable turns, and forget it; of these classes alone, or of all if none is given."""
        wanted = tuple(event for event in self._events if not kinds or isinstance(event, kinds))
        self._events = deque(event for event in self._events if kinds and not isinstance(event, kinds))
        return wanted

    def close(self) -> None:
        """Undo the open turn and close the store."""
        self._is_closed = True
        self._drop()
        self._store.close()

    # Losing a turn.

    def _opened(self) -> Rooms:
        if self._is_closed:
            raise LocalProtocolError("this key manager is closed: make another one of its store")
        if self._rooms is None:
            self._store.reopen()
            self._begin_anew()
        if self._rooms is None:
            raise StoreUnavailable("the store is not available: see to its disk, then try again")
        return self._rooms

    def _begin_anew(self) -> None:
        self._store.begin()
        self._lease.end()
        self._lease = Lease(self._store)
        self._rooms = self._build(self._lease)

    def _lose(self, detail: str) -> None:
        self._drop()
        self._lost.append(self.number)
        self.number += 1
        refusal = StoreUnavailable("the store could not record the request: it may be tried again")
        self._tell([RequestRefused(ticket=ticket, error=refusal) for ticket in self._tickets])
        self._tickets.clear()
        try:
            self._store.reopen()
            self._begin_anew()
        except StoreUnavailable:
            self._tell([StoreFailed(detail=detail, recovered="closed")])
        else:
            self._tell([StoreFailed(detail=detail, recovered="reopened")])

    def _tell(self, events: Sequence[Event]) -> None:
        self._events.extend(events)
        self._monitor.note(events)

    def _drop(self) -> None:
        rooms, self._rooms = self._rooms, None
        self._lease.end()
        for event in rooms.events if rooms is not None else ():
            if isinstance(event, KeysReleased):
                for key in event.keys:
                    key.erase()
