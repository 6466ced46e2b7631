"""One event loop for a key manager: what comes in is gathered, made durable together, and only then answered."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Protocol, Self, TypeVar

from qkdpost.checks import real_number
from qkdpost.errors import QkdpostError, StoreUnavailable
from qkdpost.network.events import Event
from qkdpost.network.service import KeyService

__all__ = ["HostedManager", "KeyManagerHost", "Part", "PeerConversation"]

SHORT_COMMIT_SECONDS = 2e-3
"""A commit that takes no longer is made in the event loop: to wake a thread and be woken by it takes a good part of
that, and meanwhile nobody could use the key manager anyway."""
GATHERING_SECONDS = 2e-3
"""How long a request waits for company where earlier ones wait for another key manager. Its answer mostly comes first,
and one turn then releases the keys of some and assigns those of others."""
_REMEMBERED_COMMITS = 16

_Result = TypeVar("_Result")


class PeerConversation(Protocol):
    """What a host needs of the conversation with another key manager; `PeerSession` has it."""

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection; it may end from this side."""

    def connection_made(self) -> None:
        """Begin a connection."""

    def receive_data(self, data: bytes) -> None:
        """Take bytes; RemoteProtocolError if they are wrong."""

    def data_to_send(self) -> bytes:
        """Return bytes of committed turns, once."""

    def connection_lost(self) -> None:
        """End a connection."""


class HostedManager(KeyService, Protocol):
    """What a host needs of a key manager; `KeyManager` has it."""

    def advance(self, now_seconds: float) -> tuple[str, ...]:
        """Let time pass; return the peers whose connection stands still and is to be made anew."""

    def commit(self) -> None:
        """Make the open turn durable."""

    def checkpoint(self) -> None:
        """Make the open turn durable, and see that what was erased stands in no file."""

    def peer(self, name: str) -> PeerConversation:
        """Return the conversation with another key manager."""


class Part(Protocol):
    """What lives off the turns of a key manager: a service, or the connections to its peers."""

    def after_commit(self, events: tuple[Event, ...]) -> tuple[Event, ...]:
        """Send what may leave now; return the events that are for others."""

    async def aclose(self) -> None:
        """End all connections."""


