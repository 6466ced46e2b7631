"""A campaign on one worker of a Dask cluster, and the same on two: how much faster, and are the outcomes equal?

    python -m benchmarks.workers                     # about two minutes
    python -m benchmarks.workers --workers 1 2 4 8
    python -m benchmarks.workers --processes         # processes of this machine in place of Dask

Each row has the time that the campaign took, and the processor time of its tasks alone. Where as many cores are free as
there are workers, the time falls as the number of workers rises: that is the column "times one". On a machine that does
other things it cannot, and the ratio says nothing: "cores" is how many the tasks had at a time, on average, and should
be the number of workers. Needs `qkdpost[cluster]`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeAlias

from benchmarks.options import parser_of
from qkdpost import campaigns

ERROR_RATES = (0.01, 0.02, 0.04, 0.08)
Workers: TypeAlias = Callable[[int], AbstractContextManager[Executor]]


def tasks_of(given: argparse.Namespace) -> list[campaigns.Task]:
    return list(
        campaigns.correction_tasks(
            error_rates=ERROR_RATES, bits=given.block_bits, blocks=max(1, given.tasks // len(ERROR_RATES))
        )
    )


@contextmanager
def dask_workers(count: int) -> Iterator[Executor]:
    """Give an executor of so many workers, each a process with one thread."""
    from distributed import Client, LocalCluster  # noqa: PLC0415 - of the extra "cluster"

    with (
        LocalCluster(n_workers=count, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        yield client.get_executor()


@contextmanager
def own_processes(count: int) -> Iterator[Executor]:
    with ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn")) as executor:
        yield executor


def timed(tasks: list[campaigns.Task], workers: Workers, count: int) -> tuple[float, float, list[Any]]:
    """Return the time, the processor time of the tasks, and their results; kernels are loaded before."""
    with workers(count) as executor:
        campaigns.run(tasks[: 4 * count], executor=executor)
        began = time.perf_counter()
        outcomes = campaigns.run(tasks, executor=executor, in_flight=2 * count)
        took = time.perf_counter() - began
    return took, sum(outcome.processor_seconds for outcome in outcomes), [each.result for each in outcomes]


def options() -> argparse.Namespace:
    parser = parser_of(__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="how many, one row each; default 1 2")
    parser.add_argument("--processes", action="store_true", help="of concurrent.futures in place of Dask workers")
    parser.add_argument("--tasks", type=int, default=96, help="blocks that are corrected; default 96")
    parser.add_argument("--block-bits", type=int, default=1 << 22, help="of each; default 2^22")
    return parser.parse_args()


def main() -> None:
    given = options()
    tasks = tasks_of(given)
    print(f"{len(tasks)} blocks of {given.block_bits:,} bits\n")
    print("workers   seconds   times one   processor seconds   cores")
    first: tuple[float, list[Any]] | None = None
    for count in given.workers:
        took, processor, results = timed(tasks, own_processes if given.processes else dask_workers, count)
        first = first or (took, results)
        print(f"{count:7} {took:9.1f} {first[0] / took:11.2f} {processor:19.1f} {processor / took:7.2f}", flush=True)
        if results != first[1]:
            raise SystemExit("the outcomes differ: they must not depend on the workers")
    print("\noutcomes are equal, bit for bit")


if __name__ == "__main__":
    main()
