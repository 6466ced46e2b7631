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
from typing import TypeAlias, TypeVar

from qkdpost.checks import instance
from qkdpost.errors import ConfigurationError

__all__ = [
    "ask_for_help",
    "each",
    "executor_in_use",
    "in_pieces",
    "sharing",
    "threads_at_work",
    "threads_for_good",
    "threads_of",
    "together",
]

Work: TypeAlias = Callable[[int, int], object]
Piece: TypeAlias = tuple[int, int]
TakePart: TypeAlias = Callable[[bool], object]

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


def executor_in_use() -> Executor | None:
    """Return the executor whose threads work is shared among here, or None."""
    return _executor.get()


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


def in_pieces(work: Work, size: int, least: int = 1) -> None:
    """Call work(first, end) on pieces that make up range(size), in threads at once if there is an executor.

    Args:
        work: does one piece, from its first argument to before its second; it touches nothing that another one writes.
        size: how much there is.
        least: no smaller piece is worth another thread, which costs some fifty microseconds.
    """
    pieces = _cut(size, least, threads_at_work())
    if len(pieces) > 1:
        together(_Pieces(work, pieces).take, len(pieces))
    elif pieces:
        work(*pieces[0])


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


def each(function: Callable[[_Value], _Returned], values: Sequence[_Value]) -> list[_Returned]:
    """Return function(value) for each value, in their order; they are called in threads at once, as pieces are."""
    if len(values) == 1:
        return [function(values[0])]
    found: dict[int, _Returned] = {}

    def work(first: int, end: int) -> None:
        for index in range(first, end):
            found[index] = function(values[index])

    in_pieces(work, len(values))
    return [found[index] for index in range(len(values))]


class _Pieces:
    """What is still to be done, for all who take from it."""

    def __init__(self, work: Work, pieces: list[Piece]) -> None:
        self._work = work
        self._left = pieces

    def take(self, helping: bool) -> None:
        """Do one piece after another until none is left; others may still be at theirs then."""
        try:
            while (piece := self._next()) is not None:
                self._work(*piece)
        except BaseException:
            self._left.clear()
            raise

    def _next(self) -> Piece | None:
        with contextlib.suppress(IndexError):
            return self._left.pop()
        return None


def together(take_part: TakePart, most: int) -> None:
    """Call `take_part` in this thread, and at the same time in others if there is an executor.

    What it does is not shared again: in none of these threads is there an executor meanwhile.

    Args:
        take_part: does what nobody else has begun, whether another thread comes or not, and is told whether it helps,
            in another thread than the caller's. What it raises must make the others return.
        most: how many threads have something to do.
    """
    executor, count = executor_in_use(), min(threads_at_work(), most) - 1
    if executor is None or count < 1:
        take_part(False)
        return
    meeting = _Meeting(take_part)
    helpers: list[Future[None]] = []
    token = _executor.set(None)
    try:
        ask_for_help(executor, meeting.help, helpers, count)
        take_part(False)
    finally:
        _executor.reset(token)
        meeting.end()
        for helper in helpers:
            helper.cancel()
        meeting.wait()
    meeting.raise_failure()


class _Meeting:
    """Who takes part in other threads, and what that raised."""

    def __init__(self, take_part: TakePart) -> None:
        self._take_part: TakePart | None = take_part
        self._helping = 0
        self._failure: BaseException | None = None
        self._changed = threading.Condition()

    def help(self) -> None:
        """Take part in another thread, unless it is over; what is raised there is for the caller."""
        with self._changed:
            take_part = self._take_part
            if take_part is None:
                return
            self._helping += 1
        try:
            take_part(True)
        except BaseException as error:
            self._failure = error
        finally:
            with self._changed:
                self._helping -= 1
                self._changed.notify_all()

    def end(self) -> None:
        """Let nobody come any more; a request that an executor still has holds nothing then."""
        with self._changed:
            self._take_part = None

    def wait(self) -> None:
        """Wait until nobody helps any more: what they write into would else be given away under them.

        They are counted here, not by the executor's futures: `submit` of one that finds no new thread raises, and yet
        an old thread may do what it was asked for.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._helping)

    def raise_failure(self) -> None:
        """Raise what another thread raised."""
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure


def ask_for_help(executor: Executor, help_out: Callable[[], None], helpers: list[Future[None]], count: int) -> None:
    """Ask for so many threads; an executor that takes nothing more, being shut down, leaves all to the caller."""
    with contextlib.suppress(RuntimeError):
        while len(helpers) < count:
            helpers.append(executor.submit(help_out))


def _processors() -> int:
    """Return how many processors this process may use."""
    affinity: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