class KeyManagerHost:
    """The one owner of a key manager in an event loop.

    It runs what comes in between two commits, and commits in a worker thread, or in the loop where commits are short.
    While a commit runs, inputs wait, and share the next one::

        async with KeyManagerHost(manager, on_event=print) as host:
            await serve_peers(host, "0.0.0.0", 9014, credentials=...)
            await serve_etsi014(host, Etsi014(manager), "0.0.0.0", 443, credentials=...)
            await host.call(lambda: manager.add_key("kbh-3", key))

    Nobody else may touch the key manager meanwhile; `call` is how.

    Args:
        manager: a `KeyManager`.
        clock: seconds, the same clock on every start: the store keeps times.
        advance_seconds: how often the key manager is told the time.
        checkpoint_seconds: how often its store is to see that keys that were erased stand in no file.
        on_event: called with each event that is no answer to a request, after the commit of its turn.

    Raises:
        InputError: no such time.

    >>> import asyncio
    >>> from qkdpost import network, transport
    >>> topology = network.Topology(sites=[network.Site(name="north")], links=[])
    >>> manager = network.KeyManager(name="north", store=network.MemoryStore(), topology=topology)
    >>> async def main():
    ...     async with transport.network.KeyManagerHost(manager, on_event=print) as host:
    ...         return await host.call(lambda: len(manager.account().pools))
    >>> asyncio.run(main())
    0
    """

    def __init__(
        self,
        manager: HostedManager,
        *,
        clock: Callable[[], float] = time.time,
        advance_seconds: float = 0.2,
        checkpoint_seconds: float = 10.0,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        self.manager = manager
        self.parts: list[Part] = []
        self.standing_peers: set[str] = set()
        self._clock = clock
        self._advance_seconds = real_number("advance_seconds", advance_seconds, least=1e-3, most=60.0)
        self._checkpoint_seconds = real_number("checkpoint_seconds", checkpoint_seconds, least=1e-3, most=86_400.0)
        self._checkpoint_due = time.monotonic() + self._checkpoint_seconds
        self._on_event = on_event
        self._waiting: deque[Callable[[], None]] = deque()
        self._after_commit: list[Callable[[], None]] = []
        self._wanted = self._committing = self._closed = False
        self._commit_seconds: deque[float] = deque([0.0], maxlen=_REMEMBERED_COMMITS)
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="qkdpost-commit")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._gathering: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._tick()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End every connection, make the last turn durable, and let go of the key manager; its store stays open."""
        if self._closed:
            return
        if self._timer is not None:
            self._timer.cancel()
        for part in list(self.parts):
            await part.aclose()
        await self.call(lambda: None)
        while self._wanted or self._committing:  # what connections said when they ended
            await self.call(lambda: None)
        self._closed = True
        self._executor.shutdown()

    def now_seconds(self) -> float:
        """Return the time that the key manager is told."""
        return self._clock()

    @property
    def is_free(self) -> bool:
        """Whether the key manager may be used now: no commit is under way."""
        return not self._committing

    def when_free(self, work: Callable[[], None]) -> None:
        """Run what uses the key manager: now, or when the commit under way is over.

        Args:
            work: must call `commit_soon` if it changed anything. What it raises goes to the event loop's handler.
        """
        if self._committing:
            self._waiting.append(work)
        else:
            work()

    def commit_soon(self) -> None:
        """Commit when the inputs at hand have been taken; then every part may send."""
        if not self._wanted and not self._closed:
            self._wanted = True
            self._running_loop.call_soon(self._commit)

    def commit_in_company(self) -> None:
        """Commit a little later, or with the next commit that is wanted for another reason.

        A turn that assigns keys costs two commits here and one at the other end, however many requests share it.
        """
        if not (self._wanted or self._closed or self._gathering):
            self._gathering = self._running_loop.call_later(GATHERING_SECONDS, self._gathered)

    def _gathered(self) -> None:
        self._gathering = None
        self.commit_soon()

    def call(self, work: Callable[[], _Result]) -> Awaitable[_Result]:
        """Run what uses the key manager, and return its result once it is durable.

        Args:
            work: a function without arguments.

        Raises:
            StoreUnavailable: the turn was lost.
            QkdpostError: whatever `work` raises.
        """
        done: asyncio.Future[_Result] = self._running_loop.create_future()

        def run() -> None:
            try:
                result = work()
            except Exception as error:
                done.set_exception(error)
                self.commit_soon()  # what it did before may be half of something
                return
            turn = self.manager.turn
            self._after_commit.append(lambda: self._tell(done, turn, result))
            self.commit_soon()

        self.when_free(run)
        return done

    @property
    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None or self._closed:
            raise StoreUnavailable("the host is not running: use it in `async with`")
        return self._loop

    def _tell(self, done: asyncio.Future[_Result], turn: int, result: _Result) -> None:
        if done.done():
            return
        if self.manager.outcome(turn) == "durable":
            done.set_result(result)
        else:
            done.set_exception(StoreUnavailable("the turn could not be made durable"))

    def _tick(self) -> None:
        self.when_free(self._advance)
        self._timer = self._running_loop.call_later(self._advance_seconds, self._tick)

    def _advance(self) -> None:
        with contextlib.suppress(StoreUnavailable):  # told as an event, and by every answer
            self.standing_peers.update(self.manager.advance(self.now_seconds()))
            self.commit_soon()

    def _commit(self) -> None:
        self._committing, self._wanted = True, False
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None
        is_due = time.monotonic() >= self._checkpoint_due
        if self._commits_are_short and not is_due:
            self._committed(self._timed_commit())
        else:
            work = self._checkpoint if is_due else self._timed_commit
            future = self._running_loop.run_in_executor(self._executor, work)
            future.add_done_callback(lambda done: self._committed(done.result()))

    @property
    def _commits_are_short(self) -> bool:
        """Whether the disk is fast, by the quarter of commits that took least.

        Others took longer because something else had the processor, and a thread of ours would have had to wait, too.
        """
        return sorted(self._commit_seconds)[len(self._commit_seconds) // 4] <= SHORT_COMMIT_SECONDS

    def _checkpoint(self) -> BaseException | None:
        try:
            self.manager.checkpoint()
        except BaseException as error:
            return error
        finally:
            self._checkpoint_due = time.monotonic() + self._checkpoint_seconds
        return None

    def _timed_commit(self) -> BaseException | None:
        began = time.perf_counter()
        try:
            self.manager.commit()
        except QkdpostError as error:
            return error  # `StoreFailed` is among the events, or `outcome` says so
        except BaseException as error:
            return error
        finally:
            self._commit_seconds.append(time.perf_counter() - began)
        return None

    def _committed(self, error: BaseException | None) -> None:
        self._committing = False
        if error is not None and not isinstance(error, QkdpostError):
            self._report(error)
        told, self._after_commit = self._after_commit, []
        for tell in told:
            self._guarded(tell)
        self._guarded(self._flush)
        waiting, self._waiting = self._waiting, deque()
        for work in waiting:
            self._guarded(lambda work=work: self.when_free(work))  # type: ignore[misc]

    def _flush(self) -> None:
        try:
            events = self.manager.events()
        except StoreUnavailable:
            events = ()
        for part in list(self.parts):
            events = part.after_commit(events)
        if self._on_event is not None:
            for event in events:
                self._on_event(event)

    def _guarded(self, work: Callable[[], None]) -> None:
        """Run one of many, so that a fault in it does not stop the others."""
        try:
            work()
        except Exception as error:
            self._report(error)

    def _report(self, error: BaseException) -> None:
        if self._loop is not None:
            self._loop.call_exception_handler({"message": "a key manager's host met a fault", "exception": error})
