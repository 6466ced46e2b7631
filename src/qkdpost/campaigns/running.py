"""Tasks over an executor: a bounded number at a time, each outcome once, whatever dies."""

from __future__ import annotations

import contextlib
import os
from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator, Sized
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from typing import Literal

from qkdpost.campaigns.pools import EmbeddedProcesses
from qkdpost.campaigns.results_file import ResultsFile
from qkdpost.campaigns.task import Outcome, Task, perform
from qkdpost.checks import choice, described, instance, whole_number
from qkdpost.errors import ConfigurationError, InputError, TaskFailed
from qkdpost.progress import Progress, telling

__all__ = ["outcomes", "run"]

Failures = Literal["raise", "record"]

MAX_DEATHS = 3
"""How often workers may die while a task is in work; after that it is tried once more, alone."""
_IN_FLIGHT_PER_WORKER = 3
"""Enough that no worker waits for its next task, few enough that nothing piles up."""
_IN_FLIGHT_ELSEWHERE = 64


def outcomes(
    tasks: Iterable[Task],
    *,
    executor: Executor | None = None,
    processes: int | None = None,
    file: str | os.PathLike[str] | None = None,
    in_flight: int | None = None,
    failures: Failures = "raise",
    progress: bool | Progress = False,
) -> Iterator[Outcome]:
    """Do all tasks, and yield each outcome as it comes.

    Outcomes are the same whatever the executor, the number of workers and the order in which they end; a task that is
    given twice is done once. With a file, what it holds is not done again: after a cut, call it again as before. A
    worker that dies takes nothing with it: its tasks are done again by another.

    Args:
        tasks: in any number; they are taken as workers become free, so that a generator of millions is welcome.
        executor: any `concurrent.futures.Executor` whose workers can import this library and the tasks' functions, such
            as Dask's `Client.get_executor()`; by default processes of this machine, which are made and ended here.
        processes: how many of the latter; by default one for each core.
        file: where outcomes are recorded, one line each, before they are yielded; read it with `read`.
        in_flight: how many tasks are handed to the executor at a time; by default 3 for each process, or 64.
        failures: "raise" ends the campaign when a task raises an error, after what is running has ended and is
            recorded; "record" makes the error an outcome and goes on, and such a task is done again next time.
        progress: True draws how many tasks are done; or a function that is told.

    Yields:
        Outcomes, in the order in which they ended; those of the file as their task's turn comes.

    Raises:
        InputError: an argument is not what it must be, or the file is another or damaged.
        ConfigurationError: processes are asked for beside an executor.
        StoreInUse: the file is open in another campaign.
        TaskFailed: a task raised an error, or kills each worker that tries it.

    >>> from qkdpost import campaigns
    >>> tasks = campaigns.correction_tasks(error_rates=[0.02], bits=4096, blocks=3)
    >>> found = campaigns.outcomes(tasks, executor=campaigns.InThisProcess())
    >>> sum(outcome.result["bits"] for outcome in found)
    12288
    """
    if executor is not None:
        instance("executor", executor, Executor, hint="Dask has one: client.get_executor()")
        if processes is not None:
            raise ConfigurationError("processes are counted by the executor: give one of the two")
    choice("failures", failures, ("raise", "record"))
    if in_flight is not None:
        in_flight = whole_number("in_flight", in_flight, least=1, most=2**20)
    if not isinstance(tasks, Iterable):
        raise InputError(f"tasks must be a list or another iterable of Task; found {described(tasks)}")
    campaign = _Campaign(executor, processes, in_flight, record_failures=failures == "record")
    return _told(campaign.outcomes(tasks, file), len(tasks) if isinstance(tasks, Sized) else None, progress)


def _told(found: Generator[Outcome, None, None], total: int | None, progress: bool | Progress) -> Iterator[Outcome]:
    """Pass outcomes on and tell how many there were."""
    with telling(progress) as tell, contextlib.closing(found):
        tell("tasks", 0, total)
        for done, outcome in enumerate(found, start=1):
            tell("tasks", done, total)
            yield outcome


def run(
    tasks: Iterable[Task],
    *,
    executor: Executor | None = None,
    processes: int | None = None,
    file: str | os.PathLike[str] | None = None,
    in_flight: int | None = None,
    failures: Failures = "raise",
    progress: bool | Progress = False,
) -> list[Outcome]:
    """Do all tasks, and return their outcomes in the order of the tasks.

    Arguments and errors are those of `outcomes`, which keeps no outcome in memory.

    >>> from qkdpost import campaigns
    >>> tasks = campaigns.correction_tasks(error_rates=[0.01, 0.02], bits=4096, blocks=1)
    >>> done = campaigns.run(tasks, executor=campaigns.InThisProcess())
    >>> [outcome.arguments["error_rate"] for outcome in done]
    [0.01, 0.02]
    """
    ordered = list(tasks)
    stream = outcomes(
        ordered,
        executor=executor,
        processes=processes,
        file=file,
        in_flight=in_flight,
        failures=failures,
        progress=progress,
    )
    found = {outcome.identity: outcome for outcome in stream}
    return [found[task.identity] for task in ordered]


