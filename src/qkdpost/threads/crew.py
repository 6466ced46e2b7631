"""Works that go on at once, step by step: each in one thread at a time, whichever of a crew is free.

The crew is the thread that calls and those that an executor lends for as long as it lasts. Where there are several,
each goes on with the work that it did last as long as that has something to do, for its processor has it at hand, and
else does what has waited longest. Whoever has no step to do takes pieces of another's, so that a work that is long
alone has all threads. Nothing waits for a thread that does not come: the caller does what nobody else has begun.

To wake a thread takes some fifty microseconds, and a look at what there is takes the interpreter from the others. So
who ends a step takes the next at once, and wakes others only for what is left, or where there is something to tell.
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

    def step(self) -> bool:
        """Do some of it, and return whether that leaves something to tell."""
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
        self._news = False
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
            tell: called in this thread after steps that leave something to tell, and at the end.
        """
        self.parties = max(1, len(parties))
        self._resting.extend(parties)
        self._ended = False
        helpers: list[Future[None]] = []
        try:
            if self._lender is not None:
                ask_for_help(self._lender, self._help, helpers, self._max_workers)
            self._take_part(tell)
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
            self._take_part(None)
        except BaseException as error:
            self._failure = error
        finally:
            self._end()
            with self._changed:
                self._helping -= 1
                self._changed.notify_all()

    def _take_part(self, tell: Task | None) -> None:
        """Do what is next in this thread until there is nothing more to do; tell what there is, if that is for it."""
        party: Party | None = None
        while (found := self._next(party, tell)) is not None:
            task, party = found
            task()

    def _next(self, own: Party | None, tell: Task | None) -> tuple[Task, Party | None] | None:
        """Take what is to be told, a step, of the own party before others, or a piece of one.

        Where others have taken all that there is, wait for a change.

        Returns:
            What to do, and the party that is this thread's own then; None when there is nothing more.
        """
        with self._changed:
            if self._ended:
                return None
            if tell is not None and self._news:
                self._news = False
                return tell, own
            ready = [party for party in self._resting if party.ready()]
            if ready:
                party = own if self._helping and own in ready else ready[0]
                self._resting.remove(party)
                self._in_work += 1
                if len(ready) > 1 or self._offers:
                    self._changed.notify()
                return functools.partial(self._do, party), party
            if self._offers:
                return functools.partial(_take, *self._offers.popleft()), own
            if not self._in_work:
                return None
            self._changed.wait()
            return _look_again, own

    def _do(self, party: Party) -> None:
        news = False
        try:
            news = party.step()
        except BaseException:
            self._end()
            raise
        finally:
            with self._changed:
                self._in_work -= 1
                self._resting.append(party)
                if news:
                    self._news = True
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
