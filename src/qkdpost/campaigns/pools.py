"""Where tasks run: any executor, or processes of this library's own, which are replaced when they die."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from multiprocessing.connection import wait
from typing import Any

from qkdpost.checks import whole_number

__all__ = ["EmbeddedProcesses", "InThisProcess"]


class InThisProcess(Executor):
    """An executor that does each task at once, here: for debugging, and for tests.

    >>> from qkdpost import campaigns
    >>> campaigns.InThisProcess().submit(sum, [1, 2]).result()
    3
    """

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call a function and return a future that is done."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class EmbeddedProcesses:
    """A pool of processes that is made anew when one of them dies.

    Processes are spawned, not forked: threads and locks of this one are not copied into them. They end with this one,
    also where that is killed and can tell them nothing.

    Args:
        processes: how many; by default as many as this process may use cores.
    """

    def __init__(self, processes: int | None = None) -> None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.processes = cores if processes is None else whole_number("processes", processes, least=1, most=4096)
        self.executor = self._new()

    def _new(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self.processes, mp_context=context, initializer=_end_with_parent)

    def replace(self) -> None:
        """Make a new pool in place of a broken one."""
        self.executor.shutdown(wait=False, cancel_futures=True)
        self.executor = self._new()

    def close(self) -> None:
        """End the processes."""
        self.executor.shutdown(wait=True, cancel_futures=True)


def _end_with_parent() -> None:
    """End this process when the one that made it is gone; a worker that waits for a task would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent.sentinel,), daemon=True).start()


def _end_after(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
