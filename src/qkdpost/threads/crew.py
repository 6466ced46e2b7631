"""Works that go on at once, step by step: each in one thread at a time, whichever of a crew is free.

The crew is the thread that calls and those that an executor lends for as long as it lasts. Whoever has no step to do
takes pieces of another's, so that a work that is long alone has all threads. Nothing waits for a thread that does not
come: the caller does what nobody else has begun.
"""

from __future__ import annotations

import functools
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, Protocol, TypeAlias, TypeVar

from qkdpost.threads.pieces import ask_for_help, sharing, threads_at_work

__all__ = ["Crew", "Party"]

_Arguments = ParamSpec("_Arguments")
_Returned = TypeVar("_Returned")

Task: TypeAlias = Callable[[], object]


class Party(Protocol):
    """One of several works that go on at once; what they tell each other comes and goes in their steps."""

    def ready(self) -> bool:
        """Return whether there is something to do; asked while no step of this one is being done."""
        ...

    def step(self) -> None:
        """Do some of it."""
        ...


class Crew(Executor):
    """Threads that stay for some long work; an executor itself, of pieces of it.

    Args:
        lender: whose threads they are, all that are worth it; it is not shut down. None for the caller's alone.
    """

    def __init__(self, lender: Executor | None) -> None:
        self._lender = lender
        with sharing(lender):
            self._max_workers = 0 if lender is None else threads_at_work() - 1
        self.parties = 1
        """How many share the threads."""
        self._resting: deque[Party] = deque()
        self._offers: deque[tuple[Future[Any], Task]] = deque()
        self._in_work = 0
        self._helping = 0
        self._ended = True
        self._failure: BaseException | None = None
        self._changed = threading.Condition()

    @property
    def alone(self) -> bool:
        """Whether there is no thread but the caller's."""
        return not self._max_workers

    def work(self, parties: Sequence[Party], tell: Task) -> None:
        """Do the steps of all parties until none has any; what a step raises in another thread is raised here.

        Args:
            parties: the one that has waited longest is first.
            tell: called in this thread again and again, between steps.
        """
        self.parties = max(1, len(parties))
        self._resting.extend(parties)
        self._ended = False
        helpers: list[Future[None]] = []
        try:
            if self._lender is not None:
                ask_for_help(self._lender, self._help, helpers, self._max_workers)
            while self._go_on():
                tell()
            tell()
        finally:
            self._end()
            for helper in helpers:
                helper.cancel()
            with self._changed:
                self._changed.wait_for(lambda: not self._helping)
            self._resting.clear()
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def submit(
        self, function: Callable[_Arguments, _Returned], /, *arguments: _Arguments.args, **keywords: _Arguments.kwargs
    ) -> Future[_Returned]:
        """Offer a piece of a step to whoever has no step to do.

        Raises:
            RuntimeError: the work has ended.
        """
        future: Future[_Returned] = Future()
        with self._changed:
            if self._ended:
                raise RuntimeError("the crew's work has ended")
            while self._offers and self._offers[0][0].cancelled():
                self._offers.popleft()
            self._offers.append((future, functools.partial(function, *arguments, **keywords)))
            self._changed.notify()
        return future

    def _help(self) -> None:
        """Do steps in another thread, as long as there may be any."""
        with self._changed:
            self._helping += 1
        try:
            while self._go_on():
                pass
        except BaseException as error:
            self._failure = error
        finally:
            self._end()
            with self._changed:
                self._helping -= 1
                self._changed.notify_all()

    def _go_on(self) -> bool:
        """Do what is next in this thread; return False when there is nothing more to do."""
        task = self._next()
        if task is not None:
            task()
        return task is not None

    def _next(self) -> Task | None:
        """Take a step, or a piece of one; where others have taken all that there is, wait for a change."""
        with self._changed:
            if self._ended:
                return None
            party = next((party for party in self._resting if party.ready()), None)
            if party is not None:
                self._resting.remove(party)
                self._in_work += 1
                return functools.partial(self._do, party)
            if self._offers:
                return functools.partial(_take, *self._offers.popleft())
            if not self._in_work:
                return None
            self._changed.wait()
            return _look_again

    def _do(self, party: Party) -> None:
        try:
            party.step()
        except BaseException:
            self._end()
            raise
        finally:
            with self._changed:
                self._in_work -= 1
                self._resting.append(party)
                self._changed.notify_all()

    def _end(self) -> None:
        """Let nobody begin another step."""
        with self._changed:
            self._ended = True
            self._offers.clear()
            self._changed.notify_all()


def _look_again() -> None:
    """Do nothing."""


def _take(future: Future[Any], task: Task) -> None:
    """Do an offered piece, unless it was withdrawn."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(task())
    except BaseException as error:
        future.set_exception(error)
