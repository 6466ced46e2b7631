"""Work that is shared among the threads of an executor that a host gives; without one it is done where it is called.

Kernels leave the interpreter's lock, so that pieces of their work run at once. Whoever calls takes pieces too, and
waits for none that nobody has begun: work is done even where the executor's only thread is the one that calls. The
pieces do not depend on who takes them, and so what comes out is the same, bit for bit, with and without an executor.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple, TypeAlias, TypeVar

from qkdpost.checks import instance
from qkdpost.errors import ConfigurationError

__all__ = ["Step", "each", "in_pieces", "in_steps", "sharing", "threads_at_work", "threads_for_good", "threads_of"]

Work: TypeAlias = Callable[[int, int], object]
Piece: TypeAlias = tuple[int, int]

_Value = TypeVar("_Value")
_Returned = TypeVar("_Returned")

_executor: ContextVar[Executor | None] = ContextVar("executor", default=None)
_PARTS_A_THREAD = 2
"""A piece is one of so many parts, for each thread, of what is left."""


def threads_of(executor: Executor | None) -> Executor | None:
    """Return the executor, if it is one in whose threads the library may work.

    Raises:
        ConfigurationError: it is none.
    """
    if executor is None:
        return None
    instance("executor", executor, Executor, hint="write ThreadPoolExecutor(max_workers=2)", error=ConfigurationError)
    apart = (futures.ProcessPoolExecutor, getattr(futures, "InterpreterPoolExecutor", futures.ProcessPoolExecutor))
    if isinstance(executor, apart):
        raise ConfigurationError(
            "executor must be one of threads: neither a session nor a piece of a kernel's work can be sent to another "
            "process or interpreter"
        )
    return executor


@contextmanager
def sharing(executor: Executor | None) -> Iterator[None]:
    """Share what is called inside, by this thread, with the threads of `executor`; None leaves things as they are.

    Raises:
        ConfigurationError: it is no executor of threads.
    """
    if threads_of(executor) is None:
        yield
        return
    token = _executor.set(executor)
    try:
        yield
    finally:
        _executor.reset(token)


def threads_at_work() -> int:
    """Return how many threads work is shared among here: those of the executor and the caller's, or 1 without one.

    They are no more than there are processors, and as many where an executor does not tell how many it has.
    """
    executor = _executor.get()
    if executor is None:
        return 1
    workers = getattr(executor, "_max_workers", None)  # of the standard one; there is no other way to ask it
    return min(_processors(), workers + 1) if isinstance(workers, int) else _processors()


def threads_for_good() -> int:
    """Return how many threads something that is divided once, for all its time, may count on here.

    Of a `Crew` of several parties they are an equal part: other threads come only while their own party waits.
    """
    return max(1, threads_at_work() // getattr(_executor.get(), "parties", 1))


class Step(NamedTuple):
    """One of several works that follow each other.

    Args:
        work: does one piece, from its first argument to before its second; it touches nothing that another piece of
            the same step writes.
        size: how much there is.
        least: no smaller piece is worth another thread, which costs some fifty microseconds.
    """

    work: Work
    size: int
    least: int = 1


def in_pieces(work: Work, size: int, least: int = 1) -> None:
    """Call work(first, end) on pieces that make up range(size), in threads at once if there is an executor.

    Args:
        work: as of a `Step`.
        size: likewise.
        least: likewise.
    """
    in_steps(Step(work, size, least))


def in_steps(*steps: Step) -> None:
    """Do one step after another, each in pieces: the next begins when all pieces of the one before are done.

    Threads are asked once for all of them, and so steps may be short.
    """
    executor, threads = _executor.get(), threads_at_work()
    cut = [(step.work, _cut(step.size, step.least, threads)) for step in steps]
    count = max(len(pieces) for _, pieces in cut)
    if executor is None or count < 2:
        for step in steps:
            if step.size:
                step.work(0, step.size)
        return
    _share(executor, _Pieces(cut), min(threads, count) - 1)


def _cut(size: int, least: int, threads: int) -> list[Piece]:
    """Return pieces of range(size), the last of them first to be done.

    Each takes the same part of what is left, so that few are needed and the last to end are short.
    """
    pieces = []
    while size > 0:
        part = max(least, 1, -(-size // (_PARTS_A_THREAD * threads))) if threads > 1 else size
        part = size if size - part < least else part
        pieces.append((size - part, size))
        size -= part
    return pieces[::-1]


def _share(executor: Executor, pieces: _Pieces, count: int) -> None:
    """Do the pieces in this thread and in `count` others, as far as these are free."""
    helpers: list[Future[None]] = []
    try:
        _ask_for_help(executor, pieces, helpers, count)
        pieces.take()
    finally:
        pieces.drop()
        for helper in helpers:
            helper.cancel()
        pieces.wait()
    pieces.raise_failure()


def each(function: Callable[[_Value], _Returned], values: Sequence[_Value]) -> list[_Returned]:
    """Return function(value) for each value, in their order; they are called in threads at once, as pieces are."""
    found: dict[int, _Returned] = {}

    def work(first: int, end: int) -> None:
        for index in range(first, end):
            found[index] = function(values[index])

    in_pieces(work, len(values))
    return [found[index] for index in range(len(values))]


class _Pieces:
    """What is still to be done, step by step, for all who take from it, and how many threads are at it."""

    def __init__(self, steps: list[tuple[Work, list[Piece]]]) -> None:
        self._steps = steps[::-1]
        self._work, self._left = self._steps.pop()
        self._in_work = 0
        self._helping = 0
        self._failure: BaseException | None = None
        self._changed = threading.Condition()

    def take(self) -> None:
        """Do one piece after another until none is left; between steps wait for those that others have begun."""
        while (taken := self._next()) is not None:
            work, piece = taken
            try:
                work(*piece)
            except BaseException:
                self.drop()
                raise
            finally:
                self._end()

    def help(self) -> None:
        """Do the same in another thread; what a piece raises there is for the caller."""
        with self._changed:
            if not self._left and not self._steps:
                return
            self._helping += 1
        try:
            self.take()
        except BaseException as error:
            self._failure = error
        finally:
            with self._changed:
                self._helping -= 1
                self._changed.notify_all()

    def drop(self) -> None:
        """Let nobody begin another."""
        with self._changed:
            self._steps.clear()
            self._left.clear()
            self._changed.notify_all()

    def wait(self) -> None:
        """Wait until nobody helps any more: what they write into would else be given away under them.

        They are counted here, not by the executor's futures: `submit` of one that finds no new thread raises, and yet
        an old thread may do what it was asked for.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._helping)

    def raise_failure(self) -> None:
        """Raise what a piece raised in another thread."""
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _next(self) -> tuple[Work, Piece] | None:
        """Take a piece of the step that is due, waiting for the one before to end; None if nothing is left."""
        with self._changed:
            while not self._left and self._steps:
                if self._in_work:
                    self._changed.wait()
                else:
                    self._work, self._left = self._steps.pop()
            if not self._left:
                return None
            self._in_work += 1
            return self._work, self._left.pop()

    def _end(self) -> None:
        """Note that a piece is done, and tell those who wait for its step to end."""
        with self._changed:
            self._in_work -= 1
            if not self._in_work and not self._left:
                self._changed.notify_all()


def _ask_for_help(executor: Executor, pieces: _Pieces, helpers: list[Future[None]], count: int) -> None:
    """Ask for so many threads; an executor that takes nothing more, being shut down, leaves all to the caller."""
    with contextlib.suppress(RuntimeError):
        while len(helpers) < count:
            helpers.append(executor.submit(pieces.help))


def _processors() -> int:
    """Return how many processors this process may use."""
    affinity: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