class _Campaign:
    """What is in work, and what is to be done again."""

    def __init__(
        self, executor: Executor | None, processes: int | None, in_flight: int | None, *, record_failures: bool
    ) -> None:
        self._own = EmbeddedProcesses(processes) if executor is None else None
        self._given = executor
        own_limit = _IN_FLIGHT_ELSEWHERE if self._own is None else _IN_FLIGHT_PER_WORKER * self._own.processes
        self._limit = own_limit if in_flight is None else in_flight
        self._record_failures = record_failures
        self._pending: dict[Future[Outcome], Task] = {}
        self._again: deque[Task] = deque()
        self._deaths: Counter[str] = Counter()
        self._broken = False
        self._alone = False
        self._failure: TaskFailed | None = None

    def outcomes(self, tasks: Iterable[Task], file: str | os.PathLike[str] | None) -> Generator[Outcome, None, None]:
        results = None if file is None else ResultsFile(file)
        try:
            for outcome, is_new in self._stream(iter(tasks), results):
                if results is not None and is_new:
                    results.append(outcome)
                yield outcome
            if self._failure is not None:
                raise self._failure
        finally:
            for future in self._pending:
                future.cancel()
            if self._own is not None:
                self._own.close()
            if results is not None:
                results.close()

    def _stream(self, tasks: Iterator[Task], results: ResultsFile | None) -> Iterator[tuple[Outcome, bool]]:
        """Yield outcomes, and whether each is new."""
        seen: set[bytes] = set()
        more = True
        while more or self._pending or self._again:
            while more and self._has_room():
                task = next(tasks, None)
                if task is None or self._failure is not None:
                    more = False
                    break
                name = bytes.fromhex(instance("a task", task, Task).identity)
                if name in seen:
                    continue
                seen.add(name)
                if results is not None and task.identity in results:
                    yield results.get(task.identity), False
                else:
                    self._submit(task)
            self._submit_again()
            yield from ((outcome, True) for outcome in self._ended())

    def _has_room(self) -> bool:
        return not (self._broken or self._alone or self._again) and len(self._pending) < self._limit

    def _submit(self, task: Task) -> None:
        executor = self._own.executor if self._own is not None else self._given
        try:
            self._pending[executor.submit(perform, task)] = task  # type: ignore[union-attr]
        except BrokenExecutor:
            if self._own is None:
                raise
            self._again.append(task)
            self._broken = True

    def _submit_again(self) -> None:
        """Hand out what dead workers left; a task that saw too many die goes alone, so that the guilty one is known."""
        if self._broken and not self._pending and self._own is not None:
            self._own.replace()
            self._broken = False
        if self._failure is not None:
            self._again.clear()
        self._alone = self._alone and bool(self._pending)
        while self._again and not self._broken and not self._alone and len(self._pending) < self._limit:
            suspect = self._deaths[self._again[0].identity] >= MAX_DEATHS
            if suspect and self._pending:
                return
            self._alone = suspect
            self._submit(self._again.popleft())

    def _ended(self) -> Iterator[Outcome]:
        """Wait for a task to end, and yield what came of those that did."""
        if not self._pending:
            return
        for future in wait(self._pending, return_when=FIRST_COMPLETED).done:
            task = self._pending.pop(future)
            try:
                outcome = future.result()
            except BrokenExecutor as death:
                self._died(task, death)
                continue
            except Exception as error:
                if not self._record_failures:
                    self._fail(task, f"{type(error).__name__}: {error}", error)
                    continue
                outcome = _failed(task, f"{type(error).__name__}: {error}")
            if not isinstance(outcome, Outcome) or outcome.identity != task.identity:
                self._fail(task, "the worker did another task. Does it run the same release?", None)
                continue
            yield outcome

    def _died(self, task: Task, death: BrokenExecutor) -> None:
        if self._own is None:
            self._fail(task, "the executor is broken. What is done is in the file, if there is one", death)
            return
        was_alone = self._deaths[task.identity] >= MAX_DEATHS
        self._broken = True
        self._deaths[task.identity] += 1
        if was_alone:
            self._fail(task, f"a worker died each of {MAX_DEATHS + 1} times, at last with this task alone", death)
        else:
            self._again.append(task)

    def _fail(self, task: Task, reason: str, cause: BaseException | None) -> None:
        """End the campaign, once what is running has ended."""
        if self._failure is None:
            self._failure = TaskFailed(f"{task.function_name} failed with {_shown(task)}: {reason}")
            self._failure.__cause__ = cause
        for future in self._pending:
            future.cancel()


def _failed(task: Task, error: str) -> Outcome:
    return Outcome(
        identity=task.identity,
        function_name=task.function_name,
        arguments=task.plain_arguments,
        seed=task.seed,
        result=None,
        error=error,
    )


def _shown(task: Task) -> str:
    text = ", ".join(f"{name}={value!r}" for name, value in task.plain_arguments.items())
    return text if len(text) <= 300 else f"{text[:300]}..."
